"""A SPARQL server on loopback that does what it is told, also wrongly."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pyoxigraph as ox

from graph.store.external_marker import MARKER_GRAPH

RESULTS = "application/sparql-results+json"


class FakeServer:
    """A right SPARQL server, unless a script says otherwise.

    `script` is asked before each request with its kind (query or update) and its text, and
    returns the name of a fault, or None. `hold` lets go of what hangs. `asked` lists all texts.
    """

    def __init__(self) -> None:
        self.store = ox.Store()
        self.script: Callable[[str, str], str | None] = lambda kind, text: None
        self.rewrite: Callable[[str], str] = lambda text: text
        self.asked: list[tuple[str, str]] = []
        self.authorizations: list[str | None] = []
        self.hold = threading.Event()
        self.lock = threading.Lock()
        fake = self

        class Handler(_Handler):
            server_of = fake

        self._http = _Listener(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}/sparql"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self.hold.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def count(self, kind: str) -> int:
        """How many requests of a kind there were."""
        return sum(asked == kind for asked, _ in self.asked)

    def graphs(self) -> dict[str, set[str]]:
        """What each graph holds but that of the marker; the default graph has no name."""
        found: dict[str, set[str]] = {}
        for quad in self.store:
            name = "" if isinstance(quad.graph_name, ox.DefaultGraph) else quad.graph_name.value
            if name != MARKER_GRAPH:
                found.setdefault(name, set()).add(str(quad.triple))
        return found

    def drop_marker(self) -> None:
        """Forget what was fed."""
        self.store.clear_graph(ox.NamedNode(MARKER_GRAPH))


@contextlib.contextmanager
def fake_server() -> Iterator[FakeServer]:
    server = FakeServer()
    try:
        yield server
    finally:
        server.close()


class _Listener(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up: it is meant to."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_of: FakeServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        fake = self.server_of
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        kind = "update" if "update" in form else "query"
        text = form[kind][0]
        fake.asked.append((kind, text))
        fake.authorizations.append(self.headers.get("Authorization"))
        fault = fake.script(kind, text)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if fault is not None:
                getattr(self, f"_fail_{fault}")(kind, form)
            elif kind == "update":
                self._update(text)
                self._send(204, "text/plain", b"")
            else:
                self._query(form)

    # --- rightly ---------------------------------------------------------------------------

    def _update(self, text: str) -> None:
        with self.server_of.lock:
            self.server_of.store.update(self.server_of.rewrite(text))

    def _query(self, form: dict[str, list[str]]) -> None:
        graphs = {
            key: [ox.NamedNode(iri) for iri in form[name]]
            for key, name in (
                ("default_graph", "default-graph-uri"),
                ("named_graphs", "named-graph-uri"),
            )
            if name in form
        }
        try:
            with self.server_of.lock:
                answer = self.server_of.store.query(form["query"][0], **graphs)  # type: ignore[arg-type]
        except SyntaxError as error:
            self._send(400, "text/plain", f"not understood: {error}".encode())
            return
        if isinstance(answer, ox.QueryTriples):
            body = ox.serialize(answer, format=ox.RdfFormat.N_TRIPLES)
            media_type = "application/n-triples"
        else:
            body, media_type = answer.serialize(format=ox.QueryResultsFormat.JSON), RESULTS
        assert body is not None
        self._send(200, media_type, body)

    def _send(self, status: int, media_type: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    # --- wrongly ---------------------------------------------------------------------------

    def _fail_hang(self, kind: str, form: dict[str, list[str]]) -> None:
        self.server_of.hold.wait(60)
        self.close_connection = True

    def _fail_error_inside(self, kind: str, form: dict[str, list[str]]) -> None:
        self._send(200, RESULTS, b'{"head":{"vars":["s"]},"results":{"bindings":[Virtuoso S1T00')

    def _fail_die_before(self, kind: str, form: dict[str, list[str]]) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _fail_die_after(self, kind: str, form: dict[str, list[str]]) -> None:
        self._update(form[kind][0])
        self._fail_die_before(kind, form)

    def _fail_die_midway(self, kind: str, form: dict[str, list[str]]) -> None:
        """Insert what was to be inserted, keep the marker, and die: no transaction held it."""
        self.send_response(200)
        self.send_header("Content-Type", RESULTS)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"head":')
        self._fail_die_before(kind, form)

    def _fail_drop_marker(self, kind: str, form: dict[str, list[str]]) -> None:
        self._update(form[kind][0])
        self.server_of.drop_marker()
        self._send(204, "text/plain", b"")

    def _fail_refuse(self, kind: str, form: dict[str, list[str]]) -> None:
        said = self.headers.get("Authorization", "")
        self._send(401, "text/plain", f"no: {said}".encode())

    def _fail_echo(self, kind: str, form: dict[str, list[str]]) -> None:
        said = self.headers.get("Authorization", "")
        self._send(500, "text/plain", f"cannot with {said}".encode())

    def _fail_busy(self, kind: str, form: dict[str, list[str]]) -> None:
        self._send(503, "text/plain", b"busy")

    def _fail_html(self, kind: str, form: dict[str, list[str]]) -> None:
        self._send(200, "text/html", b"<!doctype html><title>Please log in</title>")

    def _fail_redirect(self, kind: str, form: dict[str, list[str]]) -> None:
        self._send(307, "text/plain", b"", Location=f"{self.server_of.address}/elsewhere")

    def _fail_packed(self, kind: str, form: dict[str, list[str]]) -> None:
        self._send(200, RESULTS, b"\x1f\x8b", **{"Content-Encoding": "gzip"})

    def _fail_endless(self, kind: str, form: dict[str, list[str]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", RESULTS)
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b'{"head":{"vars":["s"]},"results":{"bindings":[')
        row = json.dumps({"s": {"type": "literal", "value": "x" * 1000}}).encode()
        self.wfile.write(row)
        while not self.server_of.hold.is_set():
            self.wfile.write((b"," + row) * 1000)

    def _fail_endless_head(self, kind: str, form: dict[str, list[str]]) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.server_of.hold.is_set():
            self.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")

    def _fail_drip(self, kind: str, form: dict[str, list[str]]) -> None:
        self.close_connection = True
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
            if self.server_of.hold.is_set():
                return
            self.wfile.write(bytes([byte]))
            time.sleep(0.02)

    def _fail_no_http(self, kind: str, form: dict[str, list[str]]) -> None:
        self.close_connection = True
        self.wfile.write(b"\x16\x03\x01\x02\x00\x01\x00 this is no HTTP\r\n\r\n")
