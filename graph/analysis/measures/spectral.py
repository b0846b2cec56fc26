"""Measures on the matrix of weights: eigenvector centrality and PageRank.

Floor 3. One plain function each on a `Projection`, one number per node in the order of its nodes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.sparse.linalg import eigsh

from graph.analysis.measures.arrays import Floats, label_components, take_part
from graph.analysis.projection import Projection

#: Chance of following a tie rather than jumping anywhere, as in the original paper.
DAMPING: Final = 0.85
#: Sum of absolute changes at which PageRank has settled.
SETTLED: Final = 1e-15
ROUNDS: Final = 1_000
#: Up to this many nodes the dense solver is used, which needs no start vector.
DENSE: Final = 64


def eigenvector(projection: Projection) -> Floats:
    """Share in the leading eigenvector of the weights, on the largest component.

    A node is central when the nodes that it is tied to are, in proportion to the weights: the
    positive vector x with W x = l x for the largest l, of Euclidean length 1. Where the network
    falls into components the vector is not unique, so it is computed on the largest (of several,
    the one that holds the first IRI) and is NaN elsewhere: not 0, for the others are not
    peripheral to it but out of comparison. NaN everywhere where there is no tie. Ties have no
    direction.

    Parameters
    ----------
    projection : Projection
        n nodes, undirected, weights above 0.

    Returns
    -------
    array of n
        In (0, 1] on the largest component, NaN elsewhere.

    Source
    ------
    P. Bonacich, Factoring and weighting approaches to status scores and clique identification,
    Journal of Mathematical Sociology 2 (1972). Reference: `networkx.eigenvector_centrality` with
    `weight` and `tol=1e-12` on the largest component.
    """
    values = np.full(projection.node_count, np.nan)
    if projection.tie_count == 0:
        return values
    members = np.flatnonzero(label_components(projection) == 0)
    weights = take_part(projection.weights, members)
    if members.size <= DENSE:
        leading = np.linalg.eigh(weights.toarray())[1][:, -1]
    else:
        start = np.ones(members.size) / np.sqrt(members.size)
        leading = eigsh(weights, k=1, which="LA", v0=start, tol=0)[1][:, 0]
    values[members] = np.abs(leading)
    return values


def page_rank(projection: Projection) -> Floats:
    """Share of time that a walker along the ties spends at each node.

    At each step the walker follows a tie with probability 0.85, in proportion to its weight, and
    else jumps to a node drawn evenly; from an isolate it always jumps. The values add up to 1. An
    empty network gives an empty array. Ties count in both directions.

    Parameters
    ----------
    projection : Projection
        n nodes, undirected, weights above 0.

    Returns
    -------
    array of n
        In (0, 1), sum 1.

    Source
    ------
    S. Brin and L. Page, The anatomy of a large-scale hypertextual web search engine, Computer
    Networks 30 (1998). Reference: `networkx.pagerank(weight="weight", tol=1e-12)`.
    """
    count = projection.node_count
    if count == 0:
        return np.zeros(0)
    strengths = np.asarray(projection.weights.sum(axis=1)).ravel()
    shares = np.divide(DAMPING, strengths, out=np.zeros(count), where=strengths > 0)
    isolates = strengths == 0
    values = np.full(count, 1.0 / count)
    for _ in range(ROUNDS):
        jumping = 1.0 - DAMPING + DAMPING * values[isolates].sum()
        following = projection.weights @ (values * shares) + jumping / count
        change = np.abs(following - values).sum()
        values = following
        if change < SETTLED:
            break
    normalised: Floats = values / values.sum()
    return normalised
