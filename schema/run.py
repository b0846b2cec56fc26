"""What a generated function works with: one request bound to one snapshot.

Floor 4. Holds the arguments bound to a plan, the counter of nodes, and the steps that need no
speed of their own. `schema/generate.py` writes the functions that call it.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from graph.access import Viewer
from graph.errors import BadValueError, QueryTooLargeError
from graph.model import Field, FieldKind
from graph.settings import Settings
from graph.store.columns import EMPTY, Column, ManyColumn, OneColumn
from graph.store.snapshot import SYSTEM, TYPE, Snapshot
from graph.store.term_table import MASK, NIL, SHIFT
from graph.terms import is_iri
from schema.filters import Condition, Filters
from schema.languages import LanguageOrder, language_order
from schema.naming import enum_value_name, object_name

#: Values looked at by conditions, for each node that may be answered.
_EXAMINED = 20


class Page(NamedTuple):
    """The bound arguments of a connection; `whole` when the list may be taken as it is."""

    first: int
    after: str | None
    where: Condition | None
    candidates: frozenset[int] | None
    whole: bool


class ClaimRecord(NamedTuple):
    """One claim, nodes as numbers."""

    field: str
    property: str
    value: str
    language: str | None
    node: int
    source: int
    answers: bool
    contested: bool


class Run:
    """One execution of a plan over one snapshot for one viewer."""

    def __init__(
        self, snapshot: Snapshot, viewer: Viewer, settings: Settings, languages: tuple[str, ...]
    ) -> None:
        self.snapshot = snapshot
        self.model = snapshot.model
        self.settings = settings
        self.texts = snapshot.terms.texts
        self.prefixes = snapshot.terms.prefixes
        self.languages = snapshot.terms.languages
        self.ranks = snapshot.graphs_table.ranks
        self.default_order = language_order(languages)
        self.limit = viewer.nodes_max
        self.filters = Filters(snapshot, self.examine, self.limit)
        self.errors: list[BadValueError] = []
        self.counter = [0, 0]
        self.bound: list[Any] = []
        self._type_names: dict[int, str | None] = {}

    # --- what generated code takes once ---------------------------------------------------

    def pages(self, predicate: str, *, inverse: bool) -> Mapping[int, Any]:
        """Return the pages of a column."""
        return self.column(predicate, inverse=inverse).pages

    def column(self, predicate: str, *, inverse: bool) -> Column:
        """Return a column, or an empty one."""
        columns: Mapping[str, Column] = self.snapshot.inverse if inverse else self.snapshot.forward
        return columns.get(predicate, EMPTY)

    def enum_names(self, name: str) -> Mapping[str, str]:
        """Return the name of each literal of an enum."""
        return _enum_names(self.model.enum_values[name])

    # --- nodes ----------------------------------------------------------------------------

    def find(self, identifier: str, class_iri: str | None) -> int:
        """Return the number of a node by its IRI, or NIL when there is none of the class."""
        number = self.snapshot.terms.find(f"<{identifier}>") if is_iri(identifier) else None
        if number is None:
            return NIL
        if class_iri is None:
            return number if self.type_of(number) is not None else NIL
        return number if self.snapshot.is_a(number, class_iri) else NIL

    def type_of(self, number: int, class_iri: str | None = None) -> str | None:
        """Return the name of a node's object type, seen from a static class."""
        if class_iri is None:
            if number not in self._type_names:
                found = self.snapshot.class_of(number)
                self._type_names[number] = found and object_name(self.model, found)
            return self._type_names[number]
        found = self.snapshot.class_of(number, self.model.descendants[class_iri])
        return object_name(self.model, found or class_iri)

    def types(self, number: int) -> list[str]:
        """Return the names of the classes that sources give a node."""
        column = self.snapshot.forward.get(TYPE, EMPTY)
        found = {self.snapshot.terms.text(v) for v, _ in column.pairs(number)}
        return sorted(self.model.classes[iri].name for iri in found if iri in self.model.classes)

    def integer(self, text: str) -> int | None:
        """Return a number as GraphQL's Int, or None with an error when it does not fit."""
        value = int(text)
        if -(2**31) <= value < 2**31:
            return value
        self.errors.append(BadValueError("Int", text[:40], "a 32-bit number: ask by SPARQL"))
        return None

    # --- literals -------------------------------------------------------------------------

    def pick(self, page: Any, start: int, end: int, order: LanguageOrder) -> str:
        """Return the text in the best language; of one language, the best source's."""
        languages, ranks, values, graphs = self.languages, self.ranks, page.values, page.graphs
        chosen = values[start]
        best, best_rank = order[languages[chosen >> SHIFT]], ranks[graphs[start]]
        for at in range(start + 1, end):
            value = values[at]
            place = order[languages[value >> SHIFT]]
            if place < best or (place == best and ranks[graphs[at]] < best_rank):
                chosen, best, best_rank = value, place, ranks[graphs[at]]
        text: str = self.texts[chosen >> SHIFT][chosen & MASK]
        return text

    def list_texts(
        self, column: ManyColumn, number: int, wanted: Sequence[str] | None
    ) -> list[str]:
        """Return the distinct texts in the wanted languages, or in all."""
        values = list(column.values(number))
        if wanted is not None:
            values = [v for v in values if self.languages[v >> SHIFT] in wanted]
        return list(dict.fromkeys(self.texts[v >> SHIFT][v & MASK] for v in values))

    def label(self, number: int, paths: Mapping[str, str], order: LanguageOrder) -> str | None:
        """Return the name of a node for people."""
        path = paths.get(self.snapshot.class_of(number) or "")
        column = None if path is None else self.snapshot.forward.get(path)
        if column is None:
            return None
        if isinstance(column, OneColumn):
            value = column.value(number)
            return self.texts[value >> SHIFT][value & MASK] if value != NIL else None
        page = column.pages.get(number >> SHIFT)
        if page is None:
            return None
        start, end = page.offsets[number & MASK], page.offsets[(number & MASK) + 1]
        if end - start == 1:
            value = page.values[start]
            return self.texts[value >> SHIFT][value & MASK]
        return self.pick(page, start, end, order) if end > start else None

    def date(self, number: int, columns: Sequence[Column]) -> tuple[str | None, ...] | None:
        """Return text, earliest and latest day as one source gives them, or None."""
        found = [column.pairs(number) for column in columns]
        graph = next((pairs[0][1] for pairs in found if pairs), None)
        if graph is None:
            return None
        values = (next((v for v, g in pairs if g == graph), NIL) for pairs in found)
        return tuple(self.texts[v >> SHIFT][v & MASK] if v != NIL else None for v in values)

    # --- pages ----------------------------------------------------------------------------

    def cut(self, values: Any, page: Page) -> tuple[Any, int, bool, bool]:
        """Return the values of a page, how many there are in all, and if more are on each side."""
        if page.where is not None:
            values = self.sift(values, page)
        total, start = len(values), 0
        if page.after is not None:
            start = bisect_right(values, page.after, key=self.snapshot.terms.order)
        end = start + page.first
        return values[start:end], total, end < total, start > 0

    def sift(self, values: Any, page: Page) -> list[int]:
        """Return the values that fit, in their order."""
        assert page.where is not None
        found = page.candidates
        if found is not None:
            values = [value for value in values if value in found]
        return [value for value in values if page.where(value)]

    def instances(self, class_iri: str, page: Page) -> Any:
        """Return the nodes of a class among which a page is cut."""
        if page.candidates is None:
            return self.snapshot.instances(class_iri)
        is_a = self.snapshot.is_a
        found = [number for number in page.candidates if is_a(number, class_iri)]
        return array("I", sorted(found, key=self.snapshot.terms.order))

    def examine(self, values: int) -> None:
        """Count values that conditions look at; refuse to go on when they are too many."""
        self.counter[1] += values
        if self.counter[1] > _EXAMINED * self.limit:
            raise QueryTooLargeError("graphql_nodes", self.limit, place="where")

    def cursor(self, number: int) -> str:
        """Return the cursor of a node: its IRI, so that it stays right when data changes."""
        text = self.snapshot.terms.text(number)
        return base64.urlsafe_b64encode(f"1:{text}".encode()).decode()

    def over(self, place: str) -> None:
        """Refuse to go on: too many nodes."""
        raise QueryTooLargeError("graphql_nodes", self.limit, self.counter[0], place)

    # --- sources --------------------------------------------------------------------------

    def sources(self, number: int) -> list[int]:
        """Return the sources that state something of a node, the best ranked first."""
        graphs = {g for column in self.snapshot.forward.values() for _, g in column.pairs(number)}
        found = sorted(graphs - {SYSTEM}, key=self.ranks.__getitem__)
        self.counter[0] += len(found)
        return [self._source(graph) for graph in found]

    def claims(
        self, number: int, names: frozenset[str] | None, contested: bool | None
    ) -> list[ClaimRecord]:
        """Return every value of a node's fields with its source."""
        found = self.snapshot.class_of(number)
        fields = {} if found is None else self.model.fields[found]
        records = [
            record
            for field in fields.values()
            if not field.inverse and (names is None or field.name in names)
            for record in self._field_claims(number, field)
            if contested is None or record.contested == contested
        ]
        self.counter[0] += len(records)
        if self.counter[0] > self.limit:
            self.over("claims")
        return records

    def _field_claims(self, number: int, field: Field) -> list[ClaimRecord]:
        terms = self.snapshot.terms
        pairs = [p for p in self.column(field.path, inverse=False).pairs(number) if p[1] != SYSTEM]
        pairs.sort(key=lambda pair: (self.ranks[pair[1]], terms.term(pair[0])))
        answering: dict[str, int] = {}
        values: dict[str, set[int]] = {}
        records: list[ClaimRecord] = []
        for value, _ in pairs:  # one answer a language, or one in all
            language = self.languages[value >> SHIFT]
            answering.setdefault(language, value)
            values.setdefault(language, set()).add(value)
        single = not field.many or field.unique_language
        for value, graph in pairs:
            language = self.languages[value >> SHIFT]
            records.append(
                ClaimRecord(
                    field.name,
                    field.path,
                    terms.text(value),
                    language or None,
                    value if field.kind is FieldKind.ENTITY and self.type_of(value) else NIL,
                    self._source(graph),
                    not single or answering[language] == value,
                    single and len(values[language]) > 1,
                )
            )
        return records

    def _source(self, graph: int) -> int:
        return self.snapshot.terms.find(self.snapshot.graphs_table.terms[graph]) or NIL


@lru_cache(maxsize=256)
def _enum_names(literals: tuple[str, ...]) -> Mapping[str, str]:
    return {literal: enum_value_name(literal) for literal in literals}


def read_cursor(cursor: str) -> str:
    """Return the text after which a cursor goes on, as terms are ordered.

    Raises
    ------
    BadValueError
        The cursor was not made by this service.
    """
    try:
        version, _, iri = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        version, iri = "", ""
    if version != "1" or not is_iri(iri):
        raise BadValueError("after", cursor[:80], "a cursor of an earlier answer")
    return f"<{iri}"
