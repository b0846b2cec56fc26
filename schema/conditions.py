"""Rules that bring conditions into their simplest form: functions from one level to one level.

Floor 4. A level is what stands in one pair of braces of a `where`: conditions that all have to
hold. Each rule is true to the rule of `schema/filters.py` that what is unknown meets no condition,
and drops nothing that may be wrong: a condition that is refused is refused after it, too.
"""

from __future__ import annotations

from typing import Final

from graph.model import FieldKind
from schema.levels import Fields, Level, LevelRule, are_same, join, join_all, without
from schema.operators import listed
from schema.plan import Value, Variable

#: What holds always, and what holds never.
_ALWAYS: Final[Level] = {}
_NEVER: Final[Level] = {"or": ()}
_EQUAL: Final = ("eq", "in")
#: Conditions on how many there are that say as much as a quantifier.
_COUNTS: Final = {
    ("gt", 0): "some",
    ("gte", 1): "some",
    ("ne", 0): "some",
    ("eq", 0): "none",
    ("lt", 1): "none",
    ("lte", 0): "none",
}


def remove_double_negation(fields: Fields, level: Level) -> Level:
    """`not: {not: A}` is A."""
    inner = level.get("not")
    if not (isinstance(inner, dict) and inner.keys() == {"not"} and isinstance(inner["not"], dict)):
        return level
    return join(without(level, "not"), inner["not"])


def push_negation_down(fields: Fields, level: Level) -> Level:
    """`not: {or: [A, B]}` is `and: [{not: A}, {not: B}]`; that no element fits is `none`."""
    inner = level.get("not")
    if not isinstance(inner, dict) or len(inner) != 1:
        return level
    ((name, below),) = inner.items()
    if name in ("and", "or") and _are_levels(below):
        other = "or" if name == "and" else "and"
        parts = tuple(push_negation_down(fields, {"not": part}) for part in listed(below))
        return join(without(level, "not"), {other: parts})
    if name in fields and fields[name].listed and isinstance(below, dict) and len(below) == 1:
        ((quantifier, test),) = below.items()
        turned = {"some": "none", "none": "some"}.get(quantifier)
        if turned is not None and isinstance(test, dict):
            return join(without(level, "not"), {name: {turned: test}})
    return level


def flatten(fields: Fields, level: Level) -> Level:
    """Conditions of an `and` stand in the level itself; an `or` of one is that one."""
    for name in ("and", "or"):
        parts = level.get(name)
        if not isinstance(parts, tuple | dict):
            continue
        if name == "or":
            found = _flatten_or(level, listed(parts))
        else:
            found = join_all(without(level, name), listed(parts))
            if found.get(name) == parts and len(found) == len(level):
                continue
        if found is not level:
            return flatten(fields, found)
    return level


def fold_constants(fields: Fields, level: Level) -> Level:
    """What holds always is left out of an `and`, what never does out of an `or`."""
    found = {name: below for name, below in level.items() if not _is_always(name, below)}
    for name, neutral in (("and", _ALWAYS), ("or", _NEVER)):
        parts = found.get(name)
        if isinstance(parts, tuple):
            kept = tuple(part for part in parts if _constant(part) != neutral)
            if len(kept) < len(parts):
                found[name] = kept
    if found.get("and") == ():
        del found["and"]
    if _constant(found.get("not")) == _ALWAYS and "or" not in found:
        found = {**_NEVER, **without(found, "not")}
    return level if len(found) == len(level) and are_same(found.values(), level.values()) else found


def count_as_quantifier(fields: Fields, level: Level) -> Level:
    """`count: {gte: 1}` of a list is `some: {}`, `count: {eq: 0}` is `none: {}`."""
    found = level
    for name, below in level.items():
        if name not in fields or not fields[name].listed or not isinstance(below, dict):
            continue
        count = below.get("count")
        if not isinstance(count, dict) or len(count) != 1:
            continue
        ((operator, bound),) = count.items()
        quantifier = _COUNTS.get((operator, bound)) if type(bound) is int else None
        if quantifier is not None and quantifier not in below:
            found = {**found, name: {**without(below, "count"), quantifier: {}}}
    return found


def merge_alternatives(fields: Fields, level: Level) -> Level:
    """`or: [{a: {eq: 1}}, {a: {eq: 2}}]` is `a: {in: [1, 2]}`; of lists, one looks for both."""
    parts = level.get("or")
    if not isinstance(parts, tuple) or len(parts) < 2:
        return level
    grouped: dict[str, list[Value]] = {}
    for at, part in enumerate(parts):
        grouped.setdefault(_alternative_key(fields, part) or f"#{at}", []).append(part)
    if len(grouped) == len(parts):
        return level
    merged = tuple(_merged(fields, found) for found in grouped.values())
    if len(merged) == 1:
        return join(without(level, "or"), merged[0])
    return {**level, "or": merged}


def drop_repeated(fields: Fields, level: Level) -> Level:
    """What stands twice in an `and` or `or` stands there once."""
    found = level
    for name in ("and", "or"):
        parts = level.get(name)
        if isinstance(parts, tuple):
            kept = tuple({repr(part): part for part in parts}.values())
            if len(kept) < len(parts):
                found = {**found, name: kept}
    return found


