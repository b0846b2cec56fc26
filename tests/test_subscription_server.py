"""Subscriptions on a server of its own: events, large frames, slow readers, and its end."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from graph.settings import Settings
from graph.store.access_tokens import Token, Tokens
from graph.terms import ENTITY
from tests.require import ROOT
from tests.running import Running

CREATE = (
    "mutation ($source: SourceChoice!, $input: ClusterInput!) "
    "{ createCluster(source: $source, input: $input) { accepted revision id } }"
)
SOURCE = {"id": f"{ENTITY}source/served", "create": {"title": "Served"}}
WATCH = "subscription ($s: Int) { clusterChanged(sinceRevision: $s) { id kind revision resume } }"


def copy(seeded_store: Path, folder: Path) -> tuple[Path, str, Token]:
    """A store with the seeds and a token."""
    store = folder / "store"
    shutil.copytree(seeded_store, store)
    text, token = Tokens.open(Settings(store=store)).create(["write", "changes"], name="served")
    return store, text, token


class Served:
    """A server, and a client that writes."""

    def __init__(self, store: Path, text: str, token: Token, **settings: str) -> None:
        variables = {"RHIZOME_RATE_API": "0", "RHIZOME_RATE_TOKEN_API": "0", **settings}
        self.running = Running(store, **variables).ready()
        self.text, self.token, self.store = text, token, store
        self.host = self.running.address.removeprefix("http://")

    def create(self, name: str) -> int:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        body = {
            "query": CREATE,
            "variables": {
                "source": SOURCE,
                "input": {"name": [{"text": name, "lang": "en"}]},
            },
        }
        head = {"Authorization": f"Bearer {self.text}", "Content-Type": "application/json"}
        connection.request("POST", "/graphql", json.dumps(body), head)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        done = answer["data"]["createCluster"]
        assert done["accepted"]
        revision: int = done["revision"]
        return revision

    @contextmanager
    def socket(self, **payload: str) -> Iterator[ClientConnection]:
        protocol = Subprotocol("graphql-transport-ws")
        address = f"ws://{self.host}/graphql"
        with connect(address, subprotocols=[protocol], compression=None) as opened:
            opened.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert json.loads(opened.recv(10)) == {"type": "connection_ack"}
            yield opened

    def events(self, **options: Any) -> Events:
        return Events(self.host, **options)


class Events:
    """One stream of server-sent events, read event by event."""

    def __init__(
        self,
        host: str,
        query: str = WATCH,
        method: str = "POST",
        variables: dict[str, Any] | None = None,
        **headers: str,
    ) -> None:
        self.connection = http.client.HTTPConnection(host, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        head = {"Accept": "text/event-stream", "Content-Type": "application/json", **named}
        if method == "POST":
            body = json.dumps({"query": query, "variables": variables})
            self.connection.request("POST", "/graphql", body, head)
        else:
            path = f"/graphql?{urlencode({'query': query})}"
            self.connection.request("GET", path, headers=head)
        self.answer = self.connection.getresponse()

    def read(self) -> dict[str, str] | None:
        """The next event, signs of life left out; None at the end of the stream."""
        found: dict[str, str] = {}
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if text and not text.startswith(":"):
                name, _, value = text.partition(":")
                found[name] = value.removeprefix(" ")
            elif "data" in found:
                return found
            elif not text:
                found = {}  # without data it is no event
        return None

    def wait_for_id(self) -> int:
        """The next id that comes without data."""
        for _ in range(100):  # signs of life without a place may come before
            line = self.answer.readline()
            assert line
            assert not line.startswith(b"data:")
            if line.startswith(b"id:"):
                break
        assert line.startswith(b"id:")
        assert self.answer.readline() == b"\n"
        return int(line.partition(b":")[2])

    def next(self) -> Any:
        event = self.read()
        assert event is not None
        assert event["event"] == "next"
        return json.loads(event["data"])

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@pytest.fixture(scope="module")
def served(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store, text, token = copy(seeded_store, tmp_path_factory.mktemp("subscriptions"))
    found = Served(store, text, token, RHIZOME_SUBSCRIPTION_ALIVE_S="0.5")
    try:
        yield found
    finally:
        found.running.close()


def test_changes_come_as_events(served: Served) -> None:
    events = served.events()
    assert events.answer.status == 200
    assert events.answer.getheader("content-type") == "text/event-stream; charset=utf-8"
    assert events.answer.getheader("cache-control") == "no-cache"
    assert events.answer.getheader("x-accel-buffering") == "no"
    at = served.create("By event")
    event = events.read()
    assert event is not None
    assert (event["event"], event["id"]) == ("next", str(at))
    notice = json.loads(event["data"])["data"]["clusterChanged"]
    assert (notice["kind"], notice["revision"], notice["resume"]) == ("CREATED", at, at)
    events.close()


def test_an_event_source_goes_on_where_it_was(served: Served) -> None:
    first = served.create("Before the break")
    second = served.create("During the break")
    events = served.events(method="GET", last_event_id=str(first))
    assert events.next()["data"]["clusterChanged"]["revision"] == second
    events.close()
    events = served.events(variables={"s": first})
    assert events.next()["data"]["clusterChanged"]["revision"] == second
    events.close()
    events = served.events(method="GET", last_event_id="no number")
    third = served.create("After the break")
    assert events.next()["data"]["clusterChanged"]["revision"] == third
    events.close()


def test_other_operations_and_refusals_end_at_once(served: Served) -> None:
    events = served.events(query="{ revision }")
    assert events.next()["data"]["revision"] > 0
    assert events.read() == {"event": "complete", "data": ""}
    assert events.read() is None
    events.close()
    events = served.events(query="subscription { nothing }")
    assert events.next()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION"
    assert events.read() == {"event": "complete", "data": ""}
    events.close()
    events = served.events(Authorization="Bearer rhz_wrong")
    assert events.answer.status == 401
    events.close()
    events = served.events(query="mutation { deleteCluster }", method="GET")
    assert "errors" in events.next()
    events.close()


def test_signs_of_life_come_between_events(served: Served) -> None:
    events = served.events()
    first = events.wait_for_id()
    assert [events.wait_for_id() for _ in range(2)] == [first, first]
    at = served.create("Between signs of life")
    event = events.read()
    assert event is not None
    assert event["id"] == str(at)
    assert events.wait_for_id() == at
    events.close()
    events = served.events(query="subscription { networkChanged { id } }")
    assert events.wait_for_id() == at
    at = served.create("Of no concern")
    while (found := events.wait_for_id()) < at:
        pass
    assert found == at
    events.close()


def test_who_was_told_of_nothing_yet_misses_nothing(served: Served) -> None:
    known = served.create("Prior knowledge")
    events = served.events(method="GET")
    assert events.wait_for_id() == known
    events.close()
    missed = [served.create("Missed at once"), served.create("Later, by nobody seen")]
    events = served.events(method="GET", last_event_id=str(known))
    assert events.wait_for_id() == known, "not beyond what is to be told first"
    told = [events.next()["data"]["clusterChanged"]["revision"] for _ in missed]
    assert told == missed
    events.close()


def test_a_frame_that_is_too_large_closes(served: Served) -> None:
    with served.socket() as opened:
        opened.send('{"type": "ping", "payload": {"a": "' + "x" * 70_000 + '"}}')
        with pytest.raises(ConnectionClosed):
            opened.recv(10)
        assert opened.close_code == 1009


def test_who_goes_on_sending_still_learns_why_it_ends(served: Served) -> None:
    host, port = served.host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(
            b"GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 101")
        first, further = b"\x01", b"\x00"  # a text in pieces that does not end
        piece = b"\xfe%b\0\0\0\0" % (1000).to_bytes(2, "big") + b"x" * 1000
        raw.sendall(first + piece + b"".join([further + piece] * 99))
        for _ in range(5):  # a server that had closed would reset the connection now
            time.sleep(0.1)
            raw.sendall(further + piece)
        received = b""
        while more := raw.recv(4096):
            received += more
        assert received[:2] == bytes([0x88, len(received) - 2]), "a closing frame, and the end"
        assert int.from_bytes(received[2:4], "big") == 1009


def test_text_that_is_not_unicode_closes(served: Served) -> None:
    with served.socket() as opened:
        opened.socket.sendall(b"\x81\x82\x00\x00\x00\x00\xff\xfe")
        with pytest.raises(ConnectionClosed):
            opened.recv(10)
        assert opened.close_code == 1007


def test_connections_that_end_are_counted_out(served: Served) -> None:
    for _ in range(3):  # 32 connections of an address, 16 of them for subscriptions
        with ExitStack() as stack:
            for _ in range(12):
                stack.enter_context(served.socket())
    host, port = served.host.split(":")
    for _ in range(40):
        raw = socket.create_connection((host, int(port)))
        raw.sendall(
            b"GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 4")
        raw.close()
    assert served.running.get("/ready").status == 200


def test_who_leaves_with_a_question_is_counted_out(served: Served) -> None:
    ping = b'\x81\x8f\x00\x00\x00\x00{"type":"ping"}'
    close = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
    for _ in range(Settings().subscription_connections_per_address + 1):
        with served.socket() as opened:
            opened.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": WATCH}}))
            opened.send('{"type": "ping"}')
            assert json.loads(opened.recv(10)) == {"type": "pong"}
            opened.socket.sendall(ping + close)  # in one piece: the answer finds nobody
            with pytest.raises(ConnectionClosed):
                opened.recv(10)


def test_an_open_socket_outlives_the_deadline_of_a_head(seeded_store: Path, tmp_path: Path) -> None:
    short = {"RHIZOME_HEADER_DEADLINE_S": "0.3", "RHIZOME_SUBSCRIPTION_ALIVE_S": "60"}
    store, text, token = copy(seeded_store, tmp_path)
    served = Served(store, text, token, **short)
    try:
        with served.socket() as opened:
            time.sleep(1)
            opened.send('{"type": "ping"}')
            assert json.loads(opened.recv(10)) == {"type": "pong"}
    finally:
        served.running.close()


def test_a_reader_that_takes_nothing_is_let_go(seeded_store: Path, tmp_path: Path) -> None:
    served = Served(*copy(seeded_store, tmp_path), RHIZOME_STALLED_S="0.5")
    try:
        claims = " ".join(f"a{n}: claims {{ value source {{ id }} }}" for n in range(20))
        query = f"subscription {{ changed(sinceRevision: 0) {{ node {{ {claims} }} }} }}"
        body = json.dumps({"query": query}).encode()
        host, port = served.host.split(":")
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((host, int(port)))
        raw.sendall(
            b"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        raw.settimeout(60)
        assert raw.recv(100).startswith(b"HTTP/1.1 200"), "and from now on it takes nothing"
        _wait_until_let_go(served.running.process.pid, raw.getsockname()[1])
        assert _is_cut(raw)
        raw.close()
    finally:
        served.running.close()


def _wait_until_let_go(server: int, port: int) -> None:
    """Wait until a server no longer holds the connection of a client's port."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        held = psutil.Process(server).net_connections("tcp")
        if not any(each.raddr and each.raddr.port == port for each in held):
            return
        time.sleep(0.2)
    raise AssertionError("who takes nothing holds its connection still")


