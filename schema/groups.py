"""Groups of nodes by what they share: values of their own, or of nodes they are tied to.

Floor 4. A node with several values of a key is in several groups, and in each once; where a value
is unknown, that is a group of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Final

import numpy as np

from graph.errors import BadValueError
from graph.model import Field, FieldKind
from graph.store.term_table import NIL
from schema import vectors
from schema.aggregates import Summaries
from schema.collation import LENGTH, collation_key
from schema.filters import Filters
from schema.naming import enum_value_name
from schema.operators import listed
from schema.ordering import Key, Orders, field_key, only
from schema.quantifiers import ListTest
from schema.turns import sorted_in_turns
from schema.values import is_text
from schema.vectors import Batch, Numbers, read_best, read_labels, read_many

#: What a group shares by one key: a value, and the node that it is, or NIL.
Shared = tuple[str | None, int]
#: A group: what it shares by each key, and its nodes.
Group = tuple[tuple[Shared, ...], list[int]]

#: Values looked at that cost as much as putting one key of a group in its place.
_PLACE: Final = 4
_UNKNOWN: Final[Shared] = (None, NIL)
#: Characters of a day that are its month, year, or (with a zero behind) decade.
_UNITS: Final = {"DAY": 10, "MONTH": 7, "YEAR": 4, "DECADE": 3}


def _nothing(batch: Batch) -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True)
class By:
    """One key of groups: what a node has of it, and how values are put in order.

    `prepare` is told of many nodes before each of them is read.
    """

    read: Callable[[int], Sequence[Shared]]
    compare: Callable[[str], Any]
    prepare: Callable[[Batch], None] = _nothing

    def place(self, shared: Shared) -> tuple[bool, Any]:
        """Return the place of a value among others, the unknown last."""
        return (True, 0) if shared[0] is None else (False, self.compare(shared[0]))


class Groups:
    """Makes groups for one request; `count` is told of the groups answered."""

    def __init__(
        self,
        filters: Filters,
        orders: Orders,
        summaries: Summaries,
        count: Callable[[int, str], None],
    ) -> None:
        self.filters = filters
        self.values = filters.values
        self.orders = orders
        self.summaries = summaries
        self.count = count

    def make(
        self, class_iri: str, asked: Mapping[str, Any], first: int, place: str
    ) -> Callable[[Sequence[int]], list[Group]]:
        """Return what divides nodes of a class into groups.

        Raises
        ------
        BadValueError
            There is no key, or one that names no field or more than one.
        """
        if not listed(asked["by"]):
            raise BadValueError(f"{place}.by", "[]", "at least one key")
        keys = [self._by(class_iri, each, f"{place}.by") for each in listed(asked["by"])]
        having, order_by = asked.get("having"), asked.get("orderBy")
        order = () if order_by is None else listed(order_by)
        test = None if not having else self.filters.on_nodes(class_iri, having, f"{place}.having")
        measures = [self.orders.of_nodes(class_iri, each, f"{place}.orderBy") for each in order]

        def divide(numbers: Sequence[int]) -> list[Group]:
            found = self._sorted(self._divided(numbers, keys), keys, test, measures)[:first]
            self.count(len(found), place)
            return found

        return divide

    def _divided(
        self, numbers: Sequence[int], keys: Sequence[By]
    ) -> dict[tuple[Shared, ...], list[int]]:
        charge = self.filters.charge
        if len(numbers) >= vectors.LEAST:
            batch = Batch(numbers)
            for key in keys:
                key.prepare(batch)
        if len(keys) == 1:
            read, alone = keys[0].read, dict[Shared, list[int]]()
            for number in numbers:
                found = read(number)
                charge(len(found))
                for shared in found:
                    alone.setdefault(shared, []).append(number)
            return {(shared,): nodes for shared, nodes in alone.items()}
        groups: dict[tuple[Shared, ...], list[int]] = {}
        for number in numbers:
            combined = tuple(product(*(key.read(number) for key in keys)))
            charge(len(keys) * len(combined))
            for each in combined:
                groups.setdefault(each, []).append(number)
        return groups

    def _sorted(
        self,
        groups: Mapping[tuple[Shared, ...], list[int]],
        keys: Sequence[By],
        test: ListTest | None,
        measures: Sequence[Key],
    ) -> list[Group]:
        found = [(key, nodes) for key, nodes in groups.items() if test is None or test(nodes)]
        self.filters.charge(_PLACE * len(keys) * len(found))
        found = sorted_in_turns(
            found, lambda group: [k.place(s) for k, s in zip(keys, group[0], strict=True)]
        )
        for measure in reversed(measures):
            pairs = [(measure.read(nodes), (key, nodes)) for key, nodes in found]
            found = [group for _, group in measure.sorted(pairs)]
        return found

    # --- keys -------------------------------------------------------------------------------

    def _by(self, class_iri: str, asked: Mapping[str, Any], place: str) -> By:
        name, below = only(asked, place)
        if name == "id":
            text = self.values.snapshot.terms.text
            return By(lambda number: [(text(number), number)], str)
        if name == "label":
            languages = self.orders.languages
            labels = partial(read_labels, self.values, languages)
            return self._value(self.values.best_label(languages), _text_key, labels)
        field = self.values.model.fields[class_iri][name]
        if field.kind is FieldKind.ENTITY:
            return self._of_nodes(field, below, f"{place}.{name}")
        if below in _UNITS:
            return By(self._days(field, below), str)
        if is_text(field):
            languages, column = self.orders.languages, self.values.column(field.path)
            texts = partial(read_best, self.values, column, languages)
            return self._value(self.values.best(field, languages), _text_key, texts)
        return self._of_values(field)

    def _of_values(self, field: Field) -> By:
        if field.many:
            read = self._values(self.values.many(field))
        else:
            read = self._value(self.values.one(field), str).read
        if field.kind is FieldKind.TEXT:
            return By(read, _text_key)
        if field.kind is not FieldKind.ENUM:
            return By(read, field_key(field))
        names = {value: enum_value_name(value) for value in field.enum_values}
        named = list(names.values())

        def read_names(number: int) -> Sequence[Shared]:
            return [(names.get(value or ""), node) for value, node in read(number)]

        return By(read_names, named.index)

    def _of_nodes(self, field: Field, below: Mapping[str, Any], place: str) -> By:
        assert field.target is not None
        inner = self._by(field.target, below, place)
        below_read = _remembered(inner.read)
        if not field.many:
            one = self.values.one(field)

            def read_one(number: int) -> Sequence[Shared]:
                value = one(number)
                return (_UNKNOWN,) if value == NIL else below_read(value)

            return By(read_one, inner.compare, partial(self._prepare, field, inner))
        many, charge = self.values.many(field), self.filters.charge

        def read(number: int) -> Sequence[Shared]:
            values = many(number)
            if not values:
                return (_UNKNOWN,)
            charge(len(values))
            if len(values) == 1:
                return below_read(values[0])
            return tuple(dict.fromkeys(each for value in values for each in below_read(value)))

        return By(read, inner.compare, partial(self._prepare, field, inner))

    def _prepare(self, field: Field, inner: By, batch: Batch) -> None:
        """Prepare the key of the nodes that others are tied to."""
        column = self.values.column(field.path, inverse=field.inverse)
        inner.prepare(Batch(np.unique(read_many(column, batch)[1])))

    def _value(
        self,
        find: Callable[[int], int],
        compare: Callable[[str], Any],
        find_all: Callable[[Batch], Numbers] | None = None,
    ) -> By:
        text = self.values.snapshot.terms.text
        known: dict[int, Sequence[Shared]] = {NIL: (_UNKNOWN,)}
        prepared: dict[int, int] = {}

        def prepare(batch: Batch) -> None:
            if find_all is not None:
                prepared.update(zip(batch.nodes.tolist(), find_all(batch).tolist(), strict=True))

        def read(number: int) -> Sequence[Shared]:
            value = prepared.get(number)
            if value is None:
                value = find(number)
            found = known.get(value)
            if found is None:
                found = known[value] = ((text(value)[:LENGTH], NIL),)
            return found

        return By(read, compare, prepare)

    def _values(self, find: Callable[[int], Sequence[int]]) -> Callable[[int], Sequence[Shared]]:
        text = self.values.snapshot.terms.text

        def read(number: int) -> Sequence[Shared]:
            known = dict.fromkeys((text(v)[:LENGTH], NIL) for v in find(number) if v != NIL)
            return tuple(known) or (_UNKNOWN,)

        return read

    def _days(self, field: Field, unit: str) -> Callable[[int], Sequence[Shared]]:
        length, zero = _UNITS[unit], "0" if unit == "DECADE" else ""
        text, days = self.values.text, self._day_values(field)

        def read(number: int) -> Sequence[Shared]:
            known = (text(value)[:length] + zero for value in days(number) if value != NIL)
            return tuple(dict.fromkeys((day, NIL) for day in known)) or (_UNKNOWN,)

        return read

    def _day_values(self, field: Field) -> Callable[[int], Sequence[int]]:
        if field.kind is FieldKind.DATE:
            find = self.values.date(field)
            return lambda number: () if (parts := find(number)) is None else parts[1:2]
        one = self.values.one(field)
        return self.values.many(field) if field.many else lambda number: (one(number),)


def _remembered(
    read: Callable[[int], Sequence[Shared]],
) -> Callable[[int], Sequence[Shared]]:
    """Return the same function, which reads each node once."""
    known: dict[int, Sequence[Shared]] = {}

    def remembered(number: int) -> Sequence[Shared]:
        found = known.get(number)
        if found is None:
            found = known[number] = read(number)
        return found

    return remembered


def _text_key(text: str) -> Any:
    return collation_key(text), text
