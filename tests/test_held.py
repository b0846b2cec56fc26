"""Workers hold a small store in memory, follow it by updates, and answer what the disk answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from graph.settings import Settings
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.directory import Change as Step
from graph.store.directory import Checkpoint
from graph.store.fleet import Fleet
from graph.store.guard import check_query
from graph.store.query import Answer, Query
from graph.store.steps import Steps, advance_message
from graph.store.workers import QueryPool
from graph.terms import Quad
from tests.samples import model

ALL = "SELECT ?g ?s ?p ?o { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"
GRAPHS = "SELECT ?g { GRAPH ?g { } }"
Work = Callable[[Dataset, QueryPool], Awaitable[None]]


def quad(number: int, graph: int = 1) -> Quad:
    return f"<a:s{number}>", "<a:p>", f'"é {number}"@fr', f"<a:g{graph}>"


def change(added: list[Quad], removed: list[Quad] | None = None) -> Change:
    return Change(tuple(added), tuple(removed or ()), "tests", "edit", "why")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Runs work with a dataset of 300 quads and a pool over it."""

    def run(work: Work, held: int = 250_000) -> None:
        patient = replace(Settings(), revision_wait_s=60.0, sparql_queue_s=60.0, sparql_fast_s=20.0)
        settings = replace(patient, store=tmp_path, sparql_held_statements=held)
        dataset = Dataset.open(settings, model())
        dataset.commit(change([quad(number, number % 3) for number in range(300)]))
        assert dataset.wait_for_store(dataset.revision, 60)

        async def main() -> None:
            pool = QueryPool(settings, dataset)
            await pool.start()
            try:
                await work(dataset, pool)
            finally:
                await pool.close()

        try:
            asyncio.run(main())
        finally:
            dataset.close()

    return run


async def ask(pool: QueryPool, text: str, revision: int = 0) -> Answer:
    is_cut = check_query(text, Settings()).is_cut
    return await pool.query(Query(text, "json", 20.0, is_cut=is_cut), revision)


async def rows(pool: QueryPool, text: str, revision: int = 0) -> list[str]:
    """The rows of an answer, in its order."""
    found = orjson.loads((await ask(pool, text, revision)).body)["results"]["bindings"]
    return [orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode() for row in found]


def fleet_of(pool: QueryPool) -> Fleet:
    return pool._fleet


async def all_held(pool: QueryPool, count: int = 5) -> None:
    """Wait until as many workers, all idle, hold the newest checkpoint in memory."""
    fleet = fleet_of(pool)
    async with asyncio.timeout(60):
        while True:
            assert fleet._latest is not None
            idle = [w for w in fleet._idle if w.is_held and w.path == fleet._latest.path]
            if len(idle) >= count:
                return
            await asyncio.sleep(0.02)


async def let_hold(pool: QueryPool) -> None:
    """Let workers hold what was too large before, and wait until they do."""
    fleet_of(pool)._held_max = 250_000
    fleet_of(pool)._to_hold.set()
    await all_held(pool)


def is_any_held(pool: QueryPool) -> bool:
    return any(worker.is_held for worker in fleet_of(pool)._alive)


def test_what_is_held_answers_as_the_disk_does(run: Callable[..., None]) -> None:
    async def work(dataset: Dataset, pool: QueryPool) -> None:
        before = [sorted(await rows(pool, text)) for text in (ALL, GRAPHS)]
        assert not is_any_held(pool)
        await let_hold(pool)
        assert [sorted(await rows(pool, text)) for text in (ALL, GRAPHS)] == before
        assert len(before[0]) > 600
        assert sum("stamp" in graph for graph in before[1]) == 1

    run(work, held=1)


def test_commits_are_followed_in_memory(run: Callable[..., None]) -> None:
    async def work(dataset: Dataset, pool: QueryPool) -> None:
        await all_held(pool)
        drawn, held = random.Random(5), set(range(300))
        opened = []
        alive = set(fleet_of(pool)._alive)
        for _ in range(12):
            added = [n for n in drawn.sample(range(400), 5) if n not in held]
            removed = drawn.sample(sorted(held), 3)
            held = (held | set(added)) - set(removed)
            dataset.commit(
                change([quad(n, n % 3) for n in added], [quad(n, n % 3) for n in removed])
            )
            opened.append(await rows(pool, ALL, dataset.revision))
        await all_held(pool)
        assert set(fleet_of(pool)._alive) == alive
        stated = await rows(pool, "SELECT ?s { GRAPH ?g { ?s <a:p> ?o } }", dataset.revision)
        assert len(stated) == len(held)
        merged = await rows(pool, "SELECT ?s { ?s <a:p> ?o }", dataset.revision)
        assert sorted(merged) == sorted(stated)
        assert len(set(map(len, opened))) > 3
        await same_as_the_disk(pool)

    run(work)


