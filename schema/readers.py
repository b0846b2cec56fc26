"""Readers: the code of plans, bound to the snapshot that is asked now.

Floor 4. A plan takes some twenty columns; taking them anew for each request would cost as much as
a small answer. What was bound to an older snapshot is let go at once, since it would keep all the
pages of that version in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graph.access import Level
from graph.store.levels import Levels
from graph.store.snapshot import Snapshot
from schema.generate import Executable, Reader
from schema.run import Tables


class _Served(NamedTuple):
    snapshot: Snapshot
    tables: Tables
    readers: dict[Executable, Reader]


class Readers:
    """The readers of one snapshot a level, at most `readers_max`. Safe to use from threads.

    `newest` gives the newest version: what no level has any more, since something was hidden from
    it or it ended, is let go at the first question after that.
    """

    def __init__(self, readers_max: int, newest: Callable[[], Levels] | None = None) -> None:
        self.readers_max = readers_max
        self.newest = newest
        # By term table: each visibility level has one of its own, and is asked beside the others.
        self._served: dict[int, _Served] = {}

    def find(self, executable: Executable, snapshot: Snapshot) -> Reader:
        """Return the reader of a snapshot that a plan's code makes."""
        lineage = id(snapshot.terms)
        served = self._served.get(lineage)
        if served is None or served.snapshot is not snapshot:
            served = _Served(snapshot, Tables(snapshot), {})
            others = {k: v for k, v in self._served.items() if k != lineage}
            if self.newest is not None:
                present = {id(view.snapshot.terms) for view in self.newest().views}
                others = {k: v for k, v in others.items() if k in present}
            while len(others) >= len(Level):
                others.pop(next(iter(others)))
            self._served = {**others, lineage: served}
        reader = served.readers.get(executable)
        if reader is None:
            reader = executable(served.tables)
            if len(served.readers) >= self.readers_max:
                served.readers.clear()
            served.readers[executable] = reader
        return reader
