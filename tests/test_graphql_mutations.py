"""Mutations over HTTP: payloads that read like queries, who may send them, and how."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.access import Viewer
from graph.curation.gate import Gate
from graph.curation.mutations import Mutations
from graph.settings import Settings
from graph.store.dataset import Dataset
from graph.terms import ENTITY
from schema.execute import Engine, PreparedMutation, Request
from schema.loading import load_schema
from schema.mutation import Writer
from tests.mutating import MINE, A, viewer
from tests.samples import base, model
from tests.writing import (
    CREATE,
    NETWORK,
    REPORT,
    ROLE,
    Client,
    client,
    http,
    name,
    revision,
)
from web.graphql import GRAPHQL

__all__ = ["client", "http"]  # fixtures


# --- payloads -----------------------------------------------------------------------------------


def test_the_answer_reads_the_entity_at_its_new_revision(client: Client) -> None:
    query = (
        "mutation M($source: SourceChoice!, $input: ClusterInput!, $roles: Boolean!) { "
        "made: createCluster(source: $source, input: $input) { __typename id revision "
        "it: entity { __typename ...F ... on Cluster { born: founded { text latest } } } "
        "entity { memberships @include(if: $roles) { totalCount nodes { status role { label } "
        'memberOf { id ... on Network { name(lang: ["fr"]) } } evidence { nodes { quote } } } } } '
        "} } fragment F on Entity { id label types statedBy { title } }"
    )
    membership = {
        "memberOf": NETWORK,
        "role": ROLE,
        "status": "STATED",
        "evidence": [{"quote": "It joined.", "locator": "page 2"}],
    }
    values = {**name("Brand New"), "founded": "2019?", "memberships": [membership]}
    answer = client.post(query, source=client.source, input=values, roles=True)
    made = answer.json()["data"]["made"]
    assert made["__typename"] == "ClusterPayload"
    iri = f"{ENTITY}organisation/brand-new"
    assert made["it"] == {
        "__typename": "Cluster",
        "id": iri,
        "label": "Brand New",
        "types": ["Cluster"],
        "statedBy": [{"title": client.source["create"]["title"]}],
        "born": {"text": "2019?", "latest": "2019-12-31"},
    }
    (node,) = made["entity"]["memberships"]["nodes"]
    assert node["status"] == "STATED"
    assert node["memberOf"]["id"] == NETWORK
    assert node["evidence"]["nodes"] == [{"quote": "It joined."}]
    assert int(answer.headers["rhizome-revision"]) == made["revision"]
    read = client.ask("query ($id: ID!) { cluster(id: $id) { label } revision }", id=iri)
    assert read == {"cluster": {"label": "Brand New"}, "revision": made["revision"]}


def test_update_and_delete_answer_what_is_left(client: Client) -> None:
    made = client.create({**name("Leaving Soon"), "acronym": "LS"})
    update = (
        "mutation ($s: SourceChoice!, $id: ID!, $i: ClusterInput!) { updateCluster(source: $s, "
        "id: $id, input: $i) { accepted entity { acronym name } } }"
    )
    changed = client.ask(update, s=client.source, id=made["id"], i={"acronym": None})
    assert changed["updateCluster"]["entity"] == {"acronym": None, "name": "Leaving Soon"}
    delete = (
        "mutation ($s: SourceChoice!, $id: ID!) { deleteCluster(source: $s, id: $id) "
        "{ accepted id revision statedBy { id title } } }"
    )
    gone = client.ask(delete, s=client.source, id=made["id"])["deleteCluster"]
    assert (gone["accepted"], gone["statedBy"]) == (True, [])
    known = f"{ENTITY}organisation/vegepolys-valley"
    client.ask(update, s=client.source, id=known, i={"acronym": "VV2"})
    still = client.ask(delete, s=client.source, id=known)["deleteCluster"]
    assert still["accepted"]
    assert len(still["statedBy"]) > 1
    assert client.source["id"] not in {source["id"] for source in still["statedBy"]}


def test_several_acts_are_one_change(client: Client) -> None:
    query = (
        "mutation ($s: SourceChoice!, $w: [WriteInput!]!) { write(source: $s, writes: $w) { "
        f"{REPORT} items {{ action id entity {{ __typename label }} }} }} }}"
    )
    one, two = f"{ENTITY}organisation/act-one", f"{ENTITY}site/act-two"
    acts = [
        {"action": "CREATE", "id": two, "site": name("Act Two")},
        {"action": "CREATE", "id": one, "cluster": {**name("Act One"), "sites": [two]}},
        {"action": "UPDATE", "id": one, "cluster": {"acronym": "AO"}},
    ]
    before = revision(client.http)
    done = client.ask(query, s=client.source, w=acts)["write"]
    assert (done["accepted"], done["revision"]) == (True, before + 1), done["violations"]
    assert [item["entity"]["__typename"] for item in done["items"]] == ["Site"] + ["Cluster"] * 2
    acts = [
        {"action": "UPDATE", "id": one, "cluster": {"homepage": "https://e.org/"}},
        {"action": "UPDATE", "id": one, "cluster": {"acronym": "X" * 81}},
    ]
    refused = client.ask(query, s=client.source, w=acts)["write"]
    assert not refused["accepted"]
    paths = [violation["inputPath"] for violation in refused["violations"]]
    assert ["writes", "1", "cluster", "acronym"] in paths
    assert revision(client.http) == before + 1


@pytest.mark.parametrize(
    "acts",
    [
        [{"action": "CREATE"}],
        [{"action": "UPDATE", "cluster": {}}],
        [{"action": "DELETE"}],
        [{"action": "DELETE", "id": "x:y", "cluster": {}}],
        [{"action": "CREATE", "cluster": {}, "network": {}}],
        [{"action": "CREATE", "source": {"title": "x"}}],
    ],
)
def test_an_act_that_is_none_is_refused(client: Client, acts: list[Any]) -> None:
    query = (
        "mutation ($s: SourceChoice!, $w: [WriteInput!]!) "
        "{ write(source: $s, writes: $w) { accepted } }"
    )
    answer = client.post(query, s=client.source, w=acts).json()
    assert answer["data"] == {"write": None}
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_VALUE"
    assert error["path"] == ["write"]
    assert "writes.0" in error["message"]


def test_too_many_acts_are_refused(client: Client, http: TestClient) -> None:
    query = (
        "mutation ($s: SourceChoice!, $w: [WriteInput!]!) "
        "{ write(source: $s, writes: $w) { accepted } }"
    )
    before = revision(http)
    answer = client.post(query, s=client.source, w=[{"action": "DELETE", "id": "x:y"}] * 501)
    (error,) = answer.json()["errors"]
    assert error["extensions"]["limit"] == "graphql_writes"
    assert revision(http) == before


def _writer(folder: Path, **limits: int) -> tuple[Writer, Viewer]:
    """A writer on a small store, and one who may be answered 100 nodes."""
    settings = Settings(store=folder, **limits)  # type: ignore[arg-type]
    gate = Gate(Dataset.open(settings, model(), with_store=False), model(), settings)
    gate.submit(base(), agent="tests", activity="edit", message="why")
    engine = Engine(model(), load_schema(model()), settings, gate.dataset.log)
    return Writer(engine, Mutations(gate)), replace(viewer(), nodes_max=100)


@pytest.mark.parametrize(
    ("selection", "limit", "limits"),
    [
        ("... on Cluster { memberships(first: 5) { nodes { id } } }", "graphql_nodes", {}),
        ("statedBy { id }", "graphql_cost", {"graphql_cost": 30}),
        ("id", "graphql_nodes", {}),
    ],
)
def test_payloads_of_one_operation_share_its_limits(
    tmp_path: Path, selection: str, limit: str, limits: dict[str, int]
) -> None:
    writer, who = _writer(tmp_path / "store", **limits)
    dataset = writer.mutations.gate.dataset
    query = (
        "mutation ($s: SourceChoice!, $w: [WriteInput!]!) { write(source: $s, writes: $w) "
        f"{{ accepted items {{ entity {{ {selection} }} }} }} }}"
    )

    def answer(acts: int) -> tuple[Any, tuple[Any, ...]]:
        act = {"action": "UPDATE", "id": A, "cluster": {"acronym": "A"}}
        source = {"id": MINE, "create": {"title": "Mine"}}
        request = Request(query, None, {"s": source, "w": [act] * acts}, ("en",), True)
        prepared = writer.engine.prepare(request, dataset.snapshot, who)
        assert isinstance(prepared, PreparedMutation), prepared
        answer = writer.run(prepared)
        assert answer.data is not None
        return answer.data["write"], answer.errors

    try:
        few, errors = answer(5)
        assert errors == ()
        assert len(few["items"]) == 5
        many, errors = answer(150)
    finally:
        dataset.close()
    assert many["accepted"]
    items = [each["entity"] for each in many["items"]]
    assert items[0] == few["items"][0]["entity"]
    assert items[-1] is None
    assert {error["extensions"]["limit"] for error in errors} == {limit}


def test_fields_of_one_operation_are_changes_one_after_the_other(client: Client) -> None:
    query = (
        "mutation ($s: SourceChoice!) { "
        'a: createCluster(source: $s, input: {acronym: "SERIAL"}, '
        f'id: "{ENTITY}organisation/serial") {{ revision }} '
        'b: createCluster(source: $s, input: {acronym: "SERIAL"}, '
        f'id: "{ENTITY}organisation/serial") {{ accepted violations {{ constraint }} }} '
        'c: createCluster(source: {id: "x y"}, input: {}) { accepted } '
        f'd: deleteCluster(source: $s, id: "{ENTITY}organisation/serial") {{ revision }} }}'
    )
    data = client.ask(query, s=client.source)
    assert data["b"] == {"accepted": False, "violations": [{"constraint": "unique"}]}
    assert data["c"] == {"accepted": False}
    assert data["d"]["revision"] == data["a"]["revision"] + 1


def test_a_dry_run_reports_and_writes_nothing(client: Client, http: TestClient) -> None:
    before = revision(http)
    dry = client.create(name("Only A Thought"), dry=True)
    assert (dry["accepted"], dry["entity"], dry["revision"]) == (True, None, before)
    assert dry["id"] == f"{ENTITY}organisation/only-a-thought"
    assert dry["warnings"][0]["severity"] == "Warning"
    assert revision(http) == before


def test_the_report_is_data_with_the_path_to_the_input(client: Client) -> None:
    values = {**name("Wrong"), "euParticipantId": "12", "country": NETWORK}
    refused = client.create(values)
    found = {".".join(v["inputPath"]): v for v in refused["violations"]}
    assert set(found) == {"input.euParticipantId", "input.country"}
    wrong = found["input.euParticipantId"]
    assert (wrong["field"], wrong["constraint"], wrong["value"]) == (
        "euParticipantId",
        "pattern",
        '"12"',
    )
    assert wrong["property"] == "https://w3id.org/rhizome/ontology#euParticipantId"
    assert wrong["focusNode"] == f"{ENTITY}organisation/wrong"
    assert wrong["source"] == client.source["id"]
    assert refused["entity"] is None


def test_a_stale_revision_is_a_conflict_and_a_key_a_repeat(client: Client) -> None:
    first = client.create(name("Keyed One"), key="key-00001", why="first")
    again = client.create(name("Keyed One"), key="key-00001", why="first")
    assert (again["repeated"], again["revision"]) == (True, first["revision"])
    assert again["entity"] == first["entity"]
    reused = client.post(CREATE, source=client.source, input=name("Other"), key="key-00001").json()
    assert reused["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    update = (
        "mutation ($s: SourceChoice!, $id: ID!, $if: Int) { updateCluster(source: $s, id: $id, "
        'ifRevision: $if, input: {acronym: "K1"}) { accepted revision } }'
    )
    stale = client.post(update, **{"s": client.source, "id": first["id"], "if": 1}).json()
    error = stale["errors"][0]["extensions"]
    assert (error["code"], error["expected"]) == ("REVISION_CONFLICT", 1)
    seen = {"s": client.source, "id": first["id"], "if": first["revision"]}
    assert client.ask(update, **seen)["updateCluster"]["accepted"]


def test_writers_at_once_lose_nothing(http: TestClient) -> None:
    before = revision(http)
    failures: list[Any] = []

    def work(number: int) -> None:
        own = Client(http, f"writer-{number}")
        for turn in range(4):
            made = own.create(name(f"At Once {number} {turn}"))
            if not made["accepted"] or made["entity"] is None:
                failures.append(made)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert revision(http) == before + 16


# --- who and how --------------------------------------------------------------------------------

MUTATION = f'mutation {{ deleteCluster(source: {{id: "x:y"}}, id: "{ENTITY}x") {{ accepted }} }}'


@pytest.mark.parametrize("accept", ["application/json", GRAPHQL])
def test_without_the_scope_nothing_is_executed(http: TestClient, accept: str) -> None:
    answer = http.post("/graphql", json={"query": MUTATION}, headers={"Accept": accept})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="rhizome"'
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert "data" not in answer.json()
    reader = Client(http, "reader", "explain")
    answer = reader.post(MUTATION)
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="write"' in answer.headers["www-authenticate"]
    assert answer.json()["errors"][0]["extensions"]["scope"] == "write"


def test_a_mutation_comes_by_post_as_json_alone(client: Client) -> None:
    headers = {"Authorization": f"Bearer {client.text}"}
    http, body = client.http, json.dumps({"query": MUTATION})
    got = http.get("/graphql", params={"query": MUTATION}, headers=headers)
    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    assert got.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"
    form = {**headers, "Accept": "text/html"}
    page = http.get("/graphql", params={"query": MUTATION}, headers=form)
    assert "METHOD_NOT_ALLOWED" in page.text
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        sent = http.post("/graphql", content=body, headers={**headers, "Content-Type": kind})
        assert sent.status_code == 415, kind
    assert http.head("/graphql", params={"query": MUTATION}, headers=headers).status_code == 405


def test_subscriptions_are_not_taken(client: Client) -> None:
    answer = client.post("subscription { __typename }").json()
    assert "errors" in answer


def test_someone_elses_source_and_seeds_cannot_be_written(client: Client, http: TestClient) -> None:
    client.create(name("Theirs"))
    other = Client(http, "other")
    other.source = {"id": client.source["id"]}
    before = revision(http)
    answer = other.post(CREATE, source=other.source, input=name("Mine")).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert answer["data"] == {"createCluster": None}
    other.source = {"id": f"{ENTITY}source/segre-femac-2025"}
    refused = other.create(name("Mine"))
    assert [v["inputPath"] for v in refused["violations"]] == [["source", "id"]]
    other.source = {"id": f"{ENTITY}source/not-begun"}
    assert other.create(name("Mine"))["violations"][0]["constraint"] == "exists"
    assert revision(http) == before


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"source": None, "input": {}},
        {"source": "x", "input": {}},
        {"source": {"create": {}}, "input": {}},
        {"source": {"id": "x:y"}, "input": {"nope": 1}},
        {"source": {"id": "x:y"}, "input": {"acronym": {"a": 1}}},
        {"source": {"id": "x:y"}, "input": {"name": [{"text": "x"}]}},
        {"source": {"id": "x:y"}, "input": {"name": "x"}},
        {"source": {"id": "x:y"}, "input": {}, "if": "one"},
        {"source": {"id": "x:y"}, "input": {}, "dry": "yes"},
        {"source": {"id": "x:y"}, "input": {"memberships": [{"status": "SURE"}]}},
        {"source": {"id": "x:y"}, "input": {"rank": 100}},
        {"source": {"id": "x:y", "create": {"rank": 100}}, "input": {}},
    ],
)
def test_what_the_types_exclude_is_refused_whole(client: Client, variables: Any) -> None:
    before = revision(client.http)
    answer = client.post(CREATE, **variables).json()
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION"
    assert revision(client.http) == before


def test_a_payload_that_asks_too_much_says_so_after_the_change(client: Client) -> None:
    query = CREATE.replace("entity {", "entity { memberships(first: 501) { totalCount }")
    answer = client.post(query, source=client.source, input=name("Greedy")).json()
    assert answer["data"]["createCluster"]["accepted"]
    assert answer["data"]["createCluster"]["entity"] is None
    assert answer["errors"][0]["path"] == ["createCluster", "entity"]
    assert answer["errors"][0]["extensions"]["code"] == "QUERY_LIMIT"
