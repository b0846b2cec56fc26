"""Lists of many nodes: found by what any source says, and never more of them than is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLSchema

from graph.access import Scope, anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import TYPE
from graph.terms import ENTITY, RZ, Quad
from schema.execute import Engine, Request
from schema.loading import load_schema
from tests.asking import (
    EURIO,
    MEMBER,
    NETWORK,
    ORG,
    PROJECT,
    A,
    B,
    data,
    organisation,
    small_dataset,
)
from tests.snapshots import commit_of


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def schema(model: Model) -> GraphQLSchema:
    return load_schema(model)


def membership(number: int) -> list[Quad]:
    tie = f"<{ENTITY}membership/o{number}--n--member>"
    return [
        (organisation(number), f"<{TYPE}>", f"<{RZ}Cluster>", A),
        (tie, f"<{TYPE}>", f"<{RZ}Membership>", A),
        (tie, f"<{ORG}member>", organisation(number), A),
        (tie, f"<{ORG}organization>", NETWORK, A),
        (tie, f"<{ORG}role>", MEMBER, A),
        (tie, f"<{RZ}status>", '"stated"', A),
    ]


@pytest.mark.parametrize("rewrites", [True, False])
def test_an_index_finds_what_only_one_of_two_sources_says(
    model: Model, schema: GraphQLSchema, rewrites: bool
) -> None:
    quads = [*small_dataset(), *(quad for number in range(5, 85) for quad in membership(number))]
    quads.append((organisation(150), f"<{TYPE}>", f"<{RZ}Cluster>", A))
    tie = f"<{ENTITY}membership/o10--n--member>"
    quads.append((tie, f"<{ORG}member>", organisation(150), B))  # A says another
    engine = Engine(model, schema, Settings(), rewrites=rewrites)
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    for where in ("{status: {eq: STATED}}", "{}", "{memberOf: {types: Network}}"):
        query = f"{{ clusters(where: {{memberships: {{some: {where}}}}}) {{ totalCount }} }}"
        answer = engine.answer(Request(query), snapshot, anonymous(engine.settings))
        assert data(answer)["clusters"]["totalCount"] == 86, where


def role(of: int, project: int) -> list[Quad]:
    tie = f"<{ENTITY}project-role/o{of}--p{project}>"
    return [
        (tie, f"<{TYPE}>", f"<{RZ}ProjectRole>", A),
        (tie, f"<{EURIO}isInvolvedIn>", PROJECT.format(project), A),
        (tie, f"<{EURIO}isRoleOf>", organisation(of), A),
    ]


def test_no_order_of_lists_talks_the_limit_of_nodes_around(
    model: Model, schema: GraphQLSchema
) -> None:
    """An organisation with roles in 28 projects, of which the last has 480 partners."""
    quads = [(organisation(n), f"<{TYPE}>", f"<{RZ}Cluster>", A) for n in range(480)]
    quads += [(PROJECT.format(n), f"<{TYPE}>", f"<{RZ}Project>", A) for n in range(28)]
    quads += [quad for n in range(28) for quad in role(0, n)]
    quads += [quad for n in range(1, 480) for quad in role(n, 27)]
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    query = f"""{{ cluster(id: "{organisation(0)[1:-1]}") {{ id projectRoles(first: 500) {{ nodes {{
      organisation {{ id projectRoles(first: 500) {{ nodes {{ id }} }} }}
      project {{ id roles(first: 500) {{ nodes {{ id organisation {{ id }} }} }} }}
    }} }} }} }}"""
    for limit in (5_000, 1_000, 300, 31):
        engine = Engine(model, schema, replace(Settings(), graphql_nodes=limit))
        visitor = anonymous(engine.settings)
        for viewer, explain in (
            (visitor, False),
            (replace(visitor, scopes=frozenset(Scope)), True),
        ):
            request = Request(query, explain=explain)
            answer = engine.answer(request, snapshot, viewer)
            if limit == 5_000:
                assert count(data(answer)) == 1 + 2 * 28 + 28 * 28 + 2 * 27 + 2 * 480
                continue
            (error,) = answer.errors
            assert error["extensions"]["code"] == "QUERY_LIMIT"
            assert error["extensions"]["limit"] == "graphql_nodes"
            assert int(error["message"].rpartition(" ")[2]) > limit, error  # and tells how many


def count(found: Any) -> int:
    """How many objects with an identifier there are."""
    if isinstance(found, list):
        return sum(map(count, found))
    return ("id" in found) + sum(map(count, found.values())) if isinstance(found, dict) else 0
