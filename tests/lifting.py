"""The same document with variables for some of its values, and parts of it in fragments."""

from __future__ import annotations

import random
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNonNull,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    NullValueNode,
    ObjectFieldNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
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


class _Wrapper(Visitor):
    """Puts what stands side by side into fragments, and asks for what is then left out."""

    def __init__(self, info: TypeInfo, draw: random.Random) -> None:
        super().__init__()
        self.info = info
        self.random = draw
        self.fragments: list[FragmentDefinitionNode] = []

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode | None:
        """Wrap some of the selections, in their order."""
        parent = self.info.get_parent_type()
        if parent is None or self.random.random() > 0.3:
            return None
        first = self.random.randrange(len(node.selections))
        last = self.random.randint(first + 1, len(node.selections))
        wrapped = self._wrap(parent.name, node.selections[first:last])
        found = [*node.selections[:first], wrapped, *node.selections[last:]]
        if self.random.random() < 0.3:
            found.append(_selection("... @skip(if: true) { gone: __typename }"))
        return SelectionSetNode(selections=tuple(found))

    def _wrap(self, name: str, selections: tuple[SelectionNode, ...]) -> SelectionNode:
        inner = SelectionSetNode(selections=selections)
        kind = NamedTypeNode(name=NameNode(value=name))
        when = self.random.choice(("", "@include(if: true)", "@skip(if: false) @include(if: true)"))
        directives = _selection(f"x {when}").directives
        way = self.random.randrange(3)
        if way:
            condition = kind if way == 1 else None
            return InlineFragmentNode(
                type_condition=condition, selection_set=inner, directives=directives
            )
        named = NameNode(value=f"F{len(self.fragments)}")
        definition = FragmentDefinitionNode(
            name=named,
            type_condition=kind,
            selection_set=inner,
            directives=(),
            variable_definitions=(),
        )
        self.fragments.append(definition)
        return FragmentSpreadNode(name=named, directives=directives)


def _selection(text: str) -> SelectionNode:
    (definition,) = parse(f"{{ {text} }}").definitions
    assert isinstance(definition, OperationDefinitionNode)
    return definition.selection_set.selections[0]


def lift(document: str, schema: GraphQLSchema, seed: int) -> tuple[str, dict[str, Any]]:
    """Return a document of one operation that asks the same with variables, and their values."""
    info, draw = TypeInfo(schema), random.Random(seed)
    wrapper, lifter = _Wrapper(info, draw), _Lifter(info, draw)
    found = visit(parse(document), TypeInfoVisitor(info, wrapper))
    whole = DocumentNode(definitions=(*found.definitions, *wrapper.fragments))
    operation, *fragments = visit(whole, TypeInfoVisitor(info, lifter)).definitions
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
    return print_ast(DocumentNode(definitions=(lifted, *fragments))), lifter.values
