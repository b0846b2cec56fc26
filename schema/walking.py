"""Walks through plans: a plan with some of its steps or selections replaced.

Floor 4. What stood at several places of a plan as one object does so afterwards, since generated
code writes it once; where nothing is replaced, the plan itself comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from schema.plan import (
    Connection,
    Link,
    Lookup,
    Part,
    Plan,
    Records,
    Search,
    Selection,
    Sources,
    Step,
)

Steps = tuple[Step, ...]


def replace_steps(plan: Plan, step_by: Callable[[Step], Step]) -> Plan:
    """Return a plan of which each step, with all below it replaced, went through a function."""
    return Walk(step_by=step_by).plan(plan)


class Walk:
    """Replaces steps, lists of steps and selections, the innermost first."""

    def __init__(
        self,
        step_by: Callable[[Step], Step] | None = None,
        steps_by: Callable[[Steps], Steps] | None = None,
        selection_by: Callable[[Selection], Selection] | None = None,
    ) -> None:
        self.step_by = step_by
        self.steps_by = steps_by
        self.selection_by = selection_by
        self._selections: dict[int, Selection] = {}
        self._steps: dict[int, Steps] = {}

    def plan(self, plan: Plan) -> Plan:
        """Return the plan with everything replaced."""
        steps = self._replaced_steps(plan.steps)
        return plan if steps is plan.steps else replace(plan, steps=steps)

    def _replaced_steps(self, steps: Steps) -> Steps:
        if id(steps) not in self._steps:
            found = tuple(map(self._step, steps))
            same = steps if _are_same(found, steps) else found
            self._steps[id(steps)] = same if self.steps_by is None else self.steps_by(same)
        return self._steps[id(steps)]

    def _step(self, step: Step) -> Step:
        found: Step = step
        if isinstance(step, Link | Sources | Lookup):
            selection = self._selection(step.selection)
            if selection is not step.selection:
                found = replace(step, selection=selection)
        elif isinstance(step, Connection | Search | Records):
            parts = self._parts(step.parts)
            if parts is not step.parts:
                found = replace(step, parts=parts)
        return found if self.step_by is None else self.step_by(found)

    def _parts(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        found = tuple(map(self._part, parts))
        return parts if _are_same(found, parts) else found

    def _part(self, part: Part) -> Part:
        selection = None if part.selection is None else self._selection(part.selection)
        parts = self._parts(part.parts)
        if selection is part.selection and parts is part.parts:
            return part
        return replace(part, selection=selection, parts=parts)

    def _selection(self, selection: Selection) -> Selection:
        if id(selection) not in self._selections:
            steps = self._replaced_steps(selection.steps)
            branches = tuple(
                (name, self._replaced_steps(below)) for name, below in selection.branches
            )
            found = selection
            changed = steps is not selection.steps or any(
                new is not old
                for (_, new), (_, old) in zip(branches, selection.branches, strict=True)
            )
            if changed:
                found = replace(selection, steps=steps, branches=branches)
            if self.selection_by is not None:
                found = self.selection_by(found)
            self._selections[id(selection)] = found
        return self._selections[id(selection)]


def _are_same(some: tuple[object, ...], others: tuple[object, ...]) -> bool:
    return all(a is b for a, b in zip(some, others, strict=True))
