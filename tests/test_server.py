"""The server as a process: how it starts, answers, takes commands, and ends."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graph.errors import SettingError
from graph.store.lock import read_holder
from tests.require import ROOT
from tests.running import Running
from tests.seeded import make_settings
from web.serving import address_of, bind

SOURCE = "https://w3id.org/rhizome/id/source/mine"
TURTLE = (
    f"<{SOURCE}> a <https://w3id.org/rhizome/ontology#Source> ;"
    ' <http://purl.org/dc/terms/title> "Mine" ;'
    ' <https://w3id.org/rhizome/ontology#sourceKind> "user" .'
)


Start = Callable[..., Running]


@pytest.fixture
def start(seeded_store: Path, tmp_path: Path) -> Iterator[Start]:
    running: list[Running] = []

    def make(*arguments: str, store: Path | None = None, **variables: str) -> Running:
        if store is None:
            store = tmp_path / "store"
            if not store.exists():
                shutil.copytree(seeded_store, store)
        running.append(Running(store, *arguments, **variables))
        return running[-1]

    yield make
    for server in running:
        server.close()


@pytest.fixture(scope="module")
def server(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server for tests that change nothing and end nothing."""
    store = tmp_path_factory.mktemp("shared") / "store"
    shutil.copytree(seeded_store, store)
    running = Running(store, RHIZOME_RATE_PAGES="0")
    try:
        yield running.ready()
        assert running.stop() == 0
    finally:
        running.close()


