"""What asks a condition of many nodes at once: masks, and how they are joined.

Floor 4. A mask says of each node of a batch whether it fits. Which mask a condition has is said in
`schema/masks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from schema import vectors
from schema.filters import Condition
from schema.vectors import Batch, Mask

#: From a list of nodes to which of them fit.
Masker = Callable[[Batch], Mask]
#: Nodes that are looked at together when only the first that fit are wanted, at the beginning.
_FIRST: Final = 256


class Chosen:
    """A condition that can be asked of one node and of a list."""

    def __init__(self, holds: Condition, mask: Callable[[], Masker]) -> None:
        self.holds = holds
        self._make = mask

    def __call__(self, number: int) -> bool:
        """Tell whether a node fits."""
        return self.holds(number)

    @cached_property
    def mask(self) -> Masker:
        """Tells of many nodes which of them fit."""
        return self._make()

    def select(self, values: Sequence[int]) -> list[int]:
        """Return the nodes of a list that fit, in its order."""
        if len(values) < vectors.LEAST:
            return list(filter(self.holds, values))
        batch = Batch(values)
        found: list[int] = batch.nodes[self.mask(batch)].tolist()
        return found

    def first(self, values: Sequence[int], count: int) -> list[int]:
        """Return the first nodes of a list that fit, at most so many."""
        found: list[int] = []
        start, size = 0, max(_FIRST, 2 * count)
        while start < len(values) and len(found) < count:
            found += self.select(values[start : start + size])
            start, size = start + size, 4 * size
        return found[:count]


def all_hold(tests: Sequence[Masker], batch: Batch) -> Mask:
    """Return which nodes fit all; each test is asked only of those that fitted those before."""
    return _narrowed(tests, batch, wanted=True)


def some_hold(tests: Sequence[Masker], batch: Batch) -> Mask:
    """Return which nodes fit at least one; each is asked only of those that fitted none before."""
    return _narrowed(tests, batch, wanted=False)


def _narrowed(tests: Iterable[Masker], batch: Batch, *, wanted: bool) -> Mask:
    found = np.full(len(batch), wanted)
    for test in tests:
        places = np.flatnonzero(found == wanted)
        if not len(places):
            break
        rest = batch if len(places) == len(batch) else Batch(batch.nodes[places])
        found[places] = test(rest)
    return found


def one_by_one(holds: Condition) -> Masker:
    """Return the mask of a condition that has no form over arrays."""
    return lambda batch: np.fromiter(map(holds, batch.nodes.tolist()), np.bool_, len(batch))


def where_chosen(chosen: Mask, holds: Condition, batch: Batch) -> Mask:
    """Return which of the chosen nodes fit."""
    found = np.zeros(len(batch), np.bool_)
    places = np.flatnonzero(chosen)
    if len(places):
        found[places] = one_by_one(holds)(Batch(batch.nodes[places]))
    return found
