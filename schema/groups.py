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
from schema.group_keys import By, Coded, Keys, Shared
from schema.masking import Chosen
from schema.masks import Masks
from schema.operators import listed
from schema.ordering import Key, Orders
from schema.turns import sorted_in_turns
from schema.vectors import Batch

#: A group: what it shares by each key, and its nodes.
Group = tuple[tuple[Shared, ...], list[int]]

#: Values looked at that cost as much as putting one key of a group in its place.
_PLACE: Final = 4


class _Judged:
    """A condition on nodes that stand in groups: of many at once it judges each beforehand."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.known: dict[int, bool] = {}

    def __call__(self, number: int) -> bool:
        """Tell whether a node fits."""
        found = self.known.get(number)
        return self.chosen(number) if found is None else found

    def judge(self, batch: Batch) -> None:
        """Judge many nodes."""
        self.known.update(zip(batch.nodes.tolist(), self.chosen.mask(batch).tolist(), strict=True))


class _Having:
    """What is to hold of a group, and the conditions on nodes in it."""

    def __init__(self, masks: Masks, class_iri: str, asked: Mapping[str, Any], place: str) -> None:
        self._conditions: list[_Judged] = []

        def make(where: Mapping[str, Any]) -> _Judged:
            self._conditions.append(_Judged(masks.choose(class_iri, where)))
            return self._conditions[-1]

        self._test = masks.filters.on_nodes(class_iri, asked, place, make)

    def fitting(self, groups: Sequence[Group], numbers: Sequence[int]) -> list[Group]:
        """Return the groups that fit; `numbers` are all nodes that stand in them."""
        if len(numbers) >= vectors.LEAST:
            batch = Batch(numbers)
            for condition in self._conditions:
                condition.judge(batch)
        return [group for group in groups if self._test(group[1])]


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
            groups = self._divided(numbers, keys)
            if having is not None:
                groups = having.fitting(groups, numbers)
            found = self._sorted(groups, keys, measures)[shown]
            self.count(len(found), place)
            return found

        return divide

    def make_count(
        self, class_iri: str, asked: Mapping[str, Any], place: str
    ) -> Callable[[Sequence[int]], int]:
        """Return what counts the groups of nodes of a class; raises as `make` does."""
        keys, having = self._asked(class_iri, asked, place)

        def count(numbers: Sequence[int]) -> int:
            if having is not None:
                return len(having.fitting(self._divided(numbers, keys), numbers))
            if len(numbers) < vectors.LEAST:
                return len(self._divided(numbers, keys))
            return len(np.unique(self._coded(Batch(numbers), keys).codes))

        return count

    def _asked(
        self, class_iri: str, asked: Mapping[str, Any], place: str
    ) -> tuple[list[By], _Having | None]:
        """Return the keys of groups, and what is to hold of each group."""
        if not listed(asked["by"]):
            raise BadValueError(f"{place}.by", "[]", "at least one key")
        keys = [self.keys.make(class_iri, each, f"{place}.by") for each in listed(asked["by"])]
        having = asked.get("having")
        if not having:
            return keys, None
        return keys, _Having(self.masks, class_iri, having, f"{place}.having")

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

    def _coded(self, batch: Batch, keys: Sequence[By]) -> Coded:
        """Return what each of many nodes shares by all keys together."""
        found = keys[0].read_all(batch)
        self.filters.charge(len(found.codes))
        found = found._replace(shared=[(shared,) for shared in found.shared])
        for key in keys[1:]:
            found = self._combined(found, key.read_all(batch), len(batch))
        return found

    def _divided_at_once(self, batch: Batch, keys: Sequence[By]) -> list[Group]:
        """Return the groups of many nodes, in the order of their first nodes."""
        found = self._coded(batch, keys)
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
