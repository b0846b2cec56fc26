"""Answers GraphQL requests: plan cache, limits, execution on a snapshot, errors as data.

Floor 4. The path of a read: text -> kept plan, or parse, limits, validate, compile -> variables
bound -> estimate -> generated function. What asks for the schema itself goes to graphql-core.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    execute,
    get_variable_values,
)

from graph.access import Scope, Viewer
from graph.curation.mutations import require_scope
from graph.errors import ForbiddenError, MethodNotAllowedError, RhizomeError
from graph.model import Model
from graph.settings import Settings
from graph.store.levels import Levels
from graph.store.log import Log
from graph.store.snapshot import Snapshot
from schema.aside_types import ASIDES
from schema.asides import Asides
from schema.bind import Bindings, bind
from schema.compile import SchemaIndex, compile_operation
from schema.document import (
    choose_operation,
    is_query,
    is_subscription,
    read_document,
    validate_document,
)
from schema.equivalent import write_queries
from schema.explain import plan_lines, write_plan, write_steps
from schema.faults import error_entry, validation_entry
from schema.generate import Executable, Reader, generate
from schema.plan import Plan
from schema.profile import measured
from schema.readers import Readers
from schema.rewrite import rewrite
from schema.run import Run, Tables
from schema.selection import Collector, condition_variables

_log = logging.getLogger("rhizome.graphql")

#: Types whose values a client sends as text and the service takes as it is.
_TEXTS = frozenset({"ID", "String"})
#: Longer documents, in bytes of UTF-8, are not kept.
_KEPT_BYTES = 16 * 1024
#: Values in the variables of a request that is surely quick to prepare.
_QUICK_VALUES = 1_200
#: Ways in which subscriptions come, for those who sent one as a plain request.
_WATCHING = ("WebSocket: graphql-transport-ws", "Accept: text/event-stream")
#: Errors of single fields that an answer lists.
_ERRORS_MAX = 20


@dataclass(frozen=True, slots=True)
class Request:
    """One GraphQL request as a client sends it; `languages` in order of preference.

    `may_write` tells that it came in a way by which nobody can make a browser send it; `explain`
    asks how it is answered, for viewers who may see that.
    """

    query: str
    operation: str | None = None
    variables: Mapping[str, Any] | None = None
    languages: tuple[str, ...] = ()
    may_write: bool = False
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came out: `data` (None when the request itself failed) and errors as data.

    `failed` tells that nothing was executed: the request, not a field, is wrong. `revision` is
    that of the change that was made, if one was.
    """

    data: dict[str, Any] | None
    errors: tuple[dict[str, Any], ...] = ()
    failed: bool = False
    error: RhizomeError | None = None
    revision: int | None = None
    extensions: Mapping[str, Any] | None = None

    def body(self) -> dict[str, Any]:
        """Return the response as the specification orders it."""
        if self.failed:
            return {"errors": list(self.errors)}
        body = {"data": self.data, **({"errors": list(self.errors)} if self.errors else {})}
        return body if self.extensions is None else {**body, "extensions": dict(self.extensions)}


