"""Hostile input to the SPARQL endpoint of a running server, and clients that misbehave.

`docs/hostile-input.md` lists which test proves what, here and elsewhere.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import psutil
import pytest

from bench.attacks import RUNAWAYS, run_attacks
from tests.require import ROOT
from tests.running import Running
from web.control import Command, ask_server

pytestmark = pytest.mark.broad

COUNT = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
#: More rows than any answer may have: 120 million on the seeds.
PRODUCT = "SELECT ?a ?b ?c ?d ?e ?f { ?a ?b ?c . ?d ?e ?f }"
#: Works for longer than any deadline, and would write little.
RUNAWAY_UPDATE = (
    "INSERT { GRAPH <https://w3id.org/rhizome/id/source/none> { <urn:x:a> <urn:x:b> ?n } }"
    " WHERE { SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . FILTER(?c != ?i) } }"
)
FORM = "application/x-www-form-urlencoded"
CRLF = b"\r\n\r\n"


class Served:
    """A server on the seeds, with a token of an administrator and one of a reader."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.admin, self.reader = self._make_token("admin"), self._make_token("explain")
        self.process = psutil.Process(running.process.pid)

    def _make_token(self, scope: str) -> str:
        arguments = {"scopes": [scope], "name": f"hostile-{scope}", "sources": []}
        pieces = ask_server(self.running.store, Command("token create", arguments))
        assert pieces is not None
        found = b"".join(p.content for p in pieces if p.content.startswith(b"rhz_"))
        return found.decode().strip()

    def settles(self) -> None:
        """Wait until the process rests: after its start it verifies its data."""
        while True:
            before = sum(self.process.cpu_times()[:2])
            time.sleep(0.5)
            if sum(self.process.cpu_times()[:2]) - before < 0.02:
                return

    @property
    def memory_mb(self) -> float:
        return float(self.process.memory_info().rss) / 2**20

    def connect(self) -> closing[socket.socket]:
        address = urlsplit(self.running.address)
        return closing(socket.create_connection((address.hostname, address.port), timeout=60))

    def head(self, text: str, token: str, accept: str = "*/*") -> bytes:
        """A query by GET, as bytes."""
        line = f"GET /sparql?query={quote(text)} HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n"
        return f"{line}Authorization: Bearer {token}\r\n\r\n".encode()

    def queries(self) -> list[dict[str, str]]:
        headers = {"Authorization": f"Bearer {self.admin}"}
        found: list[dict[str, str]] = self.running.get("/sparql/queries", **headers).json()[
            "queries"
        ]
        return found

    def rests(self, seconds: float = 20.0) -> None:
        """Wait until no query runs."""
        end = time.monotonic() + seconds
        while self.queries():
            assert time.monotonic() < end, self.queries()
            time.sleep(0.02)

    def ask(self, text: str, **more: str) -> tuple[int, bytes]:
        answer = self.running.get("/sparql?" + urlencode({"query": text, **more}))
        return answer.status, answer.body


