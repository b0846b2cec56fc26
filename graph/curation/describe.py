"""What the dataset says of one thing: its description, to be written in any RDF format.

Floor 2. A description holds what is stated of the thing, its evidence in full, what refers to it,
and which sources say so, each by title and address. It is bounded, and says where it was cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from graph.store.snapshot import Snapshot
from graph.store.term_table import SHIFT
from graph.terms import RDF_TYPE, RZ, Quad

_EVIDENCE: Final = f"<{RZ}evidence>"
#: What is told of a source beside its class: title, address, licence.
_OF_SOURCES: Final = frozenset(
    {
        RDF_TYPE,
        "<http://purl.org/dc/terms/title>",
        "<https://schema.org/url>",
        "<http://purl.org/dc/terms/license>",
    }
)


@dataclass(frozen=True, slots=True)
class Description:
    """The statements of a description; `is_cut` tells that there are more."""

    quads: tuple[Quad, ...]
    is_cut: bool


def is_known(snapshot: Snapshot, node: str) -> bool:
    """Tell whether something is stated of a node (N-Triples text), or refers to it."""
    number = snapshot.number_of(node)
    if number is None:
        return False
    page = number >> SHIFT
    columns = (*snapshot.forward.values(), *snapshot.inverse.values())
    return any(page in column.pages and column.count(number) for column in columns)


def describe(snapshot: Snapshot, node: str, most: int) -> Description:
    """Return what is said of a node (N-Triples text), at most so many statements.

    Statements of the thing itself come first, then its evidence, then what refers to it; the
    sources of all of these are added to them.

    Cost: linear in what is returned, and in the number of predicates.
    """
    statements = dict.fromkeys(islice(_statements(snapshot, node), most + 1))
    is_cut = len(statements) > most
    kept = list(statements)[:most]
    sources = dict.fromkeys(graph for _, _, _, graph in kept)
    for source in sources:
        kept += [q for q in snapshot.quads_of(source, source) if q[1] in _OF_SOURCES]
    return Description(tuple(dict.fromkeys(kept)), is_cut)


def _statements(snapshot: Snapshot, node: str) -> Iterator[Quad]:
    evidence: dict[str, None] = {}
    for quad in _about(snapshot, node):
        if quad[1] == _EVIDENCE:
            evidence[quad[2]] = None
        yield quad
    for each in evidence:
        yield from _about(snapshot, each)
    yield from _referring(snapshot, node)


def _about(snapshot: Snapshot, node: str) -> Iterator[Quad]:
    """Yield what is stated of a node, without reading more than is taken."""
    number = snapshot.number_of(node)
    if number is None:
        return
    term, graphs = snapshot.term_of, snapshot.graphs_table.terms
    page = number >> SHIFT
    for predicate, column in sorted(snapshot.forward.items()):
        if page in column.pages:
            for value, graph in column.pairs(number):
                yield node, f"<{predicate}>", term(value), graphs[graph]


def _referring(snapshot: Snapshot, node: str) -> Iterator[Quad]:
    """Yield what refers to a node, without reading more than is taken."""
    number = snapshot.number_of(node)
    if number is None:
        return
    term, graphs = snapshot.term_of, snapshot.graphs_table.terms
    page = number >> SHIFT
    for predicate, column in sorted(snapshot.inverse.items()):
        if page in column.pages:
            for subject in column.values(number):
                for value, graph in snapshot.forward[predicate].pairs(subject):
                    if value == number:
                        yield term(subject), f"<{predicate}>", node, graphs[graph]