@dataclass(frozen=True, slots=True)
class Operation:
    """A validated operation; its plans differ only by the conditions of `@skip`, `@include`.

    `texts` names its variables when all are text: given as such they need no coercion.
    """

    document: DocumentNode
    node: OperationDefinitionNode
    conditions: tuple[str, ...]
    texts: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to run: cheap ones may run at once, dear ones in a thread.

    `explained` names the rules that rewrote the plan, where the answer is to say how it is made.
    """

    plan: Plan
    reader: Reader
    run: Run
    variables: Mapping[str, Any]
    cost: int
    operation: Operation
    viewer: Viewer
    explained: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PreparedMutation:
    """A validated mutation of a viewer who may write; `variables` are coerced."""

    request: Request
    document: DocumentNode
    node: OperationDefinitionNode
    variables: Mapping[str, Any]
    viewer: Viewer


class InvalidDocumentError(Exception):
    """The document breaks the rules of GraphQL; carries the errors of graphql-core."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class Engine:
    """The GraphQL service over snapshots of one model. Safe to use from several threads."""

    def __init__(
        self,
        model: Model,
        schema: GraphQLSchema,
        settings: Settings,
        log: Log | None = None,
        newest: Callable[[], Levels] | None = None,
        *,
        rewrites: bool = True,
    ) -> None:
        self.rewrites = rewrites
        self.asides = Asides(model, settings, log, newest)
        self.model = model
        self.schema = schema
        self.settings = settings
        self.index = SchemaIndex(model, schema)
        self._operations: OrderedDict[tuple[str, str | None], Operation] = OrderedDict()
        self._plans: OrderedDict[tuple[Any, ...], tuple[Bindings, Executable]] = OrderedDict()
        self._readers = Readers(settings.graphql_plans, newest)
        self._lock = Lock()

    def answer(self, request: Request, snapshot: Snapshot, viewer: Viewer) -> Answer:
        """Return the answer to a query, errors included; never raises for what is asked."""
        prepared = self.prepare(replace(request, may_write=False), snapshot, viewer)
        assert not isinstance(prepared, PreparedMutation)
        return prepared if isinstance(prepared, Answer) else self.run(prepared)

    def prepare(
        self, request: Request, snapshot: Snapshot, viewer: Viewer
    ) -> Prepared | PreparedMutation | Answer:
        """Return the request ready to run, or the answer that refuses it."""
        try:
            return self._prepare(request, snapshot, viewer)
        except (InvalidDocumentError, RhizomeError) as error:
            return refuse(error)

    def run(self, prepared: Prepared) -> Answer:
        """Return the answer of a prepared request, with how it was made where that was asked."""
        if prepared.explained is None:
            return self._run(prepared)
        plan, run = prepared.plan, prepared.run
        executable, taken = measured(plan, self.model)
        reader = executable(Tables(run.snapshot))
        start = time.thread_time()
        answer = self._run(replace(prepared, reader=reader))
        spent = time.thread_time() - start
        queries, left_out = write_queries(
            self.model, plan, prepared.variables, self.settings.page_size, run.default_order.wanted
        )
        explanation = {
            "plan": write_plan(plan),
            "steps": write_steps(plan_lines(plan), taken),
            "rules": list(prepared.explained),
            "estimatedCost": prepared.cost,
            "nodes": run.counter[0],
            "examined": run.counter[1],
            "cpuMilliseconds": round(spent * 1000, 3),
            "sparql": queries,
            "sparqlLeavesOut": left_out,
        }
        return replace(answer, extensions={"explain": explanation})

    def _run(self, prepared: Prepared) -> Answer:
        try:
            data = prepared.reader(prepared.run)()
        except RhizomeError as error:
            return Answer(None, (error_entry(error),), error=error)
        except Exception:
            _log.exception("a plan failed")
            entry = {"message": "internal error", "extensions": {"code": "INTERNAL"}}
            return Answer(None, (entry,))
        errors = tuple(map(error_entry, prepared.run.errors[:_ERRORS_MAX]))
        if prepared.plan.introspects:
            return self._introspect(prepared, data, errors)
        return Answer(data, errors)

    def knows(self, request: Request) -> bool:
        """Tell whether preparing a request is surely quick.

        Its plan was made before, and there is little to bind: no conditions, which may be many
        and are looked up in indexes, and no long lists.
        """
        name, given = request.operation or None, request.variables or {}
        operation = self._operations.get((request.query, name))
        if operation is None or not _is_small(given):
            return False
        values = [given.get(condition) for condition in operation.conditions]
        if not all(isinstance(value, bool) for value in values):
            return False
        known = self._plans.get((request.query, name, *values))
        return known is not None and not known[0].has_conditions

    # --- preparing ------------------------------------------------------------------------

    def _prepare(
        self, request: Request, snapshot: Snapshot, viewer: Viewer
    ) -> Prepared | PreparedMutation:
        if request.explain and Scope.EXPLAIN not in viewer.scopes:
            raise ForbiddenError("to see how a query is answered", Scope.EXPLAIN)
        operation = self.read(request.query, request.operation or None)
        if not is_query(operation.node):
            if is_subscription(operation.node):
                raise MethodNotAllowedError("subscription", _WATCHING)
            if not request.may_write:
                raise MethodNotAllowedError(operation.node.operation.value, ("query",))
            require_scope(viewer, Scope.WRITE)
        variables = self.variables(operation, request.variables)
        if not is_query(operation.node):
            node = operation.node
            return PreparedMutation(request, operation.document, node, variables, viewer)
        bindings, executable = self._plan(request, operation, variables)
        plan = bindings.plan
        run = Run(snapshot, viewer, self.settings, request.languages)
        cost = bind(bindings, run, variables)
        if plan.introspects:
            cost += 1 + self.settings.graphql_inline_cost  # describing the schema takes its time
        reader = self._readers.find(executable, snapshot)
        explained = bindings.fired if request.explain else None
        return Prepared(plan, reader, run, variables, cost, operation, viewer, explained)

    def read(self, text: str, name: str | None) -> Operation:
        """Return the operation of that name of a document, parsed and validated.

        Raises
        ------
        InvalidDocumentError, QuerySyntaxError, QueryTooLargeError, BadValueError
            The document cannot be used, or has no such operation.
        """
        key = (text, name)
        with self._lock:
            known = self._operations.get(key)
            if known is not None:
                self._operations.move_to_end(key)
                return known
        document = read_document(text, self.settings)
        errors = validate_document(self.schema, document)
        if errors:
            raise InvalidDocumentError(errors)
        node = choose_operation(document, name)
        texts = _text_variables(node)
        operation = Operation(document, node, condition_variables(document), texts)
        if _is_kept(text):
            with self._lock:
                _keep(self._operations, key, operation, self.settings.graphql_plans)
        return operation

    def variables(self, operation: Operation, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Return the values of an operation's variables, coerced.

        Raises
        ------
        InvalidDocumentError
            A value is missing, or not of its type.
        """
        texts = operation.texts
        if texts is not None and given is not None and given.keys() == texts:
            are_texts = all(isinstance(value, str) for value in given.values())
            if are_texts:
                return given
        definitions = operation.node.variable_definitions or ()
        coerced = get_variable_values(self.schema, definitions, dict(given or {}), max_errors=20)
        if isinstance(coerced, list):
            raise InvalidDocumentError(coerced)
        return coerced.coerced

    def _plan(
        self, request: Request, operation: Operation, variables: Mapping[str, Any]
    ) -> tuple[Bindings, Executable]:
        conditions = {name: variables.get(name) for name in operation.conditions}
        key = (request.query, request.operation or None, *conditions.values())
        with self._lock:
            known = self._plans.get(key)
            if known is not None:
                self._plans.move_to_end(key)
                return known
        plan, fired = self.compile(operation.document, operation.node, conditions)
        made = Bindings(plan, fired), generate(plan, self.model)
        if _is_kept(request.query):
            with self._lock:
                _keep(self._plans, key, made, self.settings.graphql_plans)
        return made

    def compile(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        conditions: Mapping[str, Any],
    ) -> tuple[Plan, tuple[str, ...]]:
        """Return the plan of a validated query, and the rules that made it what it is.

        Raises
        ------
        QueryTooLargeError
            With its fragments opened the operation has too many fields.
        """
        fields_max = self.settings.graphql_fields
        plan = compile_operation(self.index, document, operation, conditions, fields_max)
        if not self.rewrites:
            return plan, ()
        rewritten = rewrite(plan, self.model)
        return rewritten.plan, rewritten.fired

    # --- introspection ----------------------------------------------------------------------

    def _introspect(
        self, prepared: Prepared, data: dict[str, Any], found_errors: tuple[dict[str, Any], ...]
    ) -> Answer:
        """Add what graphql-core says of the schema, in the order of the document."""
        operation = prepared.operation
        conditions = {name: prepared.variables.get(name) for name in operation.conditions}
        collector = Collector(operation.document, conditions, self.index.covers)
        fields = collector.collect([operation.node.selection_set], "Query")
        own: list[FieldNode] = [
            node for nodes in fields.values() for node in nodes if node.name.value in ASIDES
        ]
        node = OperationDefinitionNode(
            operation=operation.node.operation,
            name=operation.node.name,
            variable_definitions=operation.node.variable_definitions,
            directives=operation.node.directives,
            selection_set=SelectionSetNode(selections=tuple(own)),
        )
        others = [d for d in operation.document.definitions if not _is_operation(d)]
        document = DocumentNode(definitions=(node, *others))
        root = self.asides.root(prepared.viewer, prepared.run.snapshot)
        given = dict(prepared.variables)
        result = execute(self.schema, document, root, variable_values=given)
        assert isinstance(result, ExecutionResult)
        found = {**data, **(result.data or {})}
        errors = (*found_errors, *map(execution_error, result.errors or ()))
        return Answer({key: found[key] for key in fields if key in found}, errors)


def refuse(error: InvalidDocumentError | RhizomeError) -> Answer:
    """Return the answer to a request of which nothing was executed."""
    if isinstance(error, InvalidDocumentError):
        return Answer(None, tuple(map(validation_entry, error.errors)), failed=True)
    return Answer(None, (error_entry(error),), failed=True, error=error)


def _is_kept(text: str) -> bool:
    return len(text) <= _KEPT_BYTES and len(text.encode(errors="replace")) <= _KEPT_BYTES


def _is_small(variables: Mapping[str, Any]) -> bool:
    """Tell whether variables hold few values in all."""
    left, pending = _QUICK_VALUES, list(variables.values())
    while pending:
        value = pending.pop()
        left -= 1 + (len(value) if isinstance(value, dict | list) else 0)
        if left < 0:
            return False
        if isinstance(value, dict | list):
            pending += value.values() if isinstance(value, dict) else value
    return True


def _text_variables(node: OperationDefinitionNode) -> frozenset[str] | None:
    """Return the names of an operation's variables if each is an ID or a String, else None."""
    names: set[str] = set()
    for definition in node.variable_definitions or ():
        kind = definition.type
        if isinstance(kind, NonNullTypeNode):
            kind = kind.type
        if definition.default_value is not None or not isinstance(kind, NamedTypeNode):
            return None
        if kind.name.value not in _TEXTS:
            return None
        names.add(definition.variable.name.value)
    return frozenset(names)


def execution_error(error: GraphQLError) -> dict[str, Any]:
    """Return an error that graphql-core met in a field; a bug is told without details."""
    cause = error.original_error
    entry = validation_entry(error)
    if isinstance(cause, RhizomeError):
        return {**entry, **error_entry(cause), "path": entry.get("path", [])}
    if cause is not None:
        _log.error("a resolver failed", exc_info=cause)
        entry |= {"message": "internal error", "extensions": {"code": "INTERNAL"}}
    return entry


def _is_operation(definition: Any) -> bool:
    return isinstance(definition, OperationDefinitionNode)


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
