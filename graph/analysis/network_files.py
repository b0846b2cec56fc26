"""A projection as a file of network programs: GEXF (Gephi) and GraphML (yEd, igraph, Cytoscape).

Floor 3. networkx writes both; the clock that it would put into a GEXF is left out, so that equal
networks have equal bytes. Nodes carry IRI, label, kind and country; ties weight and distance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final

import networkx as nx

from graph.analysis.projection import Projection, ProjectionParameters, build_projection
from graph.analysis.reader import read_country, read_kind, read_name
from graph.errors import UnknownTermError
from graph.store.snapshot import Snapshot

_CLOCK: Final = re.compile(rb' lastmodifieddate="[^"]*"')


def write_network(
    snapshot: Snapshot, parameters: ProjectionParameters, format: str, language: str = "en"
) -> bytes:
    """Return the network that the parameters take from a snapshot: `gexf` or `graphml`.

    Raises
    ------
    UnknownTermError
        There is no such format.
    """
    if format not in NETWORK_FORMATS:
        raise UnknownTermError("network format", format, tuple(NETWORK_FORMATS))
    projection = build_projection(snapshot, parameters)
    return NETWORK_FORMATS[format](_label(snapshot, projection, language))


def _label(snapshot: Snapshot, projection: Projection, language: str) -> nx.Graph[str]:
    """Return the network with what a reader needs to know of its nodes and of itself."""
    graph = projection.to_networkx(exact=False)
    for number, iri in enumerate(projection.nodes):
        graph.nodes[iri].update(
            label=read_name(snapshot, iri, language),
            kind=read_kind(snapshot, iri, language),
            country=read_country(snapshot, iri),
            actor=bool(projection.is_actor[number]),
        )
    parameters = projection.parameters
    graph.graph.update(
        name=f"Rhizome, projection {parameters.name}, revision {snapshot.revision}",
        revision=snapshot.revision,
        datasetHash=f"{snapshot.dataset_hash:064x}",
        weighting=str(parameters.weighting),
        mode=str(parameters.mode),
        layers=" ".join(parameters.layers),
    )
    return graph


def _write_gexf(graph: nx.Graph[str]) -> bytes:
    file = BytesIO()
    nx.write_gexf(graph, file, version="1.2draft")
    return _CLOCK.sub(b"", file.getvalue(), count=1) + b"\n"


def _write_graphml(graph: nx.Graph[str]) -> bytes:
    lines: Any = nx.generate_graphml(graph)
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return (head + "\n".join(lines) + "\n").encode()


NETWORK_FORMATS: Final[Mapping[str, Callable[[nx.Graph[str]], bytes]]] = {
    "gexf": _write_gexf,
    "graphml": _write_graphml,
}
