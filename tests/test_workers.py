"""The pool of query workers and the workers that read files: real processes, real limits."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from graph.errors import (
    ForbiddenError,
    ParseError,
    PayloadTooLargeError,
    QueryMemoryError,
    QuerySyntaxError,
    QueryTimeoutError,
    QueryTooLargeError,
    RhizomeError,
    StoreCorruptError,
    StoreUnavailableError,
)
from graph.settings import Settings
from graph.store import fleet
from graph.store.directory import Checkpoint
from graph.store.process import AsyncWorker
from graph.store.query import Answer, Query
from graph.store.workers import QueryPool, parse_rdf, scan_checkpoint
from tests.stores import A, B, History, many, quad

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

    def on_checkpoint(self, listener: Callable[[Checkpoint], None]) -> None:
        self.listeners.append(listener)

    def prune_checkpoints(self, in_use: frozenset[Path]) -> None:
        self.history.store.prune(in_use)

    def mend_store(self, reason: str) -> None:
        self.mended.append(reason)
        self.publish()

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
    return Query(**{"text": text, "format": "json", "deadline_s": 1.0, **changes})


def number(answer: Answer) -> int:
    return int(json.loads(answer.body)["results"]["bindings"][0]["n"]["value"])


async def refused(pool: QueryPool, query: Query) -> RhizomeError:
    with pytest.raises(RhizomeError) as caught:
        await pool.query(query)
    return caught.value


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
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


def test_queries_are_answered_with_their_revision(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        answer = await pool.query(ask())
        assert number(answer) == 2_000
        assert (answer.revision, answer.rows, answer.is_truncated) == (1, 1, False)
        assert 0 < answer.seconds < 1
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
        running = asyncio.create_task(refused(pool, ask(RUNAWAY)))
        await asyncio.sleep(0.5)
        asked = time.monotonic()
        assert number(await pool.query(ask())) == 2_000
        assert time.monotonic() - asked < 0.4
        error = await running
        assert isinstance(error, QueryTimeoutError)
        assert error.deadline_s == 1.0
        assert 0.9 < time.monotonic() - started < 1.6
        asked = time.monotonic()
        await pool.query(ask())
        assert time.monotonic() - asked < 0.4

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
        assert time.monotonic() - started < 0.5

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
        assert time.monotonic() - started < 2.5
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
        ("SELECT (<http://e/f>(1) AS ?x) {}", None, "function <http://e/f> is not supported"),
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
        await until(lambda: sum(map(is_alive, before)) == 4, 2)
        assert number(await pool.query(ask())) == 2_000
        await until(lambda: len(pids(pool)) == 5)

    run(Source(kept), test, sparql_fast_s=60)


def test_the_queue_is_bounded_in_length_and_time(kept: History) -> None:
    async def test(pool: QueryPool) -> None:
        busy = [asyncio.create_task(refused(pool, ask(RUNAWAY))) for _ in range(6)]
        await asyncio.sleep(0.05)
        started = time.monotonic()
        error = await refused(pool, ask())
        assert time.monotonic() - started < 0.2
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
    asked = AsyncWorker.ask

    async def ask_worn(worker: AsyncWorker, *arguments: Any) -> tuple[dict[str, Any], bytes]:
        message, data = await asked(worker, *arguments)
        return {**message, "is_worn": True}, data

    async def test(pool: QueryPool) -> None:
        await until(lambda: len(pids(pool)) == 5)
        before = pids(pool)
        with monkeypatch.context() as patch:
            patch.setattr(AsyncWorker, "ask", ask_worn)
            assert number(await pool.query(ask())) == 2_000
        await until(lambda: len(pids(pool)) == 5)
        assert len(before & pids(pool)) == 4

    run(Source(kept), test)


# --- checkpoints ------------------------------------------------------------------------------


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


# --- reading files ----------------------------------------------------------------------------

TRIPLE = ("<http://e/a>", "<http://e/b>", '"c"@en', "")
FILES = {
    "turtle": '@prefix e: <http://e/> . e:a e:b "c"@EN .',
    "trig": '@prefix e: <http://e/> . { e:a e:b "c"@en }',
    "nt": '<http://e/a> <http://e/b> "c"@en .',
    "nq": '<http://e/a> <http://e/b> "c"@en .',
    "jsonld": '{"@id": "http://e/a", "http://e/b": {"@value": "c", "@language": "en"}}',
    "rdfxml": """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">
        <rdf:Description rdf:about="http://e/a"><e:b xml:lang="en">c</e:b></rdf:Description>
        </rdf:RDF>""",
}


def parse(data: str | bytes, format: str, **settings: Any) -> list[tuple[str, str, str, str]]:
    raw = data.encode() if isinstance(data, str) else data
    return list(parse_rdf(raw, format, None, Settings(**settings), "a file"))


@pytest.mark.parametrize("format", FILES)
def test_all_formats_are_read(format: str) -> None:
    assert parse(FILES[format], format) == [TRIPLE]


def test_graphs_bases_and_literals_are_kept() -> None:
    text = '<a> <b> "x\\ty\\u0007\\\\" <g> .'.replace("<", "<http://e/")
    assert parse(text, "nq") == [
        ("<http://e/a>", "<http://e/b>", '"x\\ty\\u0007\\\\"', "<http://e/g>")
    ]
    found = list(parse_rdf(b"<a> <b> <c> .", "turtle", "http://e/d/", Settings()))
    assert found == [("<http://e/d/a>", "<http://e/d/b>", "<http://e/d/c>", "")]


@pytest.mark.parametrize(
    ("data", "format", "line", "column", "words"),
    [
        ("@prefix e: <http://e/> .\ne:a e:b x .", "turtle", 2, 9, "x is not a valid RDF object"),
        ("<http://e/a> <http://e/b> .", "turtle", 1, 27, "not a valid RDF object"),
        ("{ <http://e/a> <http://e/b> 1 ", "trig", 1, None, ""),
        ("<http://e/a> <http://e/b> 1 .", "nt", 1, 27, ""),
        ("\n\nnonsense", "nq", 3, 1, ""),
        ('{\n"@id": 5}', "jsonld", None, None, ""),
        ('{"@id": ', "jsonld", 1, None, ""),
        ("<a>\n<b></a>", "rdfxml", 2, 6, "mismatched tag"),
        (b'<http://e/a> <http://e/b> "\xff" .', "turtle", 1, 28, "Invalid UTF-8"),
        ('<http://e/a> <http://e/b> "\\uD800" .', "turtle", 1, 28, "unicode"),
        ('{"@context": "http://e/", "@id": "a"}', "jsonld", None, None, "are not fetched"),
        ('{"@context": {"@import": "http://e/"}}', "jsonld", None, None, "are not fetched"),
        ('{"@context": "file:///etc/passwd"}', "jsonld", None, None, "are not fetched"),
    ],
)
def test_malformed_files_are_refused_with_their_place(
    data: str | bytes, format: str, line: int | None, column: int | None, words: str
) -> None:
    with pytest.raises(ParseError) as caught:
        parse(data, format)
    error = caught.value
    assert (error.source, error.format) == ("a file", format)
    assert words in error.detail
    assert error.line == line
    if column is not None:
        assert error.column == column


@pytest.mark.parametrize(
    ("data", "format"),
    [
        ("<http://e/a> <http://e/b> " + "[ <http://e/b> " * 20_000 + "]" * 20_000 + " .", "turtle"),
        ("<http://e/a> <http://e/b> " + "( " * 20_000 + ")" * 20_000 + " .", "turtle"),
        ('{"http://e/b":' * 20_000 + "1" + "}" * 20_000, "jsonld"),
        ("<a><b>" * 20_000 + "</b></a>" * 20_000, "rdfxml"),
    ],
)
def test_deep_nesting_is_refused_at_once(data: str, format: str) -> None:
    started = time.monotonic()
    with pytest.raises(PayloadTooLargeError) as caught:
        parse(data, format)
    assert caught.value.limit == "nested_nodes"
    assert "line 1, column" in str(caught.value.place)
    assert time.monotonic() - started < 2


def test_an_entity_bomb_is_refused() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 50}">{entities}]><a xmlns="http://e/">&e9;</a>'
    with pytest.raises(ParseError, match="amplification"):
        parse(bomb, "rdfxml")


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    bomb = f"""<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]>
        <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">
        <rdf:Description rdf:about="http://e/a"><e:b>&e;</e:b></rdf:Description></rdf:RDF>"""
    with pytest.raises(ParseError):
        parse(bomb, "rdfxml")


def test_reading_has_a_deadline_and_a_memory() -> None:
    lines = "".join(f"<http://e/{n}> <http://e/b> {n} .\n" for n in range(300_000))
    with pytest.raises(PayloadTooLargeError) as caught:
        parse(lines, "turtle", parse_deadline_s=0.2)
    assert caught.value.limit == "parse_deadline_s"
    with pytest.raises(PayloadTooLargeError) as caught:
        parse(
            "<http://e/a> <http://e/b> '" + "x" * 50_000_000 + "' .", "turtle", parse_memory_mb=60
        )
    assert caught.value.limit == "parse_memory_mb"


def test_a_reader_that_stops_ends_the_worker() -> None:
    lines = "".join(f"<http://e/{n}> <http://e/b> {n} .\n" for n in range(50_000))
    reading = parse_rdf(lines.encode(), "turtle", None, Settings())
    assert next(reading)[0] == "<http://e/0>"
    del reading


def test_scans_tell_what_is_wrong_from_outside(kept: History, tmp_path: Path) -> None:
    checkpoint = kept.store.checkpoint()
    assert scan_checkpoint(checkpoint.path, is_deep=True) == ()
    with pytest.raises(StoreCorruptError):
        scan_checkpoint(tmp_path / "nowhere")
    copy = tmp_path / "copy"
    shutil.copytree(checkpoint.path, copy)
    for file in copy.glob("*.sst"):
        data = bytearray(file.read_bytes())
        data[len(data) // 4] ^= 0x55
        file.unlink()  # the live directory has it, too
        file.write_bytes(data)
    with pytest.raises(StoreCorruptError):
        scan_checkpoint(copy, is_deep=True)
