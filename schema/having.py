"""What is to hold of groups: quantifiers, counts and measures of the nodes in each.

Floor 4. One group is judged as a list of nodes is; of many groups all nodes are judged at once, and
a group is looked at by itself only where a measure such as a sum is asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schema.masks import Masks
from schema.operators import given, number_test
from schema.quantifiers import QUANTIFIERS, ListTest
from schema.vectors import Batch, Mask, Numbers, Places, by_value


class Having:
    """The conditions on groups of nodes of a class.

    `holds` judges the nodes of one group.

    Raises
    ------
    BadValueError
        A condition is null, or cannot be compared with what it is asked of.
    """

    def __init__(self, masks: Masks, class_iri: str, asked: Mapping[str, Any], place: str) -> None:
        filters = masks.filters
        self.holds: ListTest = filters.on_nodes(class_iri, asked, place)
        self._charge = filters.charge
        rest = dict(given(asked, place))
        within = rest.pop("where", None)
        rest = rest or {"some": {}}
        self._keep = None if within is None else masks.choose(class_iri, within)
        self._quantified = [
            (name, masks.choose(class_iri, rest.pop(name))) for name in QUANTIFIERS & rest.keys()
        ]
        count = rest.pop("count", None)
        self._count = None if count is None else number_test(count, f"{place}.count")
        self._measured = filters.on_nodes(class_iri, rest, place) if rest else None

    def fitting(self, nodes: Numbers, bounds: Places) -> Mask:
        """Return which groups fit; the nodes of each stand from one of the bounds to the next."""
        distinct, at = np.unique(nodes, return_inverse=True)
        batch, starts = Batch(distinct), bounds[:-1]
        self._charge(len(nodes) * max(1, len(self._quantified)))
        kept = np.full(len(nodes), True) if self._keep is None else self._keep.mask(batch)[at]
        sizes = np.add.reduceat(kept, starts, dtype=np.int64)
        found = np.full(len(starts), True)
        for name, chosen in self._quantified:
            fits = kept & chosen.mask(batch)[at]
            hits = np.add.reduceat(fits, starts, dtype=np.int64)
            found &= hits == sizes if name == "every" else (hits > 0) == (name == "some")
        if self._count is not None:
            found &= by_value(self._count, sizes.astype(np.uint32))
        if self._measured is not None:
            for group in np.flatnonzero(found).tolist():
                part = slice(*bounds[group : group + 2].tolist())
                found[group] = self._measured(nodes[part][kept[part]].tolist())
        return found