def command(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run another command on a store, in a process of its own."""
    return subprocess.run(
        [sys.executable, str(ROOT / "server.py"), *arguments, "--store", str(store)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )


def test_it_starts_on_nothing_with_the_seeds_and_ends_with_0(start: Start, tmp_path: Path) -> None:
    server = start(store=tmp_path / "new").listens()
    assert server.get("/health").status == 200  # while the store still opens
    holder = read_holder(tmp_path / "new")
    assert holder is not None
    assert (holder.pid, holder.address) == (server.process.pid, server.address)
    deadline = time.monotonic() + 60
    while server.get("/ready").status == 503:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    version = server.get("/version").json()
    assert version["revision"] == 1
    assert version["counts"]["Cluster"] > 10
    assert b"VEGEPOLYS VALLEY" in server.get("/report?format=md").body
    assert server.stop() == 0
    assert read_holder(tmp_path / "new") is None
    assert not (tmp_path / "new" / "control").exists()
    assert "Traceback" not in server.errors()


def test_head_over_the_wire_has_no_body_and_errors_are_problems(server: Running) -> None:
    for path in ("/", "/export", "/report", "/version"):
        asked = server.get(path, "HEAD")
        assert (asked.status, asked.body) == (200, b"")
        assert asked.headers["rhizome-revision"] == "1"
    missing = server.get("/nowhere")
    assert (missing.status, missing.json()["code"]) == (404, "NOT_FOUND")
    wrong = server.get("/export", "PUT")
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD")
    assert "server" not in missing.headers
    long = server.get("/", **{"X-Long": "x" * 40_000})
    assert (long.status, long.json()["code"]) == (431, "HEADERS_LIMIT")


def test_an_export_over_the_wire_is_whole(server: Running) -> None:
    answer = server.get("/export?format=nq")
    assert len(answer.body.splitlines()) == server.get("/version").json()["quads"]


def test_rates_are_kept_by_default(start: Start) -> None:
    server = start(RHIZOME_RATE_API="3").ready()
    statuses = [server.get("/export", "HEAD").status for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert int(server.get("/report").headers["retry-after"]) >= 1
    assert server.get("/").status == 200
    assert server.get("/health").status == 200


def test_a_second_server_on_the_store_is_told_who_has_it(start: Start) -> None:
    first = start().listens()
    second = start()
    assert second.process.wait(30) == 5
    message = second.errors()
    assert f"process {first.process.pid} (serve at {first.address})" in message
    assert "Traceback" not in message
    assert message.count("\n") == 1


def test_a_port_in_use_is_told(start: Start, tmp_path: Path) -> None:
    first = start().listens()
    port = first.address.rpartition(":")[2]
    second = start("--port", port, store=tmp_path / "other")
    assert second.process.wait(30) == 6
    assert f"RHIZOME_PORT='{port}'" in second.errors() or f"port='{port}'" in second.errors()
    assert "--port" in second.errors()


def test_a_damaged_log_stops_the_start_with_its_place(start: Start) -> None:
    server = start()
    server.process.kill()
    server.process.wait()
    headers = server.store / "log" / "headers"
    content = bytearray(headers.read_bytes())
    content[len(content) // 2] ^= 1
    headers.write_bytes(content)
    again = start()
    assert again.process.wait(60) == 5
    assert "headers" in again.errors()
    assert "record" in again.errors()
    assert "Traceback" not in again.errors()


def test_commands_go_to_the_running_server(start: Start, tmp_path: Path) -> None:
    server = start().ready()
    data = tmp_path / "mine.ttl"
    data.write_text(TURTLE, encoding="utf-8")

    dry = command(server.store, "load", str(data), "--graph", SOURCE, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "would be accepted: 3 statements added" in dry.stderr
    assert server.get("/version").json()["revision"] == 1

    loaded = command(server.store, "load", str(data), "--graph", SOURCE)
    assert loaded.returncode == 0, loaded.stderr
    assert "revision 2: 3 statements added" in loaded.stderr
    seen = server.get("/export?format=nq", **{"Rhizome-Min-Revision": "2"})
    assert f"<{SOURCE}>".encode() in seen.body

    data.write_text(TURTLE.replace("rz:", "").replace("#Source>", "#Sauce>"), encoding="utf-8")
    refused = command(server.store, "load", str(data), "--graph", SOURCE)
    assert refused.returncode == 4
    assert "rz:Sauce is not a class" in refused.stderr
    assert server.get("/version").json()["revision"] == 2

    exported = command(server.store, "export", "--format", "nq")
    assert exported.returncode == 0
    assert exported.stdout.encode() == seen.body

    report = command(server.store, "report", "--format", "md", "--lang", "fr")
    assert "VEGEPOLYS VALLEY" in report.stdout

    checked = command(server.store, "check")
    assert checked.returncode == 0, checked.stderr
    assert f"open in the server at {server.address}" in checked.stderr
    assert [line.split()[:2] for line in checked.stdout.splitlines()] == [
        ["ok", "log"],
        ["ok", "snapshot"],
        ["ok", "store"],
        ["ok", "shapes"],
    ]
    assert server.stop() == 0


def test_a_command_waits_for_a_server_that_is_starting(start: Start) -> None:
    server = start()
    server.listens()
    exported = command(server.store, "export", "--format", "nt")
    assert exported.returncode == 0, exported.stderr
    assert "vegepolys-valley" in exported.stdout


def test_a_killed_server_leaves_nothing_in_the_way(start: Start) -> None:
    first = start().ready()
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    assert (first.store / "control").exists()
    checked = command(first.store, "check")
    assert checked.returncode == 0, checked.stderr
    second = start().ready()
    assert second.get("/version").json()["revision"] == 1
    assert second.stop(signal.SIGINT) == 0  # as Ctrl+C


def test_a_signal_while_the_store_opens_ends_it_at_once(start: Start, tmp_path: Path) -> None:
    server = start(store=tmp_path / "new").listens()
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 30
    assert start(store=tmp_path / "new").ready().get("/version").json()["revision"] == 1


def test_an_open_request_is_finished_before_the_end(start: Start) -> None:
    server = start(RHIZOME_STOP_S="10").ready()
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        body = b'{"query": "{ __typename }"}'
        head = (
            "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body[:10])
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset, by the system
            socket.create_connection((host, int(port)), timeout=1).close()
        connection.sendall(body[10:])
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"__typename" in answer
    assert server.process.wait(20) == 0


def test_a_request_that_never_ends_does_not_hold_up_the_end(start: Start) -> None:
    server = start(RHIZOME_STOP_S="1").ready()
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        time.sleep(0.2)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 30


def test_the_log_holds_no_secret(start: Start) -> None:
    server = start(RHIZOME_LOG_LEVEL="debug").ready()
    secret = {"Authorization": "Bearer hidden-token-123", "Cookie": "hidden-cookie=1"}
    for path in ("/?query=hidden-query", "/nowhere?token=hidden-query", "/report?x=hidden-query"):
        server.get(path, **secret)
    assert server.stop() == 0
    lines = server.errors().splitlines()
    assert "hidden" not in "\n".join(lines)
    records = [json.loads(line) for line in lines]
    requests = [record for record in records if record["message"] == "request"]
    assert {"method", "path", "status", "ms"} <= requests[-1].keys()
    assert "127.0.0.1" not in json.dumps(requests)


def test_many_clients_are_answered_at_once(server: Running) -> None:
    statuses: list[int] = []

    def ask() -> None:
        statuses.extend(server.get("/version").status for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 160


class TestBind:
    def test_port_0_takes_a_free_one(self, tmp_path: Path) -> None:
        with bind(make_settings(tmp_path, port=0)) as listener:
            assert address_of(listener).startswith("http://127.0.0.1:")
            assert listener.getsockname()[1] > 0

    def test_ipv6_is_written_in_brackets(self, tmp_path: Path) -> None:
        if not socket.has_ipv6:
            return
        with bind(make_settings(tmp_path, host="::1", port=0)) as listener:
            assert address_of(listener).startswith("http://[::1]:")

    @pytest.mark.parametrize(
        ("host", "port", "name"),
        [
            ("no.such.host.invalid", 0, "host"),
            ("192.0.2.1", 0, "port"),
            ("127.0.0.1", 99_999, "port"),
            ("127.0.0.1", -1, "port"),
            ("x" * 300, 0, "host"),
        ],
    )
    def test_what_cannot_be_bound_is_a_wrong_setting(
        self, tmp_path: Path, host: str, port: int, name: str
    ) -> None:
        with pytest.raises(SettingError) as caught:
            bind(make_settings(tmp_path, host=host, port=port))
        assert caught.value.name == name
