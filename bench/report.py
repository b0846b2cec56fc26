"""Cost of the centrality report: projection, each measure, the whole, beside networkx.

`python -m bench.report [ORGANISATIONS ...]` prints a table for each size (10^3, 10^4 and 10^5
organisations of generated data). networkx gets the same network with floats for lengths, which it
adds faster than the exact fractions of the tests. Its shortest paths are run from a few sources
and compared by source; the whole would take hours. One run each: read the ratios.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeVar

import networkx as nx

from bench.blocks import ORGANISATIONS, STATEMENTS
from bench.generator import Shape, generate
from graph.analysis.measures.arrays import label_components, take_part
from graph.analysis.measures.cohesion import components, find_cuts
from graph.analysis.measures.registry import NODE_MEASURES
from graph.analysis.measures.shortest_paths import walk_shortest_paths
from graph.analysis.projection import Projection, ProjectionParameters, build_projection
from graph.analysis.render import RENDERERS, render
from graph.analysis.report import build_report
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.commit import Change, Commit, Position, follow
from graph.store.snapshot import Snapshot

SIZES: Final = (1_000, 10_000, 100_000)
#: Ties up to which networkx makes the projection and the slower measures, too.
NETWORKX_TIES: Final = 400_000
#: Sources from which networkx walks.
SOURCES: Final = 10

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Row:
    """One step: seconds of ours and of networkx, None where it was not run."""

    step: str
    ours_s: float
    networkx_s: float | None = None

    def write(self) -> str:
        """Return the row of a Markdown table, with networkx's time over ours."""
        if self.networkx_s is None:
            return f"| {self.step} | {self.ours_s:.3g} | | |"
        ratio = self.networkx_s / max(self.ours_s, 1e-6)
        return f"| {self.step} | {self.ours_s:.3g} | {self.networkx_s:.3g} | {ratio:.0f} |"


class _Beginning:
    """The place before the first commit."""

    revision = 0
    time = ""
    dataset_hash = 0
    quad_count = 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("organisations", type=int, nargs="*", default=list(SIZES))
    for count in parser.parse_args(arguments).organisations:
        snapshot = make_snapshot(count)
        rows = list(measure(snapshot))
        print(f"\n### {count:,} organisations, {snapshot.quad_count:,} triples\n")
        print("| step | ours, s | networkx, s | ratio |\n|---|---:|---:|---:|")
        print("\n".join(row.write() for row in rows), flush=True)


def make_snapshot(organisations: int) -> Snapshot:
    """Return the snapshot of generated data with about so many organisations."""
    shape = Shape(organisations // ORGANISATIONS * STATEMENTS)
    return build_snapshot(load_model(), _commits(shape))


def _commits(shape: Shape) -> Iterator[Commit]:
    last: Position = _Beginning()
    for _, quads in groupby(generate(shape), key=lambda quad: quad[3]):
        change = Change((), (), "bench", "load", "generated data")
        last = commit = follow(last, change, set(quads), (), "0.1.0")
        yield commit


def measure(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the steps of a report on the default network."""
    parameters = ProjectionParameters()
    took, projection = _time(lambda: build_projection(snapshot, parameters))
    small = projection.tie_count <= NETWORKX_TIES
    nodes, ties = projection.node_count, projection.tie_count
    yield Row(f"read and project: {nodes:,} nodes, {ties:,} ties", took)
    if small:
        _, incidence = _time(lambda: _incidence(projection))
        theirs, _ = _time(
            lambda: nx.bipartite.collaboration_weighted_projected_graph(incidence, projection.nodes)
        )
        ours, _ = _time(lambda: build_projection(snapshot, parameters))
        yield Row("the same, networkx from the pairs alone", ours, theirs)
    graph = projection.to_networkx(exact=False)
    yield from _measure_paths(projection)
    for one in NODE_MEASURES:
        if not one.on_paths:
            ours, _ = _time(partial(one.compute, projection))
            slow = one.key == "eigenvector" and not small
            reference = None if slow else _time(partial(one.reference, graph))[0]
            yield Row(one.key, ours, reference)
    ours, _ = _time(lambda: components(projection))
    theirs, _ = _time(lambda: list(nx.connected_components(graph)))
    yield Row("components", ours, theirs)
    ours, _ = _time(lambda: find_cuts(projection))
    theirs, _ = _time(lambda: (list(nx.articulation_points(graph)), list(nx.bridges(graph))))
    yield Row("articulation points and bridges", ours, theirs)
    took, report = _time(lambda: build_report(snapshot, parameters, "en", ""))
    yield Row("whole report, all of the above", took)
    for name in RENDERERS:
        took, content = _time(partial(render, report, name))
        yield Row(f"render {name}, {len(content) / 1e6:.1f} MB", took)


def _measure_paths(projection: Projection) -> Iterator[Row]:
    """Yield the pass over shortest paths: what it took, and by source beside networkx."""
    took, sums = _time(lambda: walk_shortest_paths(projection))
    kind = "exact" if sums.exact else "sampled"
    sources = f"{sums.sources:,} of {sums.sources_wanted:,} sources"
    yield Row(f"betweenness, closeness, harmonic, {kind}: {sources}", took)
    members = (label_components(projection) == 0).nonzero()[0]
    largest: nx.Graph[Any] = nx.from_scipy_sparse_array(take_part(projection.lengths, members))
    drawn = min(SOURCES, len(members))
    theirs, _ = _time(lambda: nx.betweenness_centrality(largest, k=drawn, weight="weight", seed=1))
    yield Row("the same, by source", took / sums.sources, theirs / drawn)


def _incidence(projection: Projection) -> nx.Graph[str]:
    """Return the participations as networkx's two-mode graph."""
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(projection.nodes)
    for affiliation in projection.affiliations:
        graph.add_edges_from((affiliation.iri, projection.nodes[p]) for p in affiliation.parties)
    return graph


def _time(function: Callable[[], _Result]) -> tuple[float, _Result]:
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


if __name__ == "__main__":
    main()
