"""What a commit costs with many who are told of it, and how soon they are.

`python -m bench.subscriptions TRIPLES` starts the service on generated data; subscribers share
connections in this process, fifty each. A write makes one cluster, of which each is told.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.generator import Shape
from bench.servers import Server, serve_store
from bench.stores import ROOT, copy_store, describe, prepare_store
from bench.tables import Cell, Table, percentile
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.access_tokens import Tokens
from graph.terms import ENTITY

_PER_CONNECTION: Final = 50
_COMMITS: Final = 20
_WIDE: Final = {
    "RHIZOME_RATE_TOKEN_API": "0",
    "RHIZOME_CONNECTIONS_PER_ADDRESS": "200",
    "RHIZOME_SUBSCRIPTION_CONNECTIONS_PER_ADDRESS": "100",
}
_WATCH: Final = (
    "subscription ($where: ClusterWhere) { clusterChanged(where: $where) "
    "{ kind revision node { name acronym memberships { totalCount } } } }"
)
_CREATE: Final = (
    "mutation ($source: SourceChoice!, $input: ClusterInput!) "
    "{ createCluster(source: $source, input: $input) { accepted } }"
)


class Crowd:
    """Subscribers on their connections; `told` gathers when each notice came."""

    def __init__(self, port: int, token: str) -> None:
        self.address = f"ws://127.0.0.1:{port}/graphql"
        self.token = token
        self.connections: list[ClientConnection] = []
        self.readers: list[asyncio.Task[None]] = []
        self.told: list[float] = []
        self.wanted = 0
        self.done = asyncio.Event()

    async def gather(self, size: int, *, alike: bool) -> None:
        """Open connections and subscribe; return when all run."""
        for first in range(0, size, _PER_CONNECTION):
            opened = await self.open()
            for number in range(first, min(size, first + _PER_CONNECTION)):
                # Each condition holds; where they differ, nothing can be shared.
                where = {"acronym": {"ne": "X" if alike else f"X{number}"}}
                payload = {"query": _WATCH, "variables": {"where": {"or": [where, {"not": where}]}}}
                message = {"id": str(number), "type": "subscribe", "payload": payload}
                await opened.send(json.dumps(message))
            self.readers.append(asyncio.create_task(self._read(opened)))
        await asyncio.sleep(1 + size / 500)

    async def open(self) -> ClientConnection:
        """Return a connection that has begun."""
        protocol = Subprotocol("graphql-transport-ws")
        opened = await connect(self.address, subprotocols=[protocol], compression=None)
        payload = {"Authorization": f"Bearer {self.token}"}
        await opened.send(json.dumps({"type": "connection_init", "payload": payload}))
        await opened.recv()
        self.connections.append(opened)
        return opened

    async def _read(self, opened: ClientConnection) -> None:
        async for message in opened:
            if b'"next"' not in (message.encode() if isinstance(message, str) else message):
                raise AssertionError(message)
            self.told.append(time.perf_counter())
            if len(self.told) == self.wanted:
                self.done.set()

    async def close(self) -> None:
        """Let all go."""
        for opened in self.connections:
            await opened.close()
        await asyncio.gather(*self.readers)


async def measure(server: Server, token: str, size: int, *, alike: bool) -> tuple[Cell, ...]:
    """Return milliseconds from a write to the first, the median and the last notice, and CPU."""
    crowd = Crowd(server.port, token)
    await crowd.gather(size, alike=alike)
    writer = await crowd.open()
    found: dict[str, list[float]] = {"first": [], "median": [], "last": []}
    cpu = server.cpu_s()
    for number in range(_COMMITS):
        crowd.told, crowd.wanted = [], size
        crowd.done.clear()
        name = f"Told {size} {alike} {number}"
        began = time.perf_counter()
        await _write(writer, name)
        await asyncio.wait_for(crowd.done.wait(), 60)
        times = [(at - began) * 1000 for at in crowd.told]
        found["first"].append(min(times))
        found["median"].append(percentile(times, 50))
        found["last"].append(max(times))
    spent = (server.cpu_s() - cpu) * 1000 / _COMMITS
    await crowd.close()
    return (*(percentile(values, 50) for values in found.values()), spent)


async def _write(writer: ClientConnection, name: str) -> None:
    source = {"id": f"{ENTITY}source/bench-told", "create": {"title": "Told"}}
    given: dict[str, Any] = {
        "source": source,
        "input": {"name": [{"text": name, "lang": "en"}], "acronym": "TOLD"},
    }
    message = {"query": _CREATE, "variables": given}
    await writer.send(json.dumps({"id": name, "type": "subscribe", "payload": message}))
    answer = json.loads(await writer.recv())
    if not answer["payload"]["data"]["createCluster"]["accepted"]:
        raise AssertionError(answer)
    await writer.recv()


def table_subscriptions(store: Path, title: str) -> Table:
    """Return the table of one store, which is written to."""
    token, _ = Tokens.open(Settings(store=store)).create(["write"], name="bench")
    rows: list[tuple[Cell, ...]] = []
    with serve_store(store, settings=_WIDE) as server:
        server.settle()
        for name, size, alike in (
            ("one", 1, True),
            ("1,000 who ask the same", 1_000, True),
            ("1,000 who ask each something else", 1_000, False),
        ):
            rows.append((name, *asyncio.run(measure(server, token, size, alike=alike))))
    heads = (
        "subscribers", "first told, ms", "median", "last", "CPU ms a commit, the write included"
    )  # fmt: skip
    note = f"{_COMMITS} writes of one cluster, one after the other, medians; {title}."
    return Table(f"From a write to those who are told, {title}", heads, rows, (note,))


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    kept = ROOT / "var" / "bench"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix="run-") as passing:
        for triples in map(int, arguments):
            shape = Shape(triples, "much")
            store = copy_store(prepare_store(shape, load_model(), kept), Path(passing))
            print(table_subscriptions(store, describe(shape)).markdown())


if __name__ == "__main__":
    main(sys.argv[1:])
