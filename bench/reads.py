"""GraphQL reads against the peers: requests a second, latency, processor time an operation.

All servers run at once, on the same data; they are asked in turn, in rounds, so that what else
the machine does falls on all alike. Their answers are compared before anything is timed.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.draws import Draws
from bench.generator import Shape, generate
from bench.load import Load, measure
from bench.operations import (
    PARTNERS,
    PEER_PARTNERS,
    PEER_POINT,
    POINT,
    body,
    canonical,
    cursor_after,
)
from bench.peer_data import write_peer_data
from bench.servers import Server, serve_peer, serve_store
from bench.stores import describe
from bench.tables import Cell, Table, judge, percentile
from graph.terms import RDF_TYPE, RZ

OPERATIONS: Final = ("partners", "point")
CONNECTIONS: Final = (1, 8, 64)
#: Of so many one slice is enough: a peer takes half a minute for one answer to each.
_MANY: Final = 64
VARIABLE_SETS: Final = 1_000
OURS: Final = "this service"
_COMPARED: Final = 20
#: Least ratio to the best peer: requests a second, and processor time; of the three-level query
#: another one where partners overlap much.
TARGETS: Final = {"partners": (40.0, 50.0), "point": (3.0, 3.0)}
_OVERLAPPING: Final = 60.0
_DEFAULTS_TARGET: Final = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """A path of a server, and the files of bodies that it is sent, by operation."""

    name: str
    server: Server
    paths: dict[str, str]
    bodies: dict[str, Path]


@dataclass(slots=True)
class Sample:
    """What one slice of a load gave."""

    rate: float
    latencies: list[float]
    cpu_ms: float
    bytes_each: int


Samples = dict[tuple[str, str, int], list[Sample]]


def compare_reads(
    shape: Shape, store: Path, folder: Path, seconds: float, rounds: int
) -> list[Table]:
    """Return the tables of one dataset.

    Parameters
    ----------
    shape, store : Shape, Path
        The data, and our store that holds it.
    folder : Path
        Where the peers' data and the bodies of requests are written.
    seconds, rounds : float, int
        How long each slice lasts, and how often each is repeated.
    """
    write_bodies(folder, *read_identifiers(shape))
    data = folder / "peer.nt"
    write_peer_data(store, data)
    with ExitStack() as stack:
        targets = list(start_targets(stack, store, data, folder))
        compare_answers(targets)
        targets[0].server.settle()
        samples = _measure(targets, seconds, rounds)
    return [_table(operation, samples, describe(shape)) for operation in OPERATIONS]


def read_identifiers(shape: Shape) -> tuple[list[str], list[str]]:
    """Return the IRIs of the clusters and of all organisations of a dataset, sorted."""
    clusters, organisations = set(), set()
    for subject, predicate, value, _ in generate(shape):
        if predicate == RDF_TYPE and "/id/organisation/" in subject:
            organisations.add(subject[1:-1])
            if value == f"<{RZ}Cluster>":
                clusters.add(subject[1:-1])
    return sorted(clusters), sorted(organisations)


def write_bodies(folder: Path, clusters: Sequence[str], organisations: Sequence[str]) -> None:
    """Write the bodies of each operation, ours and the peers', the same variables in each."""
    draws = Draws(7, 7)
    starts = _shuffled(clusters[: max(1, len(clusters) - 100)], draws)[:VARIABLE_SETS]
    points = _shuffled(organisations, draws)[:VARIABLE_SETS]
    _write(folder / "partners", [body(PARTNERS, {"after": cursor_after(s)}) for s in starts])
    _write(folder / "peer-partners", [body(PEER_PARTNERS, {"after": s}) for s in starts])
    _write(folder / "point", [body(POINT, {"id": p}) for p in points])
    _write(folder / "peer-point", [body(PEER_POINT, {"id": p}) for p in points])


def _shuffled(items: Sequence[str], draws: Draws) -> list[str]:
    rest = list(items)
    return [rest.pop(draws.below(len(rest))) for _ in range(len(rest))]


def _write(path: Path, bodies: Sequence[bytes]) -> None:
    path.write_bytes(b"\n".join(bodies))


def start_targets(stack: ExitStack, store: Path, data: Path, folder: Path) -> Iterator[Target]:
    """Start all servers and yield what is asked of them."""
    own = {name: folder / name for name in OPERATIONS}
    theirs = {name: folder / f"peer-{name}" for name in OPERATIONS}
    ours = stack.enter_context(serve_store(store))
    yield Target(OURS, ours, dict.fromkeys(OPERATIONS, "/graphql"), own)
    for name in ("rdflib", "oxigraph"):
        server = stack.enter_context(serve_peer(name, data))
        for variant in ("default", "cached"):
            paths = dict.fromkeys(OPERATIONS, f"/{variant}")
            yield Target(f"Strawberry, {name}, {variant}", server, paths, theirs)
    for name, path in own.items():
        first = path.read_bytes().splitlines()[0]
        (folder / f"{name}.json").write_bytes(ours.ask("/graphql", first))
    static = stack.enter_context(serve_peer("static", folder))
    yield Target("static bytes", static, {name: f"/{name}" for name in OPERATIONS}, own)


