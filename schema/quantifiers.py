"""Tests of lists: whether some, every or no element fits, and how large conditions are.

Floor 4. They look at a list of numbers and know nothing of what the numbers stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

#: Tells of a list of numbers whether it fits.
ListTest = Callable[[Sequence[int]], bool]

QUANTIFIERS: Final = frozenset({"some", "every", "none"})


def quantify(name: str, test: Callable[[int], bool], charge: Callable[[int], None]) -> ListTest:
    """Return the test of a list by one quantifier; `charge` is told how many are looked at."""
    if name == "every":

        def every(values: Sequence[int]) -> bool:
            charge(len(values))
            return all(map(test, values))

        return every
    wanted = name == "some"

    def some(values: Sequence[int]) -> bool:
        charge(len(values))
        return any(map(test, values)) is wanted

    return some


def all_of(tests: Sequence[ListTest]) -> ListTest:
    """Return the test that all of them hold."""
    if len(tests) == 1:
        return tests[0]
    return lambda values: all(test(values) for test in tests)


def size_of(where: Any) -> tuple[int, int]:
    """Return how many conditions stand inside each other, and how many there are in all.

    Each value of a list counts as one.
    """
    if isinstance(where, list | tuple):
        sizes = [size_of(each) for each in where]
        return max((depth for depth, _ in sizes), default=0), sum(n for _, n in sizes) + len(where)
    if not isinstance(where, Mapping):
        return 0, 0
    sizes = [size_of(below) for below in where.values()]
    deepest = max((depth for depth, _ in sizes), default=0)
    return 1 + deepest, len(sizes) + sum(count for _, count in sizes)
