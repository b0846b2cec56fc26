"""Measures a plan step by step: its generated code with a clock around each step that finds nodes.

Floor 4. Only explained requests run it; times include all that lies below a step, and what a
request remembers is carried out once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from graph.model import Model
from schema.explain import Taken
from schema.generate import Executable, Writer, compile_source
from schema.plan import Connection, Link, Lookup, Plan, Records, Search, Sources, Step
from schema.search import Found

_MEASURED = Connection | Link | Lookup | Records | Search | Sources


def measured(plan: Plan, model: Model) -> tuple[Executable, Mapping[int, Taken]]:
    """Return the executable of a plan, and what its steps take as it runs, by their identity."""
    writer = _MeasuringWriter(plan, model)
    source = "\n".join(writer.write())
    taken = [Taken() for _ in writer.steps]

    def note(at: int, rows: int, seconds: float) -> None:
        found = taken[at]
        found.times += 1
        found.rows += rows
        found.seconds += seconds

    names: dict[str, Any] = {"search": Found, "clock": time.perf_counter, "note": note}
    exec(compile_source(source), names)
    executable: Executable = names["make"]
    by_step: dict[int, Taken] = {}
    for step, found in zip(writer.steps, taken, strict=True):
        by_step.setdefault(id(step), found)
    return executable, by_step


class _MeasuringWriter(Writer):
    """Writes a plan with a note of each step that finds nodes: how many, and in what time."""

    inlines = False  # a step is made where its note stands

    def __init__(self, plan: Plan, model: Model) -> None:
        super().__init__(plan, model)
        self.steps: list[Step] = []

    def _step(self, step: Step, class_iri: str | None) -> tuple[list[str], str]:
        lines, expression = super()._step(step, class_iri)
        if not isinstance(step, _MEASURED):
            return lines, expression
        at = len(self.steps)
        self.steps.append(step)
        start, rows, found = (self._name(letter) for letter in ("s", "z", "x"))
        # Nodes are counted before the objects below them are made, records when they stand there.
        counts = isinstance(step, Connection | Link | Lookup | Search)
        size = f"C[0] - {rows}" if counts else f"len({found}) if type({found}) is list else 1"
        made = [f"{found} = {expression}"]
        counted = [f"{rows} = {size}"]
        return [
            f"{start} = clock(); {rows} = C[0]",
            *lines,
            *(counted + made if counts else made + counted),
            f"note({at}, {rows}, clock() - {start})",
        ], found
