"""Answers of servers of others are read as they are meant, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graph.errors import QuerySyntaxError, SettingError
from graph.settings import Settings
from graph.store import external_answers as answers
from graph.store.external import ExternalStore
from graph.store.external_answers import Received, UnreadableError
from graph.store.external_query import (
    hide_graphs,
    refuse_escapes,
    refuse_functions,
    refuse_relative,
)
from graph.store.external_requests import Requests
from graph.store.query import Query
from graph.store.results import AnswerTooLargeError
from graph.store.sparql_address import Credentials, read_address

JSON = "application/sparql-results+json"
XSD = "http://www.w3.org/2001/XMLSchema#"


def table(*rows: dict[str, Any], names: tuple[str, ...] = ("x",)) -> Received:
    value = {"head": {"vars": names}, "results": {"bindings": rows}}
    return Received(JSON, json.dumps(value).encode())


def write(form: str, received: Received, format: str = "csv", rows_max: int = 100) -> bytes:
    query = Query("", format, 1.0, rows_max=rows_max)
    body = answers.write_answer(query, form, received, 10, 1_000_000)
    return b"".join(body.pieces)


def cell(type: str, value: Any, **more: str) -> dict[str, Any]:
    return {"x": {"type": type, "value": value, **more}}


def test_virtuosos_ways_are_understood() -> None:
    typed = cell("typed-literal", "1", datatype=f"{XSD}boolean")
    assert b'"value":"true"' in write("SELECT", table(typed), "json")
    node = cell("bnode", "nodeID://b10001")
    assert write("SELECT", table(node)).startswith(b"x\r\n_:nodeID_3a__2f__2f_b10001")
    row = {"__ASK_RETVAL": {"type": "literal", "value": "1"}}
    received = table(row, names=("__ASK_RETVAL",))
    assert answers.read_boolean(received) is True
    assert answers.read_boolean(table(names=("__ASK_RETVAL",))) is False


def test_rows_that_a_server_says_it_cut_are_missing() -> None:
    received = table(cell("literal", "a"), cell("literal", "b"))
    query = Query("", "json", 1.0)
    for rows_max, is_truncated in ((2, True), (3, False), (None, False)):
        limited = Received(JSON, received.body, rows_max=rows_max)
        body = answers.write_answer(query, "SELECT", limited, 10, 1_000_000)
        assert (body.rows, body.is_truncated) == (2, is_truncated)


def test_who_may_have_a_table_streamed_may_have_as_many_rows() -> None:
    received = table(*(cell("literal", str(number)) for number in range(30)))
    for streamed, rows, is_truncated in ((0, 10, True), (20, 20, True), (40, 30, False)):
        query = Query("", "json", 1.0, rows_max=10, streamed_rows=streamed, in_parts=True)
        body = answers.write_answer(query, "SELECT", received, 10, 1_000_000)
        assert (body.rows, body.is_truncated) == (rows, is_truncated)


@pytest.mark.parametrize(
    ("form", "received"),
    [
        ("SELECT", Received("text/html", b"<p>")),
        ("SELECT", Received(JSON, b"")),
        ("SELECT", Received(JSON, b"[]")),
        ("SELECT", Received(JSON, b'{"head":{"vars":["x"]},"results":{"bindings":{}}}')),
        ("SELECT", Received(JSON, b'{"head":{"vars":[1]},"results":{"bindings":[]}}')),
        ("SELECT", Received(JSON, b'{"head":{"vars":["a b"]},"results":{"bindings":[]}}')),
        ("SELECT", Received(JSON, b'{"head":{},"boolean":true}')),
        ("SELECT", Received(JSON, b'{"head":{"vars":["x"]},"results":{"bindings":[1]}}')),
        ("SELECT", table(cell("uri", "no iri"))),
        ("SELECT", table(cell("uri", "relative"))),
        ("SELECT", table(cell("thing", "x"))),
        ("SELECT", table(cell("literal", 5))),
        ("SELECT", table({"x": 5})),
        ("SELECT", table(cell("literal", "x", **{"xml:lang": "no tag!"}))),
        ("SELECT", table(cell("literal", "x", datatype="<>"))),
        ("ASK", table(cell("literal", "1"))),
        ("ASK", Received(JSON, b'{"boolean":"yes"}')),
        ("CONSTRUCT", Received("text/html", b"<p>")),
        ("CONSTRUCT", Received("application/n-triples", b"<a> <b>")),
        ("CONSTRUCT", Received("text/turtle", b"<http://e/s> <http://e/p> " + b"(" * 99)),
    ],
)
def test_what_is_no_answer_is_never_passed_on(form: str, received: Received) -> None:
    with pytest.raises(UnreadableError):
        write(form, received, "nt" if form == "CONSTRUCT" else "csv")


def test_nested_json_is_no_danger() -> None:
    with pytest.raises(UnreadableError):
        write("SELECT", Received(JSON, b"[" * 500_000))


def test_a_graph_that_breaks_off_ends_with_a_whole_triple() -> None:
    line = b"<http://e/s> <http://e/p> <http://e/o%d> .\n"
    whole = line % 1 + line % 2
    received = Received("application/n-triples", whole + b"<http://e/s> <htt", is_cut=True)
    query = Query("", "nt", 1.0)
    body = answers.write_answer(query, "CONSTRUCT", received, 10, 1_000_000)
    assert (b"".join(body.pieces), body.is_truncated) == (whole, True)
    for media_type, data in (("text/turtle", whole), ("application/n-triples", b"<http:")):
        with pytest.raises(AnswerTooLargeError):
            write("CONSTRUCT", Received(media_type, data, is_cut=True), "nt")


# --- what is asked ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ASK { ?s ?p ?o }", "ASK { ?s ?p ?o }"),
        ("ASK { GRAPH <http://e/g> { ?s ?p ?o } }", "ASK { GRAPH <http://e/g> { ?s ?p ?o } }"),
        (
            "ASK { graph $g { ?s ?p ?o } }",
            "ASK { graph $g { ?s ?p ?o } FILTER($g != <http://e/m> && $g != <http://e/n>) }",
        ),
        (
            'ASK { GRAPH ?g # { GRAPH ?h {\n { ?s ?p "}" FILTER(1 < 2) { ?a ?b ?c } } }',
            'ASK { GRAPH ?g # { GRAPH ?h {\n { ?s ?p "}" FILTER(1 < 2) { ?a ?b ?c } }'
            " FILTER(?g != <http://e/m> && ?g != <http://e/n>) }",
        ),
        (
            "ASK { GRAPH ?g { ?s ?p ?o FILTER NOT EXISTS { GRAPH ?h { } } } }",
            "ASK { GRAPH ?g { ?s ?p ?o FILTER NOT EXISTS { GRAPH ?h { }"
            " FILTER(?h != <http://e/m> && ?h != <http://e/n>) } }"
            " FILTER(?g != <http://e/m> && ?g != <http://e/n>) }",
        ),
    ],
)
def test_graphs_of_ours_are_left_out_by_a_filter(given: str, expected: str) -> None:
    assert hide_graphs(given, ["http://e/m", "http://e/n"]) == expected
    assert hide_graphs(given, []) == given


def test_only_whole_iris_are_sent() -> None:
    refuse_relative("BASE <http://e/> ASK { <s> ?p ?o }")
    refuse_relative("ASK { <http://e/s> ?p ?o FILTER(?o <5 || ?o> 7) }")
    refuse_relative('ASK { ?s ?p "<relative>" }')


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "ftp://e/sparql",
        "e/sparql",
        "http://",
        "http://e:port/",
        "http://e/#x",
        "http://e/a b",
        "http://user:secret@e/sparql",
        "http://secret@e/sparql",
    ],
)
def test_an_address_that_is_none_is_refused_without_its_secrets(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_address("sparql", text)
    assert "RHIZOME_SPARQL" in caught.value.message
    assert "secret" not in caught.value.message


def test_an_address_is_shown_without_its_query() -> None:
    address = read_address("sparql", "https://e/sparql?key=secret")
    assert (address.path, address.port) == ("/sparql?key=secret", 443)
    assert address.shown == "https://e:443/sparql"
    assert read_address("sparql", "http://[::1]:7878").shown == "http://[::1]:7878/"


@pytest.mark.parametrize(
    ("address", "token", "is_open"),
    [
        ("http://elsewhere/q", "secret", True),
        ("http://elsewhere/q", "", False),
        ("http://127.0.0.1:7878/q", "secret", False),
        ("https://elsewhere/q", "secret", False),
    ],
)
def test_credentials_in_the_clear_are_known(address: str, token: str, is_open: bool) -> None:
    requests = Requests(Settings(sparql=address, sparql_token=token))
    assert requests.is_open_to_eavesdroppers is is_open


@pytest.mark.parametrize(
    "given",
    [
        {"sparql_user": "a", "sparql_token": "secret"},
        {"sparql_password": "secret"},
        {"sparql_user": "a:b", "sparql_password": "secret"},
        {"sparql_user": "a", "sparql_password": "sec\nret"},
        {"sparql_token": "secret\r\nX-Evil: 1"},
        {"sparql_token": "sécret"},
    ],
)
def test_credentials_that_no_header_can_hold_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingError) as caught:
        Credentials.of(Settings(**given))
    assert "cret" not in caught.value.message
    assert "X-Evil" not in caught.value.message


@pytest.mark.parametrize(
    "given",
    [
        {"sparql": ""},
        {"sparql": "http://e/q", "sparql_update": "nowhere"},
        {"sparql": "http://e/q", "sparql_graphs": "nowhere"},
        {"sparql": "http://e/q", "sparql_merged": "union"},
        {"sparql": "http://e/q", "sparql_feed_statements": 0},
    ],
)
def test_settings_that_cannot_be_used_are_told_at_the_start(given: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        ExternalStore(Settings(**given), ())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (<bif:exec>('select 1') AS ?x) {}",
        "SELECT (<BIF:exec>('select 1') AS ?x) {}",
        r"SELECT (<\u0062if:exec>('select 1') AS ?x) {}",
        "PREFIX b: <bif:> SELECT (b:http_get('http://127.0.0.1/') AS ?x) {}",
        "PREFIX b: <bif:ex> SELECT * { ?s ?p ?o FILTER(b:ec('select 1') = 0) }",
        "PREFIX sql: <http://e/> SELECT (sql:f(1) AS ?x) {}",
        "BASE <bif:> SELECT * { ?s <p> ?o }",
        "SELECT * { ?s <java:org.example.F> ?o }",
        "SELECT * { ?s ?p ?o FILTER <http://e/f>(?o) }",
        "PREFIX x: <http://e/> SELECT * { ?s ?p ?o } GROUP BY ?s HAVING x:f(?s)",
        "PREFIX x: <http://e/> SELECT (1 + x:f(?s) AS ?y) (SUM(x:f(?s)) AS ?z) { ?s ?p ?o }",
        f"PREFIX x: <{XSD}> PREFIX x: <http://e/> SELECT (x:f(1) AS ?y) {{}}",
    ],
)
def test_a_server_is_not_asked_to_call_functions_of_its_own(text: str) -> None:
    with pytest.raises(QuerySyntaxError, match="refused"):
        refuse_functions(text)


@pytest.mark.parametrize(
    "text",
    [
        f"PREFIX x: <{XSD}> SELECT (x:integer(?o) AS ?n) (<{XSD}date>(?o) AS ?d) {{ ?s ?p ?o }}",
        "PREFIX e: <http://e/> SELECT * { ?s e:list (1 2) ; <http://e/other> (e:a 3) }",
        "PREFIX e: <http://e/> SELECT * FROM e:g { VALUES (?a) { (e:a) } ?s (e:p|e:q)/e:r ?o }",
        "ASK { ?s ?p 'bif:exec' FILTER(COUNT(?s) IN (1, 2)) }",
    ],
)
def test_what_calls_nothing_may_be_asked(text: str) -> None:
    refuse_functions(text)


@pytest.mark.parametrize("escape", [r"\u0022", r"\u000A", r"\U00000041", r"\\u007f"])
def test_an_escape_that_a_server_may_read_before_all_else_is_refused(escape: str) -> None:
    for text in (f'ASK {{ ?s ?p "{escape}" }}', f"ASK {{}} # {escape} SERVICE"):
        with pytest.raises(QuerySyntaxError, match="can be written as it is") as caught:
            refuse_escapes(text)
        assert caught.value.line == 1
    refuse_escapes(r'ASK { ?s ?p "\u00e9 \U0001F331" }')