def cheap_conditions_first(fields: Fields, level: Level) -> Level:
    """What is dear to look at, such as texts and lists, is looked at last."""
    found = {name: _cheap_parts(fields, name, below) for name, below in level.items()}
    ordered = dict(sorted(found.items(), key=lambda item: _cost(fields, *item)))
    is_same = list(ordered) == list(level) and are_same(ordered.values(), level.values())
    return level if is_same else ordered


#: The rules in the order in which they apply.
LEVEL_RULES: Final[tuple[LevelRule, ...]] = (
    push_negation_down,
    remove_double_negation,
    flatten,
    fold_constants,
    count_as_quantifier,
    merge_alternatives,
    drop_repeated,
    cheap_conditions_first,
)


# --- parts of the rules -------------------------------------------------------------------------


def _flatten_or(level: Level, parts: tuple[Value, ...]) -> Level:
    opened: list[Value] = []
    for part in parts:
        is_or = isinstance(part, dict) and part.keys() == {"or"} and _are_levels(part["or"])
        opened += listed(part["or"]) if is_or else (part,)
    if len(opened) == 1 and isinstance(opened[0], dict):
        return join(without(level, "or"), opened[0])
    return level if are_same(opened, parts) else {**level, "or": tuple(opened)}


def _is_always(name: str, below: Value) -> bool:
    """Tell whether one condition of a level holds of every node."""
    if name == "isNull":
        return below is False
    return (name == "and" and below == ()) or (name == "not" and _constant(below) == _NEVER)


def _constant(level: Value) -> Level | None:
    """Return what always or never holds as such."""
    if level == {}:
        return _ALWAYS
    return _NEVER if level in ({"or": ()}, {"isNull": True}) else None


def _alternative_key(fields: Fields, part: Value) -> str | None:
    """Return a key that parts of an `or` share if they can be merged."""
    if not isinstance(part, dict) or len(part) != 1:
        return None
    ((name, below),) = part.items()
    if not isinstance(below, dict) or len(below) != 1 or has_variables(below):
        return None
    ((key, value),) = below.items()
    field = fields.get(name)
    if field is not None and field.kind is FieldKind.DATE:
        return None
    if field is not None and field.kind is FieldKind.ENTITY:
        if not field.many:
            return f"{name} link"
        return f"{name} some" if key == "some" else None
    if field is not None and field.listed:
        return None
    is_equal = key in _EQUAL and None not in listed(value)
    return f"{name} equal" if is_equal and name not in ("not", "and", "or") else None


def _merged(fields: Fields, parts: list[Value]) -> Value:
    if len(parts) == 1:
        return parts[0]
    ((name, _),) = parts[0].items()
    field, inner = fields.get(name), [part[name] for part in parts]
    if field is not None and field.kind is FieldKind.ENTITY:
        if not field.many:
            return {name: {"or": tuple(inner)}}
        return {name: {"some": {"or": tuple(each["some"] for each in inner)}}}
    values = [value for each in inner for below in each.values() for value in listed(below)]
    return {name: {"in": tuple(values)}}


def _cheap_parts(fields: Fields, name: str, below: Value) -> Value:
    if name not in ("and", "or") or not isinstance(below, tuple):
        return below
    ordered = tuple(sorted(below, key=lambda part: _level_cost(fields, part)))
    return below if are_same(ordered, below) else ordered


def _cost(fields: Fields, name: str, below: Value) -> float:
    """Return what looking at one condition takes, about, where the test of a number is 1."""
    if name in ("id", "isNull"):
        return 0.5
    if name == "types":
        return 2
    if name == "not":
        return _level_cost(fields, below)
    if name in ("and", "or"):
        return sum((_level_cost(fields, part) for part in listed(below)), 0.0)
    if name in ("label", "contested"):
        return 8
    field = fields.get(name)
    if field is None or field.kind is FieldKind.DATE:  # or the day that is asked about
        return 4
    if field.kind is FieldKind.ENTITY:
        return (6 if field.many else 2) + _size(below)
    asked = below.keys() if isinstance(below, dict) else ()
    is_text = field.kind is FieldKind.TEXT or "startsWith" in asked or "contains" in asked
    return (7 if is_text else 1) + (4 if field.listed else 0)


def _level_cost(fields: Fields, level: Value) -> float:
    if not isinstance(level, dict):
        return 10
    return sum((_cost(fields, name, below) for name, below in level.items()), 0.0)


def _size(value: Value) -> int:
    """Return how many conditions stand in a value."""
    if isinstance(value, dict):
        return sum(1 + _size(below) for below in value.values())
    return sum(map(_size, value)) if isinstance(value, tuple) else 0


def has_variables(value: Value) -> bool:
    """Tell whether a value holds variables."""
    if isinstance(value, dict):
        return any(map(has_variables, value.values()))
    if isinstance(value, tuple):
        return any(map(has_variables, value))
    return isinstance(value, Variable)


def _are_levels(below: Value) -> bool:
    return isinstance(below, tuple | dict) and all(isinstance(p, dict) for p in listed(below))
