"""Bulk loads: what the log's text says is what its commits left, whatever the pieces."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from graph.errors import StoreCorruptError
from graph.store import bulk
from graph.store.bulk import Piece, replay_log, write_pieces
from graph.store.commit import Change, follow
from graph.store.log import Log
from graph.terms import Quad, hash_dataset, write_literal
from tests.stores import SYSTEM, A, B, History, look_into, many, quad

CHANGE = Change((), (), "tests", "load", "why")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log.open(tmp_path / "log")


def record(log: Log, added: list[Quad], removed: list[Quad] | None = None) -> None:
    log.append([follow(log, CHANGE, added, removed or [], "0.1.0")])


def lines_of(pieces: list[Piece]) -> list[str]:
    """The lines of pieces that are quads, in order; their merged triples are checked."""
    quads = []
    for piece in pieces:
        lines = piece.text.decode().split("\n")[:-1]
        found = [line for line in lines if line.endswith(("/a> .", "/b> ."))]
        merged = [line for line in lines if line not in set(found)]
        assert sorted(merged) == sorted(line.rpartition(" <")[0] + " ." for line in found)
        assert piece.quads == len(found)
        quads += found
    return quads


def written(quads: set[Quad]) -> list[str]:
    return sorted(" ".join(each) + " ." for each in quads)


def build(log: Log, folder: Path) -> History:
    history = History(folder)
    history.store.rebuild_from(replay_log(log), log.revision, log.dataset_hash, log.quad_count)
    return history


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_the_log_s_text_gives_each_quad_that_stands_once(
    log: Log, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_PIECE_QUADS", size)
    random_ = random.Random(size)
    held: set[Quad] = set()
    for _ in range(30):
        pool = [quad(f"s{n % 5}", f"v{n}", random_.choice((A, B))) for n in range(30)]
        added = set(random_.sample(pool, 8)) - held
        removed = set(random_.sample(sorted(held), len(held) // 3))
        record(log, sorted(added), sorted(removed - added))
        held = (held - removed) | added
    assert sorted(lines_of(list(replay_log(log)))) == written(held)


def test_texts_that_look_like_lines_and_graphs_stay_whole(log: Log, tmp_path: Path) -> None:
    texts = ["\nA <s> <p>", "\nD ", f" {A} .", f" {A} .\n", "\u2028A \u0085", "\\nA ", "\\"]
    odd: set[Quad] = {(f"<http://e/{len(t)}>", "<http://e/p>", write_literal(t), A) for t in texts}
    record(log, sorted(odd))
    record(log, [quad("more", "v", B)], [min(odd)])
    history = build(log, tmp_path / "oxigraph")
    assert set(history.store.quads()) == (odd | {quad("more", "v", B)}) - {min(odd)}
    history.store.close()


def test_a_store_from_the_log_is_sound(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_PIECE_QUADS", 50)
    record(log, [*many(400), *many(150, B)])
    record(log, [quad("new", "v")], many(100))
    record(log, many(10), [quad("new", "v")])
    held = {*many(400)[100:], *many(10), *many(150, B)}
    history = build(log, tmp_path / "oxigraph")
    store = history.store
    assert (log.dataset_hash, log.quad_count) == (hash_dataset(held), len(held))
    found, merged = look_into(store)
    assert found == held | set(SYSTEM)
    assert merged == {each[:3] for each in found}
    assert store.verify(is_deep=True).faults(store.stamp()) == ()
    store.close()


def test_an_empty_log_gives_an_empty_store(log: Log, tmp_path: Path) -> None:
    history = build(log, tmp_path / "oxigraph")
    assert list(history.store.quads()) == []
    history.store.close()


@pytest.mark.parametrize("lines", [(1, 300), (300, 1)], ids=["in the first", "in the last"])
def test_a_damaged_payload_leaves_the_store_as_it_was(
    log: Log, tmp_path: Path, lines: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_PIECE_QUADS", 20)
    record(log, many(lines[0]))
    record(log, many(lines[1], B))
    history = History(tmp_path / "oxigraph")
    history.apply([quad("before", "v")])
    path = min((tmp_path / "log" / "graphs").iterdir(), key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes().replace(b"v0", b"v7"))
    with pytest.raises(StoreCorruptError, match="wrong digest"):
        history.store.rebuild_from(replay_log(log), 2, log.dataset_hash, log.quad_count)
    assert set(history.store.quads()) == {quad("before", "v")}
    assert len(list(history.folder.glob("db-*"))) == 1
    history.store.close()


def test_what_a_loader_meets_is_told(tmp_path: Path) -> None:
    history = History(tmp_path / "oxigraph")
    pieces = [Piece(b"<a:s> <a:p> .\n", 1), *write_pieces(many(3))]
    with pytest.raises(SyntaxError):
        history.store.rebuild_from(pieces, 1, 0, 4)
    assert list(history.store.quads()) == []
    assert len(list(history.folder.glob("db-*"))) == 1
    history.store.close()
