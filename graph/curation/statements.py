"""The statements of a snapshot in the order in which they are written out.

Floor 2. They are sorted as numbers, so that a million take tens of megabytes; texts are made
when a subject's turn comes. Formats are the matter of those who write.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graph.store.snapshot import SYSTEM, Snapshot

Numbers = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Block:
    """What one graph says of one subject, or all graphs: (predicate, value, graph), sorted.

    All are N-Triples texts; `graph` is empty where a block is of all graphs.
    """

    graph: str
    subject: str
    statements: list[tuple[str, str, str]]


def subjects_of(snapshot: Snapshot) -> list[str]:
    """Return the subjects of the data, sorted."""
    rows = _read(snapshot)
    return sorted(map(snapshot.terms.term, np.unique(rows[0]).tolist()))


def by_subject(snapshot: Snapshot) -> Iterator[Block]:
    """Yield what all graphs say of each subject, subjects sorted by their text."""
    yield from _blocks(snapshot, by_graph=False)


def by_graph(snapshot: Snapshot) -> Iterator[Block]:
    """Yield what each graph says of each subject, sorted by the texts of graph and subject."""
    yield from _blocks(snapshot, by_graph=True)


def _blocks(snapshot: Snapshot, *, by_graph: bool) -> Iterator[Block]:
    subjects, predicates, values, graphs = _read(snapshot)
    if not len(subjects):
        return
    names = [f"<{iri}>" for iri in snapshot.forward]
    graph_texts = list(snapshot.graphs_table.terms)
    term = snapshot.terms.term
    subject_ranks, texts = _rank(subjects, snapshot)
    ranks = _order(graph_texts)[graphs] if by_graph else np.zeros_like(graphs)
    order = np.lexsort((subject_ranks, ranks))
    key = ranks.astype(np.uint64) << np.uint64(32) | subject_ranks
    ends = np.flatnonzero(np.diff(key[order])) + 1
    for rows in _split(order, ends):
        statements = sorted(
            (names[p], term(v), graph_texts[g])
            for p, v, g in zip(
                predicates[rows].tolist(), values[rows].tolist(), graphs[rows].tolist(), strict=True
            )
        )
        graph = statements[0][2] if by_graph else ""
        yield Block(graph, texts[int(subject_ranks[rows[0]])], statements)


def _split(
    order: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]
) -> Iterator[npt.NDArray[np.intp]]:
    start = 0
    for end in (*ends.tolist(), len(order)):
        yield order[start:end]
        start = end


def _read(snapshot: Snapshot) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return subject, predicate, value and graph of every data statement, as numbers."""
    columns = (array("I"), array("I"), array("I"), array("I"))
    subjects, predicates, values, graphs = columns
    for number, column in enumerate(snapshot.forward.values()):
        for subject, value, graph in column.statements():
            if graph != SYSTEM:
                subjects.append(subject)
                predicates.append(number)
                values.append(value)
                graphs.append(graph)
    read = [np.frombuffer(column, dtype=np.uint32) for column in columns]
    return read[0], read[1], read[2], read[3]


def _rank(numbers: Numbers, snapshot: Snapshot) -> tuple[Numbers, list[str]]:
    """Return the rank of each subject by its text, and the texts in that order."""
    unique, inverse = np.unique(numbers, return_inverse=True)
    texts = [snapshot.terms.term(number) for number in unique.tolist()]
    return _order(texts)[inverse], sorted(texts)


def _order(texts: list[str]) -> Numbers:
    ranks = np.empty(len(texts), dtype=np.uint32)
    ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts), dtype=np.uint32)
    return ranks
