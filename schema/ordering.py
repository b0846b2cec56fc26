"""Orders of connections: keys, where unknown values stand, and the place of a cursor among them.

Floor 4. Texts are ordered as the reader sees them: in the best of the reader's languages, by
`schema/collation.py`. Ties go by identifier, so an order is always total and pages never overlap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from graph.errors import BadValueError, CursorError
from graph.model import Field, FieldKind
from graph.store.columns import OneColumn
from graph.store.snapshot import Snapshot
from graph.store.term_table import NIL
from graph.terms import XSD
from schema import vectors
from schema.aggregates import SUMS, Measures, extreme_key
from schema.collation import LENGTH, collation_key
from schema.cursors import Cursor
from schema.languages import LanguageOrder
from schema.operators import value_key
from schema.sort_keys import rank_nodes, rank_texts
from schema.turns import sorted_in_turns
from schema.values import One, Values, is_text
from schema.vectors import (
    Batch,
    Dates,
    Numbers,
    Places,
    read_best,
    read_distinct,
    read_labels,
    read_one,
)

#: From a node's number (or those of a list) to what its cursor holds: text, a number, or None.
Read = Callable[[Any], str | int | None]

T = TypeVar("T")

#: Rank of what is unknown.
_LAST: Final = 1 << 62
_PARTS: Final = {"earliest": 1, "latest": 2}
#: A sum or mean as a cursor holds it. Exponents are not read: "1e9999999" has ten million digits.
_TOTAL: Final = re.compile(r"-?[0-9]{1,1000}(/[0-9]{1,1000})?")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order: what a node has, how that is compared, and the direction.

    `numbers` reads the same of many nodes: the numbers of their values, NIL where unknown; `many`
    reads the values themselves, where they are no literals of the data. `rank` ranks distinct
    numbers from 0, where that takes less than comparing their texts.
    """

    read: Read
    compare: Callable[[Any], Any]
    descending: bool
    nulls_first: bool
    kind: type = str
    numbers: Callable[[Batch], Numbers] | None = None
    many: Callable[[Batch], list[Any]] | None = None
    rank: Callable[[Numbers], Places] | None = None

    def place(self, one: Any, other: Any) -> int:
        """Return -1, 0 or 1: whether a value stands before, with or after another."""
        if one is None or other is None:
            if one is other:
                return 0
            return -1 if (one is None) is self.nulls_first else 1
        first, second = self.compare(one), self.compare(other)
        if first == second:
            return 0
        return -1 if (first < second) is not self.descending else 1

    def sorted(self, pairs: Sequence[tuple[Any, T]]) -> list[tuple[Any, T]]:
        """Return pairs of a value and what has it in order; equals keep theirs."""
        compare = self.compare
        known = (pair for pair in pairs if pair[0] is not None)
        ordered = sorted_in_turns(known, lambda pair: compare(pair[0]), reverse=self.descending)
        unknown = [pair for pair in pairs if pair[0] is None]
        return unknown + ordered if self.nulls_first else ordered + unknown

    def ranks(self, values: Sequence[Any]) -> Places:
        """Return the rank of each value among them, smaller first; equals have the same."""
        keys: list[Any] = [None if value is None else self.compare(value) for value in values]
        known = sorted_in_turns(
            (at for at, key in enumerate(keys) if key is not None), keys.__getitem__
        )
        ranks = np.full(len(keys), -_LAST if self.nulls_first else _LAST)
        rank, before = 0, None
        for at in known:
            rank += keys[at] != before
            ranks[at], before = -rank if self.descending else rank, keys[at]
        return ranks

    def ranks_of(self, numbers: Numbers, rank: Callable[[Numbers], Places]) -> Places:
        """Return the same as `ranks` of distinct values given as numbers."""
        known = numbers != NIL
        ranks = np.full(len(numbers), -_LAST if self.nulls_first else _LAST)
        found = rank(numbers[known])
        ranks[known] = -found if self.descending else found
        return ranks

    def is_value(self, value: Any) -> bool:
        """Tell whether a cursor's value can be one of this key."""
        if value is None:
            return True
        if self.compare is collation_key and isinstance(value, str) and len(value) > LENGTH:
            return False  # it was not cut here, and keys of texts are remembered
        if type(value) is not self.kind:
            return False
        try:
            key = self.compare(value)
            return bool(key == key)  # a number that is none equals nothing
        except (ValueError, ArithmeticError, LookupError):
            return False


@dataclass(frozen=True, slots=True)
class Ordering:
    """A total order of nodes: the keys, then the identifier."""

    snapshot: Snapshot
    keys: tuple[Key, ...]

    def sort(self, values: Sequence[int]) -> list[int]:
        """Return nodes, given in the order of their identifiers, in this order."""
        if len(values) >= vectors.LEAST:
            batch = Batch(values)
            ranks = [self._ranks(key, batch) for key in reversed(self.keys)]
            ordered: list[int] = batch.nodes[np.lexsort(ranks)].tolist()
            return ordered
        found = list(values)
        for key in reversed(self.keys):  # each sort keeps the order of what it finds equal
            read = key.read
            found = [number for _, number in key.sorted([(read(n), n) for n in found])]
        return found

    def _ranks(self, key: Key, batch: Batch) -> Places:
        """Return the ranks of nodes by one key; each distinct value is compared once."""
        if key.numbers is None:
            nodes = batch.nodes.tolist()
            found = list(map(key.read, nodes)) if key.many is None else key.many(batch)
            rank_of = dict.fromkeys(found)
            rank_of = dict(zip(rank_of, key.ranks(list(rank_of)).tolist(), strict=True))
            return np.array([rank_of[value] for value in found], np.int64)
        distinct, places = np.unique(key.numbers(batch), return_inverse=True)
        if key.rank is not None:
            return key.ranks_of(distinct, key.rank)[places]
        text = self.snapshot.terms.text
        values = [None if value == NIL else text(value)[:LENGTH] for value in distinct.tolist()]
        return key.ranks(values)[places]

    def keys_of(self, number: int) -> list[Any]:
        """Return what a cursor holds of a node."""
        return [key.read(number) for key in self.keys]

    def position(self, cursor: Cursor, values: Sequence[int], *, after: bool) -> int:
        """Return the first place behind a cursor, or, unless `after`, the place at it."""
        low, high = 0, len(values)
        while low < high:
            middle = (low + high) >> 1
            place = self._place(values[middle], cursor)
            if place < 0 or (place == 0 and after):
                low = middle + 1
            else:
                high = middle
        return low

    def check(self, cursor: Cursor, text: str, place: str) -> Cursor:
        """Return a cursor whose values can be compared.

        Raises
        ------
        CursorError
            They cannot: it was not made by this service.
        """
        if all(key.is_value(value) for key, value in zip(self.keys, cursor.keys, strict=True)):
            return cursor
        raise CursorError(place, text[:80])

    def _place(self, number: int, cursor: Cursor) -> int:
        for key, value in zip(self.keys, cursor.keys, strict=True):
            place = key.place(key.read(number), value)
            if place:
                return place
        identifier = self.snapshot.terms.order(number)
        return (identifier > cursor.identifier) - (identifier < cursor.identifier)


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
