"""The question library: questions of users, each as one GraphQL document and as SPARQL.

Floor 4. Reads `seeds/questions/NN-slug.toml` and checks what can be seen without data. Tests ask
every question in both languages; the forms, the README and `docs/questions.md` show them.

Keys of a file: `number`, `slug` (as in its name), `title` and `text` (`en` and `fr`), `graphql`
(one operation), `variables`, `pages` (a root connection to be followed to its end by `$after`,
where one page is not enough), `construct` (a CONSTRUCT, where the answer is a graph, too),
`network` (a variable, where the network around its value is an answer, too), and tables.
A `[variables.NAME]` has a `default`, a `title` (`en` and `fr`), a `kind` (iri, string,
integer or date) and, where the value is an entity, the class that it is `of`. A `[[table]]` has
`title`, `columns` (name and path into the data of the GraphQL answer, see `schema/rows.py`) and
`sparql`: a SELECT of the same columns in the same order. What GraphQL cannot say yet is done to its
rows by

`distinct`  each row once;
`minus`     paths: rows whose first cell is a value of one of them are left out;
`known`     columns: only rows in which these are not null are kept;
`unknown`   columns: only rows in which these are null are kept.

A table that SPARQL cannot give has `without_sparql` (`en` and `fr`) in place of `sparql`: why. One
that GraphQL cannot give has `without_graphql`, and empty paths.
`scopes` of a question are those that a token needs to ask it.

`enums` names columns that hold an enum: `STATED` in GraphQL, "stated" in the data. `ordered` says
that the order counts. In SPARQL a placeholder `{{name:kind}}` stands where a term stands, for the
variable `name` as `iri`, `string` or `integer`; only `write_iri` and `write_literal` fill it.

Texts come in the language of the reader, else in the other one, else in any. A document that asks
for texts declares `$lang: [String!] = ["en", "fr"]` and gives it to `lang` of each such field; a
SELECT has `{{language:string}}` and `{{otherLanguage:string}}`. So none of them is a parameter.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path as File
from typing import Any, Final

from graph.access import Scope
from graph.analysis.wording import keep_spaces
from graph.errors import BadValueError, OntologyError
from schema.answer_paths import check_paths, read_operation
from schema.question import LANGUAGES, Kind, Parameter, Question, Table, Texts
from schema.rows import Row, flatten, read_path, spine

__all__ = [
    "Question",
    "Table",
    "flatten",
    "load_questions",
    "read_expected",
    "worked_questions",
    "write_expected",
]

QUESTIONS: Final = File(__file__).parent.parent / "seeds" / "questions"
#: The questions that the forms for people offer.
WORKED: Final = (2, 10, 45)

_NAME: Final = re.compile(r"^\d\d-[a-z0-9]+(?:-[a-z0-9]+)*$")
_PROLOGUE: Final = r"^(?:\s|#[^\n]*\n|(?:PREFIX|BASE)\s[^>]*>)*"
_SELECT: Final = re.compile(rf"{_PROLOGUE}SELECT\s", re.IGNORECASE)
_CONSTRUCT: Final = re.compile(rf"{_PROLOGUE}CONSTRUCT\s", re.IGNORECASE)


@cache
def load_questions(folder: File = QUESTIONS) -> tuple[Question, ...]:
    """Return the questions of a folder, in the order of their numbers.

    Raises
    ------
    OntologyError
        A file cannot be read, lacks something, has a key that nobody reads, or a column has a
        path that its document does not ask for.
    """
    questions = [_read_file(file) for file in folder.glob("*.toml")]
    return tuple(sorted(questions, key=lambda question: question.number))


def worked_questions(language: str) -> list[dict[str, Any]]:
    """Return the questions for the forms; in English where there is no text in the language."""
    tag = language if language in LANGUAGES else LANGUAGES[0]
    asked = (each.read_in(tag) for each in load_questions() if each.number in WORKED)
    return [
        {
            "number": question.number,
            "title": question.title[tag],
            "text": question.text[tag],
            "graphql": question.graphql,
            "variables_json": json.dumps(question.document_variables(question.variables), indent=2),
            "sparql": question.sparql(question.tables[0]),
        }
        for question in asked
    ]


def read_expected(question: Question, folder: File = QUESTIONS) -> list[list[Row]]:
    """Return the rows that the seeds answer, table by table, from the file beside the question."""
    tables = json.loads((folder / f"{question.name}.expected.json").read_text(encoding="utf-8"))
    return [[tuple(row) for row in table["rows"]] for table in tables]


def write_expected(question: Question, rows: Sequence[Sequence[Row]]) -> str:
    """Return the text of that file: one row a line, so that a change can be read."""
    tables = []
    for table, found in zip(question.tables, rows, strict=True):
        lines = [json.dumps(row, ensure_ascii=False) for row in found]
        body = "\n    " + ",\n    ".join(lines) + "\n  " if lines else ""
        tables.append(f'{{"columns": {json.dumps(table.columns)}, "rows": [{body}]}}')
    return "[\n  " + ",\n  ".join(tables) + "\n]\n"


# --- reading ----------------------------------------------------------------------------------


class _Entry:
    """One table of a TOML file; `take` removes a key, `close` complains of what is left."""

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        self.values = dict(values)
        self.place = place

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self.values.pop(key, default)
        if value is None:
            raise BadValueError(f"{self.place}{key}", "nothing", "there: it is missing")
        if type(value) is not kind:
            raise BadValueError(f"{self.place}{key}", str(value)[:60], f"of type {kind.__name__}")
        return value

    def take_texts(self, key: str) -> Texts:
        texts = _Entry(self.take(key, dict), f"{self.place}{key}.")
        found = {
            language: keep_spaces(texts.take(language, str).strip(), language)
            for language in LANGUAGES
        }
        texts.close()
        return found

    def take_names(self, key: str, known: Sequence[str] | None = None) -> tuple[str, ...]:
        names = tuple(map(str, self.take(key, list, [])))
        for name in names:
            if known is not None and name not in known:
                raise BadValueError(f"{self.place}{key}", name, "a column")
        return names

    def close(self) -> None:
        for key in self.values:
            raise BadValueError("key", f"{self.place}{key}", "a key of a question")


def _read_file(file: File) -> Question:
    """Return the question of a file."""
    try:
        with file.open("rb") as opened:
            return _read_question(tomllib.load(opened), file.stem)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OntologyError(f"seeds/questions/{file.name}", f"TOML: {error}") from error
    except BadValueError as error:
        raise OntologyError(f"seeds/questions/{file.name}", error.message) from error


def _read_question(values: Mapping[str, Any], stem: str) -> Question:
    entry = _Entry(values, "")
    pages = entry.take("pages", str, "") or None
    parameters = _read_parameters(entry.take("variables", dict, {}))
    graphql = entry.take("graphql", str).strip() + "\n"
    names = {*(each.name for each in parameters), *(["after"] if pages else [])}
    document = read_operation(graphql, names)
    question = Question(
        number=entry.take("number", int),
        slug=entry.take("slug", str),
        title=entry.take_texts("title"),
        text=entry.take_texts("text"),
        graphql=graphql,
        variables={each.name: each.default for each in parameters},
        tables=tuple(
            _read_table(_Entry(table, f"table[{at}]."))
            for at, table in enumerate(entry.take("table", list))
        ),
        pages=pages,
        scopes=tuple(map(str, entry.take("scopes", list, []))),
        parameters=parameters,
        construct=entry.take("construct", str, "").strip(),
        takes_languages=document.takes_languages,
        network=entry.take("network", str, ""),
    )
    entry.close()
    if question.network and question.network not in question.variables:
        raise BadValueError("network", question.network[:60], "a variable")
    for scope in question.scopes:
        if scope not in list(Scope):
            raise BadValueError("scopes", scope[:60], f"one of {', '.join(Scope)}")
    if not _NAME.match(stem) or question.name != stem:
        raise BadValueError("file name", stem, f"number and slug: {question.name}")
    for table in question.tables:
        check_paths(document, (*table.paths, *table.minus))
        question.sparql(table)
    if question.construct and not _CONSTRUCT.match(question.construct):
        raise BadValueError("construct", question.construct[:60], "a CONSTRUCT")
    question.graph()
    if pages is not None:
        check_paths(
            document, [read_path(f"{pages}.pageInfo.{n}") for n in ("hasNextPage", "endCursor")]
        )
    return question


def _read_parameters(values: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Return the parameters; each is described, and its default is of its kind."""
    found = []
    for name in values:
        entry = _Entry(_Entry(values, "variables.").take(name, dict), f"variables.{name}.")
        kind = entry.take("kind", str)
        if kind not in list(Kind):
            raise BadValueError(f"variables.{name}.kind", kind[:60], f"one of {', '.join(Kind)}")
        default = entry.take("default", int if kind == Kind.INTEGER else str)
        title, of = entry.take_texts("title"), entry.take("of", str, "")
        parameter = Parameter(name, Kind(kind), title, default, of)
        entry.close()
        if parameter.read(str(default)) != default:
            raise BadValueError(f"variables.{name}.default", str(default)[:60], f"of kind {kind}")
        found.append(parameter)
    return tuple(found)


