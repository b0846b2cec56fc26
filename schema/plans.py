"""Operations and their plans, kept from request to request.

Floor 4. A document is read, limited and validated once, and compiled once for each choice of its
`@skip` and `@include`; the same text is then found by itself. The least recently used are dropped.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, NamedTuple, TypeVar

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    get_variable_values,
)

from graph.settings import Settings
from schema.bind import Bindings
from schema.compile import SchemaIndex, compile_operation
from schema.document import choose_operation, read_document, validate_document
from schema.generate import Executable, generate
from schema.plan import Plan
from schema.rewrite import rewrite
from schema.selection import condition_variables

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

#: Types whose values a client sends as text and the service takes as it is.
_TEXTS: Final = frozenset({"ID", "String"})
#: Longer documents, in bytes of UTF-8, are not kept.
_KEPT_BYTES: Final = 16 * 1024
#: Values in the variables of a request that is surely quick to prepare.
_QUICK_VALUES: Final = 1_200
#: Young objects from which on what validation leaves is collected: some 2,000 in cycles a document.
#: They would wait for a round of the collector that holds every request up for 50 ms and more.
_LITTER: Final = 5_000


@dataclass(frozen=True, slots=True)
class Operation:
    """A validated operation; its plans differ only by the conditions of `@skip`, `@include`.

    `texts` names its variables when all are text: given as such they need no coercion.
    """

    document: DocumentNode
    node: OperationDefinitionNode
    conditions: tuple[str, ...]
    texts: frozenset[str] | None


class Planned(NamedTuple):
    """What is kept of an operation for the conditions of its `@skip` and `@include`."""

    operation: Operation
    bindings: Bindings
    executable: Executable


class InvalidDocumentError(Exception):
    """The document breaks the rules of GraphQL; carries the errors of graphql-core."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class Plans:
    """Operations by text and name, and their plans. Safe to use from several threads."""

    def __init__(
        self, index: SchemaIndex, schema: GraphQLSchema, settings: Settings, *, rewrites: bool
    ) -> None:
        self.index = index
        self._schema = schema
        self._settings = settings
        self._rewrites = rewrites
        self._operations: OrderedDict[tuple[str, str | None], Operation] = OrderedDict()
        self._plans: OrderedDict[tuple[Any, ...], Planned] = OrderedDict()
        self._lock = Lock()

    def find(self, text: str, name: str | None, given: Mapping[str, Any] | None) -> Planned | None:
        """Return what is kept for a request that is surely quick to prepare.

        That is one with little to bind: no conditions, which may be many and are looked up in
        indexes, and no long lists.
        """
        given = given or {}
        key: tuple[Any, ...] = (text, name or None)
        if key not in self._plans:
            operation = self._recent(self._operations, key)
            if operation is None or not operation.conditions:
                return None
            values = [given.get(condition) for condition in operation.conditions]
            if not all(isinstance(value, bool) for value in values):
                return None
            key = (*key, *values)
        planned = self._recent(self._plans, key)
        if planned is None or planned.bindings.has_conditions or not _is_small(given):
            return None
        return planned

    def read(self, text: str, name: str | None) -> Operation:
        """Return the operation of that name of a document, parsed and validated.

        Raises
        ------
        InvalidDocumentError, QuerySyntaxError, QueryTooLargeError, BadValueError
            The document cannot be used, or has no such operation.
        """
        name = name or None
        key = (text, name)
        known = self._recent(self._operations, key)
        if known is not None:
            return known
        document = read_document(text, self._settings)
        errors = validate_document(self._schema, document, self._settings)
        if gc.get_count()[0] > _LITTER:
            gc.collect(0)
        if errors:
            raise InvalidDocumentError(errors)
        node = choose_operation(document, name)
        texts = _text_variables(node)
        operation = Operation(document, node, condition_variables(document), texts)
        if _is_kept(text):
            with self._lock:
                _keep(self._operations, key, operation, self._settings.graphql_plans)
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
        coerced = get_variable_values(
            self._schema,
            definitions,
            dict(given or {}),
            max_errors=20,
            hide_suggestions=not self._settings.graphql_suggestions,
        )
        if isinstance(coerced, list):
            raise InvalidDocumentError(coerced)
        return coerced.coerced

    def plan(
        self, text: str, name: str | None, operation: Operation, variables: Mapping[str, Any]
    ) -> Planned:
        """Return the plan of a query with these variables, made if it is new.

        Raises
        ------
        QueryTooLargeError
            With its fragments opened the operation has too many fields.
        """
        conditions = {name: variables.get(name) for name in operation.conditions}
        key = (text, name or None, *conditions.values())
        known = self._recent(self._plans, key)
        if known is not None:
            return known
        plan, fired = self.compile(operation.document, operation.node, conditions)
        made = Planned(operation, Bindings(plan, fired), generate(plan, self.index.model))
        if _is_kept(text):
            with self._lock:
                _keep(self._plans, key, made, self._settings.graphql_plans)
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
        fields_max = self._settings.graphql_fields
        plan = compile_operation(self.index, document, operation, conditions, fields_max)
        if not self._rewrites:
            return plan, ()
        rewritten = rewrite(plan, self.index.model)
        return rewritten.plan, rewritten.fired

    def _recent(self, kept: OrderedDict[_Key, _Value], key: _Key) -> _Value | None:
        """Return what is kept under a key, which is then the last to be dropped."""
        with self._lock:
            known = kept.get(key)
            if known is not None:
                kept.move_to_end(key)
        return known


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


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
