"""Computed things: what the service states of other data, and what becomes of it.

Floor 2. Classes that the shapes call computed (`rz:computed`) have their instances in graphs of
their own, which never hinder a change: what measures a node goes when the node goes. How anything
is computed stands above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from graph.curation.view import View
from graph.model import Model
from graph.store.log import Log
from graph.store.snapshot import Snapshot
from graph.terms import RDF_TYPE, Quad

#: Activity of the commits that write computed graphs.
REPORT: Final = "report"


def computed_graphs(snapshot: Snapshot) -> frozenset[str]:
    """Return the graphs (N-Triples text) of which a computed thing is the head.

    The head is a computed thing that measures nothing but the dataset: it refers to no node.
    """
    model = snapshot.model
    return frozenset(
        graph
        for iri in model.computed
        if not _targets(model, iri)
        for number in snapshot.instances(iri)
        for graph in snapshot.graphs_of(snapshot.term_of(number), RDF_TYPE[1:-1], f"<{iri}>")
    )


def data_revision(log: Log) -> int:
    """Return the last revision that changed more than computed graphs; 0 before the first.

    What was computed on it or on a later one is up to date.
    """
    return max((last for act, last in log.latest.items() if act != REPORT), default=0)


def find_orphans(snapshot: Snapshot, added: Iterable[Quad], removed: Iterable[Quad]) -> list[Quad]:
    """Return what computed graphs state of nodes that a change takes the class away from.

    A measure is only as good as what it measures: without this, a committed report would hinder
    the deletion of an organisation, and newer seeds that leave one out.
    """
    gone = [quad for quad in removed if quad[1] == RDF_TYPE]
    model = snapshot.model
    if not gone or not any(snapshot.instances(iri) for iri in model.computed):
        return []
    view = View(snapshot, added, removed)
    orphans: dict[Quad, None] = {}
    for node in dict.fromkeys(quad[0] for quad in gone):
        for measure in _measures(view, model, node):
            orphans.update(dict.fromkeys(view.quads_of(measure)))
            orphans.update(dict.fromkeys(q for q in view.quads_to(measure) if q[0] == node))
    return list(orphans)


def _measures(view: View, model: Model, node: str) -> Iterator[str]:
    """Yield the computed nodes that refer to a node which is no longer what they may refer to."""
    types = view.types(node)
    for subject, predicate, _, _ in view.quads_to(node):
        for iri in model.computed & view.types(subject):
            target = _targets(model, iri).get(predicate[1:-1])
            if target is not None and types.isdisjoint(model.descendants[target]):
                yield subject


def _targets(model: Model, iri: str) -> dict[str, str]:
    """Return the classes that a computed class refers to outside itself, by predicate."""
    return {
        field.path: field.target
        for field in model.fields[iri].values()
        if field.target is not None and not field.inverse and field.target not in model.computed
    }
