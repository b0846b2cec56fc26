"""Groups of nodes by what they share: values of their own, or of nodes they are tied to.

Floor 4. A node with several values of a key is in several groups, and in each once; where a value
is unknown, that is a group of its own. Keys stand in `schema/group_keys.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, Final

import numpy as np

from graph.errors import BadValueError
from schema import vectors
from schema.aggregates import Summaries
from schema.filters import Filters
from schema.group_keys import By, Coded, Keys, Shared
from schema.operators import listed
from schema.ordering import Key, Orders
from schema.quantifiers import ListTest
from schema.turns import sorted_in_turns
from schema.vectors import Batch

#: A group: what it shares by each key, and its nodes.
Group = tuple[tuple[Shared, ...], list[int]]

#: Values looked at that cost as much as putting one key of a group in its place.
_PLACE: Final = 4


class Groups:
    """Makes groups for one request; `count` is told of the groups answered."""

    def __init__(
        self,
        filters: Filters,
        orders: Orders,
        summaries: Summaries,
        count: Callable[[int, str], None],
    ) -> None:
        self.filters = filters
        self.keys = Keys(filters, orders)
        self.orders = orders
        self.summaries = summaries
        self.count = count

    def make(
        self, class_iri: str, asked: Mapping[str, Any], first: int, place: str
    ) -> Callable[[Sequence[int]], list[Group]]:
        """Return what divides nodes of a class into groups.

        Raises
        ------
        BadValueError
            There is no key, or one that names no field or more than one.
        """
        if not listed(asked["by"]):
            raise BadValueError(f"{place}.by", "[]", "at least one key")
        keys = [self.keys.make(class_iri, each, f"{place}.by") for each in listed(asked["by"])]
        having, order_by = asked.get("having"), asked.get("orderBy")
        order = () if order_by is None else listed(order_by)
        test = None if not having else self.filters.on_nodes(class_iri, having, f"{place}.having")
        measures = [self.orders.of_nodes(class_iri, each, f"{place}.orderBy") for each in order]

        def divide(numbers: Sequence[int]) -> list[Group]:
            found = self._sorted(self._divided(numbers, keys), keys, test, measures)[:first]
            self.count(len(found), place)
            return found

        return divide

    def _divided(self, numbers: Sequence[int], keys: Sequence[By]) -> list[Group]:
        if len(numbers) >= vectors.LEAST:
            return self._divided_at_once(Batch(numbers), keys)
        groups: dict[tuple[Shared, ...], list[int]] = {}
        for number in numbers:
            combined = tuple(product(*(key.read(number) for key in keys)))
            self.filters.charge(len(keys) * len(combined))
            for each in combined:
                groups.setdefault(each, []).append(number)
        return list(groups.items())

    def _divided_at_once(self, batch: Batch, keys: Sequence[By]) -> list[Group]:
        """Return the groups of many nodes, in the order of their first nodes."""
        found = keys[0].read_all(batch)
        self.filters.charge(len(found.codes))
        found = found._replace(shared=[(shared,) for shared in found.shared])
        for key in keys[1:]:
            found = self._combined(found, key.read_all(batch), len(batch))
        order = np.argsort(found.codes, kind="stable")
        codes = found.codes[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        nodes: list[int] = batch.nodes[found.places[order]].tolist()
        bounds = list(pairwise([*starts.tolist(), len(nodes)]))
        by_first_node = np.argsort(found.places[order][starts], kind="stable").tolist()
        shared = [found.shared[code] for code in codes[starts].tolist()]
        return [(shared[at], nodes[slice(*bounds[at])]) for at in by_first_node]

    def _combined(self, found: Coded, more: Coded, count: int) -> Coded:
        """Return what nodes share by several keys and by one more."""
        times, taken = self.keys.joined(more, found.places, count)
        codes = np.repeat(found.codes, times) * len(more.shared) + more.codes[taken]
        distinct, at = np.unique(codes, return_inverse=True)
        pairs = (divmod(code, len(more.shared)) for code in distinct.tolist())
        shared = [(*found.shared[before], more.shared[last]) for before, last in pairs]
        return Coded(np.repeat(found.places, times), at, shared)

    def _sorted(
        self,
        groups: Sequence[Group],
        keys: Sequence[By],
        test: ListTest | None,
        measures: Sequence[Key],
    ) -> list[Group]:
        found = [(key, nodes) for key, nodes in groups if test is None or test(nodes)]
        self.filters.charge(_PLACE * len(keys) * len(found))
        found = sorted_in_turns(
            found, lambda group: [k.place(s) for k, s in zip(keys, group[0], strict=True)]
        )
        for measure in reversed(measures):
            pairs = [(measure.read(nodes), (key, nodes)) for key, nodes in found]
            found = [group for _, group in measure.sorted(pairs)]
        return found
