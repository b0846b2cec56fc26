"""The pool of query workers: real processes, real limits, real kills."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from graph.errors import (
    ForbiddenError,
    QueryMemoryError,
    QuerySyntaxError,
    QueryTimeoutError,
    QueryTooLargeError,
    RhizomeError,
    StoreUnavailableError,
    UnknownTermError,
)
from graph.store.process import AsyncWorker
from graph.store.workers import QueryPool
from tests.pools import (
    RUNAWAY,
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
from tests.stores import A, B, History

__all__ = ["kept", "source"]  # fixtures


def test_queries_are_answered_with_their_revision(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        answer = await pool.query(ask())
        assert number(answer) == 2_000
        assert (answer.revision, answer.rows, answer.is_truncated) == (1, 1, False)
        assert answer.seconds > 0
        both = ask(default_graphs=(A[1:-1], B[1:-1]))
        assert number(await pool.query(both)) == 2_000

    run(Source(kept), test)


def test_many_at_once_are_all_answered(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        answers = await asyncio.gather(*(pool.query(ask()) for _ in range(30)))
        assert {number(answer) for answer in answers} == {2_000}

    run(Source(kept), test)


def test_a_runaway_ends_at_its_deadline_and_nobody_waits_for_it(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        started = time.monotonic()
        running = asyncio.create_task(refused(pool, ask(RUNAWAY, deadline_s=4.0)))
        await asyncio.sleep(0.5)
        assert number(await pool.query(ask())) == 2_000
        assert not running.done()
        error = await running
        assert isinstance(error, QueryTimeoutError)
        assert error.deadline_s == 4.0
        assert 3.9 < time.monotonic() - started < 15
        assert number(await pool.query(ask())) == 2_000

    run(Source(kept), test)


def test_what_is_too_slow_for_the_fast_lane_is_answered_in_the_slow_one(kept: History) -> None:
    slow = "SELECT (COUNT(*) AS ?n) { ?a <http://e/p> ?c . ?d <http://e/p> ?f }"

    async def test(pool: QueryPool) -> None:
        answer = await pool.query(ask(slow, deadline_s=60))
        assert number(answer) == 4_000_000
        assert answer.seconds > 0.02
        known = set(pids(pool))
        assert number(await pool.query(ask(slow, deadline_s=60))) == 4_000_000
        # The second time nobody was killed for it.
        assert known <= pids(pool) | known
        assert ask(slow).key in pool._known_slow

    run(Source(kept), test, sparql_fast_s=0.02)


def test_a_deadline_shorter_than_the_fast_lane_holds(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        started = time.monotonic()
        error = await refused(pool, ask(RUNAWAY, deadline_s=0.1))
        assert isinstance(error, QueryTimeoutError)
        assert time.monotonic() - started < 10

    run(Source(kept), test)


# What the engine alone would never end, or end everything with.
REGEX = "((a{1,99}){1,99}){1,99}"
STOPPED = (QueryTimeoutError, QueryMemoryError)
RUNAWAYS: dict[str, tuple[str, tuple[type[RhizomeError], ...]]] = {
    "cartesian product": (RUNAWAY, STOPPED),
    "order by of a product": ("SELECT * { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f", STOPPED),
    "distinct of a product": (
        "SELECT (COUNT(DISTINCT *) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }",
        STOPPED,
    ),
    "regular expression": (
        f"SELECT (COUNT(?x) AS ?n) {{ ?s ?p ?o BIND(REGEX(STR(?o), '{REGEX}') AS ?x) }}",
        STOPPED,
    ),
    "doubling text": (
        "SELECT ?x { ?s ?p ?o BIND(CONCAT(STR(?s), STR(?s)) AS ?a) "
        + "".join(
            f"BIND(CONCAT({', '.join([f'?{x}'] * 16)}) AS ?{y}) "
            for x, y in ("ab", "bc", "cd", "de", "ef", "fx")
        )
        + "}",
        STOPPED,
    ),
    "group_concat": (
        "SELECT (STRLEN(GROUP_CONCAT(?c)) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }",
        STOPPED,
    ),
    "braces": ("ASK " + "{" * 20_000, (QuerySyntaxError,)),
    "parentheses": ("ASK { FILTER" + "(" * 20_000, (QuerySyntaxError,)),
    "planner": (
        "ASK {" + " ".join(f"?s <http://e/p{n}> ?o{n} ." for n in range(200)) + "}",
        STOPPED,
    ),
    "nested collections": ("ASK { ?s ?p " + "(" * 300 + "1" + ")" * 300 + "}", STOPPED),
    "all pairs of a path": (
        "SELECT (COUNT(*) AS ?n) { ?a (<http://e/p>|!<http://e/p>|^<http://e/p>)* ?b . ?c ?d ?e }",
        STOPPED,
    ),
}


@pytest.mark.parametrize("name", RUNAWAYS)
def test_no_query_harms_the_pool(kept: History, name: str) -> None:
    text, kinds = RUNAWAYS[name]

    async def test(pool: QueryPool) -> None:
        started = time.monotonic()
        error = await refused(pool, ask(text))
        assert isinstance(error, kinds), error
        assert time.monotonic() - started < 20
        assert number(await pool.query(ask())) == 2_000

    run(Source(kept), test, sparql_memory_mb=128)


def test_memory_is_bounded_and_said(kept: History) -> None:
    text, _ = RUNAWAYS["doubling text"]

    async def test(pool: QueryPool) -> None:
        error = await refused(pool, ask(text, deadline_s=60))
        assert isinstance(error, QueryMemoryError)
        assert error.memory_mb == 32
        assert number(await pool.query(ask())) == 2_000

    run(Source(kept), test, sparql_memory_mb=32, sparql_fast_s=60)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server on this machine, and what reached it."""
    hits: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    hits.append(b"hit")
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", hits
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.needs("seccomp")
def test_the_network_is_out_of_reach_even_past_the_guard(
    kept: History, listener: tuple[str, list[bytes]]
) -> None:
    address, hits = listener

    async def test(pool: QueryPool) -> None:
        for service in (f"SERVICE <{address}>", f"SERVICE SILENT <{address}>"):
            error = None
            try:
                await pool.query(ask(f"ASK {{ {service} {{ ?s ?p ?o }} }}"))
            except RhizomeError as raised:
                error = raised
            assert isinstance(error, ForbiddenError) == ("SILENT" not in service)
        assert hits == []

    run(Source(kept), test)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("SELECT * { ?s ?p ?o } ORDER BY 1", None, "something is missing or out of place"),
        ("SELECT * {}\nLIMIT -1", 2, "unexpected '-1'"),
        ("SELECT * { ?s <a b> ?o }", 1, "IRI parsing failed"),
        ("SELECT ?s { ?s ?p ?o } GROUP BY ?p", 1, "unbound"),
    ],
)
def test_what_is_wrong_with_a_query_is_told(
    kept: History, text: str, line: int | None, words: str
) -> None:
    async def test(pool: QueryPool) -> None:
        error = await refused(pool, ask(text))
        assert isinstance(error, QuerySyntaxError)
        assert words in error.detail
        assert error.line == line

    run(Source(kept), test)