def _read_table(entry: _Entry) -> Table:
    columns = entry.take("columns", dict)
    names = tuple(columns)
    is_without = "without_sparql" in entry.values
    is_unasked = "without_graphql" in entry.values
    table = Table(
        title=entry.take_texts("title"),
        sparql="" if is_without else entry.take("sparql", str).strip() + "\n",
        without_sparql=entry.take_texts("without_sparql") if is_without else {},
        columns=names,
        without_graphql=entry.take_texts("without_graphql") if is_unasked else {},
        paths=() if is_unasked else tuple(read_path(str(path)) for path in columns.values()),
        distinct=entry.take("distinct", bool, default=False),
        ordered=entry.take("ordered", bool, default=False),
        minus=tuple(map(read_path, entry.take_names("minus"))),
        known=entry.take_names("known", names),
        unknown=entry.take_names("unknown", names),
        enums=entry.take_names("enums", names),
    )
    entry.close()
    if not names:
        raise BadValueError(f"{entry.place}columns", "{}", "at least one column")
    if is_unasked and (is_without or any(columns.values())):
        raise BadValueError(f"{entry.place}without_graphql", "paths", "without SPARQL or paths")
    if not is_without and not _SELECT.match(table.sparql):
        raise BadValueError(f"{entry.place}sparql", table.sparql[:60], "a SELECT")
    if table.ordered and not is_without and "ORDER BY" not in table.sparql:
        raise BadValueError(f"{entry.place}ordered", "true", "possible without ORDER BY")
    spine(table.paths)
    return table
