"""Collects what an operation asks of one object type, as the specification's CollectFields.

Floor 4. Fragments are opened, type conditions checked, `@skip` and `@include` applied; fields
of one response key are merged, so that what comes out names each key once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
)
from graphql.language import BooleanValueNode, DirectiveNode, FragmentSpreadNode

from graph.errors import BadValueError

#: Response key and the fields that share it, in the order of the document.
Collected = dict[str, list[FieldNode]]


class Collector:
    """Opens the selections of one document for given conditions.

    `conditions` holds the values of the variables that stand in `@skip` and `@include`; `types`
    tells for each type of the schema which object types it covers.
    """

    def __init__(
        self,
        document: DocumentNode,
        conditions: Mapping[str, Any],
        covers: Mapping[str, frozenset[str]],
    ) -> None:
        self.fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        self.conditions = conditions
        self.covers = covers

    def collect(self, selections: Iterable[SelectionSetNode], object_type: str) -> Collected:
        """Return the merged fields of selection sets on one object type."""
        found: Collected = {}
        seen: set[str] = set()
        for selection in selections:
            self._collect(selection, object_type, found, seen)
        return found

    def branches(self, selections: Iterable[SelectionSetNode], types: frozenset[str]) -> bool:
        """Tell whether some of the types are asked for something else than others."""
        return any(self._splits(selection, types, set()) for selection in selections)

    def _collect(
        self, selection: SelectionSetNode, object_type: str, found: Collected, seen: set[str]
    ) -> None:
        for node in selection.selections:
            if not self._wanted(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                found.setdefault(key, []).append(node)
                continue
            below = self._open(node, seen)
            if below is not None and self._applies(below, object_type):
                self._collect(below.selection_set, object_type, found, seen)

    def _open(
        self, node: Any, seen: set[str]
    ) -> InlineFragmentNode | FragmentDefinitionNode | None:
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name in seen:
                return None
            seen.add(name)
            return self.fragments[name]
        assert isinstance(node, InlineFragmentNode)
        return node

    def _applies(
        self, fragment: InlineFragmentNode | FragmentDefinitionNode, object_type: str
    ) -> bool:
        condition = fragment.type_condition
        return condition is None or object_type in self.covers[condition.name.value]

    def _splits(self, selection: SelectionSetNode, types: frozenset[str], seen: set[str]) -> bool:
        for node in selection.selections:
            if isinstance(node, FieldNode):
                continue
            below = self._open(node, seen)
            if below is None:
                continue
            condition = below.type_condition
            if condition is not None and not types <= self.covers[condition.name.value]:
                return True
            if self._splits(below.selection_set, types, seen):
                return True
        return False

    def _wanted(self, directives: Iterable[DirectiveNode]) -> bool:
        for directive in directives:
            name = directive.name.value
            if name not in (GraphQLSkipDirective.name, GraphQLIncludeDirective.name):
                continue
            value = next(a.value for a in directive.arguments or () if a.name.value == "if")
            if isinstance(value, VariableNode):
                flag = self.conditions.get(value.name.value)
                if flag is None:
                    raise BadValueError(f"${value.name.value}", "null", "true or false")
            else:
                assert isinstance(value, BooleanValueNode)
                flag = value.value
            if flag == (name == GraphQLSkipDirective.name):
                return False
        return True


def condition_variables(document: DocumentNode) -> tuple[str, ...]:
    """Return the names of the variables that stand in `@skip` and `@include`."""
    found: dict[str, None] = {}
    stack: list[Any] = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, DirectiveNode) and node.name.value in ("skip", "include"):
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    found[argument.value.name.value] = None
        for key in node.keys:
            value = getattr(node, key, None)
            if isinstance(value, list | tuple):
                stack.extend(value)
            elif value is not None and hasattr(value, "keys"):
                stack.append(value)
    return tuple(sorted(found))
