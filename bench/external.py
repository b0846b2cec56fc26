"""A SPARQL server of others: fed, followed and asked, through the store that the service uses.

`python -m bench.external URL QUADS [--merged named] [--statements N] [--pid PID]` feeds an empty
server that runs already with generated data and prints wall time, and, of a local process, its
processor time and memory. The figures of docs/scale-out.md were made with it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil

from bench.commits import entity
from bench.generator import Shape, generate
from bench.tables import percentile
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.external_pool import ExternalPool, open_external
from graph.store.query import Query
from graph.terms import SKOS

_COMMITS: Final = 20
_QUERIES: Final = 200
_POINT: Final = "SELECT ?p ?o {{ {subject} ?p ?o }}"
_COUNT: Final = f"SELECT (COUNT(*) AS ?n) {{ ?s <{SKOS}prefLabel> ?o }}"


def main() -> None:
    """Measure one server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("quads", type=int)
    parser.add_argument("--update", default="")
    parser.add_argument("--merged", default="default")
    parser.add_argument("--statements", type=int, default=500)
    parser.add_argument("--pid", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store=Path(folder),
            sparql=options.url,
            sparql_update=options.update,
            sparql_merged=options.merged,
            sparql_feed_statements=options.statements,
        )
        model = replace(load_model(), system_quads=())
        dataset = Dataset.open(settings, model, with_store=False)
        dataset.commit(Change(tuple(generate(Shape(options.quads))), (), "bench", "load", "bench"))
        count = dataset.snapshot.quad_count
        process = psutil.Process(options.pid) if options.pid else None
        used, ours = _used(process), time.process_time()
        started = time.perf_counter()
        follower = open_external(settings, dataset)
        if not follower.wait_for(1, 7_200):
            raise SystemExit(follower.fault)
        seconds = time.perf_counter() - started
        print(f"fed {count} quads in {seconds:.1f} s: {count / seconds:.0f} quads a second")
        print(f"  our processor time {time.process_time() - ours:.1f} s")
        if process is not None:
            memory = process.memory_info().rss / 1e6
            print(f"  its processor time {_used(process) - used:.1f} s, memory {memory:.0f} MB")
        waits = []
        for number in range(_COMMITS):
            dataset.commit(Change(tuple(entity(number)), (), "bench", "load", "bench"))
            begun = time.perf_counter()
            follower.wait_for(dataset.snapshot.revision, 60)
            waits.append((time.perf_counter() - begun) * 1e3)
        print(f"commit of one entity seen after {_spread(waits)}")
        subject = next(iter(dataset.snapshot.quads()))[0]
        for name, text in (("point", _POINT.format(subject=subject)), ("count", _COUNT)):
            times = asyncio.run(_ask(ExternalPool(settings, follower), text))
            print(f"query, {name}: {_spread(times)}")
        follower.close()
        dataset.close()


def _used(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)


def _spread(milliseconds: list[float]) -> str:
    return f"{percentile(milliseconds, 50):.1f} ms (p95 {percentile(milliseconds, 95):.1f} ms)"


async def _ask(pool: ExternalPool, text: str) -> list[float]:
    await pool.start()
    times = []
    for _ in range(_QUERIES):
        started = time.perf_counter()
        await pool.query(Query(text, "json", 30.0))
        times.append((time.perf_counter() - started) * 1e3)
    await pool.close()
    return times


if __name__ == "__main__":
    main()
