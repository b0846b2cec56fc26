"""Measures of what holds the network together: core number, components, cuts, density.

Floor 3. Plain functions on a `Projection`. A cut is a node (articulation point) or a tie (bridge)
without which its component falls apart; what it separates is part of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graph.analysis.measures.arrays import (
    Floats,
    Ints,
    gather_arcs,
    label_components,
    list_members,
)
from graph.analysis.projection import Projection


@dataclass(frozen=True, slots=True)
class Cuts:
    """The single points of failure of a network.

    `articulation_points` and `bridges` (lower number first) are in ascending order. `sizes` gives
    for each articulation point the sizes of the parts left without it, largest first;
    `bridge_sides` for each bridge the number of nodes on its smaller side.
    """

    articulation_points: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...]
    bridges: tuple[tuple[int, int], ...]
    bridge_sides: tuple[int, ...]
    visited: Ints  # all nodes that have ties, in the order of the search
    branches: tuple[tuple[tuple[int, int], ...], ...]  # stretches of `visited`, by point
    spans: tuple[tuple[int, int], ...]  # the stretch of the point's component

    def parts_of(self, place: int) -> list[Ints]:
        """Return the parts left without one articulation point, largest first.

        `place` is its position in `articulation_points`; of parts of one size the one with the
        first node comes first.
        """
        begin, end = self.spans[place]
        rest = np.ones(end - begin, dtype=np.bool_)
        rest[self.visited[begin:end] == self.articulation_points[place]] = False
        parts = []
        for first, last in self.branches[place]:
            parts.append(np.sort(self.visited[first:last]))
            rest[first - begin : last - begin] = False
        if rest.any():
            parts.append(np.sort(self.visited[begin:end][rest]))
        return sorted(parts, key=lambda part: (-part.size, part[0]))


def core_number(projection: Projection) -> Floats:
    """Largest k for which each node is in the k-core.

    The k-core is what remains when nodes with fewer than k ties to the rest are taken away until
    none is left. Weights do not count. An isolate has 0. Ties have no direction.

    Parameters
    ----------
    projection : Projection
        n nodes, undirected.

    Returns
    -------
    array of n
        Whole numbers in [0, n - 1].

    Source
    ------
    S. B. Seidman, Network structure and minimum degree, Social Networks 5 (1983); peeling after
    V. Batagelj and M. Zaversnik (2003). Reference: `networkx.core_number`.
    """
    starts, heads = projection.weights.indptr, projection.weights.indices
    left = np.diff(starts).astype(np.int64)
    inside = np.ones(projection.node_count, dtype=np.bool_)
    cores = np.zeros(projection.node_count)
    while inside.any():
        k = left[inside].min()
        front = np.flatnonzero(inside & (left <= k))
        while front.size:
            cores[front] = k
            inside[front] = False
            reached = heads[gather_arcs(starts, front)[0]]
            nodes, lost = np.unique(reached[inside[reached]], return_counts=True)
            left[nodes] = np.maximum(left[nodes] - lost, k)
            front = nodes[left[nodes] <= k]
    return cores


def components(projection: Projection) -> list[Ints]:
    """Return the node numbers of each component, largest component first.

    Nodes are in one component where ties lead from one to the other; an isolate is one by itself.
    Of components of one size the one with the first node comes first. Reference:
    `networkx.connected_components`.
    """
    return list_members(label_components(projection))


def density(projection: Projection) -> float:
    """Return the share of possible ties that exist: 2 m / (n (n - 1)), 0 below two nodes.

    In two mode, where ties exist between actors and affiliations alone, m / (a b) with a actors
    and b affiliations. Reference: `networkx.density`, `networkx.bipartite.density`.
    """
    actors = int(projection.is_actor.sum())
    others = projection.node_count - actors
    possible = actors * others if others else actors * (actors - 1) / 2
    return projection.tie_count / possible if possible else 0.0


def find_cuts(projection: Projection) -> Cuts:
    """Return articulation points and bridges with what they separate.

    One depth-first search (Tarjan's low points): a node is an articulation point where a branch of
    the search below it has no other way to what was visited before it; the branch, a stretch of
    the order of the search, is what it cuts off. Weights do not count. An empty network has none.

    Cost
    ----
    O(n + m).

    Source
    ------
    J. Hopcroft and R. Tarjan, Algorithm 447, Communications of the ACM 16 (1973). Reference:
    `networkx.articulation_points`, `networkx.bridges`.
    """
    search = _Search(projection)
    points = [
        (node, tuple(search.branches[node]), search.span_of(node))
        for node in sorted(search.branches)
    ]
    sizes = []
    for _, branches, (begin, end) in points:
        cut = [last - first for first, last in branches]
        rest = end - begin - 1 - sum(cut)
        sizes.append(tuple(sorted([*cut, rest] if rest else cut, reverse=True)))
    bridges = sorted(search.bridges)
    return Cuts(
        articulation_points=tuple(node for node, _, _ in points),
        sizes=tuple(sizes),
        bridges=tuple(bridges),
        bridge_sides=tuple(search.bridges[bridge] for bridge in bridges),
        visited=np.array(search.visited, dtype=np.int64),
        branches=tuple(branches for _, branches, _ in points),
        spans=tuple(span for _, _, span in points),
    )


class _Search:
    """One depth-first search over all components, without recursion."""

    def __init__(self, projection: Projection) -> None:
        self.starts: list[int] = projection.weights.indptr.tolist()
        self.heads: list[int] = projection.weights.indices.tolist()
        self.order = [-1] * projection.node_count
        self.low = [0] * projection.node_count
        self.visited: list[int] = []
        self.spans: list[tuple[int, int]] = []
        self.branches: dict[int, list[tuple[int, int]]] = {}
        self.bridges: dict[tuple[int, int], int] = {}
        for node in range(projection.node_count):
            if self.order[node] < 0 and self.starts[node] < self.starts[node + 1]:
                self._search_from(node)

    def span_of(self, node: int) -> tuple[int, int]:
        """Return the stretch of `visited` that holds a node's component."""
        place = self.order[node]
        low, high = 0, len(self.spans) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.spans[middle][0] <= place else (low, middle - 1)
        return self.spans[low]

    def _search_from(self, root: int) -> None:
        order, low, visited, heads = self.order, self.low, self.visited, self.heads
        begin = len(visited)
        order[root] = low[root] = begin
        visited.append(root)
        stack = [(root, -1, iter(range(self.starts[root], self.starts[root + 1])))]
        finished: list[tuple[int, int, int]] = []  # parent, child, end of the child's branch
        while stack:
            node, parent, arcs = stack[-1]
            for arc in arcs:
                head = heads[arc]
                if order[head] < 0:
                    order[head] = low[head] = len(visited)
                    visited.append(head)
                    stack.append(
                        (head, node, iter(range(self.starts[head], self.starts[head + 1])))
                    )
                    break
                if head != parent and order[head] < low[node]:
                    low[node] = order[head]
            else:
                stack.pop()
                if stack:
                    low[parent] = min(low[parent], low[node])
                    finished.append((parent, node, len(visited)))
        self._judge(root, begin, finished)

    def _judge(self, root: int, begin: int, finished: list[tuple[int, int, int]]) -> None:
        """Keep the branches that hang on one node, and the ties that alone hold one."""
        end = len(self.visited)
        self.spans.append((begin, end))
        of_root = sum(parent == root for parent, _, _ in finished)
        for parent, child, last in finished:
            first = self.order[child]
            if self.low[child] > self.order[parent]:
                side = last - first
                self.bridges[min(parent, child), max(parent, child)] = min(side, end - begin - side)
            if self.low[child] >= self.order[parent] and (parent != root or of_root > 1):
                self.branches.setdefault(parent, []).append((first, last))
