"""A copy of a writer's log: the same bytes, or a refusal that leaves nothing behind."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graph.access import Level
from graph.errors import (
    FollowError,
    HistoryDivergedError,
    ReplicaError,
    StoreCorruptError,
    StoreFullError,
)
from graph.store.commit import NO_HASH, Change, Commit
from graph.store.dataset import Dataset
from graph.store.levels import VISIBILITY, Levels
from graph.store.log import Log
from graph.store.log_pages import gather, hash_at, read_page, write_patch
from graph.store.role import mark_replica, promote, read_writer
from graph.terms import hash_dataset, read_literal
from tests.replicas import (
    CHANGE,
    GRAPH,
    WRITER,
    files,
    forge,
    forge_json,
    forge_text,
    open_copy,
    open_dataset,
    quads,
    sent,
    take,
    write_history,
)
from tests.samples import base


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    writer = write_history(tmp_path_factory.mktemp("writer") / "store")
    assert "gzip" in {part.encoding for header in writer.log.headers() for part in header.parts}
    yield writer
    writer.close()


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Dataset]:
    copy = open_copy(tmp_path / "copy")
    yield copy
    copy.close()


@pytest.fixture
def half(writer: Dataset, copy: Dataset) -> Dataset:
    """A copy that holds the first two commits."""
    page = read_page(writer.log, 0, NO_HASH, 9, commits_max=2, bytes_max=10**9)
    content = sent(writer.log)
    take(copy, content[: len(content) - len(sent(writer.log, 2))])
    assert copy.log.revision == page.last == 2
    return copy


def refusal(copy: Dataset, content: bytes, **options: int) -> str:
    """Why a copy refuses what was sent; it must be as before."""
    before = files(copy.log.folder), copy.log.head, copy.snapshot
    with pytest.raises(FollowError) as caught:
        take(copy, content, **options)
    assert (files(copy.log.folder), copy.log.head, copy.snapshot) == before
    assert caught.value.writer == WRITER
    return str(caught.value)


def test_a_copy_has_the_bytes_of_the_writers_log(writer: Dataset, copy: Dataset) -> None:
    assert take(copy, sent(writer.log)) == 4
    assert files(copy.log.folder) == files(writer.log.folder)
    assert (copy.log.head, copy.log.torn) == (writer.log.head, ())
    assert set(copy.snapshot.quads()) == set(writer.snapshot.quads())
    assert copy.snapshot.dataset_hash == hash_dataset(copy.snapshot.quads())
    again = Log.open(copy.log.folder)
    assert list(again.commits()) == list(writer.log.commits())


def test_a_copy_goes_on_where_it_was(writer: Dataset, half: Dataset) -> None:
    assert take(half, sent(writer.log, 2)) == 2
    assert take(half, b"") == 0
    assert files(half.log.folder) == files(writer.log.folder)


def test_listeners_are_told_of_each_commit_in_its_order(writer: Dataset, copy: Dataset) -> None:
    told: list[tuple[int, int]] = []

    def listen(commit: Commit, levels: Levels) -> None:
        told.append((commit.revision, levels.whole.quad_count))

    copy.on_commit(listen)
    take(copy, sent(writer.log))
    assert told == [(h.revision, h.quad_count) for h in writer.log.headers()]


def test_a_copy_that_is_opened_anew_is_whole(writer: Dataset, tmp_path: Path) -> None:
    copy = open_copy(tmp_path / "copy")
    take(copy, sent(writer.log))
    copy.close()
    again = open_copy(tmp_path / "copy")
    assert again.snapshot.dataset_hash == writer.snapshot.dataset_hash
    again.close()


def test_what_breaks_off_anywhere_leaves_whole_commits(writer: Dataset, tmp_path: Path) -> None:
    content, random_ = sent(writer.log), random.Random(5)
    ends = [len(content) - len(sent(writer.log, n)) for n in range(5)]
    cuts = sorted({*(random_.randrange(len(content)) for _ in range(12)), 1, ends[2] + 3})
    copy = open_copy(tmp_path / "copy")
    for cut in cuts:
        start = ends[copy.log.revision]
        if cut in ends or cut <= start:
            continue
        with pytest.raises(FollowError, match="breaks off"):
            take(copy, content[start:cut])
        assert copy.log.revision == max(n for n in range(5) if ends[n] <= cut)
        assert Log.open(copy.log.folder).torn == ()
    copy.close()


def test_a_byte_that_was_changed_anywhere_is_found(writer: Dataset, half: Dataset) -> None:
    content, random_ = sent(writer.log, 2), random.Random(6)
    first = len(content) - len(sent(writer.log, 3))
    for place in [0, first - 1, *(random_.randrange(first) for _ in range(25))]:
        wrong = bytearray(content[:first])
        wrong[place] ^= 1 << random_.randrange(8)
        assert "revision 3 at byte 0 of the answer" in refusal(half, bytes(wrong))


def test_a_commit_that_is_refused_keeps_those_before_it(writer: Dataset, copy: Dataset) -> None:
    content = bytearray(sent(writer.log))
    content[-2] ^= 1
    with pytest.raises(FollowError, match="revision 4 at byte"):
        take(copy, bytes(content))
    assert copy.log.revision == copy.snapshot.revision == 3


def test_another_history_is_refused(writer: Dataset, half: Dataset, tmp_path: Path) -> None:
    assert "holds revision 4" in refusal(half, sent(writer.log, 3))
    assert "holds revision 1" in refusal(half, sent(writer.log))
    other = open_dataset(tmp_path / "other")
    for name in "abc":
        added = base() if name == "a" else tuple(quads(name, 1))
        other.commit(Change(added, (), "tests", "load", name))
    text = refusal(half, sent(other.log, 2))
    assert "does not follow the record before it; this replica holds revision 2" in text
    other.close()


Forge = Callable[[Log], bytes]
NEW = quads("new", 2)


def _text(*lines: str, added: int | None = None, removed: int = 0) -> Forge:
    text = "".join(f"{line} <{GRAPH}> .\n" for line in lines)
    count = len(lines) - removed if added is None else added
    return lambda log: forge_text(log, text, count, removed)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda log: forge(log, NEW, dataset_hash=7), "the dataset hash after it"),
        (lambda log: forge(log, NEW, quad_count=7), "the number of quads after it"),
        (lambda log: forge(log, NEW, previous="f" * 64), "does not follow the record"),
        (lambda log: forge(log, NEW, revision=9), "holds revision 9"),
        (lambda log: forge(log, NEW, time=log.time), "is not after"),
        (lambda log: forge(log, NEW, time="tomorrow"), "holds what no record can hold"),
        (lambda log: forge(log, [], quads("x", 9)), "removes what is not there"),
        (lambda log: forge(log, quads("x", 2)), "adds what is there already"),
        (lambda log: forge_json(log, format=2), "a newer version"),
        (lambda log: forge_json(log, quad_count="7"), "what no record can hold"),
        (lambda log: forge_json(log, agent=["x"]), "what no record can hold"),
        (lambda log: forge_json(log, source=7), "what no record can hold"),
        (lambda log: forge_json(log, graphs=[{"graph": 1}]), "is not a header"),
        (lambda log: forge_json(log, more=1), "is not a header"),
        (lambda log: forge_json(log, revision="3"), "holds revision 3"),
        (_text("A <a:s> <a:p> <a:o>", "A <a:s> <a:p> <a:o>"), "states a quad twice"),
        (_text("A <a:s> <a:p> <a:o>", added=2), "1 lines stand where 2 were written"),
        (_text("A <a:s> <a:p> <a:o>", "A <a:s> <a:p> <a:q>", added=1), "more than the 1 lines"),
        (_text("A <a:s> <a:p> <a:o>", added=0, removed=1), "1 lines add and 0 remove"),
        (_text("A <a:s>"), "is not a line of RDF Patch"),
        (_text('A "s" <a:p> <a:o>'), "begin no triple"),
        (_text("A <a:s> <a:p> _:b"), "is no term"),
        (_text("A <a:s> <a:p> <a b>"), "is no term"),
        (_text('A <a:s> <a:p> "open'), "its payload is wrong"),
        (lambda log: forge_text(log, "A no end", 1, 0), "the last line has no end"),
        (lambda log: b"<!doctype html>\n<p>Hello</p>\n", "its length is not the one"),
        (lambda log: b"x" * 5_000, "its record is longer than 4000 bytes"),
        (lambda log: forge(log, NEW)[:50], "the answer breaks off in its record"),
        (lambda log: forge(log, NEW)[:-9], "9 bytes before the end of its payload"),
    ],
)
def test_what_no_writer_sends_is_refused(half: Dataset, make: Forge, words: str) -> None:
    text = refusal(half, make(half.log), record_bytes=4_000)
    assert words in text
    assert "revision 3" in text


def test_a_payload_that_is_not_next_in_its_file_is_refused(half: Dataset) -> None:
    class Elsewhere(Log):
        def place_of(self, graph: str) -> int:
            return 7

    half.log.__class__, own = Elsewhere, half.log.__class__
    try:
        content = forge(half.log, NEW)
    finally:
        half.log.__class__ = own
    assert "stands at byte 7, not" in refusal(half, content)


def test_a_full_disk_leaves_the_copy_as_it_was(
    writer: Dataset, half: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(half.log.folder)
    real = os.pwrite

    def full(file: int, data: bytes, place: int) -> int:
        if b'"revision":3' in bytes(data):
            raise OSError(errno.ENOSPC, "no room")
        return real(file, data, place)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StoreFullError):
        take(half, sent(writer.log, 2))
    monkeypatch.undo()
    assert files(half.log.folder) == before
    assert take(half, sent(writer.log, 2)) == 2


def test_a_replica_takes_no_change_of_its_own(half: Dataset) -> None:
    with pytest.raises(ReplicaError, match=f"send changes to {WRITER}"):
        half.commit(CHANGE)
    assert half.log.revision == 2


def test_a_promoted_replica_goes_on_with_the_same_history(writer: Dataset, tmp_path: Path) -> None:
    copy = open_copy(tmp_path / "copy")
    take(copy, sent(writer.log))
    copy.close()
    assert read_writer(tmp_path / "copy") == WRITER
    promote(tmp_path / "copy")
    promoted = open_dataset(tmp_path / "copy")
    commit = promoted.commit(Change(tuple(NEW), (), "tests", "load", "mine"))
    assert commit is not None
    assert (commit.revision, commit.previous) == (5, writer.log.head)
    follower = open_copy(tmp_path / "other")
    take(follower, sent(promoted.log))
    assert follower.log.head == promoted.log.head
    for each in (promoted, follower):
        each.close()


def test_a_mark_can_be_renewed_and_says_whom_it_names(tmp_path: Path) -> None:
    assert read_writer(tmp_path) is None
    mark_replica(tmp_path, "http://one")
    mark_replica(tmp_path, "http://two")
    assert read_writer(tmp_path) == "http://two"
    promote(tmp_path)
    promote(tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- pages --------------------------------------------------------------------------------------


def test_pages_are_bounded_and_follow_each_other(writer: Dataset) -> None:
    log, since, head, pages = writer.log, 0, NO_HASH, 0
    while (page := read_page(log, since, head, 9, commits_max=9, bytes_max=1)).records:
        assert len(page.records) == 1  # each is larger than the bound, and yet one comes
        since, head, pages = page.last, page.head, pages + 1
    assert (since, head, pages) == (4, log.head, 4)
    assert read_page(log, 1, None, 2, commits_max=9, bytes_max=10**9).last == 2
    assert len(read_page(log, 1, None, 9, commits_max=2, bytes_max=10**9).records) == 2


def test_a_reader_of_another_history_is_told(writer: Dataset) -> None:
    log = writer.log
    for since, head in ((5, None), (5, log.head), (4, "0" * 64), (0, log.head), (3, log.head)):
        with pytest.raises(HistoryDivergedError):
            read_page(log, since, head, 9, commits_max=9, bytes_max=10**9)
    assert read_page(log, 3, hash_at(log, 3), 9, commits_max=9, bytes_max=10**9).last == 4


def test_rdf_patch_holds_all_that_the_chain_needs(writer: Dataset) -> None:
    lines = b"".join(gather(write_patch(writer.log, writer.log.records()))).decode().split("\n")
    fields: dict[str, str] = {}
    held: set[str] = set()
    previous, revision, size = NO_HASH, 0, 0
    for line in lines[:-1]:
        kind, _, rest = line.removesuffix(" .").partition(" ")
        size += 1
        if kind == "H":
            name, _, term = rest.partition(" ")
            fields[name] = term if term[0] == "<" else read_literal(term)[0]
        elif kind == "TX":
            assert fields["prev"] == previous
            body = fields["record"].encode()
            assert hashlib.sha256(body).hexdigest() == fields["id"]
            previous, revision = fields["id"], revision + 1
            assert fields["revision"] == str(revision)
        elif kind == "TC":
            found = hash_dataset(_quads_of(held))
            assert f"{found:064x}" == fields["datasetHash"]
            assert str(len(held)) == fields["quads"]
        elif kind == "A":
            held.add(rest)
        else:
            assert kind == "D"
            held.remove(rest)
    assert (revision, previous) == (4, writer.log.head)
    assert size > 2_000


def _quads_of(held: set[str]) -> Iterator[tuple[str, str, str, str]]:
    for line in held:
        subject, predicate, rest = line.split(" ", 2)
        value, _, graph = rest.rpartition(" ")
        yield subject, predicate, value, graph


def test_a_damaged_payload_is_not_sent_as_if_it_were_whole(writer: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    shutil.copytree(writer.log.folder, folder)
    log = Log.open(folder)
    largest = max(folder.glob("graphs/*"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[-10] ^= 1
    largest.write_bytes(content)
    for write in (sent, lambda log: b"".join(write_patch(log, log.records()))):
        with pytest.raises(StoreCorruptError):
            write(log)


def test_levels_of_a_copy_are_those_of_the_writer(tmp_path: Path) -> None:
    writer, copy = write_history(tmp_path / "writer"), open_copy(tmp_path / "copy")
    hidden = (f"<{GRAPH}>", VISIBILITY, '"partner"', f"<{GRAPH}>")
    writer.commit(Change((hidden,), (), "tests", "load", "hide"))
    take(copy, sent(writer.log))
    assert [each.levels.highest for each in (writer, copy)] == [Level.PARTNER] * 2
    for level in Level:
        mine, theirs = copy.levels.at(level).snapshot, writer.levels.at(level).snapshot
        assert set(mine.quads()) == set(theirs.quads())
        assert mine.dataset_hash == theirs.dataset_hash
    everything = tuple(writer.snapshot.quads(f"<{GRAPH}>"))
    writer.commit(Change((), everything, "tests", "load", "take away"))
    assert writer.levels.highest == Level.PARTNER  # what is gone stands in the log still
    assert take(copy, sent(writer.log, copy.log.revision)) == 1
    for each in (writer, copy):
        each.close()
