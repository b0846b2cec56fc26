"""What is kept of a request must be right for the next: other variables, viewers, languages."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph.access import Viewer, anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot, step
from schema.execute import Answer, Engine, Prepared, Request
from schema.loading import load_schema
from schema.run import Run, Tables
from tests.asking import code, data, listed_dataset, organisation
from tests.snapshots import commit_of

Ask = Callable[..., Answer]

SETTINGS = Settings(graphql_nodes=100)
VISITOR = anonymous(SETTINGS)
GROUPS = """query ($by: [ClusterGroupKey!]!, $first: Int) { clusters
  { groups(by: $by, first: $first) { keys { value } aggregates { count } } } }"""


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture
def engine(model: Model) -> Engine:
    return Engine(model, load_schema(model), SETTINGS)


@pytest.fixture
def ask(model: Model, engine: Engine) -> Ask:
    snapshot = build_snapshot(model, [commit_of(listed_dataset(), (), None)])

    def answer(
        query: str, variables: dict[str, Any] | None = None, viewer: Viewer = VISITOR
    ) -> Answer:
        return engine.answer(Request(query, None, variables, ("en",)), snapshot, viewer)

    return answer


def groups(answer: Answer) -> list[str | None]:
    return [group["keys"][0]["value"] for group in data(answer)["clusters"]["groups"]]


def test_groups_follow_the_variables_of_each_request(ask: Ask) -> None:
    by_year, by_status = {"founded": "YEAR"}, {"memberships": {"status": "VALUE"}}
    for _ in range(2):
        assert groups(ask(GROUPS, {"by": [by_year]})) == ["2005", "2011", None]
        assert groups(ask(GROUPS, {"by": [by_status]})) == ["STATED"]
        assert groups(ask(GROUPS, {"by": [by_year], "first": 1})) == ["2005"]


@pytest.mark.parametrize(
    "query",
    [
        "{ clusters { groups(by: {label: VALUE}) { aggregates { count } } } }",
        "{ clusters { aggregates { distinctCount { acronym } } } }",
        "{ clusters { nodes { memberships { aggregates { distinctCount { status } } } } } }",
        "{ clusters(orderBy: {acronym: ASC}) { nodes { id } } }",
        "{ clusters { nodes { memberships(where: {status: {eq: STATED}}) { totalCount } } } }",
    ],
)
def test_what_one_request_looks_at_is_not_charged_to_the_next(ask: Ask, query: str) -> None:
    first = data(ask(query))
    for _ in range(1_000):
        assert data(ask(query)) == first


def test_a_visitor_has_the_limits_of_visitors_after_one_with_a_token(ask: Ask) -> None:
    member, visitor = replace(VISITOR, nodes_max=1_000), replace(VISITOR, nodes_max=3)
    query = "{ clusters(first: 0) { groups(by: {label: VALUE}) { aggregates { count } } } }"
    assert len(data(ask(query, viewer=member))["clusters"]["groups"]) == 5
    assert code(ask(query, viewer=visitor)) == "QUERY_LIMIT"
    assert len(data(ask(query, viewer=member))["clusters"]["groups"]) == 5


def test_no_request_is_kept_alive(ask: Ask) -> None:
    ask("{ clusters { groups(by: {label: VALUE}) { aggregates { count } } } }")
    ask("{ clusters { nodes { label projectRoles { aggregates { count } } } } }")
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Run)]


def test_the_cost_of_several_identifiers_is_that_of_each_request(
    engine: Engine, model: Model
) -> None:
    snapshot = build_snapshot(model, [commit_of(listed_dataset(), (), None)])
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    costs = []
    for count in (1, 5, 2):
        ids = [organisation(number)[1:-1] for number in range(count)]
        prepared = engine.prepare(Request(query, None, {"ids": ids}), snapshot, VISITOR)
        assert isinstance(prepared, Prepared)
        costs.append(prepared.cost)
    assert costs == [costs[0], 5 * costs[0], 2 * costs[0]]


def test_a_kept_plan_begins_each_page_where_the_request_says(ask: Ask) -> None:
    query = """query ($after: String, $before: String) {
      clusters(first: 2, after: $after, before: $before) {
        nodes { id } pageInfo { endCursor hasPreviousPage } } }"""
    first = data(ask(query))["clusters"]
    for _ in range(2):
        at = first["pageInfo"]["endCursor"]
        second = data(ask(query, {"after": at}))["clusters"]
        assert second["nodes"][0]["id"] > first["nodes"][-1]["id"]
        assert second["pageInfo"]["hasPreviousPage"]
        assert code(ask(query, {"after": "forged"})) == "BAD_CURSOR"
        before = second["pageInfo"]["endCursor"]
        assert data(ask(query, {"before": before}))["clusters"]["nodes"] == first["nodes"]
        assert data(ask(query))["clusters"] == first


def test_long_documents_are_answered_and_not_kept(ask: Ask, engine: Engine) -> None:
    query = "{ clusters { totalCount } } # "
    for text, is_kept in (
        (query, True),
        (query + "é" * 8_200, False),
        (query + "x" * 16_400, False),
    ):
        assert data(ask(text)) == {"clusters": {"totalCount": 5}}
        assert engine.knows(Request(text)) is is_kept
    assert (len(engine.plans._operations), len(engine.plans._plans)) == (1, 1)


def test_new_documents_leave_little_for_the_collector(ask: Ask) -> None:
    gc.collect()
    gc.disable()
    try:
        for number in range(60):
            ask(f"{{ clusters {{ totalCount }} }} # {number}")
            fields = " ".join(f"a{at}: name" for at in range(20))
            ask(f"query Q{number} {{ clusters {{ nodes {{ {fields} }} }} }}")
            assert gc.get_count()[0] < 10_000
    finally:
        gc.enable()


def test_long_lists_of_languages_are_not_kept(engine: Engine, model: Model) -> None:
    snapshot = build_snapshot(model, [commit_of(listed_dataset(), (), None)])
    query = "{ clusters(first: 1) { nodes { label } } }"
    for number in range(40):
        for languages in ((f"x{number}", "en"), tuple(f"y{number}-{n}" for n in range(200))):
            answer = engine.answer(Request(query, None, None, languages), snapshot, VISITOR)
            assert data(answer)["clusters"]["nodes"]
    ((_, bindings, _),) = engine.plans._plans.values()
    assert 0 < len(bindings._kept) <= 16
    assert all(sum(map(len, wanted)) <= 512 for wanted in bindings._kept)


@pytest.mark.parametrize(
    "field",
    ["label(lang: $lang)", "altNames(lang: $lang)", "translations(lang: $lang) { field }"],
)
def test_the_languages_of_a_field_are_limited(ask: Ask, field: str) -> None:
    query = f"query ($lang: [String!]) {{ clusters {{ nodes {{ {field} }} }} }}"
    assert not ask(query, {"lang": ["fr"] * 20}).errors
    answer = ask(query, {"lang": ["fr"] * 21})
    assert (code(answer), answer.errors[0]["extensions"]["limit"]) == (
        "QUERY_LIMIT",
        "graphql_languages",
    )


@pytest.mark.parametrize(
    ("query", "variables", "is_quick"),
    [
        ("{ clusters(first: 2) { nodes { label } } }", None, True),
        ("query ($n: Int) { clusters(first: $n) { totalCount } }", {"n": 2}, True),
        ("query ($a: Boolean!) { clusters { totalCount @skip(if: $a) } }", {"a": False}, True),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x"] * 500}, True),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x"] * 2_000}, False),
        (
            "query ($w: ClusterWhere) { clusters(where: $w) { totalCount } }",
            {"w": {"label": {"in": ["x"] * 990}}},
            False,
        ),
        (
            "{ clusters(where: {memberships: {some: {status: {eq: STATED}}}}) { totalCount } }",
            None,
            False,
        ),
        (
            "{ clusters { groups(by: {id: VALUE}, having: {count: {gt: 1}}) { keys { value } } } }",
            None,
            False,
        ),
    ],
)
def test_what_may_take_long_to_prepare_is_not_told_to_be_quick(
    ask: Ask, engine: Engine, query: str, variables: dict[str, Any] | None, is_quick: bool
) -> None:
    request = Request(query, None, variables, ("en",))
    assert not engine.knows(request)
    ask(query, variables)
    assert engine.knows(request) is is_quick


def test_another_plan_of_a_known_document_is_not_quick(ask: Ask, engine: Engine) -> None:
    query = "query ($a: Boolean!) { clusters { totalCount @skip(if: $a) nodes { id } } }"
    ask(query, {"a": False})
    assert engine.knows(Request(query, None, {"a": False}))
    assert not engine.knows(Request(query, None, {"a": True}))
    assert not engine.knows(Request(query, None, {"a": [[]]}))


def test_kept_code_reads_the_snapshot_that_is_asked_and_holds_no_other(
    engine: Engine, model: Model
) -> None:
    query = "{ clusters { nodes { label projectRoles { totalCount } } } }"
    quads = listed_dataset()
    begun = commit_of(quads, (), None)
    first = build_snapshot(model, [begun])
    second = step(first, commit_of((), quads[-1:], begun))
    for snapshot in (first, second, first):
        plain = Engine(model, engine.schema, SETTINGS).answer(Request(query), snapshot, VISITOR)
        assert engine.answer(Request(query), snapshot, VISITOR) == plain
    gc.collect()
    tables = [each.snapshot for each in gc.get_objects() if isinstance(each, Tables)]
    # Others may belong to engines of other tests.
    kept = [each for each in tables if each is first or each is second]
    assert kept == [first]


def test_code_bound_to_a_snapshot_is_kept_for_so_many_plans(model: Model) -> None:
    snapshot = build_snapshot(model, [commit_of(listed_dataset(), (), None)])
    few = Engine(model, load_schema(model), replace(SETTINGS, graphql_plans=3))
    for number in range(20):
        answer = few.answer(Request(f"{{ a{number}: revision }}"), snapshot, VISITOR)
        assert data(answer) == {f"a{number}": snapshot.revision}
    (served,) = few._readers._served.values()
    assert 0 < len(served.readers) <= 3
