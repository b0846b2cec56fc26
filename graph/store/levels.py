"""One version of the dataset at each visibility level.

Floor 1. Each named graph is public, partner or restricted: what its source says of itself in its
own graph decides, and nothing said is public. Each level has a snapshot of its own that holds
nothing above it: its own columns, terms and search index. A level above public is there only while
such graphs are. What is read is what the level may read: nothing filters afterwards.
See decision 0023.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from graph.access import Level
from graph.store.build import build_lineage, step
from graph.store.columns import EMPTY
from graph.store.commit import Commit
from graph.store.snapshot import Snapshot, fork
from graph.terms import HASH_MODULUS, RZ, Quad, hash_dataset, write_literal

#: Predicate of a source's level, and the literals that stand for the levels.
VISIBILITY: Final = f"<{RZ}visibility>"
_LEVELS: Final = {write_literal(level.name.lower()): level for level in Level}
#: Level that is taken where what stands there is no level: whoever wrote it meant to hide it.
_UNREADABLE: Final = Level.RESTRICTED

#: Statements that become visible at a level, and that no longer are.
Delta = tuple[tuple[Quad, ...], tuple[Quad, ...]]


@dataclass(frozen=True, slots=True)
class LevelView:
    """What one level sees of a version.

    `snapshot.revision` is the last revision that changed anything here and `time` its time, so
    that nothing which is made from them moves when only a higher level changed. `latest` gives
    the last such revision of each activity.
    """

    level: Level
    snapshot: Snapshot
    time: str
    latest: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Levels:
    """One version: `revision` of the dataset, and the views, the lowest first.

    `above` gives the graphs (N-Triples text) that are not public, `sealed` those that are gone
    with the level that they had last: their history stays what they were. `renewed` names the
    levels from which this version hid something: their snapshots share nothing with those before.
    """

    revision: int
    views: tuple[LevelView, ...]
    above: Mapping[str, Level] = field(default_factory=dict)
    renewed: frozenset[Level] = frozenset()
    sealed: Mapping[str, Level] = field(default_factory=dict)

    @property
    def whole(self) -> Snapshot:
        """The snapshot of the highest level: all that stands in the dataset."""
        return self.views[-1].snapshot

    @property
    def public(self) -> Snapshot:
        """The snapshot of the public level."""
        return self.views[0].snapshot

    @property
    def highest(self) -> Level:
        """The highest level of a graph that there is or was: who has it may read all of the log."""
        return max((*self.above.values(), *self.sealed.values()), default=Level.PUBLIC)

    def at(self, level: Level) -> LevelView:
        """Return the view of a level; where it has none, that of the next below."""
        for view in reversed(self.views):
            if view.level <= level:
                return view
        return self.views[0]

    def is_seen(self, graph: str, level: Level) -> bool:
        """Tell whether a level may read a graph (N-Triples text), or what is told of a past one."""
        return self.level_of(graph) <= level

    def level_of(self, graph: str) -> Level:
        """Return the level of a graph; of one that is gone the level that it had last."""
        return self.above.get(graph) or self.sealed.get(graph, Level.PUBLIC)

    def hidden_from(self, level: Level) -> frozenset[str]:
        """Return the graphs, past ones too, that a level may not read."""
        known = {*self.above, *self.sealed}
        return frozenset(graph for graph in known if self.level_of(graph) > level)

    def seen(self, quads: Iterable[Quad], level: Level) -> tuple[Quad, ...]:
        """Return the quads whose graphs a level may read."""
        if not self.above and not self.sealed:
            return tuple(quads)
        return tuple(quad for quad in quads if self.is_seen(quad[3], level))


@dataclass(frozen=True, slots=True)
class Division:
    """What a change is at each level that there is after it.

    `levels` gives the level of each touched graph before and after; None where there is no such
    graph. `hides` names the levels from which a graph that stays is taken away.
    """

    above: Mapping[str, Level]
    levels: Mapping[str, tuple[Level | None, Level | None]]
    deltas: Mapping[Level, Delta]
    hides: frozenset[Level]


def single(revision: int, snapshot: Snapshot, time: str, latest: Mapping[str, int]) -> Levels:
    """Return a version of which everything is public."""
    return Levels(revision, (LevelView(Level.PUBLIC, snapshot, time, dict(latest)),))


def read_level(literals: Iterable[str]) -> Level:
    """Return the level that the values of a source's visibility stand for; the highest wins."""
    found = [_LEVELS.get(literal, _UNREADABLE) for literal in literals]
    return max(found, default=Level.PUBLIC)


def write_level(level: Level) -> str:
    """Return a level as the literal that stands for it."""
    return write_literal(level.name.lower())


# --- a commit ---------------------------------------------------------------------------------


