"""Reads the values that stand in a document: constants, and the places of variables.

Floor 4. A plan holds what is read here until a request binds it.
"""

from __future__ import annotations

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from schema.plan import Arguments, Value, Variable

#: Digits up to which a whole number is read exactly: a number of 64 bits ends at 309.
_DIGITS = 400


def arguments(node: FieldNode) -> Arguments:
    """Return the arguments of a field as values of a plan."""
    return {argument.name.value: value_of(argument.value) for argument in node.arguments or ()}


def value_of(node: ValueNode) -> Value:
    """Return a constant, or what holds variables at their places."""
    if isinstance(node, VariableNode):
        return Variable(node.name.value)
    if isinstance(node, NullValueNode):
        return None
    if isinstance(node, IntValueNode):
        return int(node.value) if len(node.value) <= _DIGITS else float(node.value)
    if isinstance(node, FloatValueNode):
        return float(node.value)
    if isinstance(node, StringValueNode | EnumValueNode | BooleanValueNode):
        return node.value
    if isinstance(node, ListValueNode):
        return tuple(value_of(item) for item in node.values)
    assert isinstance(node, ObjectValueNode)
    return {field.name.value: value_of(field.value) for field in node.fields}
