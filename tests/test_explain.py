"""How an operation is answered, for those who may see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graph.access import Scope, Viewer, anonymous
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from schema.execute import Answer, Engine, Request
from schema.types import load_schema
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


@pytest.mark.parametrize("scopes", [(), (Scope.WRITE, Scope.CHANGES)])
def test_who_may_not_see_it_is_told_before_anything_is_read(scopes: tuple[Scope, ...]) -> None:
    answer = ask(True, *scopes, query="{ not graphql")
    assert answer.failed
    assert answer.errors[0]["extensions"]["code"] == "FORBIDDEN"
