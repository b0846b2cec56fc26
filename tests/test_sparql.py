"""SPARQL over HTTP, on the seeds with all parts real: protocol, formats, limits, the form."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pyoxigraph as ox
import pytest
from starlette.testclient import TestClient

from graph.store.results import TRUNCATED_LINK
from graph.terms import RDFS, XSD
from web.service_description import LIMITS

PIC = "https://w3id.org/rhizome/id/network/plant-intercluster"
FORM = "application/x-www-form-urlencoded"
TSV = "text/tab-separated-values; charset=utf-8"
QUERY = "application/sparql-query"
UPDATE = "application/sparql-update"
ONTOLOGY = "https://w3id.org/rhizome/ontology"
GRAPHS = "SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s a ?c } } ORDER BY ?g LIMIT 1"
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
    assert asked.headers["vary"] == "Accept, Accept-Encoding"
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


def test_a_form_names_the_format_too(client: TestClient) -> None:
    asked = post(client, urlencode({"query": NAMES, "format": "tsv"}), FORM)
    assert asked.headers["content-type"].startswith("text/tab-separated-values")
    assert asked.content == client.get("/sparql", params={"query": NAMES, "format": "tsv"}).content
    for wrong in ([("format", "xlsx")], [("format", "tsv"), ("format", "csv")]):
        body = urlencode([("query", NAMES), *wrong])
        assert_problem(post(client, body, FORM), 400, "BAD_VALUE")


def test_what_stands_in_the_url_of_a_form_counts_too(client: TestClient) -> None:
    """A query that is meant for one graph must not be asked of all."""

    def ask(**in_url: str) -> Any:
        content, headers = urlencode({"query": NAMES}), {"Content-Type": FORM}
        return client.post("/sparql", params=in_url, content=content, headers=headers)

    graphs = client.get("/sparql", params={"query": GRAPHS}).json()["results"]["bindings"]
    one = {"default-graph-uri": graphs[0]["g"]["value"]}
    assert ask(**one).content == client.get("/sparql", params={"query": NAMES, **one}).content
    assert ask(**one).content != ask().content
    assert ask(format="csv").headers["content-type"].startswith("text/csv")
    for wrong in ({"query": NAMES}, {"update": "CLEAR ALL"}, {"default-graph-uri": "no iri"}):
        assert_problem(ask(**wrong), 400, "BAD_VALUE")


def test_head_answers_without_a_body(client: TestClient) -> None:
    response = client.head("/sparql", params={"query": NAMES})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/sparql-results+json"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("{}", "application/json"),
        ("CLEAR ALL", f"{UPDATE}; charset=utf-16"),
        ("ASK {}", "text/plain"),
        ("ASK {}", ""),
        ("ASK {}", f"{QUERY}; charset=latin-1"),
        ("query=ASK%20%7B%7D", f"{FORM}; charset=utf-16"),
        ("ASK {}", f"{QUERY}; x=y; charset=utf-16"),
        ("ASK {}", f"{QUERY}; charset=utf-8; charset=utf-16"),
    ],
)
def test_other_bodies_are_refused(client: TestClient, body: str, kind: str) -> None:
    problem = assert_problem(post(client, body, kind), 415, "UNSUPPORTED_MEDIA_TYPE")
    assert problem["accepted"] == [QUERY, UPDATE, FORM]


@pytest.mark.parametrize(
    "parameters",
    ["x=y", "charset=utf-8; x=y", 'x="a;charset=latin-1"; Charset=UTF-8', "charset=", ""],
)
def test_other_parameters_of_a_media_type_are_passed_over(
    client: TestClient, parameters: str
) -> None:
    assert post(client, "ASK {}", f"{QUERY}; {parameters}").json()["boolean"]
    assert post(client, "query=ASK%20%7B%7D", f"{FORM};{parameters}").json()["boolean"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    assert_problem(client.request(method, "/sparql"), 405, "METHOD_NOT_ALLOWED")


def test_one_request_asks_one_query(client: TestClient) -> None:
    two = [("query", "ASK {}"), ("query", "ASK {}")]
    assert_problem(get(client, parameters=two), 400, "BAD_VALUE")
    assert_problem(post(client, urlencode(two), FORM), 400, "BAD_VALUE")
    response = post(client, "ASK {}", QUERY, "/sparql?query=ASK%20%7B%7D")
    assert_problem(response, 400, "BAD_VALUE")
    for nothing in (post(client, "", FORM), post(client, "x=y", FORM)):
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
def test_updates_without_a_token_are_refused_on_every_way(client: TestClient, update: str) -> None:
    before = count(get(client, COUNT))
    for response in (
        get(client, update),
        post(client, update, QUERY),
        post(client, urlencode({"query": update}), FORM),
    ):
        assert_problem(response, 400, "QUERY_SYNTAX")
    for response in (
        post(client, urlencode({"update": update}), FORM),
        post(client, update, UPDATE),
    ):
        assert_problem(response, 401, "UNAUTHENTICATED")
    assert_problem(get(client, parameters=[("update", update)]), 400, "BAD_VALUE")
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
        ("CONSTRUCT WHERE { ?s ?p ?o }", "application/n-quads", "application/n-quads"),
        ("DESCRIBE <http://e/>", "application/trig, */*;q=0.1", "application/trig"),
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
    for name in ("turtle", "ttl", "Turtle"):
        named = get(client, f"DESCRIBE <{PIC}>", FIREFOX, parameters=[("format", name)])
        assert named.headers["content-type"] == "text/turtle; charset=utf-8"
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


def test_the_service_describes_itself_and_its_limits(client: TestClient) -> None:
    answer = client.get("/sparql", headers={"Accept": "text/turtle"})
    assert answer.status_code == 200
    triples = list(ox.parse(answer.content, format=ox.RdfFormat.TURTLE))
    found = {str(triple.predicate.value): triple.object for triple in triples}
    assert found[f"{LIMITS}rows"] == ox.Literal("10000", datatype=ox.NamedNode(f"{XSD}integer"))
    assert "sd:Service" in answer.text
    assert "limit:rows 10000" in answer.text
    told = {p.removeprefix(LIMITS) for p in found if p.startswith(LIMITS)}
    comments = {
        str(triple.subject.value).removeprefix(LIMITS): str(triple.object.value)
        for triple in triples
        if triple.predicate.value == f"{RDFS}comment"
    }
    assert len(told) > 10
    assert told <= comments.keys()  # what each term means is said where it is used
    assert "RHIZOME_SPARQL_ROWS" in comments["rows"]
    limits = {
        "deadlineSecondsWithAdmin": "120.0",
        "changes": "100000",
        "fromGraphs": "16",
        "fromStatements": "200000",
        "answerBytes": "16777216",
        "answerBytesWithToken": "1073741824",
        "graphBodyBytes": "20971520",
    }
    assert limits == {name: found[LIMITS + name].value for name in limits}
    assert "EmptyGraphs" not in answer.text


def test_graphs_read_back(client: TestClient) -> None:
    text = f"DESCRIBE <{PIC}>"
    turtle = set(ox.parse(get(client, text).content, format=ox.RdfFormat.TURTLE))
    lines = get(client, text, "application/n-triples").content
    assert turtle == set(ox.parse(lines, format=ox.RdfFormat.N_TRIPLES))
    for kind, format in (
        ("application/trig", ox.RdfFormat.TRIG),
        ("application/n-quads", ox.RdfFormat.N_QUADS),
    ):
        quads = set(ox.parse(get(client, text, kind).content, format=format))
        assert {quad.triple for quad in quads} == {quad.triple for quad in turtle}
        assert all(quad.graph_name == ox.DefaultGraph() for quad in quads)
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
        ("SELECT (<http://e/f>(?s) AS ?n) { ?s ?p ?o }", "UNKNOWN_TERM"),
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


def test_it_is_asked_in_vain_before_the_store_is_open(tmp_path: Path) -> None:
    from graph.shapes import load_model
    from tests.seeded import make_settings
    from web.app import create_app
    from web.service import Service

    service = Service(make_settings(tmp_path / "store"), load_model())
    client = TestClient(create_app(service), raise_server_exceptions=False)
    assert_problem(get(client, NAMES), 503, "STORE_UNAVAILABLE")
