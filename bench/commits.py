"""Commits of one entity through the gate: to acknowledgement, and until every reader sees it.

`python -m bench.commits STORE COUNT` runs in a process of its own and writes what it measured as
JSON. Steps are timed by wrapping the functions that the dataset calls; a reader is a query of
each worker of the fast lane that asks for the new revision.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.tables import Cell, Table, judge, percentile
from graph.curation.gate import Gate
from graph.settings import Settings
from graph.shapes import load_model
from graph.store import dataset as dataset_module
from graph.store.dataset import Dataset
from graph.store.query import Query
from graph.store.workers import QueryPool
from graph.terms import ENTITY, RDF_TYPE, RZ, SKOS, XSD, Quad

STEPS: Final = (
    "normalise",
    "validate",
    "record",
    "snapshot",
    "log, fsync apart",
    "fsync",
    "store",
    "checkpoint",
)
_SOURCE: Final = f"<{ENTITY}source/bench-commits>"
_PAUSE_S: Final = 0.02

Milliseconds = dict[str, list[float]]


def entity(number: int) -> Iterator[Quad]:
    """Yield the quads of one entity: an organisation, its membership, the evidence of it."""
    organisation = f"<{ENTITY}organisation/committed-{number}>"
    cluster = f"<{ENTITY}organisation/committed-cluster>"
    membership = f"<{ENTITY}membership/committed-{number}--committed-cluster--member>"
    evidence = f"<{ENTITY}evidence/bench-commits-{number}>"
    triples = [
        (organisation, RDF_TYPE, f"<{RZ}Company>"),
        (organisation, f"<{SKOS}prefLabel>", f'"Committed {number}"@en'),
        (organisation, f"<{SKOS}prefLabel>", f'"Entreprise {number}"@fr'),
        (organisation, f"<{RZ}sector>", f"<{ENTITY}concept/sector--seeds>"),
        (organisation, f"<{RZ}acronym>", f'"CO{number}"'),
        (membership, RDF_TYPE, f"<{RZ}Membership>"),
        (membership, "<http://www.w3.org/ns/org#member>", organisation),
        (membership, "<http://www.w3.org/ns/org#organization>", cluster),
        (membership, "<http://www.w3.org/ns/org#role>", f"<{ENTITY}concept/role--member>"),
        (membership, f"<{RZ}startedText>", '"2026"'),
        (membership, f"<{RZ}startedEarliest>", f'"2026-01-01"^^<{XSD}date>'),
        (membership, f"<{RZ}startedLatest>", f'"2026-12-31"^^<{XSD}date>'),
        (membership, f"<{RZ}status>", '"stated"'),
        (membership, f"<{RZ}evidence>", evidence),
        (evidence, RDF_TYPE, f"<{RZ}Evidence>"),
        (evidence, "<http://www.w3.org/ns/prov#hadPrimarySource>", _SOURCE),
        (evidence, f"<{RZ}quote>", f'"Company {number} has joined the cluster, says its page."'),
    ]
    for triple in triples:
        yield *triple, _SOURCE


def beginning() -> Iterator[Quad]:
    """Yield what must stand before the first entity: the source and the cluster."""
    cluster = f"<{ENTITY}organisation/committed-cluster>"
    triples = [
        (_SOURCE, RDF_TYPE, f"<{RZ}Source>"),
        (_SOURCE, "<http://purl.org/dc/terms/title>", '"Commits of the bench"'),
        (_SOURCE, f"<{RZ}sourceKind>", '"dataset"'),
        (cluster, RDF_TYPE, f"<{RZ}Cluster>"),
        (cluster, f"<{SKOS}prefLabel>", '"Committed cluster"@en'),
    ]
    for triple in triples:
        yield *triple, _SOURCE


class _Clock:
    """Adds up how long named steps took, until it is read."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def wrap(self, holder: Any, name: str, step: str) -> None:
        """Time every call of a function of an object or module."""
        inner: Callable[..., Any] = getattr(holder, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*arguments, **named)
            finally:
                with self._lock:
                    self.spent[step] += (time.perf_counter() - began) * 1000

        setattr(holder, name, timed)

    def read(self) -> dict[str, float]:
        """Return the steps' milliseconds and begin anew."""
        with self._lock:
            spent, self.spent = dict(self.spent), defaultdict(float)
        if "log" in spent:
            spent["log, fsync apart"] = spent.pop("log") - spent.get("fsync", 0.0)
        return spent


