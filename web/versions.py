"""The latest versions of the dataset, for those who are told of changes one by one.

Floor 5. Lives in the event loop: commits are handed to it in their order. A version is kept until
all have gone on from it, or until there are too many: who is that slow goes on to the newest, and
what lies between is told as one. What many need is computed once, in a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from graph.errors import GoneError
from graph.store.advance import rewind
from graph.store.difference import find_difference
from schema.notices import CommitNote, Step
from web.lanes import Lane

if TYPE_CHECKING:
    from graph.access import Viewer
    from graph.settings import Settings
    from graph.store.commit import Commit
    from graph.store.dataset import Dataset
    from graph.store.record import Header
    from graph.store.snapshot import Snapshot

Key = TypeVar("Key")
Result = TypeVar("Result")

#: Commits that a notice names at most, the latest.
_COMMITS: Final = 100
#: Versions of the past that are kept for others who come back from there, and ways from there.
_PAST: Final = 4


class Version(NamedTuple):
    """One version, and the commit that made it, where it was seen."""

    snapshot: Snapshot
    note: CommitNote | None


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The place before the first commit."""

    revision: int = 0
    time: str = ""
    dataset_hash: int = 0
    quad_count: int = 0


class Versions:
    """The newest version and some before it; `readers` gives the revisions that readers are at."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        readers: Callable[[], Iterable[int]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.dataset = dataset
        self.settings = settings
        self._readers = readers
        self._loop = loop
        self._changed = asyncio.Event()
        self._lane = Lane("subscriptions that compare versions", 1)
        self._steps: dict[tuple[int, int, int], asyncio.Task[Step]] = {}
        self._past: dict[int, asyncio.Task[Snapshot]] = {}
        dataset.on_commit(self._listen)
        self._kept = deque([Version(dataset.snapshot, None)], max(1, settings.subscription_backlog))

    @property
    def newest(self) -> Version:
        """The newest version."""
        return self._kept[-1]

    def after(self, revision: int) -> Version | None:
        """Return the version to tell after a revision: the next, or the newest if that is gone."""
        newest = self.newest
        if newest.snapshot.revision <= revision:
            return None
        place = len(self._kept) - (newest.snapshot.revision - revision)
        return self._kept[place] if place >= 0 else newest

    async def changed(self) -> None:
        """Return once there is a new version, or `wake` was called."""
        await self._changed.wait()

    def wake(self) -> None:
        """Let all who wait go on."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def step(self, viewer: Viewer, before: Snapshot, after: Version) -> Step:
        """Return the way from one version to another, as a viewer sees them."""
        key = (before.revision, after.snapshot.revision, viewer.level)
        oldest = self._kept[0].snapshot.revision
        if before.revision < oldest and key not in self._steps:  # a step holds its versions
            _make_room(self._steps, [k for k in self._steps if k[0] < oldest])
        return await self._once(self._steps, key, partial(self._make_step, viewer, before, after))

    async def at(self, revision: int) -> Snapshot:
        """Return the version of a revision.

        Raises
        ------
        GoneError
            It lies too far back.
        """
        while self.newest.snapshot.revision < revision:  # it is on its way here
            await self.changed()
        for version in self._kept:
            if version.snapshot.revision == revision:
                return version.snapshot
        if revision not in self._past:
            _make_room(self._past, list(self._past))
        newest = self.newest.snapshot
        return await self._once(self._past, revision, partial(self._go_back, newest, revision))

    # --- in the loop ------------------------------------------------------------------------

    def _listen(self, commit: Commit, snapshot: Snapshot) -> None:
        """Hand a commit to the loop; called in any thread."""
        note = _note_of(commit)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, Version(snapshot, note))

    def _take(self, version: Version) -> None:
        if version.snapshot.revision <= self.newest.snapshot.revision:
            return  # it was there when this began
        oldest = min(self._readers(), default=self.newest.snapshot.revision)
        while self._kept and self._kept[0].snapshot.revision < oldest:
            self._kept.popleft()
        self._kept.append(version)
        kept_from = self._kept[0].snapshot.revision
        self._steps = {k: step for k, step in self._steps.items() if k[0] >= kept_from}
        self._past.clear()
        self.wake()

    async def _once(
        self,
        known: dict[Key, asyncio.Task[Result]],
        key: Key,
        make: Callable[[], Result],
    ) -> Result:
        """Return what is made in a thread, once for all who ask meanwhile."""
        task = known.get(key)
        if task is None:
            run = self._lane.run(make, self.settings.subscriptions)
            task = known[key] = asyncio.create_task(run)
        try:
            return await asyncio.shield(task)
        except Exception:
            known.pop(key, None)
            raise

    # --- in a thread ------------------------------------------------------------------------

    def _make_step(self, viewer: Viewer, before: Snapshot, after: Version) -> Step:
        seen_by = self.dataset.seen_by
        difference = find_difference(seen_by(viewer, before), seen_by(viewer, after.snapshot))
        difference.of_class(None)  # sorts them by class, for all who ask
        revision = after.snapshot.revision
        if after.note is not None and before.revision == revision - 1:
            return Step(difference, after.note.time, (after.note,))
        since = max(before.revision, revision - _COMMITS)
        headers = self.dataset.log.headers(since)
        notes = tuple(_note_of(h) for h in headers if h.revision <= revision)
        return Step(difference, notes[-1].time, notes)

    def _go_back(self, newest: Snapshot, revision: int) -> Snapshot:
        most = self.settings.subscription_resume
        advice = f"revision {revision}: read by a query, and go on from the revision of its answer"
        if newest.revision - revision > most:
            raise GoneError(advice)
        log, left = self.dataset.log, self.settings.subscription_resume_statements
        before: Header | _Beginning = _Beginning()
        if revision:
            before = next(log.headers(revision - 1))
        commits: list[Commit] = []
        for header in log.headers(revision):
            if header.revision > newest.revision:
                break
            left -= sum(part.added + part.removed for part in header.parts)
            if left < 0:
                raise GoneError(advice)
            commits.append(log.read(header))
        return rewind(newest, reversed(commits), before)


def _make_room(known: dict[Key, asyncio.Task[Result]], past: list[Key]) -> None:
    """Forget the oldest of what is kept of the past, so that there is a place for one more."""
    for key in past[: max(0, len(past) + 1 - _PAST)]:
        del known[key]


def _note_of(commit: Commit | Header) -> CommitNote:
    return CommitNote(
        commit.revision,
        commit.time,
        commit.agent,
        commit.activity,
        commit.message,
        commit.source,
    )
