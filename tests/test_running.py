"""The queries that run: listed and stopped, in each lane, by administrators alone."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.errors import NotFoundError, QueryStoppedError, RhizomeError, StoreUnavailableError
from graph.settings import Settings
from graph.store.query import Answer, Query
from graph.store.running import Running
from graph.store.spool import Stream
from graph.store.workers import QueryPool
from tests.pools import RUNAWAY, Source, ask, kept, number, refused, run, until
from tests.seeded import serve
from tests.stores import History
from web.commands import run_locally
from web.control import Command, RemoteFailure, ask_server

__all__ = ["kept"]  # a fixture


def lanes(pool: QueryPool) -> list[str]:
    return [query["lane"] for query in pool.running.list()]


@pytest.mark.parametrize(("fast_s", "lane"), [(60.0, "fast"), (0.1, "slow")])
def test_a_query_that_runs_is_told_and_can_be_stopped(
    kept: History, fast_s: float, lane: str
) -> None:
    async def test(pool: QueryPool) -> None:
        text = f"{RUNAWAY} # {'x' * 400}\n"
        asked = ask(text, deadline_s=60.0, caller="token")
        running = asyncio.create_task(refused(pool, asked))
        await until(lambda: lanes(pool) == [lane])
        (told,) = pool.running.list()
        assert told["caller"] == "token"
        assert told["deadline_s"] == 60.0
        assert told["seconds"] >= 0
        assert told["text"].startswith("SELECT (COUNT(*) AS ?n)")
        assert len(told["text"]) == 200
        assert pool.running.stop(told["id"])["id"] == told["id"]
        assert isinstance(await running, QueryStoppedError)
        assert pool.running.list() == []
        assert number(await pool.query(ask())) == 2_000
        with pytest.raises(NotFoundError):
            pool.running.stop(told["id"])

    run(Source(kept), test, sparql_fast_s=fast_s)


def test_a_query_that_waits_can_be_stopped_and_its_task_goes_on(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        one = asyncio.create_task(refused(pool, ask(RUNAWAY, deadline_s=60.0)))
        await until(lambda: lanes(pool) == ["fast"])
        text = f"{RUNAWAY} # another"
        other = asyncio.create_task(refused(pool, ask(text, deadline_s=60.0)))
        await until(lambda: lanes(pool) == ["fast", "waiting"])
        first, second = pool.running.list()
        pool.running.stop(second["id"])
        assert isinstance(await other, QueryStoppedError)  # caught: the task was not cancelled
        assert lanes(pool) == ["fast"]
        pool.running.stop(first["id"])
        assert isinstance(await one, QueryStoppedError)

    run(Source(kept), test, sparql_fast_s=60.0, sparql_fast_workers=1, sparql_queue_s=60.0)


ROWS = "SELECT * { ?a <http://e/p> ?b . ?c <http://e/p> ?d }"


def streamed(**changes: Any) -> Query:
    limits = {"in_parts": True, "streamed_rows": 10**7, "streamed_bytes": 10**10}
    return ask(**{"text": ROWS, "deadline_s": 60.0, **limits, **changes})


async def drain(parts: AsyncIterator[bytes]) -> int:
    return sum([len(piece) async for piece in parts])


def test_a_streamed_query_can_be_stopped_and_its_answer_breaks_off(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        answer = await pool.query(streamed())
        assert (answer.body, answer.is_truncated, answer.size) == (b"", False, None)
        stream = answer.rest
        assert stream is not None
        (told,) = pool.running.list()
        assert told["lane"] == "slow"
        parts = stream.parts()
        assert await anext(parts)
        pool.running.stop(told["id"])
        with pytest.raises(QueryStoppedError):
            await drain(parts)
        await stream.close()
        assert pool.running.list() == []
        assert number(await pool.query(ask())) == 2_000

    run(Source(kept), test)


def test_a_streamed_answer_is_whole_or_fails_at_its_deadline(kept: History) -> None:
    async def read(answer: Answer) -> bytes:
        assert answer.rest is not None
        pieces = [piece async for piece in answer.rest.parts()]
        await answer.rest.close()
        return b"".join(pieces)

    async def test(pool: QueryPool) -> None:
        few = f"{ROWS} LIMIT 50000"
        answer = await pool.query(streamed(text=few, format="tsv"))
        table = await read(answer)
        assert table.count(b"\n") == 50_001
        assert answer.rest is not None
        assert answer.rest.seconds > 0
        # Held and cut for who may have no more, in parts of a known length.
        held = await pool.query(streamed(text=few, format="tsv", streamed_rows=0))
        assert held.is_truncated
        assert held.size == len(await read(held))
        with pytest.raises(RhizomeError) as caught:
            await read(await pool.query(streamed(deadline_s=1.5)))
        assert caught.value.code == "QUERY_TIMEOUT"
        assert number(await pool.query(ask())) == 2_000

    run(Source(kept), test, sparql_fast_s=0.3)


def test_an_answer_that_was_made_in_time_may_be_taken_later(
    kept: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fast lane bounds how long it is worked on, not how long a slow machine hands it on."""
    feed = Stream.feed

    async def slowly(stream: Stream, piece: bytes) -> None:
        await asyncio.sleep(1.0)
        await feed(stream, piece)

    async def test(pool: QueryPool) -> None:
        await pool.query(ask())
        held = await pool.query(streamed(format="tsv", text=f"{ROWS} LIMIT 9000"))
        assert held.size is not None
        assert held.rest is not None
        assert await drain(held.rest.parts()) == held.size > 256 * 1024
        await held.rest.close()
        assert number(await pool.query(ask())) == 2_000

    monkeypatch.setattr(Stream, "feed", slowly)
    run(Source(kept), test, sparql_fast_s=0.5)


