"""Conditions of `where`: what fits, found by the snapshot's inverse columns and then checked.

Floor 4. A condition becomes a function from a node's number to true or false. Where an equality
can be looked up, the nodes to check come from the index instead of from the whole class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graph.errors import BadValueError
from graph.model import Field, FieldKind, Model
from graph.store.columns import EMPTY, Column, OneColumn
from graph.store.snapshot import Snapshot
from graph.store.term_table import NIL
from graph.terms import XSD, is_iri, write_literal
from schema.naming import enum_value_name

Condition = Callable[[int], bool]
Where = Mapping[str, Any]


class Filters:
    """Conditions over one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.model: Model = snapshot.model

    def condition(self, class_iri: str, where: Where) -> Condition:
        """Return the condition that all of `where` holds for a node.

        Raises
        ------
        BadValueError
            A value is null: what is unknown cannot be compared.
        """
        tests = [self._test(class_iri, name, below) for name, below in given(where).items()]
        return lambda number: all(test(number) for test in tests)

    def candidates(self, class_iri: str, where: Where) -> set[int] | None:
        """Return nodes among which all that fit are, or None when no index helps."""
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
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            inner = self.condition(field.target, _some(below) if field.listed else below)
            return _any_of(column, inner, many=field.many)
        matches = self._matches(field, _some(below) if field.listed else below)
        return _any_of(
            column, matches.__contains__, many=field.many or field.kind is FieldKind.TEXT
        )

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
        back = self.snapshot.forward if field.inverse else self.snapshot.inverse
        column = back.get(field.path, EMPTY)
        return {subject for value in values for subject in _values(column, value)}

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


def _any_of(column: Column, test: Condition, *, many: bool) -> Condition:
    if isinstance(column, OneColumn):
        return lambda number: (value := column.value(number)) != NIL and test(value)
    if many:
        return lambda number: any(map(test, column.values(number)))
    return lambda number: any(test(value) for value, _ in column.pairs(number)[:1])


def _values(column: Column, number: int) -> list[int]:
    return (
        list(dict.fromkeys(value for value, _ in column.pairs(number)))
        if isinstance(column, OneColumn)
        else list(column.values(number))
    )


def _lexical(value: Any, datatype: str | None) -> str:
    """Return the canonical lexical form of a GraphQL value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and datatype == f"{XSD}decimal":
        return f"{value:f}".rstrip("0").rstrip(".")
    return str(value)
