"""Blank nodes become IRIs that depend on what they say and where, not on how they were written.

Floor 2. A name is made from all statements that a group of connected blank nodes stands in,
graph included: reading the same file again gives the same IRIs, and other files never meet them
by accident. The work is bounded; what would pass the bound is refused.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from graph.terms import ENTITY, Quad, is_blank

GENID: Final = f"{ENTITY}genid/"
#: Statements that may be looked at in all, beyond a few looks at each.
_LOOKS: Final = 500_000
_LOOKS_PER_QUAD: Final = 8


def name_blank_nodes(quads: Sequence[Quad]) -> tuple[dict[str, str], frozenset[str]]:
    """Return an IRI (N-Triples text) for each blank node, and those that cannot be told apart.

    Parameters
    ----------
    quads : sequence of Quad
        The whole file, its terms normalised and its default graph named.

    Returns
    -------
    names : dict
        From `_:label` to `<https://w3id.org/rhizome/id/genid/...>`.
    refused : frozenset
        Blank nodes whose naming would take more work than is allowed.

    Cost
    ----
    For each group of connected blank nodes, statements times rounds of refinement; a round more
    is needed only while it tells more nodes apart.
    """
    groups = _groups(quads)
    budget = _Budget(_LOOKS + _LOOKS_PER_QUAD * len(quads))
    names: dict[str, str] = {}
    refused: set[str] = set()
    copies: Counter[str] = Counter()
    for around in groups:
        try:
            stable = _refine(around, dict.fromkeys(around, ""), budget)
            unique = _individualise(around, stable, budget)
        except _TooMuchError:
            refused.update(around)
            continue
        group = _digest(sorted(stable.values()))
        copies[group] += 1  # equal groups of one file stay as many as they were
        for node, colour in unique.items():
            names[node] = f"<{GENID}{_digest([group, str(copies[group]), colour])[:32]}>"
    return names, frozenset(refused)


class _TooMuchError(Exception):
    """The bound of the work is reached."""


class _Budget:
    def __init__(self, looks: int) -> None:
        self._left = looks

    def take(self, looks: int) -> None:
        self._left -= looks
        if self._left < 0:
            raise _TooMuchError


def _groups(quads: Sequence[Quad]) -> list[dict[str, list[Quad]]]:
    """Return the groups of connected blank nodes, each node with the statements it stands in."""
    around: dict[str, list[Quad]] = defaultdict(list)
    for quad in quads:
        for node in {term for term in quad if is_blank(term)}:
            around[node].append(quad)
    groups: list[dict[str, list[Quad]]] = []
    seen: set[str] = set()
    for start in around:
        if start in seen:
            continue
        seen.add(start)
        queue, group = [start], {}
        while queue:
            node = queue.pop()
            group[node] = around[node]
            for quad in around[node]:
                for term in quad:
                    if is_blank(term) and term not in seen:
                        seen.add(term)
                        queue.append(term)
        groups.append(group)
    return groups


def _refine(
    around: Mapping[str, Sequence[Quad]], colours: Mapping[str, str], budget: _Budget
) -> Mapping[str, str]:
    """Return colours that tell apart what the statements can tell apart."""
    looks = sum(map(len, around.values()))
    kinds = 0
    while True:
        budget.take(looks)
        colours = {
            node: _digest([colours[node], *sorted(_seen_from(node, quads, colours))])
            for node, quads in around.items()
        }
        found = len(set(colours.values()))
        if found in (kinds, len(around)):
            return colours
        kinds = found


def _individualise(
    around: Mapping[str, Sequence[Quad]], colours: Mapping[str, str], budget: _Budget
) -> Mapping[str, str]:
    """Return colours that are all different: of nodes that look alike, one after another is set.

    Nodes that look alike nearly always are interchangeable; which one is set is then no matter.
    """
    while len(set(colours.values())) < len(around):
        alike: dict[str, list[str]] = defaultdict(list)
        for node, colour in colours.items():
            alike[colour].append(node)
        _, chosen = min((len(nodes), colour) for colour, nodes in alike.items() if len(nodes) > 1)
        first = min(alike[chosen])
        colours = _refine(around, {**colours, first: _digest([chosen, "first"])}, budget)
    return colours


def _seen_from(node: str, quads: Iterable[Quad], colours: Mapping[str, str]) -> Iterable[str]:
    for quad in quads:
        yield " ".join(
            "_:self" if term == node else f"_:{colours[term]}" if is_blank(term) else term
            for term in quad
        )


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
