"""What one level's SPARQL store follows: the log's commits, as far as the level may read them.

Floor 1. Which level a graph had at each commit is told by the commits alone, so a store that is
behind gets exactly what its level got. A graph that moved between levels is told by none: then the
store is built anew from the snapshot, so that nothing of what was hidden stays in its files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, Protocol

from graph.access import Level
from graph.store.commit import Commit
from graph.store.levels import VISIBILITY, Levels, LevelView, find_moves, read_level
from graph.store.log import Log, log_behind
from graph.terms import HASH_MODULUS, Quad, hash_dataset

#: Quads that are missing from which on it is quicker to build all anew than to apply commits.
FAR_BEHIND: Final = 50_000

#: The graphs that are not public.
Above = dict[str, Level]
#: What a commit says of the levels of graphs: before and after it.
_Said = dict[str, tuple[Level, Level]]


class Held(Protocol):
    """What a store of a level says that it holds; `fault` tells why that cannot be used."""

    @property
    def fault(self) -> str | None:
        """Why it cannot be used, if so."""
        ...

    @property
    def revision(self) -> int:
        """Revision that it holds."""
        ...

    @property
    def dataset_hash(self) -> int:
        """Dataset hash at that revision."""
        ...

    @property
    def quad_count(self) -> int:
        """Quads at that revision."""
        ...


class MovedError(Exception):
    """A graph moved between levels: commits alone do not tell what the store must hold."""


class Feed:
    """The commits of one level; `newest` gives the version that readers have."""

    def __init__(self, log: Log, newest: Callable[[], Levels], level: Level) -> None:
        self.log = log
        self.newest = newest
        self.level = level
        self._known: tuple[int, Above] | None = None

    def view(self) -> tuple[int, LevelView]:
        """Return the newest revision, and what the level sees of it."""
        levels = self.newest()
        return levels.revision, levels.at(self.level)

    def find_fault(self, store: Held) -> str | None:
        """Return why a store is to be built anew, in words; None when it can catch up.

        Raises
        ------
        StoreCorruptError
            It holds a revision that the log does not have: commits are missing from the log.
        """
        if store.fault is not None:
            return store.fault
        if store.revision > self.log.revision:
            raise log_behind(self.log, "the SPARQL store", store.revision)
        levels = self.newest()
        view = levels.at(self.level)
        if view.snapshot.quad_count - store.quad_count > FAR_BEHIND:
            return f"it is far behind, at revision {store.revision}"
        stamp = store.revision, store.dataset_hash, store.quad_count
        if not levels.above and self.log.states(*stamp):
            return None
        try:
            expected = self._expected(store.revision, levels)
        except MovedError:
            return "a graph moved between levels"
        if expected != (store.dataset_hash, store.quad_count):
            return f"its dataset hash at revision {store.revision} is not the log's"
        return None

    def commits(self, store: Held) -> Iterator[Commit]:
        """Yield what a store has yet to apply, up to the newest version.

        Raises
        ------
        MovedError
            A graph moved to or from the level.
        """
        for commit, above in self._parts(store.revision, self.newest()):
            if commit.dataset_hash < 0:
                balance = hash_dataset(commit.added) - hash_dataset(commit.removed)
                commit = replace(
                    commit,
                    dataset_hash=(store.dataset_hash + balance) % HASH_MODULUS,
                    quad_count=store.quad_count + len(commit.added) - len(commit.removed),
                )
            yield commit
            self._known = commit.revision, above

    def take(self, levels: Levels) -> None:
        """Remember the version from which a store was built anew."""
        self._known = levels.revision, dict(levels.above)

    def is_reached(self, store: Held) -> bool:
        """Tell whether a store that caught up holds what the level's snapshot does."""
        revision, view = self.view()
        if store.revision != revision:  # a newer version came meanwhile
            return True
        found = view.snapshot.dataset_hash, view.snapshot.quad_count
        return found == (store.dataset_hash, store.quad_count)

    # --- what the level got -----------------------------------------------------------------

    def expected(self, revision: int) -> tuple[int, int]:
        """Return hash and count of the level at an earlier revision.

        Raises
        ------
        MovedError
            A graph moved to or from the level since.
        """
        return self._expected(revision, self.newest())

    def _expected(self, revision: int, levels: Levels) -> tuple[int, int]:
        snapshot = levels.at(self.level).snapshot
        total, count = snapshot.dataset_hash, snapshot.quad_count
        if revision < levels.revision:
            for commit, _ in self._parts(revision, levels):
                total -= hash_dataset(commit.added) - hash_dataset(commit.removed)
                count -= len(commit.added) - len(commit.removed)
        return total % HASH_MODULUS, count

    def _parts(self, since: int, newest: Levels) -> Iterator[tuple[Commit, Above]]:
        """Yield the commits from a revision to a version as the level got them, with the levels.

        All is told of that one version, whatever is committed meanwhile.
        Where something is left out the hash is -1: that of the level is for the caller to count.
        """
        last = newest.revision
        above = self._above(since, newest)
        for commit in self.log.commits(since):
            if commit.revision > last:
                return
            said = _said(commit)
            for old, new in find_moves(commit).values():
                if (old <= self.level) != (new <= self.level):
                    raise MovedError
            before, above = above, _step(above, {g: new for g, (_, new) in said.items()})
            if self._hides(before) or self._hides(above):
                added, removed = self._seen(commit.added, above), self._seen(commit.removed, before)
                commit = replace(commit, added=added, removed=removed, dataset_hash=-1)
            yield commit, above

    def _above(self, revision: int, newest: Levels) -> Above:
        """Return the graphs that were not public at a revision, told back from a version."""
        if self._known is not None and self._known[0] == revision:
            return self._known[1]
        above, last = dict(newest.above), newest.revision
        told = [_said(c) for c in self.log.commits(revision) if c.revision <= last]
        for said in reversed(told):
            above = _step(above, {graph: old for graph, (old, _) in said.items()})
        return above

    def _hides(self, above: Above) -> bool:
        return any(level > self.level for level in above.values())

    def _seen(self, quads: tuple[Quad, ...], above: Above) -> tuple[Quad, ...]:
        return tuple(q for q in quads if above.get(q[3], Level.PUBLIC) <= self.level)


def _said(commit: Commit) -> _Said:
    """Return what a commit says of the levels of graphs."""
    stated: dict[str, tuple[list[str], list[str]]] = {}
    for place, quads in enumerate((commit.removed, commit.added)):
        for subject, predicate, value, graph in quads:
            if predicate == VISIBILITY and subject == graph:
                stated.setdefault(graph, ([], []))[place].append(value)
    return {graph: (read_level(old), read_level(new)) for graph, (old, new) in stated.items()}


def _step(above: Above, levels: Mapping[str, Level]) -> Above:
    """Return the levels after some of them changed."""
    if not levels:
        return above
    changed = {**above, **levels}
    return {graph: level for graph, level in changed.items() if level > Level.PUBLIC}
