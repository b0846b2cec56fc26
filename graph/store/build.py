"""Builds a snapshot from quads in bulk: from the log's commits, or from the system quads alone.

Floor 1. The result equals, page for page, what advancing an empty snapshot commit by commit would
give (up to the numbers of terms); a test says so. Statements are gathered as four arrays of
numbers and sorted by numpy, so that a million quads take seconds and little memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from graph.model import ONTOLOGY_GRAPH, Model
from graph.store.advance import advance, sort_pairs
from graph.store.columns import Column, Many, ManyColumn, One, OneColumn, Pair
from graph.store.search import SearchIndex
from graph.store.snapshot import SYSTEM, TYPE, Graphs, Snapshot
from graph.store.sources import RANK, RETRIEVED, order_graphs
from graph.store.term_table import MASK, PAGE, SHIFT, TermTable
from graph.terms import Quad

if TYPE_CHECKING:
    from graph.store.commit import Commit

Numbers = npt.NDArray[np.uint32]

# To advance takes 25 microseconds a changed quad, to sort anew 2.5 a quad of the whole and 6 a
# changed one: a seventh of 1M quads, a fifth of 100,000 (decision 0015).
_BREAK_EVEN: Final = 7
#: A change that is never worth sorting anew.
_FEW: Final = 2_000


def build_snapshot(model: Model, commits: Iterable[Commit] = ()) -> Snapshot:
    """Return the snapshot after the commits, which start at revision 1 and leave no gap."""
    builder = Builder(model)
    revision, dataset_hash, quad_count = 0, 0, 0
    for commit in commits:
        builder.take(commit.removed, commit.revision, -1)
        builder.take(commit.added, commit.revision, 1)
        revision, dataset_hash = commit.revision, commit.dataset_hash
        quad_count = commit.quad_count
    return builder.finish(revision, dataset_hash, quad_count)


def step(snapshot: Snapshot, commit: Commit) -> Snapshot:
    """Return the version after a commit: advanced, or sorted anew where the change is large."""
    changed = len(commit.added) + len(commit.removed)
    if changed < _FEW or changed * _BREAK_EVEN < snapshot.quad_count:
        return advance(snapshot, commit)
    builder = Builder(snapshot.model, snapshot)
    builder.take(commit.removed, commit.revision, -1)
    builder.take(commit.added, commit.revision, 1)
    add, searched = snapshot.terms.add, snapshot.model.searched
    stated = [(add(s), p[1:-1], add(v)) for s, p, v, _ in commit.added if p[1:-1] in searched]
    gone = sum(quad[1][1:-1] in searched for quad in commit.removed)
    builder.search = snapshot.search.follow(snapshot, stated, gone)
    return builder.finish(commit.revision, commit.dataset_hash, commit.quad_count)


def build_lineage(
    snapshot: Snapshot,
    hidden: Container[str] = (),
    dataset_hash: int | None = None,
    quad_count: int | None = None,
) -> Snapshot:
    """Return the same version without some graphs, sharing neither terms nor texts with it.

    `hidden` are the graphs (N-Triples text) to leave out, hash and count those of what is left.
    """
    quads = (quad for quad in snapshot.quads() if quad[3] not in hidden)
    return build_part(snapshot, quads, dataset_hash, quad_count)


def build_part(
    snapshot: Snapshot,
    quads: Iterable[Quad],
    dataset_hash: int | None = None,
    quad_count: int | None = None,
) -> Snapshot:
    """Return a version of some of another's quads, each once, which shares nothing with it.

    Hash and count are those of the whole where none are given.
    """
    builder = Builder(snapshot.model)
    builder.take(quads, 0, 1)
    born = snapshot.graphs_table.born
    for graph, number in builder.graph_numbers.items():
        builder.born[number] = born[snapshot.graph_numbers[graph]]
    return builder.finish(
        snapshot.revision,
        snapshot.dataset_hash if dataset_hash is None else dataset_hash,
        snapshot.quad_count if quad_count is None else quad_count,
    )


class Builder:
    """Gathers statements as numbers; `finish` sorts them into columns.

    What is built on a version `before` it shares the terms of that version, their numbers, and the
    index over their texts.
    """

    def __init__(self, model: Model, before: Snapshot | None = None) -> None:
        self.model = model
        self.rows = (array("I"), array("I"), array("I"), array("I"))
        self.signs = array("b")
        if before is not None:
            self.terms, self.search = before.terms, before.search
            self.graph_numbers = dict(before.graph_numbers)
            self.born = list(before.graphs_table.born)
            self.held = list(before.graphs_table.counts)
            self._take_columns(before)
            return
        self.terms, self.search = TermTable(), SearchIndex(model)
        self.graph_numbers = {f"<{ONTOLOGY_GRAPH}>": SYSTEM}
        self.born = [0]
        self.held = [0]
        self.take(system_quads(model), 0, 1)

    def take(self, quads: Iterable[Quad], revision: int, sign: int) -> None:
        """Take quads that a commit added (sign 1) or removed (sign -1)."""
        add, numbers = self.terms.add, self.graph_numbers
        subjects, predicates, values, graphs = self.rows
        known: dict[str, int] = {}
        last, last_number = "", 0
        for subject, predicate, value, graph in quads:
            number = numbers.setdefault(graph, len(numbers))
            if number == len(self.born):
                self.born.append(revision)
                self.held.append(0)
            if self.held[number] == 0:
                self.born[number] = revision
            self.held[number] += sign
            if subject != last:  # commits are sorted
                last, last_number = subject, add(subject)
            predicate_number = known.get(predicate)
            if predicate_number is None:
                predicate_number = known[predicate] = add(predicate)
            subjects.append(last_number)
            predicates.append(predicate_number)
            values.append(add(value))
            graphs.append(number)
        self.signs.frombytes(array("b", (sign,)).tobytes() * (len(subjects) - len(self.signs)))

    def _take_columns(self, before: Snapshot) -> None:
        """Take the statements of a version, the system's too, as the numbers that they are."""
        for predicate, column in before.forward.items():
            number = self.terms.add(f"<{predicate}>")
            for rows in column.rows():
                for taken, place in zip(self.rows, (0, None, 1, 2), strict=True):
                    own = np.full(len(rows), number) if place is None else rows[:, place]
                    taken.frombytes(own.astype(np.uint32).tobytes())
        self.signs.frombytes(array("b", (1,)).tobytes() * len(self.rows[0]))

    def finish(self, revision: int, dataset_hash: int, quad_count: int) -> Snapshot:
        """Return the snapshot of what was taken."""
        rows = self._net()
        places = self._places()
        counts = np.bincount(rows[:, 3], minlength=len(self.born)).astype(int)
        counts[SYSTEM] = 0
        terms = tuple(self.graph_numbers)
        ranks = self._ranks(rows, terms)
        forward: dict[str, Column] = {}
        inverse: dict[str, ManyColumn] = {}
        for number in np.unique(rows[:, 1]):
            predicate = self.terms.text(int(number))
            own = rows[rows[:, 1] == number][:, [0, 2, 3]]
            if predicate in self.model.single_predicates:
                forward[predicate] = _one_column(own, ranks, places, self.terms)
            else:
                forward[predicate] = _many_column(own, places)
            turned = self._turned(own)
            if len(turned):
                inverse[predicate] = _inverse_column(turned, places)
        self.terms.compact(force=True)
        return Snapshot(
            model=self.model,
            revision=revision,
            dataset_hash=dataset_hash,
            quad_count=quad_count,
            terms=self.terms,
            graphs_table=Graphs(terms, tuple(self.born), tuple(counts.tolist()), ranks),
            graph_numbers=self.graph_numbers,
            forward=forward,
            inverse=inverse,
            classes=class_index(self.model, self.terms, forward, places),
            search=self.search,
        )

    def _net(self) -> Numbers:
        """Return the statements that were added and not removed after, each once."""
        rows = np.column_stack([np.frombuffer(a, np.uint32) for a in self.rows])
        signs = np.frombuffer(self.signs, np.int8)
        if (signs < 0).any():
            rows, places = np.unique(rows, axis=0, return_inverse=True)
            held = np.bincount(places.reshape(-1), weights=signs, minlength=len(rows))
            rows = rows[held > 0]
        return rows

    def _places(self) -> Numbers:
        """Return the place of each numbered term in the order of the terms' texts."""
        numbered = sorted(self.terms.all(), key=lambda item: item[1].removesuffix(">"))
        places = np.zeros(len(self.terms.texts) * PAGE, np.uint32)
        places[np.fromiter((n for n, _ in numbered), np.int64, len(numbered))] = np.arange(
            1, len(numbered) + 1
        )
        return places

    def _ranks(self, rows: Numbers, terms: tuple[str, ...]) -> tuple[int, ...]:
        standing: list[list[str | None]] = [[None, None] for _ in terms]
        for column, predicate in enumerate((RANK, RETRIEVED)):
            number = self.terms.find(f"<{predicate}>")
            for subject, _, value, graph in rows[rows[:, 1] == number] if number else ():
                if self.terms.term(int(subject)) == terms[graph]:
                    known, new = standing[graph][column], self.terms.term(int(value))
                    standing[graph][column] = new if known is None else min(known, new)
        return order_graphs(terms, self.born, [(a, b) for a, b in standing])

    def _turned(self, own: Numbers) -> Numbers:
        """Return value, subject of the statements that are indexed, each pair once."""
        is_long = np.array([kind[3] for kind in self.terms.kinds])
        indexed = own[~is_long[own[:, 1] >> SHIFT]]
        return np.unique(indexed[:, [1, 0]], axis=0)


