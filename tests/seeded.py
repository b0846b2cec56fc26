"""A store with the seeds, made once a session, and the whole application on a copy of it.

A pytest plugin, loaded by `conftest.py`; what it needs is imported when it is asked for, so that
a run of a few tests need not load the whole service.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from graph.settings import Settings
from tests.require import ROOT

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def make_settings(store: Path, **changes: Any) -> Settings:
    """Settings of a test: no variable of the environment, no rates unless asked for."""
    unlimited = {"rate_api": 0, "rate_pages": 0, "rate_query_s": 0.0}
    return Settings.from_environment({}, store=store, **{**unlimited, **changes})


@pytest.fixture(scope="session")
def seeded_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a store with the seeds and nothing else. Copy it before changing it."""
    from graph.curation.gate import Gate
    from graph.curation.seeding import seed
    from graph.shapes import load_model
    from graph.store.dataset import Dataset

    folder = tmp_path_factory.mktemp("seeded") / "store"
    settings, model = make_settings(folder), load_model()
    dataset = Dataset.open(settings, model)
    seed(Gate(dataset, model, settings), ROOT / "seeds")
    assert dataset.wait_for_store(1, 60)
    dataset.close()
    return folder


@contextmanager
def serve(store: Path, *, seeds: bool = True, **settings: Any) -> Iterator[TestClient]:
    """The application on a store, all parts real, in this process; ready when entered."""
    from starlette.testclient import TestClient

    from graph.shapes import load_model
    from web.app import create_app
    from web.opening import open_parts
    from web.service import Service

    service = Service(make_settings(store, **settings), load_model())
    opener = partial(open_parts, service, "http://testserver", seeds=seeds)
    with TestClient(create_app(service, opener), raise_server_exceptions=False) as client:
        deadline = time.monotonic() + 60
        while client.get("/ready").status_code != 200:
            if service.failure is not None:
                raise service.failure
            assert time.monotonic() < deadline, service.stage
            time.sleep(0.02)
        yield client


@pytest.fixture(scope="session")
def client(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The application on the seeds, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("served") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder) as client:
        yield client