async def same_as_the_disk(pool: QueryPool) -> None:
    """Compare what each idle worker holds with what it reads from the checkpoint."""
    fleet = fleet_of(pool)
    for worker in list(fleet._alive):
        while worker not in fleet._idle and worker in fleet._alive:
            await asyncio.sleep(0.02)  # it is being filled, or follows a commit
        if worker not in fleet._idle:
            continue
        fleet._idle.remove(worker)
        fleet._idle.append(worker)  # the one that worked last is asked first
        for text in (ALL, GRAPHS):
            in_memory = await rows(pool, text)
            on_disk = await rows(pool, f"{text} LIMIT 100000")
            assert sorted(in_memory) == sorted(on_disk)


def test_a_graph_that_is_emptied_is_forgotten(run: Callable[..., None]) -> None:
    async def work(dataset: Dataset, pool: QueryPool) -> None:
        await all_held(pool)
        gone = [quad(number, 2) for number in range(2, 300, 3)]
        dataset.commit(change([], gone))
        found = await rows(pool, GRAPHS, dataset.revision)
        assert not any("a:g2" in graph for graph in found)
        dataset.commit(change(gone[:1]))
        assert any("a:g2" in graph for graph in await rows(pool, GRAPHS, dataset.revision))
        assert is_any_held(pool)
        await same_as_the_disk(pool)

    run(work)


def test_a_store_that_is_built_anew_is_opened_anew(run: Callable[..., None]) -> None:
    async def work(dataset: Dataset, pool: QueryPool) -> None:
        await all_held(pool)
        await asyncio.to_thread(dataset.mend_store, "tests")
        dataset.commit(change([quad(900)]))
        found = await rows(pool, "SELECT ?s { ?s <a:p> ?o }", dataset.revision)
        assert len(found) == 301
        await all_held(pool)
        await same_as_the_disk(pool)

    run(work)


def test_a_long_change_is_read_from_the_disk(run: Callable[..., None]) -> None:
    async def work(dataset: Dataset, pool: QueryPool) -> None:
        await all_held(pool)
        dataset.commit(change([quad(number) for number in range(1_000, 31_000)]))
        async with asyncio.timeout(60):
            while fleet_of(pool).revision < dataset.revision:
                await asyncio.sleep(0.05)
        count = "SELECT (COUNT(*) AS ?n) { ?s <a:p> ?o }"
        assert '"30300"' in (await rows(pool, count, dataset.revision))[0]
        latest = fleet_of(pool)._latest
        assert latest is not None
        assert latest.change is None
        await all_held(pool)
        assert '"30300"' in (await rows(pool, count, dataset.revision))[0]

    run(work)


def test_pages_without_an_order_come_in_the_order_of_the_disk(run: Callable[..., None]) -> None:
    text = "SELECT ?s { ?s <a:p> ?o } LIMIT 40 OFFSET 20"

    async def work(dataset: Dataset, pool: QueryPool) -> None:
        before = await rows(pool, text)
        await let_hold(pool)
        for _ in range(3):
            assert await rows(pool, text) == before
        dataset.commit(change([quad(900)]))
        pages = [await rows(pool, text, dataset.revision) for _ in range(6)]
        assert len(set(map(tuple, pages))) == 1

    run(work, held=1)


@pytest.mark.parametrize("held", [0, 100])
def test_larger_stores_stay_on_disk(run: Callable[..., None], held: int) -> None:
    async def work(dataset: Dataset, pool: QueryPool) -> None:
        await asyncio.sleep(0.3)
        assert len(await rows(pool, "SELECT ?s { ?s <a:p> ?o }")) == 300
        dataset.commit(change([quad(900)]))
        assert len(await rows(pool, "SELECT ?s { ?s <a:p> ?o }", dataset.revision)) == 301
        assert not is_any_held(pool)

    run(work, held)


