from __future__ import annotations

import errno
import hashlib
import os
import resource
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.errors import StoreCorruptError, StoreFullError, StoreUnavailableError, Violation
from graph.store.commit import NO_HASH, Change, Commit, follow
from graph.store.log import Log
from graph.store.patch import PLAIN_BYTES, payload_name
from graph.terms import Quad, hash_dataset, write_literal
from tests.strategies import datasets

CHANGE = Change((), (), "tests", "load", "why")
WARNING = Violation("<a:s>", "<a:p>", None, "minCount", "Warning", "no name\nyet", "<a:g>")


def _quads(name: str, count: int, graph: str = "g") -> list[Quad]:
    return [
        (f"<a:{name}{n:05}>", "<a:p>", write_literal(f"{name}\n{n}"), f"<a:{graph}>")
        for n in range(count)
    ]


def _record(log: Log, added: Iterable[Quad], removed: Iterable[Quad] = ()) -> Commit:
    (commit,) = log.append([follow(log, CHANGE, added, removed, "0.1.0")])
    return commit


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, list[Commit]]:
    """A log of five commits on two graphs, one of them gzipped."""
    folder = tmp_path / "log"
    log = Log.open(folder)
    commits = [
        _record(log, _quads("a", 3)),
        _record(log, _quads("b", 2, "h") + _quads("b", 1)),
        _record(log, _quads("c", 5_000)),
        _record(log, [], _quads("a", 2)),
        _record(log, _quads("d", 1, "h"), _quads("b", 1)),
    ]
    log.close()
    return folder, commits


def _payload(folder: Path, graph: str) -> Path:
    return folder / "graphs" / payload_name(graph)


def test_an_empty_log_is_made(tmp_path: Path) -> None:
    log = Log.open(tmp_path / "deep" / "log")
    assert (log.revision, log.head, log.time) == (0, NO_HASH, "")
    assert (log.dataset_hash, log.quad_count) == (0, 0)
    assert list(log.commits()) == []
    assert Log.open(tmp_path / "deep" / "log").revision == 0


def test_what_was_recorded_is_read_back(filled: tuple[Path, list[Commit]]) -> None:
    folder, commits = filled
    log = Log.open(folder)
    assert list(log.commits()) == commits
    assert list(log.commits(since=3)) == commits[3:]
    assert list(log.commits(since=5)) == list(log.commits(since=9)) == []
    assert (log.revision, log.time) == (5, commits[-1].time)
    assert (log.dataset_hash, log.quad_count) == (commits[-1].dataset_hash, 5_004)
    assert log.torn == ()


def test_records_are_chained(filled: tuple[Path, list[Commit]]) -> None:
    headers = list(Log.open(filled[0]).headers())
    assert headers[0].previous == NO_HASH
    assert len({header.previous for header in headers}) == 5
    assert [h.revision for h in headers] == [1, 2, 3, 4, 5]
    assert headers[1].graphs == ("a:g", "a:h")
    assert [p.encoding for h in headers for p in h.parts] == ["plain"] * 3 + ["gzip"] + [
        "plain"
    ] * 3


def test_payload_files_are_rdf_patch(filled: tuple[Path, list[Commit]]) -> None:
    text = _payload(filled[0], "a:h").read_text()
    assert text == (
        '<a:b00000> <a:p> "b\\n0" <a:h> .\n'.join(["A ", ""])
        + 'A <a:b00001> <a:p> "b\\n1" <a:h> .\nA <a:d00000> <a:p> "d\\n0" <a:h> .\n'
    )


