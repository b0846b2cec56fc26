"""A question of a user: one GraphQL document, and tables with the same rows by SPARQL.

Floor 4. Holds what was read and turns answers into rows; reading is in `schema/questions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

from graph.errors import BadValueError
from graph.store.snapshot import Snapshot
from graph.terms import ENTITY, XSD, is_iri, write_iri, write_literal
from schema.naming import enum_value_name
from schema.rows import Cell, Path, Row, cell_of, flatten, sort_rows

Texts = Mapping[str, str]
Variables = Mapping[str, str | int | bool]

#: Languages of the library, and of its readers: the first is that of a text as it stands.
LANGUAGES: Final = ("en", "fr")
#: The variable of a document that takes a reader's languages, his own first.
LANG: Final = "lang"
_PLACEHOLDER: Final = re.compile(r"\{\{(\w*):(\w*)\}\}")
_WRITERS: Final[Mapping[str, Callable[[str], str]]] = {
    "iri": write_iri,
    "string": write_literal,
    "integer": lambda value: write_literal(str(int(value)), f"{XSD}integer"),
}
#: Longest value of a parameter, in characters.
_VALUE_CHARACTERS: Final = 1_000
_INTEGER: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_NAME_OF_OURS: Final = re.compile(r"[a-z][a-z-]*/[^/\s]+")


class Kind(StrEnum):
    """What the values of a parameter are."""

    IRI = "iri"
    STRING = "string"
    INTEGER = "integer"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a question can be asked about: its kind, what it is called, and what it is by default.

    `of` is the GraphQL name of a class whose instances are offered, empty for none.
    """

    name: str
    kind: Kind
    title: Texts
    default: str | int
    of: str = ""

    def read(self, text: str) -> str | int:
        """Return a value that someone wrote; of an IRI of ours the end will do.

        Raises
        ------
        BadValueError
            It is not of the kind, or blank.
        """
        if not text.strip():
            expected = f"a value; without the parameter it is {self.default}"
            raise BadValueError(self.name, text[:40], expected)
        if len(text) > _VALUE_CHARACTERS:
            expected = f"of at most {_VALUE_CHARACTERS} characters"
            raise BadValueError(self.name, f"{text[:40]}…", expected)
        match self.kind:
            case Kind.IRI:
                iri = ENTITY + text if _NAME_OF_OURS.fullmatch(text) else text
                if not is_iri(iri):
                    expected = "an IRI, or the end of one of ours such as organisation/cta"
                    raise BadValueError(self.name, text[:80], expected)
                return iri
            case Kind.INTEGER:
                if not _INTEGER.fullmatch(text):
                    raise BadValueError(self.name, text[:40], "a whole number of at most 9 digits")
                return int(text)
            case Kind.DATE:
                return self._read_date(text)
            case _:
                if any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
                    raise BadValueError(self.name, repr(text[:40]), "Unicode text")
                return text

    def _read_date(self, text: str) -> str:
        try:
            day = date.fromisoformat(text).isoformat()
        except ValueError:
            day = ""
        if day != text:  # also what Python reads as a day beside it: weeks, no hyphens
            raise BadValueError(self.name, text[:40], "a day such as 2026-11-22")
        return day


