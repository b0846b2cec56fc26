"""GraphQL over HTTP: media types, status codes, and what a browser sees."""

from __future__ import annotations

import asyncio
import gzip
import json
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from graph.access import Viewer, anonymous
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from schema.execute import Engine
from schema.loading import load_schema
from tests.asking import small_dataset
from tests.snapshots import commit_of
from web import graphql
from web.answers import AnswerCache
from web.documents import Documents
from web.limits import Limiter
from web.problems import handlers

QUERY = "{ clusters(first: 1) { nodes { name } } }"
ANSWER = {"data": {"clusters": {"nodes": [{"name": "Cluster zero"}]}}}


@pytest.fixture(scope="module")
def client() -> TestClient:
    model = load_model()
    settings = Settings()
    snapshot = build_snapshot(model, [commit_of(small_dataset(), (), None)])

    def snapshot_for(viewer: Viewer) -> Any:
        assert viewer.name == "anonymous"
        return snapshot

    app = Starlette(routes=graphql.routes(), exception_handlers=handlers())
    app.state.service = SimpleNamespace(
        settings=settings,
        limiter=Limiter(Settings(rate_query_s=0.0)),
        visitor=anonymous(settings),
        languages=settings.language_chain,
        answers=AnswerCache(0),
        documents=Documents(0),
        model=model,
        engine=Engine(model, load_schema(model), settings),
        dataset=SimpleNamespace(snapshot_for=snapshot_for, snapshot=snapshot),
        revision=1,
        public_revision=1,
        has_other_licences=False,
        version="0.1.0",
    )
    return TestClient(app, raise_server_exceptions=False)


def test_post_and_get_answer_alike(client: TestClient) -> None:
    posted = client.post("/graphql", json={"query": QUERY})
    got = client.get("/graphql", params={"query": QUERY})
    assert posted.status_code == got.status_code == 200
    assert posted.json() == got.json() == ANSWER
    assert posted.headers["content-type"] == "application/json; charset=utf-8"
    assert "Accept" in posted.headers["vary"]


def test_variables_operation_and_languages(client: TestClient) -> None:
    query = (
        "query A { revision } query B($id: ID!, $on: Boolean = false) "
        "{ cluster(id: $id) { name revisionless: acronym @include(if: $on) } }"
    )
    variables = {"id": "https://w3id.org/rhizome/id/organisation/o0"}
    body = {"query": query, "operationName": "B", "variables": variables, "extensions": {}}
    french = {"Accept-Language": "fr-CA,en;q=0.5,*;q=0.1"}
    answer = client.post("/graphql", json=body, headers=french)
    assert answer.json() == {"data": {"cluster": {"name": "Grappe 0"}}}
    params = {"query": query, "operationName": "A", "variables": json.dumps(variables)}
    assert client.get("/graphql", params=params).json() == {"data": {"revision": 1}}


@pytest.mark.parametrize(
    ("query", "as_json", "as_graphql"),
    [
        (QUERY, 200, 200),
        ("{ nope }", 200, 400),
        ("{", 200, 400),
        ("{ clusters(first: 501) { totalCount } }", 400, 400),
        ("{" + "a{" * 5000, 400, 400),
    ],
)
def test_status_follows_the_media_type(
    client: TestClient, query: str, as_json: int, as_graphql: int
) -> None:
    body = {"query": query}
    assert client.post("/graphql", json=body).status_code == as_json
    answer = client.post("/graphql", json=body, headers={"Accept": graphql.GRAPHQL})
    assert answer.status_code == as_graphql
    assert answer.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert ("data" in answer.json()) == (as_graphql == 200)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'[{"query": "{ revision }"}]', "application/json", 400),
        (b'"{ revision }"', "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"query": 1}', "application/json", 400),
        (b'{"query": " "}', "application/json", 400),
        (b'{"query": "{ revision }", "variables": []}', "application/json", 400),
        (b'{"query": "{ revision }", "operationName": 7}', "application/json", 400),
        (b'{"query": "{ revision }", "extensions": []}', "application/json", 400),
        (b'{"query": "\xff"}', "application/json", 400),
        (b'{"query": "{ revision }"}', "text/plain", 415),
        (b'{"query": "{ revision }"}', "application/json; charset=utf-16", 415),
        (b"query={revision}", "application/x-www-form-urlencoded", 415),
        (b'{"query": "{ revision }"}', "application/json;charset=UTF-8", 200),
        (b'{"query": "{ revision }"}', "application/json; x=y; charset=utf-8", 200),
        (b'{"query": "{ revision }"}', "application/json; x=y; charset=utf-16", 415),
    ],
)
def test_bodies_that_are_no_request(
    client: TestClient, content: bytes, content_type: str, status: int
) -> None:
    answer = client.post("/graphql", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("encoding", "status"), [("gzip", 415), ("identity", 200), ("x" * 99, 415)]
)
def test_a_compressed_request_is_refused_by_its_name(
    client: TestClient, encoding: str, status: int
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    content = b'{"query": "{ revision }"}'
    packed = gzip.compress(content) if encoding == "gzip" else content
    answer = client.post("/graphql", content=packed, headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert "Content-Encoding" in answer.json()["detail"]


def test_what_cannot_be_sent_by_get(client: TestClient) -> None:
    params = {"query": QUERY, "variables": "{"}
    assert client.get("/graphql", params=params).status_code == 400
    assert client.get("/graphql").status_code == 400
    assert client.get("/graphql", headers={"Accept": "image/png"}).status_code == 406
    assert client.put("/graphql").status_code == 405


@pytest.mark.parametrize(
    ("query", "is_dear"),
    [
        ("{ clusters(first: 1) { nodes { name } } }", False),
        ('{ clusters(where: {name: {eq: "x"}}) { totalCount } }', False),
        ("{ __schema { types { name } } }", True),
    ],
)
def test_only_dear_queries_run_in_a_thread(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, query: str, is_dear: bool
) -> None:
    engine = client.app.state.service.engine  # type: ignore[attr-defined]
    client.post("/graphql", json={"query": query})  # preparing a new document is one for a thread
    seen: list[bool] = []
    run = engine.run

    def watched(prepared: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            seen.append(True)
        else:
            seen.append(False)
        return run(prepared)

    monkeypatch.setattr(engine, "run", watched)
    assert client.post("/graphql", json={"query": query}).status_code == 200
    assert seen == [is_dear]


def test_head_answers_like_get(client: TestClient) -> None:
    asked = client.head("/graphql", params={"query": QUERY})
    assert (asked.status_code, asked.headers["content-type"]) == (
        200,
        "application/json; charset=utf-8",
    )


def test_the_sdl_is_served_with_a_tag(client: TestClient) -> None:
    answer = client.get("/schema.graphql")
    assert answer.text.startswith("# Generated")
    assert "type Cluster implements" in answer.text
    again = client.get("/schema.graphql", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_browser_gets_a_form_that_works_without_script(client: TestClient, language: str) -> None:
    headers = {"Accept": "text/html,*/*;q=0.8"}
    page = client.get("/graphql", params={"lang": language}, headers=headers)
    assert page.status_code == 200
    assert f'<html lang="{language}">' in page.text
    assert page.text.count('name="query"') == 4  # the form and three worked questions
    params = {"lang": language, "query": QUERY, "variables": ""}
    answered = client.get("/graphql", params=params, headers=headers)
    assert "Cluster zero" in answered.text
    hostile = {**params, "query": "{ </textarea><script>alert(1)</script> }"}
    assert "<script>alert" not in client.get("/graphql", params=hostile, headers=headers).text
