"""Servers with a SPARQL endpoint, how they are asked over kept connections, and how one is run."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyoxigraph as ox

_CONNECT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that is measured: its name, port, and the path that takes queries."""

    name: str
    port: int
    path: str


class Connection:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to a request."""
        self.socket.sendall(request)
        head = self._until(b"\r\n\r\n").lower()
        length = re.search(rb"content-length: *(\d+)", head)
        if length is not None:
            body = self._take(int(length[1]))
        elif b"chunked" in head:
            body = b"".join(self._chunks())
        else:
            body = b""
        return int(head[9:12]), body

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._until(b"\r\n"), 16):
            yield self._take(size)
            self._take(2)
        self._take(2)

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._buffer += self._receive()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _take(self, size: int) -> bytes:
        pieces, held = [self._buffer], len(self._buffer)
        while held < size:
            piece = self._receive()
            pieces.append(piece)
            held += len(piece)
        data = b"".join(pieces)
        self._buffer = data[size:]
        return data[:size]

    def _receive(self) -> bytes:
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece


def write_request(peer: Peer, text: str, accept: str, *, takes_kept: bool = False) -> bytes:
    """Return a query by POST, direct, as bytes; a kept answer is taken only where that is said."""
    body = text.encode()
    wish = "" if takes_kept else "Cache-Control: no-cache\r\n"
    return (
        f"POST {peer.path} HTTP/1.1\r\nHost: 127.0.0.1:{peer.port}\r\nAccept: {accept}\r\n{wish}"
        f"Content-Type: application/sparql-query\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def accept_of(text: str) -> str:
    """Return the media type that a query is asked for."""
    return "text/turtle" if "CONSTRUCT" in text else "application/sparql-results+json"


@contextmanager
def serve_oxigraph(program: str, store: ox.Store, folder: Path) -> Iterator[Peer]:
    """Run the `oxigraph` server on a copy of the default graph of a store."""
    data, place = folder / "peer.nt", folder / "peer"
    store.dump(str(data), format=ox.RdfFormat.N_TRIPLES, from_graph=ox.DefaultGraph())
    load = [program, "load", "--location", str(place), "--file", str(data)]
    subprocess.run(load, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    port = _free_port()
    command = [program, "serve-read-only", "--location", str(place), "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        peer = Peer("oxigraph server", port, "/query")
        _wait_for(peer)
        yield peer
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(peer: Peer) -> None:
    end = time.monotonic() + _CONNECT_S
    while True:
        try:
            connection = Connection(peer.port)
            connection.ask(write_request(peer, "ASK {}", "*/*"))
            connection.close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def find_program() -> str | None:
    """Path of the `oxigraph` server, None where it is not installed."""
    return shutil.which("oxigraph", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
