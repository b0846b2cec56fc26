"""How an operation is answered: its plan in words, what it was estimated at and what it cost.

Floor 4. For those who may see it (the scope `explain`): a plan names predicates and classes, and
the times of a shared machine say something of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graph.terms import local_name
from schema.plan import (
    Certainty,
    Connection,
    Date,
    Link,
    Lookup,
    Part,
    Plan,
    Scalar,
    Selection,
    Step,
    Text,
    Variable,
)


def write_plan(plan: Plan) -> str:
    """Return a plan as an indented text, one step a line.

    A selection of which object types are asked differently is written once for each difference.
    """
    return "\n".join(line for step in plan.steps for line in _step(step, 0))


def _step(step: Step, depth: int) -> Iterator[str]:
    told = [type(step).__name__, step.key, *_details(step)]
    yield "  " * depth + " ".join(filter(None, told))
    if isinstance(step, Link | Lookup):
        yield from _selection(step.selection, depth + 1)
    else:
        parts: tuple[Part, ...] = getattr(step, "parts", ()) if not isinstance(step, Date) else ()
        yield from _parts(parts, depth + 1)


def _parts(parts: tuple[Part, ...], depth: int) -> Iterator[str]:
    for part in parts:
        arguments = _arguments(part.arguments)
        yield "  " * depth + " ".join(filter(None, [part.key, part.name, arguments]))
        if part.selection is not None:
            yield from _selection(part.selection, depth + 1)
        yield from _parts(part.parts, depth + 1)


def _selection(selection: Selection, depth: int) -> Iterator[str]:
    if not selection.branches:
        for step in selection.steps:
            yield from _step(step, depth)
        return
    by_steps: dict[int, list[str]] = {}
    steps = {id(found): found for _, found in selection.branches}
    for name, found in selection.branches:
        by_steps.setdefault(id(found), []).append(name)
    for key, names in by_steps.items():
        yield "  " * depth + f"on {' | '.join(names)}"
        for step in steps[key]:
            yield from _step(step, depth + 1)


def _details(step: Step) -> Iterator[str]:
    if isinstance(step, Scalar | Link | Connection) and step.path is not None:
        mark = "^" if step.path.inverse else ""
        yield f"{mark}{local_name(step.path.predicate)}{'*' if step.path.many else ''}"
    if isinstance(step, Text):
        yield ", ".join(sorted({local_name(path) for path in step.paths.values()}))
    if isinstance(step, Connection | Lookup | Certainty) and step.class_iri is not None:
        yield f"of {local_name(step.class_iri)}"
    yield _arguments(getattr(step, "arguments", {}))
    if isinstance(step, Connection) and step.counted:
        yield "counted"


def _arguments(arguments: Any) -> str:
    if not arguments:
        return ""
    told = ", ".join(f"{name}: {_value(value)}" for name, value in arguments.items())
    return f"({told})"


def _value(value: Any) -> str:
    if isinstance(value, Variable):
        return f"${value.name}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)