def test_a_store_that_has_grown_too_large_is_let_go(run: Callable[..., None]) -> None:
    async def work(dataset: Dataset, pool: QueryPool) -> None:
        await all_held(pool)
        fleet_of(pool)._held_max = 1
        dataset.commit(change([quad(900)]))
        assert len(await rows(pool, "SELECT ?s { ?s <a:p> ?o }", dataset.revision)) == 301
        async with asyncio.timeout(60):
            while is_any_held(pool):
                await asyncio.sleep(0.02)

    run(work)


def test_a_worker_that_was_ended_is_replaced_by_one_that_holds_it_later(
    run: Callable[..., None],
) -> None:
    async def work(dataset: Dataset, pool: QueryPool) -> None:
        await all_held(pool)
        worker = fleet_of(pool)._idle[0]
        fleet_of(pool).drop(worker)
        assert len(await rows(pool, "SELECT ?s { ?s <a:p> ?o }")) == 300
        await all_held(pool)
        assert worker not in fleet_of(pool)._alive

    run(work)


def test_steps_lead_from_one_checkpoint_to_another_or_nowhere() -> None:
    steps, places = Steps(), [Path(f"/c/{number}") for number in range(40)]
    made = [
        Checkpoint(place, number, change=Step(before, f"{number} ;\n", (f"<a:g{number % 2}>",)))
        for number, (before, place) in enumerate(pairwise(places))
    ]
    for checkpoint in made[:3]:
        steps.note(checkpoint)
    assert steps.between(places[0], made[2]) == made[:3]
    assert steps.between(places[2], made[2]) == made[2:3]
    assert steps.between(made[2].path, made[2]) == []
    assert steps.between(None, made[2]) == []
    message, update = advance_message(made[:3])
    assert message == {
        "do": "advance",
        "path": "/c/3",
        "revision": 2,
        "graphs": ["<a:g0>", "<a:g1>"],
    }
    assert update == b"0 ;\n1 ;\n2 ;\n"
    steps.note(Checkpoint(Path("/anew"), 3))  # built anew: nothing leads there
    assert steps.between(places[0], Checkpoint(Path("/anew"), 3)) == []
    for checkpoint in made[3:]:
        steps.note(checkpoint)
    assert steps.between(places[0], made[-1]) == []  # too many came meanwhile
    assert len(steps.between(places[-10], made[-1])) == 9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * { ?s ?p ?o }", False),
        ("SELECT * { ?s ?p ?o } limit 3", True),
        ("SELECT * { ?s ?p ?o } OFFSET 3", True),
        ("SELECT * { ?s ?p ?o } ORDER\n BY ?s", False),
        ("SELECT * { ?s ?p ?o } order  by ?s LIMIT 3 OFFSET 3", False),
        ("SELECT * { { SELECT ?s { ?s ?p ?o } LIMIT 3 } } ORDER BY ?s", True),
        ("SELECT * { { SELECT ?s { ?s ?p ?o } ORDER BY ?s LIMIT 3 } }", False),
        ("SELECT * { { SELECT ?s { ?s ?p ?o } ORDER BY ?s LIMIT 3 } } LIMIT 3", True),
        ('SELECT * { ?s ?p "LIMIT 3" # OFFSET 3\n }', False),
        ('SELECT * { ?s ?p "ORDER BY" } LIMIT 3', True),
        ("SELECT * { ?s ?p ?o } ORDER BY (STR(?s)) LIMIT 3", False),
        ("SELECT ?s { ?s ?p ?o } GROUP BY ?s HAVING (COUNT(*) > 1) LIMIT 3", True),
        ("DESCRIBE ?s { ?s ?p ?o } LIMIT 3", True),
        ("SELECT * { { SELECT ?s { ?s ?p ?o } LIMIT 3 } } ORDER BY ?s LIMIT 3", True),
        ("SELECT * { { SELECT ?s { ?s ?p ?o } LIMIT 3 } }", True),
        ("SELECT ?limits { ?s ?p ?limits }", False),
    ],
)
def test_cuts_without_an_order_are_told(text: str, expected: bool) -> None:
    assert check_query(text, Settings()).is_cut is expected
