from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graph.curation.check import check_checkpoint, check_snapshot
from graph.errors import RevisionConflictError, StoreCorruptError, StoreFullError
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store import dataset as dataset_module
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.directory import Checkpoint
from graph.store.level_images import write_levels
from graph.store.levels import Levels
from graph.store.oxigraph import OxigraphStore
from graph.store.snapshot import TYPE, Snapshot
from graph.terms import ENTITY, RZ, Quad, hash_dataset

GRAPH = f"<{ENTITY}source/test>"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "store")


@pytest.fixture
def dataset(settings: Settings, model: Model) -> Iterator[Dataset]:
    opened = Dataset.open(settings, model)
    yield opened
    opened.close()


def cluster(number: int) -> Quad:
    return (f"<{ENTITY}organisation/{number}>", f"<{TYPE}>", f"<{RZ}Cluster>", GRAPH)


def assert_sound(dataset: Dataset) -> None:
    """Both derived parts hold what the log states."""
    assert check_snapshot(dataset).error is None
    found = check_checkpoint(dataset)
    assert found is not None
    assert found.error is None


def add(*quads: Quad) -> Change:
    return Change(quads, (), "test", "load", "add")


def test_a_commit_reaches_log_snapshot_and_store(dataset: Dataset) -> None:
    commit = dataset.commit(add(cluster(1), cluster(2)))
    assert commit is not None
    assert dataset.snapshot.revision == dataset.log.revision == commit.revision == 1
    assert set(dataset.snapshot.quads()) == {cluster(1), cluster(2)}
    assert dataset.snapshot.dataset_hash == hash_dataset([cluster(1), cluster(2)])
    assert dataset.wait_for_store(1, 10)
    assert dataset.store is not None
    assert set(dataset.store.quads()) == {cluster(1), cluster(2)}
    assert_sound(dataset)


def test_only_the_effective_change_is_recorded(dataset: Dataset) -> None:
    dataset.commit(add(cluster(1)))
    commit = dataset.commit(Change((cluster(1), cluster(2)), (cluster(3),), "test", "load", "x"))
    assert commit is not None
    assert (commit.added, commit.removed) == ((cluster(2),), ())
    assert dataset.commit(add(cluster(1))) is None
    assert dataset.log.revision == 2


def test_expected_revision_and_settling(dataset: Dataset) -> None:
    dataset.commit(add(cluster(1)))
    with pytest.raises(RevisionConflictError):
        dataset.commit(add(cluster(2)), expect=0)
    seen: list[int] = []

    def settle(levels: Levels, change: Change) -> Change:
        seen.append(levels.revision)
        return replace(change, message="settled")

    commit = dataset.commit(add(cluster(2)), expect=1, settle=settle)
    assert commit is not None
    assert (seen, commit.message) == ([1], "settled")


