"""Whose statements these are: every graph that is written describes itself as a source.

Floor 2. Which graphs may be written, and what must stand in them; what the statements say is
validated elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graph.curation.messages import DEFAULT_LANGUAGE, say
from graph.curation.view import View
from graph.errors import ProvenanceMissingError, Violation
from graph.model import Model
from graph.store.stamp import is_reserved
from graph.terms import RDF_TYPE, RZ

SOURCE = f"{RZ}Source"


def require_sources(view: View, model: Model) -> None:
    """Check that each graph that the change leaves something in is described in itself.

    Raises
    ------
    ProvenanceMissingError
        A graph holds statements but not that its own IRI is an rz:Source.
    """
    kinds = [f"<{iri}>" for iri in model.descendants.get(SOURCE, (SOURCE,))]
    for graph, count in view.graphs().items():
        if count and not any(view.contains((graph, RDF_TYPE, kind, graph)) for kind in kinds):
            raise ProvenanceMissingError(graph[1:-1])


def refused_graphs(
    view: View, is_seed: Callable[[str], bool], language: str = DEFAULT_LANGUAGE
) -> Iterator[Violation]:
    """Yield a violation for each touched graph that may not be written.

    `is_seed` tells of the IRI of a graph whether it comes with the seeds. What the SPARQL store
    keeps for itself is refused here: there, the commit would stand in the log already.
    """
    for graph in view.graphs():
        iri = graph[1:-1]
        key = "reservedGraph" if is_reserved(graph) else "seedGraph" if is_seed(iri) else ""
        if key:
            message = say(key, language, graph=iri)
            yield Violation(graph, None, None, "graph", "Violation", message, iri)
