"""A projection as a file of network programs: GEXF (Gephi) and GraphML (yEd, igraph, Cytoscape).

Floor 3. networkx writes both; the clock that it would put into a GEXF is left out, so that equal
networks have equal bytes. Nodes carry IRI, label, kind and country; ties weight and distance; the
network its licences and the sources of its ties. A part of it lies around one node (its ego
network) or around what its actors join.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final
from xml.sax.saxutils import escape

import networkx as nx

from graph.analysis.affiliations import RELATIONS, read_relations
from graph.analysis.projection import (
    Mode,
    Projection,
    ProjectionParameters,
    Succession,
    build_projection,
)
from graph.analysis.reader import read_country, read_kind, read_name
from graph.curation.citation import AUTHORS
from graph.curation.excerpt import WHOLE, Excerpt
from graph.curation.licences import read_licences, write_licences
from graph.errors import NotFoundError, UnknownTermError
from graph.store.snapshot import Snapshot

_META: Final = re.compile(rb"<meta.*?</meta>", re.DOTALL)


def write_network(
    snapshot: Snapshot,
    parameters: ProjectionParameters,
    format: str,
    language: str = "en",
    excerpt: Excerpt = WHOLE,
) -> bytes:
    """Return the network that the parameters take from a snapshot: `gexf` or `graphml`.

    Parameters
    ----------
    snapshot : Snapshot
    parameters : ProjectionParameters
    format : str
    language : str
        Of the labels.
    excerpt : Excerpt
        With an `entity` what lies within `depth` ties of it, with all ties among that: of a node
        its ego network, of what actors join (a network, a memorandum, a project) those who join
        it and what is up to `depth` - 1 ties from them, with a depth of 0 as of 1.

    Raises
    ------
    UnknownTermError
        There is no such format.
    NotFoundError
        The entity is neither a node nor joined by one.
    """
    if format not in NETWORK_FORMATS:
        raise UnknownTermError("network format", format, tuple(NETWORK_FORMATS))
    projection = build_projection(snapshot, parameters)
    graph = projection.to_networkx(exact=False)
    if excerpt.entity is not None:
        graph.remove_nodes_from(set(graph) - _around(graph, projection, excerpt))
        graph.graph.update(entity=excerpt.entity, depth=excerpt.depth)
    _label(graph, snapshot, projection, language)
    _attribute(graph, snapshot, projection, language)
    return NETWORK_FORMATS[format](graph)


def _around(graph: nx.Graph[str], projection: Projection, excerpt: Excerpt) -> set[str]:
    """Return the nodes that an excerpt keeps."""
    entity, steps = str(excerpt.entity), excerpt.depth
    entity = dict(projection.folded).get(entity, entity)
    if entity in graph:
        within = {entity}
    else:
        parties = (each.parties for each in projection.affiliations if each.iri == entity)
        within = {projection.nodes[projection.actors[at]] for joined in parties for at in joined}
        steps -= 1
        if not within:
            raise NotFoundError(f"{entity[:200]} in the network {projection.parameters.name}")
    edge = within
    for _ in range(steps):
        edge = {near for node in edge for near in graph[node]} - within
        within = within | edge
    return within


def _label(graph: nx.Graph[str], snapshot: Snapshot, projection: Projection, language: str) -> None:
    """Add what a reader needs to know of the nodes and of the network."""
    for iri in graph:
        graph.nodes[iri].update(
            label=read_name(snapshot, iri, language),
            kind=read_kind(snapshot, iri, language),
            country=read_country(snapshot, iri),
            actor=bool(projection.is_actor[projection.index[iri]]),
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


def _attribute(
    graph: nx.Graph[str], snapshot: Snapshot, projection: Projection, language: str
) -> None:
    """Add on which terms the network may be used, and which sources state its ties."""
    licences = read_licences(snapshot)
    graph.graph.update(
        creator=AUTHORS,
        license=" ".join(licence.iri for licence in licences),
        rights=write_licences(licences, language),
        source=" ".join(_read_sources(graph, snapshot, projection)),
    )


def _read_sources(graph: nx.Graph[str], snapshot: Snapshot, projection: Projection) -> list[str]:
    """Return the IRIs of the sources of every relation that takes part in a tie of the graph."""
    nodes, parameters = projection.nodes, projection.parameters
    tying = {
        (affiliation.layer, affiliation.iri)
        for affiliation in projection.affiliations
        if (
            affiliation.iri in graph
            if parameters.mode is Mode.TWO_MODE
            else sum(nodes[projection.actors[at]] in graph for at in affiliation.parties) > 1
        )
    }
    sources: set[str] = set()
    for each in read_relations(
        snapshot,
        parameters.layers,
        parameters.statuses,
        fold=parameters.succession is Succession.FOLD,
        clusters_only=parameters.clusters_only,
    ):
        if each.actor[1:-1] in graph and (each.layer, each.joined[1:-1]) in tying:
            to_party = RELATIONS[each.layer][1]
            sources.update(snapshot.graphs_of(each.name, to_party, each.party))
    return sorted(source[1:-1] for source in sources)


def _write_gexf(graph: nx.Graph[str]) -> bytes:
    """Return the graph as GEXF, its terms in the `meta` element, which networkx knows no way to."""
    file, told = BytesIO(), graph.graph
    nx.write_gexf(graph, file, version="1.2draft")
    text = (
        f"{told['name']}, dataset hash {told['datasetHash']}. Licence: {told['rights']}. "
        f"Sources of the ties: {told['source']}"
    )
    meta = (
        f"<meta><creator>{escape(told['creator'])}</creator>"
        f"<description>{escape(text)}</description></meta>"
    ).encode()
    return _META.sub(lambda _: meta, file.getvalue(), count=1) + b"\n"


def _write_graphml(graph: nx.Graph[str]) -> bytes:
    lines: Any = nx.generate_graphml(graph)
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return (head + "\n".join(lines) + "\n").encode()


NETWORK_FORMATS: Final[Mapping[str, Callable[[nx.Graph[str]], bytes]]] = {
    "gexf": _write_gexf,
    "graphml": _write_graphml,
}
