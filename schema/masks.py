"""Conditions on many nodes at once: each the same as in `schema/filters.py`, over arrays.

Floor 4. What a condition asks of one node stands there; here it is asked of a list, a column at a
time, each distinct value judged once. What has no form over arrays is asked node by node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graph.model import Field, FieldKind
from graph.store.columns import EMPTY, Column, OneColumn
from graph.store.snapshot import TYPE
from graph.store.term_table import NIL, SHIFT
from schema.filters import PARTS, Condition, Filters, Where, admits_unknown, day_of
from schema.masking import Chosen, Masker, all_hold, one_by_one, some_hold, where_chosen
from schema.operators import NEGATIVE, given, listed, number_test
from schema.quantifiers import QUANTIFIERS
from schema.validity import Route, bounds_of, is_as_of
from schema.values import is_text, label_field, part_field
from schema.vectors import (
    Batch,
    Dates,
    Mask,
    Numbers,
    Places,
    any_at,
    by_value,
    label_places,
    read_distinct,
    read_many,
    read_one,
)

#: How sure it is that a node was valid on a day, or None.
Possible = Callable[[int], str | None]


class Masks:
    """Conditions over arrays, for one request."""

    def __init__(self, filters: Filters) -> None:
        self.filters = filters
        self.values = filters.values
        self.model = filters.model
        self.charge = filters.charge

    def choose(self, class_iri: str, where: Where) -> Chosen:
        """Return the condition that all of `where` holds for a node.

        Raises
        ------
        BadValueError
            A value is null, or cannot be compared with those of its field.
        """
        holds = self.filters.condition(class_iri, where)
        return Chosen(holds, partial(self._condition, class_iri, where))

    def during(self, class_iri: str, day: str, possible: Possible, fits: Chosen | None) -> Chosen:
        """Return the condition that a node may be valid on a day, and that it fits besides."""

        def make() -> Masker:
            tests = [self._valid(class_iri, day) or one_by_one(self.filters.during(possible, None))]
            tests += [] if fits is None else [fits.mask]
            return partial(all_hold, tests)

        return Chosen(self.filters.during(possible, fits), make)

    def _valid(self, class_iri: str, day: str) -> Masker | None:
        bounds = bounds_of(self.model, class_iri)
        assert bounds is not None  # the schema gives the argument to no other class
        start, end = (self._route(class_iri, route) for route in bounds)
        if start is None or end is None:
            return None
        text = self.values.text

        def mask(batch: Batch) -> Mask:
            self.charge(len(batch))
            begun, ended = start(batch)[1], end(batch)[2]
            found = np.full(len(batch), True)
            known = begun != NIL
            found[known] = by_value(lambda value: text(value)[:10] <= day, begun[known])
            known = ended != NIL
            found[known] &= by_value(lambda value: text(value)[:10] >= day, ended[known])
            return found

        return mask

    def _route(self, class_iri: str, route: Route) -> Callable[[Batch], list[Numbers]] | None:
        """Return what reads the date to which fields lead, or None if it is read one by one."""
        field = self.model.fields[class_iri][route[0]]
        if len(route) == 1:
            dates = Dates(self.values, field)
            return dates.read if dates.are_single else None
        below = self._route(str(field.target), route[1:])
        column = self.values.column(field.path, inverse=field.inverse)
        if below is None or not isinstance(column, OneColumn):
            return None

        def read(batch: Batch) -> list[Numbers]:
            values, _ = read_one(column, batch)
            distinct, places = np.unique(values, return_inverse=True)
            return [np.where(values != NIL, part[places], NIL) for part in below(Batch(distinct))]

        return read

    def _condition(self, class_iri: str, where: Where) -> Masker:
        tests = [self._test(class_iri, name, below) for name, below in given(where).items()]

        def mask(batch: Batch) -> Mask:
            self.charge(len(batch))
            return all_hold(tests, batch)

        return mask

    def _test(self, class_iri: str, name: str, below: Any) -> Masker:
        if name in ("and", "or"):
            inner = [self._condition(class_iri, each) for each in listed(below)]
            return partial(all_hold if name == "and" else some_hold, inner)
        if name == "not":
            turned = self._condition(class_iri, below)
            return lambda batch: ~turned(batch)
        if name == "isNull":
            return lambda batch: np.full(len(batch), not below)
        if name == "id":
            return self._identifier(below)
        field = self.model.fields[class_iri].get(name)
        single = partial(self.filters.condition, class_iri, {name: below})
        if name == "label":
            return self._labels(class_iri, below, single)
        if name == "types":
            return self._types(listed(below))
        if name == "contested":
            return self._contested(class_iri, listed(below), single())
        if is_as_of(self.model, class_iri, name):
            return self._valid(class_iri, day_of(below)) or one_by_one(single())
        if field is None:
            return one_by_one(single())
        if field.kind is FieldKind.ENTITY:
            found = self._list(field, below) if field.many else self._link(field, below)
        elif field.kind is FieldKind.DATE:
            found = self._date(field, below, single)
        elif is_text(field):
            found = self._texts(field, below, single)
        else:
            found = self._list(field, below) if field.many else self._value(field, below)
        return found or one_by_one(single())

    def _identifier(self, below: Where) -> Masker:
        tests = self.filters.identifiers(below)

        def mask(batch: Batch) -> Mask:
            found = np.full(len(batch), True)
            for nodes, wanted in tests:
                among = np.isin(batch.nodes, np.fromiter(nodes, np.uint32, len(nodes)))
                found &= among == wanted
            return found

        return mask

    def _types(self, names: Sequence[str]) -> Masker:
        classes, known = self.filters.classes(names), self.values.snapshot.class_numbers
        numbers = [number for number, (_, iri) in known.items() if iri in classes]
        column, wanted = self.values.column(TYPE), np.array(numbers, np.uint32)

        def mask(batch: Batch) -> Mask:
            places, values, _ = read_many(column, batch)
            self.charge(len(values))
            return any_at(places[np.isin(values, wanted)], len(batch))

        return mask

    def _contested(self, class_iri: str, names: Sequence[str], holds: Condition) -> Masker:
        """Return what finds the few nodes that may be contested, and looks at these alone."""
        asked = self.filters.contestable(class_iri, names)
        columns = [
            self.values.column(field.path)
            for field in asked
            if not field.inverse and (field.unique_language or not field.many)
        ]

        def mask(batch: Batch) -> Mask:
            self.charge(len(asked) * len(batch))
            maybe = np.zeros(len(batch), np.bool_)
            for column in columns:
                if isinstance(column, OneColumn):
                    held = np.fromiter(column.contested, np.uint32, len(column.contested))
                    maybe |= np.isin(batch.nodes, held)
                else:
                    places, values, _ = read_many(column, batch)
                    maybe[self._repeated(places, values)] = True
            return where_chosen(maybe, holds, batch)

        return mask

    # --- one value ----------------------------------------------------------------------------

    def _value(self, field: Field, below: Where) -> Masker | None:
        column = self.values.column(field.path, inverse=field.inverse)
        if not isinstance(column, OneColumn):
            return None
        wanted, test = self.filters.element(field, below)

        def mask(batch: Batch) -> Mask:
            values, _ = read_one(column, batch)
            known: Mask = values != NIL
            if wanted:
                return ~known
            known[known] = by_value(test, values[known])
            return known

        return mask

    def _link(self, field: Field, below: Where) -> Masker | None:
        assert field.target is not None
        column = self.values.column(field.path, inverse=field.inverse)
        if not isinstance(column, OneColumn):
            return None
        inner, unknown = self._condition(field.target, below), admits_unknown(below)

        def mask(batch: Batch) -> Mask:
            values, _ = read_one(column, batch)
            found = np.full(len(batch), unknown)
            known = values != NIL
            found[known] = self._of_targets(inner, values[known])
            return found

        return mask

    def _of_targets(self, inner: Masker, values: Numbers) -> Mask:
        distinct, places = np.unique(values, return_inverse=True)
        return inner(Batch(distinct))[places]

    def _date(self, field: Field, below: Where, single: Callable[[], Condition]) -> Masker | None:
        parts = [
            (PARTS[name], *self.filters.element(part_field(field, name), inner))
            for name, inner in given(below, f"where.{field.name}").items()
            if name != "isNull"
        ]
        is_null, dates = bool(below.get("isNull")), Dates(self.values, field)

        def mask(batch: Batch) -> Mask:
            found = dates.read(batch)
            known: Mask = np.any([values != NIL for values in found], axis=0)
            if is_null:
                return ~known if not parts else np.zeros(len(batch), np.bool_)
            for at, unknown, test in parts:
                has = found[at] != NIL
                fits = np.full(len(batch), unknown)
                fits[has] = by_value(test, found[at][has])
                known &= fits
            return known

        return mask if dates.are_single else None

    # --- lists --------------------------------------------------------------------------------

    def _list(self, field: Field, below: Where) -> Masker | None:
        place = f"where.{field.name}"
        asked = dict(given(below, place))
        within = asked.pop("where", None)
        column = self.values.column(field.path, inverse=field.inverse)
        if asked.keys() - QUANTIFIERS - {"count"}:
            return self._measured(column, self.filters.condition(field.owner, {field.name: below}))
        keep = None if within is None else self._condition(str(field.target), within)
        tests = [
            self._quantified(field, name, inner, place)
            for name, inner in (asked or {"some": {}}).items()
        ]

        def mask(batch: Batch) -> Mask:
            places, values = read_distinct(column, batch)
            self.charge(len(values))
            if keep is not None and len(values):
                kept = self._of_targets(keep, values)
                places, values = places[kept], values[kept]
            found: Mask = np.full(len(batch), True)
            for test in tests:
                found &= test(places, values, len(batch))
            return found

        return mask

    def _measured(self, column: Column, holds: Condition) -> Masker:
        """Return what measures lists node by node, but those without elements once for all."""

        def mask(batch: Batch) -> Mask:
            places, _, _ = read_many(column, batch)
            tied = any_at(places, len(batch))
            found = where_chosen(tied, holds, batch)
            empty = np.flatnonzero(~tied)
            if len(empty):
                self.charge(len(empty))
                found[empty] = holds(int(batch.nodes[empty[0]]))
            return found

        return mask

    def _quantified(
        self, field: Field, name: str, below: Any, place: str
    ) -> Callable[[Places, Numbers, int], Mask]:
        """Return the test of lists, given as values with the places of those who have them."""
        if name == "count":
            fits = number_test(below, f"{place}.count")

            def count(places: Places, values: Numbers, size: int) -> Mask:
                return by_value(fits, np.bincount(places, minlength=size).astype(np.uint32))

            return count
        if field.kind is FieldKind.ENTITY:
            judge = partial(self._of_targets, self._condition(str(field.target), below))
        else:
            judge = partial(by_value, self.filters.element(field, below)[1] if below else bool)
        in_range = self._ranges(below.get("lang") if field.kind is FieldKind.TEXT else None)

        def quantified(places: Places, values: Numbers, size: int) -> Mask:
            if in_range is not None:
                kept = in_range(values)
                places, values = places[kept], values[kept]
            fits = judge(values) if len(values) else np.zeros(0, np.bool_)
            if name == "every":
                return ~any_at(places[~fits], size)
            found = any_at(places[fits], size)
            return found if name == "some" else ~found

        return quantified

    # --- texts --------------------------------------------------------------------------------

    def _labels(self, class_iri: str, below: Where, single: Callable[[], Condition]) -> Masker:
        """Return the condition on names for people: of each class in a column of its own."""
        field, masks = label_field(class_iri), dict[str, Masker]()

        def mask(batch: Batch) -> Mask:
            found = np.zeros(len(batch), np.bool_)
            for path, places in label_places(self.values, batch):
                if path not in masks:
                    masks[path] = self._texts(field, below, single, path)
                found[places] = masks[path](Batch(batch.nodes[places]))
            return found

        return mask

    def _texts(
        self,
        field: Field,
        below: Where,
        single: Callable[[], Condition],
        path: str | None = None,
    ) -> Masker:
        """Return the condition on texts, of a field or of another predicate."""
        self.filters.element(field, below)  # refuses what cannot be asked
        column = EMPTY if path == "" else self.values.column(path or field.path)
        is_null = bool(below.get("isNull"))
        in_range = self._ranges(below.get("lang"))
        operators = self.filters.operators
        tests = [
            (name in NEGATIVE, operators.test(field, name, value))
            for name, value in below.items()
            if name not in ("isNull", "lang")
        ]

        def mask(batch: Batch) -> Mask:
            places, values, _ = read_many(column, batch)
            self.charge(len(values))
            odd = self._repeated(places, values)
            if in_range is not None and len(values):
                kept = in_range(values)
                places, values = places[kept], values[kept]
            size = len(batch)
            found = any_at(places, size)
            if is_null:
                found = ~found if not tests else np.zeros(size, np.bool_)
            for negative, test in () if is_null else tests:
                fits = by_value(test, values)
                found &= ~any_at(places[~fits], size) if negative else any_at(places[fits], size)
            if len(odd):  # several sources in one language: only the best of them speaks
                holds = single()
                found[odd] = [holds(number) for number in batch.nodes[odd].tolist()]
            return found

        return mask

    def _repeated(self, places: Places, values: Numbers) -> Places:
        """Return the places that have several texts in one language."""
        tags, of_page = self.values.snapshot.page_languages
        keys = places * len(tags) + of_page[values >> SHIFT]
        distinct, counts = np.unique(keys, return_counts=True)
        return np.unique(distinct[counts > 1] // len(tags))

    def _ranges(self, ranges: Any) -> Callable[[Numbers], Mask] | None:
        keep = self.filters.in_languages(_single, ranges)
        if keep is _single:
            return None
        return lambda values: by_value(lambda number: bool(keep(number)), values)


def _single(number: Any) -> Any:
    return (number,)
