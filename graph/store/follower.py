"""Keeps the SPARQL store in step with the log: applies commits, publishes checkpoints, mends.

Floor 1. One thread does all of it, so that no two repairs meet. Commits that come while a
checkpoint is made are gathered into the next one. What goes wrong is said, and tried again: the
log has the commits, so nothing is lost by waiting.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pyoxigraph as ox

from graph.errors import RhizomeError
from graph.store.directory import Checkpoint, StoreDirectory
from graph.store.feed import Feed, MovedError
from graph.store.oxigraph import OxigraphStore
from graph.store.scan import read_stamp

_log = logging.getLogger("rhizome.store")

#: Pause after a failure, in seconds: a full disk is not freed at once.
_PAUSE_S = 1.0
#: Quads that are missing from which on it is quicker to build all anew than to apply commits.
_FAR_BEHIND = 50_000


class Follower:
    """The SPARQL store of a dataset and the thread that keeps it in step.

    `checkpoint` is the newest that workers may read; `fault` says why SPARQL is behind, if it
    is. `doubts` counts how often damage was found. `feed` tells what the store has to hold.

    Raises
    ------
    StoreCorruptError
        The store holds a revision that the log does not have: commits are missing from the log.
    """

    def __init__(self, store: OxigraphStore, feed: Feed) -> None:
        self.store = store
        self.feed = feed
        self.fault: str | None = None
        self.doubts = 0
        self._changed = threading.Condition()
        self._listeners: list[Callable[[Checkpoint], None]] = []
        self._doubt: str | None = None  # why the store is to be built anew
        self._is_stopping = False
        self._settle()
        self.checkpoint: Checkpoint = self.store.checkpoint()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    # --- for others -----------------------------------------------------------------------

    @property
    def doubt(self) -> str | None:
        """Why the store is being built anew, if it is: nothing may be answered from it."""
        return self._doubt

    def tell(self) -> None:
        """Say that there is a new commit."""
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, revision: int, timeout_s: float) -> bool:
        """Tell whether a checkpoint of at least this revision is there within the time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.checkpoint.revision >= revision and self._doubt is None, timeout_s
            )

    def on_checkpoint(self, listener: Callable[[Checkpoint], None]) -> None:
        """Call a function with each new checkpoint, in this thread."""
        self._listeners.append(listener)

    def prune_checkpoints(self, in_use: frozenset[Path]) -> None:
        """Delete the checkpoints that are neither in use nor the newest."""
        self.store.prune(in_use)

    def hold(self, reason: str) -> None:
        """Let nothing be answered until the store is built anew, and have that done."""
        with self._changed:
            self._doubt = reason
            self.doubts += 1
            self._changed.notify_all()

    def mend_store(self, reason: str) -> None:
        """Have the store built anew, and wait until its checkpoint is published."""
        self.hold(reason)
        with self._changed:
            self._changed.wait_for(lambda: self._doubt is None or self._is_stopping)

    def close(self) -> None:
        """Stop following and let go of the store."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._thread.join()
        self.store.close()

    # --- the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping or self._has_work())
                if self._is_stopping:
                    return
            self.fault = self._work()
            if self.fault is not None:
                _log.error("the SPARQL store cannot follow: %s", self.fault)
                with self._changed:
                    self._changed.wait_for(lambda: self._is_stopping, _PAUSE_S)

    def _has_work(self) -> bool:
        behind = self.checkpoint.revision < self.feed.newest().revision
        return behind or self._doubt is not None or self.fault is not None

    def _work(self) -> str | None:
        """Do what is to be done; return what went wrong, in words.

        No exception outlives this call: its frames would keep the database open that a repair
        has to open again.
        """
        doubts = self.doubts  # before anything is read: one that comes later is not settled
        try:
            if (doubt := self._doubt) is not None:
                self._rebuild(doubt)
            elif self.fault is not None:
                self.store.reopen()
                self._settle()
            else:
                self._catch_up()
            self._publish(doubts)
        except Exception as error:
            return str(error) or type(error).__name__
        return None

    def _settle(self) -> None:
        """Bring the store to the log's revision, by catching up or by building it anew."""
        fault = self.feed.find_fault(self.store) or self._try_catching_up()
        if fault is not None:
            self.store.fault = fault
            self._rebuild(fault)

    def _try_catching_up(self) -> str | None:
        try:
            self._catch_up()
        except (RhizomeError, ValueError, SyntaxError) as error:
            return str(error)
        return None

    def _catch_up(self) -> None:
        try:
            for commit in self.feed.commits(self.store):
                self.store.apply([commit])
        except MovedError:
            self._rebuild("a graph moved between levels")
        if not self.feed.is_reached(self.store):
            self._rebuild("it holds something else than its level")

    def _rebuild(self, reason: str) -> None:
        _log.warning("building the SPARQL store anew: %s", reason)
        levels = self.feed.newest()
        snapshot = levels.at(self.feed.level).snapshot
        self.store.rebuild(
            snapshot.quads(), levels.revision, snapshot.dataset_hash, snapshot.quad_count
        )
        self.feed.take(levels)

    def _publish(self, doubts: int) -> None:
        """Publish a checkpoint; it settles the doubts, so many, that were there before it was made.

        They are counted, since two of them may have the same words.
        """
        checkpoint = self.store.checkpoint()
        self.checkpoint = checkpoint
        for listener in self._listeners:
            listener(checkpoint)
        with self._changed:
            if self.doubts == doubts:
                self._doubt = None
            self._changed.notify_all()


def store_revision(folder: Path) -> int | None:
    """Return the revision that the SPARQL store in a folder holds, without changing anything.

    None where there is no store, or one that a start would build anew. Nobody may write to it
    meanwhile: who asks holds the lock of the dataset.
    """
    try:
        live = StoreDirectory(folder).live()
        stamp = None if live is None else read_stamp(ox.Store.read_only(str(live)))
    except (OSError, RuntimeError):
        return None
    return None if stamp is None else stamp.revision
