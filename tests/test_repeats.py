"""A request that came before is answered by its bytes: the same answer, counted alike."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from graph.store.pool import Standing
from tests.asking import organisation
from tests.test_at_once import KNOWN, Connection, parts, request
from web import repeats
from web.answers import Answered
from web.repeats import Repeats

NEXT = {**KNOWN, "variables": {"id": organisation(2)[1:-1]}}


class Parser:
    """A parser that counts how often it is fed."""

    def __init__(self, parser: Any) -> None:
        self.parser = parser
        self.fed = 0

    def feed_data(self, data: bytes) -> None:
        self.fed += 1
        self.parser.feed_data(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.parser, name)


class Counted(Connection):
    """A connection that keeps answers; `parsed` counts the pieces that were read as HTTP."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"graphql_cache_mb": 8, **settings})
        self.parser = Parser(self.protocol.parser)
        self.protocol.parser = cast("Any", self.parser)

    @property
    def parsed(self) -> int:
        return self.parser.fed

    @property
    def kept(self) -> Repeats:
        found: Repeats = self.app.at_once.repeats  # type: ignore[attr-defined]
        return found


def run(ask: Any) -> None:
    asyncio.run(ask())


def test_the_same_bytes_get_the_same_answer_without_being_read() -> None:
    async def ask() -> None:
        connection = Counted()
        answers = [parts(await connection.ask(KNOWN)) for _ in range(6)]
        assert all(answer == answers[0] for answer in answers)
        # The first learns the document, the second is answered at once and kept.
        assert connection.parsed == 2
        assert connection.state.total_requests == 6
        assert parts(await connection.ask(NEXT)) != answers[0]
        assert connection.parsed == 3

    run(ask)


def test_nothing_is_kept_where_answers_are_not() -> None:
    async def ask(**settings: Any) -> None:
        connection = Counted(**settings)
        for _ in range(4):
            await connection.ask(KNOWN)
        assert connection.parsed == 4
        assert len(connection.kept) == 0

    asyncio.run(ask(graphql_cache_mb=0))
    asyncio.run(ask(repeats_mb=0))


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Bearer x",
        "Rhizome-Min-Revision: 1",
        "Origin: https://example.org",
        "Connection: close",
        "Cookie: a=b\r\nAuthorization: Bearer x",
    ],
)
def test_what_is_not_a_plain_visitors_request_is_always_read(header: str) -> None:
    async def ask() -> None:
        for _ in range(2):
            connection = Counted()
            await connection.ask(KNOWN)
            await connection.ask(KNOWN, header)
            assert len(connection.kept) == 0

    run(ask)


