"""Reads a GraphQL document: bounded parsing, the limits that need no schema, validation.

Floor 4. Cheapest first: tokens, aliases and directives are counted in the text, then it is parsed
and root fields and depth are measured, and only what passes is validated, which costs most.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    validate,
)
from graphql.utilities import get_operation_ast

from graph.errors import BadValueError, QuerySyntaxError, QueryTooLargeError
from graph.settings import Settings
from schema.scan import count_text

#: Fields that shape a page and hold no node of their own: free of depth.
_FREE = frozenset(
    {"edges", "node", "nodes", "pageInfo", "aggregates", "groups", "keys"}
    | {"distinctCount", "sum", "average", "min", "max"}
)


#: Selection sets for a level of entities: edges, nodes and fragments have some of their own.
_SETS = 20


def read_document(text: str, settings: Settings) -> DocumentNode:
    """Return the parsed document, within the limits that can be seen in its text.

    Raises
    ------
    QuerySyntaxError
        The text is no GraphQL document; with line and column.
    QueryTooLargeError
        Tokens, aliases, directives, root fields or depth are over their limit.
    """
    _check_text(text, settings)
    try:
        document = parse(text, max_tokens=settings.graphql_tokens)
    except GraphQLSyntaxError as error:
        if "Parsing aborted" in error.message:
            limit = "graphql_depth" if "nested" in error.message else "graphql_tokens"
            raise QueryTooLargeError(limit, getattr(settings, limit)) from None
        place = error.locations[0] if error.locations else None
        raise QuerySyntaxError(
            "GraphQL",
            error.message.removeprefix("Syntax Error: "),
            place.line if place else None,
            place.column if place else None,
        ) from None
    except RecursionError:
        raise QueryTooLargeError("graphql_depth", settings.graphql_depth) from None
    _Measure(document, settings).check()
    return document


def _check_text(text: str, settings: Settings) -> None:
    """Refuse what can be counted without parsing; parsing has these limits, too, but costs more."""
    counts = count_text(text, settings.graphql_tokens)
    _at_most("graphql_tokens", settings.graphql_tokens, counts.tokens)
    _at_most("graphql_aliases", settings.graphql_aliases, counts.aliases)
    _at_most("graphql_aliases", settings.graphql_aliases, counts.repeats)
    _at_most("graphql_directives", settings.graphql_directives, counts.directives)
    if counts.nesting > _SETS * settings.graphql_depth:
        raise QueryTooLargeError("graphql_depth", settings.graphql_depth)


def _at_most(limit: str, allowed: int, actual: int) -> None:
    if actual > allowed:
        raise QueryTooLargeError(limit, allowed, actual)


def validate_document(
    schema: GraphQLSchema, document: DocumentNode, settings: Settings
) -> list[GraphQLError]:
    """Return what is wrong with a document by the rules of the specification."""
    is_terse = not settings.graphql_suggestions
    return validate(schema, document, max_errors=20, hide_suggestions=is_terse)


def choose_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """Return the operation that is to run.

    Raises
    ------
    BadValueError
        There is none of that name, or several and no name was given.
    """
    operation = get_operation_ast(document, name or None)
    if operation is None:
        names = [
            d.name.value if d.name else "(without name)"
            for d in document.definitions
            if isinstance(d, OperationDefinitionNode)
        ]
        expected = f"one of the operations of the document: {', '.join(names) or 'it has none'}"
        raise BadValueError("operationName", name or "", expected)
    return operation


def is_query(operation: OperationDefinitionNode) -> bool:
    """Tell whether the operation only reads."""
    return operation.operation is OperationType.QUERY


def is_subscription(operation: OperationDefinitionNode) -> bool:
    """Tell whether the operation asks to be told of changes."""
    return operation.operation is OperationType.SUBSCRIPTION


class _Measure:
    """Counts what a document asks for, in its text alone."""

    def __init__(self, document: DocumentNode, settings: Settings) -> None:
        self.document = document
        self.settings = settings
        self.fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        self.depths: dict[str, int] = {}

    def check(self) -> None:
        limits = self.settings
        for definition in self.document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                self._introspection(definition)
                roots = sum(1 for _ in self._fields(definition.selection_set, set()))
                _at_most("graphql_root_fields", limits.graphql_root_fields, roots)
                depth = self._depth(definition.selection_set, frozenset())
                _at_most("graphql_depth", limits.graphql_depth, depth)

    def _introspection(self, definition: OperationDefinitionNode) -> None:
        """Refuse to describe the schema again and again: each field may list the whole of it."""
        asked = self._fields(definition.selection_set, set())
        count = sum(1 for field in asked if field.name.value in ("__schema", "__type"))
        _at_most("graphql_introspection", self.settings.graphql_introspection, count)

    def _fields(self, selection: SelectionSetNode, seen: set[str]) -> Iterator[FieldNode]:
        """Yield the fields of a selection set, those of its fragments included, each once."""
        for node in selection.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self.fragments.get(node.name.value)
                if fragment is not None:
                    yield from self._fields(fragment.selection_set, seen)

    def _depth(self, selection: SelectionSetNode, open_: frozenset[str]) -> int:
        """Return how many entities lie below each other; a fragment's depth is taken once."""
        deepest = 0
        for node in selection.selections:
            depth = 0
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in self.depths and name not in open_ and name in self.fragments:
                    below = self.fragments[name].selection_set
                    self.depths[name] = self._depth(below, open_ | {name})
                depth = self.depths.get(name, 0)
            elif isinstance(node, FieldNode):
                name = node.name.value
                if node.selection_set is None or name.startswith("__"):
                    continue
                own = 0 if name in _FREE else 1
                depth = own + self._depth(node.selection_set, open_)
            elif isinstance(node, InlineFragmentNode):
                depth = self._depth(node.selection_set, open_)
            deepest = max(deepest, depth)
        return deepest
