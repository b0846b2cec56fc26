"""SPARQL answers that are kept: the same bytes, until the data changes, and never of others."""

from __future__ import annotations

import gzip
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.store.query import Answer, Query
from graph.terms import ENTITY
from tests.seeded import serve
from tests.sparql_asking import JSON, Endpoint
from tests.writing import Client, name

POINT = "SELECT ?n { <https://w3id.org/rhizome/id/network/plant-intercluster> ?p ?n } ORDER BY ?n"
NAMES = "SELECT ?c { ?c a <https://w3id.org/rhizome/ontology#Cluster> } ORDER BY ?c"
_numbers = itertools.count()


class Asked(Endpoint):
    """The endpoint, asked for one node where nothing is said."""

    def post(self, text: str = POINT, accept: str = JSON, **headers: str) -> Any:
        return super().post(text, accept, **headers)

    def get(self, text: str = POINT, accept: str = JSON, **headers: str) -> Any:
        return super().get(text, accept, **headers)

    def commit(self) -> str:
        """Add a cluster, and return its IRI once SPARQL sees it."""
        number = next(_numbers)
        created = Client(self.http, f"kept-{number}").create(name(f"Kept {number}"))
        assert created["accepted"], created
        least = str(created["revision"])
        assert self.get("ASK {}", Rhizome_Min_Revision=least).status_code == 200
        self.ran.clear()
        return str(created["id"])


@pytest.fixture(scope="module")
def http(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("kept") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, rate_api=0, rate_query_s=0, revision_wait_s=0.3) as http:
        yield http