def compare_answers(targets: Sequence[Target]) -> None:
    """Raise when a peer does not answer what we answer."""
    for operation in OPERATIONS:
        wanted = _answers(targets[0], operation)
        for target in targets[1:-1]:
            if _answers(target, operation) != wanted:
                raise AssertionError(f"{target.name} answers otherwise to {operation}")


def _answers(target: Target, operation: str) -> list[Any]:
    bodies = target.bodies[operation].read_bytes().splitlines()[:_COMPARED]
    found = [json.loads(target.server.ask(target.paths[operation], each)) for each in bodies]
    if any(answer.get("errors") or not answer["data"] for answer in found):
        raise AssertionError(f"{target.name} cannot answer {operation}: {found[0]}")
    return [canonical(answer) for answer in found]


def _measure(targets: Sequence[Target], seconds: float, rounds: int) -> Samples:
    samples: Samples = defaultdict(list)
    for round_ in range(rounds):
        for operation in OPERATIONS:
            for connections in CONNECTIONS:
                if connections >= _MANY and round_:
                    continue
                for target in targets:
                    key = (target.name, operation, connections)
                    samples[key].append(
                        measure_slice(target, operation, connections, seconds, round_ * 137)
                    )
    return samples


def measure_slice(
    target: Target, operation: str, connections: int, seconds: float, start: int
) -> Sample:
    """Return what one slice of a load on a target gave."""
    load = Load(
        target.server.port,
        target.paths[operation],
        str(target.bodies[operation]),
        connections,
        seconds,
        start,
    )
    before = target.server.cpu_s()
    timing = measure(load)
    count = len(timing.latencies)
    cpu_ms = (target.server.cpu_s() - before) / count * 1000
    return Sample(count / timing.wall_s, timing.latencies, cpu_ms, timing.bytes_each)


# --- tables -----------------------------------------------------------------------------------


def _table(operation: str, samples: Samples, title: str) -> Table:
    names = list(dict.fromkeys(name for name, _, _ in samples))
    rows = [row_of(name, operation, samples) for name in names]
    size = samples[OURS, operation, 1][0].bytes_each
    heads = ["served by"]
    for at, connections in enumerate(CONNECTIONS):
        gap = " " * at
        heads += [f"req/s, {connections}", f"p50 ms{gap}", f"p99 ms{gap}"]
    heads.append("CPU ms per operation")
    name = {"partners": "Three-level query", "point": "Point lookup"}[operation]
    notes = tuple(_ratios(operation, samples, is_overlapping="overlap much" in title))
    return Table(f"{name}, {title}, {size:,} bytes", tuple(heads), rows, notes)


def row_of(name: str, operation: str, samples: Samples) -> tuple[Cell, ...]:
    """Return a row of the table: rates, latencies and processor time of one server."""
    cells: list[Cell] = [name]
    for connections in CONNECTIONS:
        found = samples[name, operation, connections]
        together = [value for sample in found for value in sample.latencies]
        cells += [_rate(samples, name, operation, connections)]
        cells += [percentile(together, 50), percentile(together, 99)]
    return (*cells, _cpu(samples, name, operation))


def _rate(samples: Samples, name: str, operation: str, connections: int) -> float:
    return statistics.median(s.rate for s in samples[name, operation, connections])


def _cpu(samples: Samples, name: str, operation: str) -> float:
    return statistics.median(s.cpu_ms for c in CONNECTIONS for s in samples[name, operation, c])


def _ratios(operation: str, samples: Samples, *, is_overlapping: bool) -> Iterator[str]:
    """Yield sentences: our ratio to the best peer, over HTTP and in processor time."""
    peers = {name for name, _, _ in samples if name.startswith("Strawberry")}
    http, cpu = TARGETS[operation]
    if operation == "partners" and is_overlapping:
        http = _OVERLAPPING

    def rate_ratio(names: set[str], connections: int) -> float:
        best = max(_rate(samples, name, operation, connections) for name in names)
        return _rate(samples, OURS, operation, connections) / best

    def cpu_ratio(names: set[str]) -> float:
        best = min(_cpu(samples, name, operation) for name in names)
        return best / _cpu(samples, OURS, operation)

    for connections in CONNECTIONS:
        ratio = rate_ratio(peers, connections)
        yield (
            f"Requests a second with {connections} connection(s), times the best peer: "
            f"{ratio:.1f} ({judge(ratio, http, at_least=True)})."
        )
    ratio = cpu_ratio(peers)
    yield (
        f"Processor time, the best peer's times: {ratio:.1f} ({judge(ratio, cpu, at_least=True)})."
    )
    if operation == "point":
        defaults = {name for name in peers if name.endswith("default")}
        ratio = rate_ratio(defaults, 8)
        yield (
            f"Requests a second with 8 connections, times the best peer at its defaults: "
            f"{ratio:.1f} ({judge(ratio, _DEFAULTS_TARGET, at_least=True)})."
        )
