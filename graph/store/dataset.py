"""The dataset: the log and what is derived from it, held together.

Floor 1. A commit is acknowledged when the log has it; the snapshot is advanced before that is
told to anyone, the SPARQL store right after by a thread of its own, which gathers the commits
that came meanwhile into one checkpoint. At the start every derived part is compared with the log
(revision, dataset hash, count) and caught up or built anew; a full scan follows in the background.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from graph.access import Level, Viewer
from graph.errors import ReplicaError, RevisionConflictError
from graph.model import Model
from graph.settings import Settings
from graph.store.commit import Change, Commit, Position, follow
from graph.store.derive import build_parts
from graph.store.external_follower import ExternalFollower
from graph.store.feed import Feed
from graph.store.follower import Follower, store_revision
from graph.store.level_images import open_images, pack_levels, write_levels
from graph.store.level_stores import HigherStores, PublicStore, store_folder
from graph.store.levels import Levels, LevelView, follow_commit
from graph.store.log import Log, log_behind
from graph.store.oxigraph import OxigraphStore
from graph.store.replica import Received, require_effective
from graph.store.role import read_writer
from graph.store.snapshot import Snapshot

_log = logging.getLogger("rhizome.dataset")

#: Commits after which the image is saved again, so that a start has few to replay.
_IMAGE_EVERY = 500

#: Sees the version that a change applies to, and returns the change as it is to be recorded.
Settle = Callable[[Levels, Change], Change]


@dataclass(eq=False, slots=True)
class _Pending:
    """A commit that is decided and not yet durable."""

    commit: Commit
    levels: Levels
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Dataset(PublicStore):
    """Log, snapshots and SPARQL stores of one folder, with one writer.

    `levels` is the version for new readers, at each visibility level; `folder` the store's
    folder; `higher` are the SPARQL stores above the public one; `writer` is the URL that a replica
    follows: it takes no changes of its own. Methods may be called from any thread.
    """

    def __init__(self, settings: Settings, model: Model, log: Log, levels: Levels) -> None:
        self.settings = settings
        self.model = model
        self.folder = settings.store
        self.log = log
        self.levels = levels
        self.higher: HigherStores | None = None
        self.writer = read_writer(settings.store)
        #: Keeps the SPARQL server of others in step, where the settings name one.
        self.external: ExternalFollower | None = None
        self._tip = levels
        self._last: Position = log
        self._queue: list[_Pending] = []
        self._order = threading.Lock()
        self._durable = threading.Lock()
        self._changed = threading.Condition()
        self._listeners: list[Callable[[Commit, Levels], None]] = []
        self._image_revision = levels.revision
        self._saving = threading.Lock()
        self._is_indexed = False

    @classmethod
    def open(cls, settings: Settings, model: Model, *, with_store: bool = True) -> Dataset:
        """Return the dataset of `settings.store`, derived parts in step with the log.

        `with_store` false leaves the SPARQL stores as they are, for commands that do not query.

        Raises
        ------
        StoreCorruptError
            The log is damaged, or it is behind a derived part: commits are missing from it.
        StoreUnavailableError
            A file cannot be read.
        """
        log = Log.open(settings.store / "log")
        levels, image_revision = open_images(settings.store, model, log)
        folder = store_folder(settings.store, Level.PUBLIC)
        with ExitStack() as stack:
            store = None
            if with_store:
                store = OxigraphStore.open(folder, model.system_quads)
                stack.callback(store.close)
            elif (store_revision(folder) or 0) > log.revision:
                raise log_behind(log, "the SPARQL store", store_revision(folder) or 0)
            dataset = cls(settings, model, log, levels or build_parts(model, log, store))
            dataset._image_revision = image_revision
            if store is not None:
                dataset._follow(store)
            stack.pop_all()
        return dataset

    def _follow(self, store: OxigraphStore) -> None:
        """Let the SPARQL stores follow the versions that readers have."""

        def newest() -> Levels:
            return self.levels

        self._follower = Follower(store, Feed(self.log, newest, Level.PUBLIC))
        self.higher = HigherStores(self.folder, self.model.system_quads, self.log, newest)
        self.higher.follow(self.levels)

    # --- reading --------------------------------------------------------------------------

    @property
    def fault(self) -> str | None:
        """Why SPARQL is behind the log, or not answered, in words, if it is."""
        outside = None if self.external is None else self.external.fault
        return super().fault or outside

    @property
    def revision(self) -> int:
        """The revision that readers have, at whatever level."""
        return self.levels.revision

    @property
    def snapshot(self) -> Snapshot:
        """All that stands in the dataset, whoever may read it: for the log's own matters."""
        return self.levels.whole

    def view_for(self, viewer: Viewer) -> LevelView:
        """Return what a viewer's level sees now."""
        return self.levels.at(viewer.level)

    def snapshot_for(self, viewer: Viewer) -> Snapshot:
        """Return the version that a viewer sees: that of its level."""
        return self.view_for(viewer).snapshot

    def follower_for(self, viewer: Viewer, timeout_s: float = 0.0) -> Follower | None:
        """Return what keeps the SPARQL store of a viewer's level; None where it is not ready."""
        return self.follower_of(self.view_for(viewer).level, timeout_s)

    def follower_of(self, level: Level, timeout_s: float = 0.0) -> Follower | None:
        """Return what keeps the SPARQL store of a level that there is; None until it is ready."""
        if level is Level.PUBLIC or self.higher is None:
            return self._follower
        return self.higher.wait_for(level, timeout_s)

    def wait_for(self, revision: int, timeout_s: float) -> Snapshot:
        """Return a version of at least this revision, or the newest when time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self.revision >= revision, timeout_s)
        return self.snapshot

    def index_texts(self) -> None:
        """Read what can be searched, in the background: searches are refused until that is done."""
        self._is_indexed = True
        for view in self.levels.views:
            if not view.snapshot.search.is_ready:
                build, args = view.snapshot.search.build, (view.snapshot,)
                threading.Thread(target=build, args=args, name="search", daemon=True).start()

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
        ReplicaError
            This is the copy of a writer's dataset.
        RevisionConflictError
            There is a later revision than `expect`.
        StoreFullError, StoreUnavailableError
            The log could not be written; nothing changed.
        """
        self.require_writer()
        while True:
            with self._order:
                if expect is not None and self._tip.revision != expect:
                    raise RevisionConflictError(expect, self._tip.revision)
                settled = change if settle is None else settle(self._tip, change)
                pending = self._decide(settled)
                is_durable = self._tip is self.levels
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

    def require_writer(self) -> None:
        """Check that changes are taken here.

        Raises
        ------
        ReplicaError
            They are not: this is the copy of a writer's dataset.
        """
        if self.writer is not None:
            raise ReplicaError(self.writer)

    def adopt(self, received: Sequence[Received]) -> None:
        """Record verified commits of the writer that is followed, and publish their versions.

        Raises
        ------
        FollowError
            One adds what is there, or removes what is not; nothing is recorded.
        StoreFullError, StoreUnavailableError
            The log could not be written; nothing changed.
        """
        with self._durable:
            batch: list[_Pending] = []
            with self._order:  # commits add terms
                tip = self.levels
                for each in received:
                    require_effective(tip.whole, each.commit, self.writer or "")
                    tip = follow_commit(tip, each.commit)
                    batch.append(_Pending(each.commit, tip))
            self.log.append_copies([each.copy for each in received])
            with self._order:
                self._tip, self._last = tip, self.log
            self._publish(batch)

    def on_commit(self, listener: Callable[[Commit, Levels], None]) -> None:
        """Call a function with each commit and its version, in the thread that recorded it.

        Calls come in the order of revisions, once readers see the version or a later one.
        """
        self._listeners.append(listener)

    def _decide(self, change: Change) -> _Pending | None:
        tip = self._tip.whole
        added = {quad for quad in change.added if not tip.contains(quad)}
        removed = {quad for quad in change.removed if tip.contains(quad)} - set(change.added)
        if not added and not removed:
            return None
        commit = follow(self._last, change, added, removed, self.model.version)
        pending = _Pending(commit, follow_commit(self._tip, commit))
        self._queue.append(pending)
        self._tip, self._last = pending.levels, commit
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
            self._tip, self._last = self.levels, self.log
        for each in batch:
            each.error = error
            each.done.set()

    def _publish(self, batch: list[_Pending]) -> None:
        before, newest = self.levels, batch[-1].levels
        renewed = frozenset[Level]().union(*(each.levels.renewed for each in batch))
        with self._changed:
            self.levels = newest
            self._changed.notify_all()
        self._renew_search()
        known = {id(view.snapshot.search) for view in before.views}
        if self._is_indexed and any(id(v.snapshot.search) not in known for v in newest.views):
            self.index_texts()  # of a level that began, or was built anew before it had an index
        if self._follower is not None and self.higher is not None:
            if Level.PUBLIC in renewed:
                self._follower.hold("a graph was hidden from its level")
            self._follower.tell()
            self.higher.follow(newest, renewed)
        for each in batch:
            each.done.set()
            for listener in self._listeners:
                listener(each.commit, each.levels)
        is_due = self.log.revision - self._image_revision >= _IMAGE_EVERY
        if is_due and not self._saving.locked():  # writing a large one may take many commits
            threading.Thread(target=self.save_image, name="image", daemon=True).start()

    def _renew_search(self) -> None:
        """Let search indexes begin anew where it is due and nothing waits that may yet fail."""
        if self._order.acquire(blocking=False):  # else another commit is decided, and comes here
            try:
                if self._tip is self.levels:
                    for view in self.levels.views:
                        view.snapshot.search.renew(view.snapshot)
            finally:
                self._order.release()

    # --- keeping ---------------------------------------------------------------------------

    def save_image(self) -> None:
        """Save the snapshots, so that the next start need not replay the log; one at a time."""
        with self._saving:
            with self._order:  # commits add terms
                levels = self.levels
                if levels.revision == self._image_revision:
                    return
                images = pack_levels(levels)
            try:
                write_levels(images, self.folder)
                self._image_revision = levels.revision
            except OSError as error:
                _log.warning("the snapshot's image could not be saved: %s", error)

    def close(self) -> None:
        """Save the image and let go of the files."""
        self.save_image()
        if self.higher is not None:
            self.higher.close()
        if self._follower is not None:
            self._follower.close()
        self.log.close()