def test_a_graph_may_have_the_triples_of_a_streamed_table(kept: History) -> None:
    text = ROWS.replace("SELECT *", "CONSTRUCT { ?a <http://e/q> ?d }") + " LIMIT 300000"

    async def count(pool: QueryPool, **changes: Any) -> tuple[int, bool]:
        answer = await pool.query(streamed(text=text, format="nt", **changes))
        pieces = [answer.body]
        if answer.rest is not None:
            pieces += [piece async for piece in answer.rest.parts()]
            await answer.rest.close()
        return b"".join(pieces).count(b"\n"), answer.is_truncated

    async def test(pool: QueryPool) -> None:
        assert await count(pool) == (30_000, False)
        assert await count(pool, streamed_rows=20_000) == (20_000, True)
        assert await count(pool, streamed_rows=0) == (10_000, True)

    run(Source(kept), test)


def test_who_asks_runaways_often_waits_behind_the_others(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        for number_ in range(3):
            text = f"{RUNAWAY} # {number_}"
            await refused(pool, ask(text, deadline_s=0.2, origin="a"))
        asked = [ask(f"{RUNAWAY} # {name}", deadline_s=60.0, origin=name) for name in "ab"]
        first = asyncio.create_task(refused(pool, asked[0]))
        await until(lambda: lanes(pool) == ["slow"])
        second = asyncio.create_task(refused(pool, asked[1]))
        await until(lambda: lanes(pool) == ["slow", "fast"])
        for told in pool.running.list():
            pool.running.stop(told["id"])
        for task in (first, second):
            assert isinstance(await task, QueryStoppedError)

    run(Source(kept), test, sparql_fast_s=0.1, sparql_queue_s=60.0)


def test_large_answers_raise_no_suspicion(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        for _ in range(4):
            answer = await pool.query(streamed(origin="a"))
            assert answer.rest is not None
            await answer.rest.close()
        assert not pool._is_suspect("a")

    run(Source(kept), test, sparql_fast_s=60.0)


def test_who_leaves_a_streamed_answer_ends_its_query(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        answer = await pool.query(streamed())
        assert answer.rest is not None
        await answer.rest.close()
        assert pool.running.list() == []
        assert number(await pool.query(ask())) == 2_000

    run(Source(kept), test)


def test_who_leaves_just_when_an_answer_begins_ends_its_query(
    kept: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(pool: QueryPool) -> None:
        sleep = asyncio.sleep

        async def leave(delay: float) -> None:
            await sleep(delay)
            if delay == 0:
                raise asyncio.CancelledError

        monkeypatch.setattr(asyncio, "sleep", leave)
        with pytest.raises(asyncio.CancelledError):
            await pool.query(streamed())
        monkeypatch.undo()
        assert pool.running.list() == []
        assert number(await pool.query(ask())) == 2_000

    run(Source(kept), test)


def test_a_text_is_told_without_what_a_terminal_would_obey() -> None:
    async def test() -> None:
        running = Running()
        running.begin(ask("ASK {} # \x1b]0;title\x07 \x9b2J \u202eyes\n"))
        assert running.list()[0]["text"] == "ASK {} # \ufffd]0;title\ufffd \ufffd2J \ufffdyes"

    asyncio.run(test())


def test_another_thread_may_ask_and_is_told_when_nobody_answers(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        assert await asyncio.to_thread(pool.in_loop, pool.running.list) == []

    run(Source(kept), test)
    pool = QueryPool(Settings(), Source(kept))
    with pytest.raises(StoreUnavailableError):
        pool.in_loop(pool.running.list)


# --- over HTTP and the control socket ---------------------------------------------------------


@pytest.fixture(scope="module")
def http(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("running") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, sparql_fast_s=0.2, sparql_token_deadline_s=60.0) as client:
        yield client


def token(http: TestClient, *scopes: str) -> dict[str, str]:
    tokens = http.app.state.service.tokens  # type: ignore[attr-defined]
    return {"Authorization": f"Bearer {tokens.create(scopes)[0]}"}


def test_only_administrators_see_and_stop_queries(http: TestClient) -> None:
    for method, path in (("GET", "/sparql/queries"), ("DELETE", "/sparql/queries/q1")):
        assert http.request(method, path).status_code == 401
        refused = http.request(method, path, headers=token(http, "write", "explain"))
        assert refused.status_code == 403
        assert refused.json()["scope"] == "admin"
    found = http.get("/sparql/queries", headers=token(http, "admin"))
    assert (found.status_code, found.json()) == (200, {"queries": []})
    assert found.headers["cache-control"] == "private, no-store"
    gone = http.delete("/sparql/queries/q0", headers=token(http, "admin"))
    assert (gone.status_code, gone.json()["code"]) == (404, "NOT_FOUND")
    assert http.post("/sparql/queries").status_code == 405


def test_a_query_of_others_is_listed_without_their_name_and_stopped(http: TestClient) -> None:
    admin, asking = token(http, "admin"), token(http, "explain")
    text = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    answers: list[Any] = []

    def ask_it() -> None:
        answers.append(http.get("/sparql", params={"query": text}, headers=asking))

    store = http.app.state.service.settings.store  # type: ignore[attr-defined]
    for way in ("http", "command"):
        thread = threading.Thread(target=ask_it)
        thread.start()
        while not (found := http.get("/sparql/queries", headers=admin).json()["queries"]):
            pass
        (query,) = found
        assert query["caller"] == "token"
        assert not any(secret in str(found) for secret in asking["Authorization"].split("_")[1:])
        if way == "http":
            stopped = http.delete(f"/sparql/queries/{query['id']}", headers=admin)
            assert stopped.json()["stopped"]["id"] == query["id"]
        else:
            listed = command(store, "queries")
            assert query["id"] in listed
            assert query["text"] in listed
            assert '"lane": ' in command(store, "queries", json=True)
            assert query["id"] in command(store, "queries kill", id=query["id"])
        thread.join()
        answer = answers.pop()
        assert (answer.status_code, answer.json()["code"]) == (503, "QUERY_STOPPED")
        assert http.get("/sparql/queries", headers=admin).json() == {"queries": []}
    for wrong, code in (("q999999", "NOT_FOUND"), ("", "BAD_VALUE")):
        with pytest.raises(RemoteFailure) as caught:
            command(store, "queries kill", id=wrong)
        assert caught.value.problem["code"] == code


def test_an_update_is_listed_and_stopped_and_holds_no_other_up(http: TestClient) -> None:
    admin, writing, other = (token(http, scope) for scope in ("admin", "write", "write"))
    text = (
        "INSERT { GRAPH <urn:x:g> { <urn:x:a> <urn:x:b> ?n } } WHERE"
        " { SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l } }"
    )
    answers: list[Any] = []

    def write_it() -> None:
        answers.append(http.post("/sparql", data={"update": text}, headers=writing))

    before = http.get("/version").json()["revision"]
    thread = threading.Thread(target=write_it)
    thread.start()
    while not (found := http.get("/sparql/queries", headers=admin).json()["queries"]):
        pass
    (update,) = found
    assert (update["kind"], update["lane"], update["caller"]) == ("update", "writing", "token")
    nothing = (
        "DELETE { GRAPH ?g { ?s ?p ?o } } WHERE { GRAPH ?g { ?s ?p ?o . ?s <urn:x:none> ?o } }"
    )
    assert http.post("/sparql", data={"update": nothing}, headers=other).status_code == 204
    http.delete(f"/sparql/queries/{update['id']}", headers=admin)
    thread.join()
    answer = answers.pop()
    assert (answer.status_code, answer.json()["code"]) == (503, "QUERY_STOPPED")
    assert http.get("/sparql/queries", headers=admin).json() == {"queries": []}
    assert http.get("/version").json()["revision"] == before


def command(store: Path, name: str, **arguments: Any) -> str:
    pieces = ask_server(store, Command(name, arguments))
    assert pieces is not None
    return "".join(piece.content.decode() for piece in pieces)


def test_without_a_server_there_are_no_queries(tmp_path: Path) -> None:
    settings = Settings.from_environment({}, store=tmp_path)
    for name in ("queries", "queries kill"):
        with pytest.raises(StoreUnavailableError, match="no server runs"):
            list(run_locally(Command(name, {}), settings))


def test_an_administrator_has_the_longest_deadline(http: TestClient) -> None:
    tokens = http.app.state.service.tokens  # type: ignore[attr-defined]
    deadlines = [
        tokens.authenticate(tokens.create(scopes)[0]).query_deadline_s
        for scopes in (("write",), ("admin",), ("write", "admin"))
    ]
    assert deadlines == [60.0, 120.0, 120.0]
