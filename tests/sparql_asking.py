"""The SPARQL endpoint with real workers, and which queries they were given."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.store.pool import Pool
from graph.store.query import Answer, Query

JSON = "application/sparql-results+json"


class Endpoint:
    """The endpoint with real workers; `ran` are the queries that they were given.

    So many bytes of answers are kept, none of the test before.
    """

    def __init__(
        self, http: TestClient, monkeypatch: pytest.MonkeyPatch, kept: int = 10_000_000
    ) -> None:
        self.http = http
        self.service = http.app.state.service  # type: ignore[attr-defined]
        self.ran: list[str] = []
        pool: Pool = self.service.pool
        run = pool.query

        async def noted(query: Query, min_revision: int = 0) -> Answer:
            self.ran.append(query.text)
            return await run(query, min_revision)

        monkeypatch.setattr(pool, "query", noted)
        monkeypatch.setattr(self.service, "tables", type(self.service.tables)(kept))

    def post(self, text: str, accept: str = JSON, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post("/sparql", data={"query": text}, headers={"Accept": accept, **named})

    def get(self, text: str, accept: str = JSON, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        params = {"query": text}
        return self.http.get("/sparql", params=params, headers={"Accept": accept, **named})
