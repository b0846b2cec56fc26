"""What the start opens, closes again when it fails, and verifies behind the first answers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
from starlette.testclient import TestClient

from graph.curation.seeding import seed
from graph.errors import StoreCorruptError, StoreUnavailableError
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.store.lock import StoreLock
from tests.require import ROOT
from tests.seeded import make_settings, serve
from web import opening
from web.control import Command, ask_server
from web.opening import open_parts, verify_parts
from web.service import Parts, Service

WRONG = ox.Quad(
    ox.NamedNode("https://w3id.org/rhizome/id/organisation/forged"),
    ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"),
    ox.NamedNode("https://w3id.org/rhizome/ontology#Cluster"),
    ox.NamedNode("https://w3id.org/rhizome/id/source/forged"),
)


@pytest.fixture
def store(seeded_store: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    return folder


def parts_of(client: TestClient) -> Parts:
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    parts = service._parts
    assert parts is not None
    return parts


def forge(store: Path) -> None:
    """Exchange one statement of the SPARQL store for another, so that every count stays."""
    (live,) = (path for path in (store / "oxigraph").iterdir() if path.name.startswith("db"))
    database = ox.Store(str(live))
    system = "https://w3id.org/rhizome/ontology"
    old = next(
        quad
        for quad in database.quads_for_pattern(None, WRONG.predicate, None, None)
        if isinstance(quad.graph_name, ox.NamedNode) and quad.graph_name.value != system
    )
    new = ox.Quad(WRONG.subject, WRONG.predicate, WRONG.object, old.graph_name)
    for removed, added in ((old, new), (_merged(old), _merged(new))):
        database.remove(removed)
        database.add(added)
    database.flush()


def _merged(quad: ox.Quad) -> ox.Quad:
    return ox.Quad(quad.subject, quad.predicate, quad.object)


def ask(client: TestClient) -> bool:
    """Whether SPARQL answers with the forged statement."""
    query = f"ASK {{ {WRONG.subject} ?p ?o }}"
    answer = client.get("/sparql", params={"query": query})
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["boolean"])


def test_a_store_that_counts_right_and_holds_wrong_is_found_and_built_anew(store: Path) -> None:
    forge(store)
    with serve(store) as client:
        assert ask(client)  # the start trusts the stamp
        verify_parts(parts_of(client))
        deadline = time.monotonic() + 10
        while ask(client):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_sound_store_is_left_alone(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(store) as client:
        parts = parts_of(client)
        before = parts.dataset.checkpoint
        verify_parts(parts)
        assert parts.dataset.checkpoint == before


def test_a_snapshot_that_is_not_the_log_s_ends_the_service_and_its_image(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(store) as client:
        parts = parts_of(client)
        parts.dataset.save_image()
        assert (store / "image").exists()
        monkeypatch.setattr(
            type(parts.dataset.snapshot), "quads", lambda self: iter([("<a:a>",) * 4])
        )
        with pytest.raises(StoreCorruptError, match="dataset hash"):
            verify_parts(parts)
        assert not (store / "image").exists()


def test_what_was_opened_is_closed_when_a_later_step_fails(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    close = Dataset.close

    def note(dataset: Dataset) -> None:
        closed.append(dataset)
        close(dataset)

    def fail(*_: object) -> None:
        raise StoreUnavailableError("no pool")

    monkeypatch.setattr(Dataset, "close", note)
    monkeypatch.setattr(opening, "QueryPool", fail)
    service = Service(make_settings(store), load_model())
    with pytest.raises(StoreUnavailableError, match="no pool"):
        open_parts(service, "here", seeds=True)
    assert len(closed) == 1
    monkeypatch.undo()
    with serve(store) as client:
        assert client.get("/version").json()["revision"] == 1


def test_the_control_socket_opens_and_closes_with_the_service(store: Path) -> None:
    with serve(store):
        pieces = ask_server(store, Command("export", {"format": "nq"}))
        assert pieces is not None
        assert sum(piece.content.count(b"\n") for piece in pieces) > 1_000
    assert ask_server(store, Command("export", {"format": "nq"})) is None
    StoreLock(store, "test").close()


def test_the_stages_of_the_start_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = []

    def note(*arguments: Any) -> object:
        stages.append(service.stage)
        return seed(*arguments)

    monkeypatch.setattr(opening, "seed", note)
    service = Service(make_settings(tmp_path / "new"), load_model())
    assert service.stage == "opening the store"
    parts = open_parts(service, "here", seeds=True)
    parts.close()
    assert stages == ["loading the seeds"]
    assert service.stage == "waiting for the SPARQL store"


def test_what_a_start_made_is_left_out_of_the_collector_s_rounds(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []

    class Collector:
        def set_threshold(self, *rounds: int) -> None:
            done.append(rounds)

        def freeze(self) -> None:
            done.append("frozen")

    def note(*_: object, seeds: bool) -> str:
        done.append(f"opened with {seeds=}")
        return "parts"

    monkeypatch.setattr(opening, "gc", Collector())
    monkeypatch.setattr(opening, "open_parts", note)
    service = Service(make_settings(store), load_model())
    parts: object = opening.open_served(service, "here", seeds=False)
    assert parts == "parts"
    assert done == [(100_000, 50, 100), "opened with seeds=False", "frozen"]


def test_what_the_start_does_not_need_is_not_imported() -> None:
    """scipy and networkx take half a second, Strawberry a tenth, which every start would wait."""
    code = "import sys, web.app, web.opening, web.serving; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, cwd=ROOT
    )
    imported = set(done.stdout.decode().split())
    assert not {"scipy", "networkx", "pyshacl", "pandas", "strawberry"} & imported
