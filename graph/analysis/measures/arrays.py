"""Array steps that several measures take.

Floor 3. Works on CSR index arrays alone; nothing here knows what a node stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from graph.analysis.projection import Projection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def gather_arcs(starts: NDArray[Any], nodes: Ints) -> tuple[Ints, Ints]:
    """Return the positions of all arcs that leave the nodes, and how many leave each.

    `starts` is the row pointer of a CSR matrix (n + 1 positions).
    """
    begin = starts[nodes].astype(np.int64)
    counts = starts[nodes + 1].astype(np.int64) - begin
    ends = np.cumsum(counts)
    offset = np.repeat(begin - ends + counts, counts)
    return np.arange(offset.size, dtype=np.int64) + offset, counts


def label_components(projection: Projection) -> Ints:
    """Return the number of each node's component: 0 for the largest, then by size.

    Of components of one size the one that holds the first node comes first.
    """
    if "components" not in projection.memo:
        _, labels = connected_components(projection.weights, directed=False)
        sizes = np.bincount(labels, minlength=0)
        first = np.full(sizes.size, projection.node_count)
        np.minimum.at(first, labels, np.arange(projection.node_count))
        place = np.empty(sizes.size, dtype=np.int64)
        place[np.lexsort((first, -sizes))] = np.arange(sizes.size)
        projection.memo["components"] = place[labels]
    labels_by_size: Ints = projection.memo["components"]
    return labels_by_size


def list_members(labels: Ints) -> list[Ints]:
    """Return the node numbers of each component, in the order of the component numbers."""
    if labels.size == 0:
        return []
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels))[:-1])


def take_part(matrix: sp.csr_array[Any], nodes: Ints) -> Any:
    """Return the matrix among some nodes, renumbered in their order."""
    return sp.csr_array(matrix[nodes][:, nodes])
