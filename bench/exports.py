"""Exports: how fast they are beside `Store.dump` of the engine, and what memory they take.

The engine dumps the same quads as N-Quads to a file: from a store on disk, as the SPARQL store is,
and from one in memory. Ours are written to a file in process, and fetched from a running server,
whose memory is watched meanwhile. Rounds take turns; the fastest round of each counts.
"""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil
import pyoxigraph as ox

from bench.servers import Server, serve_store
from bench.stores import copy_store
from bench.tables import Cell, Table, judge
from graph.curation.export import FRAMED, WRITTEN, export
from graph.curation.formats import N_QUADS, Format
from graph.curation.replay import write_dump
from graph.model import Model
from graph.settings import Settings
from graph.store.dataset import Dataset

_MIB: Final = 2**20
_SAMPLE_S: Final = 0.005
_READ: Final = 1 << 20
_SHARE: Final = 0.8
_GROWTH_MIB: Final = 64


class _Growth:
    """The most memory that a process takes above what it has when this begins, in MiB."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._before = process.memory_info().rss
        self._most = self._before
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """Return it."""
        self._stopping.set()
        self._thread.join()
        return float(self._most - self._before) / _MIB

    def _watch(self) -> None:
        while not self._stopping.wait(_SAMPLE_S):
            self._most = max(self._most, self._process.memory_info().rss)


def table_exports(store: Path, model: Model, folder: Path, rounds: int, title: str) -> Table:
    """Return the table of a store's data, written out in every way."""
    copy = copy_store(store, folder)
    quads = folder / "quads.nq"
    settings = Settings(store=copy)
    dataset = Dataset.open(settings, model, with_store=False)
    count = dataset.snapshot.quad_count
    _write(dataset, N_QUADS, quads)
    rows: list[tuple[Cell, ...]] = []
    best: dict[str, float] = {}
    growth: dict[str, float] = {}
    ways = _ways(dataset, quads, folder)
    with serve_store(copy_store(store, folder / "served")) as server:
        server.settle()
        ways["over HTTP, nq"] = lambda: _fetch(server)
        for _ in range(rounds):
            for name, run in ways.items():
                watched = server.process if "HTTP" in name else psutil.Process()
                watching = _Growth(watched)
                began = time.perf_counter()
                run()
                took = time.perf_counter() - began
                best[name] = min(took, best.get(name, took))
                growth[name] = max(watching.end(), growth.get(name, 0.0))
    disk, memory = best["Store.dump, on disk"], best["Store.dump, in memory"]
    for name, took in best.items():
        rows.append((name, count / took, disk / took, memory / took, growth[name]))
    revision = dataset.snapshot.revision
    dataset.close()
    began = time.perf_counter()
    write_dump(settings, revision, N_QUADS, frozenset(), folder / "replayed.nq")
    took = time.perf_counter() - began
    same = (folder / "replayed.nq").read_bytes() == quads.read_bytes()
    rows.append(("from the log, nq", count / took, disk / took, memory / took, float("nan")))
    shutil.rmtree(folder / "served")
    ours = "over HTTP, nq"
    notes = (
        f"Export over HTTP beside the dump from disk: {disk / best[ours]:.2f} "
        f"({judge(disk / best[ours], _SHARE, at_least=True)}); beside the dump from memory: "
        f"{memory / best[ours]:.2f} ({judge(memory / best[ours], _SHARE, at_least=True)}). "
        f"Memory of the API process: {growth[ours]:.0f} MiB more "
        f"({judge(growth[ours], _GROWTH_MIB)}).",
        f"Made anew from the log: {'the same bytes' if same else '**other bytes**'}.",
    )
    heads = ("way", "quads/s", "times dump, disk", "times dump, memory", "memory, MiB more")
    return Table(f"Exports, {title}", heads, rows, notes)


def _ways(dataset: Dataset, quads: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name; the stores are filled first."""
    out = folder / "out"
    on_disk = ox.Store(str(folder / "dumped"))
    on_disk.bulk_load(path=str(quads), format=ox.RdfFormat.N_QUADS)
    on_disk.optimize()
    in_memory = ox.Store()
    in_memory.bulk_load(path=str(quads), format=ox.RdfFormat.N_QUADS)

    def dump(engine: ox.Store) -> Callable[[], object]:
        return lambda: engine.dump(str(out), format=ox.RdfFormat.N_QUADS)

    ways = {"Store.dump, on disk": dump(on_disk), "Store.dump, in memory": dump(in_memory)}
    for format in WRITTEN:
        if format is not FRAMED:
            ways[f"in process, {format.key}"] = _writer(dataset, format, out)
    return ways


def _writer(dataset: Dataset, format: Format, out: Path) -> Callable[[], object]:
    return lambda: _write(dataset, format, out)


def _write(dataset: Dataset, format: Format, out: Path) -> None:
    with out.open("wb") as file:
        file.writelines(export(dataset.snapshot, format))


def _fetch(server: Server) -> int:
    """Fetch the whole dataset from a server and throw it away; return the bytes."""
    return sum(map(len, _read(server)))


def _read(server: Server) -> Iterator[bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    try:
        connection.request("GET", "/export?format=nq")
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"the export answered {response.status}")
        while piece := response.read(_READ):
            yield piece
    finally:
        connection.close()
