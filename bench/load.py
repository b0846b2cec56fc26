"""The load client: a process of its own that sends requests over kept connections.

It reads what to do as JSON from standard input and writes latencies as JSON. HTTP is spoken by
hand over `asyncio` protocols, since a full client would cost more than what is measured.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Final, cast

import uvloop

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


class _Connection(asyncio.Protocol):
    """One kept connection; `ask` sends a request and waits for the whole answer."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.missing = -1
        self.answer: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.missing < 0:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end]).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            self.missing = end + 4 + length
        if len(self.buffer) >= self.missing:
            answer, self.buffer, self.missing = bytes(self.buffer), bytearray(), -1
            assert self.answer is not None
            self.answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(exc or ConnectionError("the server closed the connection"))

    async def ask(self, request: bytes) -> bytes:
        assert self.transport is not None
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        async with asyncio.timeout(_WAIT_S):
            return await self.answer


def write_request(path: str, port: int, body: bytes) -> bytes:
    """Return the bytes of a request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run(load: Load) -> Timing:
    """Send requests until the time is up, each connection one after the other."""
    bodies = Path(load.bodies).read_bytes().splitlines()
    begin = load.start % len(bodies)
    requests = cycle(
        [write_request(load.path, load.port, b) for b in bodies[begin:] + bodies[:begin]]
    )
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    size = 0

    async def work() -> None:
        nonlocal size
        transport, connection = await loop.create_connection(_Connection, "127.0.0.1", load.port)
        while True:
            sent = time.perf_counter()
            answer = await connection.ask(next(requests))
            latencies.append((time.perf_counter() - sent) * 1000)
            if not answer.startswith(b"HTTP/1.1 200") or b'"errors"' in answer[:2000]:
                raise SystemExit(f"the server answered {answer[:600]!r}")
            size = len(answer)
            if time.perf_counter() - began >= load.seconds:
                transport.close()
                return

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(load.connections)))
    return Timing(sorted(latencies), time.perf_counter() - began, size)


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
    timing = uvloop.run(run(Load(**json.load(sys.stdin))))
    json.dump(asdict(timing), sys.stdout)


if __name__ == "__main__":
    main()
