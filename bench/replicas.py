"""How far replicas are behind their writer, and what a second one adds.

`python -m bench.replicas TRIPLES` starts a writer and two replicas on copies of one store, all on
this machine. Commits come twenty a second; a reader asks each replica for each revision as soon as
the writer has acknowledged it. Then the three-level operation is asked, uncached, of one replica
and of both, each kept to a processor of its own; who asks needs processor time on the same two,
which is shown beside.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from bench.generator import Shape
from bench.load import Load, measure
from bench.reads import read_identifiers, write_bodies
from bench.servers import Server, serve_store
from bench.stores import ROOT, copy_store, describe, prepare_store
from bench.tables import Cell, Table, judge, percentile
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.access_tokens import Tokens
from graph.terms import ENTITY

#: Commits a second, and how many of them.
RATE: Final = 20
COMMITS: Final = 400
_LAG_MS: Final = 1_000.0
_TIMES: Final = 1.6
_READERS: Final = 16
_SPARQL_EVERY: Final = 10
_CONNECTIONS: Final = 4
_SECONDS: Final = 4.0
_ROUNDS: Final = 5
#: Above what commits at that rate, or one replica, may ask in a minute.
_WRITER: Final = {"RHIZOME_RATE_TOKEN_API": "1300"}
_CREATE: Final = (
    "mutation ($source: SourceChoice!, $input: ClusterInput!) "
    "{ createCluster(source: $source, input: $input) { accepted revision } }"
)
_REVISION: Final = "/graphql?query=" + urllib.parse.quote("{ revision }")
_ASK: Final = "/sparql?query=" + urllib.parse.quote("ASK { ?s ?p ?o }")


class Group(NamedTuple):
    """A writer, a token that may write there, and its replicas."""

    writer: Server
    token: str
    replicas: tuple[Server, Server]


class Slice(NamedTuple):
    """Requests a second in all, and processor milliseconds an operation of servers and clients."""

    rate: float
    server_ms: float
    client_ms: float


def start_group(stack: ExitStack, store: Path, folder: Path) -> Group:
    """Start a writer and two replicas on copies of a store."""
    places = []
    for name in ("writer", "one", "two"):
        (folder / name).mkdir()
        places.append(copy_store(store, folder / name))
    tokens = Tokens.open(Settings(store=places[0]))
    token, _ = tokens.create(["write"], name="bench")
    for place in places[1:]:
        file = place.parent / "token"
        file.write_text(tokens.create(["changes"], name=place.parent.name)[0])
        file.chmod(0o600)
    writer = stack.enter_context(serve_store(places[0], settings=_WRITER))
    replicas = []
    for place in places[1:]:
        following = {
            "RHIZOME_FOLLOW": f"http://127.0.0.1:{writer.port}",
            "RHIZOME_FOLLOW_TOKEN_FILE": str(place.parent / "token"),
            "RHIZOME_REVISION_WAIT_S": "30",  # who comes late is measured, not refused
        }
        replicas.append(stack.enter_context(serve_store(place, settings=following)))
    for server in (writer, *replicas):
        server.settle()
    return Group(writer, token, (replicas[0], replicas[1]))


# --- how far behind -------------------------------------------------------------------------------


def measure_lag(group: Group, count: int) -> dict[str, list[float]]:
    """Return milliseconds from acknowledgement to a reader's answer, by reader, and of writing."""
    found: dict[str, list[float]] = {"acknowledged": [], "begun late": []}
    waiting: list[tuple[str, Future[float]]] = []
    began = time.perf_counter()
    with ThreadPoolExecutor(2 * _READERS) as pool:
        for number in range(count):
            due = began + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            asked = time.perf_counter()
            revision = _write(group, number)
            acknowledged = time.perf_counter()
            found["begun late"].append((asked - due) * 1000)
            found["acknowledged"].append((acknowledged - asked) * 1000)
            for name, replica in zip(
                ("first replica", "second replica"), group.replicas, strict=True
            ):
                work = pool.submit(_see, replica, _REVISION, revision, acknowledged)
                waiting.append((name, work))
            if number % _SPARQL_EVERY == 0:
                work = pool.submit(_see, group.replicas[0], _ASK, revision, acknowledged)
                waiting.append(("first replica, by SPARQL", work))
        for name, seen in waiting:
            found.setdefault(name, []).append(seen.result())
    return found