def system_quads(model: Model) -> Iterator[Quad]:
    """Yield the system quads that the snapshot holds: the nodes with a class of the model."""
    wanted = {f"<{iri}>" for iri in model.classes}
    nodes = {s for s, p, o, _ in model.system_quads if p == f"<{TYPE}>" and o in wanted}
    known = model.predicates | {TYPE}
    for quad in model.system_quads:
        if quad[0] in nodes and quad[1][1:-1] in known:
            yield quad


def _one_column(
    own: Numbers, ranks: tuple[int, ...], places: Numbers, terms: TermTable
) -> OneColumn:
    order = np.lexsort((places[own[:, 1]], np.array(ranks)[own[:, 2]], own[:, 0]))
    own = own[order]
    subjects, first, counts = np.unique(own[:, 0], return_index=True, return_counts=True)
    contested: dict[int, tuple[Pair, ...]] = {}
    for at in np.flatnonzero(counts > 1):
        rows = own[first[at] : first[at] + counts[at]]
        pairs = [(int(v), int(g)) for _, v, g in rows]
        contested[int(subjects[at])] = sort_pairs(pairs, ranks, terms.order)
    wide = bool(len(own)) and int(own[:, 2].max()) > 0xFFFF
    pages: dict[int, One] = {}
    for number, rows in _by_page(own[first]):
        values = np.zeros(PAGE, np.uint32)
        graphs = np.zeros(PAGE, np.uint32 if wide else np.uint16)
        values[rows[:, 0] & MASK] = rows[:, 1]
        graphs[rows[:, 0] & MASK] = rows[:, 2]
        pages[number] = One(_array("I", values), _array("I" if wide else "H", graphs))
    return OneColumn(pages, contested)


