"""Who is told of changes, until when, and at which pace."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from tests.seeded import serve
from tests.sockets import Socket, begun, made, store, update
from tests.writing import Client, client, http, name
from web.event_stream import _sign_of_life

__all__ = ["client", "http", "made", "store"]  # fixtures


# --- what ends the right to see ----------------------------------------------------------------


def test_revocation_closes_within_five_seconds(store: Path) -> None:
    with serve(store, seeds=False, rate_token_api=0) as http:
        client = Client(http, "soon-gone", "changes")
        with begun(http, client.text) as socket:
            socket.subscribe("c", "subscription { changed { id } }")
            socket.settle()
            began = time.monotonic()
            http.app.state.service.tokens.revoke(client.token.id)  # type: ignore[attr-defined]
            assert socket.closed()[0] == 4403
            assert time.monotonic() - began < 5


def test_after_revocation_nothing_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.websocket.CHECK_S", 60)  # only the check before each notice is left
    with serve(store, seeds=False, rate_token_api=0) as http:
        reader, writer = Client(http, "reader", "changes"), Client(http, "writer")
        with begun(http, reader.text) as socket:
            socket.subscribe("c", "subscription { changed { id } }")
            socket.settle()
            http.app.state.service.tokens.revoke(reader.token.id)  # type: ignore[attr-defined]
            writer.create(name("Unseen"))
            code, _ = socket.closed()
            assert code == 4403


def test_a_revoked_token_asks_nothing_more(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.websocket.CHECK_S", 60)
    with serve(store, seeds=False, rate_token_api=0) as http:
        client = Client(http, "brief", "changes")
        with begun(http, client.text) as socket:
            http.app.state.service.tokens.revoke(client.token.id)  # type: ignore[attr-defined]
            socket.subscribe("q", "{ changes(since: 0) { nodes { message } } }")
            assert socket.closed()[0] == 4403


def test_expiry_ends_it(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(store, seeds=False, rate_token_api=0) as http:
        client = Client(http, "expiring", "changes")
        tokens = http.app.state.service.tokens  # type: ignore[attr-defined]
        with begun(http, client.text) as socket:
            socket.subscribe("c", "subscription { changed { id } }")
            socket.settle()
            monkeypatch.setattr(tokens, "_clock", lambda: time.time() + 400 * 86_400)
            assert socket.closed()[0] == 4403


# --- pace -------------------------------------------------------------------------------------


def test_a_slow_reader_is_told_of_several_commits_as_one(store: Path) -> None:
    with serve(store, seeds=False, rate_token_api=0, subscription_backlog=2) as http:
        client = Client(http, "quick")
        made = client.create(name("Often changed"))["id"]
        service = http.app.state.service  # type: ignore[attr-defined]
        query = "subscription { clusterChanged { since revision resume fields node { acronym } } }"
        with begun(http) as socket:
            socket.subscribe("s", query)
            socket.settle()
            long = Event()  # a notice that takes long to make
            assert http.portal is not None
            http.portal.start_task_soon(service.streams._lane.run, partial(long.wait, 30), 10)
            first = update(client, made, acronym="0")
            _settle(socket)
            for number in range(1, 7):
                last = update(client, made, acronym=str(number))
            assert len(service.streams.versions._kept) == 2
            long.set()
            notice = socket.next("s")["data"]["clusterChanged"]
            assert (notice["since"], notice["revision"]) == (first - 1, first)
            notice = socket.next("s")["data"]["clusterChanged"]
            assert (notice["since"], notice["revision"]) == (first, last)
            assert notice["node"]["acronym"] == "6"
            assert notice["resume"] == last


def _settle(socket: Socket) -> None:
    socket.send(type="ping")
    assert socket.receive() == {"type": "pong"}


def test_no_place_is_given_in_the_middle_of_a_version(client: Client, made: str) -> None:
    streams = client.http.app.state.service.streams  # type: ignore[attr-defined]
    with begun(client.http) as socket:
        before = update(client, made, acronym="BEFORE")
        socket.subscribe("s", "subscription ($i: [ID!]) { changed(ids: $i) { id } }", i=[made])
        socket.settle()
        (stream,) = streams._running
        assert _sign_of_life(stream) == b"id: %d\n\n" % before
        long = Event()
        assert client.http.portal is not None
        client.http.portal.start_task_soon(streams._lane.run, partial(long.wait, 30), 10)
        after = update(client, made, acronym="AFTER")
        _wait_until(lambda: stream.is_telling)
        assert _sign_of_life(stream) == b":\n\n"
        long.set()
        socket.next("s")
        _wait_until(lambda: not stream.is_telling)
        assert _sign_of_life(stream) == b"id: %d\n\n" % after


def _wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_each_commit_is_told_by_itself_to_who_keeps_up(client: Client, made: str) -> None:
    query = "subscription ($i: [ID!]) { clusterChanged(ids: $i) { since revision } }"
    with begun(client.http) as socket:
        socket.subscribe("s", query, i=[made])
        socket.settle()
        for number in range(5):
            last = update(client, made, acronym=f"N{number}")
        told = [socket.next("s")["data"]["clusterChanged"] for _ in range(5)]
        assert [n["revision"] for n in told] == list(range(last - 4, last + 1))
        assert all(n["since"] == n["revision"] - 1 for n in told)


def test_who_lies_too_far_back_is_told_to_begin_anew(store: Path) -> None:
    with serve(store, seeds=False, rate_token_api=0, subscription_resume_statements=100) as http:
        query = "subscription { changed(sinceRevision: 0) { id } }"
        with begun(http) as socket:
            socket.subscribe("s", query)
            assert socket.error("s") == "GONE"
    with serve(store, seeds=False, subscription_resume=0) as http, begun(http) as socket:
        socket.subscribe("s", query)
        assert socket.error("s") == "GONE"


def test_who_used_the_query_time_up_may_not_resume(store: Path) -> None:
    with serve(store, seeds=False, rate_query_s=0.001) as http, begun(http) as socket:
        query = "subscription ($s: Int) { changed(sinceRevision: $s) { resume } }"
        socket.subscribe("a", query, s=0)
        rate = http.app.state.service.limiter.query_s  # type: ignore[attr-defined]
        deadline = time.monotonic() + 20
        while not rate.wait_s("testclient", time.monotonic()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        socket.subscribe("b", query, s=0)
        while (message := socket.receive())["id"] != "b":
            pass
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMIT"


# --- the end ------------------------------------------------------------------------------------


def test_the_end_of_the_service_is_told(store: Path) -> None:
    with serve(store, seeds=False) as http, begun(http) as socket:
        socket.subscribe("s", "subscription { changed { id } }")
        socket.settle()
        streams = http.app.state.service.streams  # type: ignore[attr-defined]
        http.portal.call(streams.close)  # type: ignore[union-attr]
        assert socket.closed() == (1012, "Service restart")
