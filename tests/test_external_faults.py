"""A SPARQL server of others that cannot be talked to: said, waited for, and nothing let out."""

from __future__ import annotations

import logging

import pytest

from tests.fake_sparql import FakeServer
from tests.followed import Followed, Make, followed, make, model, quad, server, when

__all__ = ["followed", "make", "model", "server"]  # fixtures

# --- what cannot be talked to ----------------------------------------------------------------

FAULTS = {
    "hang": "its time was over",
    "drip": "its time was over",
    "endless_head": "broke off or spoke no HTTP",
    "die_before": "closed the connection",
    "refuse": "refuses our credentials (HTTP 401)",
    "html": "answered a table as text/html",
    "redirect": "leads elsewhere (HTTP 307), which is not followed",
    "error_inside": "its JSON is not well formed",
    "packed": "broke off or spoke no HTTP",
    "busy": "HTTP 503: busy",
    "no_http": "broke off or spoke no HTTP",
    "die_midway": "broke off",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_way_to_fail_opens_the_circuit_and_is_told(
    followed: Followed, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    followed.server.script = when("query", fault, 99)
    said = followed.step()
    assert said is not None
    assert followed.server.address in caplog.text
    assert followed.server.address not in said, "where it stands is nobody else's business"
    if fault == "die_before":
        assert "closed the connection" in said or "broke off" in said
    else:
        assert FAULTS[fault] in said
    first = followed.follower.retry_after_s
    followed.step()
    assert followed.follower.retry_after_s > first
    followed.server.script = lambda kind, text: None
    assert followed.step() is None
    assert followed.is_right()


def test_an_endless_body_is_read_so_far_and_no_further(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.store.external_requests._BYTES", 200_000)
    followed.server.script = when("query", "endless", 99)
    said = followed.step()
    assert said is not None
    assert "no whole table" in said


def test_a_server_that_is_not_there_is_waited_for(make: Make, server: FakeServer) -> None:
    followed = make(sparql="http://127.0.0.1:9/query")
    followed.commit([quad("s", "1")])
    said = followed.step()
    assert said is not None
    assert "cannot be reached (ConnectionRefusedError" in said


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ({"sparql_user": "rz", "sparql_password": "pass-8c1f"}, "Basic cno6cGFzcy04YzFm"),
        ({"sparql_token": "token-8c1f"}, "Bearer token-8c1f"),
    ],
)
def test_credentials_are_sent_and_never_told(
    make: Make, given: dict[str, str], header: str, caplog: pytest.LogCaptureFixture
) -> None:
    followed = make(**given)
    followed.commit([quad("s", "1")])
    caplog.set_level(logging.DEBUG)
    for fault in ("echo", "refuse", "redirect", "hang"):
        followed.server.script = when("query", fault, 99)
        said = followed.step()
        assert said is not None
        for text in (said, caplog.text, repr(followed.settings), repr(followed.follower.store)):
            assert "8c1f" not in text
            assert header.split()[1] not in text
    assert set(followed.server.authorizations) == {header}
    assert "***" in caplog.text


def test_the_thread_recovers_by_itself_and_ends(followed: Followed, server: FakeServer) -> None:
    follower = followed.follower
    server.script = when("query", "busy", 3)
    follower.start()
    followed.commit([quad("t", "1")])
    follower.tell()
    assert follower.wait_for(2, 20)
    server.script = when("query", "busy", 2)
    follower.suspect()
    followed.commit([quad("t", "2")])
    follower.tell()
    assert follower.wait_for(3, 20)
    follower.close()
    assert not follower._thread.is_alive()
    assert followed.is_right()
