"""What is answered at once is what the usual way answers, to the byte; all else goes that way."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.levels import single
from graph.store.pool import Standing
from schema.execute import Engine
from schema.loading import load_schema
from tests.asking import organisation, small_dataset
from tests.snapshots import commit_of
from web.app import Application, create_app
from web.protocol import BoundedProtocol, bounded_protocol
from web.service import Service

POINT = "query ($id: ID!) { organisation(id: $id) { id name types } }"
KNOWN = {"query": POINT, "variables": {"id": organisation(1)[1:-1]}}
LIST = {"query": "{ organisations { nodes { id name types again: id more: id } } }"}
FEW = {"query": "{ organisations(first: 1) { totalCount } }"}


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5000), "sockname": ("127.0.0.1", 80)})
        self.written = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Connection:
    """One connection to an application over the small dataset.

    `tasks` counts the requests that went the usual way; without `at_once` all do.
    """

    def __init__(self, *, at_once: bool = True, **settings_: Any) -> None:
        settings = Settings(**{"rate_query_s": 0, **settings_})
        self.service = Service(settings, MODEL)
        snapshot = build_snapshot(MODEL, [commit_of(small_dataset(), (), None)])
        self.dataset = SimpleNamespace(
            revision=snapshot.revision,
            levels=single(snapshot.revision, snapshot, "", {}),
            snapshot_for=lambda viewer: snapshot,
            on_commit=lambda told: None,
        )
        engine = Engine(MODEL, SCHEMA, settings)
        self.pool = SimpleNamespace(standing=Standing(snapshot.revision, 0))
        parts: Any = SimpleNamespace(
            dataset=self.dataset, engine=engine, tokens=None, pool=self.pool
        )
        self.service.open(parts, asyncio.get_running_loop())
        self.app = create_app(self.service)
        assert isinstance(self.app, Application)
        config = uvicorn.Config(
            self.app,
            http=bounded_protocol(settings),
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
        )
        config.load()
        self.state = ServerState()
        self.wire = Wire()
        made: Any = config.http_protocol_class
        self.protocol: BoundedProtocol = made(config=config, server_state=self.state, app_state={})
        if not at_once:
            self.protocol._at_once = None
        self.protocol.connection_made(self.wire)
        self.tasks = 0
        begin = self.protocol.loop.create_task

        def counted(*arguments: Any, **named: Any) -> Any:
            self.tasks += 1
            return begin(*arguments, **named)

        self.protocol.loop = SimpleNamespace(
            create_task=counted,
            call_later=self.protocol.loop.call_later,
            time=self.protocol.loop.time,
        )

    async def send(self, *pieces: bytes) -> bytes:
        """Return what is answered to bytes that come in pieces, and forget it."""
        for piece in pieces:
            self.protocol.data_received(piece)
        for _ in range(400):
            await asyncio.sleep(0.005)
            if not self.protocol._is_answering() and self.wire.written:
                break
        written, self.wire.written = self.wire.written, b""
        return written

    async def ask(self, asked: Any, *headers: str) -> bytes:
        """Return what is answered to a posted request."""
        return await self.send(request(asked, *headers))


MODEL: Model = load_model()
SCHEMA = load_schema(MODEL)


def request(asked: Any, *headers: str, path: str = "/graphql") -> bytes:
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        *headers,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def parts(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return status line, sorted headers and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    return status, sorted(headers), body


ASKED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "plain": (KNOWN, ()),
    "no such node": ({**KNOWN, "variables": {"id": "urn:none"}}, ()),
    "media type of the protocol": (KNOWN, ("Accept: application/graphql-response+json",)),
    "language": (KNOWN, ("Accept-Language: fr;q=0.5, en",)),
    "compressed": (LIST, ("Accept-Encoding: gzip",)),
    "too short to compress": (KNOWN, ("Accept-Encoding: gzip",)),
    "a list": (LIST, ()),
    "wrong variable": ({**KNOWN, "variables": {"id": 7.5}}, ()),
    "missing variable": ({"query": POINT}, ()),
    "page too large": ({"query": "{ organisations(first: 9999) { totalCount } }"}, ()),
    "no such field": ({"query": "{ nothing }"}, ()),
    "no JSON": (b"{", ()),
    "no media type that fits": (KNOWN, ("Accept: image/png",)),
    "compressed body": (KNOWN, ("Content-Encoding: gzip",)),
    "another page": (KNOWN, ("Origin: https://example.org",)),
    "token that is none": (KNOWN, ("Authorization: Basic eDp5",)),
    "revision that is there": (KNOWN, ("Rhizome-Min-Revision: 1",)),
    "revision that is none": (KNOWN, ("Rhizome-Min-Revision: x",)),
    "mutation": ({"query": "mutation { x: __typename }"}, ()),
    "named document": ({**KNOWN, "documentId": "x"}, ()),
}


async def both_ways(kept: int, name: str, **settings: Any) -> tuple[list[bytes], Connection]:
    """Return four answers of the same connection, after checking that both ways agree."""
    asked, headers = ASKED[name]
    quick = Connection(graphql_cache_mb=kept, **settings)
    usual = Connection(graphql_cache_mb=kept, at_once=False, **settings)
    answers = []
    for _ in range(4):
        answer = await quick.ask(asked, *headers)
        assert parts(answer) == parts(await usual.ask(asked, *headers))
        answers.append(answer)
    return answers, quick


@pytest.mark.parametrize("kept", [0, 8])
@pytest.mark.parametrize("name", ASKED)
def test_both_ways_answer_the_same_bytes(name: str, kept: int) -> None:
    answers, quick = asyncio.run(both_ways(kept, name))
    assert all(parts(answer) == parts(answers[0]) for answer in answers)
    is_plain = list(ASKED).index(name) <= list(ASKED).index("a list")
    # The first time a document has to be read; what is not plain never goes at once.
    assert quick.tasks == (1 if is_plain else 4)
    assert quick.state.total_requests == 4


def test_both_ways_count_alike_and_refuse_alike() -> None:
    async def ask() -> None:
        for at_once in (True, False):
            connection = Connection(rate_api=3, at_once=at_once)
            told = [parts(await connection.ask(FEW))[0] for _ in range(5)]
            assert told == [b"HTTP/1.1 200 OK"] * 3 + [b"HTTP/1.1 429 Too Many Requests"] * 2

    asyncio.run(ask())


def test_an_error_of_a_field_is_told_alike() -> None:
    asked = {"query": "{ organisations { nodes { id } } }"}

    async def ask() -> None:
        quick, usual = (Connection(graphql_nodes=2, at_once=each) for each in (True, False))
        for _ in range(3):
            answer = await quick.ask(asked)
            assert b"graphql_nodes" in answer
            assert parts(answer) == parts(await usual.ask(asked))
        assert quick.tasks == 1

    asyncio.run(ask())


def test_requests_that_come_together_are_answered_in_order() -> None:
    asked = [{**KNOWN, "variables": {"id": organisation(n)[1:-1]}} for n in (0, 1, 2)]

    async def ask() -> None:
        connection = Connection()
        single = [await connection.ask(each) for each in asked]
        connection.protocol.data_received(b"".join(map(request, asked)))
        await asyncio.sleep(0.2)
        lengths = [len(each) for each in single]
        written = connection.wire.written
        assert len(written) == sum(lengths)
        for each, length in zip(single, lengths, strict=True):
            assert parts(written[:length]) == parts(each)
            written = written[length:]

    asyncio.run(ask())


def test_a_request_in_pieces_is_answered_once() -> None:
    message = request(KNOWN)

    async def ask() -> None:
        connection = Connection()
        whole = parts(await connection.ask(KNOWN))
        for cut in (1, 30, len(message) - 60, len(message) - 1):
            assert parts(await connection.send(message[:cut], message[cut:])) == whole
        chunked = message.replace(
            b"Content-Length: %d" % len(json.dumps(KNOWN)), b"Transfer-Encoding: chunked"
        )
        head, _, body = chunked.partition(b"\r\n\r\n")
        sent = head + b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        assert parts(await connection.send(sent)) == whole

    asyncio.run(ask())


def test_a_connection_that_ends_is_told_so() -> None:
    async def ask() -> None:
        connection = Connection()
        await connection.ask(KNOWN)
        answer = await connection.ask(KNOWN, "Connection: close")
        assert b"connection: close" in answer
        assert connection.wire.is_closed
        assert connection.tasks == 2

    asyncio.run(ask())


def test_a_bug_is_told_by_the_usual_way(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        connection = Connection()
        await connection.ask(KNOWN)

        def broken(*_: Any) -> None:
            raise RuntimeError("a bug")

        connection.service.engine.run = broken  # type: ignore[method-assign,assignment]
        another = {**KNOWN, "variables": {"id": organisation(2)[1:-1]}}
        assert parts(await connection.ask(another))[0].startswith(b"HTTP/1.1 500")

    asyncio.run(ask())
    assert "a bug" in caplog.text


def test_what_is_not_ready_answers_503() -> None:
    async def ask() -> None:
        connection = Connection()
        await connection.ask(KNOWN)
        connection.service.close()
        assert parts(await connection.ask(KNOWN))[0].startswith(b"HTTP/1.1 503")

    asyncio.run(ask())
