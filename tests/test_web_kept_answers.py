"""GraphQL answers over HTTP: tagged, compressed, kept; documents named by their hash."""

from __future__ import annotations

import asyncio
import gzip
import threading
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from starlette.testclient import TestClient

from graph.access import anonymous
from graph.errors import StoreUnavailableError
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from schema.execute import Engine
from schema.loading import load_schema
from tests.asking import small_dataset
from tests.snapshots import commit_of
from web import graphql as web_graphql
from web.answers import AnswerCache
from web.app import Application, list_routes
from web.documents import Documents, hash_document
from web.graphql import GRAPHQL
from web.graphql_request import preferred_languages
from web.lanes import Lane
from web.limits import Limiter

QUERY = "{ clusters(first: 1) { nodes { name } } }"
LARGE = "{ organisations { nodes { id name types revised: types again: id } } }"
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


class Asked:
    """The endpoint on a small dataset; `runs` counts what was executed."""

    def __init__(self, **settings_: Any) -> None:
        model, settings = load_model(), Settings(rate_api=0, **settings_)
        self.commits = [commit_of(small_dataset(), (), None)]
        self.snapshot = build_snapshot(model, self.commits)
        engine = Engine(model, load_schema(model), settings)
        self.runs = 0
        run = engine.run

        def counted(prepared: Any) -> Any:
            self.runs += 1
            return run(prepared)

        engine.run = counted  # type: ignore[method-assign]
        service: Any = SimpleNamespace(
            settings=settings,
            limiter=Limiter(settings),
            visitor=anonymous(settings),
            languages=settings.language_chain,
            answers=AnswerCache(settings.graphql_cache_mb * 1_000_000),
            documents=Documents(1_000),
            model=model,
            engine=engine,
            dataset=SimpleNamespace(snapshot_for=lambda viewer: self.snapshot),
            revision=self.snapshot.revision,
            public_revision=self.snapshot.revision,
            version="0.1.0",
        )
        self.service = service
        self.client = TestClient(Application(service, routes=list_routes()))

    def post(self, body: Any = None, **headers: str) -> Any:
        return self.client.post("/graphql", json=body or {"query": QUERY}, headers=headers)

    def get(self, query: str = QUERY, **headers: str) -> Any:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get("/graphql", params={"query": query}, headers=names)

    def commit(self) -> None:
        """Let the service be at another revision, with other data."""
        removed = [quad for quad in small_dataset() if "Cluster zero" in quad[2]]
        self.commits.append(commit_of((), removed, self.commits[-1]))
        self.snapshot = build_snapshot(self.service.model, self.commits)
        self.service.revision = self.snapshot.revision


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_the_same_request_is_answered_once_for_a_revision(asked: Asked) -> None:
    first, second = asked.post(), asked.post()
    assert asked.runs == 1
    assert (first.content, first.headers) == (second.content, second.headers)
    asked.commit()
    assert asked.post().content != first.content
    assert asked.runs == 2


def test_who_wants_nothing_kept_has_it_made_anew(asked: Asked) -> None:
    first = asked.post()
    again = asked.post(**{"Cache-Control": "no-cache"})
    assert (asked.runs, again.content) == (2, first.content)
    assert asked.get(Cache_Control="max-age=0, no-store").content == first.content
    assert asked.runs == 3
    assert asked.post(**{"Cache-Control": "max-stale"}).content == first.content
    assert asked.runs == 3


@pytest.mark.parametrize(
    "headers",
    [{"Accept": GRAPHQL}, {"Accept-Language": "fr"}, {"Content-Type": "application/json "}],
)
def test_what_depends_on_headers_is_kept_apart(asked: Asked, headers: dict[str, str]) -> None:
    asked.post()
    other = asked.post(**headers)
    assert asked.runs == 2
    if "Accept" in headers:
        assert other.headers["content-type"].startswith(GRAPHQL)
    if "Accept-Language" in headers:
        assert "Grappe 0" in other.text


@pytest.mark.parametrize("query", ["{ nope }", "{", '{ cluster(id: "x") { name(lang: 1) } }'])
def test_errors_are_not_kept(asked: Asked, query: str) -> None:
    first, second = asked.post({"query": query}), asked.post({"query": query})
    assert first.content == second.content
    assert len(asked.service.answers) == 0