def _write(group: Group, number: int) -> int:
    source = {"id": f"{ENTITY}source/bench-replicas", "create": {"title": "Replicas"}}
    given = {"name": [{"text": f"Copied {number}", "lang": "en"}], "acronym": "COPY"}
    body = {"query": _CREATE, "variables": {"source": source, "input": given}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{group.writer.port}/graphql",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {group.token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        made = json.load(response)["data"]["createCluster"]
    if not made["accepted"]:
        raise AssertionError(made)
    revision: int = made["revision"]
    return revision


def _see(replica: Server, path: str, revision: int, since: float) -> float:
    """Ask a replica for a revision, and return when it answered."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{replica.port}{path}",
        headers={"Rhizome-Min-Revision": str(revision), "Accept": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        if int(response.headers["Rhizome-Revision"]) < revision:
            raise AssertionError(f"a replica answered before it held revision {revision}")
        response.read()
    return (time.perf_counter() - since) * 1000


def table_lag(group: Group, count: int, title: str) -> Table:
    """Return the table of how far behind readers of replicas are."""
    cpu = [server.cpu_s() for server in group.replicas]
    found = measure_lag(group, count)
    spent = [server.cpu_s() - before for server, before in zip(group.replicas, cpu, strict=True)]
    rows: list[tuple[Cell, ...]] = []
    for name, values in found.items():
        target = judge(max(values), _LAG_MS) if name.endswith("replica") else ""
        shares = (percentile(values, percent) for percent in (50, 95, 99))
        rows.append((name, *shares, max(values), target))
    heads = ("ms", "median", "p95", "p99", "most", "target, of the most")
    note = (
        f"{count} commits of one cluster, {RATE} a second, {title}; a replica took "
        f"{statistics.mean(spent) * 1000 / count:.1f} ms of processor time a commit, the questions "
        "about it included. Its token may ask 1,300 times a minute, a hundred more than by default."
    )
    return Table(f"From a commit to the readers of replicas, {title}", heads, rows, (note,))


# --- what a second one adds -----------------------------------------------------------------------


def measure_slice(replicas: Sequence[Server], bodies: Path, seconds: float, start: int) -> Slice:
    """Return what replicas answer in all, each asked by a client of its own."""
    loads = [
        Load(replica.port, "/graphql", str(bodies), _CONNECTIONS, seconds, start + 17 * number)
        for number, replica in enumerate(replicas)
    ]
    servers, clients = _cpu(replicas), _client_cpu()
    with ThreadPoolExecutor(len(loads)) as pool:
        timings = list(pool.map(measure, loads))
    count = sum(len(timing.latencies) for timing in timings)
    rate = sum(len(timing.latencies) / timing.wall_s for timing in timings)
    servers, clients = _cpu(replicas) - servers, _client_cpu() - clients
    return Slice(rate, servers / count * 1000, clients / count * 1000)


def _cpu(replicas: Sequence[Server]) -> float:
    return sum(replica.cpu_s() for replica in replicas)


def _client_cpu() -> float:
    """Processor seconds of all clients that have ended, their start included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table_throughput(group: Group, bodies: Path, seconds: float, rounds: int, title: str) -> Table:
    """Return the table of one replica and of two."""
    cores = sorted(os.sched_getaffinity(0))
    for number, replica in enumerate(group.replicas):
        replica.process.cpu_affinity([cores[number % len(cores)]])
    sets: dict[str, tuple[Server, ...]] = {
        "one replica": group.replicas[:1],
        "the other replica": group.replicas[1:],
        "both": group.replicas,
    }
    found: dict[str, list[Slice]] = {name: [] for name in sets}
    for round_ in range(-1, rounds):
        for name, replicas in sets.items():
            measured = measure_slice(replicas, bodies, seconds, round_ * 137 + 137)
            if round_ >= 0:  # the first one warms
                found[name].append(measured)
    median: Callable[[str, str], float] = lambda name, field: statistics.median(  # noqa: E731
        getattr(each, field) for each in found[name]
    )
    rows: list[tuple[Cell, ...]] = [
        (name, *(median(name, field) for field in Slice._fields)) for name in sets
    ]
    alone = (median("one replica", "rate") + median("the other replica", "rate")) / 2
    ratios = [
        both.rate / ((one.rate + other.rate) / 2)
        for one, other, both in zip(*found.values(), strict=True)
    ]
    ratio = median("both", "rate") / alone
    alone_ms = (median("one replica", "server_ms") + median("the other replica", "server_ms")) / 2
    apart = 2 * alone_ms / median("both", "server_ms")
    notes = (
        f"Both, times one: {ratio:.2f} ({judge(ratio, _TIMES, at_least=True)}); in single rounds "
        f"{', '.join(f'{each:.2f}' for each in sorted(ratios))}. The clients ran on the same "
        f"{len(cores)} processors: with one replica they had the other to themselves.",
        f"By processor time alone, two processors over what an operation takes of them while both "
        f"are asked, against one over what it takes alone: {apart:.2f} times. That is what two "
        "would answer if those who ask ran elsewhere.",
        f"{_CONNECTIONS} connections a replica, {rounds} rounds of {seconds:g} s, medians; no "
        f"answer is kept; {title}.",
    )
    heads = ("asked", "req/s", "CPU ms per operation, servers", "CPU ms, clients")
    return Table(f"Three-level query on one replica and on two, {title}", heads, rows, notes)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    kept = ROOT / "var" / "bench"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix="run-") as passing, ExitStack() as stack:
        for triples in map(int, arguments):
            shape, folder = Shape(triples, "much"), Path(passing) / str(triples)
            folder.mkdir()
            store = prepare_store(shape, load_model(), kept)
            write_bodies(folder, *read_identifiers(shape))
            group = start_group(stack, store, folder)
            title = describe(shape)
            print(table_lag(group, COMMITS, title).markdown(), flush=True)
            bodies = folder / "partners"
            table = table_throughput(group, bodies, _SECONDS, _ROUNDS, title)
            print(table.markdown(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
