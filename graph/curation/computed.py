"""Computed things: what the service states of other data, and what becomes of it.

Floor 2. Classes that the shapes call computed (`rz:computed`) have their instances in graphs of
their own, whose names nobody else may take. They never hinder a change: what measures a node goes
when the node goes. How anything is computed stands above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from graph.curation.messages import say
from graph.curation.view import View
from graph.errors import Violation
from graph.model import Model
from graph.store.commit import Change
from graph.store.snapshot import Snapshot
from graph.terms import ENTITY, RDF_TYPE, Quad

#: Activity of the commits that write computed graphs.
REPORT: Final = "report"
#: What the names of computed graphs begin with.
GRAPHS: Final = f"{ENTITY}source/report-"
#: Activities that write them.
_WRITERS: Final = frozenset({REPORT, "load"})


def is_computed(graph: str) -> bool:
    """Tell whether a graph (N-Triples text) is of those that the service writes itself."""
    return graph.startswith(f"<{GRAPHS}")


def computed_graphs(snapshot: Snapshot) -> frozenset[str]:
    """Return the graphs (N-Triples text) of a snapshot that the service writes itself."""
    return frozenset(filter(is_computed, snapshot.graphs()))


def refused_computed(
    model: Model, change: Change, added: Iterable[Quad], removed: Iterable[Quad], language: str
) -> Iterator[Violation]:
    """Yield a violation for each statement that only the service may write.

    Computed graphs are written by reports alone, and by an operator who loads an export; things of
    computed classes stand nowhere else, since they go with what they measure.
    """
    added = tuple(added)
    if change.activity not in _WRITERS:
        for graph in sorted({q[3] for q in (*added, *removed) if is_computed(q[3])}):
            message = say("computedGraph", language, graph=graph[1:-1])
            yield Violation(graph, None, None, "graph", "Violation", message, graph[1:-1])
    classes = {f"<{iri}>" for iri in model.computed}
    for subject, predicate, value, graph in added:
        if predicate == RDF_TYPE and value in classes and not is_computed(graph):
            message = say("computedClass", language, name=model.classes[value[1:-1]].name)
            yield Violation(subject, RDF_TYPE, value, "class", "Violation", message, graph[1:-1])


def data_revision(latest: Mapping[str, int]) -> int:
    """Return the last revision that changed more than computed graphs; 0 before the first.

    `latest` gives the last revision of each activity, as a level sees them. What was computed on
    it or on a later one is up to date.
    """
    return max((last for act, last in latest.items() if act != REPORT), default=0)


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
    # What others state of a node of that name is theirs.
    return [quad for quad in orphans if is_computed(quad[3])]


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
