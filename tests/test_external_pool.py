"""Queries that a SPARQL server of others answers: asked, read, written anew, or refused."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from graph.errors import (
    NotFoundError,
    QueryStoppedError,
    QuerySyntaxError,
    QueryTimeoutError,
    QueryTooLargeError,
    RhizomeError,
    StoreUnavailableError,
)
from graph.shapes import load_model
from graph.store.external_marker import MARKER_GRAPH
from graph.store.external_pool import ExternalPool
from graph.store.query import Answer, Query
from tests.fake_sparql import fake_server
from tests.followed import A, Followed, quad
from tests.followed import when as when_any

COUNT = "SELECT (COUNT(*) AS ?n) { ?s <http://e/p> ?o }"
Test = Callable[[ExternalPool], Awaitable[None]]
#: Of clients' queries, not of what a new connection asks first.
when = partial(when_any, without=MARKER_GRAPH)


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """A fed server that no test changes."""
    loaded = load_model()
    model = replace(loaded, system_quads=loaded.system_quads[:3])
    with fake_server() as server:
        followed = Followed(tmp_path_factory.mktemp("fed") / "store", model, server)
        followed.commit([quad("s", str(n)) for n in range(20)])
        assert followed.step() is None
        yield followed
        followed.follower.store.close()
        followed.dataset.close()


@pytest.fixture(autouse=True)
def sound(fed: Followed) -> Iterator[None]:
    yield
    fed.server.script = lambda kind, text: None
    fed.server.hold.set()
    fed.server.hold.clear()
    assert fed.step() is None


def run(fed: Followed, test: Test, **settings: Any) -> None:
    """Run a test with a pool."""

    async def main() -> None:
        chosen = {"revision_wait_s": 0.2, "sparql_queue_s": 0.2, **settings}
        pool = ExternalPool(replace(fed.settings, **chosen), fed.follower)
        await pool.start()
        try:
            await test(pool)
        finally:
            await pool.close()

    asyncio.run(main())


def ask(text: str = COUNT, **changes: Any) -> Query:
    return Query(**{"text": text, "format": "json", "deadline_s": 20.0, **changes})


def answer(fed: Followed, query: Query, **settings: Any) -> Answer:
    found: list[Answer] = []

    async def test(pool: ExternalPool) -> None:
        found.append(await pool.query(query))

    run(fed, test, **settings)
    return found[0]


def refused(fed: Followed, query: Query, **settings: Any) -> RhizomeError:
    with pytest.raises(RhizomeError) as caught:
        answer(fed, query, **settings)
    return caught.value


# --- answers ---------------------------------------------------------------------------------


def test_a_table_is_answered_in_every_format_with_its_revision(fed: Followed) -> None:
    found = answer(fed, ask())
    assert json.loads(found.body)["results"]["bindings"][0]["n"]["value"] == "20"
    assert (found.revision, found.rows, found.is_truncated) == (1, 1, False)
    assert answer(fed, ask(format="csv")).body == b"n\r\n20\r\n"
    assert answer(fed, ask(format="tsv")).body == b"?n\n20\n"
    assert b"<literal datatype=" in answer(fed, ask(format="xml")).body


def test_graphs_are_answered_in_every_format(fed: Followed) -> None:
    text = 'CONSTRUCT { ?s <http://e/q> "é"@fr } { ?s <http://e/p> "1" }'
    assert answer(fed, ask(text, format="nt")).body.endswith('"é"@fr .\n'.encode())
    for format in ("turtle", "rdfxml", "jsonld"):
        assert "é".encode() in answer(fed, ask(text, format=format)).body


def test_ask_is_answered(fed: Followed) -> None:
    assert json.loads(answer(fed, ask("ASK { ?s ?p 1 }")).body)["boolean"] is False
    assert json.loads(answer(fed, ask('ASK { ?s ?p "1" }')).body)["boolean"] is True


def test_rows_beyond_the_limit_are_cut_and_this_is_said(fed: Followed) -> None:
    found = answer(fed, ask("SELECT ?o { ?s <http://e/p> ?o }", rows_max=7))
    assert (found.rows, found.is_truncated) == (7, True)


def test_our_own_graphs_are_out_of_sight(fed: Followed) -> None:
    found = answer(fed, ask("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }", format="csv"))
    assert b"rhizome/stamp" not in found.body
    assert found.rows == 2


def test_a_dataset_of_the_protocol_is_passed_on(fed: Followed) -> None:
    there = ask(default_graphs=(A[1:-1],))
    assert answer(fed, replace(there, format="csv")).body == b"n\r\n20\r\n"
    elsewhere = ask(default_graphs=("http://e/none",))
    assert answer(fed, replace(elsewhere, format="csv")).body == b"n\r\n0\r\n"


def test_a_graph_is_answered_whole_and_one_that_is_not_there_is_not_found(fed: Followed) -> None:
    found = answer(fed, ask(A[1:-1], format="nt", is_graph=True))
    assert found.rows == 20
    assert answer(fed, ask("", format="nt", is_graph=True)).rows == 23
    assert isinstance(refused(fed, ask("http://e/none", is_graph=True)), NotFoundError)


# --- refusals --------------------------------------------------------------------------------


def test_what_the_guard_refuses_never_leaves(fed: Followed) -> None:
    asked = len(fed.server.asked)
    for text in (
        "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "SELECT * { ?s <relative> ?o }",
        "INSERT DATA { <http://e/s> <http://e/p> 1 }",
        "SELECT (<bif:exec>('select 1') AS ?x) {}",
        "SELECT * {",
    ):
        assert isinstance(refused(fed, ask(text)), QuerySyntaxError)
    assert len(fed.server.asked) == asked


def test_what_the_server_does_not_understand_is_the_askers_fault(fed: Followed) -> None:
    error = refused(fed, ask("SELECT ?a { ?s ?p ?o } GROUP BY ?s HAVING"))
    assert isinstance(error, QuerySyntaxError)
    assert "not understood" in error.message
    assert fed.follower.fault is None


def test_a_query_that_hangs_is_given_up_at_its_deadline(fed: Followed) -> None:
    for fault in ("hang", "drip"):
        fed.server.script = when("query", fault, 9)
        started = time.monotonic()
        error = refused(fed, ask(deadline_s=0.3))
        assert isinstance(error, QueryTimeoutError)
        assert error.deadline_s == 0.3
        assert time.monotonic() - started < 15
        assert fed.follower._is_suspect


@pytest.mark.parametrize(
    "fault",
    ["refuse", "html", "redirect", "error_inside", "packed", "no_http", "die_midway", "echo"],
)
def test_each_failure_is_one_503_and_looked_into(fed: Followed, fault: str) -> None:
    fed.server.script = when("query", fault, 9)
    error = refused(fed, ask())
    assert isinstance(error, StoreUnavailableError)
    assert error.message.startswith("the SPARQL server fails: ")
    assert error.retry_after_s >= 1.0
    assert fed.follower._is_suspect


def test_a_server_that_is_busy_for_a_moment_is_asked_again(fed: Followed) -> None:
    fed.server.script = when("query", "busy")
    assert answer(fed, ask(format="csv")).body == b"n\r\n20\r\n"
    fed.server.script = when("query", "busy", 9)
    assert "HTTP 503: busy" in refused(fed, ask()).message


def test_a_connection_that_was_closed_meanwhile_is_made_anew(fed: Followed) -> None:
    async def test(pool: ExternalPool) -> None:
        await pool.query(ask())
        fed.server.script = when("query", "die_before")
        assert (await pool.query(ask(format="csv"))).body == b"n\r\n20\r\n"

    run(fed, test)


def test_an_endless_answer_is_cut_where_its_rows_are_whole(
    fed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.store.external_pool._READ_BYTES", 300_000)
    fed.server.script = when("query", "endless", 9)
    found = answer(fed, ask("SELECT ?s { ?s ?p ?o }"))
    assert found.is_truncated
    assert 250 < found.rows < 300
    rows = json.loads(found.body)["results"]["bindings"]
    assert {len(row["s"]["value"]) for row in rows} == {1000}
    monkeypatch.setattr("graph.store.external_pool._READ_BYTES", 500)
    assert isinstance(refused(fed, ask("SELECT ?s { ?s ?p ?o }")), QueryTooLargeError)


def test_an_open_circuit_refuses_at_once_and_closes_again(fed: Followed) -> None:
    fed.server.script = when_any("query", "hang", 1)
    assert fed.step() is not None
    asked = len(fed.server.asked)
    error = refused(fed, ask())
    assert isinstance(error, StoreUnavailableError)
    assert "SPARQL cannot be answered now" in error.message
    assert error.retry_after_s > 0
    assert len(fed.server.asked) == asked
    assert fed.step() is None
    assert answer(fed, ask(format="csv")).body == b"n\r\n20\r\n"


def test_an_answer_that_a_feed_overtook_is_not_told(fed: Followed) -> None:
    def feed(kind: str, text: str) -> None:
        fed.follower.epoch += 1

    fed.server.script = feed
    assert "was fed meanwhile" in refused(fed, ask()).message


def test_a_revision_that_is_not_there_is_waited_for(fed: Followed) -> None:
    async def test(pool: ExternalPool) -> None:
        assert (await pool.query(ask(), 1)).revision == 1
        with pytest.raises(StoreUnavailableError, match="revision 2 is not here yet"):
            await pool.query(ask(), 2)

    run(fed, test)


def test_no_more_queries_than_may_be_are_under_way(fed: Followed) -> None:
    async def test(pool: ExternalPool) -> None:
        fed.server.script = when("query", "hang", 1)
        first = asyncio.ensure_future(pool.query(ask()))
        while not fed.server.count("query"):
            await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailableError, match="all connections are busy"):
            await pool.query(ask())
        first.cancel()  # the client left
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await pool.query(ask(format="csv"))).body == b"n\r\n20\r\n"

    fed.server.asked.clear()
    run(fed, test, sparql_connections=1)


def test_an_administrator_sees_and_stops_a_query(fed: Followed) -> None:
    async def test(pool: ExternalPool) -> None:
        fed.server.script = when("query", "hang", 1)
        asked = asyncio.ensure_future(pool.query(ask()))
        while not fed.server.count("query"):
            await asyncio.sleep(0.01)
        listed = await asyncio.to_thread(pool.in_loop, pool.running.list)
        assert [each["text"] for each in listed] == [COUNT]
        pool.running.stop(listed[0]["id"])
        with pytest.raises(QueryStoppedError):
            await asked
        assert pool.running.list() == []

    fed.server.asked.clear()
    run(fed, test)


def test_a_full_queue_is_told(fed: Followed) -> None:
    async def test(pool: ExternalPool) -> None:
        fed.server.script = when("query", "hang", 1)
        first = asyncio.ensure_future(pool.query(ask()))
        while not fed.server.count("query"):
            await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailableError, match="too many queries are waiting"):
            await pool.query(ask())
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

    fed.server.asked.clear()
    run(fed, test, sparql_connections=1, sparql_queue=0)


def test_a_pool_that_is_closed_answers_no_more(fed: Followed) -> None:
    async def test(pool: ExternalPool) -> None:
        await pool.close()
        assert not pool.is_ready
        with pytest.raises(StoreUnavailableError, match="the service is stopping"):
            await pool.query(ask())

    run(fed, test)


# --- a server that is not what it was ----------------------------------------------------------


def test_a_new_connection_asks_first_whether_the_server_holds_what_it_was_fed(
    fed: Followed,
) -> None:
    """It was started again without its data, or with older: no answer of it is told."""
    kept = list(fed.server.store)

    async def test(pool: ExternalPool) -> None:
        assert (await pool.query(ask(format="csv"))).body == b"n\r\n20\r\n"
        asked = fed.server.count("query")
        await pool.query(ask())
        assert fed.server.count("query") == asked + 1, "a kept connection is not asked again"
        fed.server.store.clear()
        pool._client.close()  # as all connections are when a server starts
        epoch = fed.follower.epoch
        with pytest.raises(StoreUnavailableError) as caught:
            await pool.query(ask())
        assert "does not hold what it was fed" in caught.value.message
        assert fed.follower.epoch > epoch
        asked = fed.server.count("query")
        with pytest.raises(StoreUnavailableError):
            await pool.query(ask())
        assert fed.server.count("query") == asked, "nobody is sent there until it is looked into"

    run(fed, test)
    assert fed.step() is None
    assert set(fed.server.store) == set(kept)
    assert answer(fed, ask(format="csv")).body == b"n\r\n20\r\n"


def test_a_server_that_tells_no_marker_is_not_asked_further(fed: Followed) -> None:
    fed.server.script = when_any("query", "html", 1, MARKER_GRAPH)
    assert "did not tell what it holds" in refused(fed, ask()).message


def test_a_server_that_is_busy_when_greeted_is_asked_again(fed: Followed) -> None:
    fed.server.script = when_any("query", "busy", 1, MARKER_GRAPH)
    assert answer(fed, ask(format="csv")).body == b"n\r\n20\r\n"
