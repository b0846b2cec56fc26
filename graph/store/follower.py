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

from graph.errors import RhizomeError, StoreCorruptError
from graph.store.directory import Checkpoint, StoreDirectory
from graph.store.log import Log
from graph.store.oxigraph import OxigraphStore
from graph.store.scan import read_stamp
from graph.store.snapshot import Snapshot

_log = logging.getLogger("rhizome.store")

#: Pause after a failure, in seconds: a full disk is not freed at once.
_PAUSE_S = 1.0
#: Quads that are missing from which on it is quicker to build all anew than to apply commits.
_FAR_BEHIND = 50_000


class Follower:
    """The SPARQL store of a dataset and the thread that keeps it in step.

    `checkpoint` is the newest that workers may read; `fault` says why SPARQL is behind, if it
    is. `doubts` counts how often damage was found. `newest` returns the snapshot that readers have.

    Raises
    ------
    StoreCorruptError
        The store holds a revision that the log does not have: commits are missing from the log.
    """

    def __init__(self, store: OxigraphStore, log: Log, newest: Callable[[], Snapshot]) -> None:
        self.store = store
        self.log = log
        self.fault: str | None = None
        self.doubts = 0
        self._newest = newest
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

    def mend(self, reason: str) -> None:
        """Have the store built anew, and wait until its checkpoint is published."""
        with self._changed:
            self._doubt = reason
            self.doubts += 1
            self._changed.notify_all()
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
        behind = self.checkpoint.revision < self._newest().revision
        return behind or self._doubt is not None or self.fault is not None

    def _work(self) -> str | None:
        """Do what is to be done; return what went wrong, in words.

        No exception outlives this call: its frames would keep the database open that a repair
        has to open again.
        """
        try:
            if (doubt := self._doubt) is not None:
                self._rebuild(doubt)
            elif self.fault is not None:
                self.store.reopen()
                self._settle()
            else:
                self._catch_up()
            self._publish(doubt)
        except Exception as error:
            return str(error) or type(error).__name__
        return None

    def _settle(self) -> None:
        """Bring the store to the log's revision, by catching up or by building it anew."""
        fault = find_fault(self.store, self.log) or self._try_catching_up()
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
        for commit in self.log.commits(self.store.revision):
            self.store.apply([commit])

    def _rebuild(self, reason: str) -> None:
        _log.warning("building the SPARQL store anew: %s", reason)
        snapshot = self._newest()
        self.store.rebuild(
            snapshot.quads(), snapshot.revision, snapshot.dataset_hash, snapshot.quad_count
        )

    def _publish(self, doubt: str | None) -> None:
        """Publish a checkpoint; it settles the doubt that was there before it was made."""
        checkpoint = self.store.checkpoint()
        self.checkpoint = checkpoint
        for listener in self._listeners:
            listener(checkpoint)
        with self._changed:
            if self._doubt == doubt:
                self._doubt = None
            self._changed.notify_all()


def find_fault(store: OxigraphStore, log: Log) -> str | None:
    """Return why a store is to be built anew, in words; None when it can catch up with the log.

    Raises
    ------
    StoreCorruptError
        It holds a revision that the log does not have: commits are missing from the log.
    """
    if store.fault is not None:
        return store.fault
    if store.revision > log.revision:
        raise log_behind(log, "the SPARQL store", store.revision)
    if not is_in_step(store, log):
        return f"its dataset hash at revision {store.revision} is not the log's"
    if log.quad_count - store.quad_count > _FAR_BEHIND:
        return f"it is far behind, at revision {store.revision}"
    return None


def is_in_step(derived: Snapshot | OxigraphStore, log: Log) -> bool:
    """Tell whether a derived part has the hash and count that the log states of its revision."""
    if derived.revision == 0:
        return (derived.dataset_hash, derived.quad_count) == (0, 0)
    header = next(iter(log.headers(derived.revision - 1)), None)
    return header is not None and (header.dataset_hash, header.quad_count) == (
        derived.dataset_hash,
        derived.quad_count,
    )


def log_behind(log: Log, part: str, revision: int) -> StoreCorruptError:
    """Return the error of a log that lacks commits which a derived part has."""
    detail = (
        f"it ends at revision {log.revision}, but {part} holds revision {revision}: commits are "
        f"missing; restore the log from a backup, or delete the derived parts to accept the loss"
    )
    return StoreCorruptError(str(log.folder), detail)


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
