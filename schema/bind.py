"""Binds a plan to a request: arguments become values, and the cost is estimated.

Floor 4. The estimate is the product of page sizes along each path, each at most the largest
fan-out that the snapshot has, so that a page of 500 of a field with three values costs three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard

from graph.errors import BadValueError, QueryTooLargeError
from graph.terms import XSD
from schema.cursors import Cursor, class_mark, make_mark, read_cursor
from schema.languages import KEPT_CHARACTERS, LanguageOrder, language_order
from schema.operators import lexical, listed
from schema.ordering import Ordering
from schema.pages import Page
from schema.plan import (
    Arguments,
    Certainty,
    Connection,
    Lookup,
    Part,
    Plan,
    Records,
    Search,
    Selection,
    Step,
    Text,
    Value,
    Variable,
    all_steps,
    children,
    fix,
    has_measures,
)
from schema.quantifiers import size_of
from schema.rewrite import simplify
from schema.run import Run
from schema.search import Asked, cost_of, read_arguments

_MISSING = object()
#: Choices of languages for which a plan's binding is kept, and slots of all of them.
_KEPT_LANGUAGES = 16
_KEPT_SLOTS = 256
#: Arguments that say where a page begins or ends, and those that choose or order nodes.
_CURSORS = frozenset({"after", "before"})
_CHOOSING = frozenset({"where", "orderBy", "asOf"})
#: What claims or sources of one node are taken to cost.
_CLAIMS_COST = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """What binding gave before, and the revision for which its cost was estimated."""

    bound: tuple[Any, ...]
    cost: int
    revision: int


class Bindings:
    """What of a plan's binding stays the same from request to request, by languages.

    Where no argument varies but identifiers and cursors of root fields, all else is bound once.
    `fired` names the rules that rewrote the plan.
    """

    def __init__(self, plan: Plan, fired: tuple[str, ...] = ()) -> None:
        self.plan = plan
        self.fired = fired
        lookups = [step for step in plan.steps if isinstance(step, Lookup) and not step.many]
        self.identifiers = tuple((step.slot, step.arguments["id"]) for step in lookups)
        self.cursors = tuple(filter(_varies_in_cursors, plan.steps))
        self.is_constant = all(
            _is_constant(step, is_free=_varies_in_cursors(step)) for step in plan.steps
        )
        self.has_conditions = any(map(_has_conditions, plan.steps))
        self._kept: dict[tuple[str, ...], Kept] = {}

    def find(self, run: Run) -> Kept | None:
        """Return what was bound before for these languages and this revision."""
        kept = self._kept.get(run.default_order.wanted)
        return kept if kept is not None and kept.revision == run.snapshot.revision else None

    def keep(self, run: Run, cost: int) -> None:
        """Remember a binding; clients name languages freely, so few are kept."""
        wanted = run.default_order.wanted
        if self.is_constant and sum(map(len, wanted)) <= KEPT_CHARACTERS:
            if len(self._kept) >= min(_KEPT_LANGUAGES, _KEPT_SLOTS // (self.plan.slots + 1) + 1):
                self._kept.clear()
            self._kept[wanted] = Kept(tuple(run.bound), cost, run.snapshot.revision)


def bind(bindings: Bindings, run: Run, variables: Mapping[str, Any]) -> int:
    """Fill `run.bound` from coerced variables and return the estimated cost.

    The cost is the number of nodes answered and of those that conditions are asked about; only
    the first is limited here, since conditions stop themselves.

    Raises
    ------
    BadValueError
        A page size, cursor or condition cannot be used.
    QueryTooLargeError
        The estimate or a page size is over its limit; the field is named.
    """
    kept = bindings.find(run)
    if kept is not None:
        bound = run.bound = list(kept.bound)
        for slot, value in bindings.identifiers:
            bound[slot] = str(variables[value.name] if isinstance(value, Variable) else value)
        if bindings.cursors:
            binder = _Binder(run, variables)
            for step in bindings.cursors:  # where a page begins does not change what it costs
                bound[step.slot] = binder.page(step, 1, step.key)
        return kept.cost
    plan = bindings.plan
    binder = _Binder(run, variables)
    run.bound = [None] * plan.slots
    cost = sum(binder.step(step, 1, step.key) for step in plan.steps) + binder.looked_at
    bindings.keep(run, cost)
    return cost


def _varies_in_cursors(step: Step) -> TypeGuard[Connection]:
    """Tell whether of a root field's own arguments just the place in the list varies."""
    if not isinstance(step, Connection):
        return False
    rest = {name: value for name, value in step.arguments.items() if name not in _CURSORS}
    return _varies(step.arguments) and not _varies(rest) and not rest.keys() & _CHOOSING


