"""Conditions of `where`: what fits, found by the snapshot's inverse columns and then checked.

Floor 4. A condition becomes a function from a node's number to true or false. Where an equality
can be looked up, the nodes to check come from the index instead of from the whole class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from graph.errors import BadValueError
from graph.model import Field, FieldKind, Model
from graph.store.columns import EMPTY, Column, OneColumn, Pair
from graph.store.snapshot import Snapshot
from graph.store.term_table import NIL, SHIFT
from graph.terms import XSD, is_iri, write_literal
from schema.naming import enum_value_name

Condition = Callable[[int], bool]
Where = Mapping[str, Any]


class Filters:
    """Conditions over one snapshot, for one request.

    `charge` is told of every value that is looked at, and raises when the request has looked at
    enough. A condition judges each node once; what it found is remembered.
    """

    def __init__(self, snapshot: Snapshot, charge: Callable[[int], None], candidates: int) -> None:
        self.snapshot = snapshot
        self.model: Model = snapshot.model
        self.charge = charge
        self.candidates_max = candidates

    def condition(self, class_iri: str, where: Where) -> Condition:
        """Return the condition that all of `where` holds for a node.

        Raises
        ------
        BadValueError
            A value is null: what is unknown cannot be compared.
        """
        tests = [self._test(class_iri, name, below) for name, below in given(where).items()]
        judged: dict[int, bool] = {}

        def holds(number: int) -> bool:
            found = judged.get(number)
            if found is None:
                self.charge(1)
                found = judged[number] = all(test(number) for test in tests)
            return found

        return holds

    def candidates(self, class_iri: str, where: Where) -> set[int] | None:
        """Return nodes among which all that fit are, or None when no index helps enough."""
        best: set[int] | None = None
        for name, below in given(where).items():
            found = self._candidates(class_iri, name, below)
            if found is not None and (best is None or len(found) < len(best)):
                best = found
        return best

    # --- one condition ------------------------------------------------------------------

    def _test(self, class_iri: str, name: str, below: Where) -> Condition:
        if name == "id":
            wanted = self._identifier(below)
            return lambda number: number == wanted
        field = self.model.fields[class_iri][name]
        column = self._column(field)
        inner = _some(below) if field.listed else below
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            return self._any_of(field, column, self.condition(field.target, inner))
        matches = self._matches(field, inner)
        if field.kind is FieldKind.TEXT and field.unique_language:
            return lambda number: not matches.isdisjoint(self._answering_texts(column, number))
        return self._any_of(field, column, matches.__contains__)

    def _any_of(self, field: Field, column: Column, test: Condition) -> Condition:
        """Return the condition that a value that answers fits."""
        if isinstance(column, OneColumn):
            return lambda number: (value := column.value(number)) != NIL and test(value)
        if not field.many:
            answer = self.snapshot.answer
            return lambda number: (value := answer(column, number)) != NIL and test(value)

        def any_fits(number: int) -> bool:
            values = column.values(number)
            self.charge(len(values))
            return any(map(test, values))

        return any_fits

    def _answering_texts(self, column: Column, number: int) -> set[int]:
        """Return the text that answers in each language: that of the best source."""
        languages, ranks = self.snapshot.terms.languages, self.snapshot.graphs_table.ranks
        best: dict[str, tuple[int, int]] = {}
        pairs = column.pairs(number)
        self.charge(len(pairs))
        for value, graph in pairs:
            language = languages[value >> SHIFT]
            if language not in best or ranks[graph] < best[language][0]:
                best[language] = ranks[graph], value
        return {value for _, value in best.values()}

    def _candidates(self, class_iri: str, name: str, below: Where) -> set[int] | None:
        if name == "id":
            wanted = self._identifier(below)
            return set() if wanted is None else {wanted}
        field = self.model.fields[class_iri][name]
        below = _some(below) if field.listed else below
        values: set[int] | None
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            values = self.candidates(field.target, below)
        else:
            values = self._matches(field, below)
        if values is None or any(self.snapshot.terms.is_long(value) for value in values):
            return None
        back: Mapping[str, Column] = (
            self.snapshot.forward if field.inverse else self.snapshot.inverse
        )
        column = back.get(field.path, EMPTY)
        if sum(map(column.count, values)) > self.candidates_max:
            return None
        found = {subject for value in values for subject, _ in self._entries(column, value)}
        self.charge(len(found))
        return found

    def _entries(self, column: Column, number: int) -> Iterable[Pair]:
        if isinstance(column, OneColumn):
            return column.pairs(number)
        return ((value, 0) for value in column.values(number))

    def _column(self, field: Field) -> Column:
        columns: Mapping[str, Column] = (
            self.snapshot.inverse if field.inverse else self.snapshot.forward
        )
        return columns.get(field.path, EMPTY)

    def _identifier(self, below: Where) -> int | None:
        value = str(given(below).get("eq", ""))
        return self.snapshot.terms.find(f"<{value}>") if is_iri(value) else None

    def _matches(self, field: Field, below: Where) -> set[int]:
        """Return the numbers of the terms that equal the value asked for."""
        found = {self.snapshot.terms.find(term) for term in self._terms(field, below)}
        return {number for number in found if number is not None}

    def _terms(self, field: Field, below: Where) -> list[str]:
        value = given(below).get("eq")
        if value is None:
            raise BadValueError(f"where.{field.name}", "{}", "a condition such as {eq: ...}")
        if field.kind is FieldKind.ENUM:
            # A constant of the document is the enum's name, a coerced variable its literal.
            fits = (v for v in field.enum_values if value in (v, enum_value_name(v)))
            return [write_literal(v) for v in fits]
        if field.kind is FieldKind.IRI:
            return [f"<{value}>"] if is_iri(value) else []
        if field.kind is FieldKind.TEXT:
            languages = {kind[2] for kind in self.snapshot.terms.kinds if kind[2]}
            return [write_literal(value, language=tag) for tag in languages]
        return [write_literal(_lexical(value, field.datatype), field.datatype)]


def given(where: Where) -> Where:
    """Return the conditions that were given; a null one is refused, not passed over."""
    for name, value in where.items():
        if value is None:
            raise BadValueError(f"where.{name}", "null", "a condition: leave it out instead")
    return where


def _some(below: Where) -> Where:
    """Return the condition below `some`; `{}` asks for any value."""
    inner = given(below).get("some", {})
    return inner if isinstance(inner, Mapping) else {}


def _lexical(value: Any, datatype: str | None) -> str:
    """Return the canonical lexical form of a GraphQL value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if datatype == f"{XSD}decimal":
        digits = format(Decimal(repr(value)), "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return str(value)


def depth_of(where: Any) -> int:
    """Return how many conditions stand inside each other."""
    if not isinstance(where, Mapping):
        return 0
    return 1 + max(map(depth_of, where.values()), default=0)
