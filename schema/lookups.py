"""Reads one entity for the payload of a mutation, by a plan like any query's.

Floor 4. What a mutation asks of its entity becomes a query for that entity by its identifier,
with the fragments and variables of the document, so that payloads and queries answer alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ArgumentNode,
    FieldNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
)

from graph.errors import QueryTooLargeError
from graph.store.snapshot import Snapshot
from schema.bind import Bindings, bind
from schema.execute import Engine, PreparedMutation
from schema.generate import generate
from schema.run import Run, Tables
from schema.selection import condition_variables


@dataclass(slots=True)
class Spent:
    """What the payloads of one operation took: nodes and values looked at, and estimated cost."""

    counter: list[int] = field(default_factory=lambda: [0, 0])
    cost: int = 0


def read_entity(
    engine: Engine,
    prepared: PreparedMutation,
    nodes: Sequence[FieldNode],
    root: str,
    identifier: str,
    snapshot: Snapshot,
    spent: Spent,
) -> Any:
    """Return the data that fields of a mutation ask of an entity, or None when it is not there.

    Parameters
    ----------
    nodes : sequence of FieldNode
        The fields that ask: those of one response key.
    root : str
        The root field of a query that finds the entity by `id`.
    spent : Spent
        What the operation's payloads took so far; this one is added.

    Raises
    ------
    QueryTooLargeError, BadValueError
        The selection asks for too much, or all payloads together do, or with arguments that
        cannot be used.
    """
    document, variables = prepared.document, prepared.variables
    node = as_query(prepared.node, nodes, root, identifier)
    conditions = {name: variables.get(name) for name in condition_variables(document)}
    plan, _ = engine.plans.compile(document, node, conditions)
    run = Run(snapshot, prepared.viewer, engine.settings, prepared.request.languages)
    run.counter = spent.counter
    spent.cost += bind(Bindings(plan), run, variables)
    if spent.cost > (most := engine.settings.graphql_cost):
        raise QueryTooLargeError("graphql_cost", most, spent.cost, nodes[0].name.value)
    data = generate(plan, engine.model)(Tables(snapshot))(run)()
    run.count(0, nodes[0].name.value)  # single nodes are counted, and looked at only here
    if run.errors:
        raise run.errors[0]
    return next(iter(data.values()))


def as_query(
    operation: OperationDefinitionNode, nodes: Sequence[FieldNode], root: str, identifier: str
) -> OperationDefinitionNode:
    """Return a query that asks one entity for what fields of another operation ask of it."""
    name = NameNode(value=root)
    value = StringValueNode(value=identifier)
    arguments = (ArgumentNode(name=NameNode(value="id"), value=value),)
    fields = tuple(
        FieldNode(name=name, arguments=arguments, directives=(), selection_set=node.selection_set)
        for node in nodes
    )
    return OperationDefinitionNode(
        operation=OperationType.QUERY,
        variable_definitions=operation.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=fields),
    )
