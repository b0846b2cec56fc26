"""The dump of any revision, made anew from the log: the bytes of an export taken then."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from graph.curation import replay as replaying
from graph.curation.export import export
from graph.curation.formats import N_QUADS, N_TRIPLES, Format
from graph.curation.replay import check_dump, end_dumps, lines_of, replay, write_dump
from graph.errors import (
    NotFoundError,
    ReplayLimitError,
    StoreCorruptError,
    StoreFullError,
    StoreUnavailableError,
)
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.levels import Levels
from graph.store.log import Log
from graph.terms import Quad, write_literal
from tests.samples import base
from tests.seeded import make_settings, serve
from web.export import read_dump_name

#: Settings of a store, and what an export gave, by revision and format.
Written = tuple[Settings, dict[tuple[int, str], bytes]]

NONE: frozenset[str] = frozenset()
G, H = "<https://e.org/g>", "<https://e.org/h>"


def _quad(number: int, graph: str = G) -> Quad:
    return f"<https://e.org/{number}>", "<https://e.org/p>", f'"{number}"', graph


ODD = ("<https://e.org/é>", "<https://e.org/p>", write_literal("a\u2028b\n\x01 é"), G)
#: What each revision adds and removes: also what was there before, what comes back, and all.
CHANGES: list[tuple[list[Quad], list[Quad]]] = [
    ([_quad(1), _quad(2), ODD], []),
    (list(base()), []),
    ([_quad(2, H)], [_quad(2)]),
    ([_quad(2)], [_quad(1), _quad(2, H)]),
    ([_quad(1)], list(base())[:5]),
    ([], [_quad(1), _quad(2), ODD]),
    (list(base()), []),
]


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory,
) -> Written:
    """A store after some commits, and what an export gave at each revision."""
    own = make_settings(tmp_path_factory.mktemp("replay") / "store")
    dataset = Dataset.open(own, load_model(), with_store=False)
    exports: dict[tuple[int, str], bytes] = {}
    for added, removed in CHANGES:
        commit = dataset.commit(
            Change(tuple(added), tuple(removed), "a", "b", "c", "https://e.org/g")
        )
        assert commit is not None
        for format in (N_QUADS, N_TRIPLES):
            exports[commit.revision, format.key] = b"".join(export(dataset.snapshot, format))
    dataset.close()
    return own, exports


@pytest.mark.parametrize("revision", range(1, len(CHANGES) + 1))
def test_every_revision_gives_the_bytes_that_it_gave_then(written: Written, revision: int) -> None:
    own, exports = written
    statements, header = replay(Log.open(own.store / "log"), revision)
    check_dump(statements, header)
    for format in (N_QUADS, N_TRIPLES):
        assert b"".join(lines_of(statements, format)) == exports[revision, format.key]


def test_the_process_writes_the_same(written: Written, tmp_path: Path) -> None:
    own, exports = written
    write_dump(own, 4, N_TRIPLES, NONE, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == exports[4, "nt"]


def test_graphs_that_one_may_not_read_are_left_out(written: Written, tmp_path: Path) -> None:
    own, exports = written
    write_dump(own, 3, N_QUADS, frozenset({H, "<https://e.org/never>"}), tmp_path / "x")
    lines = exports[3, "nq"].splitlines()
    expected = [line for line in lines if not line.endswith(f" {H} .".encode())]
    assert (tmp_path / "x").read_bytes().splitlines() == expected
    assert 0 < len(expected) < len(lines)


@pytest.mark.parametrize("revision", [-1, 0, len(CHANGES) + 1])
def test_a_revision_that_is_not_there_is_not_found(written: Written, revision: int) -> None:
    with pytest.raises(NotFoundError, match=f"the newest is {len(CHANGES)}"):
        replay(Log.open(written[0].store / "log"), revision)


def test_what_the_log_does_not_state_is_never_written(
    written: Written,
) -> None:
    statements, header = replay(Log.open(written[0].store / "log"), 2)
    for other in (replace(header, quad_count=1), replace(header, dataset_hash=1)):
        with pytest.raises(StoreCorruptError, match="revision 2"):
            check_dump(statements, other)


def test_a_damaged_log_is_named(written: Written, tmp_path: Path) -> None:
    own = make_settings(tmp_path / "store")
    shutil.copytree(written[0].store, own.store)
    (payload, *_) = sorted((own.store / "log" / "graphs").iterdir())
    content = bytearray(payload.read_bytes())
    content[10] ^= 1
    payload.write_bytes(content)
    with pytest.raises(StoreCorruptError, match=payload.name):
        write_dump(own, 1, N_QUADS, NONE, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_service_that_stops_does_not_wait_for_dumps(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, _ = written
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nexec sleep 60\n")
    endless.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(endless))
    with ThreadPoolExecutor(1) as thread:
        made = thread.submit(write_dump, own, 2, N_QUADS, NONE, tmp_path / "dump")
        while not replaying._running:
            assert not made.done()
            time.sleep(0.01)
        end_dumps()
        with pytest.raises(StoreUnavailableError, match="ended"):
            made.result(30)
    assert not replaying._running


def test_time_memory_and_room_are_limited(written: Written, tmp_path: Path) -> None:
    own = written[0]
    began = time.monotonic()
    with pytest.raises(ReplayLimitError, match=r"export_replay_s = 0\.05"):
        write_dump(replace(own, export_replay_s=0.05), 1, N_QUADS, NONE, tmp_path / "x")
    assert time.monotonic() - began < 20
    with pytest.raises(StoreFullError):
        write_dump(own, 1, N_QUADS, NONE, Path("/dev/full"))


# --- over HTTP ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def later(
    seeded_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TestClient, dict[int, bytes]]]:
    """The application on the seeds and two commits more, and what each revision held."""
    folder = tmp_path_factory.mktemp("later") / "store"
    shutil.copytree(seeded_store, folder)
    dataset = Dataset.open(make_settings(folder), load_model(), with_store=False)
    exports = {1: b"".join(export(dataset.snapshot, N_QUADS))}
    for added, removed in (CHANGES[0], CHANGES[2]):
        dataset.commit(Change(tuple(added), tuple(removed), "a", "b", "c", "https://e.org/g"))
        exports[dataset.snapshot.revision] = b"".join(export(dataset.snapshot, N_QUADS))
    dataset.close()
    with serve(folder, seeds=False) as client:
        yield client, exports


def test_each_revision_has_an_address(later: tuple[TestClient, dict[int, bytes]]) -> None:
    client, exports = later
    assert len(set(exports.values())) == 3
    for revision, content in exports.items():
        for _ in range(2):  # made, then kept
            response = client.get(f"/export/revisions/{revision}.nq")
            assert (response.status_code, response.content) == (200, content)
            assert response.headers["rhizome-revision"] == str(revision)
            assert f"rhizome-{revision}.nq" in response.headers["content-disposition"]
    newest = client.get("/export?format=nq").headers["etag"]
    assert client.head("/export/revisions/3.nq").headers["etag"] == newest
    assert client.head("/export/revisions/1.nq").headers["etag"] != newest


def test_a_part_of_an_old_revision_can_be_asked_for(
    later: tuple[TestClient, dict[int, bytes]],
) -> None:
    client, exports = later
    response = client.get("/export/revisions/2.nq", headers={"Range": "bytes=-40"})
    assert (response.status_code, response.content) == (206, exports[2][-40:])
    tag = response.headers["etag"]
    headers = {"If-None-Match": tag, "Accept-Encoding": "identity"}
    assert client.get("/export/revisions/2.nq", headers=headers).status_code == 304


def test_what_is_hidden_today_is_hidden_in_old_revisions_too(
    later: tuple[TestClient, dict[int, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, exports = later
    open_tag = client.head("/export/revisions/2.nq").headers["etag"]
    monkeypatch.setattr(Levels, "hidden_from", lambda *_: frozenset({G}))
    response = client.get("/export/revisions/2.nq")
    assert response.headers["etag"] != open_tag
    assert b"<https://e.org/2>" in exports[2]
    assert b"<https://e.org/2>" not in response.content
    assert response.content == exports[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("4.nq", (404, "NOT_FOUND")),
        ("999999999999999.nt", (404, "NOT_FOUND")),
        ("9999999999999999.nt", (400, "BAD_VALUE")),
        ("0.nq", (400, "BAD_VALUE")),
        ("01.nq", (400, "BAD_VALUE")),
        ("-1.nq", (400, "BAD_VALUE")),
        ("one.nq", (400, "BAD_VALUE")),
        ("٣.nq", (400, "BAD_VALUE")),
        ("1", (400, "BAD_VALUE")),
        ("1.trig", (400, "BAD_VALUE")),
        ("1.nq.gz", (400, "BAD_VALUE")),
        ("1.nq?format=nt", (400, "BAD_VALUE")),
    ],
)
def test_what_is_no_revision_is_refused(
    later: tuple[TestClient, dict[int, bytes]], name: str, expected: tuple[int, str]
) -> None:
    response = later[0].get(f"/export/revisions/{name}")
    assert (response.status_code, response.json()["code"]) == expected


def test_names_of_dumps_are_read() -> None:
    expected: list[tuple[str, tuple[int, Format]]] = [
        ("1.nq", (1, N_QUADS)),
        ("12.nt", (12, N_TRIPLES)),
    ]
    for name, found in expected:
        assert read_dump_name(name) == found
