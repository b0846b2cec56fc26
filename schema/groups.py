"""Groups of nodes by what they share: values of their own, or of nodes they are tied to.

Floor 4. A node with several values of a key is in several groups, and in each once; where a value
is unknown, that is a group of its own. Keys stand in `schema/group_keys.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, Final

import numpy as np

from graph.errors import BadValueError
from schema import vectors
from schema.aggregates import Summaries
from schema.divided import Divided, Group
from schema.group_keys import By, Coded, Keys, Shared
from schema.having import Having
from schema.masks import Masks
from schema.operators import listed
from schema.ordering import Key
from schema.orders import Orders
from schema.vectors import Batch

#: Values looked at that cost as much as putting one key of a group in its place.
_PLACE: Final = 4


class Groups:
    """Makes groups for one request; `count` is told of the groups answered."""

    def __init__(
        self,
        masks: Masks,
        orders: Orders,
        summaries: Summaries,
        count: Callable[[int, str], None],
    ) -> None:
        self.masks = masks
        self.filters = masks.filters
        self.keys = Keys(self.filters, orders)
        self.orders = orders
        self.summaries = summaries
        self.count = count

    def make(
        self, class_iri: str, asked: Mapping[str, Any], shown: slice, place: str
    ) -> Callable[[Sequence[int]], list[Group]]:
        """Return what divides nodes of a class into groups, of which some are `shown`.

        Raises
        ------
        BadValueError
            There is no key, or one that names no field or more than one.
        """
        keys, having = self._asked(class_iri, asked, place)
        order_by = asked.get("orderBy")
        order = () if order_by is None else listed(order_by)
        measures = [self.orders.of_nodes(class_iri, each, f"{place}.orderBy") for each in order]

        def divide(numbers: Sequence[int]) -> list[Group]:
            groups = self._fitting(numbers, keys, having)
            self.filters.charge(_PLACE * len(keys) * len(groups))
            for measure in reversed(measures):
                groups = _by_measure(groups, measure)
            found = list(groups[shown])
            self.count(len(found), place)
            return found

        return divide

    def make_count(
        self, class_iri: str, asked: Mapping[str, Any], place: str
    ) -> Callable[[Sequence[int]], int]:
        """Return what counts the groups of nodes of a class; raises as `make` does."""
        keys, having = self._asked(class_iri, asked, place)

        def count(numbers: Sequence[int]) -> int:
            return len(self._fitting(numbers, keys, having))

        return count

    def _asked(
        self, class_iri: str, asked: Mapping[str, Any], place: str
    ) -> tuple[list[By], Having | None]:
        """Return the keys of groups, and what is to hold of each group."""
        if not listed(asked["by"]):
            raise BadValueError(f"{place}.by", "[]", "at least one key")
        keys = [self.keys.make(class_iri, each, f"{place}.by") for each in listed(asked["by"])]
        having = asked.get("having")
        if not having:
            return keys, None
        return keys, Having(self.masks, class_iri, having, f"{place}.having")

    def _fitting(
        self, numbers: Sequence[int], keys: Sequence[By], having: Having | None
    ) -> Sequence[Group]:
        """Return the groups of nodes of which all holds that is to hold."""
        groups = self._divided(numbers, keys)
        if having is None:
            return groups
        if isinstance(groups, Divided):
            groups.keep(having.fitting)
            return groups
        return [group for group in groups if having.holds(group[1])]

    def _divided(self, numbers: Sequence[int], keys: Sequence[By]) -> Sequence[Group]:
        """Return the groups of nodes, in the order of what they share."""
        if len(numbers) >= vectors.LEAST:
            batch = Batch(numbers)
            return Divided(self._coded(batch, keys), batch.nodes)
        groups: dict[tuple[Shared, ...], list[int]] = {}
        for number in numbers:
            combined = tuple(product(*(key.read(number) for key in keys)))
            self.filters.charge(len(keys) * len(combined))
            for each in combined:
                groups.setdefault(each, []).append(number)
        return sorted(
            groups.items(),
            key=lambda group: [k.place(s) for k, s in zip(keys, group[0], strict=True)],
        )

    def _coded(self, batch: Batch, keys: Sequence[By]) -> Coded:
        """Return what each of many nodes shares by all keys together."""
        first = keys[0].read_all(batch)
        self.filters.charge(len(first.codes))
        found = first._replace(share=lambda code: (first.share(code),))
        for key in keys[1:]:
            found = self._combined(found, key.read_all(batch), len(batch))
        return found

    def _combined(self, found: Coded, more: Coded, size: int) -> Coded:
        """Return what nodes share by several keys and by one more; `size` of them there are."""
        times, taken = self.keys.joined(more, found.places, size)
        codes = np.repeat(found.codes, times) * more.size + more.codes[taken]
        distinct, at = np.unique(codes, return_inverse=True)

        def share(code: int) -> tuple[Shared, ...]:
            before, last = divmod(int(distinct[code]), more.size)
            return (*found.share(before), more.share(last))

        return Coded(np.repeat(found.places, times), at, len(distinct), share)


def _by_measure(groups: Sequence[Group], measure: Key) -> Sequence[Group]:
    """Return groups in the order of a measure of their nodes; equals keep theirs."""
    if measure.read is len and isinstance(groups, Divided):
        groups.sort_by_size(descending=measure.descending)
        return groups
    pairs = [(measure.read(group[1]), group) for group in groups]
    return [group for _, group in measure.sorted(pairs)]