@pytest.fixture
def asked(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(http, monkeypatch)


def test_the_same_query_is_run_once_for_a_revision(asked: Asked) -> None:
    first, second = asked.post(), asked.post()
    assert (first.content, first.headers) == (second.content, second.headers)
    assert asked.get().content == first.content
    assert asked.ran == [POINT]


def test_after_a_commit_it_is_run_anew(asked: Asked) -> None:
    before = asked.post(NAMES)
    added = asked.commit()
    after = asked.post(NAMES)
    assert asked.ran == [NAMES]
    assert added in after.text
    assert added not in before.text
    revisions = [int(each.headers["rhizome-revision"]) for each in (before, after)]
    assert revisions[1] == revisions[0] + 1


@pytest.mark.parametrize("call", ["NOW()", "rand()", "Uuid()", "STRUUID()", "BNODE()"])
def test_time_and_chance_are_asked_anew(asked: Asked, call: str) -> None:
    text = f"SELECT ({call} AS ?x) {{}}"
    assert asked.post(text).status_code == asked.post(text).status_code == 200
    assert asked.ran == [text, text]
    assert len(asked.service.tables) == 0


def test_words_in_texts_and_names_are_not_calls(asked: Asked) -> None:
    text = 'SELECT ?now { ?now ?rand "NOW() RAND()" } # UUID()'
    asked.post(text)
    asked.post(text)
    assert asked.ran == [text]


@pytest.mark.parametrize("wish", ["no-cache", "max-age=0, No-Cache", "no-store"])
def test_who_wants_nothing_kept_gets_it_anew(asked: Asked, wish: str) -> None:
    asked.post()
    assert asked.post(Cache_Control=wish).status_code == 200
    assert asked.ran == [POINT, POINT]


def test_who_has_a_token_neither_reads_nor_fills_it(asked: Asked) -> None:
    bearer = f"Bearer {Client(asked.http, 'reader', 'changes').text}"
    asked.post(Authorization=bearer)
    assert len(asked.service.tables) == 0
    asked.post()
    answer = asked.post(Authorization=bearer)
    assert answer.headers["cache-control"] == "private, no-store"
    assert len(asked.ran) == 3


def test_formats_and_graphs_are_kept_apart(asked: Asked) -> None:
    graph = f"{ENTITY}source/eccp-plant-intercluster"
    for accept in (JSON, "application/json", "text/csv", "application/sparql-results+xml"):
        assert asked.post(accept=accept).headers["content-type"].startswith(accept)
    sizes = set()
    for field in ({}, {"default-graph-uri": graph}, {"named-graph-uri": graph}):
        data = {"query": "SELECT * { ?s ?p ?o }", **field}
        sizes.add(len(asked.http.post("/sparql", data=data, headers={"Accept": JSON}).content))
    assert len(sizes) == 3
    assert len(asked.ran) == 7
    page = asked.get(accept="text/html")
    assert page.text.startswith("<!")
    assert len(asked.ran) == 8


@pytest.mark.parametrize("text", ["SELECT", "SELECT ?x { ?x ex:p 1 }", "SELECT (1/0 AS ?x { }"])
def test_errors_are_not_kept(asked: Asked, text: str) -> None:
    assert asked.post(text).status_code == asked.post(text).status_code == 400
    assert len(asked.service.tables) == 0


def test_nothing_kept_is_told_of_a_store_in_doubt(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.post()
    follower = asked.service.dataset._follower
    monkeypatch.setattr(follower, "_doubt", "a test")
    assert asked.post().status_code == 503
    monkeypatch.setattr(follower, "_doubt", None)
    assert asked.post().status_code == 200
    assert asked.ran == [POINT, POINT]  # it was asked, and the worker refused
    monkeypatch.setattr(follower, "doubts", follower.doubts + 1)
    assert asked.post().status_code == 200
    assert len(asked.ran) == 3


def test_a_revision_to_come_is_not_answered_with_an_older_one(
    asked: Asked,
) -> None:
    first = asked.post()
    seen = int(first.headers["rhizome-revision"])
    assert asked.post(Rhizome_Min_Revision=str(seen)).status_code == 200
    assert len(asked.ran) == 1
    assert asked.post(Rhizome_Min_Revision=str(seen + 1)).status_code == 503


def test_an_answer_that_the_client_has_is_not_sent_again(asked: Asked) -> None:
    first = asked.get()
    tag = first.headers["etag"]
    again = asked.get(If_None_Match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["vary"] == first.headers["vary"]
    assert "etag" not in asked.post().headers
    asked.commit()
    unchanged = asked.get(If_None_Match=tag)  # other data, and the same answer
    assert (unchanged.status_code, asked.ran) == (304, [POINT])
    assert asked.get(NAMES, If_None_Match=tag).status_code == 200


def test_large_answers_are_compressed_where_it_is_taken(asked: Asked) -> None:
    text = "SELECT * { ?s ?p ?o } LIMIT 500"
    plain = asked.get(text, Accept_Encoding="identity")
    assert "content-encoding" not in plain.headers
    url = f"/sparql?{plain.request.url.query.decode()}"
    with asked.http.stream("GET", url, headers={"Accept": JSON, "Accept-Encoding": "gzip"}) as raw:
        assert raw.headers["content-encoding"] == "gzip"
        packed = b"".join(raw.iter_raw())
    assert len(packed) < len(plain.content) // 3
    assert gzip.decompress(packed) == plain.content
    assert "content-encoding" not in asked.get("ASK {}", Accept_Encoding="gzip").headers
    assert "Accept-Encoding" in plain.headers["vary"]


def test_the_graphs_that_are_named_count_as_what_is_held(asked: Asked) -> None:
    graphs = [f"{ENTITY}source/{number}-{'x' * 500}" for number in range(16)]
    data = {"query": "ASK {}", "default-graph-uri": graphs}
    assert asked.http.post("/sparql", data=data, headers={"Accept": JSON}).status_code == 200
    assert len(asked.service.tables) == 1
    assert asked.service.tables.bytes_held > 4 * sum(map(len, graphs))


def test_a_long_answer_of_another_server_is_neither_kept_nor_tagged(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"head":{},"boolean":true}' + b" " * 300_000

    async def answered(query: Query, min_revision: int = 0) -> Answer:
        del query, min_revision
        return Answer(body, asked.service.pool.revision, 1, False, 0.0)

    monkeypatch.setattr(asked.service.pool, "query", answered)
    answer = asked.get("ASK {}", Accept_Encoding="gzip")
    assert answer.content == body
    assert {"etag", "content-encoding"}.isdisjoint(answer.headers)
    assert len(asked.service.tables) == 0


def test_one_answer_by_two_names_has_two_tags(asked: Asked) -> None:
    assert asked.get().headers["etag"] != asked.get(accept="application/json").headers["etag"]


def test_pages_of_other_origins_may_ask_anew(asked: Asked) -> None:
    headers = {
        "Origin": "https://other.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "cache-control",
    }
    answer = asked.http.options("/sparql", headers=headers)
    assert "Cache-Control" in answer.headers["access-control-allow-headers"]


def test_what_comes_in_parts_is_not_kept(asked: Asked) -> None:
    text = "SELECT * { ?s ?p ?o }"
    first, second = asked.post(text), asked.post(text)
    # Without an order, rows may come in another one from another worker.
    assert sorted(first.content) == sorted(second.content)
    assert len(first.content) > 256 * 1024
    assert asked.ran == [text, text]


def test_an_explanation_is_of_a_run(asked: Asked) -> None:
    asked.post()
    bearer = f"Bearer {Client(asked.http, 'explainer', 'explain').text}"
    headers = {"Authorization": bearer}
    told = asked.http.post("/sparql?explain=true", data={"query": POINT}, headers=headers)
    assert told.json()["run"]["outcome"] == "answered"
    assert len(asked.ran) == 2


def test_nothing_is_kept_where_the_setting_says_so(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked.service, "tables", type(asked.service.tables)(0))
    asked.post()
    asked.post()
    assert asked.ran == [POINT, POINT]
