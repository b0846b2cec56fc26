"""Levels of conditions: what stands in one pair of braces of a `where`, and how rules reach them.

Floor 4, below `schema/conditions.py`, which holds the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from operator import is_
from typing import Any, Final

from graph.model import Field, FieldKind, Model
from schema.operators import listed
from schema.plan import Value, Variable

#: The conditions of one level, by name; values may be variables.
Level = dict[str, Value]
Fields = Mapping[str, Field]
LevelRule = Callable[[Fields, Level], Level]

_QUANTIFIERS: Final = ("some", "every", "none")


def apply_to_levels(
    rule: LevelRule, model: Model, class_iri: str, where: Value, *, linked: bool = False
) -> Value:
    """Return conditions with a rule applied to every level, the innermost first.

    Where nothing changes, what was given comes back. `linked` tells that the conditions are on
    the one node of a field, which may be unknown: there no rule may change whether they admit it.
    """
    if not isinstance(where, dict):
        return where
    level, is_changed = {}, False
    for name, below in where.items():
        level[name] = _apply_below(rule, model, class_iri, name, below, linked)
        is_changed = is_changed or level[name] is not below
    before = level if is_changed else where
    found = rule(model.fields[class_iri], before)
    return before if linked and not _admit_alike(found, before) else found


def _apply_below(
    rule: LevelRule, model: Model, class_iri: str, name: str, below: Value, linked: bool
) -> Value:
    if name in ("and", "or"):
        if isinstance(below, Variable) or below is None:
            return below
        parts = listed(below)
        found = tuple(apply_to_levels(rule, model, class_iri, p, linked=linked) for p in parts)
        return below if are_same(parts, found) else found
    if name == "not":
        return apply_to_levels(rule, model, class_iri, below)
    field = model.fields[class_iri].get(name)
    if field is None or field.kind is not FieldKind.ENTITY or field.target is None:
        return below
    if not field.many:
        return apply_to_levels(rule, model, field.target, below, linked=True)
    if not isinstance(below, dict):
        return below
    found_below = {
        key: apply_to_levels(rule, model, field.target, value)
        if key in (*_QUANTIFIERS, "where")
        else value
        for key, value in below.items()
    }
    return below if are_same(below.values(), found_below.values()) else found_below


def join(level: Level, more: Level) -> Level:
    """Return the level with further conditions, those of the same name in an `and`."""
    return join_all(level, (more,))


def join_all(level: Level, more: Iterable[Value]) -> Level:
    """Return the level with the conditions of others, which all have to hold."""
    found, rest = without(level, "and"), list[Value]()
    for part in (level, *more):
        if not isinstance(part, dict):
            rest.append(part)
            continue
        inner = part.get("and", ())
        rest += listed(inner) if isinstance(inner, tuple | dict) else ({"and": inner},)
        others = without(part, "and") if part is not level else {}
        if taken := {name: below for name, below in others.items() if name in found}:
            rest.append(taken)
        found |= {name: below for name, below in others.items() if name not in found}
    return {**found, "and": tuple(rest)} if rest else found


def are_same(some: Collection[Any], others: Collection[Any]) -> bool:
    """Tell whether two lists hold the very same objects."""
    return len(some) == len(others) and all(map(is_, some, others))


def without(level: Level, name: str) -> Level:
    """Return the level without one of its conditions."""
    return {key: below for key, below in level.items() if key != name}


def _admit_alike(some: Value, others: Value) -> bool:
    """Tell whether two conditions on the one node of a field surely agree on an unknown one."""
    return len({_admits(level, guess) for level in (some, others) for guess in (True, False)}) == 1


def _admits(where: Value, guess: bool) -> bool:
    """Tell whether conditions admit an unknown node if all variables did, or none."""
    if isinstance(where, Variable):
        return guess
    if not where or not isinstance(where, dict):
        return False

    def admits(name: str, below: Any) -> bool:
        if isinstance(below, Variable):
            return guess and name in ("isNull", "and", "or")
        if name == "isNull":
            return below is True
        if name == "and":
            return all(_admits(part, guess) for part in listed(below))
        return name == "or" and any(_admits(part, guess) for part in listed(below))

    return all(admits(name, below) for name, below in where.items())
