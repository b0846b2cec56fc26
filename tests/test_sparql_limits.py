"""SPARQL over HTTP under small limits: deadlines, queues, rates, clients that leave."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from starlette.applications import Starlette

from graph.access import Viewer
from graph.settings import Settings
from graph.store.workers import QueryPool
from tests.pools import RUNAWAY, Source, is_alive, pids, until
from tests.stores import History, many
from web import sparql
from web.answers import AnswerCache
from web.limits import Limiter
from web.problems import handlers


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    history = History(tmp_path_factory.mktemp("http") / "oxigraph")
    history.apply(many(2_000))
    yield history
    history.store.close()


class Served:
    """The route on a small store, asked inside one event loop."""

    def __init__(self, history: History, **settings: Any) -> None:
        chosen = {"rate_api": 0, "rate_query_s": 0.0, "sparql_deadline_s": 0.8, **settings}
        self.settings = Settings(**chosen)
        self.pool = QueryPool(self.settings, Source(history))
        self.app = Starlette(routes=sparql.routes(), exception_handlers=handlers())

        async def pool_for(viewer: Viewer) -> QueryPool:
            del viewer
            return self.pool

        self.app.state.service = SimpleNamespace(
            settings=self.settings,
            pool=self.pool,
            pool_for=pool_for,
            public_revision=1,
            has_other_licences=False,
            limiter=Limiter(self.settings),
            tables=AnswerCache(0),
            revision=1,
            version="0.1.0",
            is_plain=False,
            sparql_revision=0,
            match=lambda *_: None,
            base_of=lambda _: None,
        )

    async def __aenter__(self) -> Served:
        await self.pool.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pool.close()

    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def get(
        self, text: str, leave_after_s: float | None = None, accept: bytes | None = None
    ) -> tuple[int, bytes]:
        """Status and body; the client leaves after some seconds, if any are given."""
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/sparql",
            "query_string": f"query={quote(text)}".encode(),
            "headers": [] if accept is None else [(b"accept", accept)],
            "client": ("192.0.2.1", 1),
            "app": self.app,
        }
        sent: list[dict[str, Any]] = []
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.sleep(1e6 if leave_after_s is None else leave_after_s)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        self.headers = tuple(sent[0]["headers"])
        return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


def test_a_runaway_is_a_problem_and_never_half_an_answer(history: History) -> None:
    async def main() -> None:
        async with Served(history) as served:
            started = time.monotonic()
            status, body = await served.get(RUNAWAY)
            problem = json.loads(body)
            assert (status, problem["code"], problem["deadline_s"]) == (504, "QUERY_TIMEOUT", 0.8)
            # Sorting a product meets its deadline or, on a fast machine, its memory first.
            status, body = await served.get("SELECT * { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f")
            problem = json.loads(body)
            assert (status, problem["code"]) in {(504, "QUERY_TIMEOUT"), (503, "QUERY_MEMORY")}
            assert time.monotonic() - started < 20
            assert (await served.get("ASK {}"))[0] == 200

    asyncio.run(main())


def test_when_the_client_leaves_its_query_ends(history: History) -> None:
    async def main() -> None:
        async with Served(history, sparql_fast_s=60.0, sparql_deadline_s=60.0) as served:
            await until(lambda: len(pids(served.pool)) == 5)
            before = pids(served.pool)
            started = time.monotonic()
            status, _ = await served.get(RUNAWAY, leave_after_s=0.2)
            assert status == 499
            assert time.monotonic() - started < 20
            await until(lambda: sum(map(is_alive, before)) == 4)
            assert (await served.get("ASK {}"))[0] == 200

    asyncio.run(main())


def test_a_full_queue_is_said_at_once(history: History) -> None:
    async def main() -> None:
        changes = {"sparql_queue": 1, "sparql_queue_s": 0.3, "sparql_fast_s": 60.0}
        async with Served(history, **changes) as served:
            answers = await asyncio.gather(*(served.get(RUNAWAY) for _ in range(5)))
            assert sorted({status for status, _ in answers}) == [503, 504]
            for status, body in answers:
                if status == 503:
                    assert json.loads(body)["code"] == "STORE_UNAVAILABLE"

    asyncio.run(main())


def test_query_time_is_rationed(history: History) -> None:
    async def main() -> None:
        async with Served(history, rate_query_s=0.5) as served:
            assert (await served.get(RUNAWAY))[0] == 504
            status, body = await served.get("ASK {}")
            assert status == 429
            assert json.loads(body)["limit"] == "rate_query_s"
            for accept in (b"application/json", b"text/html"):
                assert (await served.get("ASK {}", accept=accept))[0] == 429
                assert int(dict(served.headers)[b"retry-after"]) >= 1

    asyncio.run(main())
