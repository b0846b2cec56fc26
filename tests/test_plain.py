"""A bare SPARQL server: what it keeps, what it names, what it refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.store.plain import PlainStore
from tests.seeded import make_settings
from tests.test_sparql import QUERY, UPDATE, assert_problem, count
from web.plain import FOLDER, PlainApplication, PlainService
from web.service_description import LIMITS

COUNT = "SELECT (COUNT(*) AS ?n) { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"
TURTLE = {"Content-Type": "text/turtle"}


@contextmanager
def serve(folder: Path, **settings: Any) -> Iterator[TestClient]:
    chosen = make_settings(folder, **settings)
    service = PlainService(chosen, PlainStore(chosen.store / FOLDER, chosen))
    with TestClient(PlainApplication(service), raise_server_exceptions=False) as client:
        deadline = time.monotonic() + 60
        while client.get("/ready").status_code != 200:
            assert time.monotonic() < deadline, service.stage
            time.sleep(0.02)
        yield client


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[TestClient]:
    with serve(tmp_path / "store") as client:
        yield client


def update(client: TestClient, text: str, **headers: str) -> Any:
    return client.post("/sparql", content=text, headers={"Content-Type": UPDATE, **headers})


def quads(client: TestClient) -> int:
    return count(client.post("/sparql", content=COUNT, headers={"Content-Type": QUERY}))


def test_what_was_written_is_seen_at_once_and_kept(tmp_path: Path) -> None:
    with serve(tmp_path / "store") as client:
        for number in range(1, 4):
            response = update(client, f"INSERT DATA {{ <x:{number}> <x:p> _:b }}")
            assert (response.status_code, response.headers["rhizome-revision"]) == (
                204,
                f"{number}",
            )
            assert quads(client) == number
    with serve(tmp_path / "store") as client:
        assert quads(client) == 3
        assert update(client, "CLEAR ALL").headers["rhizome-revision"] == "4"
        assert quads(client) == 0


def test_a_failed_update_changes_nothing(plain: TestClient) -> None:
    assert update(plain, "INSERT DATA { <x:s> <x:p> 1 }").status_code == 204
    both = "CLEAR ALL ; LOAD <http://127.0.0.1:9/>"
    assert_problem(update(plain, both), 403, "FORBIDDEN")
    assert_problem(update(plain, "CLEAR ALL ; DROP GRAPH <x:g>"), 404, "NOT_FOUND")
    assert_problem(update(plain, "CLEAR ALL ; INSERT"), 400, "QUERY_SYNTAX")
    assert quads(plain) == 1
    assert update(plain, "LOAD SILENT <http://127.0.0.1:9/> INTO GRAPH <x:g>").status_code == 204
    assert quads(plain) == 1


def test_operations_have_prologues_of_their_own(plain: TestClient) -> None:
    first = "PREFIX s: <x:> INSERT DATA { s:a s:b 1 } ;\n"
    done = update(plain, f"{first} PREFIX s: <y:> INSERT DATA {{ s:a s:b 1, 2 }} ; BASE <z:>")
    assert (done.status_code, done.headers["rhizome-revision"]) == (204, "1")
    asked = "SELECT (COUNT(*) AS ?n) { VALUES ?s { <x:a> <y:a> } ?s ?p ?o }"
    assert count(plain.post("/sparql", content=asked, headers={"Content-Type": QUERY})) == 3
    failed = update(plain, f"{first.replace('1', '3')} PREFIX t: <y:> INSERT DATA {{ t:a t:b }}")
    assert_problem(failed, 400, "QUERY_SYNTAX")
    failed = update(
        plain, f"{first.replace('1', '3')} PREFIX t: <y:> INSERT DATA {{ t:a t:b 1 2 }}"
    )
    problem = assert_problem(failed, 400, "QUERY_SYNTAX")
    assert problem["line"] == 2
    assert "t:b 1 2" in problem["excerpt"]
    assert quads(plain) == 3


def test_a_runaway_update_is_stopped(tmp_path: Path) -> None:
    with serve(tmp_path / "store", sparql_deadline_s=0.5) as client:
        numbers = " ".join(f"<x:{n}>" for n in range(60))
        text = "INSERT { <x:s> <x:p> ?a } WHERE { { SELECT (COUNT(*) AS ?a) { "
        text += " ".join(f"VALUES ?v{n} {{ {numbers} }}" for n in range(8)) + " } } }"
        assert_problem(update(client, text), 504, "QUERY_TIMEOUT")
        assert update(client, "INSERT DATA { <x:s> <x:p> 1 }").status_code == 204
        assert quads(client) == 1


def test_graphs_are_named_by_their_address(plain: TestClient) -> None:
    assert plain.put("/graphs/a/b", content="<> <x:p> <c> .", headers=TURTLE).status_code == 201
    assert plain.put("/graphs/a/b", content="<> <x:p> <c> .", headers=TURTLE).status_code == 204
    named = plain.get("/graphs?graph=http://testserver/graphs/a/b", headers={"Accept": "*/*"})
    assert "<http://testserver/graphs/a/b> <x:p> <http://testserver/graphs/a/c> ." in named.text
    made = plain.post("/graphs", content="<> <x:p> 1 .", headers=TURTLE)
    assert made.status_code == 201
    assert plain.get(made.headers["location"]).status_code == 200
    assert plain.delete("/graphs/a/b").status_code == 204
    assert_problem(plain.delete("/graphs/a/b"), 404, "NOT_FOUND")
    assert plain.delete("/graphs?default").status_code == 204


def test_the_description_says_that_empty_graphs_stay(plain: TestClient) -> None:
    told = plain.get("/sparql", headers={"Accept": "application/n-triples"}).text
    assert (
        "service-description#feature> <http://www.w3.org/ns/sparql-service-description#Empty"
        in told
    )
    assert f"<{LIMITS}fromGraphs> " in told
    assert f"#service> <{LIMITS}changes> " not in told  # only the gate counts them


def test_a_graph_without_triples_is_there(plain: TestClient) -> None:
    assert plain.put("/graphs/empty", content="", headers=TURTLE).status_code == 201
    assert plain.get("/graphs/empty").status_code == 200
    assert_problem(plain.get("/graphs/absent"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("accept", "begins"),
    [
        ("text/turtle", "<http://e/p>"),
        ("application/n-triples", "<x:s> <http://e/p>"),
        ("application/rdf+xml", "<?xml"),
        ("application/ld+json", "{"),
    ],
)
def test_graphs_are_answered_in_four_formats(plain: TestClient, accept: str, begins: str) -> None:
    turtle = '<x:s> <http://e/p> "x"@en , 1 , <x:o> , [ <http://e/q> "y" ] ; a <http://e/C> .'
    plain.put("/graphs?default", content=turtle, headers=TURTLE)
    answer = plain.get("/graphs?default", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(accept)
    assert begins in answer.text
    again = plain.put("/graphs/again", content=answer.content, headers={"Content-Type": accept})
    assert again.status_code == 201
    assert quads(plain) == 12


@pytest.mark.parametrize("triple", ["<x:s> <x:p/> 1 .", '<x:s> <x:p> "\\u0001" .'])
def test_what_rdf_xml_cannot_say_is_not_acceptable(plain: TestClient, triple: str) -> None:
    plain.put("/graphs?default", content=triple, headers=TURTLE)
    answer = plain.get("/graphs?default", headers={"Accept": "application/rdf+xml"})
    assert_problem(answer, 406, "NOT_ACCEPTABLE")


def test_pages_of_elsewhere_cannot_write(plain: TestClient) -> None:
    for origin in ("https://elsewhere.example", "null"):
        response = update(plain, "INSERT DATA { <x:s> <x:p> 1 }", Origin=origin)
        assert_problem(response, 403, "FORBIDDEN")
    own = update(plain, "INSERT DATA { <x:s> <x:p> 1 }", Origin="http://testserver")
    assert own.status_code == 204
    assert quads(plain) == 1


def test_nothing_else_of_ours_is_there(plain: TestClient) -> None:
    for path in ("/graphql", "/export", "/report", "/version"):
        assert plain.get(path).status_code == 404


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_there_are_no_pages_so_that_browsers_get_problems_too(
    plain: TestClient, accept: str
) -> None:
    headers = {"Accept": accept}
    for path, status, code in (
        ("/sparql?query=bad", 400, "QUERY_SYNTAX"),
        ("/nothing", 404, "NOT_FOUND"),
    ):
        assert_problem(plain.get(path, headers=headers), status, code)
    absent = plain.get("/graphs?graph=http://none/", headers=headers)
    assert absent.status_code == (406 if accept == "text/html" else 404)
    if accept == "text/html":
        assert_problem(plain.get("/sparql?query=ASK{}", headers=headers), 406, "NOT_ACCEPTABLE")
        assert_problem(plain.get("/sparql", headers=headers), 406, "NOT_ACCEPTABLE")
