"""Measures that look at a node's own ties: degree and strength.

Floor 3. One plain function each on a `Projection`, one number per node in the order of its nodes.
"""

from __future__ import annotations

import numpy as np

from graph.analysis.measures.arrays import Floats
from graph.analysis.projection import Projection


def degree(projection: Projection) -> Floats:
    """Number of ties of each node: in one mode its distinct partners.

    Weights do not count. Not normalised; divide by n - 1 for degree centrality. An isolate has 0;
    an empty network gives an empty array. Ties have no direction.

    Parameters
    ----------
    projection : Projection
        n nodes, undirected.

    Returns
    -------
    array of n
        In [0, n - 1].

    Source
    ------
    L. C. Freeman, Centrality in social networks: conceptual clarification, Social Networks 1
    (1978/79). Reference: `networkx.Graph.degree`.
    """
    return np.diff(projection.weights.indptr).astype(np.float64)


def strength(projection: Projection) -> Floats:
    """Sum of the weights of each node's ties.

    With Newman's weighting the number of its affiliations that have another party in the network:
    each gives 1 in all, however many parties share it. Not normalised. An isolate has 0; an empty
    network gives an empty array. Ties have no direction.

    Parameters
    ----------
    projection : Projection
        n nodes, undirected, weights above 0.

    Returns
    -------
    array of n
        At least 0.

    Source
    ------
    A. Barrat and others, The architecture of complex weighted networks, PNAS 101 (2004);
    M. E. J. Newman, Physical Review E 64, 016132 (2001). Reference: `networkx.Graph.degree`
    with `weight`.
    """
    sums: Floats = np.asarray(projection.weights.sum(axis=1), dtype=np.float64).ravel()
    return sums
