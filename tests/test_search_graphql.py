"""The root field `search` as a client meets it: answers, pages, limits, what it refuses."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyoxigraph
import pytest
from starlette.testclient import TestClient

from graph.access import anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot, step
from graph.store.snapshot import Snapshot
from graph.terms import RZ, Quad, is_literal, read_literal
from schema.execute import Answer, Engine, Request
from schema.loading import load_schema
from schema.search_types import searched_classes
from schema.types import build_schema
from tests.documents import Documents
from tests.naive import Naive
from tests.snapshots import commit_of

SEEDS = Path(__file__).parent.parent / "seeds"
HITS = """query(
  $text: String!, $types: [ClassName!], $lang: [String!], $first: Int, $after: String
) {
  search(text: $text, types: $types, lang: $lang, first: $first, after: $after) {
    edges { cursor score match field text language highlights { text matched }
            node { id label __typename } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""

Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def engine(model: Model) -> Engine:
    return Engine(model, build_schema(model), Settings())


@pytest.fixture(scope="module")
def quads() -> list[Quad]:
    return [
        (str(q.subject), str(q.predicate), str(q.object), str(q.graph_name))
        for path in sorted(SEEDS.glob("*.trig"))
        for q in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TRIG)
    ]


@pytest.fixture(scope="module")
def snapshot(model: Model, quads: list[Quad]) -> Snapshot:
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    snapshot.search.build(snapshot)
    return snapshot


@pytest.fixture
def ask(engine: Engine, snapshot: Snapshot) -> Ask:
    def ask(query: str, settings: Settings | None = None, **variables: Any) -> Answer:
        used = engine
        if settings is not None:
            used = Engine(engine.model, engine.schema, settings)
        viewer = anonymous(used.settings)
        return used.answer(Request(query, variables=variables), snapshot, viewer)

    return ask


def hits(answer: Answer) -> list[dict[str, Any]]:
    assert answer.data is not None, answer.errors
    edges: list[dict[str, Any]] = answer.data["search"]["edges"]
    return edges


def code(answer: Answer) -> tuple[str, str]:
    """Return code and message of the one error."""
    [error] = answer.errors
    return error["extensions"]["code"], error["message"]


# --- answers --------------------------------------------------------------------------------------


def test_an_old_acronym_finds_the_cluster_and_says_why(ask: Ask) -> None:
    [hit] = hits(ask(HITS, text="peifl", types=["Organisation"]))
    assert hit["node"]["__typename"] == "Cluster"
    assert hit["node"]["id"].endswith("/organisation/peifl")
    assert (hit["match"], hit["field"], hit["text"], hit["language"]) == (
        *("EXACT", "acronym", "PEIFL"),
        None,
    )
    assert hit["highlights"] == [{"text": "PEIFL", "matched": True}]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Ind.Agro.Pol", "ind-agro-pol"),
        ("IND AGRO POL", "ind-agro-pol"),
        ("indagropol", "ind-agro-pol"),
        ("innov’alliance", "innov-alliance"),
        ("innovalliance", "innov-alliance"),
        ("vegepolis valley", "vegepolys-valley"),
        ("vegepolys vall", "vegepolys-valley"),
        ("pole europeen innovation fruits legumes", "peifl"),
    ],
)
def test_organisations_are_found_as_people_write_them(ask: Ask, text: str, slug: str) -> None:
    found = hits(ask(HITS, text=text, types=["Organisation"], first=1))
    assert [hit["node"]["id"].rpartition("/")[2] for hit in found] == [slug]


def test_what_is_below_a_hit_is_selected_as_elsewhere(ask: Ask) -> None:
    query = """{ search(text: "plant intercluster", types: Network, first: 1) {
      nodes { label(lang: "fr") types ... on Network { members(first: 2) {
        nodes { member { label } } totalCount } } }
      edges { n: node { ... on Network { n: name } } kind: __typename } } }"""
    answer = ask(query)
    assert answer.data is not None, answer.errors
    [node] = answer.data["search"]["nodes"]
    assert len(node["members"]["nodes"]) == 2 < node["members"]["totalCount"]
    assert answer.data["search"]["edges"] == [
        {"n": {"n": "Plant InterCluster"}, "kind": "SearchHit"}
    ]


def test_languages_and_classes_narrow_what_is_found(ask: Ask) -> None:
    texts = hits(ask(HITS, text="champignons", lang=["fr"]))
    assert texts
    assert {hit["language"] for hit in texts} <= {"fr", None}
    assert hits(ask(HITS, text="champignons", lang=["en"], types=["Concept"])) == []
    kinds = hits(ask(HITS, text="plant", types=["Project", "Event"]))
    assert kinds
    assert {hit["node"]["__typename"] for hit in kinds} <= {"Project", "Event"}
    assert hits(ask(HITS, text="plant", types=[])) == []
    assert hits(ask(HITS, text="plant", types=None)) == hits(ask(HITS, text="plant"))


