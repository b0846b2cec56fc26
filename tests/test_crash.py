"""Nothing acknowledged is lost, nothing torn: when the process is killed, or the power cut.

`make test` kills writers 4 times, and a load of a file at each of its stages; the run of 50 kills
is marked `slow` and part of `make nightly`.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from graph.access import Level
from graph.curation.check import check_store, check_stores
from graph.settings import Settings
from graph.store.build import build_snapshot
from graph.store.commit import Change, Commit, Position, follow
from graph.store.dataset import Dataset
from graph.store.feed import Feed
from graph.store.level_images import split
from graph.store.log import Log
from graph.terms import RDF_TYPE, Quad, hash_dataset
from tests.crash_child import ALIAS, GRAPHS, describe
from tests.levelled import assert_sound
from tests.require import ROOT
from tests.samples import iri, model, rz

pytestmark = pytest.mark.broad

TOKEN = re.compile(r'"(\S+) \d+ of (\d+)"@en')


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path, kills: int) -> None:
    store = tmp_path / "store"
    random_ = random.Random(kills)
    added: set[str] = set()
    removed: set[str] = set()
    acknowledged = 0
    for run in range(kills):
        for line in _run_and_kill(store, run, random_):
            sign, token = line.split()
            (added if sign == "+" else removed).add(token)
            acknowledged += 1
        _check(store, added, removed)
    assert acknowledged > 5 * kills


def _run_and_kill(store: Path, run: int, random_: random.Random) -> list[str]:
    """Let the child write for a while, then kill it in the midst of it; return what it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash_child", str(store), str(run)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "ready\n"
        said = [process.stdout.readline() for _ in range(random_.randrange(60))]
        time.sleep(random_.uniform(0.0, 0.05))
        process.kill()
        return [*said, *process.stdout.read().splitlines()]


def _check(store: Path, added: set[str], removed: set[str]) -> None:
    """The store opens, holds each token whole, and all that was acknowledged."""
    dataset = Dataset.open(Settings(store=store), model())
    try:
        snapshot = dataset.snapshot
        found: Counter[tuple[str, int]] = Counter()
        for _, predicate, value, _ in snapshot.quads():
            if predicate == ALIAS:
                match = TOKEN.fullmatch(value)
                assert match is not None
                found[match[1], int(match[2])] += 1
        assert [token for (token, size), count in found.items() if count != size] == []
        tokens = {token for token, _ in found}
        recorded = {header.message for header in dataset.log.headers()} - {"a move"}
        assert {f"+ {token}" for token in added} <= recorded
        assert {f"- {token}" for token in removed} <= recorded
        # A change may be recorded and the process die before it could say so.
        assert tokens == {
            message[2:]
            for message in recorded
            if message[0] == "+" and f"- {message[2:]}" not in recorded
        }
        assert snapshot.dataset_hash == dataset.log.dataset_hash == hash_dataset(snapshot.quads())
        assert_sound(dataset.levels)
        for view in dataset.levels.views:
            follower = dataset.follower_of(view.level, 60)
            assert follower is not None
            assert follower.wait_for(dataset.revision, 60)
            assert follower.store.stamp().dataset_hash == view.snapshot.dataset_hash
    finally:
        dataset.close()
    assert {found.error for found in check_stores(dataset)} == {None}


# --- a load of a file ----------------------------------------------------------------------------


COMPANIES = 4_000


def _write_file(path: Path) -> int:
    """Write a TriG file of one source; return how many quads it holds."""
    names = [f"organisation/load-{number}" for number in range(COMPANIES)]
    quads = [
        (iri(name), *rest)
        for name in names
        for rest in (
            (RDF_TYPE, rz("Company")),
            (rz("acronym"), '"C"'),
            *((ALIAS, f'"{name} {n}"@en') for n in range(4)),
        )
    ]
    lines = "".join(f"{s} {p} {o} .\n" for s, p, o in quads)
    graph = describe(GRAPHS[0])
    path.write_text(f"{graph}<{GRAPHS[0]}> {{\n{lines}}}\n", encoding="utf-8")
    return len(quads) + 3


def _has_payload(log: Path) -> bool:
    return any(path.stat().st_size for path in log.glob("graphs/*"))


def _has_record(log: Path) -> bool:
    return (log / "headers").exists() and (log / "headers").stat().st_size > 0


