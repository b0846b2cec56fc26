"""The same document with variables in the place of some of its values."""

from __future__ import annotations

import random
from typing import Any

from graphql import (
    ArgumentNode,
    GraphQLNonNull,
    GraphQLSchema,
    NameNode,
    NullValueNode,
    ObjectFieldNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    parse_type,
    print_ast,
    value_from_ast_untyped,
    visit,
)


class _Lifter(Visitor):
    """Puts a variable in the place of a value, now and then; what holds it is not entered."""

    def __init__(self, info: TypeInfo, draw: random.Random) -> None:
        super().__init__()
        self.info = info
        self.random = draw
        self.values: dict[str, Any] = {}
        self.types: dict[str, str] = {}

    def enter_argument(self, node: ArgumentNode, *_: Any) -> ArgumentNode | None:
        """Replace what an argument is given."""
        name = self._lift(node.value, 0.4)
        return None if name is None else ArgumentNode(name=node.name, value=name)

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> ObjectFieldNode | None:
        """Replace what a field of an input is given."""
        name = self._lift(node.value, 0.2)
        return None if name is None else ObjectFieldNode(name=node.name, value=name)

    def _lift(self, value: ValueNode, share: float) -> VariableNode | None:
        kind = self.info.get_input_type()
        is_fit = kind is not None and not isinstance(value, NullValueNode | VariableNode)
        if not is_fit or self.random.random() > share:
            return None
        name = f"v{len(self.values)}"
        self.values[name] = value_from_ast_untyped(value)
        self.types[name] = str(kind if isinstance(kind, GraphQLNonNull) else f"{kind}!")
        return VariableNode(name=NameNode(value=name))


def lift(document: str, schema: GraphQLSchema, seed: int) -> tuple[str, dict[str, Any]]:
    """Return a document of one operation with variables, and their values."""
    info = TypeInfo(schema)
    lifter = _Lifter(info, random.Random(seed))
    found = visit(parse(document), TypeInfoVisitor(info, lifter))
    (operation,) = found.definitions
    assert isinstance(operation, OperationDefinitionNode)
    definitions = tuple(
        VariableDefinitionNode(
            variable=VariableNode(name=NameNode(value=name)), type=parse_type(kind), directives=()
        )
        for name, kind in lifter.types.items()
    )
    lifted = OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=definitions,
        directives=operation.directives,
        selection_set=operation.selection_set,
    )
    return print_ast(lifted), lifter.values
