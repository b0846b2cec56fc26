"""SPARQL over HTTP, on the seeds with all parts real: protocol, formats, limits, the form."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import pyoxigraph as ox
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from graph.settings import Settings
from graph.store.results import TRUNCATED_LINK
from graph.store.workers import QueryPool
from tests.stores import History, many
from tests.test_workers import RUNAWAY, Source, is_alive, pids, until
from web import sparql
from web.limits import Limiter
from web.problems import handlers

PIC = "https://w3id.org/rhizome/id/network/plant-intercluster"
FORM = "application/x-www-form-urlencoded"
TSV = "text/tab-separated-values; charset=utf-8"
QUERY = "application/sparql-query"
ONTOLOGY = "https://w3id.org/rhizome/ontology"
NAMES = f"SELECT ?name {{ <{PIC}> <http://www.w3.org/2004/02/skos/core#prefLabel> ?name }}"
COUNT = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"


def get(client: TestClient, text: str | None = None, accept: str = "*/*", **more: Any) -> Any:
    parameters: list[tuple[str, Any]] = [] if text is None else [("query", text)]
    parameters += more.pop("parameters", [])
    headers = {"Accept": accept, **more.pop("headers", {})}
    return client.get("/sparql", params=parameters, headers=headers, **more)


def post(client: TestClient, body: bytes | str, kind: str, url: str = "/sparql") -> Any:
    return client.post(url, content=body, headers={"Content-Type": kind})


def count(response: Any) -> int:
    assert response.status_code == 200, response.text
    return int(response.json()["results"]["bindings"][0]["n"]["value"])


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    return problem


# --- the protocol's three ways ----------------------------------------------------------------


def test_the_three_ways_of_asking_answer_alike(client: TestClient) -> None:
    asked = get(client, NAMES)
    assert asked.status_code == 200
    assert asked.headers["rhizome-revision"] == "1"
    assert asked.headers["content-type"] == "application/sparql-results+json"
    assert asked.headers["vary"] == "Accept"
    assert "rhizome-truncated" not in asked.headers
    names = [row["name"]["value"] for row in asked.json()["results"]["bindings"]]
    assert "Plant InterCluster" in names
    for other in (
        post(client, urlencode({"query": NAMES}), FORM),
        post(client, NAMES, QUERY),
        post(client, NAMES, f"{QUERY}; charset=UTF-8"),
        post(client, urlencode({"query": NAMES}), f'{FORM}; charset="utf-8"'),
    ):
        assert (other.status_code, other.json()) == (200, asked.json())


def test_head_answers_without_a_body(client: TestClient) -> None:
    response = client.head("/sparql", params={"query": NAMES})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/sparql-results+json"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("{}", "application/json"),
        ("CLEAR ALL", "application/sparql-update"),
        ("ASK {}", "text/plain"),
        ("ASK {}", ""),
        ("ASK {}", f"{QUERY}; charset=latin-1"),
        ("query=ASK%20%7B%7D", f"{FORM}; charset=utf-16"),
    ],
)
def test_other_bodies_are_refused(client: TestClient, body: str, kind: str) -> None:
    problem = assert_problem(post(client, body, kind), 415, "UNSUPPORTED_MEDIA_TYPE")
    assert problem["accepted"] == [QUERY, FORM]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    assert_problem(client.request(method, "/sparql"), 405, "METHOD_NOT_ALLOWED")


def test_one_request_asks_one_query(client: TestClient) -> None:
    two = [("query", "ASK {}"), ("query", "ASK {}")]
    assert_problem(get(client, parameters=two), 400, "BAD_VALUE")
    assert_problem(post(client, urlencode(two), FORM), 400, "BAD_VALUE")
    response = post(client, "ASK {}", QUERY, "/sparql?query=ASK%20%7B%7D")
    assert_problem(response, 400, "BAD_VALUE")
    for nothing in (get(client), post(client, "", FORM), post(client, "x=y", FORM)):
        assert_problem(nothing, 400, "BAD_VALUE")
    for empty in (get(client, ""), post(client, "", QUERY), get(client, "  # nothing\n")):
        assert_problem(empty, 400, "QUERY_SYNTAX")


@pytest.mark.parametrize(
    "update",
    [
        "INSERT DATA { <http://e/a> <http://e/b> 1 }",
        "DELETE WHERE { ?s ?p ?o }",
        "LOAD <http://e/>",
    ],
)
def test_updates_are_refused_on_every_way(client: TestClient, update: str) -> None:
    before = count(get(client, COUNT))
    for response in (
        get(client, update),
        post(client, update, QUERY),
        post(client, urlencode({"query": update}), FORM),
        post(client, urlencode({"update": update}), FORM),
        get(client, parameters=[("update", update)]),
    ):
        assert_problem(response, 400, "QUERY_SYNTAX")
    assert count(get(client, COUNT)) == before


def test_invalid_utf8_is_refused(client: TestClient) -> None:
    assert_problem(post(client, b'ASK { ?s ?p "\xff" }', QUERY), 400, "BAD_VALUE")
    assert_problem(post(client, b"query=ASK%20%7B%20%22%FF%22%20%7D", FORM), 400, "BAD_VALUE")
    assert_problem(post(client, "query=ASK%20{}é".encode("latin-1"), FORM), 400, "BAD_VALUE")
    assert_problem(client.get("/sparql?query=ASK%20%7B%20%22%ED%A0%80%22%7D"), 400, "BAD_VALUE")


def test_what_is_too_large_is_refused(client: TestClient) -> None:
    assert_problem(post(client, b"ASK {} #" + b"x" * 65_536, QUERY), 413, "PAYLOAD_LIMIT")
    many_fields = "&".join(f"a{n}=1" for n in range(200))
    assert_problem(post(client, many_fields, FORM), 400, "QUERY_LIMIT")
    # As text it is short enough, in the address it is not the text's limit that counts.
    long = "ASK { ?s ?p '" + "x" * 20_000 + "' }"
    assert post(client, long, QUERY).json() == {"head": {}, "boolean": False}


# --- datasets ---------------------------------------------------------------------------------


def graphs(client: TestClient) -> list[str]:
    text = "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g ORDER BY DESC(?n)"
    rows = get(client, text).json()["results"]["bindings"]
    return [row["g"]["value"] for row in rows]


def test_without_a_dataset_each_triple_counts_once(client: TestClient) -> None:
    distinct = "SELECT (COUNT(*) AS ?n) { SELECT DISTINCT ?s ?p ?o { GRAPH ?g { ?s ?p ?o } } }"
    assert count(get(client, COUNT)) == count(get(client, distinct))
    assert count(get(client, COUNT.replace("?s ?p", f"<{PIC}> a", 1))) == 1


def test_graphs_of_the_protocol_and_of_from(client: TestClient) -> None:
    first, second, *_ = [g for g in graphs(client) if g != ONTOLOGY]
    one = count(get(client, COUNT, parameters=[("default-graph-uri", first)]))
    assert one == count(get(client, COUNT.replace("{", f"FROM <{first}> {{", 1)))
    two = [("default-graph-uri", first), ("default-graph-uri", second)]
    both = count(get(client, COUNT, parameters=two))
    clause = f"FROM <{first}> FROM <{second}> {{"
    assert both == count(get(client, COUNT.replace("{", clause, 1)))
    union = (
        f"SELECT DISTINCT ?s ?p ?o {{ GRAPH ?g {{ ?s ?p ?o }} VALUES ?g {{<{first}> <{second}>}} }}"
    )
    assert both == len(get(client, union).json()["results"]["bindings"])
    assert one <= both
    form = urlencode([("query", COUNT), *two])
    assert count(post(client, form, FORM)) == both
    address = f"/sparql?{urlencode(two)}"
    assert count(post(client, COUNT, QUERY, address)) == both
    # The protocol's graphs win over those of the text.
    clause = f"FROM <{ONTOLOGY}> {{"
    assert count(get(client, COUNT.replace("{", clause, 1), parameters=two)) == both
    named = [("named-graph-uri", first)]
    assert count(get(client, COUNT, parameters=named)) == 0
    inside = COUNT.replace("?s ?p ?o", "GRAPH ?g { ?s ?p ?o }")
    assert count(get(client, inside, parameters=named)) == one


def test_graphs_must_be_iris_and_few(client: TestClient) -> None:
    for name in ("default-graph-uri", "named-graph-uri"):
        for iri in ("relative", "", "http://e/ x", "<http://e/>"):
            problem = assert_problem(get(client, COUNT, parameters=[(name, iri)]), 400, "BAD_VALUE")
            assert problem["name"] == name
    seventeen = [("default-graph-uri", f"http://e/{n}") for n in range(17)]
    assert_problem(get(client, COUNT, parameters=seventeen), 400, "QUERY_LIMIT")


# --- formats ----------------------------------------------------------------------------------

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("text", "accept", "kind"),
    [
        ("SELECT * {}", "*/*", "application/sparql-results+json"),
        ("SELECT * {}", "", "application/sparql-results+json"),
        ("SELECT * {}", "application/json", "application/json"),
        ("SELECT * {}", "application/*", "application/sparql-results+json"),
        ("SELECT * {}", "application/sparql-results+xml", "application/sparql-results+xml"),
        ("SELECT * {}", "text/xml", "text/xml; charset=utf-8"),
        ("SELECT * {}", "text/csv;q=0.9, application/json;q=0.8", "text/csv; charset=utf-8"),
        ("SELECT * {}", "text/turtle, text/tab-separated-values;q=0.1", TSV),
        ("ASK {}", "application/sparql-results+xml", "application/sparql-results+xml"),
        ("ASK {}", "text/csv", "text/csv; charset=utf-8"),
        ("DESCRIBE <http://e/>", "*/*", "text/turtle; charset=utf-8"),
        ("CONSTRUCT WHERE { ?s ?p ?o }", "application/n-triples", "application/n-triples"),
        ("SELECT * {}", FIREFOX, "text/html; charset=utf-8"),
        ("DESCRIBE <http://e/>", FIREFOX, "text/html; charset=utf-8"),
    ],
)  # fmt: skip
def test_formats_are_negotiated(client: TestClient, text: str, accept: str, kind: str) -> None:
    response = get(client, text, accept)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == kind


@pytest.mark.parametrize(
    ("text", "accept"),
    [
        ("SELECT * {}", "image/png"),
        ("SELECT * {}", "text/turtle"),
        ("DESCRIBE <http://e/>", "application/sparql-results+json"),
        ("CONSTRUCT WHERE { ?s ?p ?o }", "text/csv"),
        ("SELECT * {}", "*/*;q=0"),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_can(
    client: TestClient, text: str, accept: str
) -> None:
    problem = assert_problem(get(client, text, accept), 406, "NOT_ACCEPTABLE")
    assert problem["offered"]


def test_a_format_can_be_named_in_the_address(client: TestClient) -> None:
    response = get(client, NAMES, FIREFOX, parameters=[("format", "csv")])
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert_problem(get(client, NAMES, parameters=[("format", "turtle")]), 400, "BAD_VALUE")
    assert_problem(get(client, NAMES, parameters=[("format", "exe")]), 400, "BAD_VALUE")


def test_all_tables_hold_the_same(client: TestClient) -> None:
    text = "SELECT ?s ?name { ?s <http://www.w3.org/2004/02/skos/core#prefLabel> ?name } LIMIT 50"
    rows = get(client, text).json()["results"]["bindings"]
    values = [(row["s"]["value"], row["name"]["value"]) for row in rows]
    read = list(csv.reader(io.StringIO(get(client, text, "text/csv").text, newline="")))
    assert read[0] == ["s", "name"]
    assert [tuple(row) for row in read[1:]] == values
    xml = ElementTree.fromstring(get(client, text, "application/sparql-results+xml").text)
    literals = [e.text for e in xml.iter("{http://www.w3.org/2005/sparql-results#}literal")]
    assert literals == [name for _, name in values]
    tsv = get(client, text, "text/tab-separated-values").content
    solutions = ox.parse_query_results(tsv, format=ox.QueryResultsFormat.TSV)
    assert isinstance(solutions, ox.QuerySolutions)
    assert len(list(solutions)) == len(values) == 50


def test_graphs_read_back(client: TestClient) -> None:
    text = f"DESCRIBE <{PIC}>"
    turtle = set(ox.parse(get(client, text).content, format=ox.RdfFormat.TURTLE))
    lines = get(client, text, "application/n-triples").content
    assert turtle == set(ox.parse(lines, format=ox.RdfFormat.N_TRIPLES))
    assert len(turtle) > 3


def test_rows_are_cut_and_it_is_said(client: TestClient) -> None:
    cross = "SELECT ?s ?t { ?s ?p ?o . ?t ?q <http://www.w3.org/2004/02/skos/core#Concept> }"
    response = get(client, cross)
    assert response.status_code == 200
    assert response.headers["rhizome-truncated"] == "true"
    answer = response.json()
    assert answer["head"]["link"] == [TRUNCATED_LINK]
    assert len(answer["results"]["bindings"]) == 10_000
    turtle = get(client, "CONSTRUCT { ?s ?p ?o } { ?s ?p ?o }", "application/n-triples")
    assert turtle.headers["rhizome-truncated"] == "true"
    assert len(turtle.text.splitlines()) == 10_000


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(" * 10_000, "QUERY_SYNTAX"),
        ("{" * 10_000, "QUERY_SYNTAX"),
        ("ASK " + "{" * 10_000, "QUERY_LIMIT"),
        ("ASK { FILTER" + "(" * 10_000, "QUERY_LIMIT"),
        ("ASK { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", "QUERY_SYNTAX"),
        ("ASK { ?s ?p " + ",".join(f"?o{n}" for n in range(100)) + " }", "QUERY_LIMIT"),
        ("ASK {" + "{ ?s ?p ?o } UNION " * 3_000 + "{} }", "QUERY_LIMIT"),
        ("ASK { ?s " + "/".join(["<http://e/p>"] * 200) + " ?o }", "QUERY_LIMIT"),
        ("ASK { VALUES ?x {" + " 1" * 20_000 + "} }", "QUERY_LIMIT"),
        ("SELECT * { ?s ?p", "QUERY_SYNTAX"),
        ("ASK { ?s ?p 'a\nb' }", "QUERY_SYNTAX"),
        ("SELECT * { ?s <no scheme> ?o }", "QUERY_SYNTAX"),
        ("SELECT * { ?s <relative> ?o }", "QUERY_SYNTAX"),
        ("SELECT (COUNT(?s) AS ?n) ?p { ?s ?p ?o }", "QUERY_SYNTAX"),
        ("SELECT (<http://e/f>(?s) AS ?n) { ?s ?p ?o }", "QUERY_SYNTAX"),
    ],
)
def test_bad_queries_are_refused_and_the_next_is_answered(
    client: TestClient, text: str, code: str
) -> None:
    assert_problem(post(client, text, QUERY), 400, code)
    assert get(client, NAMES).status_code == 200


def test_syntax_errors_have_their_place(client: TestClient) -> None:
    problem = assert_problem(get(client, "SELECT *\n{ ?s rz:x ?o }"), 400, "QUERY_SYNTAX")
    assert (problem["language"], problem["line"], problem["column"]) == ("SPARQL", 2, 6)
    assert problem["excerpt"] == "{ ?s rz:x ?o }"
    assert "PREFIX rz:" in problem["detail"]


def test_revisions_are_waited_for(client: TestClient) -> None:
    response = get(client, NAMES, headers={"Rhizome-Min-Revision": "1"})
    assert response.status_code == 200
    later = get(client, NAMES, headers={"Rhizome-Min-Revision": "2"})
    assert_problem(later, 503, "STORE_UNAVAILABLE")
    assert int(later.headers["retry-after"]) >= 1
    for wrong in ("x", "-1", "1.5"):
        response = get(client, NAMES, headers={"Rhizome-Min-Revision": wrong})
        assert_problem(response, 400, "BAD_VALUE")


# --- limits, with a small store and small limits ----------------------------------------------


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
        self.app.state.service = SimpleNamespace(
            settings=self.settings,
            pool=self.pool,
            limiter=Limiter(self.settings),
            revision=1,
            version="0.1.0",
        )

    async def __aenter__(self) -> Served:
        await self.pool.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pool.close()

    async def get(self, text: str, leave_after_s: float | None = None) -> tuple[int, bytes]:
        """Status and body; the client leaves after some seconds, if any are given."""
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/sparql",
            "query_string": f"query={quote(text)}".encode(),
            "headers": [],
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
        return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


def test_a_runaway_is_a_problem_and_never_half_an_answer(history: History) -> None:
    async def main() -> None:
        async with Served(history) as served:
            started = time.monotonic()
            for text in (RUNAWAY, "SELECT * { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f"):
                status, body = await served.get(text)
                assert status == 504
                problem = json.loads(body)
                assert (problem["code"], problem["deadline_s"]) == ("QUERY_TIMEOUT", 0.8)
            assert time.monotonic() - started < 2 * 1.5
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
            assert time.monotonic() - started < 1.2
            await until(lambda: sum(map(is_alive, before)) == 4, 2)
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

    asyncio.run(main())


# --- for people -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_form_offers_three_worked_questions(client: TestClient, language: str) -> None:
    page = get(client, None, "text/html", parameters=[("lang", language)]).text
    assert f'<html lang="{language}">' in page
    questions = sparql.worked_questions(language)
    assert len(questions) == 3
    assert page.count('name="query"') == 1 + len(questions)
    assert "PREFIX rz: &lt;https://w3id.org/rhizome/ontology#&gt;" in page
    for mark in ("<script", "<style", "style=", 'src="http', "onclick"):
        assert mark not in page


@pytest.mark.parametrize("question", sparql.worked_questions("en"), ids=lambda q: q["title"][:20])
def test_worked_questions_have_answers(client: TestClient, question: dict[str, str]) -> None:
    page = get(client, question["sparql"], "text/html")
    assert page.status_code == 200
    assert page.headers["rhizome-revision"] == "1"
    assert "<tbody>" in page.text
    for format in ("json", "xml", "csv", "tsv"):
        assert f'value="{format}"' in page.text


def test_pages_hold_rows_answers_and_graphs(client: TestClient) -> None:
    page = get(client, NAMES, "text/html").text
    assert "<td lang=" in page
    assert "Plant InterCluster" in page
    assert '<p class="lead">Yes</p>' in get(client, "ASK {}", "text/html").text
    assert (
        '<p class="lead">Non</p>'
        in get(client, "ASK { <http://e/a> ?p ?o }", "text/html", parameters=[("lang", "fr")]).text
    )
    graph = get(client, f"DESCRIBE <{PIC}>", "text/html").text
    assert "@prefix" in graph
    assert "No row" in get(client, "SELECT ?x { ?x ?y 'nothing' }", "text/html").text
    shortened = get(client, f"SELECT ?g {{ GRAPH ?g {{ <{PIC}> a ?c }} }}", "text/html").text
    assert ">id:source/" in shortened


def test_pages_say_when_there_is_more(client: TestClient) -> None:
    page = get(client, "SELECT * { ?s ?p ?o }", "text/html")
    assert page.headers["rhizome-truncated"] == "true"
    assert page.text.count("<tr>") == 1 + sparql.PAGE_ROWS
    assert "There are more" in page.text


def test_a_wrong_query_stays_in_the_form(client: TestClient) -> None:
    page = get(client, "SELECT ?<b> { nonsense", "text/html")
    assert page.status_code == 400
    assert "SELECT ?&lt;b&gt; { nonsense</textarea>" in page.text
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    "value",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 7 }}",
        "javascript:alert(1)",
    ],
)
def test_nothing_in_data_or_query_becomes_markup(client: TestClient, value: str) -> None:
    literal = json.dumps(value)
    page = get(client, f"SELECT ?x {{ BIND({literal} AS ?x) }}", "text/html").text
    assert value not in page or "<" not in value
    assert "49" not in page.split("<tbody>")[1].split("</tbody>")[0]
    page = get(client, "SELECT ?x { BIND(IRI('javascript:alert(1)') AS ?x) }", "text/html").text
    assert 'href="javascript' not in page


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_triple_terms_and_blank_nodes_are_shown(client: TestClient, accept: str) -> None:
    text = "SELECT ?t ?b { BIND(<<( <http://e/a> <http://e/b> 1 )>> AS ?t) BIND(BNODE() AS ?b) }"
    response = get(client, text, accept)
    assert response.status_code == 200
    assert "http://e/a" in response.text


def test_it_is_asked_in_vain_before_the_store_is_open(tmp_path: Path) -> None:
    from graph.shapes import load_model
    from tests.seeded import make_settings
    from web.app import create_app
    from web.service import Service

    service = Service(make_settings(tmp_path / "store"), load_model())
    client = TestClient(create_app(service), raise_server_exceptions=False)
    assert_problem(get(client, NAMES), 503, "STORE_UNAVAILABLE")