@dataclass(frozen=True, slots=True)
class Table:
    """One table of an answer: where its cells stand in the GraphQL data, and the same in SPARQL.

    `sparql` is empty where SPARQL cannot say it; `without_sparql` then tells why. So does
    `without_graphql` of a table that has no `paths`.
    """

    title: Texts
    sparql: str
    columns: tuple[str, ...]
    paths: tuple[Path, ...]
    distinct: bool = False
    ordered: bool = False
    minus: tuple[Path, ...] = ()
    known: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    enums: tuple[str, ...] = ()
    without_sparql: Texts = field(default_factory=dict)
    without_graphql: Texts = field(default_factory=dict)

    def answer_rows(self, data: Mapping[str, Any]) -> list[Row]:
        """Return the rows of a GraphQL answer; sorted unless the order counts.

        Raises
        ------
        BadValueError
            A path does not fit the data.
        """
        rows = flatten(data, self.paths)
        left_out = {row[0] for path in self.minus for row in flatten(data, [path])}
        wanted = [(self.columns.index(name), True) for name in self.unknown]
        wanted += [(self.columns.index(name), False) for name in self.known]
        rows = [
            row
            for row in rows
            if row[0] not in left_out
            and all((row[place] is None) == is_null for place, is_null in wanted)
        ]
        return self._arrange(list(dict.fromkeys(rows)) if self.distinct else rows)

    def solution_rows(
        self, variables: Sequence[str], solutions: Sequence[Sequence[str | None]]
    ) -> list[Row]:
        """Return the rows of SPARQL solutions, given as terms in N-Triples text.

        Raises
        ------
        BadValueError
            The variables are not the columns.
        """
        if tuple(variables) != self.columns:
            expected = f"the columns {' '.join(self.columns)}"
            raise BadValueError("SELECT", " ".join(variables), expected)
        enums = [self.columns.index(name) for name in self.enums]
        rows = [[cell_of(term) for term in solution] for solution in solutions]
        for row in rows:
            for place in enums:
                row[place] = _enum_name(row[place])
        return self._arrange([tuple(row) for row in rows])

    def _arrange(self, rows: list[Row]) -> list[Row]:
        return rows if self.ordered else sort_rows(rows)


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a user, with its number in the list of competency questions.

    `scopes` are those that a token needs to ask it; none for what anybody may. `construct` is a
    CONSTRUCT whose graph is the answer as RDF, empty for none; `network` names the parameter
    around whose value a network lies that can be had as GEXF and GraphML, empty for none.
    `language` is the reader's, in which texts are wanted; `takes_languages` tells whether the
    document has a variable for it.
    """

    number: int
    slug: str
    title: Texts
    text: Texts
    graphql: str
    variables: Variables
    tables: tuple[Table, ...]
    pages: str | None = None
    scopes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    construct: str = ""
    language: str = LANGUAGES[0]
    takes_languages: bool = False
    network: str = ""

    @property
    def name(self) -> str:
        """Name of the question's files, without suffix."""
        return f"{self.number:02}-{self.slug}"

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the reader, his own first: texts without it are shown in the others."""
        return (self.language, *(each for each in LANGUAGES if each != self.language))

    def read_in(self, language: str) -> Question:
        """Return the same question for a reader of one of the languages."""
        return replace(self, language=language)

    def document_variables(self, values: Variables) -> dict[str, Any]:
        """Return the variables of the document: values, and the languages where it takes them."""
        return {**values, LANG: list(self.languages)} if self.takes_languages else dict(values)

    def sparql(self, table: Table, variables: Variables | None = None) -> str:
        """Return the SELECT of a table with its placeholders filled, by default with defaults."""
        return self._fill(table.sparql, variables)

    def read_values(self, given: Mapping[str, str]) -> dict[str, str | int]:
        """Return a value for each parameter: what was given, as its kind, else the default.

        Raises
        ------
        BadValueError
            A value is not of its kind, or a name is no parameter's.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                expected = f"one of {', '.join(names)}" if names else "known: it takes none"
                raise BadValueError("parameter", name[:40], expected)
        return {
            each.name: each.read(given[each.name]) if each.name in given else each.default
            for each in self.parameters
        }

    def require_known(self, values: Variables, snapshot: Snapshot) -> None:
        """Refuse to ask about what is not there, which would look as if nothing were known of it.

        What is asked by default may be absent: a dataset need not be ours.

        Raises
        ------
        BadValueError
            A value names nothing of the class that its parameter is about.
        """
        classes = {shape.name: iri for iri, shape in snapshot.model.classes.items()}
        for each in self.parameters:
            value = values[each.name]
            if each.kind is not Kind.IRI or not each.of or value == each.default:
                continue
            number = snapshot.number_of(f"<{value}>")
            if number is None or not snapshot.is_a(number, classes[each.of]):
                expected = f"the IRI of a {each.of} that is known here"
                raise BadValueError(each.name, str(value)[:200], expected)

    def graph(self, variables: Variables | None = None) -> str:
        """Return the CONSTRUCT with its placeholders filled, by default with defaults."""
        return self._fill(self.construct, variables)

    def _fill(self, sparql: str, variables: Variables | None) -> str:
        first, second = self.languages
        tags = {"language": first, "otherLanguage": second}
        return fill(sparql, {**tags, **self.variables, **(variables or {})})

    def ask(self, answer: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]) -> dict[str, Any]:
        """Return the data of the GraphQL document, with all pages of `pages` in one.

        `answer` asks a document with variables and returns the data.
        """
        variables = self.document_variables(self.variables)
        data = dict(answer(self.graphql, variables))
        while self.pages is not None and data[self.pages]["pageInfo"]["hasNextPage"]:
            variables["after"] = data[self.pages]["pageInfo"]["endCursor"]
            page = answer(self.graphql, variables)[self.pages]
            data[self.pages] = {**page, "nodes": [*data[self.pages]["nodes"], *page["nodes"]]}
        return data


def fill(sparql: str, variables: Variables) -> str:
    """Return a SPARQL text with its placeholders filled.

    Raises
    ------
    BadValueError
        A placeholder names no variable or kind, or a value is not of the kind.
    """

    def write(match: re.Match[str]) -> str:
        name, kind = match.groups()
        if name not in variables or kind not in _WRITERS:
            kinds = " or ".join(_WRITERS)
            raise BadValueError("placeholder", match[0], f"{{{{variable:kind}}}} with {kinds}")
        try:
            return _WRITERS[kind](str(variables[name]))
        except ValueError:
            raise BadValueError(name, str(variables[name]), f"of kind {kind}") from None

    return _PLACEHOLDER.sub(write, sparql)


def _enum_name(cell: Cell) -> Cell:
    return enum_value_name(cell) if isinstance(cell, str) else cell
