"""Rules of plans that let equal parts of an operation be one.

Floor 4. What is asked twice in the same words is then bound once, remembered once and, of a node
that several places lead to, made once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from schema.plan import Connection, Plan, Selection
from schema.walking import Steps, Walk

#: Numbers of places, which differ between parts that ask for the same.
_PLACES = frozenset({"slot", "number"})


def share_selections(plan: Plan) -> Plan:
    """What is asked of a class in the same words twice is one: a node met by both is made once."""
    known: dict[Any, Selection] = {}
    names = _Names()

    def share(selection: Selection) -> Selection:
        return known.setdefault(names.of(selection), selection)

    return Walk(selection_by=share).plan(plan)


def share_pages(plan: Plan) -> Plan:
    """Connections side by side with the same arguments are bound once; what one needs, all have."""
    return Walk(steps_by=_share_pages).plan(plan)


def _share_pages(steps: Steps) -> Steps:
    names, groups = _Names(), dict[Any, list[Connection]]()
    for step in steps:
        if isinstance(step, Connection):
            asked = (step.path, step.class_iri, names.of(step.arguments))
            groups.setdefault(asked, []).append(step)
    shared: dict[int, Connection] = {}
    for group in groups.values():
        if len({step.slot for step in group}) > 1:
            shared |= {id(step): _joined(step, group) for step in group}
    return tuple(shared.get(id(step), step) for step in steps) if shared else steps


def _joined(step: Connection, group: list[Connection]) -> Connection:
    return replace(
        step,
        slot=group[0].slot,
        counted=any(each.counted for each in group),
        ahead=any(each.ahead for each in group),
        shown=any(each.shown for each in group),
    )


class _Names:
    """Numbers the parts of one plan: those that ask for the same have the same number."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._known: dict[int, tuple[int, Any]] = {}

    def of(self, part: Any) -> int:
        """Return the number of a part, of a value of it, or of several."""
        is_leaf = not isinstance(part, tuple | dict) and not is_dataclass(part)
        if is_leaf:
            return self._number((type(part), part))
        if id(part) not in self._known:  # which keeps the part, so that no other gets its place
            self._known[id(part)] = self._number((type(part), *self._inner(part))), part
        return self._known[id(part)][0]

    def _inner(self, part: Any) -> Iterator[Any]:
        if isinstance(part, tuple):
            yield from map(self.of, part)
        elif isinstance(part, dict):
            yield from ((key, self.of(value)) for key, value in part.items())
        else:
            yield from (
                self.of(getattr(part, f.name)) for f in fields(part) if f.name not in _PLACES
            )

    def _number(self, name: Any) -> int:
        return self._numbers.setdefault(name, len(self._numbers))