def test_a_long_request_is_not_kept(asked: Asked) -> None:
    asked.post({"query": QUERY + " " * 20_000})
    assert len(asked.service.answers) == 0


def test_an_answer_that_the_client_has_is_not_sent_again(asked: Asked) -> None:
    first = asked.get()
    tag = first.headers["etag"]
    again = asked.get(If_None_Match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "content-type" not in again.headers
    assert again.headers["vary"] == first.headers["vary"]
    assert asked.get(If_None_Match='"other"').status_code == 200
    asked.commit()
    assert asked.get(If_None_Match=tag).status_code == 200
    assert "etag" not in asked.post().headers
    assert "etag" not in asked.get("{ nope }", Accept=GRAPHQL).headers


def test_large_answers_are_compressed_where_it_is_taken(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_graphql, "COMPRESSED_BYTES", 100)
    plain, packed = asked.get(LARGE, **PLAIN), asked.get(LARGE, **GZIP)
    assert asked.runs == 1
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.content == plain.content  # the client unpacked it
    assert packed.headers["etag"] == plain.headers["etag"]
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in asked.get("{ revision }", **GZIP).headers
    assert "Accept-Encoding" in plain.headers["vary"]
    raw = asked.client.stream("GET", "/graphql", params={"query": LARGE}, headers=GZIP)
    with raw as stream:
        assert gzip.decompress(b"".join(stream.iter_raw())) == plain.content


def test_long_headers_are_neither_kept_nor_read_to_their_end(asked: Asked) -> None:
    many = ",".join(f"en-{n}" for n in range(5_000))
    assert asked.post(**{"Accept-Language": f"{many},fr"}).json() == asked.post().json()
    assert len(asked.service.answers) == 1
    assert len(preferred_languages(many, ("en", "fr"))) == 22


def test_dear_queries_use_up_the_address_s_query_time() -> None:
    asked = Asked(graphql_inline_cost=0, rate_query_s=1e-6, graphql_cache_mb=0)
    assert asked.post({"query": "{ revision }"}).status_code == 200  # costs nothing
    assert asked.post().status_code == 200
    refused = asked.post()
    assert refused.status_code == 429
    assert refused.json()["limit"] == "rate_query_s"
    assert asked.post({"query": "{ revision }"}).status_code == 200


def test_a_full_lane_says_so_at_once() -> None:
    async def main() -> None:
        lane, go = Lane("dear queries", 1), threading.Event()
        running = [asyncio.create_task(lane.run(go.wait, 2)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(StoreUnavailableError, match="too many dear queries wait"):
            await lane.run(go.wait, 2)
        go.set()
        assert await asyncio.gather(*running) == [True] * 3

    asyncio.run(main())


class TestDocuments:
    DIGEST = hash_document(QUERY)
    BY_HASH: ClassVar[dict[str, Any]] = {
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": DIGEST}}
    }

    def test_an_unknown_hash_is_told_as_clients_expect_it(self, asked: Asked) -> None:
        answer = asked.post(self.BY_HASH)
        assert answer.status_code == 200
        (error,) = answer.json()["errors"]
        assert error["message"] == "PersistedQueryNotFound"
        assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        assert asked.post(self.BY_HASH, Accept=GRAPHQL).status_code == 404

    def test_a_text_sent_once_is_known_by_its_hash(self, asked: Asked) -> None:
        told = asked.post({"query": QUERY, **self.BY_HASH})
        assert asked.post(self.BY_HASH).content == told.content
        assert asked.post({"documentId": f"sha256:{self.DIGEST}"}).content == told.content
        params = {"documentId": self.DIGEST}
        assert asked.client.get("/graphql", params=params).content == told.content
        asked.commit()
        assert asked.post(self.BY_HASH).content != told.content

    def test_a_text_that_is_not_valid_is_not_learned(self, asked: Asked) -> None:
        for text in ("{ nope }", "{"):
            asked.post({"query": text, "documentId": hash_document(text)})
        asked.post()  # without a hash
        assert len(asked.service.documents) == 0

    def test_a_text_under_another_hash_is_refused(self, asked: Asked) -> None:
        answer = asked.post({"query": "{ revision }", **self.BY_HASH})
        assert answer.status_code == 400
        assert len(asked.service.documents) == 0
