"""Counts the solutions of a basic graph pattern: rows in groups, or a whole column at once.

Floor 1. Beside `graph/store/matching.py`, which finds the rows. A count of all that one predicate
states needs no rows: the pages of its column are read by numpy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from graph.store.basic import Basic, Count
from graph.store.columns import Column, Many, One, OneColumn
from graph.store.snapshot import Snapshot
from graph.store.term_table import NIL, PAGE, SHIFT

#: Values of the variables of a solution; predicates stand as texts, other terms by number.
Row = tuple[int | str, ...]
#: What reading a page takes, and how many statements are sorted in the time of a step.
_STEPS_A_PAGE: Final = 4
_STATEMENTS_A_STEP: Final = 100
_Numbers = npt.NDArray[np.int64]


def as_cell(count: int) -> int:
    """Return how a count stands in a row beside numbers of terms: below them."""
    return -1 - count


def read_cell(cell: int) -> int:
    """Return the count that stands in a row."""
    return -1 - cell


def count_rows(basic: Basic, rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return a row for each group of solutions: the values that it is known by, then its counts.

    Parameters
    ----------
    basic : Basic
        One that is grouped.
    rows : sequence of tuple
        Its solutions, each once.
    names : sequence of str
        The variables of a row, in order, with `?`. Where there are no rows some may be missing.
    """
    assert basic.groups is not None
    if not rows:
        return [] if basic.groups else [tuple([as_cell(0)] * len(basic.counts))]
    places = [names.index(name) for name in basic.groups]
    sizes: Counter[Row] = Counter()
    counted = [_Counted(each, names) for each in basic.counts]
    for row in rows:
        key = tuple([row[at] for at in places])
        sizes[key] += 1
        for each in counted:
            each.take(key, row)
    return [
        (*key, *(as_cell(each.of(key, size)) for each in counted)) for key, size in sizes.items()
    ]


class _Counted:
    """One count, by group; in a basic graph pattern all variables are bound."""

    def __init__(self, count: Count, names: Sequence[str]) -> None:
        self._seen: dict[Row, set[object]] | None = {} if count.is_distinct else None
        self._at = None if count.of is None else names.index(count.of)

    def take(self, key: Row, row: Row) -> None:
        if self._seen is not None:
            self._seen.setdefault(key, set()).add(row if self._at is None else row[self._at])

    def of(self, key: Row, size: int) -> int:
        return size if self._seen is None else len(self._seen[key])


def count_column(
    basic: Basic,
    snapshot: Snapshot,
    beside: Iterable[tuple[str, str]],
    spend: Callable[[int], None],
) -> list[Row] | None:
    """Return the rows of a count of all that a predicate states; None: it is not such a count.

    Parameters
    ----------
    basic : Basic
        One that is grouped.
    snapshot : Snapshot
    beside : iterable of (str, str)
        Subjects and values that the predicate has beside the snapshot, as N-Triples texts.
    spend : function
        Told how many steps it takes, before it takes them; raises where they are too many.
    """
    if len(basic.patterns) != 1 or basic.groups is None or len(basic.groups) > 1:
        return None
    (subject, predicate, value), *_ = basic.patterns
    key = basic.groups[0] if basic.groups else None
    if key == predicate or any(each.is_distinct and _is_less(each, key) for each in basic.counts):
        return None
    column = snapshot.forward[predicate[1:-1]]
    more = list(beside)
    spend(_STEPS_A_PAGE * len(column.pages) + len(more))
    subjects, values = _distinct_pairs(column, spend)
    others = _lacking(column, snapshot, more)
    if key is None:
        found: Mapping[int | str, int] = {"": len(subjects) + len(others)}
    else:
        numbers, sizes = np.unique(subjects if key == subject else values, return_counts=True)
        spend(len(numbers))
        counts = Counter[int | str](dict(zip(numbers.tolist(), sizes.tolist(), strict=True)))
        for term, size in Counter(pair[key == value] for pair in others).items():
            number = snapshot.terms.find(term)
            counts[term if number is None else number] += size
        found = counts
    rows: list[Row] = [
        (*(() if key is None else (each,)), *[as_cell(count)] * len(basic.counts))
        for each, count in found.items()
    ]
    return rows


def _is_less(count: Count, key: str | None) -> bool:
    """Tell whether a count of distinct things may be less than the statements in a group."""
    return count.of is not None and (key is None or count.of == key)


def _lacking(
    column: Column, snapshot: Snapshot, pairs: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the subjects and values that the snapshot does not state, too."""
    find = snapshot.terms.find
    values: dict[str, int | None] = {}
    found = []
    for subject, value in pairs:
        number = find(subject)
        if number is not None and column.count(number):
            if value not in values:
                values[value] = find(value)
            if any(values[value] == each for each, _ in column.pairs(number)):
                continue
        found.append((subject, value))
    return found


def _distinct_pairs(column: Column, spend: Callable[[int], None]) -> tuple[_Numbers, _Numbers]:
    """Return subjects and values of a column, each statement once however many sources state it."""
    pages: list[One | Many] = [*column.pages.values()]
    if not pages:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    values = np.concatenate([np.frombuffer(page.values, np.uint32) for page in pages])
    values = values.astype(np.int64)
    spend(len(values) // _STATEMENTS_A_STEP)
    firsts = np.fromiter(column.pages, np.int64, len(pages)) << SHIFT
    subjects = (firsts[:, None] + np.arange(PAGE)).ravel()
    if isinstance(column, OneColumn):
        is_answer = values != NIL
        return _with_contested(column, subjects[is_answer], values[is_answer], spend)
    bounds = [page.offsets for page in column.pages.values()]
    offsets = np.stack([np.frombuffer(each, each.typecode) for each in bounds]).astype(np.int64)
    subjects = np.repeat(subjects, (offsets[:, 1:] - offsets[:, :-1]).ravel())
    # Values stand in the order of their terms: what is stated twice stands side by side.
    is_new = np.ones(len(values), np.bool_)
    is_new[1:] = (values[1:] != values[:-1]) | (subjects[1:] != subjects[:-1])
    return subjects[is_new], values[is_new]


def _with_contested(
    column: OneColumn, subjects: _Numbers, values: _Numbers, spend: Callable[[int], None]
) -> tuple[_Numbers, _Numbers]:
    """Return the answering values with the others that some source states."""
    spend(len(column.contested))
    others = [
        (subject, value)
        for subject, pairs in column.contested.items()
        for value in {value for value, _ in pairs} - {column.value(subject)}
    ]
    more = np.array(others, np.int64).reshape(-1, 2)
    return np.concatenate([subjects, more[:, 0]]), np.concatenate([values, more[:, 1]])