def test_one_image_is_saved_at_a_time_however_many_commits_come(
    settings: Settings, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving, most, begun = threading.Event(), list[int](), threading.Semaphore(0)

    def slowly(images: Any, folder: Path) -> None:
        most.append(sum(thread.name == "image" for thread in threading.enumerate()))
        begun.release()
        assert saving.wait(20)
        write_levels(images, folder)

    monkeypatch.setattr(dataset_module, "_IMAGE_EVERY", 2)
    monkeypatch.setattr(dataset_module, "write_levels", slowly)
    dataset = Dataset.open(settings, model, with_store=False)
    dataset.commit(add(cluster(1)))
    dataset.commit(add(cluster(2)))
    assert begun.acquire(timeout=20)
    for number in range(3, 12):
        dataset.commit(add(cluster(number)))
    assert [t.name for t in threading.enumerate()].count("image") == 1
    saving.set()
    dataset.close()  # waits for it, and saves what came meanwhile
    assert max(most) == 1
    again = Dataset.open(settings, model, with_store=False)
    assert (again._image_revision, again.snapshot.quad_count) == (11, 11)
    again.close()


def test_concurrent_commits_are_all_recorded_once(dataset: Dataset) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 20):
            dataset.commit(add(cluster(number)))

    threads = [threading.Thread(target=work, args=(base * 100,)) for base in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dataset.log.revision == 160
    assert dataset.snapshot.quad_count == 160
    assert dataset.wait_for_store(160, 20)
    assert_sound(dataset)


def test_a_failed_append_changes_nothing_and_the_next_works(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset.commit(add(cluster(1)))

    def full(_: object) -> None:
        raise StoreFullError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(dataset.log, "append", full)
        with pytest.raises(StoreFullError):
            dataset.commit(add(cluster(2)))
    assert set(dataset.snapshot.quads()) == {cluster(1)}
    commit = dataset.commit(add(cluster(3)))
    assert commit is not None
    assert commit.revision == 2
    assert set(dataset.snapshot.quads()) == {cluster(1), cluster(3)}


def reopened(settings: Settings, model: Model) -> set[Quad]:
    dataset = Dataset.open(settings, model)
    try:
        assert dataset.store is not None
        assert set(dataset.store.quads()) == set(dataset.snapshot.quads())
        assert_sound(dataset)
        return set(dataset.snapshot.quads())
    finally:
        dataset.close()


@pytest.fixture
def filled(settings: Settings, model: Model) -> set[Quad]:
    dataset = Dataset.open(settings, model)
    for number in range(5):
        dataset.commit(add(cluster(number)))
    assert dataset.wait_for_store(5, 20)
    dataset.close()
    return {cluster(number) for number in range(5)}


def test_everything_is_there_after_a_restart(
    settings: Settings, model: Model, filled: set[Quad]
) -> None:
    assert reopened(settings, model) == filled


@pytest.mark.parametrize("lost", ["image", "oxigraph", "both"])
def test_lost_derived_parts_are_built_anew(
    settings: Settings, model: Model, filled: set[Quad], lost: str
) -> None:
    if lost in ("image", "both"):
        (settings.store / "image").unlink()
    if lost in ("oxigraph", "both"):
        shutil.rmtree(settings.store / "oxigraph")
    assert reopened(settings, model) == filled


def test_lost_parts_are_built_side_by_side_from_the_log(
    settings: Settings, model: Model, filled: set[Quad], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset.open(settings, model)
    dataset.commit(Change((cluster(7),), (cluster(1),), "test", "load", "exchange"))
    dataset.close()
    (settings.store / "image").unlink()
    next((settings.store / "oxigraph").glob("db-*/CURRENT")).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "quads", None)  # the store has its quads from the log
        dataset = Dataset.open(settings, model)
    assert dataset.store is not None
    assert set(dataset.store.quads()) == (filled | {cluster(7)}) - {cluster(1)}
    assert_sound(dataset)
    dataset.close()


def test_a_store_that_cannot_be_written_lets_go_and_the_next_start_builds_it(
    settings: Settings, model: Model, filled: set[Quad], monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.store / "image").unlink()
    next((settings.store / "oxigraph").glob("db-*/CURRENT")).unlink()

    def fail(*_: object) -> None:
        raise StoreFullError("the store")

    with monkeypatch.context() as patch:
        patch.setattr(OxigraphStore, "rebuild_from", fail)
        with pytest.raises(StoreFullError):
            Dataset.open(settings, model)
    assert reopened(settings, model) == filled


def test_a_damaged_image_is_built_anew(settings: Settings, model: Model, filled: set[Quad]) -> None:
    path = settings.store / "image"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert reopened(settings, model) == filled


def test_old_derived_parts_are_caught_up(
    settings: Settings, model: Model, filled: set[Quad], tmp_path: Path
) -> None:
    shutil.copytree(settings.store, tmp_path / "old")
    dataset = Dataset.open(settings, model)
    dataset.commit(add(cluster(9)))
    dataset.close()
    for part in ("image", "oxigraph"):
        target = settings.store / part
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        (tmp_path / "old" / part).rename(target)
    assert reopened(settings, model) == filled | {cluster(9)}


def test_a_log_behind_its_derived_parts_stops_the_start(
    settings: Settings, model: Model, filled: set[Quad]
) -> None:
    headers = settings.store / "log" / "headers"
    headers.write_bytes(b"".join(headers.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(StoreCorruptError, match="ends at revision 4"):
        Dataset.open(settings, model)
    assert filled


def test_another_model_builds_the_snapshot_anew(
    settings: Settings, model: Model, filled: set[Quad]
) -> None:
    assert reopened(settings, replace(model, digest="another")) == filled


# --- what the follower of the SPARQL store does when something fails -------------------------


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_failed_checkpoint_is_tried_again_without_another_commit(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dataset.store is not None
    assert dataset._follower is not None
    with monkeypatch.context() as patch:

        def full() -> None:
            raise StoreFullError("disk")

        patch.setattr(dataset.store, "checkpoint", full)
        dataset.commit(add(cluster(1)))
        follower = dataset._follower
        wait_until(lambda: follower.fault is not None)
        assert not dataset.wait_for_store(1, 0.05)
    assert dataset.wait_for_store(1, 10)
    wait_until(lambda: follower.fault is None)
    assert_sound(dataset)


def test_a_failed_apply_is_mended_though_the_engine_had_to_be_opened_again(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dataset.store is not None
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise OSError("No space left on device")

        patch.setattr(dataset.store, "_change", fail)
        dataset.commit(add(cluster(1)))
        time.sleep(0.3)
        assert not dataset.wait_for_store(1, 0.05)
    assert dataset.wait_for_store(1, 20)
    dataset.commit(add(cluster(2)))
    assert dataset.wait_for_store(2, 20)
    assert_sound(dataset)


def test_a_store_in_doubt_is_built_anew(dataset: Dataset) -> None:
    dataset.commit(add(cluster(1)))
    assert dataset.wait_for_store(1, 10)
    before = dataset.checkpoint
    dataset.mend_store("a worker met damage")
    assert dataset.checkpoint != before
    assert_sound(dataset)


def test_a_checkpoint_begun_before_a_doubt_does_not_settle_it(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dataset.store is not None
    store = dataset.store
    begun, may_end = threading.Event(), threading.Event()
    make, rebuild, rebuilt, heard = store.checkpoint, store.rebuild, [], []

    def checkpoint() -> Checkpoint:
        begun.set()
        assert may_end.wait(10)
        return make()

    def build(*arguments: Any) -> None:
        rebuilt.append(dataset.doubt)
        rebuild(*arguments)

    monkeypatch.setattr(store, "checkpoint", checkpoint)
    monkeypatch.setattr(store, "rebuild", build)
    dataset.on_checkpoint(lambda found: heard.append((found, dataset.doubt)))
    dataset.commit(add(cluster(1)))
    assert begun.wait(10)
    assert dataset.doubt is None
    assert dataset.doubts == 0
    mending = threading.Thread(target=dataset.mend_store, args=("a worker met damage",))
    mending.start()
    while not dataset.doubts:
        time.sleep(0.01)
    may_end.set()
    mending.join(20)
    assert rebuilt == ["a worker met damage"]
    assert dataset.doubt is None
    assert dataset.doubts == 1
    # Listeners have the new checkpoint before the doubt ends.
    assert heard[-1] == (dataset.checkpoint, "a worker met damage")
    assert_sound(dataset)


def test_what_stands_only_in_a_commit_that_fails_is_not_acknowledged(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ask for the same and the first one's record fails: the second one's must be made."""
    append, calls, entered = dataset.log.append, [], threading.Event()

    def fail_first(commits: object) -> object:
        calls.append(commits)
        if len(calls) == 1:
            entered.set()
            time.sleep(0.3)
            raise StoreFullError("disk")
        return append(commits)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset.log, "append", fail_first)
    failed: list[BaseException] = []

    def first() -> None:
        try:
            dataset.commit(add(cluster(1)))
        except StoreFullError as error:
            failed.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(5)
    commit = dataset.commit(add(cluster(1)))
    thread.join()
    assert len(failed) == 1
    assert commit is not None
    assert set(dataset.snapshot.quads()) == {cluster(1)}
    assert dataset.log.revision == 1


def test_a_command_that_leaves_the_store_alone_sees_that_the_log_is_behind(
    settings: Settings, model: Model, filled: set[Quad]
) -> None:
    headers = settings.store / "log" / "headers"
    headers.write_bytes(b"".join(headers.read_bytes().splitlines(keepends=True)[:-1]))
    (settings.store / "image").unlink()
    with pytest.raises(StoreCorruptError, match="the SPARQL store holds revision 5"):
        Dataset.open(settings, model, with_store=False)
    assert filled