def follow_commit(before: Levels, commit: Commit) -> Levels:
    """Return the version after a commit.

    A level that the commit does not concern keeps its very snapshot.

    Cost
    ----
    While all is public that of `step`. With more levels, that of `step` at each level concerned;
    where a level begins, or a graph moves, O(n) for the levels concerned.
    """
    if is_simple(before, commit.added):
        (view,) = before.views
        return replace(
            before,
            revision=commit.revision,
            views=(_advance(view, view.snapshot, commit),),
            renewed=frozenset(),
        )
    division = divide(before, commit.added, commit.removed)
    views: list[LevelView] = []
    top = max(division.deltas)
    for level, delta in sorted(division.deltas.items()):
        view = before.at(level)
        snapshot = view.snapshot
        if view.level != level:
            view, snapshot = replace(view, level=level), fork(snapshot)
        elif not delta[0] and not delta[1]:
            views.append(view)
            continue
        is_all = level == top and _is_all(commit, delta) and not _moves(division)
        part = commit if is_all else _part(commit, snapshot, delta)
        view = _advance(view, snapshot, part)
        if level in division.hides:
            view = replace(view, snapshot=_renew(view.snapshot, snapshot))
        views.append(view)
    sealed = {g: level for g, level in before.sealed.items() if g not in division.levels}
    for graph, (old, new) in division.levels.items():
        if new is None and old is not None and old > Level.PUBLIC:
            sealed[graph] = old
    return Levels(commit.revision, tuple(views), division.above, division.hides, sealed)


def is_simple(before: Levels, added: Iterable[Quad]) -> bool:
    """Tell whether all is public before and after a change: there is one level then."""
    is_public = not before.above and not before.sealed
    return is_public and not any(quad[1] == VISIBILITY for quad in added)


def divide(before: Levels, added: Iterable[Quad], removed: Iterable[Quad]) -> Division:
    """Return what a change is at each level; `added` and `removed` are the effective change."""
    added, removed = tuple(added), tuple(removed)
    if is_simple(before, added):
        return Division({}, {}, {Level.PUBLIC: (added, removed)}, frozenset())
    levels = _levels_of(before, added, removed)
    above = dict(before.above)
    for graph, (_, after) in levels.items():
        above.pop(graph, None)
        if after is not None and after > Level.PUBLIC:
            above[graph] = after
    deltas: dict[Level, Delta] = {}
    hides: set[Level] = set()
    for level in sorted({Level.PUBLIC, *above.values()}):
        shown, hidden = _moved(levels, level)
        plus = [q for q in added if q[3] not in shown and _sees(level, levels[q[3]][1])]
        minus = [q for q in removed if q[3] not in hidden and _sees(level, levels[q[3]][0])]
        for graph in shown:
            plus += _content(before, graph, added, removed)
        for graph in hidden:
            minus += before.whole.quads(graph)
        gone = set(minus) & set(plus) if shown or hidden else set()
        deltas[level] = (
            tuple(q for q in plus if q not in gone),
            tuple(q for q in minus if q not in gone),
        )
        if hidden:
            hides.add(level)
    return Division(above, levels, deltas, frozenset(hides))


def find_moves(commit: Commit) -> dict[str, tuple[Level, Level]]:
    """Return the graphs that a commit moved from one level to another, told by the commit alone.

    Graphs that it began or emptied did not move.
    """
    stated: dict[str, tuple[list[str], list[str]]] = {}
    for place, quads in enumerate((commit.removed, commit.added)):
        for subject, predicate, value, graph in quads:
            if predicate == VISIBILITY and subject == graph:
                stated.setdefault(graph, ([], []))[place].append(value)
    if not stated:
        return {}
    changed = {
        graph: (read_level(before), read_level(after)) for graph, (before, after) in stated.items()
    }
    whole = {
        quad[3]
        for quad in (*commit.added, *commit.removed)
        if _describes(quad) and quad[3] in changed
    }
    return {g: pair for g, pair in changed.items() if pair[0] != pair[1] and g not in whole}


class Seals:
    """Learns from all commits, in their order, which level each graph had last."""

    def __init__(self) -> None:
        self._last: dict[str, Level] = {}

    def watch(self, commits: Iterable[Commit]) -> Iterator[Commit]:
        """Yield the commits as they are."""
        for commit in commits:
            moves = find_moves(commit)
            for subject, predicate, value, graph in commit.added:
                if predicate == VISIBILITY and subject == graph:
                    self._last[graph] = read_level([value])
            self._last.update({graph: new for graph, (_, new) in moves.items()})
            yield commit

    def of(self, whole: Snapshot) -> dict[str, Level]:
        """Return the graphs that are gone and were not public."""
        found = {g: level for g, level in self._last.items() if level > Level.PUBLIC}
        return {g: level for g, level in found.items() if not whole.graph_count(g)}