def _is_cut(raw: socket.socket) -> bool:
    """Whether what comes is broken off."""
    last = b""
    try:
        while piece := raw.recv(65536):
            last = (last + piece)[-20:]
    except ConnectionError:
        return True
    return not last.endswith(b"0\r\n\r\n")


def test_a_token_revoked_by_command_ends_what_it_watches(served: Served) -> None:
    other, token = Tokens.open(Settings(store=served.store)), served.token
    assert [t.id for t in other.all()] == [token.id]
    server, store = [sys.executable, str(ROOT / "server.py")], ["--store", str(served.store)]
    made = subprocess.run(
        [*server, "token", "create", *store, "--scope", "changes", "--name", "brief"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert made.returncode == 0, made.stderr
    text = next(word for word in made.stdout.split() if word.startswith("rhz_"))
    with served.socket(Authorization=f"Bearer {text}") as opened:
        events = served.events(Authorization=f"Bearer {text}")
        assert events.answer.getheader("cache-control") == "private, no-store"
        began = time.monotonic()
        gone = subprocess.run(
            [*server, "token", "revoke", *store, "brief"],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert gone.returncode == 0, gone.stderr
        assert events.next()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert events.read() == {"event": "complete", "data": ""}
        with pytest.raises(ConnectionClosed):
            opened.recv(10)
        assert opened.close_code == 4403
        assert time.monotonic() - began < 5 + 5  # the command itself takes its time
        events.close()


def test_a_signal_ends_all_in_time(seeded_store: Path, tmp_path: Path) -> None:
    served = Served(*copy(seeded_store, tmp_path))
    try:
        events = served.events()
        with served.socket() as opened:
            opened.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": WATCH}}))
            at = served.create("The last")
            assert (
                json.loads(opened.recv(10))["payload"]["data"]["clusterChanged"]["revision"] == at
            )
            began = time.monotonic()
            code = served.running.stop()
            assert code == 0, served.running.errors()
            assert time.monotonic() - began < 5
            with pytest.raises(ConnectionClosed):
                opened.recv(10)
            assert opened.close_code == 1012
        assert events.next()["data"]["clusterChanged"]["revision"] == at
        assert events.read() is None, "it ends without `complete`: clients come back"
        events.close()
        assert "Traceback" not in served.running.errors()
        assert "error" not in served.running.errors().lower()
    finally:
        served.running.close()
