"""Reads a GraphQL document: bounded parsing, the limits that need no schema, validation.

Floor 4. Cheapest first: all that has a limit is counted in the text; what passes is parsed, which
takes ten times as long, and then validated, which costs most.
"""

from __future__ import annotations

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)
from graphql.utilities import get_operation_ast

from graph.errors import BadValueError, QuerySyntaxError, QueryTooLargeError
from graph.settings import Settings
from schema.scan import count_text

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
        return parse(text, max_tokens=settings.graphql_tokens)
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


def _check_text(text: str, settings: Settings) -> None:
    """Refuse what can be counted without parsing."""
    counts = count_text(text, settings.graphql_tokens)
    _at_most("graphql_tokens", settings.graphql_tokens, counts.tokens)
    _at_most("graphql_aliases", settings.graphql_aliases, counts.aliases)
    _at_most("graphql_aliases", settings.graphql_aliases, counts.repeats)
    _at_most("graphql_directives", settings.graphql_directives, counts.directives)
    if counts.nesting > _SETS * settings.graphql_depth:
        raise QueryTooLargeError("graphql_depth", settings.graphql_depth)
    _at_most("graphql_introspection", settings.graphql_introspection, counts.described)
    _at_most("graphql_root_fields", settings.graphql_root_fields, counts.roots)
    _at_most("graphql_depth", settings.graphql_depth, counts.depth)


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
