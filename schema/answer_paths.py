"""Whether paths into an answer fit the document that asks for it, seen in the document alone.

Floor 4. So a slip in a path is found when a file is read, also where today's answer is empty.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    print_ast,
)

from graph.errors import BadValueError
from schema.question import LANG, LANGUAGES
from schema.rows import Path

#: How a document that asks for texts declares the languages of its reader.
_LANGUAGES: Final = f"${LANG}: [String!] = {json.dumps(LANGUAGES)}"


@dataclass(frozen=True, slots=True)
class Operation:
    """The one operation of a document, the fragments it may spread, whether it has `$lang`."""

    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    takes_languages: bool = False


def read_operation(text: str, variables: Collection[str]) -> Operation:
    """Return the operation of a document that has one, with exactly these variables.

    Beside them it may declare `$lang`, the languages of the reader, with those of the library as
    its default.

    Raises
    ------
    BadValueError
        It is no document, has not one operation, or its variables are others.
    """
    try:
        definitions = parse(text).definitions
    except GraphQLSyntaxError as error:
        raise BadValueError("graphql", text[:60], f"a document: {error.message}") from None
    operations = [d for d in definitions if isinstance(d, OperationDefinitionNode)]
    if len(operations) != 1:
        raise BadValueError("graphql", f"{len(operations)} operations", "one operation")
    nodes = {d.variable.name.value: d for d in operations[0].variable_definitions or ()}
    lang = nodes.pop(LANG, None)
    if lang is not None and (written := print_ast(lang)) != _LANGUAGES:
        raise BadValueError("variables", written[:60], f"declared as {_LANGUAGES}")
    declared = set(nodes)
    if declared != set(variables):
        expected = f"what the document declares: {' '.join(sorted(declared)) or 'none'}"
        raise BadValueError("variables", " ".join(sorted(variables)), expected)
    fragments = {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}
    return Operation(operations[0], fragments, lang is not None)


def check_paths(operation: Operation, paths: Iterable[Path]) -> None:
    """Check that the document asks for each path, and for nothing below its end.

    Raises
    ------
    BadValueError
        It does not.
    """
    for path in paths:
        below = [operation.node.selection_set]
        for step in path:
            fields = [f for selection in below for f in _fields(selection, operation.fragments)]
            found = [field for field in fields if _key(field) == step.name]
            if not found:
                raise BadValueError("path", _write(path), f"asked for: {step.name} is not there")
            below = [field.selection_set for field in found if field.selection_set is not None]
        if below:
            raise BadValueError("path", _write(path), "a value: name a field below")


def _write(path: Path) -> str:
    return ".".join(step.name for step in path)


def _key(field: FieldNode) -> str:
    return field.alias.value if field.alias else field.name.value


def _fields(
    selection: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    """Yield the fields of a selection set, those of its fragments included."""
    for node in selection.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set, fragments)
        elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments:
            name = node.name.value
            others = {key: below for key, below in fragments.items() if key != name}
            yield from _fields(fragments[name].selection_set, others)
