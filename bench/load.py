"""The load client: a process of its own that sends requests over kept connections.

It reads what to do as JSON from standard input and writes latencies as JSON. HTTP is spoken by
hand over plain sockets, since a full client, or only an event loop, would cost more than what is
measured.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle, repeat
from pathlib import Path
from typing import Final

_WAIT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent where: bodies in turn, over so many connections, for so many seconds.

    `bodies` is a file of one JSON body a line; `start` is the line to begin with.
    """

    port: int
    path: str
    bodies: str
    connections: int
    seconds: float
    start: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """What came of it: latencies in milliseconds, sorted, and the wall time in seconds."""

    latencies: list[float]
    wall_s: float
    bytes_each: int


class _Connection:
    """One kept connection, which has one question open at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self._buffer = b""
        self._missing = -1

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Return the answer, or None when some of it is still to come."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise SystemExit("the server closed the connection")
        self._buffer += piece
        if self._missing < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = self._buffer[:end].lower().split(b"content-length:")[1].split(b"\r\n")[0]
            self._missing = end + 4 + int(length)
        if len(self._buffer) < self._missing:
            return None
        answer, self._buffer, self._missing = self._buffer, b"", -1
        return answer


def write_request(path: str, port: int, body: bytes) -> bytes:
    """Return the bytes of a request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(load: Load) -> Timing:
    """Send requests until the time is up, each connection one after the other."""
    bodies = Path(load.bodies).read_bytes().splitlines()
    begin = load.start % len(bodies)
    requests = cycle(
        [write_request(load.path, load.port, b) for b in bodies[begin:] + bodies[:begin]]
    )
    connections = [_Connection(load.port) for _ in range(load.connections)]
    latencies: list[float] = []
    began = time.perf_counter()
    for connection in connections:
        connection.ask(next(requests))
    size, is_over, open_ = 0, False, len(connections)
    for connection in _readable(connections):
        answer = connection.receive()
        if answer is None:
            continue
        now = time.perf_counter()
        latencies.append((now - connection.sent) * 1000)
        if not answer.startswith(b"HTTP/1.1 200") or b'"errors"' in answer[:2000]:
            raise SystemExit(f"the server answered {answer[:600]!r}")
        size = len(answer)
        is_over = is_over or now - began >= load.seconds
        if not is_over:
            connection.ask(next(requests))
            continue
        connection.socket.close()  # a server ends what idles while others still wait
        open_ -= 1
        if not open_:
            break
    wall_s = time.perf_counter() - began
    return Timing(sorted(latencies), wall_s, size)


def _readable(connections: list[_Connection]) -> Iterator[_Connection]:
    """Yield connections as something comes for them, without end; of one, just wait for it."""
    if len(connections) == 1:
        yield from repeat(connections[0])
    by_number = {connection.socket.fileno(): connection for connection in connections}
    poll = select.epoll()
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    while True:
        ready = poll.poll(_WAIT_S)
        if not ready:
            raise SystemExit("the server did not answer")
        yield from (by_number[number] for number, _ in ready)


def measure(load: Load) -> Timing:
    """Return the timing of a load that another process makes."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(load)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Timing(**json.loads(done.stdout))


def main() -> None:
    """Read a load, run it, write its timing."""
    timing = run(Load(**json.load(sys.stdin)))
    json.dump(asdict(timing), sys.stdout)


if __name__ == "__main__":
    main()
