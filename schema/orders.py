"""What orders are made of: from the keys a client asks for to those of `schema/ordering.py`.

Floor 4. A key is a field of the node, of a node it is tied to, or a measure of a list; unknown
values stand where the direction says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, Final

import numpy as np

from graph.errors import BadValueError
from graph.model import Field, FieldKind
from graph.store.columns import OneColumn
from graph.store.term_table import NIL
from graph.terms import XSD
from schema.aggregates import SUMS, Measures, extreme_key
from schema.collation import LENGTH, collation_key
from schema.languages import LanguageOrder
from schema.operators import value_key
from schema.ordering import Key, Ordering, Read
from schema.sort_keys import rank_nodes, rank_texts
from schema.values import One, Values, is_text
from schema.vectors import (
    Batch,
    Dates,
    Numbers,
    read_best,
    read_distinct,
    read_labels,
    read_one,
)

_PARTS: Final = {"earliest": 1, "latest": 2}
#: A sum or mean as a cursor holds it. Exponents are not read: "1e9999999" has ten million digits.
_TOTAL: Final = re.compile(r"-?[0-9]{1,1000}(/[0-9]{1,1000})?")


class Orders:
    """Makes orders over the values of one snapshot, for a reader's languages."""

    def __init__(self, values: Values, measures: Measures, languages: LanguageOrder) -> None:
        self.values = values
        self.measures = measures
        self.languages = languages

    def make(self, class_iri: str, asked: Sequence[Mapping[str, Any]], place: str) -> Ordering:
        """Return the order of the keys asked for.

        Raises
        ------
        BadValueError
            A key names no field, or more than one.
        """
        keys = tuple(self._key(class_iri, each, place) for each in asked)
        return Ordering(self.values.snapshot, keys)

    def _key(self, class_iri: str, asked: Mapping[str, Any], place: str) -> Key:
        name, below = only(asked, place)
        place = f"{place}.{name}"
        snapshot = self.values.snapshot
        if name == "id":
            key = _directed(snapshot.terms.text, str, below)
            rank = partial(rank_nodes, snapshot, class_iri)
            return replace(key, numbers=lambda batch: batch.nodes, rank=rank)
        if name == "label":
            key = _directed(self._cut(self.values.best_label(self.languages)), collation_key, below)
            key = replace(key, numbers=partial(read_labels, self.values, self.languages))
            return self._collated(key)
        field = self.values.model.fields[class_iri][name]
        if field.listed:
            return self._of_list(field, below, place)
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            return self._linked(field, self._key(field.target, below, place))
        if field.kind is FieldKind.DATE:
            return self._of_date(field, below, place)
        if is_text(field):
            column = self.values.column(field.path)
            best = _directed(
                self._cut(self.values.best(field, self.languages)), collation_key, below
            )
            best = replace(best, numbers=partial(read_best, self.values, column, self.languages))
            return self._collated(best)
        key = _directed(self._cut(self.values.one(field)), field_key(field), below)
        key = replace(key, numbers=self._numbers(field))
        return self._collated(key) if key.compare is collation_key else key

    def _collated(self, key: Key) -> Key:
        """Return a key of texts, which ranks them."""
        return replace(key, rank=partial(rank_texts, self.values.snapshot.terms, key=key.compare))

    def _numbers(self, field: Field) -> Callable[[Batch], Numbers] | None:
        column = self.values.column(field.path, inverse=field.inverse)
        if not isinstance(column, OneColumn):
            return None
        return lambda batch: read_one(column, batch)[0]

    def _of_list(self, field: Field, asked: Mapping[str, Any], place: str) -> Key:
        find = self.values.many(field)
        key = self.of_nodes(field.target, asked, place)
        column = self.values.column(field.path, inverse=field.inverse)

        def many(batch: Batch) -> list[Any]:
            """Read lists of elements; most nodes have none."""
            places, _ = read_distinct(column, batch)
            if "count" in asked:
                return [int(n) for n in np.bincount(places, minlength=len(batch))]
            values = [key.read(())] * len(batch)
            for at in np.unique(places).tolist():
                values[at] = key.read(find(int(batch.nodes[at])))
            return values

        return replace(key, read=lambda number: key.read(find(number)), many=many)

    def of_nodes(self, class_iri: str | None, asked: Mapping[str, Any], place: str) -> Key:
        """Return the key of lists, which reads nodes instead of one; of values the count alone.

        Raises
        ------
        BadValueError
            It names no measure, or more than one.
        """
        name, below = only(asked, place)
        if name == "count":
            return _directed(len, int, below, int)
        assert class_iri is not None
        key, direction = only(below, f"{place}.{name}")
        field = self.values.model.fields[class_iri][key]
        measure = self.measures.measure(field, name)
        if name not in SUMS:
            return _directed(measure, extreme_key(field), direction)
        return _directed(lambda numbers: _written(measure(numbers)), _read_total, direction)

    def _of_date(self, field: Field, asked: Mapping[str, Any], place: str) -> Key:
        name, below = only(asked, place)
        find, at, text = self.values.date(field), _PARTS[name], self.values.text

        def read(number: int) -> str | None:
            found = find(number)
            return None if found is None or found[at] == NIL else text(found[at])

        key, dates = _directed(read, value_key(f"{XSD}date"), below), Dates(self.values, field)
        if not dates.are_single:
            return key
        return replace(key, numbers=lambda batch: dates.read(batch)[at])

    def _linked(self, field: Field, key: Key) -> Key:
        one, ties, below = self.values.one(field), self._numbers(field), key.numbers

        def read_below(value: int) -> str | int | None:
            return None if value == NIL else key.read(value)

        def read(number: int) -> str | int | None:
            return read_below(one(number))

        def numbers(batch: Batch) -> Numbers:
            assert ties is not None
            assert below is not None
            values, places = np.unique(ties(batch), return_inverse=True)
            found = below(Batch(values))
            found[values == NIL] = NIL
            return found[places]

        def many(batch: Batch) -> list[Any]:
            assert ties is not None
            distinct, places = np.unique(ties(batch), return_inverse=True)
            values = [read_below(value) for value in distinct.tolist()]
            return [values[at] for at in places.tolist()]

        is_tied, is_read = ties is not None, ties is not None and below is not None
        return replace(
            key,
            read=read,
            numbers=numbers if is_read else None,
            many=many if is_tied and not is_read else None,
        )

    def _cut(self, one: One) -> Read:
        """Return how the text of a value is read, as much of it as an order looks at."""
        text = self.values.snapshot.terms.text
        return lambda number: None if (value := one(number)) == NIL else text(value)[:LENGTH]


def _written(total: Fraction | None) -> str | None:
    return None if total is None else str(total)


def _read_total(text: str) -> Fraction:
    if _TOTAL.fullmatch(text) is None:
        raise ValueError
    return Fraction(text)


def field_key(field: Field) -> Callable[[str], Any]:
    """Return how the values of a single-valued field are compared, given as text."""
    if field.kind is FieldKind.ENUM:
        return field.enum_values.index
    if field.kind is FieldKind.LITERAL and field.datatype == f"{XSD}string":
        return collation_key
    return value_key(field.datatype) if field.kind is FieldKind.LITERAL else str


def only(asked: Mapping[str, Any], place: str) -> tuple[str, Any]:
    """Return the one entry of an input of which exactly one field is given.

    Raises
    ------
    BadValueError
        None is given, more than one, or null.
    """
    if len(asked) != 1 or None in asked.values():
        raise BadValueError(place, ", ".join(asked) or "{}", "exactly one field")
    return next(iter(asked.items()))


def _directed(read: Read, compare: Callable[[Any], Any], direction: str, kind: type = str) -> Key:
    descending = direction.startswith("DESC")
    return Key(read, compare, descending, direction.endswith("NULLS_FIRST"), kind)
