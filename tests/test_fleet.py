"""The fleet behind the pool: new checkpoints, damage, the end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.errors import (
    RequestError,
    StoreCorruptError,
    StoreFullError,
    StoreUnavailableError,
)
from graph.store import fleet
from graph.store.directory import Checkpoint
from graph.store.workers import QueryPool
from tests.pools import (
    RUNAWAY,
    SETTINGS,
    Source,
    ask,
    is_alive,
    kept,
    number,
    pids,
    refused,
    run,
    source,
    until,
)
from tests.stores import History, many, quad

__all__ = ["kept", "source"]  # fixtures


def test_a_new_checkpoint_reaches_every_worker(source: Source) -> None:
    async def test(pool: QueryPool) -> None:
        assert number(await pool.query(ask())) == 30
        source.history.apply(many(40))
        checkpoint = source.publish()
        answers = await asyncio.gather(*(pool.query(ask(), 2) for _ in range(10)))
        assert {number(answer) for answer in answers} == {40}
        assert {answer.revision for answer in answers} == {2}
        await until(lambda: all(w.path == checkpoint.path for w in pool._fleet._alive))
        await until(lambda: source.history.store._directory.checkpoints() == [checkpoint.path])

    run(source, test)


def test_no_query_is_dropped_while_commits_come(source: Source) -> None:
    async def test(pool: QueryPool) -> None:
        counts: list[int] = []
        revisions: list[int] = []

        async def read() -> None:
            for _ in range(60):
                answer = await pool.query(ask())
                counts.append(number(answer))
                revisions.append(answer.revision)
                assert counts[-1] == 29 + answer.revision

        async def write() -> None:
            for n in range(25):
                source.history.apply([quad("new", str(n))])
                await asyncio.to_thread(source.publish)
                await asyncio.sleep(0.01)

        await asyncio.gather(read(), read(), write())
        answer = await pool.query(ask(), min_revision=26)
        assert (number(answer), answer.revision) == (55, 26)

    run(source, test)


def test_a_revision_is_waited_for_but_not_forever(source: Source) -> None:
    async def test(pool: QueryPool) -> None:
        waiting = asyncio.create_task(pool.query(ask(), min_revision=2))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        source.history.apply(many(31))
        source.publish()
        assert number(await waiting) == 31
        with pytest.raises(StoreUnavailableError, match="revision 9 is not here yet"):
            await pool.query(ask(), min_revision=9)

    run(source, test, revision_wait_s=0.5)


def spoil(checkpoint: Checkpoint) -> None:
    """Make the table files unreadable, but not those of the live directory that they link to."""
    for file in checkpoint.path.glob("*.sst"):
        data = os.urandom(file.stat().st_size)
        file.unlink()
        file.write_bytes(data)


def flip(checkpoint: Checkpoint) -> None:
    """Change bytes within the largest tables, so that only reading finds it."""
    files = sorted(checkpoint.path.glob("*.sst"), key=lambda file: -file.stat().st_size)
    for file in files[:4]:
        data = bytearray(file.read_bytes())
        data[len(data) * 2 // 3] ^= 0x55
        file.unlink()  # the live directory has it, too
        file.write_bytes(data)


@pytest.fixture
def larger(tmp_path: Path) -> Iterator[Source]:
    """A store whose tables have blocks that are not read on opening."""
    history = History(tmp_path / "larger")
    history.apply(many(6_000))
    history.rebuild()
    yield Source(history)
    history.store.close()


def test_on_a_damaged_checkpoint_it_is_mended_and_starts(source: Source) -> None:
    source.history.rebuild()
    spoil(source.publish())

    async def test(pool: QueryPool) -> None:
        assert len(source.mended) == 1
        assert number(await pool.query(ask())) == 30

    run(source, test)


def test_without_a_repair_it_does_not_start(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "START_S", 1.0)
    source.history.rebuild()
    checkpoint = source.publish()
    spoil(checkpoint)

    def fail(reason: str) -> None:
        source.mended.append(reason)
        raise StoreFullError("here")

    monkeypatch.setattr(source, "mend_store", fail)
    with pytest.raises(StoreUnavailableError, match="no query worker could start"):
        asyncio.run(QueryPool(SETTINGS, source).start())
    assert source.mended


def test_a_checkpoint_that_cannot_be_opened_is_mended(source: Source) -> None:
    async def test(pool: QueryPool) -> None:
        source.history.rebuild()
        checkpoint = source.history.store.checkpoint()
        spoil(checkpoint)
        source.checkpoint = checkpoint
        for listener in source.listeners:
            listener(checkpoint)
        await until(lambda: bool(source.mended) and source.doubt is None)
        await until(lambda: pool.is_ready and len(pids(pool)) == 5)
        assert number(await pool.query(ask())) == 30
        assert len(source.mended) == 1

    run(source, test, sparql_queue_s=5)


def test_damage_met_by_a_query_is_confirmed_and_mended(larger: Source) -> None:
    assert larger.checkpoint is not None
    flip(larger.checkpoint)

    async def test(pool: QueryPool) -> None:
        error = await refused(pool, ask("SELECT ?s ?o { ?s ?p ?o }"))
        assert isinstance(error, StoreCorruptError)
        await until(lambda: bool(larger.mended) and larger.doubt is None)
        assert "Corruption: block checksum mismatch" in larger.mended[0]
        assert number(await pool.query(ask())) == 6_000
        assert len(larger.mended) == 1

    run(larger, test)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (<http://ex/corruption>(1) AS ?x) {}",
        "SELECT * { FILTER(<Corruption:>(1)) }",
        "SELECT (<x:checksum%20mismatch,no%20such%20file>(1) AS ?x) {}",
    ],
)
def test_no_query_can_make_the_store_be_built_anew(source: Source, text: str) -> None:
    async def test(pool: QueryPool) -> None:
        for _ in range(3):
            assert isinstance(await refused(pool, ask(text)), RequestError)
        assert not pool._fleet._mender.is_busy
        assert source.doubts == 0
        assert number(await pool.query(ask())) == 30

    run(source, test)


def test_a_suspicion_that_a_scan_does_not_confirm_changes_nothing(source: Source) -> None:
    async def test(pool: QueryPool) -> None:
        mender = pool._fleet._mender
        for _ in range(3):
            pool._fleet.suspect(StoreCorruptError("here", "block checksum mismatch"))
        await until(lambda: mender.is_busy)
        assert number(await pool.query(ask())) == 30
        await until(lambda: not mender.is_busy)
        assert source.doubts == 0
        assert mender.scanned is None

    run(source, test)


def test_nothing_is_answered_from_a_damaged_store_while_it_is_built(larger: Source) -> None:
    assert larger.checkpoint is not None
    larger.may_end.clear()

    async def test(pool: QueryPool) -> None:
        slow = "SELECT (COUNT(*) AS ?n) { ?a <http://e/p> ?c . ?d <http://e/p> ?f }"
        running = asyncio.create_task(refused(pool, ask(slow, deadline_s=60)))
        await asyncio.sleep(0.1)
        assert larger.checkpoint is not None
        flip(larger.checkpoint)
        pool._fleet.suspect(StoreCorruptError("here", "block checksum mismatch"))
        await until(lambda: larger.doubt is not None)
        assert [pool.is_ready] == [False]
        error = await refused(pool, ask("ASK {}"))
        assert isinstance(error, StoreUnavailableError)
        assert error.retry_after_s >= 1
        # A checkpoint of the damaged store, by a commit that came in between, changes nothing.
        larger.publish()
        await asyncio.sleep(0.1)
        assert isinstance(await refused(pool, ask("ASK {}")), StoreUnavailableError)
        larger.may_end.set()
        await until(lambda: larger.doubt is None)
        assert number(await pool.query(ask())) == 6_000
        assert pool.is_ready
        error = await running  # it was begun before
        assert isinstance(error, StoreUnavailableError)
        assert "damaged" in error.message

    run(larger, test, sparql_fast_s=60)


def test_without_a_checkpoint_it_does_not_start(source: Source) -> None:
    source.checkpoint = None
    pool = QueryPool(SETTINGS, source)
    assert (pool.revision, pool.is_ready) == (-1, False)
    with pytest.raises(StoreUnavailableError, match="no checkpoint"):
        asyncio.run(pool.start())


def test_closing_ends_queries_and_processes(source: Source) -> None:
    async def main() -> None:
        pool = QueryPool(SETTINGS, source)
        await pool.start()
        assert (pool.is_ready, pool.revision) == (True, 1)
        before = pids(pool)
        running = asyncio.create_task(refused(pool, ask(RUNAWAY, deadline_s=60)))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await pool.close()
        assert time.monotonic() - started < 20
        assert isinstance(await running, StoreUnavailableError)
        await until(lambda: not any(map(is_alive, before)))
        assert (pool.is_ready, pool.revision) == (False, 1)
        assert isinstance(await refused(pool, ask()), StoreUnavailableError)

    asyncio.run(main())
