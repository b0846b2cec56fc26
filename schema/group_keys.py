"""Keys of groups: what a node has of each, read node by node or out of columns.

Floor 4. A node with several values of a key has each of them once; where a value is unknown, that
is a value of its own. Of long lists all nodes are read at once, each distinct value looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from graph.model import Field, FieldKind
from graph.store.snapshot import TYPE
from graph.store.term_table import NIL
from schema.collation import LENGTH, collation_key
from schema.filters import Filters
from schema.naming import enum_value_name
from schema.orders import Orders, field_key, only
from schema.sort_keys import rank_nodes, rank_texts
from schema.turns import sorted_in_turns
from schema.values import is_text
from schema.vectors import (
    Batch,
    Dates,
    Numbers,
    Places,
    any_at,
    read_answers,
    read_best,
    read_distinct,
    read_labels,
    spans,
)

#: What a group shares by one key: a value, and the node that it is, or NIL.
Shared = tuple[str | None, int]
Read = Callable[[int], Sequence[Shared]]

_UNKNOWN: Final[Shared] = (None, NIL)
#: Characters of a day that are its month, year, or (with a zero behind) decade.
_UNITS: Final = {"DAY": 10, "MONTH": 7, "YEAR": 4, "DECADE": 3}


class Coded(NamedTuple):
    """What the nodes of a batch have of a key: pairs of place and code, by place, each once.

    Codes go from 0 to `size` - 1 in the order of what they stand for, the unknown last; `share`
    tells that.
    """

    places: Places
    codes: Places
    size: int
    share: Callable[[int], Any]


class Form(NamedTuple):
    """As what a value is shared, by what that is compared, and what ranks numbers of values.

    Without `rank` each distinct value is read.
    """

    share: Callable[[int], Shared]
    compare: Callable[[str], Any]
    rank: Callable[[Numbers], Places] | None = None


@dataclass(frozen=True, slots=True)
class By:
    """One key of groups: what a node has of it, and how values are put in order.

    `read_all` reads the same of many nodes.
    """

    read: Read
    read_all: Callable[[Batch], Coded]
    compare: Callable[[str], Any]

    def place(self, shared: Shared) -> tuple[bool, Any]:
        """Return the place of a value among others, the unknown last."""
        return (True, 0) if shared[0] is None else (False, self.compare(shared[0]))


class Keys:
    """Makes the keys of groups for one request."""

    def __init__(self, filters: Filters, orders: Orders) -> None:
        self.charge = filters.charge
        self.values = filters.values
        self.languages = orders.languages

    def make(self, class_iri: str, asked: Mapping[str, Any], place: str) -> By:
        """Return a key of the nodes of a class.

        Raises
        ------
        BadValueError
            It names no field, or more than one.
        """
        name, below = only(asked, place)
        values, languages = self.values, self.languages
        if name == "id":
            rank = partial(rank_nodes, values.snapshot, class_iri)
            form = Form(self._node, str, rank)
            return self._alone(lambda number: number, lambda batch: batch.nodes, form)
        if name == "label":
            find = values.best_label(languages)
            return self._alone(find, partial(read_labels, values, languages), self._texts())
        if name == "types":
            return self._of_classes()
        field = values.model.fields[class_iri][name]
        if field.kind is FieldKind.ENTITY:
            return self._of_nodes(field, below, f"{place}.{name}")
        if below in _UNITS:
            return self._days(field, below)
        if is_text(field):
            find_all = partial(read_best, values, values.column(field.path), languages)
            return self._alone(values.best(field, languages), find_all, self._texts())
        return self._of_values(field)

    def _of_values(self, field: Field) -> By:
        if field.kind is not FieldKind.ENUM:
            compare = collation_key if field.kind is FieldKind.TEXT else field_key(field)
            is_collated = compare is collation_key
            form = self._texts() if is_collated else Form(self._text, compare)
            return self._of_field(field, form)
        names = {value: enum_value_name(value) for value in field.enum_values}
        text = self.values.snapshot.terms.text
        named = list(names.values())
        form = Form(lambda value: (names.get(text(value)), NIL), named.index)
        return self._of_field(field, form)

    def _of_classes(self) -> By:
        """Return the key of the classes that sources give a node."""
        snapshot, column = self.values.snapshot, self.values.column(TYPE)
        classes = self.values.model.classes
        names = {number: classes[iri].name for number, (_, iri) in snapshot.class_numbers.items()}
        known = np.array(list(names), np.uint32)
        form = Form(lambda value: (names[value], NIL), str)

        def read(number: int) -> Sequence[Shared]:
            found = dict.fromkeys(value for value, _ in column.pairs(number) if value in names)
            return tuple(map(form.share, found)) or (_UNKNOWN,)

        def read_all(batch: Batch) -> Coded:
            places, values = read_distinct(column, batch)
            kept = np.isin(values, known)
            return _coded(places[kept], values[kept], form, len(batch))

        return By(read, read_all, form.compare)

    def _days(self, field: Field, unit: str) -> By:
        length, zero = _UNITS[unit], "0" if unit == "DECADE" else ""
        text = self.values.text

        def share(value: int) -> Shared:
            return text(value)[:length] + zero, NIL

        form = Form(share, str)
        if field.kind is not FieldKind.DATE:
            return self._of_field(field, form)
        find, dates = self.values.date(field), Dates(self.values, field)

        def earliest(number: int) -> int:
            return NIL if (parts := find(number)) is None else parts[1]

        read_all = (lambda batch: dates.read(batch)[1]) if dates.are_single else None
        return self._alone(earliest, read_all, form)

    # --- what the nodes have, each one or several -----------------------------------------------

    def _of_field(self, field: Field, form: Form) -> By:
        column = self.values.column(field.path, inverse=field.inverse)
        if not field.many:
            find_all = partial(read_answers, self.values, column)
            return self._alone(self.values.one(field), find_all, form)
        many, share = self.values.many(field), form.share

        def read(number: int) -> Sequence[Shared]:
            return tuple(dict.fromkeys(map(share, many(number)))) or (_UNKNOWN,)

        def read_all(batch: Batch) -> Coded:
            return _coded(*read_distinct(column, batch), form, len(batch))

        return By(read, read_all, form.compare)

    def _alone(
        self,
        find: Callable[[int], int],
        find_all: Callable[[Batch], Numbers] | None,
        form: Form,
    ) -> By:
        """Return a key of which each node has one value at the most."""
        known: dict[int, Sequence[Shared]] = {NIL: (_UNKNOWN,)}

        def read(number: int) -> Sequence[Shared]:
            value = find(number)
            found = known.get(value)
            if found is None:
                found = known[value] = (form.share(value),)
            return found

        def read_all(batch: Batch) -> Coded:
            if find_all is None:
                found = np.fromiter(map(find, batch.nodes.tolist()), np.uint32, len(batch))
            else:
                found = find_all(batch)
            return _coded(np.arange(len(batch)), found, form, len(batch))

        return By(read, read_all, form.compare)

    def _of_nodes(self, field: Field, below: Mapping[str, Any], place: str) -> By:
        """Return a key of the nodes that a field leads to."""
        assert field.target is not None
        inner = self.make(field.target, below, place)
        below_read = _remembered(inner.read)
        one = None if field.many else self.values.one(field)
        many = self.values.many(field)
        column = self.values.column(field.path, inverse=field.inverse)

        def read(number: int) -> Sequence[Shared]:
            if one is not None:
                value = one(number)
                return (_UNKNOWN,) if value == NIL else below_read(value)
            values = many(number)
            self.charge(len(values))
            found = (each for value in values for each in below_read(value))
            return tuple(dict.fromkeys(found)) or (_UNKNOWN,)

        def targets(batch: Batch) -> tuple[Places, Numbers]:
            if one is None:
                return read_distinct(column, batch)
            found = read_answers(self.values, column, batch)
            known = np.flatnonzero(found)
            return known, found[known]

        def read_all(batch: Batch) -> Coded:
            places, values = targets(batch)
            self.charge(len(values))
            distinct, at = np.unique(values, return_inverse=True)
            found = inner.read_all(Batch(distinct))
            times, taken = self.joined(found, at, len(distinct))
            codes = found.codes[taken]
            return _complete(np.repeat(places, times), codes, found.size, found.share, len(batch))

        return By(read, read_all, inner.compare)

    def joined(self, found: Coded, at: Places, count: int) -> tuple[Places, Places]:
        """Return how many pairs of `found` stand at each of some places, and which these are.

        `count` is how many places `found` has.
        """
        starts = np.searchsorted(found.places, np.arange(count + 1))
        times = np.diff(starts)[at]
        self.charge(int(times.sum()))
        return times, spans(starts[at], times)

    def _texts(self) -> Form:
        rank = partial(rank_texts, self.values.snapshot.terms, key=_text_key)
        return Form(self._text, _text_key, rank)

    def _text(self, value: int) -> Shared:
        return self.values.snapshot.terms.text(value)[:LENGTH], NIL

    def _node(self, number: int) -> Shared:
        return self.values.snapshot.terms.text(number), number


def _coded(places: Places, values: Numbers, form: Form, size: int) -> Coded:
    """Return the pairs of places and values by what each distinct value is shared as."""
    distinct, at = np.unique(values, return_inverse=True)
    known = distinct != NIL
    if form.rank is None:
        ranks, share = _ranked([form.share(value) for value in distinct[known].tolist()], form)
    else:
        ranks = form.rank(distinct[known])
        share = _lazily(distinct[known], ranks, form)
    count = int(ranks.max(initial=-1)) + 2
    codes = np.full(len(distinct), count - 1)
    codes[known] = np.where(ranks < 0, count - 1, ranks)
    return _complete(places, codes[at], count, share, size)


def _ranked(shared: list[Shared], form: Form) -> tuple[Places, Callable[[int], Shared]]:
    """Return the rank of each of what is shared, the unknown -1, and what stands for a rank."""
    named = [each for each in dict.fromkeys(shared) if each[0] is not None]
    named = sorted_in_turns(named, lambda each: form.compare(str(each[0])))
    ranks = {each: at for at, each in enumerate(named)}
    return np.array([ranks.get(each, -1) for each in shared], np.int64), named.__getitem__


def _lazily(values: Numbers, ranks: Places, form: Form) -> Callable[[int], Shared]:
    """Return what stands for a rank; it is read when it is asked for."""
    of_rank = np.zeros(int(ranks.max(initial=-1)) + 1, np.uint32)
    of_rank[ranks] = values
    return lambda rank: form.share(int(of_rank[rank]))


def _complete(
    places: Places, codes: Places, count: int, share: Callable[[int], Any], size: int
) -> Coded:
    """Return pairs in order and each once; what has none has the last code, the unknown.

    `size` is how many places there are.
    """
    missing = np.flatnonzero(~any_at(places, size))
    if len(missing):
        unknown = np.full(len(missing), count - 1)
        places, codes = np.concatenate([places, missing]), np.concatenate([codes, unknown])
    pairs = np.unique((places << 32) | codes)
    last = count - 1
    return Coded(
        pairs >> 32,
        pairs & 0xFFFFFFFF,
        count,
        lambda code: _UNKNOWN if code == last else share(code),
    )


def _remembered(read: Read) -> Read:
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