def test_a_function_that_is_not_there_is_named(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        error = await refused(pool, ask("SELECT (<http://e/f>(1) AS ?x) {}"))
        assert isinstance(error, UnknownTermError)
        assert (error.kind, error.term) == ("function", "http://e/f")

    run(Source(kept), test)


def test_too_many_statements_of_from_are_refused(
    kept: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.store.workers.MERGED_STATEMENTS", 2_999)

    async def test(pool: QueryPool) -> None:
        error = await refused(pool, ask(default_graphs=(A[1:-1], B[1:-1])))
        assert isinstance(error, QueryTooLargeError)

    run(Source(kept), test)


def test_a_client_that_leaves_takes_its_query_along(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        await until(lambda: len(pids(pool)) == 5)
        before = pids(pool)
        task = asyncio.create_task(pool.query(ask(RUNAWAY, deadline_s=60)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: sum(map(is_alive, before)) == 4)
        assert number(await pool.query(ask())) == 2_000
        await until(lambda: len(pids(pool)) == 5)

    run(Source(kept), test, sparql_fast_s=60)


def test_the_queue_is_bounded_in_length_and_time(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        busy = [asyncio.create_task(refused(pool, ask(RUNAWAY))) for _ in range(6)]
        await asyncio.sleep(0.05)
        started = time.monotonic()
        error = await refused(pool, ask())
        assert time.monotonic() - started < 1.5
        assert isinstance(error, StoreUnavailableError)
        assert error.retry_after_s > 0
        kinds = {type(each) for each in await asyncio.gather(*busy)}
        assert kinds == {QueryTimeoutError, StoreUnavailableError}
        assert number(await pool.query(ask())) == 2_000

    run(Source(kept), test, sparql_queue=4, sparql_queue_s=0.3, sparql_fast_s=2.0)


def test_workers_that_are_killed_are_replaced(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        await until(lambda: len(pids(pool)) == 5)
        before = pids(pool)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        answers = 0
        for _ in range(20):
            with suppress(RhizomeError):
                answers += number(await pool.query(ask())) == 2_000
        assert answers >= 15
        await until(lambda: len(pids(pool)) == 5)
        assert not before & pids(pool)

    run(Source(kept), test)


def test_worn_workers_are_replaced(kept: History, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = AsyncWorker.begin

    async def begin_worn(
        worker: AsyncWorker, *arguments: Any
    ) -> tuple[dict[str, Any], bytes, bool]:
        message, data, has_begun = await begun(worker, *arguments)
        return {**message, "is_worn": True}, data, has_begun

    async def test(pool: QueryPool) -> None:
        await until(lambda: len(pids(pool)) == 5)
        before = pids(pool)
        with monkeypatch.context() as patch:
            patch.setattr(AsyncWorker, "begin", begin_worn)
            assert number(await pool.query(ask())) == 2_000
        await until(lambda: len(pids(pool)) == 5)
        assert len(before & pids(pool)) == 4

    run(Source(kept), test)
