"""A full disk under the service and its commands: told, outlived, and nothing half-written."""

from __future__ import annotations

import errno
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.curation.formats import TURTLE, open_upload
from graph.errors import StoreFullError
from graph.store import dataset as dataset_module
from graph.store.oxigraph import OxigraphStore
from tests.running import Running
from tests.seeded import make_settings, serve
from web.commands import run_locally
from web.control import Command, RemoteFailure, ask_server

SOURCE = "https://w3id.org/rhizome/id/source/mine"
TEXT = (
    f"<{SOURCE}> a <https://w3id.org/rhizome/ontology#Source> ;"
    ' <http://purl.org/dc/terms/title> "Mine" ;'
    ' <https://w3id.org/rhizome/ontology#sourceKind> "user" .'
)
COUNT = "/sparql?query=SELECT(COUNT(*)AS%20?n){?s%20?p%20?o}"


@pytest.fixture
def store(seeded_store: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    return folder


@pytest.fixture
def running(store: Path) -> Iterator[Running]:
    server = Running(store, RHIZOME_RATE_API="0", RHIZOME_RATE_QUERY_S="0")
    try:
        yield server.ready()
    finally:
        server.close()


def load_command(folder: Path, clusters: int = 0) -> Command:
    """The command that loads a source of 3 statements, and 2 a cluster."""
    more = (
        f"<https://w3id.org/rhizome/id/organisation/new-{n}>"
        " a <https://w3id.org/rhizome/ontology#Cluster> ;"
        f' <http://www.w3.org/2004/02/skos/core#prefLabel> "New {n}"@en .\n'
        for n in range(clusters)
    )
    path = folder / "mine.ttl"
    path.write_text(TEXT + "\n" + "".join(more), encoding="utf-8")
    return Command("load", {"files": [str(path)], "graph": SOURCE, "dry_run": False})


def asked(store: Path, command: Command) -> str:
    """What the server says to a command."""
    pieces = ask_server(store, command)
    assert pieces is not None
    return b"".join(piece.content for piece in pieces).decode()


def test_a_load_on_a_full_disk_is_refused_by_the_server_and_taken_later(
    running: Running, tmp_path: Path
) -> None:
    command = load_command(tmp_path, 200)
    before = running.get("/export?format=nq").body
    limits = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (20_000, limits[1]))
    for _ in range(2):
        with pytest.raises(RemoteFailure, match="no room left") as refused:
            asked(running.store, command)
        assert refused.value.exit_code == 5
        assert refused.value.problem["status"] == 507
        assert running.get("/export?format=nq").body == before
        assert running.get(COUNT).status == 200
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, limits)
    assert "revision 2: 403 statements added" in asked(running.store, command)
    waiting = running.get(COUNT, **{"Rhizome-Min-Revision": "2"})
    assert (waiting.status, waiting.headers["rhizome-revision"]) == (200, "2")
    assert running.stop() == 0
    assert said(running.store, Command("check", {})).count("ok ") == 5


def said(store: Path, command: Command) -> str:
    """What a command says in this process."""
    pieces = run_locally(command, make_settings(store))
    return b"".join(piece.content for piece in pieces).decode()


def test_an_image_that_cannot_be_saved_costs_nothing_but_time(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fill(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(dataset_module, "write_levels", fill)
        assert "revision 2" in said(store, load_command(tmp_path))
    assert "image could not be saved" in caplog.text
    assert SOURCE in said(store, Command("export", {"format": "nq"}))


def test_a_checkpoint_that_cannot_be_made_leaves_sparql_behind_and_told(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(self: OxigraphStore) -> None:
        raise StoreFullError(str(self.folder))

    with serve(store) as client:
        service = client.app.state.service  # type: ignore[attr-defined]
        with monkeypatch.context() as full:
            full.setattr(OxigraphStore, "checkpoint", fill)
            upload = open_upload("mine.ttl", TURTLE, TEXT.encode(), service.settings)
            assert service.gate.load([upload], graph=SOURCE).revision == 2
            assert not service.dataset.wait_for_store(2, 0.5)
            assert "no room left" in client.get("/version").json()["fault"]
            assert SOURCE in client.get("/export?format=nq").text
            behind = client.get(COUNT)
            assert (behind.status_code, behind.headers["rhizome-revision"]) == (200, "1")
        assert service.dataset.wait_for_store(2, 30)
        assert client.get(COUNT).headers["rhizome-revision"] == "2"
        assert client.get("/version").json()["fault"] is None
