"""Answers GraphQL requests: plan cache, limits, execution on a snapshot, errors as data.

Floor 4. The path of a read: text -> kept plan, or parse, limits, validate, compile -> variables
bound -> estimate -> generated function. What asks for the schema itself goes to graphql-core.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    execute,
)

from graph.access import Scope, Viewer
from graph.curation.mutations import require_scope
from graph.errors import (
    ForbiddenError,
    MethodNotAllowedError,
    QueryTooLargeError,
    RhizomeError,
)
from graph.model import Model
from graph.settings import Settings
from graph.store.allowance import begin_answer, longest_text
from graph.store.levels import Levels
from graph.store.log import Log
from graph.store.snapshot import Snapshot
from schema.aside_types import ASIDES
from schema.asides import Asides
from schema.bind import bind
from schema.compile import SchemaIndex
from schema.document import (
    is_query,
    is_subscription,
)
from schema.equivalent import write_queries
from schema.explain import plan_lines, write_plan, write_steps
from schema.faults import bug_entry, error_entry, validation_entry
from schema.generate import Reader
from schema.plan import Plan
from schema.plans import InvalidDocumentError, Operation, Planned, Plans
from schema.profile import measured
from schema.readers import Readers
from schema.run import Run, Tables
from schema.selection import Collector
from schema.writing import write_body

_log = logging.getLogger("rhizome.graphql")

#: Ways in which subscriptions come, for those who sent one as a plain request.
_WATCHING = ("WebSocket: graphql-transport-ws", "Accept: text/event-stream")
#: Errors of single fields that an answer lists.
_ERRORS_MAX = 20
#: Nodes as which a description of the schema counts when it is written.
_SCHEMA_NODES = 50_000


class Request(NamedTuple):
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


class Answer(NamedTuple):
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


class Prepared(NamedTuple):
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
        self.asides = Asides(model, settings, log, newest)
        self.model = model
        self.schema = schema
        self.settings = settings
        self.index = SchemaIndex(model, schema)
        self.plans = Plans(self.index, schema, settings, rewrites=rewrites)
        self._readers = Readers(settings.graphql_plans, newest)

    def answer(self, request: Request, snapshot: Snapshot, viewer: Viewer) -> Answer:
        """Return the answer to a query, errors included; never raises for what is asked."""
        prepared = self.prepare(request._replace(may_write=False), snapshot, viewer)
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
        answer = self._run(prepared._replace(reader=reader))
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
        return answer._replace(extensions={"explain": explanation})

    def write(self, prepared: Prepared) -> tuple[Answer, bytes]:
        """Return the answer of a prepared request, and that as JSON."""
        answer = self.run(prepared)
        nodes = _SCHEMA_NODES if prepared.plan.introspects else prepared.run.counter[0]
        limit = self.settings.graphql_answer_bytes
        try:
            return answer, write_body(answer.body(), nodes, longest_text(), limit)
        except QueryTooLargeError as error:
            answer = Answer(None, (error_entry(error),), error=error)
            return answer, write_body(answer.body(), 0, 0, limit)

    def _run(self, prepared: Prepared) -> Answer:
        begin_answer(self.settings.graphql_answer_bytes)
        try:
            data = prepared.reader(prepared.run)()
        except RhizomeError as error:
            return Answer(None, (error_entry(error),), error=error)
        except Exception:
            _log.exception("a plan failed")
            return Answer(None, (bug_entry(),))
        met = prepared.run.errors
        errors = tuple(map(error_entry, met[:_ERRORS_MAX])) if met else ()
        if prepared.plan.introspects:
            return self._introspect(prepared, data, errors)
        return Answer(data, errors)

    def knows(self, request: Request) -> bool:
        """Tell whether preparing a request is surely quick.

        Its plan was made before, and there is little to bind: no conditions, which may be many
        and are looked up in indexes, and no long lists.
        """
        return self.plans.find(request.query, request.operation, request.variables) is not None

    def prepare_known(
        self, request: Request, snapshot: Snapshot, viewer: Viewer
    ) -> Prepared | None:
        """Return a request ready to run if it `knows` it, else None; raises what refuses it.

        Raises
        ------
        InvalidDocumentError, RhizomeError
        """
        query, operation, given = request.query, request.operation, request.variables
        planned = None if request.explain else self.plans.find(query, operation, given)
        if planned is None:
            return None
        variables = self.plans.variables(planned.operation, given)
        return self._bind(request, planned, variables, snapshot, viewer)

    # --- preparing ------------------------------------------------------------------------

    def _prepare(
        self, request: Request, snapshot: Snapshot, viewer: Viewer
    ) -> Prepared | PreparedMutation:
        if request.explain and Scope.EXPLAIN not in viewer.scopes:
            raise ForbiddenError("to see how a query is answered", Scope.EXPLAIN)
        operation = self.plans.read(request.query, request.operation)
        if not is_query(operation.node):
            if is_subscription(operation.node):
                raise MethodNotAllowedError("subscription", _WATCHING)
            if not request.may_write:
                raise MethodNotAllowedError(operation.node.operation.value, ("query",))
            require_scope(viewer, Scope.WRITE)
        variables = self.plans.variables(operation, request.variables)
        if not is_query(operation.node):
            node = operation.node
            return PreparedMutation(request, operation.document, node, variables, viewer)
        planned = self.plans.plan(request.query, request.operation, operation, variables)
        return self._bind(request, planned, variables, snapshot, viewer)

    def _bind(
        self,
        request: Request,
        planned: Planned,
        variables: Mapping[str, Any],
        snapshot: Snapshot,
        viewer: Viewer,
    ) -> Prepared:
        operation, bindings, executable = planned
        plan = bindings.plan
        run = Run(snapshot, viewer, self.settings, request.languages)
        cost = bind(bindings, run, variables)
        if plan.introspects:
            cost += 1 + self.settings.graphql_inline_cost  # describing the schema takes its time
        reader = self._readers.find(executable, snapshot)
        explained = bindings.fired if request.explain else None
        return Prepared(plan, reader, run, variables, cost, operation, viewer, explained)

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


def execution_error(error: GraphQLError) -> dict[str, Any]:
    """Return an error that graphql-core met in a field; a bug is told without details."""
    cause = error.original_error
    entry = validation_entry(error)
    if isinstance(cause, RhizomeError):
        return {**entry, **error_entry(cause), "path": entry.get("path", [])}
    if cause is not None:
        _log.error("a resolver failed", exc_info=cause)
        entry |= bug_entry()
    return entry


def _is_operation(definition: Any) -> bool:
    return isinstance(definition, OperationDefinitionNode)
