"""The latest versions of the dataset, for those who are told of changes one by one.

Floor 5. Lives in the event loop: commits are handed to it in their order. A version is kept until
all have gone on from it, or until there are too many: who is that slow goes on to the newest, and
what lies between is told as one. What many need is computed once, in a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from graph.errors import GoneError
from graph.store.difference import find_difference, rewind_apart
from graph.store.levels import find_moves, single
from schema.notices import CommitNote, Step
from web.lanes import Lane

if TYPE_CHECKING:
    from graph.access import Level, Viewer
    from graph.settings import Settings
    from graph.store.commit import Commit
    from graph.store.dataset import Dataset
    from graph.store.levels import Levels
    from graph.store.record import Header

Key = TypeVar("Key")
Result = TypeVar("Result")

#: Commits that a notice names at most, the latest.
_COMMITS: Final = 100
#: Versions of the past that are kept for others who come back from there, and ways from there.
_PAST: Final = 4


class Head(NamedTuple):
    """What is told of a commit: who, why, and in which graphs (IRIs, sorted)."""

    revision: int
    time: str
    agent: str
    activity: str
    message: str
    source: str | None
    graphs: tuple[str, ...]


class Version(NamedTuple):
    """One version at all levels, and the commit that made it, where it was seen."""

    levels: Levels
    commit: Head | None

    @property
    def revision(self) -> int:
        """The revision of the dataset, at whatever level."""
        return self.levels.revision


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
        self._past: dict[tuple[int, int], asyncio.Task[Levels]] = {}
        dataset.on_commit(self._listen)
        self._kept = deque([Version(dataset.levels, None)], max(1, settings.subscription_backlog))

    @property
    def newest(self) -> Version:
        """The newest version."""
        return self._kept[-1]

    def after(self, revision: int) -> Version | None:
        """Return the version to tell after a revision: the next, or the newest if that is gone."""
        newest = self.newest
        if newest.revision <= revision:
            return None
        place = len(self._kept) - (newest.revision - revision)
        return self._kept[place] if place >= 0 else newest

    async def changed(self) -> None:
        """Return once there is a new version, or `wake` was called."""
        await self._changed.wait()

    def wake(self) -> None:
        """Let all who wait go on."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def step(self, viewer: Viewer, before: Levels, after: Version) -> Step:
        """Return the way from one version to another, as a viewer sees them."""
        key = (before.revision, after.revision, viewer.level)
        oldest = self._kept[0].revision
        if before.revision < oldest and key not in self._steps:  # a step holds its versions
            _make_room(self._steps, [k for k in self._steps if k[0] < oldest])
        return await self._once(self._steps, key, partial(self._make_step, viewer, before, after))

    async def at(self, revision: int, viewer: Viewer) -> Levels:
        """Return the version of a revision, as far as a viewer may read it today.

        Raises
        ------
        GoneError
            It lies too far back.
        """
        while self.newest.revision < revision:  # it is on its way here
            await self.changed()
        for version in self._kept:
            if version.revision == revision:
                return version.levels
        key = (revision, viewer.level)
        if key not in self._past:
            _make_room(self._past, list(self._past))
        go_back = partial(self._go_back, self.newest.levels, revision, viewer)
        return await self._once(self._past, key, go_back)

    # --- in the loop ------------------------------------------------------------------------

    def _listen(self, commit: Commit, levels: Levels) -> None:
        """Hand a commit to the loop; called in any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, Version(levels, _head(commit)))

    def _take(self, version: Version) -> None:
        if version.revision <= self.newest.revision:
            return  # it was there when this began
        oldest = min(self._readers(), default=self.newest.revision)
        while self._kept and self._kept[0].revision < oldest:
            self._kept.popleft()
        self._kept.append(version)
        kept_from = self._kept[0].revision
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

    def _make_step(self, viewer: Viewer, before: Levels, after: Version) -> Step:
        view = after.levels.at(viewer.level)
        difference = find_difference(before.at(viewer.level).snapshot, view.snapshot)
        difference.of_class(None)  # sorts them by class, for all who ask
        revision = after.revision
        told: Iterable[Head | Header]
        if after.commit is not None and before.revision == revision - 1:
            told = (after.commit,)
        else:
            since = max(before.revision, revision - _COMMITS)
            told = (h for h in self.dataset.log.headers(since) if h.revision <= revision)
        notes = (_note_of(each, after.levels, viewer) for each in told)
        return Step(difference, view.time, tuple(note for note in notes if note is not None))

    def _go_back(self, newest: Levels, revision: int, viewer: Viewer) -> Levels:
        """Return the version of a revision as a viewer's level would have seen it.

        Graphs count to the level that they have today. Where one moved to or from the viewer's
        level since, nobody can say what a reader knew: the reader is sent to read anew.
        """
        most = self.settings.subscription_resume
        advice = f"revision {revision}: read by a query, and go on from the revision of its answer"
        if newest.revision - revision > most:
            raise GoneError(advice)
        log, left = self.dataset.log, self.settings.subscription_resume_statements
        level = viewer.level
        before: Header | _Beginning = _Beginning()
        if revision:
            before = next(log.headers(revision - 1))
        commits: list[Commit] = []
        for header in log.headers(revision):
            if header.revision > newest.revision:
                break
            left -= sum(p.added + p.removed for p in header.parts if _sees(newest, p.graph, level))
            if left < 0:
                raise GoneError(advice)
            commit = log.read(header)
            for old, new in find_moves(commit).values():
                if (old <= level) != (new <= level):
                    raise GoneError(advice)
            added, removed = newest.seen(commit.added, level), newest.seen(commit.removed, level)
            commits.append(replace(commit, added=added, removed=removed))
        snapshot = rewind_apart(newest.at(level).snapshot, commits, before)
        return single(revision, snapshot, before.time, {})


def _make_room(known: dict[Key, asyncio.Task[Result]], past: list[Key]) -> None:
    """Forget the oldest of what is kept of the past, so that there is a place for one more."""
    for key in past[: max(0, len(past) + 1 - _PAST)]:
        del known[key]


def _head(commit: Commit) -> Head:
    """Return what is kept of a commit: its statements would fill the memory."""
    graphs = {quad[3][1:-1] for quad in (*commit.added, *commit.removed)}
    values = commit.revision, commit.time, commit.agent, commit.activity, commit.message
    return Head(*values, commit.source, tuple(sorted(graphs)))


def _sees(levels: Levels, graph: str, level: Level) -> bool:
    return levels.is_seen(f"<{graph}>", level)


def _note_of(commit: Head | Header, levels: Levels, viewer: Viewer) -> CommitNote | None:
    """Return what a viewer is told of a commit; None where it wrote nothing that may be read.

    Of one that wrote elsewhere too, message and source stay untold.
    """
    seen = tuple(g for g in commit.graphs if _sees(levels, g, viewer.level))
    if not seen:
        return None
    is_whole = seen == commit.graphs
    source = commit.source
    return CommitNote(
        commit.revision,
        commit.time,
        commit.agent,
        commit.activity,
        commit.message if is_whole else "",
        source if source and _sees(levels, source, viewer.level) else None,
    )
