"""How a query is answered, told to those who may see it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.settings import Settings
from graph.store.patterns import find_patterns, read_prefixes
from tests.seeded import serve

PREFIXES = """\
PREFIX rz: <https://w3id.org/rhizome/ontology#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX org: <http://www.w3.org/ns/org#>
"""
QUERY = (
    PREFIXES
    + """\
SELECT ?name (COUNT(?tie) AS ?ties) WHERE {
  ?cluster a rz:Cluster ; skos:prefLabel ?name , ?other .
  OPTIONAL { ?tie org:member ?cluster }
  ?cluster rz:sector/skos:broader* ?sector .
  FILTER(STRLEN(?name) < 100)
} GROUP BY ?name ORDER BY ?name"""
)


@pytest.fixture(scope="module")
def http(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("explain") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, sparql_token_deadline_s=1.0) as client:
        yield client


def explain(http: TestClient, text: str, *scopes: str, value: str = "true") -> Any:
    tokens = http.app.state.service.tokens  # type: ignore[attr-defined]
    headers = {"Authorization": f"Bearer {tokens.create(scopes)[0]}"} if scopes else {}
    return http.get("/sparql", params={"query": text, "explain": value}, headers=headers)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT * { ?s ?p ?o }", ["?s ?p ?o"]),
        ("ASK { <a:s> <a:p> 'x'@en , \"y\" ; <a:q> 1 . }", [
            "<a:s> <a:p> 'x'", '<a:s> <a:p> "y"', "<a:s> <a:q> 1",
        ]),
        ("ASK { ?s a <a:C> . { ?t <a:p>/^<a:q>* ?u } }", [
            "?s a <a:C>", "?t <a:p>/^<a:q>* ?u",
        ]),
        ("ASK { ?s ^<a:p> ?o . ?s !(<a:p>|<a:q>) ?o . ?s (<a:p>|<a:q>)+ ?o }", [
            "?s ^<a:p> ?o", "?s !(<a:p>|<a:q>) ?o", "?s (<a:p>|<a:q>)+ ?o",
        ]),
        ("CONSTRUCT { ?s <a:x> ?o } WHERE { GRAPH ?g { ?s <a:p> [ <a:q> ?o ] } }", [
            "[…] <a:q> ?o", "?s <a:p> […]",
        ]),
        ("SELECT * { { SELECT ?s { ?s <a:p> ?o } } MINUS { ?s <a:q> ?o } VALUES ?s { <a:v> } }", [
            "?s <a:p> ?o", "?s <a:q> ?o",
        ]),
        ("DESCRIBE <a:s>", []),
    ],
)  # fmt: skip
def test_the_patterns_of_a_text_are_found(text: str, found: list[str]) -> None:
    assert [pattern.text for pattern in find_patterns(text, Settings())] == found


def test_prefixes_are_read_whatever_comments_say() -> None:
    text = "BASE <b:> # PREFIX no: <a:>\nPREFIX : <c:> prefix d: # x\n <e:f#>"
    assert read_prefixes(text) == {"": "c:", "d": "e:f#"}


def test_an_explanation_holds_text_run_and_engine(http: TestClient) -> None:
    told = explain(http, QUERY, "explain")
    assert told.status_code == 200
    assert told.headers["content-type"] == "application/json"
    assert told.headers["cache-control"] == "private, no-store"
    assert told.headers["rhizome-revision"] == "1"
    query, run, engine = (told.json()[part] for part in ("query", "run", "engine"))
    assert (query["form"], query["paths"], len(query["patterns"])) == ("SELECT", 1, 5)
    by_text = {pattern["pattern"]: pattern for pattern in query["patterns"]}
    assert by_text["?cluster a rz:Cluster"]["estimate"] > 10
    assert by_text["?tie org:member ?cluster"]["estimate"] > 10
    path = by_text["?cluster rz:sector/skos:broader* ?sector"]
    assert (path["isPath"], path["estimate"], path["line"]) == (True, None, 7)
    assert run["outcome"] == "answered"
    assert run["rows"] > 3
    assert run["lane"] in ("fast", "slow")
    assert run["bytes"] > 100
    assert engine["name"] == "Oxigraph"
    assert engine["planMs"] > 0
    assert engine["answerMs"] > 0


def test_estimates_are_counts_of_what_is_stated(http: TestClient) -> None:
    text = (
        PREFIXES + "SELECT * { ?s skos:prefLabel ?o . ?s rz:nothing ?x . ?s ?p ?y . "
        "<https://w3id.org/rhizome/id/network/plant-intercluster> skos:prefLabel ?n . "
        "?z a rz:Cluster }"
    )
    patterns = explain(http, text, "explain").json()["query"]["patterns"]
    labels, nothing, any_, one, clusters = (pattern["estimate"] for pattern in patterns)

    def count(pattern: str) -> int:
        graphs = f"SELECT (COUNT(*) AS ?n) {{ GRAPH ?g {{ {pattern} }} }}"
        found = http.get("/sparql", params={"query": PREFIXES + graphs}).json()
        return int(found["results"]["bindings"][0]["n"]["value"])

    assert labels == count("?s skos:prefLabel ?o")
    assert nothing == 0
    assert any_ == count("?s ?p ?o")
    merged = "SELECT ?s { ?s a rz:Cluster }"
    rows = http.get("/sparql", params={"query": PREFIXES + merged}).json()["results"]["bindings"]
    assert len(rows) <= clusters <= count("?s a rz:Cluster")
    assert 0 < one < labels


def test_a_query_that_fails_is_explained_too(http: TestClient) -> None:
    told = explain(http, "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?c", "explain")
    assert told.status_code == 200
    run = told.json()["run"]
    assert run["outcome"] in ("QUERY_TIMEOUT", "QUERY_MEMORY")
    assert run["error"]["code"] == run["outcome"]
    assert run["deadlineMs"] == 1000


def test_only_those_may_see_it_who_may(http: TestClient) -> None:
    assert explain(http, QUERY).status_code == 401
    answer = explain(http, QUERY, "write")
    assert (answer.status_code, answer.json()["scope"]) == (403, "explain")
    assert explain(http, QUERY, "explain", value="yes").status_code == 400
    assert "results" in explain(http, QUERY, "explain", value="false").json()
    refused = explain(http, "SELECT * { SERVICE <http://e/> {} }", "explain")
    assert (refused.status_code, refused.json()["code"]) == (400, "QUERY_SYNTAX")