def _is_constant(step: Step, *, is_free: bool = False) -> bool:
    """Tell whether a step and all below bind alike in every request, an identifier apart.

    What is `is_free` is bound anew each time, what stands below it is not.

    What is bound for conditions, orders, groups and aggregates belongs to a request: it counts
    what it looks at there.
    """
    arguments = getattr(step, "arguments", {})
    if isinstance(step, Connection) and has_measures(step):
        return False
    is_free = is_free or (isinstance(step, Lookup) and not step.many)
    if not is_free and (arguments.keys() & _CHOOSING or _varies(arguments)):
        return False
    return all(
        _is_constant(below) for _, selection in children(step) for below in all_steps(selection)
    )


def _has_conditions(step: Step) -> bool:
    """Tell whether a step or one below has conditions, which are looked up when they are bound."""
    if isinstance(step, Connection) and (
        "where" in step.arguments or any("having" in part.arguments for part in step.parts)
    ):
        return True
    return any(
        _has_conditions(below) for _, selection in children(step) for below in all_steps(selection)
    )


def _varies(value: Value) -> bool:
    if isinstance(value, dict):
        return any(map(_varies, value.values()))
    if isinstance(value, tuple):
        return any(map(_varies, value))
    return isinstance(value, Variable)


class _Binder:
    def __init__(self, run: Run, variables: Mapping[str, Any]) -> None:
        self.run = run
        self.settings = run.settings
        self.variables = variables
        self.done: set[int] = set()
        self.looked_at = 0
        self.conditions = 0

    def step(self, step: Step, times: int, place: str) -> int:
        """Bind one step and all below; return its nodes when it stands `times` times."""
        own = times
        if isinstance(step, Text):
            self._once(step, lambda: self._languages(step, place))
            return 0
        if isinstance(step, Lookup):
            self._once(step, lambda: self.identifier(step))
            if step.many:
                own = times * len(self.run.bound[step.slot])
        elif isinstance(step, Connection):
            self._once(step, lambda: self.page(step, times, place))
            self._parts(step.parts, step.class_iri, place)
            own = times * self._size(step)
            self.looked_at += self._examined(step, times)
        elif isinstance(step, Search):
            self._once(step, lambda: self._search(step, place))
            own = times * self.run.bound[step.slot].first
            self.looked_at += cost_of(self.run)
        elif isinstance(step, Records):
            self._once(step, lambda: self._record_arguments(step, place))
            own = times * _CLAIMS_COST
        elif isinstance(step, Certainty):
            self._once(step, lambda: self._certainty(step.class_iri, step.arguments, place))
            return 0
        elif not any(True for _ in children(step)):
            return 0
        total = own
        if total > self.settings.graphql_cost:
            raise QueryTooLargeError("graphql_cost", self.settings.graphql_cost, total, place)
        for key, selection in children(step):
            total += self._selection(selection, own, f"{place}.{key}")
        return total

    def identifier(self, step: Lookup) -> str | tuple[str, ...]:
        """Return the identifier that a root field asks for, or those."""
        asked = self._resolve(step.arguments)
        if not step.many:
            return str(asked["id"])
        identifiers = tuple(map(str, listed(asked["ids"])))
        most = self.settings.page_size_max
        if len(identifiers) > most:
            raise QueryTooLargeError("page_size_max", most, len(identifiers), step.key)
        return identifiers

    def _selection(self, selection: Selection, times: int, place: str) -> int:
        """Return the cost of what is asked of `times` nodes: of branches, the dearest."""
        costs = [
            sum(self.step(step, times, f"{place}.{step.key}") for step in steps)
            for steps in (selection.steps, *{id(s): s for _, s in selection.branches}.values())
        ]
        if (most := max(costs)) > self.settings.graphql_cost:
            raise QueryTooLargeError("graphql_cost", self.settings.graphql_cost, most, place)
        return most

    def _once(self, step: Any, make: Any) -> None:
        if step.slot not in self.done:
            self.done.add(step.slot)
            self.run.bound[step.slot] = make()

    def _size(self, step: Connection) -> int:
        page: Page = self.run.bound[step.slot]
        snapshot = self.run.snapshot
        if page.candidates is not None and step.path is None:
            return min(page.size, len(page.candidates))
        if step.path is None:
            return min(page.size, len(snapshot.instances(step.class_iri)))
        return min(page.size, snapshot.fanout(step.path.predicate, inverse=step.path.inverse))

    def _examined(self, step: Connection, times: int) -> int:
        """Return how many nodes a condition will be asked about, at the most."""
        page: Page = self.run.bound[step.slot]
        if page.where is None and page.order is None and not has_measures(step):
            return 0
        if page.candidates is not None and step.path is None:
            return len(page.candidates)
        return self._reach(step, times)

    def _reach(self, step: Connection, times: int) -> int:
        """Return how many nodes a connection leads to, at the most."""
        snapshot = self.run.snapshot
        if step.path is not None:
            return times * snapshot.fanout(step.path.predicate, inverse=step.path.inverse)
        return len(snapshot.instances(step.class_iri))

    def page(self, step: Connection, times: int, place: str) -> Page:
        """Return the bound arguments of a connection that stands `times` times."""
        arguments = self._resolve(step.arguments)
        size, backwards = self._page_size(arguments, place)
        if not step.shown:
            size = 0
        where = arguments.get("where") or None
        order_by = arguments.get("orderBy")
        asked = () if order_by is None else listed(order_by)
        as_of = arguments.get("asOf")
        if where is None and not asked and as_of is None:
            mark = class_mark(step.class_iri)
            after, before = (self._cursor(arguments, name, mark) for name in ("after", "before"))
            is_whole = after is None and before is None
            return Page(size, backwards, after, before, mark=mark, whole=is_whole)
        self._limit(where, place)
        self._limit(asked, place)
        order = self.run.orders.make(step.class_iri, asked, f"{place}.orderBy") if asked else None
        languages = self.run.default_order.wanted if asked else ()
        mark = make_mark(step.class_iri, where, asked, languages, as_of)
        after, before = (self._cursor(arguments, n, mark, order) for n in ("after", "before"))
        condition = found = None
        if where is not None and (where := self._conditions(step, where)):
            condition = self.run.masks.choose(step.class_iri, where)
            if (seek := self._value(step.seek)) is not None:
                found = self.run.candidates.seek(step.class_iri, seek, self._reach(step, times))
        certainty = None
        if as_of is not None:
            certainty = self._certainty(step.class_iri, {"asOf": as_of}, place)
            condition = self.run.masks.during(step.class_iri, as_of, certainty, condition)
        candidates = None if found is None else frozenset(found)
        return Page(
            size,
            backwards,
            after,
            before,
            condition,
            candidates,
            order if step.shown else None,
            step.counted,
            mark,
            certainty=certainty,
            ordered=step.ordered,
            ahead=step.ahead,
        )

    def _conditions(self, step: Connection, asked: Any) -> Any:
        """Return the conditions in their simplest form; what a variable holds is seen only here."""
        if not isinstance(step.where, Variable):
            return self._value(step.where)
        return asked if step.seek is None else simplify(self.run.model, step.class_iri, fix(asked))

    def _parts(self, parts: tuple[Part, ...], class_iri: str, place: str) -> None:
        """Bind the aggregates and groups of a page."""
        for part in parts:
            if part.name == "aggregates":
                fields = self.run.model.fields[class_iri]
                self._once(part, partial(self.run.groups.summaries.make, fields, part.parts))
            elif part.name in ("groups", "groupCount"):
                self._group(part, class_iri, f"{place}.{part.key}")

    def _group(self, part: Part, class_iri: str, place: str) -> None:
        asked = self._resolve(part.arguments)
        size, _ = self._page_size(asked, place)
        offset = asked.get("offset") or 0
        if offset < 0:
            raise BadValueError(f"{place}.offset", str(offset), "a number of at least 0")
        for name in ("by", "having", "orderBy"):
            self._limit(asked.get(name), place)
        if part.name == "groups":
            shown = slice(offset, offset + size)
            self._once(part, partial(self.run.groups.make, class_iri, asked, shown, place))
        else:
            self._once(part, partial(self.run.groups.make_count, class_iri, asked, place))
        self._parts(part.parts, class_iri, place)

    def _page_size(self, arguments: Mapping[str, Any], place: str) -> tuple[int, bool]:
        """Return how many nodes are asked for, and whether they are counted from the end."""
        first, last = arguments.get("first"), arguments.get("last")
        if first is not None and last is not None:
            raise BadValueError(f"{place}.last", str(last), "given without `first`: ask for one")
        name, size = ("first", first) if last is None else ("last", last)
        size = self.settings.page_size if size is None else size
        if size < 0:
            raise BadValueError(f"{place}.{name}", str(size), "a number of at least 0")
        if size > self.settings.page_size_max:
            raise QueryTooLargeError("page_size_max", self.settings.page_size_max, size, place)
        return size, last is not None

    def _cursor(
        self, arguments: Mapping[str, Any], name: str, mark: str, order: Ordering | None = None
    ) -> Cursor | None:
        text = arguments.get(name)
        if text is None:
            return None
        count = 0 if order is None else len(order.keys)
        cursor = read_cursor(text, mark, count, name)
        return cursor if order is None else order.check(cursor, text, name)

    def _limit(self, conditions: Any, place: str) -> None:
        """Refuse conditions and orders that are too deep or too many."""
        allowed = self.settings.graphql_depth
        depth, count = size_of(conditions)
        if depth > 2 * allowed:  # a condition on a list is two levels
            raise QueryTooLargeError("graphql_depth", allowed, depth, place)
        self.conditions += count
        allowed = self.settings.graphql_conditions
        if self.conditions > allowed:
            raise QueryTooLargeError("graphql_conditions", allowed, self.conditions, place)

    def _search(self, step: Search, place: str) -> Asked:
        return read_arguments(self._resolve(step.arguments), self.run.model, self.settings, place)

    def _languages(self, step: Text, place: str) -> Any:
        asked = self._asked_languages(self._resolve(step.arguments), place)
        if not step.unique:
            return None if asked is None else frozenset(tag.lower() for tag in asked)
        return self.run.default_order if asked is None else self._with_default(asked)

    def _asked_languages(self, arguments: Mapping[str, Any], place: str) -> tuple[str, ...] | None:
        asked = _optional(arguments.get("lang"))
        most = self.settings.graphql_languages
        if asked is not None and len(asked) > most:
            raise QueryTooLargeError("graphql_languages", most, len(asked), f"{place}.lang")
        return asked

    def _with_default(self, asked: tuple[str, ...]) -> LanguageOrder:
        return language_order((*asked, *self.run.default_order.wanted))

    def _record_arguments(self, step: Records, place: str) -> tuple[Any, ...]:
        values = self._resolve(step.arguments)
        if step.name == "completeness":
            return ()
        fields = _optional(values.get("fields"))
        names = None if fields is None else frozenset(fields)
        for name in sorted(names or ()):
            if name not in self.run.model.field_names:
                raise BadValueError(f"{place}.fields", name[:40], "names of fields")
        if step.name == "claims":
            return names, values.get("contested")
        return names, self._asked_languages(values, place), self.run.default_order

    def _certainty(
        self, class_iri: str, arguments: Arguments, place: str
    ) -> Callable[[int], str | None]:
        day = lexical(self._resolve(arguments)["asOf"], f"{XSD}date", f"{place}.asOf")
        return self.run.validity.certainty(class_iri, day)

    def _resolve(self, arguments: Arguments) -> dict[str, Any]:
        found = {name: self._value(value) for name, value in arguments.items()}
        return {name: value for name, value in found.items() if value is not _MISSING}

    def _value(self, value: Value) -> Any:
        if isinstance(value, Variable):
            return self.variables.get(value.name, _MISSING)
        if isinstance(value, dict):
            return self._resolve(value)
        if isinstance(value, tuple):
            return tuple(v for v in map(self._value, value) if v is not _MISSING)
        return value


def _optional(value: Any) -> tuple[str, ...] | None:
    """Return a list argument that may be left out."""
    return None if value is None else listed(value)
