"""How cost grows with the data: load, start, commit and queries at ten times the size each.

`python -m bench.growth STORE TRIPLES OVERLAP` loads further sources through the gate, in a
process of its own, and writes the CPU seconds that each took.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.blocks import SourceBlock
from bench.commits import measure_commits
from bench.generator import Shape
from bench.reads import OPERATIONS, OURS, Target, measure_slice, read_identifiers, write_bodies
from bench.servers import serve_store
from bench.starts import make_empty, start
from bench.stores import copy_store
from bench.tables import Cell, Table, percentile
from graph.curation.gate import Gate
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.terms import Quad

_LOADS: Final = 5
_COMMITS: Final = 60


def table_growth(stores: dict[Shape, Path], folder: Path, seconds: float) -> Table:
    """Return the table, one row a size."""
    rows: list[tuple[Cell, ...]] = []
    empty = start(make_empty(folder)).rest.resident
    for shape, store in stores.items():
        found = start(copy_store(store, folder))
        commits = measure_commits(copy_store(store, folder), _COMMITS)
        rows.append(
            (
                shape.triples,
                _load_rate(copy_store(store, folder), shape),
                found.ready_s,
                found.rest.resident / 2**20,
                (found.rest.resident - empty) / shape.triples,
                percentile(commits["acknowledged"], 50),
                percentile(commits["every reader sees it"], 50),
                *_query_costs(shape, store, folder, seconds),
            )
        )
    heads = (
        "triples",
        "load, quads a CPU s",
        "start, s",
        "resident, MiB",
        "B a triple",
        "commit, ms",
        "seen by all, ms",
        "three-level, CPU ms",
        "point, CPU ms",
    )
    note = (
        "Load: a source of 1,500 quads through the gate, validated, into a store of that size. "
        "Memory: of the API process, with the search index, at rest; a triple: above an empty "
        "store. Queries: one connection, over HTTP, at rest."
    )
    return Table("Growth", heads, rows, (note,))


def _query_costs(shape: Shape, store: Path, folder: Path, seconds: float) -> Iterator[float]:
    """Yield the CPU milliseconds of each operation."""
    write_bodies(folder, *read_identifiers(shape))
    with serve_store(store) as server:
        paths = dict.fromkeys(OPERATIONS, "/graphql")
        target = Target(OURS, server, paths, {name: folder / name for name in OPERATIONS})
        server.settle()
        for operation in OPERATIONS:
            samples = [measure_slice(target, operation, 1, seconds, 0) for _ in range(3)]
            yield statistics.median(sample.cpu_ms for sample in samples)


def _load_rate(store: Path, shape: Shape) -> float:
    """Return how many quads the gate takes in a second of processor time."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.growth", str(store), str(shape.triples), shape.overlap],
        stdout=subprocess.PIPE,
        check=True,
    )
    rates: list[float] = json.loads(done.stdout)
    return statistics.median(rates)


def load_sources(store: Path, shape: Shape) -> list[float]:
    """Return quads a CPU second of loading further sources into a store."""
    settings, model = replace(Settings(), store=store), load_model()
    dataset = Dataset.open(settings, model, with_store=False)
    gate = Gate(dataset, model, settings)
    rates = []
    for number in range(_LOADS):
        quads = list(_further(shape, number))
        began = time.process_time()
        gate.submit(quads, agent="bench", activity="load", message="a further source")
        rates.append(len(quads) / (time.process_time() - began))
    dataset.close()
    return rates


def _further(shape: Shape, number: int) -> Iterator[Quad]:
    """Yield the quads of a source beyond those of the shape."""
    block: Any = SourceBlock(shape.sources * 2 + number, shape.sources, shape.overlap, shape.seed)
    before = f"-{block.number - 1:05}--lead>"  # the network of a source that is not there
    for triple in dict.fromkeys(block.triples()):
        if not triple[0].endswith(before):
            yield *triple, block.iri


def main() -> None:
    """Measure the load and write its rates."""
    overlap: Any = sys.argv[3]
    json.dump(load_sources(Path(sys.argv[1]), Shape(int(sys.argv[2]), overlap)), sys.stdout)


if __name__ == "__main__":
    main()
