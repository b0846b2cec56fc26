"""Small networks for the tests of analysis: snapshots made of affiliations, and the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import networkx as nx
import numpy as np
import pyoxigraph
import scipy.sparse as sp

from graph.analysis.affiliations import RELATIONS, Layer
from graph.analysis.measures.registry import NODE_MEASURES
from graph.analysis.projection import Projection, ProjectionParameters, build_projection
from graph.analysis.succession import CHANGE_EVENT, ORIGINAL, RESULTING
from graph.model import Model
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import TYPE, Snapshot
from graph.store.sources import RANK
from graph.terms import ENTITY, RZ, SKOS, XSD, Quad, local_name, write_literal
from tests.require import ROOT
from tests.snapshots import commit_of

BY_KEY = {measure.key: measure for measure in NODE_MEASURES}
SOURCE = f"<{ENTITY}source/test>"
OTHER_SOURCE = f"<{ENTITY}source/other>"

#: What is joined, by layer and key, with its parties: a key, or a key and a status.
Joined = Mapping[tuple[Layer, str], Sequence[str | tuple[str, str]]]

KINDS = {
    Layer.MEMBERSHIP: ("network", "Network"),
    Layer.MEMORANDUM: ("memorandum", "MemorandumOfUnderstanding"),
    Layer.PROJECT: ("project", "Project"),
}


@lru_cache(maxsize=1)
def the_model() -> Model:
    """Return the model of the ontology, read once."""
    return load_model()


def organisation(key: str) -> str:
    """Return the IRI of an organisation."""
    return f"{ENTITY}organisation/{key}"


def typed(iri: str, class_name: str, graph: str = SOURCE) -> Quad:
    """Return the quad that gives a node its class."""
    return f"<{iri}>", f"<{TYPE}>", f"<{RZ}{class_name}>", graph


def named(iri: str, name: str, language: str = "en", graph: str = SOURCE) -> Quad:
    """Return the quad that names a node."""
    return f"<{iri}>", f"<{SKOS}prefLabel>", write_literal(name, language=language), graph


def join_quads(joined: Joined, graph: str = SOURCE) -> list[Quad]:
    """Return relations, organisations and what they join as quads of one source."""
    quads: list[Quad] = []
    for (layer, key), parties in joined.items():
        kind, class_name = KINDS[layer]
        target = f"{ENTITY}{kind}/{key}"
        quads += [typed(target, class_name, graph), named(target, key.upper(), graph=graph)]
        relation_class, to_party, to_joined = RELATIONS[layer]
        for party in parties:
            name, status = (party, "stated") if isinstance(party, str) else party
            relation = f"<{ENTITY}{layer}/{key}--{name}>"
            quads += [
                typed(organisation(name), "Cluster", graph),
                named(organisation(name), name.title(), graph=graph),
                (relation, f"<{TYPE}>", f"<{relation_class}>", graph),
                (relation, f"<{to_party}>", f"<{organisation(name)}>", graph),
                (relation, f"<{to_joined}>", f"<{target}>", graph),
                (relation, f"<{RZ}status>", write_literal(status), graph),
            ]
    return quads


def change_quads(key: str, old: Iterable[str], new: Iterable[str]) -> list[Quad]:
    """Return a change event from some organisations to others."""
    event = f"<{ENTITY}change-event/{key}>"
    return [
        (event, f"<{TYPE}>", f"<{CHANGE_EVENT}>", SOURCE),
        (event, f"<{RZ}status>", write_literal("stated"), SOURCE),
        *((event, f"<{ORIGINAL}>", f"<{organisation(name)}>", SOURCE) for name in old),
        *((event, f"<{RESULTING}>", f"<{organisation(name)}>", SOURCE) for name in new),
    ]


def rank_quads(graph: str, rank: int) -> list[Quad]:
    """Return what makes a graph a source of a rank."""
    literal = write_literal(str(rank), f"{XSD}integer")
    return [typed(graph[1:-1], "Source", graph), (graph, f"<{RANK}>", literal, graph)]


def snapshot_of(quads: Iterable[Quad]) -> Snapshot:
    """Return the snapshot after one commit of these quads."""
    return build_snapshot(the_model(), [commit_of(sorted(set(quads)), (), None)])


def snapshot_joining(joined: Joined) -> Snapshot:
    """Return a snapshot of affiliations alone."""
    return snapshot_of(join_quads(joined))


def pair_projects(graph: nx.Graph[Any]) -> Joined:
    """Return one project of two for each edge, so that the network taken from it is the graph."""
    pairs = sorted((str(a), str(b)) for a, b in graph.edges())
    return {(Layer.PROJECT, f"{a}-{b}"): [a, b] for a, b in pairs}


def project_graph(graph: nx.Graph[Any]) -> Projection:
    """Return a graph with `weight` on its edges as a projection, isolates included.

    Its nodes are numbered in the order of their names.
    """
    order = sorted(graph, key=str)
    weights = sp.csr_array(1.0 * nx.to_scipy_sparse_array(graph, nodelist=order))
    lengths = weights.copy()
    lengths.data = 1.0 / weights.data
    return Projection(
        parameters=ProjectionParameters(),
        revision=1,
        nodes=tuple(organisation(str(node)) for node in order),
        is_actor=np.ones(len(order), dtype=np.bool_),
        actors=np.arange(len(order)),
        affiliations=(),
        folded=(),
        weights=weights,
        lengths=lengths,
    )


@lru_cache(maxsize=1)
def seed_snapshot() -> Snapshot:
    """Return the snapshot of the seeds, as they stand in their files."""
    quads = set()
    for path in sorted((ROOT / "seeds").glob("*.trig")):
        for quad in pyoxigraph.parse(path=str(path), format=pyoxigraph.RdfFormat.TRIG):
            quads.add(
                (str(quad.subject), str(quad.predicate), str(quad.object), str(quad.graph_name))
            )
    return snapshot_of(quads)


def take(joined: Joined, **changes: Any) -> Projection:
    """Return the network taken from affiliations, with parameters other than the default ones."""
    return build_projection(snapshot_joining(joined), replace(ProjectionParameters(), **changes))


def take_random(nodes: int, seed: int = 7) -> Projection:
    """Return a network of as many random projects as organisations, two to seven in each."""
    rng = np.random.default_rng(seed)
    return take(
        {
            (Layer.PROJECT, f"p{number}"): [
                f"o{party}" for party in rng.choice(nodes, rng.integers(2, 8), replace=False)
            ]
            for number in range(nodes)
        }
    )


def compute(key: str, projection: Projection) -> dict[str, float]:
    """Return a measure's values by the last part of the nodes' IRIs."""
    values = BY_KEY[key].compute(projection)
    return {local_name(iri): v for iri, v in zip(projection.nodes, values, strict=True)}
