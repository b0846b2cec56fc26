"""The derived Oxigraph store: stays in step, stays whole, or says that it is not."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.errors import StoreCorruptError, StoreError, StoreFullError, StoreUnavailableError
from graph.store import oxigraph
from graph.store.oxigraph import OxigraphStore
from graph.store.stamp import Stamp, read_stamps
from graph.terms import Quad, hash_dataset, write_literal
from tests.require import ROOT
from tests.stores import ONTOLOGY, SYSTEM, A, B, History, look_into, many, quad
from tests.strategies import quads as any_quad


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """A folder in memory where there is one: here nothing depends on what a sync costs."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def history(memory_path: Path) -> Iterator[History]:
    history = History(memory_path / "oxigraph")
    yield history
    history.store.close()


def assert_sound(history: History) -> None:
    """The store holds what is held, the merged triples, the system's quads, and says so."""
    store = history.store
    found, merged = look_into(store)
    assert found == history.held | set(history.system)
    assert merged == {each[:3] for each in found}
    stamp = store.stamp()
    assert (stamp.revision, stamp.quad_count) == (len(history.commits), len(history.held))
    assert stamp.dataset_hash == hash_dataset(history.held)
    assert stamp.total == len(found) + len(merged)
    assert store.verify(is_deep=True).faults(stamp) == ()
    assert set(store.quads()) == history.held


def test_a_new_store_holds_the_ontology_and_nothing_else(history: History) -> None:
    assert history.store.fault is None
    assert_sound(history)


def test_a_triple_of_three_sources_counts_once_until_the_last_is_gone(history: History) -> None:
    graphs = [A, B, "<http://e/source/c>"]
    history.apply([quad("s", "v", graph) for graph in graphs])
    assert_sound(history)
    for graph in graphs:
        _, merged = look_into(history.store)
        assert quad("s", "v")[:3] in merged
        history.apply(removed=[quad("s", "v", graph)])
        assert_sound(history)


def test_moving_a_triple_between_sources_keeps_it_merged(history: History) -> None:
    history.apply([quad("s", "v", A)])
    history.apply([quad("s", "v", B)], removed=[quad("s", "v", A)])
    assert_sound(history)


def test_a_triple_that_the_ontology_states_too_stays_merged(history: History) -> None:
    shared = (*SYSTEM[0][:3], A)
    history.apply([shared])
    assert_sound(history)
    history.apply(removed=[shared])
    assert_sound(history)


def test_several_commits_at_once_are_one_step(history: History) -> None:
    commits = [
        history.commit([quad("s", "1"), quad("s", "2")]),
        history.commit([quad("s", "3")], removed=[quad("s", "1")]),
        history.commit([quad("s", "1", B)], removed=[quad("s", "3")]),
        history.commit([quad("s", "1")]),
    ]
    history.store.apply(commits)
    assert_sound(history)


def test_emptied_graphs_are_forgotten(history: History) -> None:
    history.apply([quad("s", "v", A), quad("s", "v", B)])
    history.apply(removed=[quad("s", "v", A)])
    database = history.store._database
    assert database is not None
    assert ox.NamedNode(A[1:-1]) not in list(database.named_graphs())
    assert ox.NamedNode(B[1:-1]) in list(database.named_graphs())


changes_of_sets = st.lists(
    st.tuples(st.sets(any_quad, max_size=6), st.sets(any_quad, max_size=6)), max_size=6
)


@given(changes_of_sets)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_leaves_a_sound_store(
    history: History, changes: list[tuple[set[Quad], set[Quad]]]
) -> None:
    for added, removed in changes:
        # Half of what is held goes, too, so that removals happen at all.
        history.apply(added, (removed | set(sorted(history.held)[::2])) - added)
    assert_sound(history)


