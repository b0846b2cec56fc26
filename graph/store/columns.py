"""Columns: the statements of one predicate, in one direction, as pages of small arrays.

Floor 1. A column is a mapping from page number to a page; a page covers 256 subjects (forward) or
256 values (inverse). Pages are never changed once a version is published: a commit copies those
it touches. Columns hold numbers only and know nothing of terms, models or revisions.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graph.store.term_table import MASK, NIL, PAGE, SHIFT

#: A value and the number of the graph that states it.
Pair = tuple[int, int]
#: Statements as rows of numbers.
Rows = npt.NDArray[np.int64]


class One(NamedTuple):
    """A page of a single-valued column: per slot the answering value and its graph."""

    values: array[int]
    graphs: array[int]


class Many(NamedTuple):
    """A page of a many-valued column: slot i holds `values[offsets[i]:offsets[i + 1]]`.

    Values are in the order of their terms. `graphs` is empty in an inverse page, which holds
    each subject once; `repeats` tells whether a value may stand twice, from two graphs.
    """

    offsets: array[int]
    values: array[int]
    graphs: array[int]
    repeats: bool


class OneColumn:
    """A single-valued forward column.

    `contested` holds, for each subject with more than one statement, all its pairs, the
    answering one first.
    """

    __slots__ = ("contested", "pages")

    def __init__(self, pages: dict[int, One], contested: dict[int, tuple[Pair, ...]]) -> None:
        self.pages = pages
        self.contested = contested

    def value(self, subject: int) -> int:
        """Return the answering value, or NIL."""
        page = self.pages.get(subject >> SHIFT)
        return page.values[subject & MASK] if page is not None else NIL

    def pairs(self, subject: int) -> tuple[Pair, ...]:
        """Return all values with their graphs, the answering one first."""
        contested = self.contested.get(subject)
        if contested is not None:
            return contested
        page = self.pages.get(subject >> SHIFT)
        if page is None or page.values[subject & MASK] == NIL:
            return ()
        return ((page.values[subject & MASK], page.graphs[subject & MASK]),)

    def rows(self) -> Iterator[Rows]:
        """Yield all statements in bulk: arrays of subject, value and graph, one a row."""
        contested = np.fromiter(self.contested, np.uint32, len(self.contested))
        for number, page in self.pages.items():
            values = np.frombuffer(page.values, np.uint32)
            slots = np.flatnonzero(values != NIL)
            subjects = (number << SHIFT) | slots
            graphs = np.frombuffer(page.graphs, page.graphs.typecode)[slots]
            rows = np.column_stack([subjects, values[slots], graphs])
            yield rows[~np.isin(subjects, contested)] if len(contested) else rows
        more = [(s, v, g) for s, pairs in self.contested.items() for v, g in pairs]
        if more:
            yield np.array(more, np.int64)

    def count(self, subject: int) -> int:
        """Return how many statements there are."""
        return len(self.pairs(subject))

    def statements(self) -> Iterator[tuple[int, int, int]]:
        """Yield subject, value and graph of every statement."""
        for number, page in sorted(self.pages.items()):
            for slot in range(PAGE):
                if page.values[slot] != NIL:
                    subject = (number << SHIFT) | slot
                    for value, graph in self.pairs(subject):
                        yield subject, value, graph


class ManyColumn:
    """A many-valued column, forward (with graphs) or inverse (without).

    `fanout` is at least the number of values of every subject: an upper bound that a removal
    does not lower, for the estimate of an operation's cost.
    """

    __slots__ = ("fanout", "pages")

    def __init__(self, pages: dict[int, Many], fanout: int) -> None:
        self.pages = pages
        self.fanout = fanout

    def values(self, subject: int) -> array[int] | list[int]:
        """Return the distinct values in the order of their terms."""
        page = self.pages.get(subject >> SHIFT)
        if page is None:
            return []
        slot = subject & MASK
        found = page.values[page.offsets[slot] : page.offsets[slot + 1]]
        return list(dict.fromkeys(found)) if page.repeats else found

    def count(self, subject: int) -> int:
        """Return how many statements there are, without looking at them."""
        page = self.pages.get(subject >> SHIFT)
        slot = subject & MASK
        return 0 if page is None else page.offsets[slot + 1] - page.offsets[slot]

    def pairs(self, subject: int) -> tuple[Pair, ...]:
        """Return all values with their graphs."""
        page = self.pages.get(subject >> SHIFT)
        if page is None:
            return ()
        start, end = page.offsets[subject & MASK], page.offsets[(subject & MASK) + 1]
        return tuple(zip(page.values[start:end], page.graphs[start:end], strict=True))

    def rows(self) -> Iterator[Rows]:
        """Yield all statements of a forward column in bulk: subject, value and graph, one a row."""
        for number, page in self.pages.items():
            counts = np.diff(np.frombuffer(page.offsets, page.offsets.typecode))
            subjects = (number << SHIFT) | np.repeat(np.arange(PAGE), counts)
            values = np.frombuffer(page.values, np.uint32)
            graphs = np.frombuffer(page.graphs, page.graphs.typecode)
            yield np.column_stack([subjects, values, graphs])

    def statements(self) -> Iterator[tuple[int, int, int]]:
        """Yield subject, value and graph of every statement of a forward column."""
        for number, page in sorted(self.pages.items()):
            for slot in range(PAGE):
                for at in range(page.offsets[slot], page.offsets[slot + 1]):
                    yield (number << SHIFT) | slot, page.values[at], page.graphs[at]


Column = OneColumn | ManyColumn
EMPTY = ManyColumn({}, 0)


def empty_one() -> One:
    """Return a page without values."""
    return One(array("I", bytes(4 * PAGE)), array("H", bytes(2 * PAGE)))


def empty_many() -> Many:
    """Return a page without values."""
    return Many(array("H", bytes(2 * (PAGE + 1))), array("I"), array("H"), False)


def copy_one(page: One) -> One:
    """Return a page that may be written."""
    return One(page.values[:], page.graphs[:])


def copy_many(page: Many) -> Many:
    """Return a page that may be written."""
    return Many(page.offsets[:], page.values[:], page.graphs[:], page.repeats)


def set_one(page: One, slot: int, value: int, graph: int) -> One:
    """Write one slot of an own copy; returns the page, with wider graph numbers if needed."""
    if graph > 0xFFFF and page.graphs.typecode == "H":
        page = One(page.values, array("I", page.graphs))
    page.values[slot] = value
    page.graphs[slot] = graph
    return page


def insert_many(
    page: Many, slot: int, pair: Pair, key: Callable[[int], str], *, inverse: bool
) -> Many:
    """Put one pair into an own copy, in the order of the values' terms.

    An inverse page keeps no graph and takes a subject only once. 16-bit offsets and graph
    numbers become wider where they would wrap: hubs hold more than 65,535 subjects a page.
    """
    value, graph = pair
    start, end = page.offsets[slot], page.offsets[slot + 1]
    at = _place(page.values, start, end, value, key)
    if inverse and at < end and page.values[at] == value:
        return page
    repeats = page.repeats or (
        not inverse
        and (
            (at < end and page.values[at] == value) or (at > start and page.values[at - 1] == value)
        )
    )
    offsets, graphs = page.offsets, page.graphs
    if len(page.values) + 1 > 0xFFFF and offsets.typecode == "H":
        offsets = array("I", offsets)
    if graph > 0xFFFF and graphs.typecode == "H" and not inverse:
        graphs = array("I", graphs)
    page.values.insert(at, value)
    if not inverse:
        graphs.insert(at, graph)
    np.frombuffer(offsets, offsets.typecode)[slot + 1 :] += 1
    return Many(offsets, page.values, graphs, repeats)


def remove_many(
    page: Many, slot: int, pair: Pair, key: Callable[[int], str], *, inverse: bool
) -> Many:
    """Take one pair out of an own copy; nothing happens when it is not there."""
    value, graph = pair
    start, end = page.offsets[slot], page.offsets[slot + 1]
    at = _place(page.values, start, end, value, key)
    while at < end and page.values[at] == value:
        if inverse or page.graphs[at] == graph:
            page.values.pop(at)
            if not inverse:
                page.graphs.pop(at)
            np.frombuffer(page.offsets, page.offsets.typecode)[slot + 1 :] -= 1
            break
        at += 1
    return page


def _place(values: array[int], start: int, end: int, value: int, key: Callable[[int], str]) -> int:
    """Return the first place in `values[start:end]` whose term is not before the value's."""
    wanted = key(value)
    while start < end:
        middle = (start + end) >> 1
        if key(values[middle]) < wanted:
            start = middle + 1
        else:
            end = middle
    return start
