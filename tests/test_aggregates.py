"""Aggregates and groups, in process on a small dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from graph.access import anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import TYPE
from graph.terms import RZ, XSD, Quad
from schema import vectors
from schema.execute import Answer, Engine, Request
from schema.loading import load_schema
from tests.asking import PROJECT, A, code, data, listed_dataset, organisation
from tests.snapshots import commit_of

Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module", params=[0, vectors.LEAST], ids=["at once", "one by one"])
def ask(model: Model, request: pytest.FixtureRequest) -> Iterator[Ask]:
    schema = load_schema(model)
    snapshot = build_snapshot(model, [commit_of(listed_dataset(), (), None)])

    def answer(
        query: str,
        variables: dict[str, Any] | None = None,
        quads: Iterable[Quad] | None = None,
        **limits: Any,
    ) -> Answer:
        engine = Engine(model, schema, replace(Settings(), **limits))
        asked = Request(query, None, variables, ("en", "fr"))
        other = quads and build_snapshot(model, [commit_of(quads, (), None)])
        return engine.answer(asked, other or snapshot, anonymous(engine.settings))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "LEAST", request.param)
        yield answer


def test_aggregates_are_over_all_that_fit_and_not_over_the_page(ask: Ask) -> None:
    query = """{ projects(first: 1) { nodes { id } aggregates {
      count sum { totalCost } average { totalCost } min { totalCost } max { totalCost }
      distinctCount { totalCost roles } } } }"""
    found = data(ask(query))["projects"]
    assert len(found["nodes"]) == 1
    assert found["aggregates"] == {
        "count": 3,
        "sum": {"totalCost": 1250.5},
        "average": {"totalCost": 625.25},  # the third is unknown
        "min": {"totalCost": 250.5},
        "max": {"totalCost": 1000.0},
        "distinctCount": {"totalCost": 2, "roles": 6},
    }
    where = "where: {totalCost: {isNull: true}}"
    query = f"{{ projects({where}) {{ aggregates {{ count sum {{ totalCost }} }} }} }}"
    assert data(ask(query))["projects"]["aggregates"] == {"count": 1, "sum": {"totalCost": None}}


def test_dates_have_the_earliest_and_the_latest_day_as_ends(ask: Ask) -> None:
    found = data(ask("{ clusters { aggregates { min { founded } max { founded } } } }"))
    ends = found["clusters"]["aggregates"]
    assert ends == {"min": {"founded": "2005-01-01"}, "max": {"founded": "2011-03-01"}}


def test_nested_lists_have_aggregates_of_their_own(ask: Ask) -> None:
    query = """{ clusters { nodes { projectRoles(where: {project: {totalCost: {gt: 300}}})
      { aggregates { count distinctCount { project } } } } } }"""
    found = data(ask(query))["clusters"]["nodes"]
    counts = [node["projectRoles"]["aggregates"]["count"] for node in found]
    assert counts == [1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "groups"),
    [
        ("by: {acronym: VALUE}", [("Éa", 1), ("Eb", 1), ("NEW", 1), (None, 2)]),
        ("by: {country: {notation: VALUE}}", [("FR", 1), (None, 4)]),
        ("by: {country: {notation: VALUE}}, orderBy: {count: DESC}", [(None, 4), ("FR", 1)]),
        ("by: {founded: YEAR}", [("2005", 1), ("2011", 1), (None, 3)]),
        ("by: {founded: DECADE}", [("2000", 1), ("2010", 1), (None, 3)]),
        ("by: {founded: MONTH}, first: 1", [("2005-01", 1)]),
        ("by: {founded: YEAR}, first: 1, offset: 1", [("2011", 1)]),
        ("by: {founded: YEAR}, offset: 2", [(None, 3)]),
        ("by: {founded: YEAR}, offset: 3", []),
        ("by: {founded: YEAR}, offset: null", [("2005", 1), ("2011", 1), (None, 3)]),
        ("by: {founded: YEAR}, having: {count: {gt: 1}}", [(None, 3)]),
        ('by: {founded: YEAR}, having: {some: {acronym: {eq: "NEW"}}}', [("2005", 1)]),
        ("by: {altNames: VALUE}", [("elan", 1), ("Élan", 1), ("Été", 1), ("Zèbre", 1), (None, 1)]),
        ("by: {projectRoles: {project: {label: VALUE}}}", [(None, 5)]),
        ("by: {memberships: {status: VALUE}}", [("STATED", 5)]),
    ],
)
def test_groups_share_what_they_are_grouped_by(
    ask: Ask, arguments: str, groups: list[tuple[str | None, int]]
) -> None:
    query = (
        f"{{ clusters {{ groups({arguments}) {{ keys {{ value }} aggregates {{ count }} }} }} }}"
    )
    found = data(ask(query))["clusters"]["groups"]
    shared = [(group["keys"][0]["value"], group["aggregates"]["count"]) for group in found]
    assert shared == groups


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ("by: {id: VALUE}", 5),
        ("by: {founded: YEAR}", 3),
        ("by: {founded: YEAR}, having: {count: {gt: 1}}", 1),
        ("by: [{founded: YEAR}, {id: VALUE}]", 5),
        ("by: {founded: YEAR}, having: {count: {gt: 9}}", 0),
        ("by: {id: VALUE}, having: {some: {founded: {isNull: true}}}", 3),
        ("by: {id: VALUE}, having: {none: {founded: {isNull: true}}, every: {}}", 2),
        ("by: {id: VALUE}, having: {where: {founded: {isNull: true}}}", 3),
        ("by: {id: VALUE}, having: {where: {founded: {isNull: true}}, count: {eq: 0}}", 2),
        ("by: {founded: YEAR}, having: {every: {founded: {isNull: false}}}", 2),
        ("by: {founded: YEAR}, having: {max: {founded: {isNull: true}}}", 1),
    ],
)
def test_groups_are_counted_whatever_is_shown(ask: Ask, arguments: str, count: int) -> None:
    query = f"""{{ clusters {{ groupCount({arguments})
      groups({arguments}, first: 0) {{ keys {{ value }} }} }} }}"""
    assert data(ask(query))["clusters"] == {"groupCount": count, "groups": []}


def test_organisations_are_counted_by_their_classes_and_found_by_them(ask: Ask) -> None:
    company = "<urn:x:company>"
    quads = [*listed_dataset(), (company, f"<{TYPE}>", f"<{RZ}Company>", A)]
    quads.append((organisation(1), f"<{TYPE}>", f"<{RZ}Company>", A))
    quads.append((organisation(1), f"<{TYPE}>", "<urn:x:unknown>", A))
    query = """query($w: OrganisationWhere) { organisations(where: $w) {
      groups(by: {types: VALUE}) { keys { value node { id } } aggregates { count } } } }"""
    for where, counts in (
        ({}, {"Cluster": 5, "Company": 2}),
        ({"types": ["Company"]}, {"Cluster": 1, "Company": 2}),
        ({"types": ["Cluster"], "not": {"types": ["Company"]}}, {"Cluster": 4}),
    ):
        found = data(ask(query, {"w": where}, quads=quads))["organisations"]["groups"]
        assert {g["keys"][0]["value"]: g["aggregates"]["count"] for g in found} == counts
        assert all(group["keys"][0]["node"] is None for group in found)


def test_a_node_with_several_values_is_in_several_groups_and_the_key_is_a_node(ask: Ask) -> None:
    query = """{ clusters { groups(by: [{projectRoles: {project: {id: VALUE}}}]) {
      keys { value node { __typename id } } aggregates { count } } } }"""
    found = data(ask(query))["clusters"]["groups"]
    assert [group["aggregates"]["count"] for group in found] == [3, 2, 1, 2]
    assert found[0]["keys"] == [
        {
            "value": PROJECT.format(0)[1:-1],
            "node": {"__typename": "Project", "id": PROJECT.format(0)[1:-1]},
        }
    ]
    assert found[3]["keys"] == [{"value": None, "node": None}]


def test_lists_are_conditions_and_orders_by_what_they_are_as_a_whole(ask: Ask) -> None:
    query = "query($w: ProjectWhere) { projects(where: $w) { totalCount } }"
    for where, count in (
        ({"roles": {"count": {"gte": 2}}}, 2),
        ({"roles": {"where": {"organisation": {"acronym": {"eq": "NEW"}}}, "count": {"eq": 1}}}, 1),
        ({"roles": {"where": {"organisation": {"acronym": {"eq": "NEW"}}}, "none": {}}}, 2),
        ({"awards": {"count": {"eq": 0}}}, 3),
    ):
        assert data(ask(query, {"w": where}))["projects"]["totalCount"] == count
    rich = """{ programmes: clusters(orderBy: {projectRoles: {count: DESC}}, first: 1,
      where: {projectRoles: {sum: {euContribution: {isNull: true}}}}) { nodes { acronym } } }"""
    assert data(ask(rich))["programmes"]["nodes"] == [{"acronym": "Eb"}]


def test_sums_are_exact_and_numbers_out_of_range_are_said(model: Model) -> None:
    quads = listed_dataset()
    for number in range(3, 13):
        project = PROJECT.format(number)
        quads.append((project, f"<{TYPE}>", f"<{RZ}Project>", A))
        quads.append((project, f"<{RZ}totalCost>", f'"0.1"^^<{XSD}decimal>', A))
        quads.append((project, f"<{RZ}statedPartnerCount>", f'"3000000000"^^<{XSD}integer>', A))
    engine = Engine(model, load_schema(model), Settings())
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    query = """{ projects(where: {totalCost: {lt: 1}}) { aggregates {
      sum { totalCost statedPartnerCount } max { statedPartnerCount } } } }"""
    answer = engine.answer(Request(query), snapshot, anonymous(engine.settings))
    assert answer.data == {
        "projects": {
            "aggregates": {
                "sum": {"totalCost": 1.0, "statedPartnerCount": 3e10},
                "max": {"statedPartnerCount": None},
            }
        }
    }
    assert answer.errors[0]["extensions"]["code"] == "BAD_VALUE"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ clusters { groups(by: []) { keys { value } } } }", "BAD_VALUE"),
        ("{ clusters { groups { keys { value } } } }", "GRAPHQL_VALIDATION"),
        ("{ clusters { groups(by: {}) { keys { value } } } }", "GRAPHQL_VALIDATION"),
        ("{ clusters { groups(by: {name: YEAR}) { keys { value } } } }", "GRAPHQL_VALIDATION"),
        ("{ clusters { groups(by: {id: VALUE}, first: -1) { keys { value } } } }", "BAD_VALUE"),
        ("{ clusters { groups(by: {id: VALUE}, offset: -1) { keys { value } } } }", "BAD_VALUE"),
        ("{ clusters { groupCount(by: []) } }", "BAD_VALUE"),
        ("{ clusters { groupCount(by: {id: VALUE}, first: 1) } }", "GRAPHQL_VALIDATION"),
        ("{ clusters { groups(by: {id: VALUE}, first: 501) { keys { value } } } }", "QUERY_LIMIT"),
        (
            "{ clusters { groups(by: {id: VALUE}, having: {count: {}}) { keys { value } } } }",
            "BAD_VALUE",
        ),
        ("{ clusters(where: {projectRoles: {sum: null}}) { totalCount } }", "BAD_VALUE"),
        ("{ clusters { aggregates { sum { name } } } }", "GRAPHQL_VALIDATION"),
    ],
)
def test_wrong_groups_are_refused(ask: Ask, query: str, expected: str) -> None:
    assert code(ask(query)) == expected


def test_groups_and_what_they_look_at_are_limited(ask: Ask) -> None:
    query = """{ clusters { groups(by: [{id: VALUE}, {memberships: {memberOf: {members:
      {member: {id: VALUE}}}}}]) { keys { value } } } }"""
    assert len(data(ask(query))["clusters"]["groups"]) == 25
    limited = ask(query, graphql_nodes=20)
    assert limited.errors[0]["extensions"]["limit"] == "graphql_nodes"


def test_putting_groups_in_order_is_charged(ask: Ask) -> None:
    group = "groups(by: {label: VALUE}, first: 0) { keys { value } }"
    assert not ask(
        f"{{ clusters(first: 0) {{ {group} }} }}", graphql_nodes=2
    ).errors  # 25 of 40 values
    both = f"{{ clusters(first: 0) {{ a: {group} b: {group} }} }}"
    assert code(ask(both, graphql_nodes=2)) == "QUERY_LIMIT"
    assert not ask(both, graphql_nodes=3).errors
