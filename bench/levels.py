"""What visibility levels cost: time of a commit and memory, with one level and with two.

`python -m bench.levels [TRIPLES] [COMMITS]` builds a store of generated data, measures commits
while all is public, begins a graph for partners, and measures commits into it and beside it. The
store is then opened again, from the images of both levels. Times are processor time of the thread
that commits; SPARQL stores are left out, since they follow in threads of their own.
"""

from __future__ import annotations

import gc
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.commits import beginning, entity
from bench.generator import Shape
from bench.stores import prepare_store
from graph.access import Level
from graph.curation.gate import Gate
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.store.levels import VISIBILITY, write_level
from graph.terms import ENTITY, Quad

_PARTNER: Final = f"<{ENTITY}source/bench-partner>"
_STATUS: Final = Path("/proc/self/status")


def resident_mb() -> float:
    """Return the memory that this process has now, in MB, after a collection."""
    gc.collect()
    line = next(x for x in _STATUS.read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def submit(gate: Gate, quads: list[Quad]) -> float:
    """Commit, and return the milliseconds of processor time to acknowledgement."""
    began = time.thread_time()
    gate.submit(quads, agent="bench", activity="mutation", message="one entity")
    return (time.thread_time() - began) * 1000


def moved(quads: list[Quad]) -> list[Quad]:
    """Return quads as statements of the partners' source."""
    source = quads[0][3]
    return [tuple(_PARTNER if t == source else t for t in quad) for quad in quads]  # type: ignore[misc]


def measure(gate: Gate, name: str, count: int, make: Callable[[int], list[Quad]]) -> None:
    """Commit one entity after the other and write how long it took."""
    found = [submit(gate, make(number)) for number in range(count)]
    median, most = statistics.median(found), max(found)
    print(f"{name:44} median {median:7.2f} ms, most {most:7.2f} ms of {count}")


def main() -> None:
    """Measure and write what was found."""
    triples = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    model = load_model()
    with tempfile.TemporaryDirectory() as made:
        kept = prepare_store(Shape(triples), model, Path(made) / "kept")
        store = Path(made) / "store"
        shutil.copytree(kept, store)
        settings = replace(Settings(), store=store)
        dataset = Dataset.open(settings, model, with_store=False)
        dataset.index_texts()
        while not dataset.snapshot.search.is_ready:
            time.sleep(0.05)
        gate = Gate(dataset, model, settings)
        submit(gate, list(beginning()))
        print(f"{dataset.snapshot.quad_count:,} quads, {resident_mb():.0f} MB with one level")
        measure(gate, "one level", count, lambda n: list(entity(n)))
        before = resident_mb()
        first = submit(gate, [*moved(list(beginning())), _visible(Level.PARTNER)])
        print(f"{'the first graph for partners':44} {first:14.2f} ms")
        print(f"the second level: {resident_mb() - before:.1f} MB more")
        measure(
            gate, "two levels, into the partners'", count, lambda n: moved(list(entity(n + 10**6)))
        )
        measure(
            gate, "two levels, into a public source", count, lambda n: list(entity(n + 2 * 10**6))
        )
        spent = submit(gate, [_visible(Level.RESTRICTED, f"<{ENTITY}source/bench-commits>")])
        print(f"{'hiding a public source':44} {spent:14.2f} ms")
        dataset.close()
        del gate, dataset
        began, before = time.perf_counter(), resident_mb()
        again = Dataset.open(settings, model, with_store=False)
        seconds = time.perf_counter() - began
        print(f"opened again: {seconds:.2f} s, {resident_mb() - before:.0f} MB, all levels")
        again.log.close()


def _visible(level: Level, graph: str = _PARTNER) -> Quad:
    return (graph, VISIBILITY, write_level(level), graph)


if __name__ == "__main__":
    main()
