"""All measurements: `make bench`, or `python -m bench [SECTION ...] [--size full] [--write]`.

The quick size takes some minutes and shows the shape of things; the full one takes about an hour
and is what the targets are for. Ratios count: the machine may do other things meanwhile.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.blocks import Overlap
from bench.calibration import table_calibration
from bench.commits import table_commits
from bench.exports import table_exports
from bench.generated import table_generated
from bench.generator import Shape
from bench.growth import table_growth
from bench.lists import table_lists, table_waiting
from bench.loading import table_loading
from bench.peer_data import write_peer_data
from bench.reads import compare_reads, read_identifiers
from bench.refusals import table_refusals
from bench.search import table_search
from bench.starts import table_memory, table_starts
from bench.stores import ROOT, copy_store, describe, prepare_store
from bench.tables import Table, describe_machine
from graph.shapes import load_model

PAGE: Final = ROOT / "docs" / "performance.md"
MARK: Final = "<!-- below: written by `python -m bench --write` -->\n"
#: From here on the page is written by people again.
_BY_HAND: Final = "## Long runs"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: triples, overlaps, seconds a slice, rounds, commits, starts."""

    reads: int
    overlaps: tuple[Overlap, ...]
    seconds: float
    rounds: int
    memory: tuple[int, ...]
    commits: int
    commit_count: int
    starts: int
    start_count: int
    growth: tuple[int, ...]
    report: tuple[str, ...]
    sparql: tuple[str, ...]
    endpoint: tuple[str, ...]
    attacks: tuple[str, ...]
    subscriptions: tuple[str, ...]
    replicas: tuple[str, ...]
    labels: int
    drawn: int
    exports: int


SIZES: Final = {
    "quick": Size(
        reads=100_000,
        overlaps=("much",),
        seconds=1.0,
        rounds=2,
        memory=(100_000,),
        commits=100_000,
        commit_count=60,
        starts=100_000,
        start_count=1,
        growth=(10_000, 100_000),
        report=("1000",),
        sparql=("100000",),
        endpoint=("100000",),
        attacks=("100000", "60"),
        subscriptions=("100000",),
        replicas=("100000",),
        labels=10_000,
        drawn=300,
        exports=100_000,
    ),
    "full": Size(
        reads=400_000,
        overlaps=("much", "little"),
        seconds=4.0,
        rounds=3,
        memory=(400_000, 1_000_000),
        commits=1_000_000,
        commit_count=300,
        starts=1_000_000,
        start_count=3,
        growth=(100_000, 1_000_000, 10_000_000),
        report=("1000", "10000", "100000"),
        sparql=("100000", "1000000"),
        endpoint=("1000000",),
        attacks=("100000", "1800"),
        subscriptions=("400000",),
        replicas=("400000",),
        labels=100_000,
        drawn=2_000,
        exports=1_000_000,
    ),
}


class Bench:
    """One run: its size, and the folders of kept stores and of passing files."""

    def __init__(self, size: Size, kept: Path, passing: Path) -> None:
        self.size = size
        self.kept = kept
        self.passing = passing
        self.model = load_model()

    def store(self, triples: int, overlap: Overlap = "much") -> tuple[Shape, Path]:
        """Return a shape and a store that holds it."""
        shape = Shape(triples, overlap)
        return shape, prepare_store(shape, self.model, self.kept)

    def calibration(self) -> Iterator[Table]:
        """Yield how the peers stand to what they were, and how they best load a level."""
        yield table_calibration()
        _, store = self.store(self.size.reads)
        data = self.passing / "loading.nt"
        write_peer_data(store, data)
        yield table_loading(data)

    def reads(self) -> Iterator[Table]:
        """Yield GraphQL against the peers."""
        size = self.size
        for overlap in size.overlaps:
            shape, store = self.store(size.reads, overlap)
            yield from compare_reads(shape, store, self.passing, size.seconds, size.rounds)

    def generated(self) -> Iterator[Table]:
        """Yield what drawn operations cost."""
        shape, store = self.store(self.size.reads)
        copy = copy_store(store, self.passing)
        yield table_generated(copy, self.model, self.size.drawn, describe(shape))

    def refusals(self) -> Iterator[Table]:
        """Yield what it costs to refuse a document before it is validated."""
        yield table_refusals()

    def lists(self) -> Iterator[Table]:
        """Yield lists over HTTP, and who waits while a dear one is made."""
        shape, store = self.store(self.size.reads)
        _, organisations = read_identifiers(shape)
        for make in (table_lists, table_waiting):
            yield make(store, self.passing, organisations[0], self.size.seconds, describe(shape))

    def memory(self) -> Iterator[Table]:
        """Yield what the API process keeps resident."""
        stores = {triples: self.store(triples) for triples in self.size.memory}
        yield table_memory(stores, self.passing)

    def commits(self) -> Iterator[Table]:
        """Yield what a commit of one entity takes."""
        shape, store = self.store(self.size.commits)
        copy = copy_store(store, self.passing)
        yield table_commits(copy, self.size.commit_count, describe(shape))

    def starts(self) -> Iterator[Table]:
        """Yield how long starts take."""
        shape, store = self.store(self.size.starts)
        yield table_starts(store, self.passing, self.size.start_count, f"{shape.triples:,} triples")

    def growth(self) -> Iterator[Table]:
        """Yield how cost grows."""
        stores = dict(self.store(triples) for triples in self.size.growth)
        yield table_growth(stores, self.passing, self.size.seconds)

    def exports(self) -> Iterator[Table]:
        """Yield how fast exports are beside the engine's dump."""
        shape, store = self.store(self.size.exports)
        rounds = self.size.rounds
        yield table_exports(store, self.model, self.passing, rounds, describe(shape))

    def search(self) -> Iterator[Table]:
        """Yield how search stands to other engines."""
        yield table_search(self.size.labels)


