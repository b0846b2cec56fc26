"""What a change must be at every visibility level, and what its writer may be told of that.

Floor 2. What is required of a node holds at each level where it is visible (DESIGN's rule 1), so
each level that a change concerns is validated by itself. What is wrong at a level above the
writer's is never named: it is said that something is, and only where a field that always has a
value would lose it. Everything else that stands there is as if it were not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from graph.access import Level
from graph.curation.computed import is_computed
from graph.curation.messages import say
from graph.curation.validate import Validator
from graph.curation.view import View
from graph.errors import Violation
from graph.store.levels import VISIBILITY, Division, Levels, write_level
from graph.store.snapshot import Snapshot

#: What must hold at levels that the writer does not see: without these, fields that are never null
#: would be. What else is asked (rules, counts) could be used to ask what stands there.
_KEPT: Final = frozenset({"minCount", "class", "node", "closed"})


class Sight(NamedTuple):
    """What the one who asks sees of the version that a change applies to."""

    snapshot: Snapshot
    levels: Levels
    level: Level


def see(levels: Levels, level: Level) -> Sight:
    """Return what a level sees of a version."""
    return Sight(levels.at(level).snapshot, levels, level)


def refused_levels(division: Division, level: Level, language: str) -> Iterator[Violation]:
    """Yield a violation for each graph whose level the writer may not write."""
    for graph, (old, new) in sorted(division.levels.items()):
        if new is not None and new > Level.PUBLIC and is_computed(graph):
            message = say("computedPublic", language, graph=graph[1:-1])
        elif new is not None and new > level:
            message = say("aboveToken", language, level=new.name.lower())
        elif old is not None and old > level:
            message = say("hiddenTies", language)
        else:
            continue
        value = None if new is None else write_level(new)
        yield Violation(graph, VISIBILITY, value, "visibility", "Violation", message, graph[1:-1])


def validate_levels(
    validator: Validator,
    view: View,
    levels: Levels,
    division: Division,
    level: Level,
    language: str,
) -> list[Violation]:
    """Return what is wrong with a change at any level, as far as its writer may know.

    `view` is the change over the whole; `division` what it is at each level.
    """
    found: dict[Violation, None] = {}
    for each, (added, removed) in sorted(division.deltas.items()):
        if not added and not removed:
            continue
        snapshot = levels.at(each).snapshot
        is_whole = snapshot is levels.whole and (len(added), len(removed)) == (
            len(view.added),
            len(view.removed),
        )
        seen = view if is_whole else View(snapshot, added, removed)
        results = validator.validate(seen, language)
        if each <= level:
            found.update(dict.fromkeys(results))
        elif any(map(partial(_is_hidden, {_place(known) for known in found}), results)):
            masked = say("hiddenTies", language)
            found[Violation("", None, None, "visibility", "Violation", masked)] = None
    return sorted(found, key=lambda violation: violation.severity)


def _is_hidden(told: set[tuple[str, str | None, str]], violation: Violation) -> bool:
    """Tell whether a violation at a level above has to be said, and is not told already."""
    is_kept = violation.severity == "Violation" and violation.constraint in _KEPT
    return is_kept and _place(violation) not in told


def _place(violation: Violation) -> tuple[str, str | None, str]:
    return violation.focus_node, violation.path, violation.constraint
