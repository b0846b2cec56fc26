"""A pool of real workers on a small store, for tests of the pool and of what stands on it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.errors import (
    RhizomeError,
)
from graph.settings import Settings
from graph.store.directory import Checkpoint
from graph.store.query import Answer, Query
from graph.store.workers import QueryPool
from tests.stores import B, History, many

COUNT = "SELECT (COUNT(*) AS ?n) { ?s <http://e/p> ?o }"
RUNAWAY = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l FILTER(?c != ?l) }"
SETTINGS = Settings(sparql_deadline_s=1.0, sparql_fast_s=0.3, revision_wait_s=0.3)


class Source:
    """The dataset as the pool sees it."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.checkpoint: Checkpoint | None = history.store.checkpoint()
        self.listeners: list[Callable[[Checkpoint], None]] = []
        self.mended: list[str] = []
        self.doubt: str | None = None
        self.doubts = 0
        self.may_end = threading.Event()
        self.may_end.set()

    def on_checkpoint(self, listener: Callable[[Checkpoint], None]) -> None:
        self.listeners.append(listener)

    def prune_checkpoints(self, in_use: frozenset[Path]) -> None:
        self.history.store.prune(in_use)

    def mend_store(self, reason: str) -> None:
        self.mended.append(reason)
        self.doubt, self.doubts = reason, self.doubts + 1
        self.may_end.wait(20)
        self.history.rebuild()
        self.publish()
        self.doubt = None

    def publish(self) -> Checkpoint:
        self.checkpoint = self.history.store.checkpoint()
        for listener in self.listeners:
            listener(self.checkpoint)
        return self.checkpoint


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A store of 3,000 triples that no test changes."""
    history = History(tmp_path_factory.mktemp("kept") / "oxigraph")
    history.apply([*many(2_000), *many(1_000, B)])
    yield history
    history.store.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    """A small store that a test may change."""
    history = History(tmp_path / "oxigraph")
    history.apply(many(30))
    yield Source(history)
    history.store.close()


def run(source: Source, test: Callable[[QueryPool], Awaitable[None]], **settings: Any) -> None:
    """Run a test with a started pool, and end the pool."""

    async def main() -> None:
        pool = QueryPool(
            Settings(**{**{"sparql_deadline_s": 1.0, "revision_wait_s": 0.3}, **settings}), source
        )
        await pool.start()
        try:
            await test(pool)
        finally:
            await pool.close()

    asyncio.run(main())


def ask(text: str = COUNT, **changes: Any) -> Query:
    # What is meant to be answered may take long where the machine is busy.
    deadline_s = 20.0 if text == COUNT else 1.0
    return Query(**{"text": text, "format": "json", "deadline_s": deadline_s, **changes})


def number(answer: Answer) -> int:
    return int(json.loads(answer.body)["results"]["bindings"][0]["n"]["value"])


async def refused(pool: QueryPool, query: Query) -> RhizomeError:
    with pytest.raises(RhizomeError) as caught:
        await pool.query(query)
    return caught.value


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)


def pids(pool: QueryPool) -> set[int]:
    return {worker.pid for worker in pool._fleet._alive}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