@given(st.lists(datasets, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_history_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, states: list[frozenset[Quad]]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = Log.open(folder)
    before: frozenset[Quad] = frozenset()
    for state in states:
        _record(log, state - before, before - state)
        before = state
    again = Log.open(folder)
    replayed: set[Quad] = set()
    for commit in again.commits():
        assert replayed.isdisjoint(commit.added)
        assert replayed.issuperset(commit.removed)
        replayed = (replayed - set(commit.removed)) | set(commit.added)
    assert replayed == before
    assert again.dataset_hash == hash_dataset(before)


def test_several_commits_share_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log.open(tmp_path)
    synced: list[int] = []
    sync = os.fdatasync

    def note(file: int) -> None:
        synced.append(file)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", note)
    first = follow(log, CHANGE, _quads("a", 1), [], "0.1.0")
    second = follow(first, CHANGE, _quads("b", 1), [], "0.1.0")
    third = follow(second, CHANGE, [], _quads("a", 1), "0.1.0")
    recorded = log.append([first, second, third])
    assert len(synced) == 2  # the graph's file, the header file
    assert recorded[0].previous == NO_HASH
    assert [c.previous for c in Log.open(tmp_path).commits()] == [c.previous for c in recorded]
    assert len({c.previous for c in recorded}) == 3


def test_the_payload_is_on_the_disk_before_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log.open(tmp_path)
    sizes: list[int] = []
    sync = os.fdatasync

    def watch(file: int) -> None:
        sizes.append((tmp_path / "headers").stat().st_size)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", watch)
    _record(log, _quads("a", 1))
    assert sizes[0] == 0 < sizes[1]


def test_warnings_and_odd_texts_survive(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    change = Change((), (), "agent “é”", "load", "a\nb \u2028 \x00", "https://e.org/é", (WARNING,))
    odd = ("<a:é>", "<a:p>", write_literal("\u2028\x85\r\n\t\x0c\x1c\U0001f331"), "<a:g>")
    (commit,) = log.append([follow(log, change, [odd], [], "0.1.0")])
    assert next(Log.open(tmp_path).commits()) == commit
    assert commit.warnings == (WARNING,)


def test_a_commit_that_does_not_follow_is_refused(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    first = _record(log, _quads("a", 1))
    for wrong in (first, replace(first, revision=3), replace(first, revision=2)):
        with pytest.raises(ValueError, match="does not follow"):
            log.append([wrong])
    assert Log.open(tmp_path).revision == 1


def test_a_raw_line_break_in_a_term_never_reaches_the_file(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    with pytest.raises(ValueError, match="line break"):
        _record(log, [("<a:s>", "<a:p>", '"a\nb"', "<a:g>")])
    assert Log.open(tmp_path).torn == ()
    assert _record(log, _quads("a", 1)).revision == 1


def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    log.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        _record(log, _quads("a", 1))


# --- what a stopped write leaves ---------------------------------------------------------------


def test_every_cut_of_the_last_record_is_taken_as_not_written(
    filled: tuple[Path, list[Commit]],
) -> None:
    folder, commits = filled
    path = folder / "headers"
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        log = Log.open(folder)
        assert log.revision == 4
        assert (path in log.torn) == (end > start)
    again = _record(log, commits[-1].added, commits[-1].removed)
    assert Log.open(folder).torn == ()
    assert list(Log.open(folder).commits()) == [*commits[:-1], again]


def test_zeros_behind_the_last_record_are_cut(filled: tuple[Path, list[Commit]]) -> None:
    folder, _ = filled
    with (folder / "headers").open("ab") as file:
        file.write(bytes(5_000))
    log = Log.open(folder)
    assert log.revision == 5
    _record(log, _quads("e", 1))
    assert Log.open(folder).revision == 6


def test_payloads_without_a_record_are_cut(filled: tuple[Path, list[Commit]]) -> None:
    folder, _ = filled
    known, stray = _payload(folder, "a:h"), _payload(folder, "a:new")
    size = known.stat().st_size
    with known.open("ab") as file:
        file.write(b"A <a:half")
    stray.write_bytes(b"A <a:s> <a:p> <a:o> <a:new> .\n")
    log = Log.open(folder)
    assert set(log.torn) == {known, stray}
    assert known.stat().st_size > size  # opening changes nothing
    _record(log, _quads("e", 1))
    assert known.stat().st_size == size
    assert not stray.exists()
    assert Log.open(folder).torn == ()
    kept = {path.name: path.read_bytes() for path in (folder / "orphans").iterdir()}
    assert kept == {
        f"{known.name}.{size}.orphan-1": b"A <a:half",
        f"{stray.name}.0.orphan-1": b"A <a:s> <a:p> <a:o> <a:new> .\n",
    }


# --- damage ------------------------------------------------------------------------------------


def _flips(size: int) -> list[int]:
    return sorted({*range(0, size, max(1, size // 150)), size - 1})


def test_a_flipped_byte_anywhere_stops_the_start(filled: tuple[Path, list[Commit]]) -> None:
    folder, _ = filled
    for path in [folder / "headers", *sorted((folder / "graphs").iterdir())]:
        whole = path.read_bytes()
        for place in _flips(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 0x55
            path.write_bytes(damaged)
            with pytest.raises(StoreCorruptError) as error:
                Log.open(folder)
            assert error.value.path == str(path)
            assert "at byte" in error.value.detail
        path.write_bytes(whole)
    assert Log.open(folder).revision == 5


def test_a_cut_payload_stops_the_start(filled: tuple[Path, list[Commit]]) -> None:
    folder, _ = filled
    path = _payload(folder, "a:h")
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(StoreCorruptError, match=r"payload of revision 5 at byte 68: .* too early"):
        Log.open(folder)


def test_a_missing_file_stops_the_start(filled: tuple[Path, list[Commit]]) -> None:
    folder, _ = filled
    _payload(folder, "a:h").unlink()
    with pytest.raises(StoreCorruptError, match="payload of revision 2 at byte 0: is missing"):
        Log.open(folder)
    (folder / "headers").unlink()
    with pytest.raises(StoreCorruptError, match="is missing, but payloads are there"):
        Log.open(folder)


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda lines: [*lines[:2], *lines[3:]], "record 3 at byte .*: holds revision 4"),
        (lambda lines: lines[1:], "record 1 at byte 0: holds revision 2"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "record 1 at byte 0: holds revision 2"),
        (lambda lines: [*lines, lines[-1]], "record 6 at byte .*: holds revision 5"),
        (lambda lines: [*lines, b"\n"], "record 6 at byte .*: its length"),
        (lambda lines: [*lines, b"trailing"], "record 6 at byte .*: is damaged"),
    ],
)
def test_a_broken_sequence_stops_the_start(
    filled: tuple[Path, list[Commit]],
    change: Callable[[list[bytes]], list[bytes]],
    detail: str,
) -> None:
    folder, _ = filled
    path = folder / "headers"
    path.write_bytes(b"".join(change(_lines(path))))
    with pytest.raises(StoreCorruptError, match=detail):
        Log.open(folder)


def test_a_record_of_another_history_stops_the_start(
    filled: tuple[Path, list[Commit]], tmp_path: Path
) -> None:
    other = Log.open(tmp_path / "other")
    for name in "uvwx":
        _record(other, _quads(name, 1))
    lines = _lines(filled[0] / "headers")
    path = tmp_path / "other" / "headers"
    path.write_bytes(b"".join([lines[0], *_lines(path)[1:]]))
    with pytest.raises(StoreCorruptError, match=r"record 2 .* does not follow"):
        Log.open(tmp_path / "other")


def test_swapped_payload_files_stop_the_start(filled: tuple[Path, list[Commit]]) -> None:
    folder, _ = filled
    one, two = _payload(folder, "a:g"), _payload(folder, "a:h")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    with pytest.raises(StoreCorruptError, match="wrong digest"):
        Log.open(folder)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    _record(log, _quads("a", 1))
    body = (tmp_path / "headers").read_bytes().split(b" ", 2)[2][:-1]
    body = body.replace(b'{"format":1', b'{"format":2')
    digest = hashlib.sha256(body).hexdigest().encode()
    (tmp_path / "headers").write_bytes(b"%d %s %s\n" % (len(body), digest, body))
    with pytest.raises(StoreCorruptError, match="newer version"):
        Log.open(tmp_path)


def test_damage_after_the_start_is_met_when_read(filled: tuple[Path, list[Commit]]) -> None:
    folder, _ = filled
    log = Log.open(folder)
    path = _payload(folder, "a:g")
    damaged = bytearray(path.read_bytes())
    damaged[5] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StoreCorruptError, match="payload of revision 1"):
        list(log.commits())
    path.unlink()
    with pytest.raises(StoreCorruptError, match="is missing"):
        list(log.commits())


def test_a_folder_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="cannot be read"):
        Log.open(tmp_path / "file")


# --- a failing disk ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failing", "after"),
    [("pwrite", 0), ("pwrite", 1), ("pwrite", 2), ("fdatasync", 0), ("fdatasync", 2), ("fsync", 0)],
)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, after: int, code: int
) -> None:
    log = Log.open(tmp_path)
    first = _record(log, _quads("a", 2))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    calls = [0]
    real = getattr(os, failing)

    def fail(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == after + 1:
            raise OSError(code, os.strerror(code))
        return real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fail)
        expected = StoreFullError if code == errno.ENOSPC else StoreUnavailableError
        with pytest.raises(expected):
            _record(log, _quads("b", 1) + _quads("b", 1, "new"))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert list(log.commits()) == [first]
    if code == errno.ENOSPC:
        assert _record(log, _quads("b", 1)).revision == 2
    else:
        with pytest.raises(StoreUnavailableError, match="restart"):
            _record(log, _quads("b", 1))
    assert _record(Log.open(tmp_path), _quads("c", 1)).revision == 2 + (code == errno.ENOSPC)


def test_a_failure_that_cannot_be_undone_closes_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log.open(tmp_path)
    _record(log, _quads("a", 1))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        patched.setattr(os, "truncate", full)
        with pytest.raises(StoreFullError):
            _record(log, _quads("b", 1))
    with pytest.raises(StoreUnavailableError, match="not undone"):
        _record(log, _quads("b", 1))
    again = Log.open(tmp_path)
    assert again.revision == 1
    assert _record(again, _quads("b", 1)).revision == 2


FILL = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    from graph.errors import StoreFullError
    from graph.store.commit import Change, follow
    from graph.store.log import Log
    from graph.terms import write_literal
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    log = Log.open(Path(sys.argv[1]))
    change = Change((), (), "tests", "load", "why")
    for n in range(1_000):
        quads = [(f"<a:{n}-{i}>", "<a:p>", write_literal("x" * 50), "<a:g>") for i in range(9)]
        try:
            log.append([follow(log, change, quads, [], "0.1.0")])
        except StoreFullError as error:
            print(log.revision, error)
            break
    """
)


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    run = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    revision, _, message = run.stdout.partition(" ")
    assert int(revision) > 10
    assert "no room left" in message
    log = Log.open(tmp_path)
    assert (log.revision, log.torn) == (int(revision), ())
    assert _record(log, _quads("a", 1)).revision == int(revision) + 1


# --- size --------------------------------------------------------------------------------------


def test_many_graphs_need_few_open_files(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    quads = [quad for n in range(300) for quad in _quads("a", 1, f"g{n}")]
    _record(log, quads)
    assert len(next(iter(Log.open(tmp_path).commits())).added) == 300


def test_reading_a_large_payload_takes_bounded_memory(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    _record(log, _quads("a", 60_000))
    size = sum(part.length for header in log.headers() for part in header.parts)
    assert size > PLAIN_BYTES
    tracemalloc.start()
    try:
        (header,) = log.headers()
        assert sum(1 for _ in log.quads(header)) == 60_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000 * 60  # held whole it is ten times that


def test_times_grow_with_the_revision(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    commits = [_record(log, _quads(name, 1)) for name in "abcde"]
    assert all(one.time < two.time for one, two in pairwise(commits))
