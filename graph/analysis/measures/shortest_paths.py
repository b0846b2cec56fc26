"""One pass over all shortest paths, from which betweenness, closeness and harmonic are read.

Floor 3. Distances come from scipy's Dijkstra, a batch of sources at a time; Brandes' accumulation
then runs over the whole batch in arrays, layer by layer. Two paths are equally long when their
lengths agree within `TIE` (relative): sums of fractions such as 44/15 do not tie in floating
point, and a tie that is lost moves betweenness by whole pairs. See the decision on projections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.sparse.csgraph import dijkstra

from graph.analysis.measures.arrays import (
    Floats,
    Ints,
    gather_arcs,
    label_components,
    list_members,
    take_part,
)
from graph.analysis.projection import Projection

#: Relative difference below which two paths are equally long.
TIE: Final = 1e-12
#: A component is computed exactly up to this many sources x arcs; above, from sampled sources.
EXACT_VISITS: Final = 200_000_000
#: Fewest sources that a component is sampled from.
FEWEST_SOURCES: Final = 64
#: Arcs times sources of one batch: what fits the processor's cache and little memory.
BATCH_VISITS: Final = 2_000_000
#: Seed of the sample: the same network has the same sources.
SEED: Final = 20_201_201


@dataclass(frozen=True, slots=True)
class PathSums:
    """What the shortest paths from all sources, or a sample of them, add up to, by node.

    `through` is the sum over sources of the share of shortest paths that pass through the node
    (Brandes' dependency), `through_error` its standard error (0 where exact); `distance` the sum
    of distances to the other nodes of the component, `inverse` that of 1 / distance; `reached` the
    number of these nodes. From a sample, all are estimates for the whole component. `sources` is
    how many were used of `sources_wanted`.
    """

    through: Floats
    through_error: Floats
    distance: Floats
    inverse: Floats
    reached: Floats
    sources: int
    sources_wanted: int

    @property
    def exact(self) -> bool:
        """Whether every node was a source."""
        return self.sources == self.sources_wanted


def walk_shortest_paths(projection: Projection) -> PathSums:
    """Return the sums over shortest paths, computed once for a projection.

    Cost
    ----
    O(n m + n**2 log n) for n nodes and m ties; in a component above `EXACT_VISITS` sources x
    arcs only so many sources (at least `FEWEST_SOURCES`) are drawn, with a fixed seed.

    Source
    ------
    U. Brandes, A faster algorithm for betweenness centrality, Journal of Mathematical Sociology
    25 (2001); sampling: U. Brandes and C. Pich, Centrality estimation in large networks,
    International Journal of Bifurcation and Chaos 17 (2007).
    """
    if "paths" not in projection.memo:
        projection.memo["paths"] = sum_paths(projection, EXACT_VISITS)
    sums: PathSums = projection.memo["paths"]
    return sums


def sum_paths(projection: Projection, exact_visits: int) -> PathSums:
    """Return the sums over shortest paths with a bound of sources x arcs by component."""
    count = projection.node_count
    sums = np.zeros((5, count))
    used = wanted = 0
    for members in list_members(label_components(projection)):
        size = members.size
        if size < 2:
            break  # components come by size: what follows are isolates
        lengths = take_part(projection.lengths, members)
        sources = _choose_sources(size, lengths.nnz, exact_visits)
        sums[:, members] = _sum_component(lengths, sources)
        used, wanted = used + sources.size, wanted + size
    through, error, distance, inverse, reached = sums
    return PathSums(through, error, distance, inverse, reached, used, wanted)


def _choose_sources(size: int, arcs: int, exact_visits: int) -> Ints:
    if size * arcs <= exact_visits:
        return np.arange(size)
    drawn = min(size, max(FEWEST_SOURCES, exact_visits // arcs))
    return np.sort(np.random.default_rng(SEED).choice(size, drawn, replace=False))


def _sum_component(lengths: Any, sources: Ints) -> Floats:
    """Return the five sums of `PathSums` for one connected component."""
    size, sampled = lengths.shape[0], sources.size
    through, squares = np.zeros(size), np.zeros(size)
    distance, inverse = np.zeros(size), np.zeros(size)
    seen = np.full(size, sampled, dtype=np.float64)
    seen[sources] -= 1  # a source is at no distance from itself
    batch = max(1, BATCH_VISITS // max(lengths.nnz, 1))
    for begin in range(0, sampled, batch):
        part = sources[begin : begin + batch]
        distances = dijkstra(lengths, indices=part)
        dependencies = accumulate_dependencies(lengths, distances, part)
        through += dependencies.sum(axis=0)
        squares += (dependencies**2).sum(axis=0)
        distance += distances.sum(axis=0)
        distances[np.arange(part.size), part] = np.inf
        inverse += (1.0 / distances).sum(axis=0)
    scale = np.divide(size - 1, seen, out=np.ones(size), where=seen > 0)
    error = _standard_error(through, squares, seen, size) if sampled < size else np.zeros(size)
    return np.stack(
        (through * scale, error, distance * scale, inverse * scale, np.full(size, size - 1.0))
    )


def _standard_error(through: Floats, squares: Floats, seen: Floats, size: int) -> Floats:
    """Return the standard error of the scaled sum, drawn without replacement."""
    drawn = np.maximum(seen, 2)
    variance = np.maximum(squares / drawn - (through / drawn) ** 2, 0) * drawn / (drawn - 1)
    left = np.maximum(1 - drawn / (size - 1), 0)
    error: Floats = (size - 1) * np.sqrt(variance / drawn * left)
    return error


def accumulate_dependencies(lengths: Any, distances: Floats, sources: Ints) -> Floats:
    """Return, by source and node, the share of the source's shortest paths through the node.

    Parameters
    ----------
    lengths : csr_array
        Lengths of the arcs of one connected component, n nodes.
    distances : array of b x n
        Shortest distances from each of b sources.
    sources : array of b
        The sources' numbers.

    Returns
    -------
    array of b x n
        Brandes' dependency of each source on each node; 0 for the source itself.
    """
    batch, count = distances.shape
    tails, heads = _find_path_arcs(lengths, distances)
    starts = np.concatenate(([0], np.cumsum(np.bincount(tails, minlength=batch * count))))
    waiting = np.bincount(heads, minlength=batch * count)
    paths = np.zeros(batch * count)
    front = np.arange(batch) * count + sources
    own = front
    paths[front] = 1.0
    layers: list[tuple[Ints, Ints]] = []
    while front.size:  # a node follows when all arcs into it are counted
        arcs, leaving = gather_arcs(starts, front)
        head, tail = heads[arcs], np.repeat(front, leaving)
        layers.append((tail, head))
        reached, where = np.unique(head, return_inverse=True)
        paths[reached] += np.bincount(where, weights=paths[tail], minlength=reached.size)
        waiting[reached] -= np.bincount(where, minlength=reached.size)
        front = reached[waiting[reached] == 0]
    dependencies = np.zeros(batch * count)
    for tail, head in reversed(layers):
        np.add.at(dependencies, tail, paths[tail] / paths[head] * (1.0 + dependencies[head]))
    dependencies[own] = 0.0
    return dependencies.reshape(batch, count)


def _find_path_arcs(lengths: Any, distances: Floats) -> tuple[Ints, Ints]:
    """Return tails and heads (source place x n + node) of the arcs on shortest paths, by tail."""
    count = lengths.shape[0]
    rows = np.repeat(np.arange(count), np.diff(lengths.indptr))
    reach = distances[:, rows]
    reach += lengths.data
    place, arc = np.nonzero(reach <= distances[:, lengths.indices] * (1.0 + TIE))
    return place * count + rows[arc], place * count + lengths.indices[arc]
