"""Starts: time to ready, memory after it, and what it takes to rebuild everything from the log.

Each start is a fresh `server.py serve`; ready is when `/ready` answers 200. Memory is what the
API process keeps resident when its check of all data is over, less what it keeps on an empty
store, once without a search index and once with it; workers are other processes and are not
counted.
"""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.generator import Shape, generate
from bench.servers import Server, serve_store
from bench.stores import copy_store
from bench.tables import Cell, Table, judge

#: Texts longer than this stay in a mapped file and are counted apart.
LONG_BYTES: Final = 64
_MIB: Final = 2**20
_SAMPLE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process: resident in all, and of that the mapped image."""

    resident: int
    image: int


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds to ready, most bytes resident by then, and memory at rest."""

    ready_s: float
    peak: int
    ready: Memory
    rest: Memory


class _Peak:
    """Watches the resident memory of a server's API process until it is stopped."""

    def __init__(self) -> None:
        self.most = 0
        self._server: Server | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def begin(self, server: Server) -> None:
        """Watch from now on."""
        self._server = server
        self._thread.start()

    def end(self) -> int:
        """Return the most bytes seen."""
        self._stopping.set()
        self._thread.join()
        return self.most

    def _watch(self) -> None:
        assert self._server is not None
        while not self._stopping.wait(_SAMPLE_S):
            self.most = max(self.most, self._server.process.memory_info().rss)


def start(store: Path, *, seeds: bool = False, is_searched: bool = True) -> Start:
    """Return what one start of the service on a store took."""
    peak = _Peak()
    program = ("server.py",) if is_searched else ("-m", "bench.unindexed")
    with serve_store(store, seeds=seeds, on_started=peak.begin, program=program) as server:
        most = peak.end()
        ready = read_memory(server)
        server.settle()
        return Start(server.ready_s, max(most, ready.resident), ready, read_memory(server))


def read_memory(server: Server) -> Memory:
    """Return the memory of a server's API process now."""
    image = 0
    for region in server.process.memory_maps(grouped=False):
        if region.path.endswith("/image"):
            image += region.rss
    return Memory(server.process.memory_info().rss, image)


def long_bytes(shape: Shape) -> int:
    """Return the bytes of the distinct texts over 64 bytes in a dataset."""
    texts = {
        value
        for _, _, value, _ in generate(shape)
        if value.startswith('"') and len(value.encode()) - 2 > LONG_BYTES
    }
    return sum(len(text.encode()) - 2 for text in texts)


def table_memory(stores: dict[int, tuple[Shape, Path]], folder: Path) -> Table:
    """Return the table of resident growth per triple after a start from the saved image."""
    empty = start(make_empty(folder), is_searched=False)
    rows: list[tuple[Cell, ...]] = []
    for triples, (shape, store) in stores.items():
        copy = copy_store(store, folder)
        found, searched = start(copy, is_searched=False), start(copy)
        growth = (found.rest.resident - empty.rest.resident) / triples
        with_search = (searched.rest.resident - empty.rest.resident) / triples
        at_ready = (found.ready.resident - empty.ready.resident) / triples
        long = long_bytes(shape) / triples
        rows.append(
            (
                triples,
                empty.rest.resident / _MIB,
                found.rest.resident / _MIB,
                at_ready,
                growth,
                found.rest.image / triples,
                long,
                growth - long,
                judge(growth - long, 80),
                with_search,
            )
        )
    heads = (
        "triples",
        "empty, MiB",
        "loaded, MiB",
        "growth at ready, B a triple",
        "growth at rest",
        "of that mapped image",
        "texts over 64 B",
        "without those",
        "target",
        "growth with the search index",
    )
    return Table("Resident memory of the API process after a start from the image", heads, rows)


def table_starts(store: Path, folder: Path, times: int, title: str) -> Table:
    """Return the table of starts: on the seeds, intact, and rebuilt from the log."""
    rows: list[tuple[Cell, ...]] = []
    seeded = folder / "copy-seeds"
    shutil.rmtree(seeded, ignore_errors=True)
    first = start(seeded, seeds=True)
    rows.append(("seeds, first start", first.ready_s, first.peak / _MIB, ""))
    again = min((start(seeded, seeds=True) for _ in range(times)), key=lambda s: s.ready_s)
    rows.append(
        ("seeds", again.ready_s, again.peak / _MIB, judge(max(first.ready_s, again.ready_s), 3))
    )
    copy = copy_store(store, folder)
    intact = min((start(copy) for _ in range(times)), key=lambda s: s.ready_s)
    rows.append((f"{title}, intact", intact.ready_s, intact.peak / _MIB, judge(intact.ready_s, 5)))
    forget_derived(copy)
    rebuilt = start(copy)
    target = f"{judge(rebuilt.ready_s, 45)}, peak {judge(rebuilt.peak / _MIB, 1229)}"
    rows.append((f"{title}, all from the log", rebuilt.ready_s, rebuilt.peak / _MIB, target))
    heads = ("start", "s to ready", "peak MiB", "target")
    return Table(f"Start to ready, {title}", heads, rows)


def make_empty(folder: Path) -> Path:
    """Return an empty store that was opened once."""
    place = folder / "copy-empty"
    shutil.rmtree(place, ignore_errors=True)
    with serve_store(place):
        time.sleep(0.1)
    return place


def forget_derived(store: Path) -> None:
    """Remove all but the log of a store."""
    for path in store.iterdir():
        if path.name != "log":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