def _many_column(own: Numbers, places: Numbers) -> ManyColumn:
    own = own[np.lexsort((own[:, 2], places[own[:, 1]], own[:, 0]))]
    wide = bool(len(own)) and int(own[:, 2].max()) > 0xFFFF
    pages: dict[int, Many] = {}
    fanout = 0
    for number, rows in _by_page(own):
        same = (rows[1:, 0] == rows[:-1, 0]) & (rows[1:, 1] == rows[:-1, 1])
        offsets, most = _offsets(rows[:, 0])
        graphs = rows[:, 2].astype(np.uint32 if wide else np.uint16)
        pages[number] = Many(
            offsets,
            _array("I", rows[:, 1]),
            _array("I" if wide else "H", graphs),
            bool(same.any()),
        )
        fanout = max(fanout, most)
    return ManyColumn(pages, fanout)


def _inverse_column(turned: Numbers, places: Numbers) -> ManyColumn:
    turned = turned[np.lexsort((places[turned[:, 1]], turned[:, 0]))]
    pages: dict[int, Many] = {}
    fanout = 0
    for number, rows in _by_page(turned):
        offsets, most = _offsets(rows[:, 0])
        pages[number] = Many(offsets, _array("I", rows[:, 1]), array("H"), False)
        fanout = max(fanout, most)
    return ManyColumn(pages, fanout)


def _by_page(rows: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Yield page number and rows of each page, of rows sorted by their first column."""
    pages = rows[:, 0] >> SHIFT
    cuts = np.flatnonzero(np.diff(pages)) + 1
    for part in np.split(rows, cuts):
        if len(part):
            yield int(part[0, 0] >> SHIFT), part


def _offsets(subjects: Numbers) -> tuple[array[int], int]:
    counts = np.bincount(subjects & MASK, minlength=PAGE)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    kind = "I" if offsets[-1] > 0xFFFF else "H"
    return _array(kind, offsets.astype(np.uint32 if kind == "I" else np.uint16)), int(counts.max())


def _array(kind: str, values: npt.NDArray[np.generic]) -> array[int]:
    result = array(kind)
    result.frombytes(np.ascontiguousarray(values).tobytes())
    return result


def class_index(
    model: Model, terms: TermTable, forward: dict[str, Column], places: Numbers
) -> dict[str, array[int]]:
    """Return the instances of each class, subclasses included, in the order of their IRIs."""
    members: dict[str, set[int]] = {}
    column = forward.get(TYPE)
    for subject, value, _ in column.statements() if column is not None else ():
        for iri in model.ancestors.get(terms.text(value), ()):
            members.setdefault(iri, set()).add(subject)
    return {
        iri: array("I", sorted(found, key=lambda n: int(places[n])))
        for iri, found in members.items()
    }
