"""Measures on shortest paths: betweenness, closeness, harmonic.

Floor 3. One plain function each on a `Projection`, read off one shared pass over all shortest
paths. The length of a tie is 1 / weight; with unit weights that is the number of ties.
"""

from __future__ import annotations

import numpy as np

from graph.analysis.measures.arrays import Floats
from graph.analysis.measures.shortest_paths import walk_shortest_paths
from graph.analysis.projection import Projection


def betweenness(projection: Projection) -> Floats:
    """Share of the shortest paths between other nodes that pass through each node.

    For every pair of other nodes the share of its shortest paths through the node, summed and
    divided by the number of such pairs, (n - 1)(n - 2) / 2: normalised to [0, 1]. Pairs in
    different components have no path and add nothing. With fewer than three nodes all have 0. Ties
    have no direction. In a component above the bound of `shortest_paths.EXACT_VISITS` the value is
    estimated from sampled sources (`betweenness_error` says how well).

    Parameters
    ----------
    projection : Projection
        n nodes, undirected, lengths above 0.

    Returns
    -------
    array of n
        In [0, 1].

    Source
    ------
    L. C. Freeman, A set of measures of centrality based on betweenness, Sociometry 40 (1977);
    on weighted ties M. E. J. Newman, Physical Review E 64, 016132 (2001). Reference:
    `networkx.betweenness_centrality(weight="distance")`.
    """
    return walk_shortest_paths(projection).through * _pair_scale(projection.node_count)


def betweenness_error(projection: Projection) -> Floats:
    """Return the standard error of each node's betweenness: 0 where it was computed exactly."""
    return walk_shortest_paths(projection).through_error * _pair_scale(projection.node_count)


def closeness(projection: Projection) -> Floats:
    """Inverse of the mean distance to the nodes within reach, times the share of nodes in reach.

    With r other nodes in reach at a total distance d: (r / d) times r / (n - 1), the form of
    Wasserman and Faust, in which a small component does not look central. An isolate has 0.
    Distances below 1 occur (a pair that shares several affiliations), so that values may pass 1.
    Ties have no direction. Estimated where betweenness is.

    Parameters
    ----------
    projection : Projection
        n nodes, undirected, lengths above 0.

    Returns
    -------
    array of n
        At least 0, in 1 / distance.

    Source
    ------
    S. Wasserman and K. Faust, Social Network Analysis, Cambridge (1994), formula 5.22.
    Reference: `networkx.closeness_centrality(distance="distance", wf_improved=True)`.
    """
    sums = walk_shortest_paths(projection)
    others = max(projection.node_count - 1, 1)
    return np.divide(
        sums.reached**2,
        sums.distance * others,
        out=np.zeros_like(sums.reached),
        where=sums.distance > 0,
    )


def harmonic(projection: Projection) -> Floats:
    """Sum of 1 / distance to all other nodes; a node out of reach adds nothing.

    Well defined on a network in several components. Not normalised; divide by n - 1 to compare
    networks. An isolate has 0. Ties have no direction. Estimated where betweenness is.

    Parameters
    ----------
    projection : Projection
        n nodes, undirected, lengths above 0.

    Returns
    -------
    array of n
        At least 0, in 1 / distance.

    Source
    ------
    M. Marchiori and V. Latora, Harmony in the small-world, Physica A 285 (2000); P. Boldi and
    S. Vigna, Axioms for centrality, Internet Mathematics 10 (2014). Reference:
    `networkx.harmonic_centrality(distance="distance")`.
    """
    return walk_shortest_paths(projection).inverse.copy()


def _pair_scale(count: int) -> float:
    """Return 1 over the number of ordered pairs of other nodes."""
    return 1.0 / ((count - 1) * (count - 2)) if count > 2 else 0.0
