"""A dataset before a scripted SPARQL server, moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graph.access import Level
from graph.curation.check import check_external
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.external import ExternalStore
from graph.store.external_follower import ExternalFollower
from graph.store.feed import Feed
from graph.store.stamp import SYSTEM_GRAPH
from graph.terms import ENTITY, Quad, write_literal
from tests.fake_sparql import FakeServer, fake_server

A, B = f"<{ENTITY}source/a>", f"<{ENTITY}source/b>"
SYSTEM = SYSTEM_GRAPH[1:-1]


@pytest.fixture(scope="module")
def model() -> Model:
    """The model with three system quads: feeding all of them would take each test a while."""
    loaded = load_model()
    return replace(loaded, system_quads=loaded.system_quads[:3])


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake


class Followed:
    """A dataset and the follower of a server, moved by hand: no thread runs."""

    def __init__(self, folder: Path, model: Model, server: FakeServer, **settings: Any) -> None:
        quick = {"sparql_probe_s": 0.5, "sparql_feed_s": 0.5, "sparql_retry_s": 0.05}
        self.server = server
        self.settings = Settings(store=folder, **{"sparql": server.address, **quick, **settings})
        self.dataset = Dataset.open(self.settings, model, with_store=False)
        self.follower = self._follow()

    def restart(self) -> None:
        """Go on with a follower that knows nothing yet."""
        self.follower.store.close()
        self.follower = self._follow()

    def _follow(self) -> ExternalFollower:
        store = ExternalStore(self.settings, self.dataset.model.system_quads)
        return ExternalFollower(
            store,
            Feed(self.dataset.log, lambda: self.dataset.levels, Level.PUBLIC),
            lambda: None,
            self.settings,
        )

    def commit(self, added: list[Quad], removed: list[Quad] | None = None) -> None:
        self.dataset.commit(Change(tuple(added), tuple(removed or ()), "test", "load", "a test"))

    def step(self) -> str | None:
        self.follower._step()
        return self.follower.fault

    def is_right(self) -> bool:
        """Whether the server holds what the log says, and nothing else."""
        expected: dict[str, set[str]] = {}
        stated = [*self.dataset.snapshot.quads(), *self.dataset.model.system_quads]
        for subject, predicate, value, graph in stated:
            for name in (graph[1:-1], self.follower.store.merged_graph):
                expected.setdefault(name, set()).add(f"{subject} {predicate} {value}")
        return self.server.graphs() == expected and self.follower.fault is None

    def check(self, *, is_deep: bool = True) -> str | None:
        """What `check --deep` finds wrong."""
        system = self.dataset.model.system_quads
        found = check_external(self.settings, self.dataset, system, is_deep=is_deep)
        return None if found.error is None else found.error.message


Make = Callable[..., Followed]


@pytest.fixture
def make(
    tmp_path: Path, model: Model, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    monkeypatch.setattr("graph.store.external._AGAIN_S", (0.0, 0.0))
    made: list[Followed] = []

    def build(**settings: Any) -> Followed:
        made.append(Followed(tmp_path / "store", model, server, **settings))
        return made[-1]

    yield build
    server.hold.set()
    for followed in made:
        followed.follower.store.close()
        followed.dataset.close()


@pytest.fixture
def followed(make: Make) -> Followed:
    """A server that was fed two sources which share a triple."""
    followed = make()
    followed.commit([quad("s", "1"), quad("s", "2"), quad("s", "1", B)])
    assert followed.step() is None
    return followed


def quad(subject: str, value: str, graph: str = A) -> Quad:
    return (f"<{ENTITY}organisation/{subject}>", "<http://e/p>", write_literal(value), graph)


def when(
    kind: str, fault: str, times: int = 1, text: str = "", without: str = "\0"
) -> Callable[[str, str], str | None]:
    """A script: so many requests of a kind, whose text holds one and not another, meet a fault."""
    left = [times]

    def script(asked: str, words: str) -> str | None:
        if asked == kind and text in words and without not in words and left[0]:
            left[0] -= 1
            return fault
        return None

    return script