@pytest.mark.parametrize(
    "is_reached", [lambda log: (log / "headers").exists(), _has_payload, _has_record]
)
def test_a_killed_load_is_recorded_whole_or_not_at_all(
    tmp_path: Path, is_reached: Callable[[Path], bool]
) -> None:
    file, store = tmp_path / "large.trig", tmp_path / "store"
    count = _write_file(file)
    command = [sys.executable, str(ROOT / "server.py"), "load", "--store", str(store), str(file)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and not is_reached(store / "log"):
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    process.kill()
    _, said = process.communicate()
    had_record = _has_record(store / "log")

    dataset = Dataset.open(Settings(store=store), model())
    try:
        assert (dataset.log.revision, dataset.snapshot.quad_count) in ((0, 0), (1, count))
        if not had_record:
            assert dataset.log.revision == 0
        if "revision 1" in said:
            assert dataset.log.revision == 1
    finally:
        dataset.close()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    log = Log.open(store / "log")
    assert (log.revision, log.quad_count, log.torn) == (1, count, ())
    feed = Feed(log, lambda: split(build_snapshot(model(), log.commits()), log), Level.PUBLIC)
    assert check_store(store / "oxigraph", feed).error is None


# --- the power cut -------------------------------------------------------------------------------


class Disk:
    """What a folder holds after the power is cut: what was synced, and by chance a little more.

    A file's bytes are certain once it was synced, its name once its folder was.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certain: dict[Path, bytes] = {}
        self.named: set[Path] = set()

    def sync(self, file: int) -> None:
        """Note a sync of an open file or folder."""
        path = Path(f"/proc/self/fd/{file}").readlink()
        if not path.is_relative_to(self.folder):
            return
        if path.is_dir():
            self.named |= {each.relative_to(self.folder) for each in path.iterdir()}
        else:
            self.certain[path.relative_to(self.folder)] = path.read_bytes()

    def cut(self, target: Path, random_: random.Random) -> None:
        """Write what is left into a folder."""
        for path in sorted(self.named):  # a set of paths has another order in each process
            now = self.folder / path
            if now.is_dir():
                (target / path).mkdir(parents=True, exist_ok=True)
                continue
            certain = self.certain.get(path, b"")
            more = now.read_bytes()[len(certain) :] if now.exists() else b""
            arrived = more[: random_.randrange(len(more) + 1)]
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(certain + arrived)


@contextmanager
def _watched(disk: Disk, at_each_step: Callable[[], None]) -> Iterator[None]:
    """Call a function before and after each system call that writes or syncs."""
    real_write, real_syncs = os.pwrite, {name: getattr(os, name) for name in ("fdatasync", "fsync")}

    def write(file: int, data: bytes, place: int) -> int:
        written = real_write(file, data, place)
        at_each_step()
        return written

    def sync(name: str, file: int) -> None:
        at_each_step()
        real_syncs[name](file)
        disk.sync(file)
        at_each_step()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", write)
        for name in real_syncs:
            patch.setattr(os, name, partial(sync, name))
        yield


def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    random_, chance = random.Random(11), random.Random(12)
    folder, target = tmp_path / "log", tmp_path / "cut"
    folder.mkdir()
    disk = Disk(folder)
    commits: list[Commit] = []
    acknowledged: list[int] = [0]
    cuts: list[int] = []

    def cut() -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        disk.cut(target, chance)
        with pytest.MonkeyPatch.context() as patch:  # looking makes no steps of its own
            patch.setattr(os, "fsync", lambda _: None)
            found = list(Log.open(target).commits())
        cuts.append(len(found))
        assert len(found) >= acknowledged[0]
        assert [replace(c, previous="") for c in found] == commits[: len(found)]

    change = Change((), (), "tests", "edit", "why")
    with _watched(disk, cut):
        log = Log.open(folder)
        for number in range(25):
            last: Position = log
            drafts: list[Commit] = []
            for _ in range(random_.choice((1, 1, 3))):
                quads = _quads(f"{number}-{len(drafts)}", random_.choice((1, 5, 900)), random_)
                last = follow(last, change, quads, [], "0.1.0")
                drafts.append(last)
            commits += drafts
            log.append(drafts)
            acknowledged[0] = log.revision
            cut()
    assert len(cuts) > 200
    assert len(set(cuts)) > 20


def _quads(name: str, size: int, random_: random.Random) -> list[Quad]:
    graph = f"<a:g{random_.randrange(4)}>"
    return [(f"<a:{name}-{n}>", "<a:p>", f'"{random_.random()}"', graph) for n in range(size)]