async def run(store: Path, count: int) -> Milliseconds:
    """Return the times of `count` commits on a store, by step."""
    settings = replace(Settings(), store=store)
    model = load_model()
    dataset = Dataset.open(settings, model)
    gate = Gate(dataset, model, settings)
    pool = QueryPool(settings, dataset)
    await pool.start()
    clock = _Clock()
    clock.wrap(gate, "_normalise", "normalise")
    clock.wrap(gate.validator, "validate", "validate")
    clock.wrap(dataset_module, "follow", "record")
    clock.wrap(dataset_module, "follow_commit", "snapshot")
    clock.wrap(dataset.log, "append", "log")
    clock.wrap(os, "fsync", "fsync")
    clock.wrap(os, "fdatasync", "fsync")
    clock.wrap(dataset.store, "apply", "store")
    clock.wrap(dataset.store, "checkpoint", "checkpoint")
    _submit(gate, beginning())
    found: Milliseconds = defaultdict(list)
    for number in range(count):
        await asyncio.sleep(_PAUSE_S)
        await _commit(gate, pool, settings, clock, number, found)
    await pool.close()
    dataset.close()
    return found


async def _commit(
    gate: Gate,
    pool: QueryPool,
    settings: Settings,
    clock: _Clock,
    number: int,
    found: Milliseconds,
) -> None:
    """Commit one entity, wait until every worker answers with it, add the times."""
    clock.read()
    quads = list(entity(number))
    began = time.perf_counter()
    revision = await asyncio.to_thread(_submit, gate, quads)
    found["acknowledged"].append((time.perf_counter() - began) * 1000)
    text = f"ASK {{ {quads[0][0]} ?property ?value }}"
    readers = range(settings.sparql_fast_workers)
    queries = (Query(f"{text} # {reader}", "json", 5.0) for reader in readers)
    answers = await asyncio.gather(*(pool.query(query, revision) for query in queries))
    found["every reader sees it"].append((time.perf_counter() - began) * 1000)
    if not all(b"true" in answer.body for answer in answers):
        raise AssertionError(f"a worker does not see revision {revision}")
    spent = clock.read()
    for step in STEPS:
        found[step].append(spent.get(step, 0.0))
    told = found["acknowledged"][-1] + spent.get("store", 0.0) + spent.get("checkpoint", 0.0)
    found["worker reopens, and waiting"].append(found["every reader sees it"][-1] - told)


def _submit(gate: Gate, quads: Any) -> int:
    receipt = gate.submit(quads, agent="bench", activity="mutation", message="one entity")
    return receipt.revision


def measure_commits(store: Path, count: int) -> Milliseconds:
    """Return the times of commits on a copy of a store, measured in another process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.commits", str(store), str(count)],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: Milliseconds = json.loads(done.stdout)
    return found


def table_commits(store: Path, count: int, title: str) -> Table:
    """Return the table of commits on a copy of a store."""
    found = measure_commits(store, count)
    targets: dict[str, str] = {
        "acknowledged": judge(percentile(found["acknowledged"], 50), 20)
        + ", p99 "
        + judge(percentile(found["acknowledged"], 99), 60),
        "every reader sees it": judge(percentile(found["every reader sees it"], 50), 120)
        + ", p95 "
        + judge(percentile(found["every reader sees it"], 95), 250),
    }
    rows: list[tuple[Cell, ...]] = []
    for name in ("acknowledged", "every reader sees it", *STEPS, "worker reopens, and waiting"):
        values = found[name]
        shares = (percentile(values, percent) for percent in (50, 95, 99))
        rows.append((name, *shares, max(values), targets.get(name, "")))
    heads = ("step, ms", "median", "p95", "p99", "most", "target")
    note = f"{count} commits of {len(list(entity(0)))} quads, one after the other, {title}."
    return Table(f"Commit of one entity, {title}", heads, rows, (note,))


def main() -> None:
    """Measure and write the times."""
    found = asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
