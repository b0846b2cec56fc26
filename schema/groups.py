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
        self, class_iri: str, asked: Mapping[str, Any], shown: slice, place: str
    ) -> Callable[[Sequence[int]], list[Group]]:
        """Return what divides nodes of a class into groups, of which some are `shown`.

        Raises
        ------
        BadValueError
            There is no key, or one that names no field or more than one.
        """
        keys, test = self._asked(class_iri, asked, place)
        order_by = asked.get("orderBy")
        order = () if order_by is None else listed(order_by)
        measures = [self.orders.of_nodes(class_iri, each, f"{place}.orderBy") for each in order]

        def divide(numbers: Sequence[int]) -> list[Group]:
            groups = self._fitting(self._divided(numbers, keys), test)
            found = self._sorted(groups, keys, measures)[shown]
            self.count(len(found), place)
            return found

        return divide

    def make_count(
        self, class_iri: str, asked: Mapping[str, Any], place: str
    ) -> Callable[[Sequence[int]], int]:
        """Return what counts the groups of nodes of a class; raises as `make` does."""
        keys, test = self._asked(class_iri, asked, place)
        return lambda numbers: len(self._fitting(self._divided(numbers, keys), test))

    def _asked(
        self, class_iri: str, asked: Mapping[str, Any], place: str
    ) -> tuple[list[By], ListTest | None]:
        """Return the keys of groups, and what is to hold of each group."""
        if not listed(asked["by"]):
            raise BadValueError(f"{place}.by", "[]", "at least one key")
        keys = [self.keys.make(class_iri, each, f"{place}.by") for each in listed(asked["by"])]
        having = asked.get("having")
        test = None if not having else self.filters.on_nodes(class_iri, having, f"{place}.having")
        return keys, test

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

    def _fitting(self, groups: Sequence[Group], test: ListTest | None) -> Sequence[Group]:
        return groups if test is None else [group for group in groups if test(group[1])]

    def _sorted(
        self, groups: Sequence[Group], keys: Sequence[By], measures: Sequence[Key]
    ) -> list[Group]:
        self.filters.charge(_PLACE * len(keys) * len(groups))
        found = sorted_in_turns(
            groups, lambda group: [k.place(s) for k, s in zip(keys, group[0], strict=True)]
        )
        for measure in reversed(measures):
            pairs = [(measure.read(nodes), (key, nodes)) for key, nodes in found]
            found = [group for _, group in measure.sorted(pairs)]
        return found
