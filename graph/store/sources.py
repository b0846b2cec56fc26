"""The order in which sources answer a single-valued field.

Floor 1. Rank of the source (higher first), date of retrieval (later first), revision in which the
graph appeared (later first), IRI. A source's rank and date are read in its own graph only, so
that no source can speak for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graph.terms import RZ, read_literal

RANK: Final = f"{RZ}sourceRank"
RETRIEVED: Final = "http://purl.org/dc/terms/dateAccepted"
ORDERING: Final = frozenset({RANK, RETRIEVED})

#: What is known of a graph: rank and date of retrieval as N-Triples literals, or None.
Standing = tuple[str | None, str | None]


def order_graphs(
    terms: Sequence[str], born: Sequence[int], standing: Sequence[Standing]
) -> tuple[int, ...]:
    """Return the place of each graph, 0 answering first; the system graph answers last."""

    def key(number: int) -> tuple[bool, int, bool, str, int, str]:
        rank, retrieved = standing[number]
        date = read_literal(retrieved)[0] if retrieved else ""
        return (
            number == 0,
            -_integer(rank),
            date == "",
            _later_first(date),
            -born[number],
            terms[number],
        )

    ranks = [0] * len(terms)
    for place, number in enumerate(sorted(range(len(terms)), key=key)):
        ranks[number] = place
    return tuple(ranks)


def _integer(literal: str | None) -> int:
    if literal is None:
        return 0
    try:
        return int(read_literal(literal)[0])
    except ValueError:
        return 0


def _later_first(date: str) -> str:
    """Return text whose ascending order is the descending order of ISO dates."""
    return "".join(chr(0x7F - ord(c)) for c in date if ord(c) < 0x7F)
