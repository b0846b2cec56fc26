"""The SPARQL stores of a dataset: one a level, in folders of their own.

Floor 1. The public store is always there. Those of higher levels are begun when such graphs exist
and deleted with the last of them, by one thread, so that no commit waits for either.
"""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from graph.access import Level
from graph.errors import RhizomeError
from graph.store.directory import Checkpoint
from graph.store.feed import Feed
from graph.store.follower import Follower
from graph.store.levels import Levels
from graph.store.log import Log
from graph.store.oxigraph import OxigraphStore
from graph.terms import Quad

_log = logging.getLogger("rhizome.store")

NAME = "oxigraph"
_HIDDEN = "a graph was hidden from its level"


def store_folder(folder: Path, level: Level) -> Path:
    """Return the folder of a level's store within that of the dataset."""
    return folder / (NAME if level is Level.PUBLIC else f"{NAME}-{level.name.lower()}")


class PublicStore:
    """The store of the public level, as query workers follow it; none where it was not opened."""

    _follower: Follower | None = None

    @property
    def store(self) -> OxigraphStore | None:
        """The SPARQL store, where it was opened."""
        return None if self._follower is None else self._follower.store

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest copy of the SPARQL store that workers may read."""
        return None if self._follower is None else self._follower.checkpoint

    @property
    def fault(self) -> str | None:
        """Why the SPARQL store is behind the log, in words, if it is."""
        return None if self._follower is None else self._follower.fault

    @property
    def doubt(self) -> str | None:
        """Why the SPARQL store is being built anew, if it is."""
        return None if self._follower is None else self._follower.doubt

    @property
    def doubts(self) -> int:
        """How often the SPARQL store was found damaged."""
        return 0 if self._follower is None else self._follower.doubts

    def wait_for_store(self, revision: int, timeout_s: float) -> bool:
        """Tell whether a checkpoint of at least this revision is there within the time."""
        return self._follower is not None and self._follower.wait_for(revision, timeout_s)

    def on_checkpoint(self, listener: Callable[[Checkpoint], None]) -> None:
        """Call a function with each new checkpoint of the SPARQL store, in its thread."""
        if self._follower is not None:
            self._follower.on_checkpoint(listener)

    def mend_store(self, reason: str) -> None:
        """Build the SPARQL store anew from the snapshot, since damage was met in it."""
        if self._follower is not None:
            self._follower.mend_store(reason)

    def prune_checkpoints(self, in_use: frozenset[Path]) -> None:
        """Delete the checkpoints that are neither in use nor the newest."""
        if self._follower is not None:
            self._follower.prune_checkpoints(in_use)


class HigherStores:
    """The stores of the levels above public. Methods may be called from any thread."""

    def __init__(
        self, folder: Path, system: Iterable[Quad], log: Log, newest: Callable[[], Levels]
    ) -> None:
        self._folder = folder
        self._system = tuple(system)
        self._log = log
        self._newest = newest
        self._followers: dict[Level, Follower] = {}
        self._wanted: frozenset[Level] | None = None
        self._hidden: dict[Level, int] = {}  # the last revision that hid something from a level
        self._jobs: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="levels", daemon=True)
        self._thread.start()

    def follow(self, levels: Levels, renewed: frozenset[Level] = frozenset()) -> None:
        """Let there be a store for each level that there now is, and tell those that there are.

        A level from which something was hidden (`renewed`) answers nothing until its store is
        built anew.
        """
        for level in renewed:  # before the stores are looked at: one that comes now looks here
            self._hidden[level] = levels.revision
        for level, follower in list(self._followers.items()):
            if level in renewed:
                follower.hold(_HIDDEN)
            follower.tell()
        wanted = frozenset(view.level for view in levels.views) - {Level.PUBLIC}
        if wanted != self._wanted:
            self._wanted = wanted
            self._jobs.put(True)

    def at(self, level: Level) -> Follower | None:
        """Return what follows a level, or None where that is not ready."""
        return self._followers.get(level)

    def wait_for(self, level: Level, timeout_s: float) -> Follower | None:
        """Return what follows a level, once it is ready; None where the time is not enough."""
        with self._changed:
            self._changed.wait_for(lambda: level in self._followers, timeout_s)
        return self._followers.get(level)

    def close(self) -> None:
        """Let go of all stores."""
        self._jobs.put(False)
        self._thread.join()
        for follower in self._followers.values():
            follower.close()

    def _run(self) -> None:
        while self._jobs.get():
            try:
                self._settle()
            except (RhizomeError, OSError) as error:
                _log.error("the SPARQL stores of higher levels cannot follow: %s", error)
                self._wanted = None  # the next commit tries again

    def _settle(self) -> None:
        wanted = {view.level for view in self._newest().views} - {Level.PUBLIC}
        for level in Level:
            if level is Level.PUBLIC:
                continue
            folder = store_folder(self._folder, level)
            if level not in wanted:
                follower = self._followers.pop(level, None)
                if follower is not None:
                    follower.close()
                shutil.rmtree(folder, ignore_errors=True)
            elif level not in self._followers:
                store = OxigraphStore.open(folder, self._system)
                try:
                    made = Follower(store, Feed(self._log, self._newest, level))
                except BaseException:
                    store.close()
                    raise
                with self._changed:
                    self._followers[level] = made
                    if made.checkpoint.revision < self._hidden.get(level, 0):
                        made.hold(_HIDDEN)
                    self._changed.notify_all()
