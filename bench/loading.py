"""How a loader over Oxigraph best reads a level: a pattern a node, or one SPARQL query for all.

Both read the roles of 100 clusters, and name, country and acronym of 300 organisations, on the
peers' data. The SPARQL queries have one branch a predicate and VALUES for the nodes, which is the
form that Oxigraph plans best.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from bench import peer_oxigraph as peer
from bench.tables import Table

_Read = Callable[[list[ox.NamedNode]], set[tuple[str, ...]]]

_REPEATS: Final = 7
_CLUSTERS: Final = 100
_ORGANISATIONS: Final = 300


def table_loading(data: Path) -> Table:
    """Return the table of both ways, in CPU milliseconds a level."""
    peer.load(data)
    clusters = [ox.NamedNode(iri) for iri in peer.CLUSTERS[:_CLUSTERS]]
    organisations = _partners()
    levels: list[tuple[str, _Read, _Read, list[ox.NamedNode]]] = [
        (f"roles of {len(clusters)} clusters", _roles_by_pattern, _roles_by_query, clusters),
        (
            f"texts of {len(organisations)} organisations",
            _texts_by_pattern,
            _texts_by_query,
            organisations,
        ),
    ]
    rows: list[tuple[str | float, ...]] = []
    for name, by_pattern, by_query, nodes in levels:
        if by_pattern(nodes) != by_query(nodes):
            raise AssertionError(f"the two ways differ on the {name}")
        pattern_ms, query_ms = _best_ms(by_pattern, nodes), _best_ms(by_query, nodes)
        rows.append((name, pattern_ms, query_ms, query_ms / pattern_ms))
    heads = ("level", "a pattern a node, ms", "one query, ms", "query / patterns")
    return Table("Loading a level from Oxigraph", heads, rows)


def _partners() -> list[ox.NamedNode]:
    found = dict.fromkeys(
        quad.object for quad in peer.STORE.quads_for_pattern(None, peer.ROLE_OF, None)
    )
    return sorted(
        (node for node in found if isinstance(node, ox.NamedNode)), key=lambda node: node.value
    )[:_ORGANISATIONS]


def _roles_by_pattern(nodes: list[ox.NamedNode]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for node in nodes:
        for quad in peer.STORE.quads_for_pattern(None, peer.ROLE_OF, node):
            for predicate in (peer.ROLE, peer.INVOLVED_IN):
                for each in peer.STORE.quads_for_pattern(quad.subject, predicate, None):
                    found.add((str(quad.subject), str(predicate), str(each.object)))
    return found


def _roles_by_query(nodes: list[ox.NamedNode]) -> set[tuple[str, ...]]:
    values = " ".join(map(str, nodes))
    solutions = peer.STORE.query(
        f"SELECT ?r ?l ?p {{ VALUES ?s {{ {values} }} "
        f"?r {peer.ROLE_OF} ?s ; {peer.ROLE} ?l ; {peer.INVOLVED_IN} ?p }}"
    )
    assert isinstance(solutions, ox.QuerySolutions)
    found: set[tuple[str, ...]] = set()
    for role, label, project in solutions:
        found.add((str(role), str(peer.ROLE), str(label)))
        found.add((str(role), str(peer.INVOLVED_IN), str(project)))
    return found


_TEXTS: Final = (peer.NAME, peer.COUNTRY, peer.ACRONYM)


def _texts_by_pattern(nodes: list[ox.NamedNode]) -> set[tuple[str, ...]]:
    return {
        (str(node), str(quad.predicate), str(quad.object))
        for node in nodes
        for quad in peer.STORE.quads_for_pattern(node, None, None)
        if quad.predicate in _TEXTS
    }


def _texts_by_query(nodes: list[ox.NamedNode]) -> set[tuple[str, ...]]:
    values = " ".join(map(str, nodes))
    branches = " UNION ".join(
        f"{{ VALUES ?s {{ {values} }} ?s {predicate} ?o BIND({predicate} AS ?p) }}"
        for predicate in _TEXTS
    )
    solutions = peer.STORE.query(f"SELECT ?s ?p ?o {{ {branches} }}")
    assert isinstance(solutions, ox.QuerySolutions)
    return {(str(s), str(p), str(o)) for s, p, o in solutions}


def _best_ms(read: _Read, nodes: list[ox.NamedNode]) -> float:
    times = []
    for _ in range(_REPEATS):
        began = time.process_time()
        read(nodes)
        times.append(time.process_time() - began)
    return min(times) * 1000
