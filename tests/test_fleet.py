"""The fleet behind the pool: new checkpoints, damage, the end."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress

import pytest

from graph.errors import (
    RhizomeError,
    StoreCorruptError,
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
from tests.stores import many, quad

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


def test_on_a_damaged_checkpoint_it_does_not_start(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "START_S", 1.0)
    source.history.rebuild()
    spoil(source.publish())
    with pytest.raises(StoreUnavailableError, match="no query worker could start"):
        asyncio.run(QueryPool(SETTINGS, source).start())


def test_a_damaged_checkpoint_is_passed_over_for_the_next(source: Source) -> None:
    async def test(pool: QueryPool) -> None:
        source.history.rebuild()
        spoil(source.history.store.checkpoint())
        checkpoint = source.publish()
        spoil(checkpoint)
        with suppress(RhizomeError):
            await pool.query(ask())
        source.publish()
        await until(lambda: pool.is_ready and len(pids(pool)) == 5)
        assert number(await pool.query(ask())) == 30

    run(source, test, sparql_queue_s=0.5)


def test_a_worker_that_meets_damage_has_the_store_built_anew(source: Source) -> None:
    async def test(pool: QueryPool) -> None:
        pool._report(StoreCorruptError("here", "block checksum mismatch"))
        pool._report(StoreCorruptError("here", "once is enough"))
        await until(lambda: bool(source.mended))
        assert source.mended == ["block checksum mismatch"]
        assert number(await pool.query(ask())) == 30

    run(source, test)


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
        assert time.monotonic() - started < 3
        assert isinstance(await running, StoreUnavailableError)
        await until(lambda: not any(map(is_alive, before)))
        assert (pool.is_ready, pool.revision) == (False, 1)
        assert isinstance(await refused(pool, ask()), StoreUnavailableError)

    asyncio.run(main())
