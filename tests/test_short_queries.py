"""Short SPARQL queries are answered without a worker, and as a worker would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from schema.questions import load_questions
from tests.seeded import serve
from tests.sparql_asking import JSON, Endpoint
from tests.writing import Client, name

PREFIXES = (
    "PREFIX rz: <https://w3id.org/rhizome/ontology#>\n"
    "PREFIX skos: <http://www.w3.org/2004/02/skos/core#>\n"
)
NETWORK = "<https://w3id.org/rhizome/id/network/plant-intercluster>"
NAME = f"{PREFIXES}SELECT ?name {{ {NETWORK} skos:prefLabel ?name }}"
NAMES = f"{PREFIXES}SELECT ?c ?name {{ ?c a rz:Cluster ; skos:prefLabel ?name }}"


class Asked(Endpoint):
    """The endpoint, which keeps no answers."""

    def __init__(self, http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(http, monkeypatch, kept=0)

    def rows(self, text: str) -> list[Any]:
        """The rows of an answer, in an order of ours."""
        found: list[Any] = self.post(text).json()["results"]["bindings"]
        return sorted(found, key=repr)


@pytest.fixture(scope="module")
def http(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("short") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder) as http:
        yield http


@pytest.fixture
def asked(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(http, monkeypatch)


@pytest.mark.parametrize("text", [NAME, NAMES, f"ASK {{ {NETWORK} ?p ?o }}"])
def test_a_worker_would_say_the_same(asked: Asked, text: str) -> None:
    here = asked.post(text)
    assert asked.ran == []
    there = asked.post(f"{text} OFFSET 0")
    assert len(asked.ran) == 1
    assert here.headers.keys() == there.headers.keys()
    for header in ("content-type", "rhizome-revision", "vary", "cache-control"):
        assert here.headers[header] == there.headers[header]
    if "boolean" in here.json():
        assert here.json() == there.json()
    else:
        assert asked.rows(text) == asked.rows(f"{text} OFFSET 0") != []
        assert here.json()["head"] == there.json()["head"]


def test_a_commit_is_seen_when_the_workers_see_it(asked: Asked) -> None:
    created = Client(asked.http, "short").create(name("Short"))
    least = str(created["revision"])
    text = f"{PREFIXES}SELECT ?name {{ <{created['id']}> skos:prefLabel ?name }}"
    answer = asked.post(text, Rhizome_Min_Revision=least)
    assert answer.json()["results"]["bindings"][0]["name"]["value"] == "Short"
    assert answer.headers["rhizome-revision"] >= least
    asked.ran.clear()
    again = asked.post(text)  # the workers stand there now
    assert (again.json(), asked.ran) == (answer.json(), [])


@pytest.mark.parametrize(
    ("text", "accept", "more"),
    [
        (NAME, "text/csv", {}),
        (NAME, JSON, {"default-graph-uri": "urn:x"}),
        (NAME, JSON, {"named-graph-uri": "urn:x"}),
        (NAME.replace("{", "FROM <urn:x> {", 1), JSON, {}),
        (f"{NAME} LIMIT 1", JSON, {}),
        ("SELECT * { ?s ?p ?o }", JSON, {}),
    ],
)
def test_all_others_are_the_workers(
    asked: Asked, text: str, accept: str, more: dict[str, str]
) -> None:
    sent = {"query": text, **more}
    answer = asked.http.post("/sparql", data=sent, headers={"Accept": accept})
    assert answer.status_code == 200
    assert len(asked.ran) == 1


def test_in_doubt_nothing_is_answered(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked.service.dataset._follower, "_doubt", "a test")
    assert asked.post(NAME).status_code == 503


def test_an_explanation_is_the_workers(asked: Asked) -> None:
    bearer = f"Bearer {Client(asked.http, 'explainer', 'explain').text}"
    data, headers = {"query": NAME}, {"Authorization": bearer}
    answer = asked.http.post("/sparql?explain=true", data=data, headers=headers)
    assert answer.json()["engine"]["name"] == "Oxigraph"


def test_the_setting_turns_it_off(
    seeded_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(seeded_store, tmp_path / "store")
    with serve(tmp_path / "store", sparql_inline_steps=0) as http:
        asked = Asked(http, monkeypatch)
        assert asked.post(NAME).json()["results"]["bindings"]
        assert asked.ran == [NAME]


def test_the_questions_of_the_library_are_answered_as_before(asked: Asked) -> None:
    """Some of them are short: the answers in `seeds/questions` hold for both ways."""
    texts = [q.sparql(table) for q in load_questions() for table in q.tables if table.sparql]
    for text in texts:
        assert asked.post(text).status_code == 200
    assert len(asked.ran) <= len(texts)