def _describes(quad: Quad) -> bool:
    """Tell whether a quad says what a graph's own source is: it comes and goes with the graph."""
    return quad[0] == quad[3] and quad[1].endswith("#type>")


def _levels_of(
    before: Levels, added: tuple[Quad, ...], removed: tuple[Quad, ...]
) -> dict[str, tuple[Level | None, Level | None]]:
    """Return the level of each touched graph before and after a change."""
    whole = before.whole
    counts: dict[str, int] = {}
    for sign, quads in ((1, added), (-1, removed)):
        for quad in quads:
            counts[quad[3]] = counts.get(quad[3], 0) + sign
    found: dict[str, tuple[Level | None, Level | None]] = {}
    for graph, change in counts.items():
        held = whole.graph_count(graph)
        old = before.above.get(graph, Level.PUBLIC) if held else None
        new = None
        if held + change > 0:
            values = {q[2] for q in whole.quads_of(graph, graph) if q[1] == VISIBILITY}
            values -= {q[2] for q in removed if _is_level(q, graph)}
            values |= {q[2] for q in added if _is_level(q, graph)}
            new = read_level(values)
        found[graph] = (old, new)
    return found


def _is_level(quad: Quad, graph: str) -> bool:
    return quad[1] == VISIBILITY and quad[0] == graph and quad[3] == graph


def _sees(level: Level, of_graph: Level | None) -> bool:
    return of_graph is not None and of_graph <= level


def _moved(
    levels: Mapping[str, tuple[Level | None, Level | None]], level: Level
) -> tuple[set[str], set[str]]:
    """Return the graphs that stay and are shown to a level by a change, and hidden from it."""
    stay = {g: pair for g, pair in levels.items() if None not in pair}
    shown = {g for g, (old, new) in stay.items() if not _sees(level, old) and _sees(level, new)}
    hidden = {g for g, (old, new) in stay.items() if _sees(level, old) and not _sees(level, new)}
    return shown, hidden


def _moves(division: Division) -> bool:
    return any(None not in pair and pair[0] != pair[1] for pair in division.levels.values())


def _content(
    before: Levels, graph: str, added: tuple[Quad, ...], removed: tuple[Quad, ...]
) -> Iterator[Quad]:
    """Yield what a graph holds after a change."""
    gone = {quad for quad in removed if quad[3] == graph}
    yield from (quad for quad in before.whole.quads(graph) if quad not in gone)
    yield from (quad for quad in added if quad[3] == graph)


def _is_all(commit: Commit, delta: Delta) -> bool:
    return (len(delta[0]), len(delta[1])) == (len(commit.added), len(commit.removed))


def _part(commit: Commit, snapshot: Snapshot, delta: Delta) -> Commit:
    """Return what a commit is at a level, with hash and count of that level."""
    added, removed = delta
    balance = hash_dataset(added) - hash_dataset(removed)
    return replace(
        commit,
        added=added,
        removed=removed,
        dataset_hash=(snapshot.dataset_hash + balance) % HASH_MODULUS,
        quad_count=snapshot.quad_count + len(added) - len(removed),
    )


def _advance(view: LevelView, snapshot: Snapshot, commit: Commit) -> LevelView:
    latest = {**view.latest, commit.activity: commit.revision}
    return replace(view, snapshot=step(snapshot, commit), time=commit.time, latest=latest)


def _renew(snapshot: Snapshot, before: Snapshot) -> Snapshot:
    """Return a snapshot that shares nothing with those before: no term of what was hidden stays.

    Where texts could be searched before, they can be again at once.
    """
    fresh = build_lineage(snapshot)
    if before.search.is_ready:
        fresh.search.build(fresh)
    return fresh


# --- the start --------------------------------------------------------------------------------


def levels_of(snapshot: Snapshot) -> dict[str, Level]:
    """Return the graphs of the whole dataset that are not public."""
    stated: dict[str, list[str]] = {}
    column = snapshot.forward.get(VISIBILITY[1:-1], EMPTY)
    for subject, value, number in column.statements():
        graph = snapshot.graphs_table.terms[number]
        if snapshot.term_of(subject) == graph:
            stated.setdefault(graph, []).append(snapshot.term_of(value))
    levels = {graph: read_level(values) for graph, values in stated.items()}
    return {graph: level for graph, level in levels.items() if level > Level.PUBLIC}


def below(whole: Snapshot, above: Mapping[str, Level], level: Level) -> Snapshot:
    """Return the snapshot of a level, built from the whole: O(n)."""
    hidden = {graph for graph, own in above.items() if own > level}
    total = sum(hash_dataset(whole.quads(graph)) for graph in hidden)
    count = sum(whole.graph_count(graph) for graph in hidden)
    return build_lineage(
        whole,
        hidden,
        (whole.dataset_hash - total) % HASH_MODULUS,
        whole.quad_count - count,
    )
