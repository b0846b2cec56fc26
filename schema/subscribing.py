"""Reads subscriptions: what a document asks to watch, and to be told of it.

Floor 4. All that can be refused is refused here, before anything is told; what is told of a
difference is `schema/notices.py`'s.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import orjson
from graphql import FieldNode, SelectionSetNode

from graph.access import Scope, Viewer
from graph.curation.mutations import require_scope
from graph.errors import BadValueError, QueryTooLargeError, UnknownTermError
from graph.model import Model
from graph.store.snapshot import Snapshot
from schema.asides import find_class
from schema.bind import Bindings, bind
from schema.compile import compile_operation
from schema.document import is_subscription
from schema.execute import Engine, Request
from schema.generate import generate
from schema.literals import arguments
from schema.lookups import as_query
from schema.notice_types import ANY, ENTITY, notice_name, subscription_name, watched_classes
from schema.notices import COMMIT, VERSIONS, Reader, Shape, Subscription
from schema.operators import listed
from schema.plan import Lookup, Value, Variable
from schema.plans import Operation
from schema.quantifiers import size_of
from schema.selection import Collector
from schema.watching import TYPES, Watch


class Subscriber:
    """Makes subscriptions for one engine. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.model: Model = engine.model
        self._classes = {subscription_name(shape): shape for shape in watched_classes(self.model)}
        self._shapes: OrderedDict[Any, Shape] = OrderedDict()
        self._lock = Lock()

    def prepare(
        self, request: Request, snapshot: Snapshot, viewer: Viewer, revision: int | None = None
    ) -> Subscription | None:
        """Return the subscription that a document asks for; None where it is none.

        `revision` is the newest at any level, where it is not the snapshot's: clients know it from
        their answers.

        Raises
        ------
        RhizomeError, InvalidDocumentError
            It cannot be used, or the viewer may not ask for it.
        """
        operation = self.engine.plans.read(request.query, request.operation)
        if not is_subscription(operation.node):
            return None
        variables = self.engine.plans.variables(operation, request.variables)
        conditions = {name: variables.get(name) for name in operation.conditions}
        collector = Collector(operation.document, conditions, self.engine.index.covers)
        fields = collector.collect([operation.node.selection_set], "Subscription")
        if not fields:
            raise BadValueError("subscription", "nothing", "one field: @skip left none")
        (nodes,) = fields.values()
        asked = _resolve(arguments(nodes[0]), variables)
        key = (request.query, request.operation, *conditions.values())
        shape = self._shape(key, operation, conditions, collector, fields)
        if shape.commits:
            require_scope(viewer, Scope.CHANGES)
        given = orjson.dumps(dict(request.variables or {}), option=orjson.OPT_SORT_KEYS)
        seen_as = (request.languages, viewer.level, viewer.nodes_max)
        subscription = Subscription(
            self.engine,
            self._watch(nodes[0].name.value, asked),
            shape,
            viewer,
            request.languages,
            variables,
            (*key, given, *seen_as),
            _read_since(asked.get("sinceRevision"), revision or snapshot.revision),
        )
        self._estimate(subscription, snapshot)
        return subscription

    def _estimate(self, subscription: Subscription, snapshot: Snapshot) -> None:
        """Refuse what costs too much or cannot be asked, before anything is told.

        Raises
        ------
        BadValueError, QueryTooLargeError
        """
        run = subscription.run_on(snapshot)
        for readers in subscription.shape.readers.values():
            for reader in readers:
                bind(reader.bindings, run, subscription.variables)
        if subscription.watch.where is not None:
            _limit(subscription.watch.where, self.engine, f"{subscription.shape.key}.where")
            run.filters.condition(subscription.watch.classes[0], subscription.watch.where)

    # --- what is watched ------------------------------------------------------------------

    def _watch(self, name: str, asked: Mapping[str, Any]) -> Watch:
        if name == ANY:
            types = self._several(asked, "types") or ()
            classes = tuple(find_class(self.model, each, self.engine.settings) for each in types)
        else:
            classes = (self._classes[name].iri,)
        ids, kinds = self._several(asked, "ids"), self._several(asked, "kinds")
        fields = self._several(asked, "fields")
        if fields is not None:
            self._check_fields(fields, classes)
        return Watch(
            classes,
            asked.get("where") or None,
            ids,
            None if kinds is None else frozenset(kinds),
            None if fields is None else frozenset(fields),
        )

    def _several(self, asked: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
        value = asked.get(name)
        if value is None:
            return None
        found = tuple(map(str, listed(value)))
        most = self.engine.settings.page_size_max
        if len(found) > most:
            raise QueryTooLargeError("page_size_max", most, len(found), name)
        return found

    def _check_fields(self, names: Sequence[str], classes: Sequence[str]) -> None:
        model = self.model
        known = {TYPES} | {
            name
            for top in classes or tuple(model.classes)
            for iri in model.descendants[top]
            for name in model.fields[iri]
        }
        for name in names:
            if name not in known:
                told = self.engine.settings.graphql_suggestions
                raise UnknownTermError("field", name[:80], tuple(sorted(known)[: 20 * told]))

    # --- what is told -----------------------------------------------------------------------

    def _shape(
        self,
        key: Any,
        operation: Operation,
        conditions: Mapping[str, Any],
        collector: Collector,
        fields: Mapping[str, list[FieldNode]],
    ) -> Shape:
        with self._lock:
            known = self._shapes.get(key)
        if known is None:
            ((response_key, nodes),) = fields.items()
            make = _ShapeMaker(self.engine, operation, conditions, collector)
            known = make.shape(response_key, nodes, self._root(nodes[0].name.value))
            with self._lock:
                self._shapes[key] = known
                while len(self._shapes) > self.engine.settings.graphql_plans:
                    self._shapes.popitem(last=False)
        return known

    def _root(self, name: str) -> tuple[str, str]:
        """Return the type of a subscription's notices, and the query that finds their nodes."""
        if name == ANY:
            return notice_name(ENTITY), "node"
        shape = self._classes[name]
        return notice_name(shape.name), shape.field_name


class _ShapeMaker:
    def __init__(
        self,
        engine: Engine,
        operation: Operation,
        conditions: Mapping[str, Any],
        collector: Collector,
    ) -> None:
        self.engine = engine
        self.operation = operation
        self.conditions = conditions
        self.collector = collector

    def shape(self, key: str, nodes: list[FieldNode], root: tuple[str, str]) -> Shape:
        type_name, field_name = root
        entries: list[tuple[str, str]] = []
        readers: dict[str, tuple[Reader, ...]] = dict.fromkeys(VERSIONS, ())
        commits: dict[str, tuple[tuple[str, str], ...]] = {}
        for entry_key, below in self.collector.collect(_selections(nodes), type_name).items():
            name = below[0].name.value
            entries.append((entry_key, name))
            if name in VERSIONS:
                readers[name] += (self._reader(entry_key, below, field_name),)
            elif name == "commits":
                inner = self.collector.collect(_selections(below), COMMIT)
                commits[entry_key] = tuple((k, n[0].name.value) for k, n in inner.items())
        return Shape(key, type_name, tuple(entries), readers, commits)

    def _reader(self, key: str, nodes: list[FieldNode], root: str) -> Reader:
        operation = self.operation
        query = as_query(operation.node, nodes, root, "")  # the identifier is given to each run
        most = self.engine.settings.graphql_fields
        plan = compile_operation(
            self.engine.index, operation.document, query, self.conditions, most
        )
        (lookup,) = plan.steps
        assert isinstance(lookup, Lookup)
        return Reader(key, Bindings(plan), generate(plan, self.engine.model), lookup.slot)


def _selections(nodes: Sequence[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set is not None]


def _resolve(value: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with the values of their variables; those without one are left out."""
    found: dict[str, Any] = _put_in(value, variables)
    return found


def _put_in(value: Value, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, Variable):
        return variables.get(value.name)
    if isinstance(value, dict):
        return {
            name: _put_in(below, variables)
            for name, below in value.items()
            if not (isinstance(below, Variable) and below.name not in variables)
        }
    if isinstance(value, tuple):
        return tuple(_put_in(each, variables) for each in value)
    return value


def _read_since(since: int | None, newest: int) -> int | None:
    if since is not None and not 0 <= since <= newest:
        expected = f"a revision that there is, 0 to {newest}"
        raise BadValueError("sinceRevision", str(since), expected)
    return since


def _limit(where: Any, engine: Engine, place: str) -> None:
    """Refuse conditions that are too deep or too many."""
    depth, count = size_of(where)
    allowed = engine.settings.graphql_depth
    if depth > 2 * allowed:  # a condition on a list is two levels
        raise QueryTooLargeError("graphql_depth", allowed, depth, place)
    allowed = engine.settings.graphql_conditions
    if count > allowed:
        raise QueryTooLargeError("graphql_conditions", allowed, count, place)
