"""Ranks in which equal values share a place.

Floor 3. Knows numbers only.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from graph.analysis.measures.arrays import Floats, Ints

#: Relative difference below which two values are equal.
EQUAL: Final = 1e-12
#: Values below are zero for this purpose: what rounding leaves of a difference.
ZERO: Final = 1e-15


def rank(values: Floats) -> Ints:
    """Return competition ranks, highest value first: 1, 2, 2, 4.

    Values within 1e-12 of the first of their group (relative) share its rank: nodes in the same
    position differ by rounding alone. NaN has no rank: 0.

    Parameters
    ----------
    values : array of n
        Any numbers; NaN for undefined.

    Returns
    -------
    array of n
        In [1, n], 0 for NaN.

    Examples
    --------
    >>> rank(np.array([0.5, 0.9, 0.5, np.nan, 0.1])).tolist()
    [2, 1, 2, 0, 4]
    """
    ranks = np.zeros(values.size, dtype=np.int64)
    leader, current = math.nan, 0
    for place, node in enumerate(np.argsort(-values, kind="stable").tolist(), start=1):
        value = float(values[node])
        if math.isnan(value):
            break  # NaN sorts last
        if not math.isclose(value, leader, rel_tol=EQUAL, abs_tol=ZERO):
            leader, current = value, place
        ranks[node] = current
    return ranks
