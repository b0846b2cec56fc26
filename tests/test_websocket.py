"""Subscriptions over WebSocket: the protocol, its bad input, and who is told what."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from tests.seeded import serve
from tests.sockets import begun, connect, made, store, update
from tests.writing import Client, client, http, name, revision

__all__ = ["client", "http", "made", "store"]  # fixtures

ASKED = "kind id fields revision since resume node { id name } previous { name }"

# --- a real job -----------------------------------------------------------------------------


def test_a_change_is_told_to_those_who_watch_it(client: Client, made: str) -> None:
    with begun(client.http) as socket:
        socket.subscribe("all", f"subscription {{ clusterChanged {{ {ASKED} }} }}")
        socket.subscribe(
            "one", "subscription ($i: [ID!]) { changed(ids: $i) { kind id } }", i=[made]
        )
        socket.subscribe("none", 'subscription { networkChanged(ids: ["urn:x"]) { kind } }')
        socket.settle()
        at = update(client, made, acronym="ACR")
        told = {
            message["id"]: message["payload"] for message in (socket.receive(), socket.receive())
        }
        notice = told["all"]["data"]["clusterChanged"]
        assert notice == {
            "kind": "UPDATED",
            "id": made,
            "fields": ["acronym"],
            "revision": at,
            "since": at - 1,
            "resume": at,
            "node": {"id": made, "name": f"Of {client.token.name}"},
            "previous": {"name": f"Of {client.token.name}"},
        }
        assert told["one"]["data"]["changed"] == {"kind": "UPDATED", "id": made}
        socket.send(type="complete", id="all")
        socket.settle()
        update(client, made, acronym="B")
        assert socket.receive()["id"] == "one"


def test_who_comes_back_misses_nothing(client: Client, made: str) -> None:
    before = revision(client.http)
    update(client, made, acronym="ONE")
    update(client, made, acronym="TWO", altNames=[{"text": "Alias", "lang": "en"}])
    query = f"subscription ($since: Int) {{ changed(sinceRevision: $since) {{ {_ANY} }} }}"
    with begun(client.http) as socket:
        socket.subscribe("a", query, since=before)
        told = [socket.next("a")["data"]["changed"]]
        while told[-1]["resume"] < before + 2:
            told.append(socket.next("a")["data"]["changed"])
        assert {(n["kind"], n["id"]) for n in told} == {("UPDATED", made)}
        assert {f for n in told for f in n["fields"]} == {"acronym", "altNames"}
        assert told[0]["since"] == before
        last = update(client, made, acronym="THREE")
        assert socket.next("a")["data"]["changed"]["since"] == last - 1
        socket.subscribe("b", query, since=last)
        socket.subscribe("c", query, since=last + 1)
        assert socket.error("c") == "BAD_VALUE"


_ANY = "kind id fields revision since resume"


def test_queries_and_mutations_are_answered_too(client: Client) -> None:
    with begun(client.http, client.text) as socket:
        socket.subscribe("q", "{ viewer { name } }")
        assert socket.next("q")["data"]["viewer"]["name"] == client.token.name
        assert socket.receive()["type"] == "complete"
        create = (
            "mutation ($source: SourceChoice!, $input: ClusterInput!) "
            "{ createCluster(source: $source, input: $input) { accepted } }"
        )
        socket.subscribe("m", create, source=client.source, input=name("By socket"))
        assert socket.next("m")["data"]["createCluster"]["accepted"]
    with begun(client.http) as socket:
        socket.subscribe("m", create, source=client.source, input=name("By nobody"))
        assert socket.error("m") == "UNAUTHENTICATED"


def test_commits_are_told_to_tokens_with_the_scope(client: Client, made: str) -> None:
    query = "subscription { changed { id commits { agent message revision } } }"
    with begun(client.http, client.text) as socket:
        socket.subscribe("c", query)
        socket.settle()
        at = update(client, made, acronym="WHO")
        (commit,) = socket.next("c")["data"]["changed"]["commits"]
        assert (commit["agent"], commit["revision"]) == (client.token.name, at)
    with begun(client.http) as socket:
        socket.subscribe("c", query)
        assert socket.error("c") == "UNAUTHENTICATED"


# --- what is wrong with one operation ----------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "subscription { nothing { id } }"}, "GRAPHQL_VALIDATION"),
        ({"query": "subscription {"}, "QUERY_SYNTAX"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION"),
        ({"query": 7}, "BAD_VALUE"),
        ({}, "BAD_VALUE"),
        ({"query": "subscription { changed { id } }", "variables": []}, "BAD_VALUE"),
        ({"query": 'subscription { changed(types: ["X"]) { id } }'}, "UNKNOWN_TERM"),
        ({"query": "subscription { changed { id } }", "operationName": "B"}, "BAD_VALUE"),
        (
            {"query": "subscription A { changed { id } } subscription B { changed { id } }"},
            "BAD_VALUE",
        ),
        ({"documentId": "sha256:" + "0" * 64}, "PERSISTED_QUERY_NOT_FOUND"),
    ],
)
def test_what_is_wrong_is_told_to_the_operation(
    http: TestClient, payload: dict[str, Any], code: str
) -> None:
    with begun(http) as socket:
        socket.send(type="subscribe", id="x", payload=payload)
        assert socket.error("x") == code
        socket.subscribe("x", "{ revision }")  # the id is free again
        assert "data" in socket.next("x")


def test_a_plain_request_says_how_to_watch(http: TestClient) -> None:
    answer = http.post("/graphql", json={"query": "subscription { changed { id } }"})
    assert answer.status_code == 405
    assert "text/event-stream" in answer.text
    assert "graphql-transport-ws" in answer.text


# --- what breaks the protocol -------------------------------------------------------------------


def closes(http: TestClient, *messages: Any, begin: bool = True) -> tuple[int, str]:
    with connect(http) as socket:
        if begin:
            socket.begin()
        for message in messages:
            if isinstance(message, bytes):
                socket.session.send_bytes(message)
            else:
                socket.session.send_text(
                    message if isinstance(message, str) else json.dumps(message)
                )
        return socket.closed()


QUERY = {"query": "subscription { changed { id } }"}


@pytest.mark.parametrize(
    ("messages", "begin", "code"),
    [
        ([{"type": "subscribe", "id": "1", "payload": QUERY}], False, 4401),
        ([{"type": "connection_init"}], True, 4429),
        ([{"type": "subscribe", "id": "1", "payload": QUERY}] * 2, True, 4409),
        (["{"], True, 4400),
        (["[]"], True, 4400),
        (["null"], False, 4400),
        ([{"type": "start", "id": "1", "payload": QUERY}], True, 4400),
        ([{"id": "1"}], True, 4400),
        ([{"type": ["subscribe"]}], True, 4400),
        ([{"type": "subscribe", "payload": QUERY}], True, 4400),
        ([{"type": "subscribe", "id": "", "payload": QUERY}], True, 4400),
        ([{"type": "subscribe", "id": 7, "payload": QUERY}], True, 4400),
        ([{"type": "subscribe", "id": "a" * 201, "payload": QUERY}], True, 4400),
        ([{"type": "subscribe", "id": "1"}], True, 4400),
        ([{"type": "subscribe", "id": "1", "payload": "x"}], True, 4400),
        ([{"type": "complete"}], True, 4400),
        ([b"\x00\x01"], True, 4400),
        ([b'{"type": "ping"}'], True, 4400),
        ([{"type": "connection_init", "payload": []}], False, 4400),
    ],
)
def test_what_breaks_the_protocol_closes(
    http: TestClient, messages: list[Any], begin: bool, code: int
) -> None:
    found, reason = closes(http, *messages, begin=begin)
    assert found == code
    assert reason
    assert len(reason.encode()) <= 123


def test_pings_are_answered_and_pongs_are_not(http: TestClient) -> None:
    with connect(http) as socket:
        socket.send(type="ping")
        assert socket.receive() == {"type": "pong"}
        socket.begin()
        socket.send(type="pong", payload={"any": 1})
        socket.send(type="complete", id="unknown")
        socket.send(type="ping", payload={"any": 1})
        assert socket.receive() == {"type": "pong"}


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("other",)])
def test_other_protocols_are_refused(http: TestClient, protocols: tuple[str, ...]) -> None:
    with connect(http, *protocols) as socket:
        assert socket.closed()[0] == 4406


def test_of_several_protocols_ours_is_chosen(http: TestClient) -> None:
    with connect(http, "graphql-ws", "graphql-transport-ws") as socket:
        assert str(socket.session.accepted_subprotocol) == "graphql-transport-ws"
        socket.begin()


def test_without_a_beginning_it_is_closed(store: Path) -> None:
    with serve(store, seeds=False, subscription_init_s=0.2) as http, connect(http) as socket:
        assert socket.closed()[0] == 4408


def test_an_idle_connection_is_closed(store: Path) -> None:
    with serve(store, seeds=False, subscription_idle_s=0.1) as http, begun(http) as socket:
        assert socket.closed() == (1000, "Idle")


def test_a_flood_of_messages_closes(store: Path) -> None:
    with serve(store, seeds=False, subscription_messages=20) as http, begun(http) as socket:
        for _ in range(30):
            socket.send(type="pong")
        assert socket.closed() == (4429, "Too many messages")


def test_operations_count_as_requests(store: Path) -> None:
    with serve(store, seeds=False, rate_api=10) as http, begun(http) as socket:
        codes = []
        for number in range(12):
            socket.subscribe(str(number), "{ revision }")
            message = socket.receive()
            if message["type"] == "next":
                socket.receive()
            else:
                codes.append(message["payload"][0]["extensions"]["code"])
        assert codes
        assert set(codes) == {"RATE_LIMIT"}


# --- who may open a connection, and how many ------------------------------------------------------


def denied(http: TestClient, *protocols: str, path: str = "/graphql", **headers: str) -> Any:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        http.websocket_connect(path, subprotocols=["graphql-transport-ws"], headers=named),
    ):
        pass
    return refused.value


def test_a_foreign_page_may_not_open_one(store: Path) -> None:
    with serve(store, seeds=False, cors_origins="https://tool.example") as http:
        answer = denied(http, origin="https://evil.example")
        assert answer.status_code == 403
        assert answer.json()["code"] == "FORBIDDEN"
        for origin in ("https://tool.example", "http://testserver"):
            with connect(http, origin=origin) as socket:
                socket.begin()
        assert denied(http, origin="null").status_code == 403


def test_other_addresses_have_no_sockets(http: TestClient) -> None:
    answer = denied(http, path="/sparql")
    assert answer.status_code == 404
    assert answer.json()["code"] == "NOT_FOUND"


def test_tokens_that_are_not_valid_are_refused(client: Client) -> None:
    wrong = client.text[:-1] + ("a" if client.text[-1] != "a" else "b")
    answer = denied(client.http, authorization=f"Bearer {wrong}")
    assert answer.status_code == 401
    with connect(client.http) as socket:
        socket.send(type="connection_init", payload={"Authorization": f"Bearer {wrong}"})
        assert socket.closed() == (4403, "Forbidden: the token is not valid")
    with connect(client.http, authorization=f"Bearer {client.text}") as socket:
        socket.begin()
        socket.subscribe("v", "{ viewer { name } }")
        assert socket.next("v")["data"]["viewer"]["name"] == client.token.name


def test_connections_and_subscriptions_are_counted(store: Path) -> None:
    settings = {
        "subscription_connections_per_address": 2,
        "subscriptions_per_connection": 2,
        "subscriptions": 3,
    }
    query = "subscription { changed { id } }"
    with serve(store, seeds=False, **settings) as http:
        with begun(http) as one, begun(http) as two:
            assert denied(http).status_code == 429
            for number in ("a", "b"):
                one.subscribe(number, query)
            one.subscribe("c", query)
            assert one.error("c") == "RATE_LIMIT"
            two.subscribe("a", query)
            two.settle()
            two.subscribe("b", query)
            assert two.error("b") == "STORE_UNAVAILABLE"
            one.send(type="complete", id="a")
            one.settle()
            two.subscribe("b", query)
            two.send(type="ping")
            assert two.receive() == {"type": "pong"}
        deadline = time.monotonic() + 10
        while True:
            try:
                with begun(http):
                    break
            except WebSocketDenialResponse:
                assert time.monotonic() < deadline


def test_connections_in_all_are_counted(store: Path) -> None:
    with serve(store, seeds=False, subscription_connections=1) as http, begun(http):
        answer = denied(http)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
