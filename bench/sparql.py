"""SPARQL: what the worker costs, how a runaway ends, how long the store takes to build.

`python -m bench.sparql [TRIPLES ...]` prints the tables for generated data of each size (100,000
if none is given). The queries are asked of the largest.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from bench.generator import Shape, generate
from bench.stores import ROOT
from bench.tables import Cell, Table, judge, percentile
from graph.errors import RhizomeError
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.directory import Checkpoint
from graph.store.oxigraph import OxigraphStore
from graph.store.query import Query
from graph.store.workers import QueryPool
from graph.terms import hash_dataset

DEADLINE_S: Final = 2.0
_SETTINGS: Final = Settings(sparql_deadline_s=DEADLINE_S)
_PREFIXES: Final = """
PREFIX rz: <https://w3id.org/rhizome/ontology#>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
"""
#: Name: query, and how often it is asked. `{one}` is an organisation.
QUERIES: Final = {
    "point": ("SELECT ?name { <{one}> skos:prefLabel ?name }", 500),
    "two hops": (
        "SELECT ?whole ?name { ?tie org:member <{one}> ; org:organization ?whole ."
        " ?whole skos:prefLabel ?name }",
        300,
    ),
    "1,000 rows": ("SELECT ?s ?name { ?s skos:prefLabel ?name } LIMIT 1000", 50),
    "10,000 rows": ("SELECT ?s ?p ?o { ?s ?p ?o } LIMIT 10000", 10),
    "count by class": ("SELECT ?c (COUNT(?s) AS ?n) { ?s a ?c } GROUP BY ?c", 10),
}
RUNAWAYS: Final = {
    "cartesian product": "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f FILTER(?c != ?f) }",
    "ORDER BY of a product": "SELECT * { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f",
    "regular expression": (
        "SELECT (COUNT(?x) AS ?n)"
        " { ?s ?p ?o BIND(REGEX(STR(?o), '((a{1,99}){1,99}){1,99}') AS ?x) }"
    ),
    "all pairs of a path": "SELECT (COUNT(*) AS ?n) { ?a (org:member|^org:member)* ?b }",
    "planner": "ASK {" + " ".join(f"?s <http://e/{n}> ?o{n} ." for n in range(200)) + "}",
    "stack": "ASK " + "{" * 20_000,
}


class Source:
    """A store whose checkpoints a pool follows."""

    def __init__(self, store: OxigraphStore) -> None:
        self.store = store
        self.checkpoint: Checkpoint | None = store.checkpoint()
        self.listeners: list[Callable[[Checkpoint], None]] = []
        self.doubt: str | None = None
        self.doubts = 0

    def on_checkpoint(self, listener: Callable[[Checkpoint], None]) -> None:
        """Follow new checkpoints."""
        self.listeners.append(listener)

    def prune_checkpoints(self, in_use: frozenset[Path]) -> None:
        """Delete what nobody uses."""
        self.store.prune(in_use)

    def mend_store(self, reason: str) -> None:
        """Nothing is damaged here."""
        raise AssertionError(reason)

    def publish(self) -> Checkpoint:
        """Make a checkpoint and tell the pool."""
        self.checkpoint = self.store.checkpoint()
        for listener in self.listeners:
            listener(self.checkpoint)
        return self.checkpoint


def build(folder: Path, triples: int) -> None:
    """Build a store of generated data and print what that took; a process of its own."""
    quads = list(generate(Shape(triples)))
    dataset_hash = hash_dataset(quads)
    store = OxigraphStore.open(folder / "oxigraph", load_model().system_quads)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    store.rebuild(iter(quads), 1, dataset_hash, len(quads))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    disk = sum(file.stat().st_size for file in (folder / "oxigraph").rglob("*") if file.is_file())
    total = store.stamp().total
    print(json.dumps([len(quads), total, seconds, cpu, peak / 1024, disk / 2**20]))


def table_build(folder: Path, sizes: list[int]) -> Table:
    """Return what building takes, leaving a store of each size in a folder."""
    rows: list[tuple[Cell, ...]] = []
    for triples in sizes:
        place = folder / str(triples)
        place.mkdir()
        command = [sys.executable, "-m", "bench.sparql", "--build", str(place), str(triples)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        quads, statements, seconds, cpu_s, peak_mb, disk_mb = json.loads(done.stdout)
        target = f"{judge(seconds, 20)} s, {judge(peak_mb, 800)} MiB" if triples > 900_000 else ""
        rows.append((quads, statements, seconds, cpu_s, peak_mb, disk_mb, target))
    heads = ("quads", "statements", "s", "CPU s", "memory on top, MiB", "disk, MiB", "target")
    note = (
        "Statements: quads of named graphs, merged triples of the default graph, the ontology. "
        "The engine uses two processors where nobody else does."
    )
    return Table("Building the SPARQL store anew", heads, rows, (note,))


async def measure(work: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Return the milliseconds of each of some runs."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        await work()
        found.append((time.perf_counter() - started) * 1000)
    return found


def ask(text: str) -> Query:
    """Return a query."""
    return Query(_PREFIXES + text, "json", DEADLINE_S)


async def table_queries(pool: QueryPool, source: Source, one: str) -> Table:
    """Return each query in this process and through a worker."""
    assert source.checkpoint is not None
    here = ox.Store.read_only(str(source.checkpoint.path))
    rows: list[tuple[Cell, ...]] = []
    for name, (text, times) in QUERIES.items():
        query = ask(text.replace("{one}", one))

        async def run_here(query: Query = query) -> object:
            answer = here.query(query.text)
            assert isinstance(answer, ox.QuerySolutions)
            return answer.serialize(format=ox.QueryResultsFormat.JSON)

        async def run_there(query: Query = query) -> object:
            return await pool.query(query)

        for work in (run_here, run_there):
            await measure(work, 3)
        inside, outside = await measure(run_here, times), await measure(run_there, times)
        rows.append(
            (
                name,
                statistics.median(inside),
                percentile(inside, 95),
                statistics.median(outside),
                percentile(outside, 95),
                statistics.median(outside) - statistics.median(inside),
            )
        )
    heads = ("query", "in process, ms", "p95", "by a worker, ms", "p95", "difference, ms")
    return Table("Queries", heads, rows)


async def table_runaways(pool: QueryPool, one: str) -> Table:
    """Return when each runaway ended, and when the query after it was answered."""
    point = ask(QUERIES["point"][0].replace("{one}", one))
    rows: list[tuple[Cell, ...]] = []
    for name, text in RUNAWAYS.items():
        outcome = "answered"
        started = time.perf_counter()
        try:
            await pool.query(ask(text))
        except RhizomeError as error:
            outcome = error.code
        ended_s = time.perf_counter() - started
        (next_ms,) = await measure(lambda: pool.query(point), 1)
        late_ms = (ended_s - DEADLINE_S) * 1000
        verdict = f"{judge(late_ms, 250)} ms, {judge(next_ms, 50)} ms"
        rows.append((name, outcome, ended_s, next_ms, verdict))
        await asyncio.sleep(0.5)
    heads = ("query", "outcome", "ended after, s", "next query, ms", "target")
    note = f"Deadline {DEADLINE_S:g} s, fast lane {_SETTINGS.sparql_fast_s:g} s, no text guard."
    return Table("Runaways", heads, rows, (note,))


async def table_processes(pool: QueryPool, source: Source) -> Table:
    """Return what checkpoints and processes take."""
    checkpoints = []
    seen = []
    for _ in range(10):
        started = time.perf_counter()
        await asyncio.to_thread(source.publish)
        checkpoints.append((time.perf_counter() - started) * 1000)
        await pool.query(ask("ASK {}"))
        seen.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.2)
    fresh = QueryPool(_SETTINGS, source)
    started = time.perf_counter()
    await fresh.start()
    await fresh.query(ask("ASK {}"))
    first_ms = (time.perf_counter() - started) * 1000
    await fresh.close()
    rows: list[tuple[Cell, ...]] = [
        ("checkpoint by hard links", statistics.median(checkpoints), max(checkpoints)),
        ("checkpoint, worker on it, first answer", statistics.median(seen), max(seen)),
        ("five processes from nothing to the first answer", first_ms, first_ms),
    ]
    return Table("Checkpoints and processes", ("step", "median, ms", "longest, ms"), rows)


async def measure_pool(place: Path) -> list[Table]:
    """Return the tables of one store."""
    store = OxigraphStore.open(place / "oxigraph", load_model().system_quads)
    kinds = (q[0] for q in store.quads() if q[0].startswith("<https://w3id.org/rhizome/id/organis"))
    one = next(kinds)[1:-1]
    source = Source(store)
    pool = QueryPool(_SETTINGS, source)
    await pool.start()
    await asyncio.sleep(1)
    try:
        return [
            await table_queries(pool, source, one),
            await table_runaways(pool, one),
            await table_processes(pool, source),
        ]
    finally:
        await pool.close()
        store.close()


def tables(sizes: list[int]) -> Iterator[Table]:
    """Yield all tables."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="bench-sparql-") as name:
        yield table_build(Path(name), sizes)
        yield from asyncio.run(measure_pool(Path(name) / str(max(sizes))))


def main(arguments: list[str]) -> None:
    """Print the tables, or build one store."""
    if arguments[:1] == ["--build"]:
        build(Path(arguments[1]), int(arguments[2]))
        return
    for table in tables([int(size) for size in arguments] or [100_000]):
        print(table.markdown(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