def test_numbers_that_end_in_a_byte_of_ones_are_counted_right(tmp_path: Path) -> None:
    history = History(tmp_path / "oxigraph")  # on disk, where the engine reads on behind them
    numbers = (255, 256, 300, 65_535, 65_536, -65_537, -257, -256, -2, -1)
    integer = "http://www.w3.org/2001/XMLSchema#integer"
    stated = [(*quad("s", "v")[:2], f'"{n}"^^<{integer}>', A if n % 2 else B) for n in numbers]
    history.apply(stated)
    assert_sound(history)
    for each in stated:  # none stays merged because another number is still stated
        history.apply(removed=[each])
        assert_sound(history)
    history.store.close()


def test_large_changes_go_in_by_pieces(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oxigraph, "ATOMIC_STATEMENTS", 50)
    history.apply([*many(300), *many(30, B)])
    assert_sound(history)
    history.apply([quad("new", "v")], removed=many(200))
    assert_sound(history)
    assert_reopens(history)


def test_a_large_change_keeps_merged_triples_of_other_sources(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.apply([*many(80), *many(20, B)])
    monkeypatch.setattr(oxigraph, "ATOMIC_STATEMENTS", 50)
    history.apply([*many(60, B), quad("s0", "new", B)], removed=many(40))
    assert_sound(history)
    history.apply(removed=[*many(80), *many(60, B)])
    assert_sound(history)


def test_a_large_change_that_did_not_end_is_a_fault(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oxigraph, "ATOMIC_STATEMENTS", 50)
    history.apply(many(10))

    def fail(*_: object) -> int:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(oxigraph, "bulk_load", fail)
        with pytest.raises(StoreFullError):
            history.apply(many(300, B))
    assert history.store.fault is not None
    with pytest.raises(StoreCorruptError, match="did not end"):
        history.store.checkpoint()
    assert "did not end" in str(history.reopen().fault)
    history.rebuild()
    assert_sound(history)


def test_commits_must_follow_the_revision(history: History) -> None:
    first, second = history.commit([quad("s", "1")]), history.commit([quad("s", "2")])
    with pytest.raises(ValueError, match="do not follow revision 0"):
        history.store.apply([second])
    history.store.apply([first])
    with pytest.raises(ValueError, match="do not follow revision 1"):
        history.store.apply([first])
    history.store.apply([])
    assert history.store.revision == 1


@pytest.mark.parametrize("graph", [ONTOLOGY, f"<{Stamp(1, 1, 1, 1, 'x').graph}>"])
def test_no_commit_writes_the_systems_graphs(history: History, graph: str) -> None:
    with pytest.raises(ValueError, match="not for data"):
        history.apply([quad("s", "v", graph)])
    assert look_into(history.store)[0] == set(SYSTEM)


def assert_reopens(history: History) -> None:
    stamp = history.store.stamp()
    assert history.reopen().fault is None
    assert history.store.stamp() == stamp
    assert_sound(history)


def test_it_opens_again_as_it_was(history: History) -> None:
    history.apply(many(30))
    history.apply(removed=many(10))
    assert_reopens(history)


def test_another_ontology_is_exchanged_when_opened(history: History) -> None:
    shared = (*SYSTEM[0][:3], A)
    history.apply([shared, *many(5)])
    history.system = (SYSTEM[1], ("<http://e/New>", "<http://e/label>", '"New"@en', ONTOLOGY))
    history.reopen()
    assert_sound(history)
    assert_reopens(history)


def test_rebuilding_gives_the_same_as_applying(history: History) -> None:
    history.apply([*many(40), *many(20, B)])
    history.apply(removed=many(10))
    applied = look_into(history.store)
    history.rebuild()
    assert look_into(history.store) == applied
    assert_sound(history)
    assert_reopens(history)
    assert len(list(history.folder.glob("db-*"))) == 1


def test_rebuilding_from_too_few_quads_changes_nothing(history: History) -> None:
    history.apply(many(20))
    with pytest.raises(StoreCorruptError, match="19 quads to build from, 20 stated"):
        history.store.rebuild(many(19), 1, hash_dataset(history.held), 20)
    assert_sound(history)
    assert len(list(history.folder.glob("db-*"))) == 1


def test_literals_of_every_kind_come_back_as_they_are_in_the_log(history: History) -> None:
    texts = ["a\tb", "\\", 'say "yes"', "line\nbreak\r", "é\u2028\U0001f331", '\'"""', "{|}<>#"]
    history.apply((*quad("s", "")[:2], write_literal(text, language="fr"), A) for text in texts)
    assert set(history.store.quads()) == history.held
    history.apply(removed=set(history.held))
    assert_sound(history)


def test_checkpoints_stay_as_they_were(history: History) -> None:
    history.apply(many(10))
    checkpoint = history.store.checkpoint()
    assert checkpoint.revision == 1
    history.apply(removed=many(10))
    old = ox.Store.read_only(str(checkpoint.path))
    assert len(old) == 2 * (10 + len(SYSTEM))
    assert len(read_stamps(g.value for g in old.named_graphs())) == 1


def test_checkpoints_in_use_are_kept_and_others_deleted(history: History) -> None:
    made = [history.store.checkpoint() for _ in range(12)]
    history.store.prune([made[3].path])
    assert history.store._directory.checkpoints() == [made[3].path, made[11].path]
    history.store.close()
    assert history.store._directory.checkpoints() == []


def test_a_second_opener_is_told(history: History) -> None:
    with pytest.raises(StoreUnavailableError, match="another process holds the store"):
        OxigraphStore.open(history.folder, SYSTEM)


def test_nothing_works_after_closing(history: History) -> None:
    history.store.close()
    with pytest.raises(StoreCorruptError, match="it is closed"):
        history.apply(many(1))
    with pytest.raises(StoreCorruptError, match="it is closed"):
        history.store.verify()


# --- damage -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A closed store with table files and a transaction log."""
    history = History(tmp_path_factory.mktemp("sound") / "oxigraph")
    history.apply([*many(3000), *many(50, B)])
    history.rebuild()
    history.apply([quad("late", "v")])
    history.apply(removed=many(100))
    history.store.close()
    return history


KINDS = ("*.sst", "MANIFEST-*", "CURRENT", "*.log", "OPTIONS-*", "IDENTITY", "../CURRENT")


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in {len(data) // 3, len(data) // 2} & set(range(len(data))):
        data[place] ^= 0x55
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [truncate, flip, Path.unlink], ids=["truncate", "flip", "delete"])
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_told_or_harmless_and_mended(
    sound: History, memory_path: Path, kind: str, harm: Callable[[Path], None]
) -> None:
    live = next(sound.folder.glob("db-*")).name
    pattern = f"{live}/{kind}" if not kind.startswith("..") else kind[3:]
    count = len(list(sound.folder.glob(pattern)))
    assert count > 0
    for number in range(0, count, 1 + count // 5):  # a few of the table files
        folder = memory_path / str(number)
        shutil.copytree(sound.folder, folder)
        harm(sorted(folder.glob(pattern))[number])
        store = OxigraphStore.open(folder, SYSTEM)
        if not is_told(store, sound):
            assert set(store.quads()) == sound.held
        store.rebuild(sorted(sound.held), 3, hash_dataset(sound.held), len(sound.held))
        assert store.verify().faults(store.stamp()) == ()
        store.close()
        shutil.rmtree(folder)


def is_told(store: OxigraphStore, sound: History) -> bool:
    """Whether the start finds the damage by fault or stamp, or a scan of all indexes does."""
    if store.fault is not None or store.stamp().revision < len(sound.commits):
        return True
    try:
        return store.verify(is_deep=True).faults(store.stamp()) != ()
    except StoreCorruptError:
        return True


@pytest.mark.parametrize("garbage", [b"", b"db-7\n", b"../../etc\n", b"\xff\xfe", b"db-1"])
def test_a_wrong_pointer_is_a_fault(sound: History, memory_path: Path, garbage: bytes) -> None:
    folder = memory_path / "copy"
    shutil.copytree(sound.folder, folder)
    (folder / "CURRENT").write_bytes(garbage)
    store = OxigraphStore.open(folder, SYSTEM)
    assert store.fault is not None
    store.rebuild(sorted(sound.held), 3, hash_dataset(sound.held), len(sound.held))
    assert store.verify().faults(store.stamp()) == ()
    assert len(list(folder.glob("db-*"))) == 1


def test_what_the_stamp_does_not_count_is_found(history: History) -> None:
    history.apply(many(20))
    database = history.store._database
    assert database is not None
    database.remove(next(database.quads_for_pattern(None, None, None, ox.NamedNode(A[1:-1]))))
    scan = history.store.verify()
    assert len(scan.faults(history.store.stamp())) == 4
    assert scan.unstated == 1
    del database
    store = history.reopen()
    assert store.fault is None  # opening trusts the stamp; the scan behind each start does not
    assert len(store.verify().faults(store.stamp())) == 4


def test_a_lost_merged_triple_is_found(history: History) -> None:
    history.apply(many(20))
    database = history.store._database
    assert database is not None
    database.remove(next(database.quads_for_pattern(None, None, None, ox.DefaultGraph())))
    faults = history.store.verify().faults(history.store.stamp())
    assert "1 triples are missing from the default graph" in faults


def test_a_directory_of_a_rebuild_that_did_not_end_is_deleted(history: History) -> None:
    history.apply(many(5))
    history.store.close()
    (history.folder / "db-9").mkdir()
    history.reopen()
    assert [d.name for d in history.folder.glob("db-*")] == ["db-1"]
    assert_sound(history)


# --- a full disk, a killed process ------------------------------------------------------------

_FILL = """
import resource, sys
from pathlib import Path
from graph.errors import StoreFullError
from tests.stores import History, many, B, look_into
history = History(Path(sys.argv[1]))
history.apply(many(100))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
try:
    for n in range(100):
        history.apply(many(2000, f"<http://e/source/{n}>"))
except StoreFullError as error:
    print("full at", error.path == sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
history.store.reopen()
print("fault", history.store.fault)
held = history.store.revision
assert held < len(history.commits)
history.store.apply(history.commits[held:])
print("faults", history.store.verify().faults(history.store.stamp()))
"""


def test_a_full_disk_is_told_and_outlived(memory_path: Path) -> None:
    command = [sys.executable, "-c", _FILL, str(memory_path / "oxigraph")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "full at True\nfault None\nfaults ()\n", done.stderr


_WRITE = """
import sys
from pathlib import Path
from tests.stores import History, many
history = History(Path(sys.argv[1]))
print("ready", flush=True)
for n in range(100_000):
    history.apply(many(40, f"<http://e/source/{n % 3}>") if n % 2 else [], set(history.held))
"""


def test_a_killed_writer_leaves_a_sound_store(memory_path: Path) -> None:
    random_ = random.Random(7)
    for number in range(3):
        folder = memory_path / str(number)
        command = [sys.executable, "-c", _WRITE, str(folder)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(random_.uniform(0.1, 0.5))
            writer.kill()
        store = OxigraphStore.open(folder, SYSTEM)
        assert store.fault is None
        assert store.revision > 0
        assert store.verify(is_deep=True).faults(store.stamp()) == ()
        store.close()


def test_errors_of_the_engine_become_ours(history: History) -> None:
    store = history.store
    cases: list[tuple[Exception, type[StoreError]]] = [
        (OSError(28, "No space left on device"), StoreFullError),
        (OSError("IO error: No space left on device: While appending"), StoreFullError),
        (OSError("IO error: lock x/LOCK: Resource temporarily unavailable"), StoreUnavailableError),
        (PermissionError(13, "Permission denied"), StoreUnavailableError),
        (OSError("Corruption: block checksum mismatch"), StoreCorruptError),
    ]
    for error, kind in cases:
        assert type(store._translate(error)) is kind