@pytest.mark.parametrize("change", ["revision", "workers", "doubt", "update"])
def test_a_change_of_the_data_ends_what_was_kept(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        connection = Counted()
        for _ in range(3):
            await connection.ask(KNOWN)
        assert connection.parsed == 2
        match change:
            case "revision":
                connection.dataset.revision += 1
            case "workers":
                connection.pool.standing = Standing(2, 0)
            case "doubt":
                connection.pool.standing = None
            case "update":
                monkeypatch.setattr(type(connection.service), "sparql_revision", 9)
        for _ in range(2):
            await connection.ask(KNOWN)
        assert connection.parsed == 3, "read once, then kept again"

    run(ask)


def test_each_repetition_counts_and_too_many_are_refused() -> None:
    async def ask() -> None:
        connection = Counted(rate_api=5)
        told = [parts(await connection.ask(KNOWN))[0] for _ in range(7)]
        assert told == [b"HTTP/1.1 200 OK"] * 5 + [b"HTTP/1.1 429 Too Many Requests"] * 2

    run(ask)


def test_the_rest_of_a_body_is_never_taken_for_a_request() -> None:
    """A request whose body looks like one that came before is answered as what it is."""

    async def ask() -> None:
        connection = Counted()
        message = request(KNOWN)
        for _ in range(3):
            await connection.send(message)
        head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += b"Content-Length: %d\r\n\r\n" % len(message)
        answer = await connection.send(head, message)
        assert parts(answer)[0].startswith(b"HTTP/1.1 400")
        # Refused before its body came: what follows is the body still.
        early = head.replace(b"/graphql", b"/nothing").replace(b"application/json", b"text/x")
        connection.protocol.data_received(early)
        await asyncio.sleep(0.1)
        connection.protocol.data_received(message)
        await asyncio.sleep(0.05)
        assert connection.wire.written.count(b"HTTP/1.1") == 1

    run(ask)


def test_the_beginning_of_the_next_request_is_never_lost() -> None:
    """It came in one piece with a whole request, which is then no whole piece."""

    async def ask() -> None:
        connection = Counted()
        message = request(KNOWN)
        for cut in (1, 30, len(message) - 5):
            for _ in range(4):
                first = await connection.send(message + message[:cut])
                second = await connection.send(message[cut:])
                assert (first + second).count(b"HTTP/1.1 200") == 2
        hidden = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for _ in range(4):
            await connection.send(message + b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ")
            # What looks like a request is the value of a header.
            assert parts(await connection.send(hidden))[0] != b"HTTP/1.1 404 Not Found"
            connection = Counted()

    run(ask)


def test_an_answer_is_kept_only_for_the_state_that_it_is_of() -> None:
    """A commit may come while it is made."""

    async def ask() -> None:
        connection = Counted()
        await connection.ask(KNOWN)
        answer = connection.app.at_once.answer  # type: ignore[attr-defined]

        def late(*arguments: Any) -> Any:
            found = answer(*arguments)
            connection.dataset.revision += 1
            return found

        connection.app.at_once.answer = late  # type: ignore[attr-defined]
        for _ in range(3):
            parsed = connection.parsed
            told = await connection.ask(KNOWN)
            assert connection.parsed == parsed + 1
            assert b"rhizome-revision: %d" % (connection.dataset.revision - 1) in told
        assert len(connection.kept) == 0

    run(ask)


def test_requests_that_come_together_or_in_pieces_are_read() -> None:
    async def ask() -> None:
        connection = Counted()
        message = request(KNOWN)
        whole = parts(await connection.send(message))
        for _ in range(2):
            assert parts(await connection.send(message)) == whole
        both = await connection.send(message + message)
        await asyncio.sleep(0.05)
        both += connection.wire.written
        assert both.count(b"HTTP/1.1 200") == 2
        connection.wire.written = b""
        assert parts(await connection.send(message[:60], message[60:])) == whole
        assert parts(await connection.send(message)) == whole

    run(ask)


def test_a_proxy_may_send_for_many_so_its_requests_are_read() -> None:
    async def ask() -> None:
        connection = Counted(trusted_proxies="192.0.2.1", rate_api=3)
        for last in (0, 1, 2, 3, 4, 5, 9, 9):
            answer = await connection.ask(KNOWN, f"X-Forwarded-For: 203.0.113.{last}")
            assert parts(answer)[0] == b"HTTP/1.1 200 OK"
        assert connection.parsed == 8
        assert len(connection.kept) == 0

    run(ask)


def test_what_is_not_ready_is_not_answered() -> None:
    async def ask() -> None:
        connection = Counted()
        for _ in range(3):
            await connection.ask(KNOWN)
        connection.service.close()
        assert parts(await connection.ask(KNOWN))[0].startswith(b"HTTP/1.1 503")

    run(ask)


class TestSize:
    """Memory is bounded: the oldest go first, long ones are not kept."""

    scope: ClassVar[Any] = {
        "method": "POST",
        "path": "/graphql",
    }

    def make(self, limit: int) -> Repeats:
        service: Any = SimpleNamespace(
            is_ready=True,
            revision=1,
            sparql_revision=1,
            public_snapshot=SimpleNamespace(revision=1),
            pool=SimpleNamespace(standing=None),
            limiter=SimpleNamespace(take=lambda path, key: None),
        )
        return Repeats(service, limit)

    def test_the_oldest_go_first(self) -> None:
        kept = self.make(10_000)
        answer = Answered(200, (), b"x" * 1_000, True)
        for number in range(9):
            kept.keep(b"%d" % number, self.scope, answer, kept.look())
        assert 3 <= len(kept) <= 5
        assert kept.find(b"8", "192.0.2.1") is answer
        assert kept.find(b"0", "192.0.2.1") is None

    def test_what_is_long_or_never_the_same_is_not_kept(self) -> None:
        kept = self.make(10**8)
        short, state = Answered(200, (), b"x", True), kept.look()
        long = Answered(200, (), b"x" * (repeats.ANSWER_BYTES + 1), True)
        kept.keep(b"a", self.scope, long, state)
        kept.keep(b"b" * (repeats.REQUEST_BYTES + 1), self.scope, short, state)
        kept.keep(b"c", self.scope, short._replace(repeats=False), state)
        kept.keep(b"d", self.scope, short, None)
        assert len(kept) == 0
