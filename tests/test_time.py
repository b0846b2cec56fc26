"""Validity on a day, completeness, translations, and nodes by their identifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graph.access import anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.terms import ENTITY, RZ, XSD, Quad
from schema.execute import Answer, Engine, Request
from schema.loading import load_schema
from schema.validity import bounds_of
from tests.asking import NETWORK, A, code, data, organisation, small_dataset
from tests.snapshots import commit_of

Ask = Callable[..., Answer]
#: Of each membership the earliest and latest day of its start and of its end.
BOUNDS = (
    (("2010-01-01", "2010-12-31"), ("2020-01-01", "2020-01-01")),
    (("2010-01-01", "2010-12-31"), None),
    (None, ("2014-01-01", "2014-12-31")),
    (("2016-01-01", "2016-01-01"), None),
    (None, None),
)


def dataset() -> list[Quad]:
    """The small dataset with bounds of its memberships."""
    quads = small_dataset()
    for number, bounds in enumerate(BOUNDS):
        tie = f"<{ENTITY}membership/o{number}--n--member>"
        for name, days in zip(("started", "ended"), bounds, strict=True):
            for part, day in zip(("Earliest", "Latest"), days or (), strict=False):
                quads.append((tie, f"<{RZ}{name}{part}>", f'"{day}"^^<{XSD}date>', A))
            if days is not None:
                quads.append((tie, f"<{RZ}{name}Text>", f'"{days[0][:4]}"', A))
    return quads


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def ask(model: Model) -> Ask:
    engine = Engine(model, load_schema(model), Settings())
    snapshot = build_snapshot(model, [commit_of(dataset(), (), None)])

    def answer(query: str, variables: dict[str, Any] | None = None) -> Answer:
        request = Request(query, None, variables, ("en", "fr"))
        return engine.answer(request, snapshot, anonymous(engine.settings))

    return answer


@pytest.mark.parametrize(
    ("day", "valid"),
    [
        ("2009-12-31", {2: "POSSIBLE", 4: "POSSIBLE"}),
        ("2010-06-01", {0: "POSSIBLE", 1: "POSSIBLE", 2: "POSSIBLE", 4: "POSSIBLE"}),
        ("2012-01-01", {0: "CERTAIN", 1: "POSSIBLE", 2: "POSSIBLE", 4: "POSSIBLE"}),
        ("2015-01-01", {0: "CERTAIN", 1: "POSSIBLE", 4: "POSSIBLE"}),
        ("2020-01-01", {0: "CERTAIN", 1: "POSSIBLE", 3: "POSSIBLE", 4: "POSSIBLE"}),
        ("2021-01-01", {1: "POSSIBLE", 3: "POSSIBLE", 4: "POSSIBLE"}),
    ],
)
def test_as_of_leaves_out_what_was_not_and_says_what_is_sure(
    ask: Ask, day: str, valid: dict[int, str]
) -> None:
    query = """query($d: Date!) { network(id: "%s") { members(asOf: $d) { totalCount
      edges { certainty node { member { id } certainty(asOf: $d) } } } } }"""
    found = data(ask(query % NETWORK[1:-1], {"d": day}))["network"]["members"]
    edges = found["edges"]
    seen = {int(edge["node"]["member"]["id"][-1]): edge["certainty"] for edge in edges}
    assert seen == valid
    assert found["totalCount"] == len(valid)
    assert all(edge["node"]["certainty"] == edge["certainty"] for edge in edges)


def test_without_a_day_all_times_count_and_nothing_is_said_of_certainty(ask: Ask) -> None:
    found = data(ask("{ memberships { totalCount edges { certainty } } }"))["memberships"]
    assert found == {"totalCount": 5, "edges": [{"certainty": None}] * 5}


def test_a_node_says_of_a_day_that_it_was_not_valid(ask: Ask) -> None:
    query = '{ memberships { nodes { certainty(asOf: "2021-01-01") } } }'
    found = [node["certainty"] for node in data(ask(query))["memberships"]["nodes"]]
    assert found == [None, "POSSIBLE", None, "POSSIBLE", "POSSIBLE"]


def test_a_day_joins_with_conditions_orders_and_pages(ask: Ask) -> None:
    query = """query($after: String) { memberships(asOf: "2012-01-01", first: 2, after: $after,
      where: {status: {eq: STATED}}, orderBy: {started: {earliest: DESC}})
      { nodes { id } pageInfo { hasNextPage endCursor } aggregates { count } } }"""
    first = data(ask(query))["memberships"]
    assert first["aggregates"]["count"] == 4
    rest = data(ask(query, {"after": first["pageInfo"]["endCursor"]}))["memberships"]
    ids = [node["id"] for page in (first, rest) for node in page["nodes"]]
    assert len(set(ids)) == len(ids) == 4
    other = query.replace("2012", "2013")
    assert code(ask(other, {"after": first["pageInfo"]["endCursor"]})) == "BAD_CURSOR"


def test_a_day_can_be_a_condition_of_a_list(ask: Ask) -> None:
    """Who was a member then, asked of organisations: as the argument says it of memberships."""
    query = """query($d: Date!) {
      members: memberships(asOf: $d) { nodes { member { id } } }
      some: organisations(where: {memberships: {some: {asOf: $d}}}) { nodes { id } }
      none: organisations(where: {memberships: {some: {}, none: {asOf: $d}}}) { nodes { id } } }"""
    everyone = {organisation(number)[1:-1] for number in range(5)}
    for day in ("2009-12-31", "2012-01-01", "2015-01-01", "2021-01-01"):
        found = data(ask(query, {"d": day}))
        members = {node["member"]["id"] for node in found["members"]["nodes"]}
        assert {node["id"] for node in found["some"]["nodes"]} == members
        assert {node["id"] for node in found["none"]["nodes"]} == everyone - members


def test_a_day_joins_with_other_conditions(ask: Ask) -> None:
    query = """{ memberships(where: {or: [{asOf: "2009-12-31"}, {asOf: "2021-01-01"}],
      not: {asOf: "2015-01-01"}}) { nodes { member { id } } } }"""
    found = data(ask(query))["memberships"]["nodes"]
    assert [node["member"]["id"] for node in found] == [
        organisation(number)[1:-1] for number in (2, 3)
    ]


def test_a_figure_has_a_day_of_its_own(ask: Ask) -> None:
    query = '{ figures(where: {asOf: {text: {eq: "2012"}}}) { totalCount } }'
    assert data(ask(query))["figures"]["totalCount"] == 0


@pytest.mark.parametrize("day", ["2012", "01/01/2012", "today", ""])
@pytest.mark.parametrize("asked", ["asOf: $d", "where: {asOf: $d}"])
def test_what_is_no_day_is_refused(ask: Ask, day: str, asked: str) -> None:
    answer = ask(f"query($d: Date!) {{ memberships({asked}) {{ totalCount }} }}", {"d": day})
    assert code(answer) == "BAD_VALUE"
    assert "asOf" in answer.errors[0]["message"]


def test_relations_take_bounds_from_what_they_tie_to(model: Model) -> None:
    named = {shape.name: bounds_of(model, iri) for iri, shape in model.classes.items()}
    assert named["Membership"] == (("started",), ("ended",))
    assert named["LabelAward"] == (("validFrom",), ("validUntil",))
    assert named["Signature"] == (("signed",), ("agreement", "validUntil"))
    assert named["ProjectRole"] == (("project", "started"), ("project", "ended"))
    assert named["Source"] is None


def test_completeness_names_what_the_shapes_expect(ask: Ask) -> None:
    query = """query($id: ID!) { node(id: $id) {
      ...on Entity { completeness { share known missing } } } }"""
    first = data(ask(query, {"id": organisation(0)[1:-1]}))["node"]["completeness"]
    assert (first["share"], first["missing"]) == (1.0, [])
    assert "country" in first["known"]
    other = data(ask(query, {"id": organisation(1)[1:-1]}))["node"]["completeness"]
    assert other["missing"] == ["country"]
    assert 0 <= other["share"] < 1


def test_translations_are_all_texts_with_their_languages(ask: Ask) -> None:
    query = """query($lang: [String!]) { cluster(id: "%s") {
      translations(fields: "name", lang: $lang) { field language text } } }"""
    query = query % organisation(0)[1:-1]
    assert data(ask(query))["cluster"]["translations"] == [
        {"field": "name", "language": "en", "text": "Cluster zero"},
        {"field": "name", "language": "fr", "text": "Grappe 0"},
    ]
    french = data(ask(query, {"lang": ["FR"]}))["cluster"]["translations"]
    assert [each["text"] for each in french] == ["Grappe 0"]


def test_nodes_answer_in_the_order_of_their_identifiers(ask: Ask) -> None:
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    ids = [organisation(2)[1:-1], "urn:x:none", NETWORK[1:-1], 'no "iri">', organisation(2)[1:-1]]
    found = data(ask(query, {"ids": ids}))["nodes"]
    assert [node and node["id"] for node in found] == [ids[0], None, ids[2], None, ids[0]]
    assert data(ask(query, {"ids": []}))["nodes"] == []
    assert code(ask(query, {"ids": ["urn:x"] * 501})) == "QUERY_LIMIT"
    assert code(ask(query, {"ids": [None]})) == "GRAPHQL_VALIDATION"