@pytest.fixture(scope="module")
def served(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("hostile") / "store"
    shutil.copytree(seeded_store, store)
    running = Running(
        store,
        RHIZOME_RATE_API="0",
        RHIZOME_RATE_QUERY_S="0",
        RHIZOME_RATE_TOKEN_API="0",
        RHIZOME_RATE_TOKEN_QUERY_S="0",
        RHIZOME_SPARQL_DEADLINE_S="2",
        RHIZOME_SPARQL_FAST_S="1",
        RHIZOME_SPARQL_TOKEN_DEADLINE_S="2.5",
        RHIZOME_STALLED_S="2",
        RHIZOME_SPARQL_TOKEN_ROWS="100000000",
        RHIZOME_SPARQL_SPOOL_MB="64",
    )
    try:
        yield Served(running.ready())
        assert running.process.poll() is None
        assert "Traceback" not in running.errors(), running.errors()
    finally:
        running.close()


def test_no_query_reaches_another_server(served: Served) -> None:
    """Q1: SERVICE, LOAD, FROM and FROM NAMED of http: and file:, however they are written."""
    hits: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, peer = listener.accept()
                    hits.append(peer)
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        place = f"<http://127.0.0.1:{listener.getsockname()[1]}/x>"
        refused = [
            f"ASK {{ SERVICE {place} {{ ?s ?p ?o }} }}",
            f"ASK {{ sErViCe SILENT {place} {{ ?s ?p ?o }} }}",
            f"ASK {{ SERVICE#c\n{place} {{ ?s ?p ?o }} }}",
            f"ASK {{ \\u0053ERVICE {place} {{ ?s ?p ?o }} }}",
            f"LOAD {place}",
            f"lOaD SILENT {place} INTO GRAPH <a:g>",
            "LOAD <file:///etc/passwd>",
        ]
        for text in refused:
            assert served.ask(text)[0] == 400, text
        for graph in (place, "<file:///etc/passwd>"):
            for clause in ("FROM", "FROM NAMED"):
                both = "{ ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } }"
                text = f"SELECT * {clause} {graph} {{ {both} }}"
                status, body = served.ask(text)
                assert (status, json.loads(body)["results"]["bindings"]) == (200, []), text
            for name in ("default-graph-uri", "named-graph-uri"):
                assert served.ask("SELECT * { ?s ?p ?o }", **{name: graph[1:-1]})[0] == 200
        listener.shutdown(socket.SHUT_RDWR)
    assert hits == []


def test_the_ten_runaways_end_and_harm_nobody(served: Served) -> None:
    """Q2, Q3, Q5: each is stopped or refused, the next is answered, the process is the same."""
    port = urlsplit(served.running.address).port
    assert port is not None
    served.settles()
    attacks = list(run_attacks(port, lambda: served.memory_mb, COUNT))
    assert len(attacks) == len(RUNAWAYS) == 10
    for attack in attacks:
        assert attack.is_held, attack
        assert attack.seconds < 20  # the bench measures; a busy machine takes its time
        assert attack.grown_mb < 20
    assert served.running.process.poll() is None


def test_who_leaves_takes_the_query_along(served: Served) -> None:
    """Q8: of a query that runs, and of an answer that is being streamed."""
    runaway = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
    for text, size in ((runaway, 0), (PRODUCT, 4096)):
        with served.connect() as connection:
            connection.sendall(served.head(text, served.admin))
            read = b""
            while len(read) < size:
                read += connection.recv(size)
            while not served.queries():
                time.sleep(0.01)
        served.rests()  # not by its deadline of 120 s
    assert served.ask(COUNT)[0] == 200


def test_who_leaves_takes_the_update_along(served: Served) -> None:
    """Q8: it is listed as queries are, ends with its client, and writes nothing."""
    before = served.running.get("/version").json()["revision"]
    token = served._make_token("write")
    body = urlencode({"update": RUNAWAY_UPDATE}).encode()
    head = f"POST /sparql HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    with served.connect() as connection:
        connection.sendall(head.encode() + body)
        while not (listed := served.queries()):
            time.sleep(0.01)
        assert (listed[0]["kind"], listed[0]["lane"]) == ("update", "writing")
        assert listed[0]["text"].startswith("INSERT { GRAPH")
    served.rests()  # not by its deadline of 30 s
    assert served.running.get("/version").json()["revision"] == before


def test_who_stops_reading_is_let_go(served: Served) -> None:
    """Q7: an endless answer waits on disk, within its bound, and never in the API process."""
    before = served.memory_mb
    with served.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(served.head(PRODUCT, served.reader))
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
        served.rests(30.0)
        assert served.memory_mb - before < 20
        assert served.ask(COUNT)[0] == 200
    assert served.memory_mb - before < 20


def test_an_answer_that_fails_in_the_middle_is_broken_off(served: Served) -> None:
    """A streamed answer past its deadline has no end mark, in no format."""
    for accept, end in (
        ("application/sparql-results+json", b"]}}"),
        ("application/sparql-results+xml", b"</sparql>"),
        ("text/csv", b""),
    ):
        with served.connect() as connection:
            connection.sendall(served.head(PRODUCT, served.reader, accept))
            size, last, first = 0, b"", b""
            while piece := connection.recv(1 << 18):
                first = first or piece
                size, last = size + len(piece), (last + piece)[-64:]
        head = first.split(CRLF)[0].lower()
        assert head.startswith(b"http/1.1 200")
        assert b"transfer-encoding: chunked" in head
        assert b"content-length" not in head
        assert size > 1_000_000
        assert not last.endswith(b"0" + CRLF)
        if end:
            assert end not in last
        served.rests()
    assert "answer broken off" in served.running.errors()


def test_a_held_answer_has_its_length_and_says_that_it_is_cut(served: Served) -> None:
    answer = served.running.get("/sparql?" + urlencode({"query": PRODUCT}))
    assert answer.status == 200
    assert answer.headers["rhizome-truncated"] == "true"
    assert int(answer.headers["content-length"]) == len(answer.body) > 256 * 1024
    assert len(answer.json()["results"]["bindings"]) == 10_000
    head = served.running.get("/sparql?" + urlencode({"query": PRODUCT}), method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 256 * 1024
    served.rests()


def test_a_constructed_graph_of_more_than_is_held_is_streamed(served: Served) -> None:
    """As lines, each triple once, to a token; without one it is cut, and says so."""
    text = "CONSTRUCT { ?a ?b ?f } { ?a ?b ?c . ?d ?e ?f } LIMIT 600000"
    address = "/sparql?" + urlencode({"query": text})
    names = {"Authorization": f"Bearer {served.admin}", "Accept": "text/turtle"}
    answer = served.running.get(address, **names)
    assert (answer.status, answer.headers["transfer-encoding"]) == (200, "chunked")
    assert "rhizome-truncated" not in answer.headers
    lines = answer.body.splitlines()
    assert len(answer.body) > 16 * 2**20
    assert len(set(lines)) == len(lines)
    assert {line[-2:] for line in lines} == {b" ."}
    cut = served.running.get(address, Accept="text/turtle")
    assert (cut.status, cut.headers["rhizome-truncated"]) == (200, "true")
    served.rests()


def test_a_graph_that_is_large_comes_in_parts(served: Served) -> None:
    answer = served.running.get("/graphs?default", Accept="application/n-triples")
    assert answer.status == 200
    assert int(answer.headers["content-length"]) == len(answer.body) > 256 * 1024
    status, body = served.ask(COUNT)
    assert status == 200
    count = int(json.loads(body)["results"]["bindings"][0]["n"]["value"])
    assert answer.body.count(b"\n") == count
    served.rests()


@pytest.mark.parametrize(
    "body", [b"query=" + quote(COUNT).encode()[:-9], b"", b"query=" + b"%20" * 300]
)
def test_a_body_cut_short_is_never_run(served: Served, body: bytes) -> None:
    """The client announces more than it sends, and leaves."""
    served.rests()
    with served.connect() as connection:
        connection.sendall(
            f"POST /sparql HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {len(body) + 10}\r\n\r\n".encode()
            + body
        )
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(4096) == b""
    assert served.queries() == []
    assert served.ask(COUNT)[0] == 200


@pytest.mark.parametrize("graph", ["relative", "", "//e/x", "http://e/ x", "a:<b>", "?g"])
def test_graphs_of_wrong_names_are_refused_wherever_they_stand(served: Served, graph: str) -> None:
    address = served.running.address
    for path in (
        "/sparql?" + urlencode({"query": COUNT, "default-graph-uri": graph}),
        "/sparql?" + urlencode({"query": COUNT, "named-graph-uri": graph}),
        "/graphs?" + urlencode({"graph": graph}),
    ):
        answer = served.running.get(path)
        assert (answer.status, answer.json()["code"]) == (400, "BAD_VALUE"), (address, path)


def test_what_cannot_be_had_is_406_before_anything_runs(served: Served) -> None:
    for text, accept in ((PRODUCT, "image/png"), ("DESCRIBE <a:b>", "text/csv")):
        answer = served.running.get("/sparql?" + urlencode({"query": text}), Accept=accept)
        assert (answer.status, answer.json()["code"]) == (406, "NOT_ACCEPTABLE")
        assert answer.json()["offered"]
    assert served.queries() == []


def test_no_path_leads_out_of_its_folder(served: Served) -> None:
    """W3: as it is written, and as clients escape it."""
    for path in (
        "/../../etc/passwd",
        "/static/../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2f..%2fetc/passwd",
        "/export/../../etc/passwd",
        "/export?format=../../etc/passwd",
        "/sparql/queries/..%2f..%2fetc",
    ):
        with served.connect() as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        assert re.match(rb"HTTP/1\.1 4\d\d ", answer), (path, answer[:200])
        assert b"root:" not in answer


# --- the table of all of them -----------------------------------------------------------------


def test_every_test_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "hostile-input.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+)\.py::(test_\w+)`", page)
    assert {f"{kind}{n}" for kind, most in (("Q", 8), ("W", 5)) for n in range(1, most + 1)} <= set(
        re.findall(r"^\| ([QW]\d) \|", page, re.MULTILINE)
    )
    assert len(named) > 20
    for module, test in named:
        text = (ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8")
        assert f"def {test}(" in text, f"{module}.py::{test}"
