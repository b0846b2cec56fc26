"""The SPARQL store of each level: what it holds, across commits, moves, damage and restarts."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graph.access import Level, anonymous
from graph.curation.check import check_checkpoint
from graph.curation.gate import Gate
from graph.errors import StoreUnavailableError
from graph.settings import Settings
from graph.store.dataset import Dataset
from graph.store.feed import Feed
from graph.store.follower import Follower
from graph.store.level_stores import store_folder
from graph.store.running import Running
from tests.gates import submit
from tests.levelled import SECRET, cluster, hidden, source, visibility
from tests.samples import base, iri, model
from web.level_pools import LevelPools

WAIT_S = 30


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    opened = _open(tmp_path / "store")
    submit(opened, base())
    yield opened
    opened.dataset.close()


def _open(folder: Path) -> Gate:
    settings = Settings(store=folder)
    return Gate(Dataset.open(settings, model()), model(), settings)


def assert_stores(gate: Gate, *, is_deep: bool = False) -> None:
    """Check that each level's store holds what its snapshot does, and nothing else."""
    dataset = gate.dataset
    for view in dataset.levels.views:
        follower = dataset.follower_of(view.level, WAIT_S)
        assert follower is not None, view.level
        assert follower.wait_for(dataset.revision, WAIT_S), (view.level, follower.fault)
        stamp = follower.store.stamp()
        assert (stamp.revision, stamp.dataset_hash, stamp.quad_count) == (
            dataset.revision,
            view.snapshot.dataset_hash,
            view.snapshot.quad_count,
        ), view.level
        assert set(follower.store.quads()) == set(view.snapshot.quads()), view.level
        if is_deep:
            found = check_checkpoint(dataset, view.level)
            assert found is not None
            assert found.error is None


def _bytes_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_each_level_has_a_store_while_it_is_there(gate: Gate) -> None:
    dataset, folder = gate.dataset, gate.settings.store
    assert dataset.follower_of(Level.PARTNER) is None
    submit(gate, hidden(Level.PARTNER))
    submit(gate, [*source("deep", Level.RESTRICTED), *cluster("deep", "deep", "Deep")])
    submit(gate, [*source("open"), *cluster("open", "open", "Open")])
    assert_stores(gate, is_deep=True)
    assert SECRET.encode() not in _bytes_below(store_folder(folder, Level.PUBLIC))
    submit(gate, (), hidden(Level.PARTNER))
    assert_stores(gate)
    deadline = time.monotonic() + WAIT_S
    while store_folder(folder, Level.PARTNER).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert dataset.follower_of(Level.PARTNER) is None


def test_what_is_hidden_is_in_no_file_of_a_lower_store(gate: Gate) -> None:
    folder = store_folder(gate.settings.store, Level.PUBLIC)
    submit(gate, [q for q in hidden() if q != visibility("hidden", Level.PARTNER)])
    assert_stores(gate)
    assert SECRET.encode() in _bytes_below(folder)
    submit(gate, [visibility("hidden", Level.PARTNER)])
    assert_stores(gate)
    live = gate.dataset.store
    assert live is not None
    gate.dataset.prune_checkpoints(frozenset())
    assert SECRET.encode() not in _bytes_below(folder)
    submit(gate, [visibility("hidden", Level.PUBLIC)], [visibility("hidden", Level.PARTNER)])
    assert_stores(gate)


@pytest.mark.parametrize("level", [Level.PUBLIC, Level.PARTNER])
@pytest.mark.parametrize("damage", ["missing", "pointer", "swapped", "behind"])
def test_a_store_that_is_not_its_levels_is_built_anew(
    tmp_path: Path, level: Level, damage: str
) -> None:
    gate = _open(tmp_path / "store")
    submit(gate, base())
    submit(gate, hidden())
    assert_stores(gate)
    gate.dataset.close()
    folder, store = store_folder(gate.settings.store, level), gate.settings.store
    other = store_folder(store, Level.PARTNER if level is Level.PUBLIC else Level.PUBLIC)
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    if damage == "missing":
        shutil.rmtree(folder)
    elif damage == "pointer":
        (folder / "CURRENT").write_text("db-77\n")
    elif damage == "swapped":  # whole and sound, but another level's
        shutil.rmtree(folder)
        shutil.copytree(other, folder)
    else:
        gate = _open(store)
        more = [*source("later", Level.PARTNER), *cluster("later", "later", f"{SECRET} later")]
        submit(gate, [*more, *source("open"), *cluster("open", "open", "Open")])
        assert_stores(gate)
        gate.dataset.close()
        shutil.rmtree(folder)
        shutil.copytree(old, folder)
    gate = _open(store)
    assert_stores(gate)
    assert SECRET.encode() not in _bytes_below(store_folder(store, Level.PUBLIC))
    gate.dataset.close()