def test_a_large_commit_and_those_after_it_can_be_searched(
    model: Model, engine: Engine, quads: list[Quad]
) -> None:
    def texts(version: Snapshot, text: str) -> list[str]:
        query, viewer = Request(HITS, variables={"text": text}), anonymous(engine.settings)
        return [hit["text"] for hit in hits(engine.answer(query, version, viewer))]

    start = build_snapshot(model)
    start.search.build(start)
    large = commit_of(quads, (), None)
    assert len(quads) > 2_000
    old = [quad for quad in quads if quad[1:3] == (f"<{RZ}acronym>", '"PEIFL"')]
    new = [(s, p, '"QXQXQ"', g) for s, p, _, g in old]
    renamed = commit_of(new, old, large)
    gone = commit_of((), [q for q in quads if q not in old and q[0] != old[0][0]], renamed)
    versions = [start]
    for commit in (large, renamed, gone):
        versions.append(step(versions[-1], commit))
    assert [texts(version, "peifl")[:1] == ["PEIFL"] for version in versions] == [
        *(False, True, False, False)
    ]
    assert [texts(version, "qxqxq") for version in versions] == [[], [], ["QXQXQ"], ["QXQXQ"]]
    assert [bool(texts(version, "vegepolys")) for version in versions] == [False, True, True, False]


def test_every_class_that_is_offered_can_be_searched_and_relations_are_not(model: Model) -> None:
    names = set(searched_classes(model))
    assert {"Organisation", "Cluster", "Concept", "Project", "Actor", "Event"} <= names
    assert not names & {"Membership", "Signature", "Evidence"}


def test_the_committed_schema_answers_as_the_built_one(
    engine: Engine, model: Model, snapshot: Snapshot
) -> None:
    request = Request(HITS, variables={"text": "agro", "types": ["Cluster"], "first": 3})
    committed = Engine(model, load_schema(model), Settings())
    viewer = anonymous(Settings())
    assert committed.answer(request, snapshot, viewer) == engine.answer(request, snapshot, viewer)


@pytest.mark.parametrize("seed", range(6))
def test_search_equals_naive_on_random_documents(
    engine: Engine, model: Model, snapshot: Snapshot, quads: list[Quad], seed: int
) -> None:
    naive = Naive(model, engine.schema, quads, dict.fromkeys((q[3] for q in quads), 1), 1)
    texts = sorted({read_literal(q[2])[0] for q in quads if is_literal(q[2])})
    documents = Documents(engine.schema, seed, sorted({q[0][1:-1] for q in quads}), texts)
    answered = 0
    for _ in range(12):
        document = documents.draw_search()
        request = Request(document, languages=("en", "fr"))
        answer = engine.answer(request, snapshot, anonymous(engine.settings))
        if answer.errors:
            codes = {error["extensions"]["code"] for error in answer.errors}
            assert codes <= {"QUERY_LIMIT", "GRAPHQL_VALIDATION"}, (document, answer.errors)
            continue
        answered += 1
        assert answer.data == naive.answer(document), document
    assert answered >= 6


def test_the_example_of_the_page_on_search_is_answered(ask: Ask) -> None:
    page = (SEEDS.parent / "docs" / "search.md").read_text(encoding="utf-8")
    found = hits(ask(page.partition("```graphql\n")[2].partition("```")[0]))
    assert found[0]["node"]["label"] == "VEGEPOLYS VALLEY"
    assert found[0]["node"]["country"]["label"] == "France"


# --- pages ----------------------------------------------------------------------------------------


def test_pages_follow_each_other_and_hold_each_hit_once(ask: Ask) -> None:
    whole = hits(ask(HITS, text="agro", first=500))
    found: list[dict[str, Any]] = []
    after = None
    while True:
        answer = ask(HITS, text="agro", first=7, after=after)
        page = hits(answer)
        found += page
        assert answer.data is not None
        info = answer.data["search"]["pageInfo"]
        assert info["hasPreviousPage"] == (after is not None)
        assert (info["startCursor"], info["endCursor"]) == (page[0]["cursor"], page[-1]["cursor"])
        after = info["endCursor"]
        if not info["hasNextPage"]:
            break
    assert found == whole
    assert len(found) > 20


def test_a_search_ends_at_its_depth(ask: Ask) -> None:
    settings = replace(Settings(), search_hits=10)
    answer = ask(HITS, settings, text="agro", first=7)
    assert answer.data is not None
    info = answer.data["search"]["pageInfo"]
    assert info["hasNextPage"]
    last = ask(HITS, settings, text="agro", first=7, after=info["endCursor"])
    assert len(hits(last)) == 3
    assert last.data is not None
    assert not last.data["search"]["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        base64.urlsafe_b64encode(b"1:https://example.org/a").decode(),
        base64.urlsafe_b64encode(b"s1:000000000000:0:0:4:https://example.org/a").decode(),
        base64.urlsafe_b64encode(b"s1:0:a:b:c:d").decode(),
    ],
)
def test_a_cursor_that_no_page_gave_is_refused(ask: Ask, cursor: str) -> None:
    found, message = code(ask(HITS, text="agro", after=cursor))
    assert found == "BAD_CURSOR"
    assert "search.after" in message


