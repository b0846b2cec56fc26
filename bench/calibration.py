"""The peers on the data that the design was measured with: they are as fast as they were there.

The shape is that of the first measurements: 2,000 clusters, 60 sectors, 3,000 memoranda, 20,000
members, 5,000 projects, 50,000 participations, 404,000 triples; `big` asks 100 clusters for their
sectors, memoranda, the parties of those and their sectors, 240 KB of JSON. How fast the machine
is now is judged by two figures that were measured there, too: hashing a quad with SHA-256, and
parsing the document of `big` with graphql-core.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Final

import orjson
import strawberry
from graphql import parse

from bench import calibration_peers
from bench.tables import Table

BIG: Final = """\
{ clusters(first: 100) { id name country sectors { id label }
  mous { id title parties { id name sectors { label } } } } }"""
#: CPU milliseconds of `big`, and the figures by which the machine is judged, as they were.
_THEN_MS: Final = {"rdflib": 231.0, "oxigraph": 934.0}
_THEN_HASH_US: Final = 0.50
_THEN_PARSE_MS: Final = 0.321
_FACTOR: Final = 1.5
_REPEATS: Final = 5


def table_calibration() -> Table:
    """Return the table: the peers' CPU time now and then, and how fast the machine is."""
    machine = _machine_factor()
    rows: list[tuple[str | float, ...]] = []
    for name, make in (
        ("rdflib", calibration_peers.make_rdflib),
        ("oxigraph", calibration_peers.make_oxigraph),
    ):
        now, size = _time_big(*make())
        ratio = now / (_THEN_MS[name] * machine)
        word = "yes" if 1 / _FACTOR <= ratio <= _FACTOR else "faster" if ratio < 1 else "**slower**"
        rows.append((f"Strawberry, {name}", size / 1024, now, _THEN_MS[name], ratio, word))
    heads = ("peer", "KiB", "CPU ms now", "then", "now / (then × machine)", "within 1.5")
    note = (
        f"The machine takes {machine:.2f} times as long now as then, by hashing quads and parsing "
        "the document, the geometric mean of both. Then, the loaders over Oxigraph awaited "
        "about ten thousand fields; here texts stand ready in the objects and only relations are "
        "awaited, so that this peer is faster than it was: the comparison above is with this one."
    )
    return Table("The peers on the data of the first measurements", heads, rows, (note,))


def _time_big(schema: strawberry.Schema, context: Callable[[], object]) -> tuple[float, int]:
    """Return the least CPU milliseconds of `big` over some runs, and its bytes."""
    best, size = float("inf"), 0
    for _ in range(_REPEATS):
        began = time.process_time()
        result = asyncio.run(schema.execute(BIG, context_value=context()))
        content = orjson.dumps(result.data)
        best = min(best, time.process_time() - began)
        if result.errors:
            raise AssertionError(result.errors)
        size = len(content)
    return best * 1000, size


def _machine_factor() -> float:
    """Return how many times as long as then this machine takes for the same work."""
    lines = [f'<https://example/s{n}> <https://example/p> "{n:080}" <g>' for n in range(20_000)]

    def hash_all() -> None:
        sum(int.from_bytes(hashlib.sha256(line.encode()).digest(), "big") for line in lines)

    hashing = _best_s(hash_all) / len(lines) * 1e6 / _THEN_HASH_US
    parsing = _best_s(lambda: [parse(BIG) for _ in range(50)]) / 50 * 1e3 / _THEN_PARSE_MS
    return float((hashing * parsing) ** 0.5)


def _best_s(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEATS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)