def test_what_is_hidden_while_a_store_is_built_is_not_answered_either(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = source("first"), source("second")
    submit(gate, [*one, *two])
    assert_stores(gate)
    follower = gate.dataset.follower_of(Level.PUBLIC)
    assert follower is not None
    build, builds = follower.store.rebuild, iter(range(9))
    begun, go = [threading.Event() for _ in range(9)], [threading.Event() for _ in range(9)]
    doubts: list[str | None] = []

    def rebuild(*given: Any) -> None:
        number = next(builds)
        doubts.append(follower.doubt)
        begun[number].set()
        assert go[number].wait(WAIT_S)
        build(*given)

    monkeypatch.setattr(follower.store, "rebuild", rebuild)
    submit(gate, [visibility("first", Level.PARTNER)])
    assert begun[0].wait(WAIT_S)
    submit(gate, [visibility("second", Level.PARTNER)])
    go[0].set()
    assert begun[1].wait(WAIT_S)  # the first is done: it holds what the second commit hid
    assert follower.doubt is not None
    for event in go:
        event.set()
    assert None not in doubts
    assert_stores(gate)


def test_a_feed_tells_of_one_version_whatever_is_committed_meanwhile(gate: Gate) -> None:
    dataset = gate.dataset
    submit(gate, hidden())
    before = dataset.levels
    submit(gate, [*source("open"), *cluster("open", "open", "Open")])
    versions = iter([before])
    feed = Feed(dataset.log, lambda: next(versions, dataset.levels), Level.PUBLIC)
    public = before.public
    assert feed.expected(before.revision - 1) == (public.dataset_hash, public.quad_count)


def test_a_store_behind_a_move_is_built_anew(tmp_path: Path) -> None:
    gate = _open(tmp_path / "store")
    submit(gate, base())
    submit(gate, [q for q in hidden() if q != visibility("hidden", Level.PARTNER)])
    assert_stores(gate)
    gate.dataset.close()
    store = gate.settings.store
    folder, old = store_folder(store, Level.PUBLIC), tmp_path / "old"
    shutil.copytree(folder, old)
    gate = _open(store)
    submit(gate, [visibility("hidden", Level.PARTNER)])
    submit(gate, [*source("open"), *cluster("open", "open", "Open")])
    assert_stores(gate)
    gate.dataset.close()
    shutil.rmtree(folder)
    shutil.copytree(old, folder)
    gate = _open(store)
    assert_stores(gate)
    assert SECRET.encode() not in _bytes_below(folder)
    gate.dataset.close()


def test_what_is_lost_is_built_from_the_log_level_by_level(gate: Gate) -> None:
    submit(gate, hidden())
    gate.dataset.close()
    store = gate.settings.store
    for path in (*store.glob("image*"), *store.glob("oxigraph*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = _open(store)
    assert_stores(again)
    assert SECRET.encode() not in _bytes_below(store_folder(store, Level.PUBLIC))
    assert again.dataset.levels.public.number_of(iri(f"organisation/{SECRET}")) is None
    again.dataset.close()


def test_workers_that_nobody_waited_for_are_ended(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(gate, hidden())
    viewer = replace(anonymous(gate.settings), level=Level.PARTNER)
    assert gate.dataset.follower_of(Level.PARTNER, WAIT_S) is not None
    done: list[str] = []

    class Pool:
        def __init__(self, *_: object) -> None:
            pass

        async def start(self) -> None:
            done.append("started")
            await asyncio.sleep(0)
            raise StoreUnavailableError("none could start")

        async def close(self) -> None:
            done.append("closed")

    monkeypatch.setattr("web.level_pools.QueryPool", Pool)

    async def ask() -> None:
        pools = LevelPools(gate.settings, gate.dataset, Running)
        with pytest.raises(StoreUnavailableError):
            await pools.at(viewer)
        await pools.close()

    asyncio.run(ask())
    assert done == ["started", "closed"]


def test_a_store_that_was_built_before_a_graph_was_hidden_answers_nothing(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of a level is there for nobody yet while its level loses a graph."""
    dataset = gate.dataset
    higher, begun, go = dataset.higher, threading.Event(), threading.Event()
    assert higher is not None
    build = Follower.__init__

    def slow(self: Follower, *given: Any) -> None:
        build(self, *given)
        if self.feed.level is Level.PARTNER:
            self.tell = lambda: None  # type: ignore[method-assign]
            self._has_work = lambda: self.doubt is not None  # type: ignore[method-assign]
            begun.set()
            assert go.wait(WAIT_S)

    monkeypatch.setattr(Follower, "__init__", slow)
    submit(gate, hidden())
    submit(gate, [*source("kept", Level.PARTNER), *cluster("kept", "kept", "Kept")])
    assert begun.wait(WAIT_S)
    more = [visibility("hidden", Level.RESTRICTED)]
    submit(gate, more, [visibility("hidden", Level.PARTNER)])
    go.set()
    follower = dataset.follower_of(Level.PARTNER, WAIT_S)
    assert follower is not None
    assert follower.doubts == 1
    assert follower.wait_for(dataset.revision, WAIT_S)
    assert not any(SECRET in " ".join(quad) for quad in follower.store.quads())
