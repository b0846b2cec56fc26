"""Rewrites a plan by rules, in order, so that less has to be looked at for the same answer.

Floor 4. Each rule is a pure function with a name and fixtures (`tests/rewrites/`); what came out
says which of them changed something. No rule asks a snapshot: what depends on the data, such as
how many nodes an index gives, is decided when the plan is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from graph.model import FieldKind, Model
from schema.conditions import LEVEL_RULES
from schema.levels import LevelRule, apply_to_levels
from schema.operators import listed
from schema.plan import Connection, Plan, Step, Value, Variable
from schema.sharing import share_pages, share_selections
from schema.walking import replace_steps

ConnectionRule = Callable[[Model, Connection], Connection]
PlanRule = Callable[[Plan], Plan]

#: How often the rules of conditions are gone through: one makes room for another.
_ROUNDS: Final = 4
#: Operators that an index can look up.
_LOOKED_UP: Final = ("eq", "in")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A plan, and the names of the rules that changed something in it, in their order."""

    plan: Plan
    fired: tuple[str, ...]


def rewrite(plan: Plan, model: Model, rules: Collection[str] | None = None) -> Rewritten:
    """Return a plan that gives the same answers and looks at less, by all rules or some."""
    fired: set[str] = set()

    def is_on(rule: Callable[..., object]) -> bool:
        return rules is None or rule.__name__ in rules

    level_rules = tuple(filter(is_on, LEVEL_RULES))

    def rewrite_step(step: Step) -> Step:
        if not isinstance(step, Connection):
            return step
        where = simplify(model, step.class_iri, step.where, level_rules, fired)
        found = step if where is step.where else replace(step, where=where)
        for rule in filter(is_on, CONNECTION_RULES):
            changed = rule(model, found)
            if changed is not found:
                fired.add(rule.__name__)
            found = changed
        return found

    found = replace_steps(plan, rewrite_step)
    for plan_rule in filter(is_on, PLAN_RULES):
        changed = plan_rule(found)
        if changed is not found:
            fired.add(plan_rule.__name__)
        found = changed
    return Rewritten(found, tuple(name for name in RULES if name in fired))


def simplify(
    model: Model,
    class_iri: str,
    where: Value,
    rules: Sequence[LevelRule] = LEVEL_RULES,
    fired: set[str] | None = None,
) -> Value:
    """Return conditions in their simplest form; names of rules that did something are added."""
    for _ in range(_ROUNDS):
        before = where
        for rule in rules:
            changed = apply_to_levels(rule, model, class_iri, where)
            if changed is not where and fired is not None:
                fired.add(rule.__name__)
            where = changed
        if where is before:
            break
    return where


# --- rules of connections -------------------------------------------------------------------


def seek_in_index(model: Model, step: Connection) -> Connection:
    """What an index can look up of the conditions says where looking begins.

    An equality on a value begins at the value; `some` on a list at the nodes on its other side.
    """
    seek = _seekable(model, step.class_iri, step.where)
    return step if seek is None or step.seek is not None else replace(step, seek=seek)


def keep_order_of_index(model: Model, step: Connection) -> Connection:
    """A list ordered by its identifiers stands in that order: nothing is sorted."""
    order_by = step.arguments.get("orderBy")
    keys = listed(order_by) if isinstance(order_by, tuple | dict) else ()
    is_by_id = bool(keys) and keys[0] in ({"id": "ASC"}, {"id": "ASC_NULLS_FIRST"})
    return replace(step, ordered=True) if is_by_id and not step.ordered else step


def count_without_nodes(model: Model, step: Connection) -> Connection:
    """Where nobody asks for nodes, none are sorted, shown or counted as produced."""
    names = {part.name for part in step.parts}
    is_shown = bool(names & {"nodes", "edges", "pageInfo"})
    return step if is_shown or not step.shown else replace(step, shown=False)


def stop_when_full(model: Model, step: Connection) -> Connection:
    """Where nobody asks whether more follow, looking ends with the last node of the page."""
    looks_ahead = any(
        below.name == "hasNextPage"
        for part in step.parts
        if part.name == "pageInfo"
        for below in part.parts
    )
    is_needed = looks_ahead or step.counted or step.where is None or not step.shown
    return step if is_needed or not step.ahead else replace(step, ahead=False)


def _seekable(model: Model, class_iri: str, where: Value) -> Value:
    """Return those of the conditions that an index can look up, or None."""
    if not isinstance(where, dict):
        return where if isinstance(where, Variable) else None
    found = {}
    for name, below in where.items():
        part = _seekable_part(model, class_iri, name, below)
        if part is not None:
            found[name] = part
    return found or None


def _seekable_part(model: Model, class_iri: str, name: str, below: Value) -> Value:
    if name in ("and", "or"):
        if not isinstance(below, tuple):
            return below if isinstance(below, Variable) else None
        parts = [_seekable(model, class_iri, part) for part in below]
        if name == "or":
            return None if None in parts else tuple(parts)
        return tuple(part for part in parts if part is not None) or None
    if isinstance(below, Variable) or name == "types":
        return below
    if not isinstance(below, dict):
        return None
    if name == "id":
        return below if below.keys() & set(_LOOKED_UP) else None
    field = model.fields[class_iri].get(name)
    if field is None or field.kind is FieldKind.DATE:
        return None
    inner = below.get("some") if field.listed else below
    if field.kind is FieldKind.ENTITY and field.target is not None:
        inner = _seekable(model, field.target, inner)
    elif isinstance(inner, dict):
        inner = inner if inner.keys() & {*_LOOKED_UP} else None
    if inner is None:
        return None
    return {"some": inner} if field.listed else inner


CONNECTION_RULES: Final[tuple[ConnectionRule, ...]] = (
    seek_in_index,
    keep_order_of_index,
    count_without_nodes,
    stop_when_full,
)
PLAN_RULES: Final[tuple[PlanRule, ...]] = (share_selections, share_pages)
#: The names of all rules, in the order in which they apply.
RULES: Final = tuple(
    rule.__name__ for rules in (LEVEL_RULES, CONNECTION_RULES, PLAN_RULES) for rule in rules
)
