"""Orders of connections: keys, where unknown values stand, and the place of a cursor among them.

Floor 4. Texts are ordered as the reader sees them: in the best of the reader's languages, by
`schema/collation.py`. Ties go by identifier, so an order is always total and pages never overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np

from graph.errors import CursorError
from graph.store.snapshot import Snapshot
from graph.store.term_table import NIL
from schema import vectors
from schema.collation import LENGTH, collation_key
from schema.cursors import Cursor
from schema.turns import sorted_in_turns
from schema.vectors import (
    Batch,
    Numbers,
    Places,
)

#: From a node's number (or those of a list) to what its cursor holds: text, a number, or None.
Read = Callable[[Any], str | int | None]

T = TypeVar("T")

#: Rank of what is unknown.
_LAST: Final = 1 << 62


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
