"""Many groups of nodes, held as arrays until one is looked at.

Floor 4. Most questions show twenty groups of thousands: the rest is counted, judged and put in
order without a list of its nodes or a text of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

import numpy as np

from schema.group_keys import Coded, Shared
from schema.vectors import Mask, Numbers, Places

#: A group: what it shares by each key, and its nodes.
Group = tuple[tuple[Shared, ...], list[int]]


class Divided(Sequence[Group]):
    """Groups in the order of their keys, or in another; `nodes` is what the codes' places mean."""

    def __init__(self, found: Coded, nodes: Numbers) -> None:
        order = np.argsort(found.codes, kind="stable")
        codes = found.codes[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        self._share, self._codes = found.share, codes[starts]
        self._nodes = nodes[found.places[order]]
        #: The nodes of group n stand from bounds[n] to bounds[n + 1].
        self._bounds: Places = np.append(starts, len(codes))
        self._shown: Places = np.arange(len(starts))

    def __len__(self) -> int:
        return len(self._shown)

    @overload
    def __getitem__(self, at: int) -> Group: ...

    @overload
    def __getitem__(self, at: slice) -> list[Group]: ...

    def __getitem__(self, at: int | slice) -> Group | list[Group]:
        if isinstance(at, slice):
            return list(map(self._group, self._shown[at].tolist()))
        return self._group(int(self._shown[at]))

    def __iter__(self) -> Iterator[Group]:
        return map(self._group, self._shown.tolist())

    def keep(self, judge: Callable[[Numbers, Places], Mask]) -> None:
        """Keep the groups that fit: `judge` is given all nodes, and where those of each end."""
        if len(self._shown):
            self._shown = self._shown[judge(self._nodes, self._bounds)[self._shown]]

    def sort_by_size(self, *, descending: bool) -> None:
        """Put the groups in the order of how many nodes they have; equals keep theirs."""
        sizes = np.diff(self._bounds)[self._shown]
        order = np.argsort(-sizes if descending else sizes, kind="stable")
        self._shown = self._shown[order]

    def _group(self, group: int) -> Group:
        start, end = self._bounds[group : group + 2].tolist()
        nodes: list[int] = self._nodes[start:end].tolist()
        return self._share(int(self._codes[group])), nodes
