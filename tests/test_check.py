"""`check` finds damage in each derived part, says so, and changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graph.errors import RhizomeError, StoreCorruptError
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.store.external import ExternalStore
from graph.store.external_marker import name_log
from schema.library import with_library
from tests.fake_sparql import fake_server
from web.commands import run_locally
from web.control import Command


@pytest.fixture
def store(seeded_store: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    return folder


def _check(store: Path) -> tuple[str, RhizomeError | None]:
    """What is written, and what is raised at the end; the files must be as before."""
    before = _files(store)
    lines: list[str] = []
    error = None
    try:
        lines.extend(
            piece.content.decode() for piece in run_locally(Command("check", {}), Settings(store))
        )
    except RhizomeError as raised:
        error = raised
    assert _files(store) == before
    return "".join(lines), error


def _files(store: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in store.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_sound_store_stays_as_it_is(store: Path) -> None:
    out, error = _check(store)
    assert error is None
    assert "BAD" not in out
    assert "ok   image     revision 1," in out


@pytest.mark.parametrize("name", ["image", "oxigraph"])
def test_a_part_that_is_not_there_yet_is_no_damage(store: Path, name: str) -> None:
    shutil.rmtree(store / name) if name == "oxigraph" else (store / name).unlink()
    out, error = _check(store)
    assert error is None
    assert "yet" in out
    assert not (store / name).exists()


def test_a_flipped_byte_in_the_image_is_found(store: Path) -> None:
    _flip(store / "image")
    out, error = _check(store)
    assert isinstance(error, StoreCorruptError)
    assert error.path == str(store / "image")
    assert "BAD  image" in out
    assert "ok   snapshot" in out


def test_an_image_of_commits_that_the_log_lacks_is_found(store: Path) -> None:
    headers = store / "log" / "headers"
    headers.write_bytes(b"")
    out, error = _check(store)
    assert isinstance(error, StoreCorruptError)
    assert "BAD  image" in out
    assert "BAD  store" in out
    assert "commits are missing" in out


@pytest.mark.parametrize("missing", ["CURRENT", "db-*/CURRENT", "db-*/MANIFEST-*"])
def test_a_missing_file_of_the_sparql_store_is_found(store: Path, missing: str) -> None:
    for path in list((store / "oxigraph").glob(missing)):
        path.unlink()
    out, error = _check(store)
    assert isinstance(error, StoreCorruptError)
    assert "BAD  store" in out
    assert "ok   image" in out


@pytest.mark.broad
def test_a_sparql_server_of_others_is_checked_whole_when_that_is_asked(store: Path) -> None:
    with fake_server() as server:
        settings = Settings(store, sparql=server.address)

        def run(*, is_deep: bool) -> str:
            pieces = run_locally(Command("check", {"deep": is_deep}), settings)
            return "".join(piece.content.decode() for piece in pieces)

        with pytest.raises(StoreCorruptError, match="its marker is not that of revision 1"):
            run(is_deep=False)
        model = with_library(load_model(), settings)
        dataset = Dataset.open(settings, model, with_store=False)
        external = ExternalStore(settings, model.system_quads)
        marker = external.marker_of(1, dataset.levels.public, name_log(dataset.log))
        external.feed(marker, dataset.levels.public, dataset.log.writers)
        external.close()
        dataset.close()
        assert f"ok   external  revision 1, counts at {server.address}" in run(is_deep=False)
        assert "ok   external  revision 1, counts and contents at" in run(is_deep=True)
        server.store.update('DELETE WHERE { GRAPH ?g { ?s ?p "Greenport West-Holland"@nl } }')
        with pytest.raises(StoreCorruptError, match=r"statements, [0-9]+ in the log"):
            run(is_deep=True)
