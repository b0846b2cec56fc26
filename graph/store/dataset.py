"""The dataset: the log and what is derived from it, held together.

Floor 1. A commit is acknowledged when the log has it; the snapshot is advanced before that is
told to anyone, the SPARQL store right after by a thread of its own, which gathers the commits
that came meanwhile into one checkpoint. At the start every derived part is compared with the log
(revision, dataset hash, count) and caught up or built anew; a full scan follows in the background.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from graph.access import Viewer
from graph.errors import RevisionConflictError
from graph.model import Model
from graph.settings import Settings
from graph.store.build import step
from graph.store.commit import Change, Commit, Position, follow
from graph.store.derive import build_parts, open_image
from graph.store.directory import Checkpoint
from graph.store.follower import Follower, log_behind, store_revision
from graph.store.image import pack_image, write_image
from graph.store.log import Log
from graph.store.oxigraph import OxigraphStore
from graph.store.snapshot import Snapshot

_log = logging.getLogger("rhizome.dataset")

#: Commits after which the image is saved again, so that a start has few to replay.
_IMAGE_EVERY = 500

#: Sees the version that a change applies to, and returns the change as it is to be recorded.
Settle = Callable[[Snapshot, Change], Change]


@dataclass(eq=False, slots=True)
class _Pending:
    """A commit that is decided and not yet durable."""

    commit: Commit
    snapshot: Snapshot
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Dataset:
    """Log, snapshot and SPARQL store of one folder, with one writer.

    `snapshot` is the version for new readers; `folder` the store's folder. Methods may be called
    from any thread.
    """

    def __init__(self, settings: Settings, model: Model, log: Log, snapshot: Snapshot) -> None:
        self.settings = settings
        self.model = model
        self.folder = settings.store
        self.log = log
        self.snapshot = snapshot
        self._tip = snapshot
        self._last: Position = log
        self._queue: list[_Pending] = []
        self._order = threading.Lock()
        self._durable = threading.Lock()
        self._changed = threading.Condition()
        self._listeners: list[Callable[[Commit, Snapshot], None]] = []
        self._follower: Follower | None = None
        self._image_revision = snapshot.revision

    @classmethod
    def open(cls, settings: Settings, model: Model, *, with_store: bool = True) -> Dataset:
        """Return the dataset of `settings.store`, derived parts in step with the log.

        `with_store` false leaves the SPARQL store as it is, for commands that do not query.

        Raises
        ------
        StoreCorruptError
            The log is damaged, or it is behind a derived part: commits are missing from it.
        StoreUnavailableError
            A file cannot be read.
        """
        log = Log.open(settings.store / "log")
        image, image_revision = open_image(settings.store / "image", model, log)
        folder = settings.store / "oxigraph"
        with ExitStack() as stack:
            store = None
            if with_store:
                store = OxigraphStore.open(folder, model.system_quads)
                stack.callback(store.close)
            elif (store_revision(folder) or 0) > log.revision:
                raise log_behind(log, "the SPARQL store", store_revision(folder) or 0)
            dataset = cls(settings, model, log, image or build_parts(model, log, store))
            dataset._image_revision = image_revision
            if store is not None:
                dataset._follower = Follower(store, log, lambda: dataset.snapshot)
            stack.pop_all()
        return dataset

    # --- reading --------------------------------------------------------------------------

    def snapshot_for(self, viewer: Viewer) -> Snapshot:
        """Return the version that a viewer sees: that of its level."""
        return self.seen_by(viewer, self.snapshot)

    def seen_by(self, viewer: Viewer, snapshot: Snapshot) -> Snapshot:
        """Return what a viewer's level sees of a version. There is one level yet."""
        del viewer
        return snapshot

    def wait_for(self, revision: int, timeout_s: float) -> Snapshot:
        """Return a version of at least this revision, or the newest when time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self.snapshot.revision >= revision, timeout_s)
        return self.snapshot

    # --- writing --------------------------------------------------------------------------

    def commit(
        self, change: Change, expect: int | None = None, settle: Settle | None = None
    ) -> Commit | None:
        """Record a change and return its commit, or None when nothing would change.

        Parameters
        ----------
        change : Change
            What is asked; quads that are there already, or not there, are left out.
        expect : int, optional
            The revision that the caller saw; nothing is recorded when there is a later one.
        settle : callable, optional
            Called with the version that the change applies to, while no other change can come
            between: validates, and returns the change to record, or raises.

        Raises
        ------
        RevisionConflictError
            There is a later revision than `expect`.
        StoreFullError, StoreUnavailableError
            The log could not be written; nothing changed.
        """
        while True:
            with self._order:
                if expect is not None and self._tip.revision != expect:
                    raise RevisionConflictError(expect, self._tip.revision)
                settled = change if settle is None else settle(self._tip, change)
                pending = self._decide(settled)
                is_durable = self._tip is self.snapshot
            if pending is not None:
                break
            if is_durable:
                return None
            # What is asked stands already, but in commits that may yet fail: wait, look again.
            self._make_durable(None)
        self._make_durable(pending)
        if pending.error is not None:
            raise pending.error
        return pending.commit

    def on_commit(self, listener: Callable[[Commit, Snapshot], None]) -> None:
        """Call a function with each commit and its version, in the thread that recorded it.

        Calls come in the order of revisions, once readers see the version or a later one.
        """
        self._listeners.append(listener)

    def _decide(self, change: Change) -> _Pending | None:
        tip = self._tip
        added = {quad for quad in change.added if not tip.contains(quad)}
        removed = {quad for quad in change.removed if tip.contains(quad)} - set(change.added)
        if not added and not removed:
            return None
        commit = follow(self._last, change, added, removed, self.model.version)
        pending = _Pending(commit, step(tip, commit))
        self._queue.append(pending)
        self._tip, self._last = pending.snapshot, commit
        return pending

    def _make_durable(self, pending: _Pending | None) -> None:
        """Record all that is waiting with one sync, unless another thread did so meanwhile."""
        with self._durable:
            if pending is not None and pending.done.is_set():
                return
            with self._order:
                batch, self._queue = self._queue, []
            if not batch:
                return
            try:
                commits = self.log.append([each.commit for each in batch])
            except BaseException as error:
                self._undo(batch, error)
                return
            for each, commit in zip(batch, commits, strict=True):
                each.commit = commit
            self._publish(batch)

    def _undo(self, batch: list[_Pending], error: BaseException) -> None:
        """Fail what was not recorded, and what was decided on top of it."""
        with self._order:
            batch, self._queue = batch + self._queue, []
            self._tip, self._last = self.snapshot, self.log
        for each in batch:
            each.error = error
            each.done.set()

    def _publish(self, batch: list[_Pending]) -> None:
        with self._changed:
            self.snapshot = batch[-1].snapshot
            self._changed.notify_all()
        self._renew_search()
        if self._follower is not None:
            self._follower.tell()
        for each in batch:
            each.done.set()
            for listener in self._listeners:
                listener(each.commit, each.snapshot)
        if self.log.revision - self._image_revision >= _IMAGE_EVERY:
            threading.Thread(target=self.save_image, name="image", daemon=True).start()

    def _renew_search(self) -> None:
        """Let the search index begin anew where it is due and nothing waits that may yet fail."""
        if self._order.acquire(blocking=False):  # else another commit is decided, and comes here
            try:
                if self._tip is self.snapshot:
                    self.snapshot.search.renew(self.snapshot)
            finally:
                self._order.release()

    # --- the SPARQL store -------------------------------------------------------------------

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
            self._follower.mend(reason)

    def prune_checkpoints(self, in_use: frozenset[Path]) -> None:
        """Delete the checkpoints that are neither in use nor the newest."""
        if self.store is not None:
            self.store.prune(in_use)

    # --- keeping ---------------------------------------------------------------------------

    def save_image(self) -> None:
        """Save the snapshot, so that the next start need not replay the log."""
        with self._order:  # commits add terms
            snapshot = self.snapshot
            if snapshot.revision == self._image_revision:
                return
            parts = pack_image(snapshot)
        try:
            write_image(parts, self.folder / "image")
            self._image_revision = snapshot.revision
        except OSError as error:
            _log.warning("the snapshot's image could not be saved: %s", error)

    def close(self) -> None:
        """Save the image and let go of the files."""
        self.save_image()
        if self._follower is not None:
            self._follower.close()
        self.log.close()
