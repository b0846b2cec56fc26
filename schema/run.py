"""What a generated function works with: one request bound to one snapshot.

Floor 4. Holds the arguments bound to a plan, the counter of nodes, and the steps that need no
speed of their own. `schema/generate.py` writes the functions that call it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

from graph.access import Viewer
from graph.errors import BadValueError, QueryTooLargeError
from graph.model import Model
from graph.settings import Settings
from graph.store.columns import EMPTY, Column, ManyColumn, OneColumn
from graph.store.snapshot import TYPE, Snapshot
from graph.store.term_table import MASK, NIL, SHIFT
from graph.terms import is_iri
from schema.aggregates import Summaries
from schema.candidates import Candidates
from schema.chosen import ChosenTexts, choose
from schema.claims import Witness
from schema.filters import Filters
from schema.groups import Groups
from schema.languages import LanguageOrder, language_order
from schema.masks import Masks
from schema.naming import enum_value_name, object_name
from schema.orders import Orders
from schema.pages import Pager
from schema.validity import Validity
from schema.values import Values

#: Values looked at by conditions, for each node that may be answered.
_EXAMINED = 20


class Tables:
    """What generated code takes from a snapshot once, for all requests that read it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.texts = snapshot.answer_texts
        self.prefixes = snapshot.terms.prefixes
        self.chosen = ChosenTexts(snapshot).of

    def column(self, predicate: str, *, inverse: bool) -> Column:
        """Return a column, or an empty one."""
        columns: Mapping[str, Column] = self.snapshot.inverse if inverse else self.snapshot.forward
        return columns.get(predicate, EMPTY)

    def enum_names(self, name: str) -> Mapping[str, str]:
        """Return the name of each literal of an enum."""
        return _enum_names(self.snapshot.model.enum_values[name])


class Run:
    """One execution of a plan over one snapshot for one viewer."""

    def __init__(
        self, snapshot: Snapshot, viewer: Viewer, settings: Settings, languages: tuple[str, ...]
    ) -> None:
        self.snapshot = snapshot
        self.settings = settings
        self.default_order = language_order(languages)
        self.limit = viewer.nodes_max
        self.errors: list[BadValueError] = []
        self.counter = [0, 0]
        self.bound: list[Any] = []

    @property
    def model(self) -> Model:
        """The model of what is read."""
        return self.snapshot.model

    # --- what only some requests need -----------------------------------------------------

    @cached_property
    def values(self) -> Values:
        """The values with which fields answer."""
        return Values(self.snapshot)

    @cached_property
    def filters(self) -> Filters:
        """What makes conditions."""
        return Filters(self.values, self.examine)

    @cached_property
    def masks(self) -> Masks:
        """What asks conditions of many nodes at once."""
        return Masks(self.filters)

    @cached_property
    def candidates(self) -> Candidates:
        """What looks conditions up."""
        return Candidates(self.filters.operators, self.examine, self.limit)

    @cached_property
    def orders(self) -> Orders:
        """What makes orders, for the reader's languages."""
        return Orders(self.values, self.filters.measures, self.default_order)

    @cached_property
    def groups(self) -> Groups:
        """What makes groups and aggregates."""
        summaries = Summaries(self.filters.measures, self.integer)
        return Groups(self.masks, self.orders, summaries, self.count)

    @cached_property
    def pager(self) -> Pager:
        """What cuts pages."""
        return Pager(self.snapshot, self.examine)

    @cached_property
    def validity(self) -> Validity:
        """What judges validity on a day."""
        return Validity(self.values)

    @cached_property
    def witness(self) -> Witness:
        """What reads sources and claims."""
        return Witness(self.snapshot, self.type_of, self.count)

    @cached_property
    def _type_names(self) -> dict[int, str | None]:
        return {}

    # --- nodes ----------------------------------------------------------------------------

    def find(self, identifier: str, class_iri: str | None) -> int:
        """Return the number of a node by its IRI, or NIL when there is none of the class."""
        # No IRI in ASCII that could not stand in RDF has a number.
        is_asked = identifier.isascii() or is_iri(identifier)
        number = self.snapshot.terms.find(f"<{identifier}>") if is_asked else None
        if number is None:
            return NIL
        if class_iri is None:
            return number if self.type_of(number) is not None else NIL
        return number if self.snapshot.is_a(number, class_iri) else NIL

    def find_all(self, identifiers: Sequence[str]) -> list[int]:
        """Return the numbers of nodes by their IRIs, NIL for what is none."""
        return [self.find(identifier, None) for identifier in identifiers]

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

    def list_texts(
        self, column: ManyColumn, number: int, wanted: Sequence[str] | None
    ) -> list[str]:
        """Return the distinct texts in the wanted languages, or in all."""
        values = list(column.values(number))
        if wanted is not None:
            languages = self.snapshot.terms.languages
            values = [v for v in values if languages[v >> SHIFT] in wanted]
        texts = self.snapshot.answer_texts
        return list(dict.fromkeys(texts[v >> SHIFT][v & MASK] for v in values))

    def label(self, number: int, paths: Mapping[str, str], order: LanguageOrder) -> str | None:
        """Return the name of a node for people."""
        path = paths.get(self.snapshot.class_of(number) or "")
        column = None if path is None else self.snapshot.forward.get(path)
        if column is None:
            return None
        terms = self.snapshot.terms
        if isinstance(column, OneColumn):
            value = column.value(number)
        elif (page := column.pages.get(number >> SHIFT)) is None:
            return None
        else:
            ranks = self.snapshot.graphs_table.ranks
            value = choose(page, number & MASK, order, terms.languages, ranks)
        return self.snapshot.answer_texts[value >> SHIFT][value & MASK] if value != NIL else None

    def date(self, number: int, columns: Sequence[Column]) -> tuple[str | None, ...] | None:
        """Return text, earliest and latest day as one source gives them, or None."""
        found = self.values.date_parts(number, columns)
        if found is None:
            return None
        texts = self.snapshot.terms.texts
        return tuple(texts[v >> SHIFT][v & MASK] if v != NIL else None for v in found)

    # --- limits -------------------------------------------------------------------------

    def examine(self, values: int) -> None:
        """Count values that conditions look at; refuse to go on when they are too many."""
        self.counter[1] += values
        if self.counter[1] > _EXAMINED * self.limit:
            raise QueryTooLargeError("graphql_nodes", self.limit, place="where")

    def count(self, nodes: int, place: str) -> None:
        """Count nodes that are answered; refuse to go on when they are too many."""
        self.counter[0] += nodes
        if self.counter[0] > self.limit:
            self.over(place)

    def over(self, place: str) -> None:
        """Refuse to go on: too many nodes."""
        raise QueryTooLargeError("graphql_nodes", self.limit, self.counter[0], place)


@lru_cache(maxsize=256)
def _enum_names(literals: tuple[str, ...]) -> Mapping[str, str]:
    return {literal: enum_value_name(literal) for literal in literals}
