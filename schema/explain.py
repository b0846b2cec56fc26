"""A plan in words: a tree of steps, as text and as data, with what each step took where known.

Floor 4. For those who may see it (the scope `explain`): a plan names predicates and classes, and
the times of a shared machine say something of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graph.terms import local_name
from schema.plan import (
    Certainty,
    Connection,
    Link,
    Lookup,
    Part,
    Plan,
    Records,
    Scalar,
    Search,
    Selection,
    Sources,
    Step,
    Text,
    Variable,
)


@dataclass(slots=True)
class Taken:
    """What a step took: how often it was carried out, nodes it found, seconds with all below."""

    times: int = 0
    rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A step of a plan in words, or a part of one; `step` is None for parts."""

    key: str
    words: tuple[str, ...]
    below: tuple[Line, ...] = ()
    step: Step | None = None


def plan_lines(plan: Plan) -> tuple[Line, ...]:
    """Return the tree of a plan in words.

    A selection of which object types are asked differently is told once for each difference, one
    that stands at several places at the first.
    """
    return _Teller().steps(plan.steps)


def write_plan(plan: Plan) -> str:
    """Return a plan as an indented text, one step a line."""
    return "\n".join(_write(plan_lines(plan), 0))


def write_steps(
    lines: Sequence[Line], taken: Mapping[int, Taken] | None = None
) -> list[dict[str, Any]]:
    """Return a plan as data; `taken` holds what steps took, by the identity of the step."""
    return [_describe(line, taken or {}) for line in lines]


def _write(lines: Sequence[Line], depth: int) -> Iterator[str]:
    for line in lines:
        yield "  " * depth + " ".join(filter(None, line.words))
        yield from _write(line.below, depth + 1)


def _describe(line: Line, taken: Mapping[int, Taken]) -> dict[str, Any]:
    found: dict[str, Any] = {"key": line.key, "step": " ".join(filter(None, line.words))}
    figures = taken.get(id(line.step))
    if figures is not None:
        found |= {
            "times": figures.times,
            "rows": figures.rows,
            "milliseconds": round(figures.seconds * 1000, 3),
        }
    return found | ({"steps": write_steps(line.below, taken)} if line.below else {})


class _Teller:
    """Tells a plan; remembers what it told, since parts of a plan may be shared."""

    def __init__(self) -> None:
        self.selections: dict[int, str] = {}
        self.slots: dict[int, str] = {}

    def steps(self, steps: Sequence[Step]) -> tuple[Line, ...]:
        return tuple(map(self._step, steps))

    def _step(self, step: Step) -> Line:
        words = (type(step).__name__, step.key, *self._details(step))
        below: tuple[Line, ...] = ()
        if isinstance(step, Link | Lookup | Sources):
            below = self._selection(step.selection, step.key)
        elif isinstance(step, Connection | Search | Records):
            below = self._parts(step.parts)
        return Line(step.key, words, below, step)

    def _parts(self, parts: Sequence[Part]) -> tuple[Line, ...]:
        return tuple(map(self._part, parts))

    def _part(self, part: Part) -> Line:
        words = (part.key, part.name, _arguments(part.arguments))
        below = () if part.selection is None else self._selection(part.selection, part.key)
        return Line(part.key, words, (*below, *self._parts(part.parts)))

    def _selection(self, selection: Selection, key: str) -> tuple[Line, ...]:
        known = self.selections.get(selection.number)
        if known is not None:
            return (Line(key, (f"as in {known}",)),)
        self.selections[selection.number] = key
        if not selection.branches:
            return self.steps(selection.steps)
        by_steps: dict[int, list[str]] = {}
        steps = {id(found): found for _, found in selection.branches}
        for name, found in selection.branches:
            by_steps.setdefault(id(found), []).append(name)
        return tuple(
            Line(key, (f"on {' | '.join(names)}",), self.steps(steps[place]))
            for place, names in by_steps.items()
        )

    def _details(self, step: Step) -> Iterator[str]:
        if isinstance(step, Scalar | Link | Connection) and step.path is not None:
            mark = "^" if step.path.inverse else ""
            yield f"{mark}{local_name(step.path.predicate)}{'*' if step.path.many else ''}"
        if isinstance(step, Text):
            yield ", ".join(sorted({local_name(path) for path in step.paths.values()}))
        if isinstance(step, Connection | Lookup | Certainty) and step.class_iri is not None:
            yield f"of {local_name(step.class_iri)}"
        if isinstance(step, Connection):
            yield from self._page(step)
        else:
            yield _arguments(getattr(step, "arguments", {}))

    def _page(self, step: Connection) -> Iterator[str]:
        asked = dict(step.arguments)
        if "where" in asked:
            asked["where"] = step.where
        yield _arguments(asked)
        if step.counted:
            yield "counted"
        if step.seek is not None:
            yield f"from index {_value(step.seek)}"
        if step.ordered:
            yield "in the order of the index"
        if not step.shown:
            yield "without nodes"
        if not step.ahead:
            yield "until full"
        first = self.slots.setdefault(step.slot, step.key)
        if first != step.key:
            yield f"with {first}"


def _arguments(arguments: Mapping[str, Any]) -> str:
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
