"""What subscriptions of a level are told: of its own graphs, and nothing of those above."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from graph.access import Level, Scope, Viewer
from graph.curation.gate import Gate
from graph.errors import GoneError
from graph.settings import Settings
from graph.terms import SKOS
from schema.notices import Step
from tests.gates import open_gate, submit
from tests.levelled import SECRET, cluster, hidden, secrets_in, source, terms_of, visibility
from tests.mutating import viewer
from tests.samples import base, iri
from tests.sockets import connect
from tests.writing import Client, http, name

__all__ = ["http"]
from web.versions import Versions

T = TypeVar("T")
VISITOR = replace(viewer("v", Scope.CHANGES), level=Level.PUBLIC)
PARTNER = replace(viewer("p", Scope.CHANGES), level=Level.PARTNER)
ALIAS = (iri("organisation/a"), f"<{SKOS}altLabel>", '"other"@en', iri("source/one"))


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    opened = open_gate(tmp_path / "store")
    submit(opened, base())
    yield opened
    opened.dataset.close()


def follow(gate: Gate, use: Callable[[Versions], Awaitable[T]], *acts: Callable[[], object]) -> T:
    """Follow a dataset from now on, do the acts, and use what came."""

    async def run() -> T:
        loop = asyncio.get_running_loop()
        versions = Versions(gate.dataset, Settings(), lambda: [1], loop)
        for act in acts:
            act()
            await asyncio.sleep(0)
        while versions.newest.revision < gate.dataset.revision:
            await versions.changed()
        return await use(versions)

    return asyncio.run(run())


def step_of(who: Viewer, since: int) -> Callable[[Versions], Awaitable[Step]]:
    async def use(versions: Versions) -> Step:
        before = await versions.at(since, who)
        return await versions.step(who, before, versions.newest)

    return use


def named(step: Step) -> set[str]:
    return {step.difference.after.terms.term(number) for number in step.difference.nodes}


def test_a_commit_above_is_no_step_below(gate: Gate) -> None:
    act = lambda: submit(gate, hidden())  # noqa: E731 - done when all follow
    step = follow(gate, step_of(VISITOR, 1), act)
    assert (step.since, step.revision, step.commits) == (1, 1, ())
    assert named(step) == set()


def test_a_commit_above_is_told_at_its_level(gate: Gate) -> None:
    act = lambda: submit(gate, hidden())  # noqa: E731
    step = follow(gate, step_of(PARTNER, 1), act)
    assert (step.since, step.revision, len(step.commits)) == (1, 2, 1)
    assert iri(f"organisation/{SECRET}") in named(step)
    assert iri("organisation/b") not in named(step)


@pytest.mark.parametrize("is_live", [True, False])
def test_of_a_commit_that_wrote_above_too_no_message_is_told(gate: Gate, is_live: bool) -> None:
    def act() -> None:
        submit(gate, [*hidden(), ALIAS], source=iri("source/hidden")[1:-1], message=SECRET)

    if not is_live:
        act()
    step = follow(gate, step_of(VISITOR, 1), *([act] if is_live else []))
    (note,) = step.commits
    assert (note.message, note.source) == ("", None)
    assert named(step) >= {iri("organisation/a")}
    assert not secrets_in(named(step))


def test_who_comes_back_is_told_of_its_level_alone(gate: Gate) -> None:
    submit(gate, hidden())
    submit(gate, [ALIAS])
    public = follow(gate, step_of(VISITOR, 1))
    partner = follow(gate, step_of(PARTNER, 1))
    assert [note.revision for note in public.commits] == [3]
    assert [note.revision for note in partner.commits] == [2, 3]
    assert not secrets_in(named(public))
    assert not secrets_in(terms_of(gate.dataset.levels.public))
    assert secrets_in(named(partner))


def test_who_watches_is_told_that_what_was_hidden_went(gate: Gate) -> None:
    submit(gate, [q for q in hidden() if q != visibility("hidden", Level.PARTNER)])
    act = lambda: submit(gate, [visibility("hidden", Level.PARTNER)])  # noqa: E731
    step = follow(gate, step_of(VISITOR, 2), act)
    assert iri(f"organisation/{SECRET}") in named(step)
    gone = step.difference.after
    assert gone.types_of(iri(f"organisation/{SECRET}")) == ()


def test_who_comes_back_over_a_move_is_sent_to_read_anew(gate: Gate) -> None:
    submit(gate, hidden())
    submit(gate, [visibility("hidden", Level.PUBLIC)], [visibility("hidden", Level.PARTNER)])
    with pytest.raises(GoneError):
        follow(gate, step_of(VISITOR, 1))
    step = follow(gate, step_of(PARTNER, 1))
    assert secrets_in(named(step))


def test_a_level_that_ends_is_told_of_what_went(gate: Gate) -> None:
    submit(gate, hidden())
    act = lambda: submit(gate, (), hidden())  # noqa: E731
    step = follow(gate, step_of(PARTNER, 2), act)
    assert iri(f"organisation/{SECRET}") in named(step)
    for since in (0, 1, 2):
        public = follow(gate, step_of(VISITOR, since))
        assert not secrets_in(named(public))
        assert len(public.commits) == (since == 0)


def test_a_source_begun_beside_is_no_move(gate: Gate) -> None:
    submit(gate, hidden())
    submit(gate, [*source("deep", Level.RESTRICTED), *cluster("deep", "deep", "Deep")])
    assert named(follow(gate, step_of(VISITOR, 1))) == set()


def test_subscribers_hear_of_their_level(http: Any) -> None:
    """Over a WebSocket: a partner's change is told to partners, before a public one to all."""
    tokens = http.app.state.service.tokens
    text, _ = tokens.create(("write",), name="ministry", level="partner")
    partner, client = Client(http, "unused"), Client(http, "everyone")
    partner.text = text
    partner.source = {
        "id": f"{client.source['id']}-ministry",
        "create": {"title": "Ministry", "visibility": "PARTNER"},
    }
    query = "subscription { clusterChanged { kind node { name } } }"
    with connect(http) as below, connect(http) as above:
        below.begin()
        above.begin(Authorization=f"Bearer {text}")
        for socket in (below, above):
            socket.subscribe("s", query)
            socket.settle()
        made = partner.create(name(f"{SECRET} one"))
        assert made["accepted"], made
        assert client.create(name("Seen by all"))["accepted"]
        told = [above.next("s")["data"]["clusterChanged"]["node"]["name"] for _ in range(2)]
        assert told == [f"{SECRET} one", "Seen by all"]
        assert below.next("s")["data"]["clusterChanged"]["node"]["name"] == "Seen by all"
        again = f'{{ search(text: "{SECRET}") {{ nodes {{ id }} }} }}'
        below.subscribe("q", again)
        assert below.next("q")["data"]["search"]["nodes"] == []
        above.subscribe("q", again)
        assert len(above.next("q")["data"]["search"]["nodes"]) == 1
