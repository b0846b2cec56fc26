"""Where two versions differ: the nodes of which something is stated otherwise.

Floor 1. Versions share the pages that no commit between them touched, so what is compared follows
from what was changed. What is found is a bound: whether a field answers otherwise is for those to
see who know how fields answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np
import numpy.typing as npt

from graph.store.advance import advance, rewind
from graph.store.columns import EMPTY, Column, Many, ManyColumn, One, OneColumn
from graph.store.commit import Commit, Position
from graph.store.snapshot import Graphs, Snapshot, fork
from graph.store.term_table import PAGE, SHIFT
from graph.terms import Quad

#: A predicate, and whether it is followed backwards.
Direction = tuple[str, bool]


@dataclass(frozen=True)
class Difference:
    """The nodes (by number) that differ between two versions, each with the predicates that may.

    Both versions number terms alike: the one was made from the other by commits.
    """

    before: Snapshot
    after: Snapshot
    nodes: Mapping[int, frozenset[Direction]]

    def of_class(self, class_iri: str | None) -> Sequence[int]:
        """Return the nodes that are or were of a class, or of any, in the order of their IRIs."""
        return self._by_class.get(class_iri, ())

    @cached_property
    def _by_class(self) -> Mapping[str | None, Sequence[int]]:
        found: dict[str | None, list[int]] = {}
        ancestors = self.after.model.ancestors
        order = self.after.terms.order
        for number in sorted(self.nodes, key=order):
            classes: set[str | None] = set()
            for snapshot in (self.before, self.after):
                for iri in snapshot.types_of(snapshot.term_of(number)):
                    if iri in ancestors:
                        classes.update(ancestors[iri])
            if classes:
                classes.add(None)
            for each in classes:
                found.setdefault(each, []).append(number)
        return found


def find_difference(before: Snapshot, after: Snapshot) -> Difference:
    """Return where two versions of one dataset differ.

    Cost
    ----
    O(pages of the columns that commits between them touched). Versions that number terms by
    themselves are compared statement by statement: O(n).
    """
    if before.terms is not after.terms:
        before, after = _bridge(before, after)
    found: dict[int, set[Direction]] = {}
    is_reordered = _source_order(before.graphs_table, after) != _source_order(
        after.graphs_table, before
    )
    for inverse in (False, True):
        old: Mapping[str, Column] = before.inverse if inverse else before.forward
        new: Mapping[str, Column] = after.inverse if inverse else after.forward
        for predicate in old.keys() | new.keys():
            a, b = old.get(predicate, EMPTY), new.get(predicate, EMPTY)
            for number in _between(a, b):
                found.setdefault(number, set()).add((predicate, inverse))
            if is_reordered and isinstance(b, ManyColumn) and not inverse:
                for number in _repeated(b):
                    found.setdefault(number, set()).add((predicate, inverse))
    return Difference(before, after, {n: frozenset(paths) for n, paths in found.items()})


def rewind_apart(snapshot: Snapshot, commits: Sequence[Commit], before: Position) -> Snapshot:
    """Return the version before commits (the oldest first), of which `snapshot` holds the last.

    Terms that the snapshot does not number any more are numbered in a table apart.
    """
    terms = {t for c in commits for q in (*c.added, *c.removed) for t in (q[0], q[2])}
    if any(snapshot.terms.find(term) is None for term in terms):
        snapshot = fork(snapshot)
    return rewind(snapshot, reversed(commits), before)


def _bridge(before: Snapshot, after: Snapshot) -> tuple[Snapshot, Snapshot]:
    """Return the same two versions with terms that both number alike, apart from all others."""
    old, new = _hashes(before), _hashes(after)
    removed = _chosen(before, ~np.isin(old, new))
    added = _chosen(after, ~np.isin(new, old))
    start = fork(before)
    change = Commit(
        revision=after.revision,
        previous="",
        time="",
        agent="",
        activity="",
        message="",
        source=None,
        ontology="",
        added=added,
        removed=removed,
        warnings=(),
        dataset_hash=after.dataset_hash,
        quad_count=after.quad_count,
    )
    return start, advance(start, change)


def _hashes(snapshot: Snapshot) -> npt.NDArray[np.int64]:
    """Return a 64-bit hash of each statement, in the order of `quads`."""
    return np.fromiter(map(hash, snapshot.quads()), np.int64, snapshot.quad_count)


def _chosen(snapshot: Snapshot, wanted: npt.NDArray[np.bool_]) -> tuple[Quad, ...]:
    return tuple(compress(snapshot.quads(), wanted.tolist()))


def _source_order(table: Graphs, other: Snapshot) -> list[str]:
    """Return the sources that both versions know, in the order by which they answer."""
    numbers = sorted(range(len(table.terms)), key=table.ranks.__getitem__)
    return [table.terms[n] for n in numbers if table.terms[n] in other.graph_numbers]


def _between(old: Column, new: Column) -> Iterator[int]:
    """Yield the nodes whose statements differ between two versions of a column."""
    if old is new:
        return
    if isinstance(old, OneColumn) and isinstance(new, OneColumn):
        yield from _contested(old, new)
    for page in old.pages.keys() | new.pages.keys():
        a, b = old.pages.get(page), new.pages.get(page)
        if a is not b and a != b:
            for slot in _slots(a, b):
                yield (page << SHIFT) | slot


def _contested(old: OneColumn, new: OneColumn) -> Iterator[int]:
    for number in old.contested.keys() | new.contested.keys():
        if old.contested.get(number) != new.contested.get(number):
            yield number


def _slots(a: One | Many | None, b: One | Many | None) -> Iterator[int]:
    for slot in range(PAGE):
        if _statements(a, slot) != _statements(b, slot):
            yield slot


def _statements(page: One | Many | None, slot: int) -> tuple[Sequence[int], Sequence[int]]:
    """Return values and graphs of one node in a page; NIL for a value counts as none."""
    if page is None:
        return (), ()
    if isinstance(page, One):
        value = page.values[slot]
        return ((value,), (page.graphs[slot],)) if value else ((), ())
    start, end = page.offsets[slot], page.offsets[slot + 1]
    return tuple(page.values[start:end]), tuple(page.graphs[start:end])


def _repeated(column: ManyColumn) -> Iterator[int]:
    """Yield the nodes with several statements: which of them answers may follow the sources."""
    for page, kept in column.pages.items():
        offsets = kept.offsets
        for slot in range(PAGE):
            if offsets[slot + 1] - offsets[slot] > 1:
                yield (page << SHIFT) | slot
