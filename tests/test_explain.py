"""How an operation is answered, for those who may see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graph.access import Scope, Viewer, anonymous
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from schema.execute import Answer, Engine, Request
from schema.loading import load_schema
from tests.asking import small_dataset
from tests.snapshots import commit_of

QUERY = """query($n: Int) { revision
  clusters(first: $n, where: {name: {contains: "cluster"}}) { totalCount nodes {
    name country { notation } memberships { edges { cursor node { memberOf {
      label ... on Network { founderCount } } } } } } } }"""
PLAN = """\
Revision revision
Connection clusters of Cluster (first: $n, where: {name: {contains: 'cluster'}}) counted
  totalCount totalCount
  nodes nodes
    Text name prefLabel
    Link country country
      Scalar notation notation
    Connection memberships ^member* of Membership
      edges edges
        cursor cursor
        node node
          Link memberOf organization"""


def ask(explain: bool, *scopes: Scope, query: str = QUERY) -> Answer:
    model = load_model()
    engine = Engine(model, load_schema(model), Settings())
    snapshot = build_snapshot(model, [commit_of(small_dataset(), (), None)])
    viewer: Viewer = replace(anonymous(engine.settings), scopes=frozenset(scopes))
    request = Request(query, None, {"n": 3}, ("en",), explain=explain)
    return engine.answer(request, snapshot, viewer)


def test_an_answer_says_how_it_was_made() -> None:
    plain, answer = ask(False), ask(True, Scope.EXPLAIN)
    assert answer.data == plain.data
    assert "extensions" not in plain.body()
    told = answer.body()["extensions"]["explain"]
    assert told["plan"].startswith(PLAN)
    assert "on OtherNetwork" in told["plan"]
    assert told["nodes"] == 3 + 1 + 3 + 3  # clusters, a country, memberships, networks
    assert told["examined"] >= 5
    assert told["estimatedCost"] > told["nodes"]
    assert told["cpuMilliseconds"] >= 0


def test_each_step_says_what_it_took() -> None:
    told = ask(True, Scope.EXPLAIN).body()["extensions"]["explain"]
    revision, clusters = told["steps"]
    assert revision == {"key": "revision", "step": "Revision revision"}
    assert (clusters["times"], clusters["rows"]) == (1, 3)
    nodes = next(each for each in clusters["steps"] if each["key"] == "nodes")
    by_key = {each["key"]: each for each in nodes["steps"]}
    assert (by_key["country"]["times"], by_key["country"]["rows"]) == (3, 1)
    assert (by_key["memberships"]["times"], by_key["memberships"]["rows"]) == (3, 3)
    assert clusters["milliseconds"] >= by_key["memberships"]["milliseconds"] >= 0


def test_rules_that_changed_the_plan_are_named() -> None:
    asked = """{ clusters(where: {not: {not: {acronym: {eq: "NEW"}}}}) { nodes {
        id sectors { totalCount } } } }"""
    answer = ask(True, Scope.EXPLAIN, query=asked)
    told = answer.body()["extensions"]["explain"]
    assert told["rules"] == [
        *("remove_double_negation", "seek_in_index", "count_without_nodes", "stop_when_full"),
    ]
    assert "from index {acronym: {eq: 'NEW'}}" in told["plan"]


def test_the_same_is_told_in_sparql() -> None:
    told = ask(True, Scope.EXPLAIN).body()["extensions"]["explain"]
    assert told["sparql"] == {}
    assert told["sparqlLeavesOut"] == [
        "revision: the revision",
        "clusters: texts without case and accents",
    ]
    asked = "{ networks { nodes { id } } }"
    told = ask(True, Scope.EXPLAIN, query=asked).body()["extensions"]["explain"]
    assert told["sparql"]["networks"].startswith("SELECT DISTINCT ?n WHERE {")
    assert told["sparqlLeavesOut"] == []


@pytest.mark.parametrize("scopes", [(), (Scope.WRITE, Scope.CHANGES)])
def test_who_may_not_see_it_is_told_before_anything_is_read(scopes: tuple[Scope, ...]) -> None:
    answer = ask(True, *scopes, query="{ not graphql")
    assert answer.failed
    assert answer.errors[0]["extensions"]["code"] == "FORBIDDEN"
