"""Which organisation speaks for one that was renamed or merged.

Floor 3. Reads the change events of a snapshot; knows nothing of affiliations or networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from graph.analysis.reader import ORG, Reader, read_instances
from graph.terms import RZ

CHANGE_EVENT: Final = f"{RZ}ChangeEvent"
ORIGINAL: Final = f"{ORG}originalOrganization"
RESULTING: Final = f"{ORG}resultingOrganization"


def find_successors(reader: Reader, counts: Callable[[str], bool]) -> dict[str, str]:
    """Return the final successor of each organisation that has exactly one.

    A change event with one resulting organisation leads each of its original organisations there;
    the chain is followed to its end. Not followed: an event with no result (a dissolution), with
    several (a split), and any organisation whose events lead to different ends, or in a circle.
    An organisation that is both original and resulting goes on by itself.

    Parameters
    ----------
    reader : Reader
        The snapshot.
    counts : Callable
        Whether a change event, given as N-Triples text, is to be counted (by its status).

    Returns
    -------
    dict[str, str]
        Predecessor to final successor, both as N-Triples text.

    Source
    ------
    Ours: rule 10 of the rules of the data.
    """
    steps: dict[str, set[str]] = {}
    for event in read_instances(reader, CHANGE_EVENT):
        results = set(reader.values(event, RESULTING))
        if len(results) == 1 and counts(event):
            for old in set(reader.values(event, ORIGINAL)) - results:
                steps.setdefault(old, set()).update(results)
    ends = {old: _follow(old, steps) for old in sorted(steps)}
    return {old: end for old, end in ends.items() if end is not None}


def _follow(start: str, steps: Mapping[str, set[str]]) -> str | None:
    """Return the one end of all chains from an organisation, or None."""
    ends: set[str] = set()
    seen, queue = {start}, [start]
    while queue:
        current = queue.pop()
        following = steps.get(current, set())
        if not following:
            ends.add(current)
        queue.extend(following - seen)
        seen |= following
    return ends.pop() if len(ends) == 1 else None