SECTIONS: Final[dict[str, Callable[[Bench], Iterator[Table]]]] = {
    "calibration": Bench.calibration,
    "reads": Bench.reads,
    "generated": Bench.generated,
    "refusals": Bench.refusals,
    "lists": Bench.lists,
    "memory": Bench.memory,
    "commits": Bench.commits,
    "starts": Bench.starts,
    "growth": Bench.growth,
    "exports": Bench.exports,
    "search": Bench.search,
}
#: Benches that print by themselves.
PRINTED: Final = ("sparql", "endpoint", "attacks", "subscriptions", "replicas", "report")


def main() -> None:
    """Run the sections that are asked for, print their tables, and keep them where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = (*SECTIONS, *PRINTED)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(names))
    parser.add_argument("--size", choices=SIZES, default=os.environ.get("SIZE") or "quick")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md, too")
    parser.add_argument("--kept", type=Path, default=ROOT / "var" / "bench", help="stores")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(names):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    kept = options.kept.resolve()
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix="run-") as passing:
        bench = Bench(SIZES[options.size], kept, Path(passing))
        for name in options.sections or names:
            pieces: list[str] = []
            for piece in run(bench, name, options.size):
                print(piece, flush=True)
                pieces.append(piece)
            if options.write:  # at once, so that a section that fails takes no other with it
                page = put_section(PAGE.read_text(encoding="utf-8"), "\n".join(pieces))
                PAGE.write_text(page, encoding="utf-8")


def run(bench: Bench, name: str, size: str) -> Iterator[str]:
    """Yield what a section prints, in Markdown: its title, tables, and on which machine."""
    yield f"## {name.capitalize()}\n"
    before = os.getloadavg()[0]
    if name in SECTIONS:
        for table in SECTIONS[name](bench):
            yield table.markdown()
    else:
        command = [sys.executable, "-m", f"bench.{name}", *getattr(bench.size, name)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        yield done.stdout.decode()
    yield f"Size {size}, load average {before:.1f} before; after: {describe_machine()}\n"


def put_section(page: str, section: str) -> str:
    """Return a page with a section in place of the one of its title, or before `## Long runs`.

    What stands above the mark, and every other section, stays as it is.
    """
    head, mark, measured = page.partition(MARK)
    if not mark:
        raise ValueError(f"{PAGE.name} has no line {MARK.strip()!r}")
    title = section.partition("\n")[0]
    parts = re.split(r"^(?=## )", measured, flags=re.MULTILINE)
    titles = [part.partition("\n")[0] for part in parts]
    if title in titles:
        place = titles.index(title)
        parts[place] = section.rstrip("\n") + "\n\n"
    else:
        place = titles.index(_BY_HAND) if _BY_HAND in titles else len(parts)
        parts.insert(place, section.rstrip("\n") + "\n\n")
    return (head + mark + "".join(parts)).rstrip("\n") + "\n"


if __name__ == "__main__":
    main()
