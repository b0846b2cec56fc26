"""Updates that are told to stop, wherever they are, write nothing and give back what they held."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.errors import QueryStoppedError
from graph.store.writes import Update
from tests.mutating import viewer
from tests.seeded import serve
from tests.test_sparql_writes import BEGIN, Writer


@pytest.fixture
def http(seeded_store: Path, tmp_path: Path) -> Iterator[TestClient]:
    shutil.copytree(seeded_store, tmp_path / "store")
    with serve(tmp_path / "store") as client:
        yield client


@pytest.mark.parametrize("place", ["turn", "worker", "effect"])
def test_an_update_that_is_told_to_stop_writes_nothing(
    http: TestClient, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Wherever it is until it is recorded: waiting, being worked out, or its effect being read."""
    service = http.app.state.service  # type: ignore[attr-defined]
    writes, before = service.writes, service.revision
    asked = Update(BEGIN, (), (), None)
    if place == "turn":
        writes._turns = threading.BoundedSemaphore(1)
        writes._turns.acquire()
        threading.Timer(0.2, asked.stop.tell).start()
    else:
        step = "run" if place == "worker" else "_read_effect"
        owner = writes._writer if place == "worker" else writes
        done = getattr(owner, step)

        def stopping(*arguments: Any) -> Any:
            if place == "worker":
                asked.stop.tell()
                return done(*arguments)
            found = done(*arguments)
            asked.stop.tell()
            return found

        monkeypatch.setattr(owner, step, stopping)
    began = time.monotonic()
    with pytest.raises(QueryStoppedError):
        writes.update(asked, viewer("me"))
    assert time.monotonic() - began < 10
    assert service.revision == before
    if place == "turn":
        writes._turns.release()
    monkeypatch.undo()
    done_after = Writer(http, "me").update(BEGIN)
    assert done_after.status_code == 204, "its turn was given back"