def test_a_cursor_of_another_search_is_refused(ask: Ask) -> None:
    cursor = hits(ask(HITS, text="agro", first=1))[0]["cursor"]
    assert hits(ask(HITS, text="Agro", after=cursor, first=1))  # the same words
    for other in ({"text": "agri"}, {"text": "agro", "lang": ["fr"]}):
        assert code(ask(HITS, **other, after=cursor))[0] == "BAD_CURSOR"
    forged = base64.urlsafe_b64decode(cursor).replace(b"https://", b"no iri <")
    given = base64.urlsafe_b64encode(forged).decode()
    assert code(ask(HITS, text="agro", after=given))[0] == "BAD_CURSOR"


# --- limits and bad input -------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "   ", "🌱", '"*^:()-', "\x00", "\u202e\u0301"])
def test_a_text_with_nothing_to_find_is_refused(ask: Ask, text: str) -> None:
    found, message = code(ask(HITS, text=text))
    assert found == "BAD_VALUE"
    assert "at least one letter or digit" in message


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        ({"text": "x" * 10_000}, "search_letters"),
        ({"text": " ".join("abcdefghijklmnopqrstuvwxyz")}, "search_words"),
        ({"text": "x", "types": ["Cluster"] * 51}, "search_choices"),
        ({"text": "x", "lang": ["fr"] * 51}, "search_choices"),
        ({"text": "x", "first": 501}, "page_size_max"),
    ],
)
def test_what_is_over_a_limit_names_it(ask: Ask, variables: dict[str, Any], limit: str) -> None:
    found, message = code(ask(HITS, **variables))
    assert found == "QUERY_LIMIT"
    assert limit in message


@pytest.mark.parametrize(
    "text",
    [
        *('agro" OR 1', "agro*", "name:agro", "NEAR(agro pole)", "(agro", "agro -pole", "^agro"),
        *("a\x00gro", "agro\n\r\t", "שלום agro", "agro 🌱", "a\u0300gro", "\u202eagro\u202c"),
        *("' --", "%agro%", "<b>agro</b>", "\\", "agro~2", "[agro TO z]", "植物", "ß", "œ"),
    ],
)
def test_signs_have_no_meaning_and_break_nothing(ask: Ask, text: str) -> None:
    answer = ask(HITS, text=text)
    if any(letter.isalnum() for letter in text):
        assert not answer.errors
    else:
        assert code(answer)[0] == "BAD_VALUE"


def test_a_negative_page_is_refused_and_an_empty_one_is_empty(ask: Ask) -> None:
    assert code(ask(HITS, text="agro", first=-1))[0] == "BAD_VALUE"
    assert hits(ask(HITS, text="agro", first=0)) == []


def test_a_class_that_does_not_exist_is_refused_with_a_suggestion(ask: Ask) -> None:
    found, message = code(ask('{ search(text: "x", types: [Clustre]) { nodes { id } } }'))
    assert found == "GRAPHQL_VALIDATION"
    assert "Cluster" in message


def test_nodes_of_a_search_count_in_the_limits(ask: Ask) -> None:
    query = '{ search(text: "agro", first: 50) { nodes { id } } }'
    assert code(ask(query, replace(Settings(), graphql_nodes=5))) == (
        "QUERY_LIMIT",
        "over the limit graphql_nodes at search: at most 5, got 50",
    )
    dear = '{ a: search(text: "agro", first: 50) { nodes { claims { value } } } }'
    assert code(ask(dear, replace(Settings(), graphql_cost=500)))[0] == "QUERY_LIMIT"


def test_a_search_before_the_index_is_there_can_be_tried_again(
    engine: Engine, model: Model
) -> None:
    snapshot = build_snapshot(model)
    request = Request('{ search(text: "x") { nodes { id } } }')
    answer = engine.answer(request, snapshot, anonymous(engine.settings))
    assert code(answer)[0] == "STORE_UNAVAILABLE"
    assert answer.error is not None
    assert answer.error.retry


def test_the_server_searches_what_it_holds(client: TestClient) -> None:
    body = {"query": HITS, "variables": {"text": "vegepolis valley"}}
    for _ in range(200):  # the index is made in the background
        answer = client.post("/graphql", json=body)
        if answer.status_code != 503:
            break
    assert answer.status_code == 200
    [hit, *_] = answer.json()["data"]["search"]["edges"]
    assert hit["node"]["label"] == "VEGEPOLYS VALLEY"
