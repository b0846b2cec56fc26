"""`viewer` and `changes`: who asks, and what was changed."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.writing import (
    HOSTILE,
    Client,
    client,
    http,
    name,
    revision,
)

__all__ = ["client", "http"]  # fixtures


# --- viewer and changes -------------------------------------------------------------------------


def test_viewer_says_who_asks_and_what_it_may(client: Client, http: TestClient) -> None:
    query = (
        "{ me: viewer { __typename name level scopes expires sources limits { nodes cost depth "
        "pageSize writes queryDeadline requestsPerMinute queryTimePerMinute } } revision }"
    )
    anyone = http.post("/graphql", json={"query": query}).json()["data"]["me"]
    assert (anyone["name"], anyone["level"], anyone["scopes"], anyone["expires"]) == (
        "anonymous",
        "PUBLIC",
        [],
        None,
    )
    assert anyone["limits"]["nodes"] == 20_000
    mine = client.ask(query)["me"]
    assert mine["name"] == client.token.name
    assert mine["scopes"] == ["CHANGES", "WRITE"]
    assert mine["expires"] == client.token.expires
    assert mine["limits"]["nodes"] == 100_000
    assert mine["__typename"] == "Viewer"


CHANGES = (
    "query ($since: Int!, $first: Int, $after: String, $types: [String!]) { changes(since: $since, "
    "first: $first, after: $after, types: $types) { pageInfo { hasNextPage hasPreviousPage "
    "endCursor } edges { cursor } nodes { revision time activity message source sources truncated "
    "entities { id types change } } } }"
)


def test_changes_follow_a_revision_page_by_page(client: Client) -> None:
    before = revision(client.http)
    made = client.create(name("Watched One"), why="to be seen", key="watched-1")
    client.ask(
        "mutation ($s: SourceChoice!, $id: ID!) "
        "{ deleteCluster(source: $s, id: $id) { accepted } }",
        s=client.source,
        id=made["id"],
    )
    page = client.ask(CHANGES, since=before)["changes"]
    first, second = page["nodes"]
    assert first["message"] == "to be seen"
    assert (first["revision"], first["source"]) == (before + 1, client.source["id"])
    assert first["activity"] == "mutation"
    assert {"id": made["id"], "types": ["Cluster"], "change": "STATED"} in first["entities"]
    assert second["entities"] == [{"id": made["id"], "types": ["Cluster"], "change": "WITHDRAWN"}]
    assert not page["pageInfo"]["hasNextPage"]
    one = client.ask(CHANGES, since=before, first=1)["changes"]
    assert one["pageInfo"]["hasNextPage"]
    rest = client.ask(CHANGES, since=before, after=one["pageInfo"]["endCursor"])["changes"]
    assert [node["revision"] for node in rest["nodes"]] == [before + 2]
    assert rest["pageInfo"]["hasPreviousPage"]
    none = client.ask(CHANGES, since=before + 2)["changes"]
    assert none["nodes"] == []
    sources = client.ask(CHANGES, since=before, types=["Source"])["changes"]["nodes"]
    assert [node["revision"] for node in sources] == [before + 1]
    assert [e["types"] for e in sources[0]["entities"]] == [["Source"]]
    actors = client.ask(CHANGES, since=before, types=["Actor"])["changes"]["nodes"]
    assert len(actors) == 2
    assert client.ask(CHANGES, since=before, types=["Memorandum"])["changes"]["nodes"] == []


def test_a_large_change_is_cut_and_says_so(client: Client) -> None:
    (seeds,) = client.ask(CHANGES, since=0, first=1)["changes"]["nodes"]
    assert seeds["truncated"]
    assert len(seeds["entities"]) == 1_000
    query = "{ a: changes(since: 0) { nodes { revision } } " + " ".join(
        f"b{n}: changes(since: 0) {{ nodes {{ revision }} pageInfo {{ hasNextPage }} }}"
        for n in range(8)
    )
    data = client.ask(query + " }")
    assert data["b7"]["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(
    "variables",
    [
        {"since": -1},
        {"since": 0, "first": -1},
        {"since": 0, "first": 501},
        {"since": 0, "after": ""},
        {"since": 0, "after": "c"},
        {"since": 0, "after": "c-1"},
        {"since": 0, "after": "c٣"},
        {"since": 0, "after": "c" + "9" * 30},
        {"since": 0, "types": ["Nope"]},
        *({"since": 0, "types": [text]} for text in HOSTILE[:6]),
    ],
)
def test_changes_refuse_what_cannot_be(client: Client, variables: Any) -> None:
    answer = client.post(CHANGES, **variables).json()
    assert answer["data"] == {"changes": None}
    wanted = (
        "BAD_CURSOR" if "after" in variables else "UNKNOWN_TERM" if "types" in variables else ""
    )
    assert answer["errors"][0]["extensions"]["code"] == (wanted or "BAD_VALUE")


def test_a_revision_to_come_has_no_changes(client: Client) -> None:
    assert client.ask(CHANGES, since=2_000_000_000)["changes"]["nodes"] == []


def test_changes_need_their_scope(http: TestClient) -> None:
    query = {"query": "{ changes(since: 0) { nodes { revision } } revision }"}
    answer = http.post("/graphql", json=query).json()
    assert answer["data"]["changes"] is None
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    writer = Client(http, "only-writes", "write")
    answer = writer.post(query["query"]).json()
    assert answer["errors"][0]["extensions"] == {
        "code": "FORBIDDEN",
        "action": answer["errors"][0]["extensions"]["action"],
        "scope": "changes",
    }
