"""The statements of a dataset in the order in which they are written out.

Floor 2. They are held and sorted as numbers, so that a million take tens of megabytes; texts are
made when a subject's turn comes. Formats are the matter of those who write.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from graph.store.snapshot import SYSTEM, Snapshot
from graph.store.term_table import SHIFT, TermTable

Numbers = npt.NDArray[np.unsignedinteger[Any]]

#: Statements whose texts are made together.
_WINDOW: Final = 1024


@dataclass(frozen=True, slots=True)
class Block:
    """What one graph says of one subject, or all graphs: (predicate, value, graph), sorted.

    All are N-Triples texts; `graph` is empty where a block is of all graphs.
    """

    graph: str
    subject: str
    statements: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Window:
    """Statements of some subjects, all of each, as lists of numbers side by side."""

    subjects: list[int]
    predicates: list[int]
    values: list[int]
    graphs: list[int]


@dataclass(frozen=True, eq=False, slots=True)
class Statements:
    """Statements as numbers, one array a place of the quad, in no promised order.

    `terms` names subjects and values; predicates and graphs are places in `predicate_terms` and
    `graph_terms`, which hold N-Triples texts.
    """

    terms: TermTable
    predicate_terms: Sequence[str]
    graph_terms: Sequence[str]
    subjects: Numbers
    predicates: Numbers
    values: Numbers
    graphs: Numbers

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.subjects)

    def where(self, kept: npt.NDArray[np.bool_]) -> Statements:
        """Return those that a mask keeps."""
        return replace(
            self,
            subjects=self.subjects[kept],
            predicates=self.predicates[kept],
            values=self.values[kept],
            graphs=self.graphs[kept],
        )

    def subject_texts(self) -> list[str]:
        """Return the subjects, sorted."""
        return sorted(map(self.terms.term, np.unique(self.subjects).tolist()))

    def used_predicates(self) -> list[str]:
        """Return the predicates that occur, in the order of their numbers."""
        return [self.predicate_terms[number] for number in np.unique(self.predicates).tolist()]

    def windows(self, *, by_graph: bool = False) -> Iterator[Window]:
        """Yield all statements, subjects in the order of their texts, some at a time.

        With `by_graph` the graphs come one after the other, in the order of their texts, and a
        subject has its turn in each of them. Within a subject nothing is promised.
        """
        keys = [_rank(self.subjects, self.terms)]
        if by_graph:
            keys.append(_places(self.graph_terms)[self.graphs])
        order = np.lexsort(keys).astype(np.uint32)
        start = 0
        while start < len(order):
            rows = order[start : _end_of_window(order, keys, start)]
            start += len(rows)
            yield Window(
                self.subjects[rows].tolist(),
                self.predicates[rows].tolist(),
                self.values[rows].tolist(),
                self.graphs[rows].tolist(),
            )

    def blocks(self, *, by_graph: bool = False) -> Iterator[Block]:
        """Yield what all graphs say of each subject, subjects sorted by their text.

        With `by_graph`: what each graph says, sorted by the texts of graph and subject.
        """
        predicates, graphs, texts = self.predicate_terms, self.graph_terms, self.terms.terms
        for window in self.windows(by_graph=by_graph):
            rows = zip(
                texts(window.subjects),
                [predicates[number] for number in window.predicates],
                texts(window.values),
                [graphs[number] for number in window.graphs],
                strict=True,
            )
            for (subject, graph), found in groupby(
                rows, key=lambda row: (row[0], row[3] if by_graph else "")
            ):
                yield Block(graph, subject, sorted(row[1:] for row in found))


def read_statements(snapshot: Snapshot, graph: str | None = None) -> Statements:
    """Return the data of a version, of one graph or all; the system's own is left out."""
    wanted = None if graph is None else snapshot.graph_numbers.get(graph, -1)
    graph_terms = tuple(snapshot.graphs_table.terms)
    columns = (
        array("I"),
        array(_width(len(snapshot.forward))),
        array("I"),
        array(_width(len(graph_terms))),
    )
    for number, column in enumerate(snapshot.forward.values()):
        for rows in column.rows():
            kept = rows[rows[:, 2] != SYSTEM if wanted is None else rows[:, 2] == wanted]
            if len(kept):
                places = (kept[:, 0], np.full(len(kept), number), kept[:, 1], kept[:, 2])
                for read, place in zip(columns, places, strict=True):
                    read.frombytes(place.astype(read.typecode).tobytes())
    arrays = [np.frombuffer(column, column.typecode) for column in columns]
    predicates = tuple(f"<{iri}>" for iri in snapshot.forward)
    return Statements(snapshot.terms, predicates, graph_terms, *arrays)


def _width(count: int) -> str:
    return "H" if count <= 1 << 16 else "I"


def _end_of_window(order: Numbers, keys: Sequence[Numbers], start: int) -> int:
    """Return where a window ends that begins at `start` and cuts no subject in two."""
    size = _WINDOW
    while start + size < len(order):
        rows = order[start : start + size + 1]
        changes = np.zeros(size, np.bool_)
        for key in keys:
            changes |= key[rows[1:]] != key[rows[:-1]]
        cuts = np.flatnonzero(changes)
        if len(cuts):
            return start + int(cuts[-1]) + 1
        size *= 2
    return len(order)


def _rank(numbers: Numbers, terms: TermTable) -> Numbers:
    """Return the place of each numbered term in the order of the texts."""
    size = len(terms.texts) << SHIFT
    seen = np.zeros(size, np.bool_)
    seen[numbers] = True
    ordered = sorted(np.flatnonzero(seen).tolist(), key=terms.term)
    places = np.zeros(size, np.uint32)
    places[ordered] = np.arange(len(ordered), dtype=np.uint32)
    return places[numbers]


def _places(texts: Sequence[str]) -> Numbers:
    """Return the place of each text in their order."""
    places = np.empty(len(texts), np.uint32)
    places[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts))
    return places
