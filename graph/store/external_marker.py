"""What a SPARQL server of others holds of ours, and the updates that change it.

Floor 1. The marker is one triple in a graph of its own. Each update exchanges it together with the
data, and does nothing unless it finds the marker that it expects: an update that arrives late, or
twice, changes nothing (decision 0028). Nothing here talks to a server.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from graph.store.effect import Triple
from graph.store.stamp import SYSTEM_GRAPH
from graph.terms import Quad

if TYPE_CHECKING:
    from graph.store.log import Log

#: Graph that holds the marker, and the one of merged triples where there is no default graph.
MARKER_GRAPH: Final = "https://w3id.org/rhizome/stamp/external"
MERGED_GRAPH: Final = "https://w3id.org/rhizome/stamp/merged"
_HOLDS: Final = f"{MARKER_GRAPH}#holds"
_NUMBER: Final = r"([0-9]{1,18})"
_MARKER: Final = re.compile(
    rf"{re.escape(MARKER_GRAPH)}/([0-9a-f]{{16}})/{_NUMBER}/([0-9a-f]{{64}})/{_NUMBER}"
    rf"/([0-9a-f]{{64}})/(whole|part-{_NUMBER})"
)

#: Graph, or the empty text for the default graph, with its statements as N-Triples.
Statements = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Marker:
    """Which log, revision, dataset hash and ontology a server holds.

    `part` numbers the pieces of a change that is not whole yet; None when it is.
    """

    log: str
    revision: int
    dataset_hash: int
    quad_count: int
    system_digest: str
    part: int | None = None

    @property
    def iri(self) -> str:
        """The marker as it is written."""
        state = "whole" if self.part is None else f"part-{self.part}"
        numbers = f"{self.revision}/{self.dataset_hash:064x}/{self.quad_count}"
        return f"{MARKER_GRAPH}/{self.log}/{numbers}/{self.system_digest}/{state}"

    @property
    def next_part(self) -> Marker:
        """The marker after one more piece."""
        return replace(self, part=1 if self.part is None else self.part + 1)

    @property
    def whole(self) -> Marker:
        """The marker after the last piece."""
        return replace(self, part=None)


def read_marker(iri: str) -> Marker | None:
    """Return a marker of its IRI, None for what is none."""
    found = _MARKER.fullmatch(iri)
    if found is None:
        return None
    log, revision, dataset_hash, count, digest, _, part = found.groups()
    number = None if part is None else int(part)
    return Marker(log, int(revision), int(dataset_hash, 16), int(count), digest, number)


def name_log(log: Log) -> str:
    """Return what tells this log from any other: 16 hex digits made of its first commit."""
    first = next(iter(log.headers(0)), None)
    text = "" if first is None else f"{first.time} {first.agent} {first.dataset_hash:064x}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def marker_query() -> str:
    """Return the query for the markers that a server holds, in the column `m`."""
    return f"SELECT ?m WHERE {{ GRAPH <{MARKER_GRAPH}> {{ ?s <{_HOLDS}> ?m }} }}"


def write_change(
    old: Marker,
    new: Marker,
    added: Collection[Quad],
    removed: Collection[Quad],
    merged: tuple[Collection[Triple], Collection[Triple]],
    merged_graph: str,
) -> str:
    """Return one update that changes data and marker, if the marker is the old one.

    Parameters
    ----------
    old, new : Marker
        What the server must hold for anything to happen, and what it holds then.
    added, removed : collection of Quad
    merged : pair of collections of triples
        Those that enter and those that leave the merged triples.
    merged_graph : IRI
        Where these stand; empty for the default graph.
    """
    entering, leaving = merged
    inserts, deletes = _by_graph(added), _by_graph(removed)
    inserts[merged_graph] += [_write(triple) for triple in entering]
    deletes[merged_graph] += [_write(triple) for triple in leaving]
    inserts[MARKER_GRAPH].append(_state(new))
    deletes[MARKER_GRAPH].append(_state(old))
    condition = f"GRAPH <{MARKER_GRAPH}> {{ {_state(old)} }}"
    return (
        f"DELETE {{\n{_write_all(deletes)}}}\nINSERT {{\n{_write_all(inserts)}}}\n"
        f"WHERE {{ {condition} }}"
    )


def write_beginning(marker: Marker) -> str:
    """Return the update that puts a marker in the place of whatever markers there are."""
    return (
        f"DROP SILENT GRAPH <{MARKER_GRAPH}> ;\n"
        f"INSERT DATA {{ GRAPH <{MARKER_GRAPH}> {{ {_state(marker)} }} }}"
    )


def write_dropping(graph: str) -> str:
    """Return the update that takes a graph away; the empty text stands for the default graph."""
    return f"DROP SILENT GRAPH <{graph}>" if graph else "DROP SILENT DEFAULT"


def split(quads: Iterable[Quad], size: int) -> Iterator[list[Quad]]:
    """Yield quads in runs of at most `size`."""
    left = iter(quads)
    while piece := list(islice(left, size)):
        yield piece


def is_ours(graph: str, known: Collection[str]) -> bool:
    """Tell whether a graph (IRI) is one that we write: a source of ours, or one of the system."""
    return (
        graph in (MARKER_GRAPH, MERGED_GRAPH, SYSTEM_GRAPH[1:-1])
        or graph.startswith("https://w3id.org/rhizome/id/")
        or graph in known
    )


def _state(marker: Marker) -> str:
    return f"<{MARKER_GRAPH}> <{_HOLDS}> <{marker.iri}> ."


def _write(triple: Triple) -> str:
    return f"{triple[0]} {triple[1]} {triple[2]} ."


def _by_graph(quads: Iterable[Quad]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for subject, predicate, value, graph in quads:
        found[graph[1:-1]].append(f"{subject} {predicate} {value} .")
    return found


def _write_all(statements: Statements) -> str:
    lines = []
    for graph, written in statements.items():
        if written:
            body = "\n".join(written)
            lines.append(f"GRAPH <{graph}> {{\n{body}\n}}\n" if graph else f"{body}\n")
    return "".join(lines)
