"""Results as bytes: what the engine's own writers say, cut where it must be."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree

import pyoxigraph as ox
import pytest

from graph.store import results
from graph.store.lines import MoreError, PassedError
from graph.store.prefixes import PREFIXES
from graph.store.results import AnswerTooLargeError, Body, write_boolean, write_graph
from graph.store.tables import write_table

SR = "{http://www.w3.org/2005/sparql-results#}"
FORMATS = {
    "json": ox.QueryResultsFormat.JSON,
    "xml": ox.QueryResultsFormat.XML,
    "csv": ox.QueryResultsFormat.CSV,
    "tsv": ox.QueryResultsFormat.TSV,
}
DATA = r"""
<http://e/a> <http://e/p> "plain", "with \"quotes\", comma", "line\nbreak\r\ttab\u0007 <&>", "" ;
  <http://e/q> "été"@fr, "1"^^<http://www.w3.org/2001/XMLSchema#integer>, <http://e/b?x=1&y=2> ;
  <http://e/r> _:blank, "ltr"@ar--rtl, <<( <http://e/a> <http://e/p> "x"@en )>> .
"""


@pytest.fixture
def store() -> ox.Store:
    store = ox.Store()
    store.load(DATA.encode(), format=ox.RdfFormat.TURTLE)
    return store


def table(store: ox.Store, text: str, format: str, rows: int = 100, size: int = 10**6) -> Body:
    answer = store.query(text)
    assert isinstance(answer, ox.QuerySolutions)
    return write_table(answer, format, rows, size)


def text_of(body: Body) -> str:
    return b"".join(body.pieces).decode()


ALL = "SELECT ?s ?p ?o ?unbound { ?s ?p ?o } ORDER BY ?p ?o"


def native(store: ox.Store, format: str, text: str = ALL) -> str:
    answer = store.query(text)
    assert isinstance(answer, ox.QuerySolutions)
    written = answer.serialize(format=FORMATS[format])
    assert written is not None
    return written.decode()


def test_json_is_what_the_engine_writes(store: ox.Store) -> None:
    assert json.loads(text_of(table(store, ALL, "json"))) == json.loads(native(store, "json"))


def test_csv_is_what_the_engine_writes(store: ox.Store) -> None:
    def read(text: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(text, newline="")))

    assert read(text_of(table(store, ALL, "csv"))) == read(native(store, "csv"))


def test_tsv_holds_the_terms_that_the_engine_reads(store: ox.Store) -> None:
    written = text_of(table(store, ALL, "tsv"))
    for text in (written, native(store, "tsv")):
        read = ox.parse_query_results(text.encode(), format=ox.QueryResultsFormat.TSV)
        assert isinstance(read, ox.QuerySolutions)
        rows = [tuple(row) for row in read]
        if text == written:
            first = rows
    assert first == rows


def test_xml_is_what_the_engine_writes_but_for_what_xml_cannot_hold(store: ox.Store) -> None:
    def read(text: str) -> Any:
        root = ElementTree.fromstring(text)
        return [[(e.tag, dict(e.attrib), e.text) for e in row.iter()] for row in root.iter()]

    assert "\ufffd" in text_of(table(store, ALL, "xml"))
    store.update("DELETE WHERE { ?s <http://e/p> ?o }")
    store.update('INSERT DATA { <http://e/a> <http://e/p> "<&\\n>" }')
    assert read(text_of(table(store, ALL, "xml"))) == read(native(store, "xml"))


@pytest.mark.parametrize("format", FORMATS)
def test_ask_and_empty_tables(store: ox.Store, format: str) -> None:
    answer = store.query("ASK { ?s ?p ?o }")
    assert isinstance(answer, ox.QueryBoolean)
    assert "true" in text_of(write_boolean(answer, format))
    empty = table(store, "SELECT ?x ?y { ?x ?y 'nothing such' }", format)
    assert (empty.rows, empty.is_truncated) == (0, False)
    if format == "csv":
        assert text_of(empty) == "x,y\r\n"
        return
    read = ox.parse_query_results(text_of(empty).encode(), format=FORMATS[format])
    assert isinstance(read, ox.QuerySolutions)
    assert [v.value for v in read.variables] == ["x", "y"]
    assert list(read) == []


def test_tables_are_cut_at_rows_and_say_so(store: ox.Store) -> None:
    count = len(store)
    whole = table(store, ALL, "json", rows=count)
    assert (whole.rows, whole.is_truncated) == (count, False)
    assert "link" not in json.loads(text_of(whole))["head"]
    cut = table(store, ALL, "json", rows=count - 1)
    assert (cut.rows, cut.is_truncated) == (count - 1, True)
    read = json.loads(text_of(cut))
    assert read["head"]["link"] == [results.TRUNCATED_LINK]
    assert read["results"]["bindings"] == json.loads(text_of(whole))["results"]["bindings"][:-1]
    xml = ElementTree.fromstring(text_of(table(store, ALL, "xml", rows=1)))
    assert [e.get("href") for e in xml.iter(f"{SR}link")] == [results.TRUNCATED_LINK]
    assert len(list(xml.iter(f"{SR}result"))) == 1


def test_tables_are_cut_at_bytes(store: ox.Store) -> None:
    store.update("INSERT DATA {" + f' <http://e/z> <http://e/z> "{"é" * 1000}" ' + "}")
    cut = table(store, "SELECT ?o ?b { ?s ?p ?o . ?a ?b ?c }", "csv", rows=10**6, size=5000)
    assert cut.is_truncated
    assert 5000 - 4100 < len(text_of(cut).encode()) <= 5000


EVERYTHING = "CONSTRUCT WHERE { ?s ?p ?o }"


def graph(store: ox.Store, format: str, rows: int = 100, text: str = EVERYTHING) -> Body:
    answer = store.query(text)
    assert isinstance(answer, ox.QueryTriples)
    return write_graph(answer, format, rows, 10**6, PREFIXES)


@pytest.mark.parametrize("format", ["turtle", "nt"])
def test_graphs_hold_each_triple_once(store: ox.Store, format: str) -> None:
    kinds = {"turtle": ox.RdfFormat.TURTLE, "nt": ox.RdfFormat.N_TRIPLES}
    body = graph(store, format)
    read = list(ox.parse(b"".join(body.pieces), format=kinds[format]))
    assert len(read) == body.rows == len(store)
    same = graph(store, format, text="CONSTRUCT { <http://e/x> <http://e/y> 1 } WHERE { ?s ?p ?o }")
    assert (same.rows, same.is_truncated) == (1, False)
    cut = graph(store, format, rows=3)
    assert (cut.rows, cut.is_truncated) == (3, True)
    assert len(list(ox.parse(b"".join(cut.pieces), format=kinds[format]))) == 3


def test_turtle_declares_the_prefixes_that_it_needs_and_no_other() -> None:
    store = ox.Store()
    text = """
        PREFIX org: <http://www.w3.org/ns/org#>
        INSERT DATA {
          <https://w3id.org/rhizome/id/organisation/a> a org:Organization ;
            org:memberOf <https://w3id.org/rhizome/id/network/n> ; org:x <http://elsewhere/y> .
        }"""
    store.update(text)
    written = text_of(graph(store, "turtle"))
    declared = {line.split()[1] for line in written.splitlines() if line.startswith("@prefix")}
    assert declared == {"rdf:", "org:", "organisation:", "network:"}
    assert "network:n" in written
    assert "\\/" not in written


# --- bytes ------------------------------------------------------------------------------------


def doubled(times: int) -> str:
    """A query with one row that holds a text of 2 ** times characters."""
    steps = " ".join(f"BIND(CONCAT(?a{n}, ?a{n}) AS ?a{n + 1})" for n in range(times))
    return f"SELECT ?a{times} {{ BIND('x' AS ?a0) {steps} }}"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [150, 300, 600, 1_000, 2_000])
def test_no_table_is_larger_than_its_bytes(store: ox.Store, format: str, size: int) -> None:
    text = "SELECT ?s ?x { ?s ?p ?o BIND(CONCAT('é\\u0007\\n\"', STR(?p)) AS ?x) }"
    whole = table(store, text, format)
    try:
        body = table(store, text, format, size=size)
    except AnswerTooLargeError:
        assert len(text_of(whole).encode()) > size
        return
    assert len(text_of(body).encode()) <= size
    assert body.is_truncated == (len(text_of(whole).encode()) > size)
    assert body.rows <= whole.rows


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("times", [10, 22])
def test_a_first_row_that_is_too_large_is_an_error(
    store: ox.Store, format: str, times: int
) -> None:
    with pytest.raises(AnswerTooLargeError):
        table(store, doubled(times), format, size=1_000)
    assert table(store, doubled(times), format, size=2**times + 1_000).rows == 1


def test_what_escapes_make_of_a_row_counts(store: ox.Store) -> None:
    text = "SELECT ?x { BIND('" + "\\u0007" * 300 + "' AS ?x) }"
    with pytest.raises(AnswerTooLargeError):
        table(store, text, "json", size=1_000)
    assert table(store, text, "csv", size=1_000).rows == 1


@pytest.mark.parametrize("format", ["turtle", "nt"])
def test_no_graph_is_larger_than_its_bytes(store: ox.Store, format: str) -> None:
    long = "CONCAT('https://w3id.org/rhizome/id/', ?k, '/', STR(?s), STR(?p), STR(?o))"
    kinds = " ".join(f"'{'k' * n}'" for n in range(1, 40))
    text = (
        f"CONSTRUCT {{ ?y ?y ?y }} {{ ?s ?p ?o FILTER(ISLITERAL(?o) && STR(?o) = '') "
        f"VALUES ?k {{ {kinds} }} BIND(IRI({long}) AS ?y) }}"
    )
    for size in (500, 5_000, 10**6):
        answer = store.query(text)
        assert isinstance(answer, ox.QueryTriples)
        body = write_graph(answer, format, 100, size, PREFIXES)
        assert len(text_of(body).encode()) <= size
        assert body.is_truncated == (size < 10**6)
        assert 0 < body.rows <= 39
    steps = " ".join(f"BIND(CONCAT(?a{n}, ?a{n}) AS ?a{n + 1})" for n in range(12))
    for where in ("<http://e/> <http://e/p> ?x", "?x <http://e/p> 1"):
        bind = "IRI(CONCAT('http://e/', ?a12))" if where.startswith("?x") else "?a12"
        text = f"CONSTRUCT {{ {where} }} {{ BIND('x' AS ?a0) {steps} BIND({bind} AS ?x) }}"
        answer = store.query(text)
        assert isinstance(answer, ox.QueryTriples)
        with pytest.raises(AnswerTooLargeError):
            write_graph(answer, format, 100, 4_000, PREFIXES)


NUMBERS = " ".join(map(str, range(2_000)))
CONSTRUCT = f"CONSTRUCT {{ ?s ?p ?n . ?s ?p 1 }} {{ ?s ?p ?o VALUES ?n {{ {NUMBERS} }} }}"


@pytest.mark.parametrize("format", ["turtle", "nt"])
def test_a_graph_of_more_than_is_held_is_streamed_where_it_may_be(
    store: ox.Store, format: str
) -> None:
    """Each triple once, though the engine's own writer repeats them."""

    def triples() -> ox.QueryTriples:
        answer = store.query(CONSTRUCT)
        assert isinstance(answer, ox.QueryTriples)
        return answer

    sent: list[bytes] = []
    expected = set(triples())
    body = write_graph(
        triples(), format, 10**6, 50_000, PREFIXES, 10**6, 10**9, lambda: sent.append
    )
    assert (body.pieces, body.rows, body.is_truncated) == ([], len(expected), False)
    text = b"".join(sent)
    assert text.count(b" .\n") == len(expected) > 2_000
    assert {quad.triple for quad in ox.parse(text, format=ox.RdfFormat.TURTLE)} == expected
    assert len(sent) > 3
    with pytest.raises(MoreError):
        write_graph(triples(), format, 10**6, 50_000, PREFIXES, 10**6, 10**9)
    for rows, size in ((1_900, 10**9), (10**6, 60_000)):
        with pytest.raises(PassedError):
            write_graph(triples(), format, 10**6, 50_000, PREFIXES, rows, size, lambda: sent.append)


@pytest.mark.parametrize("format", ["jsonld", "rdfxml"])
def test_what_is_written_by_subject_is_cut_and_never_begun(format: str) -> None:
    store = ox.Store()
    store.load(
        b"".join(b"<http://e/%d> <http://e/p> <http://e/o> .\n" % n for n in range(5_000)),
        format=ox.RdfFormat.N_TRIPLES,
    )
    answer = store.query("CONSTRUCT WHERE { ?s ?p ?o }")
    assert isinstance(answer, ox.QueryTriples)

    def begin() -> Any:
        raise AssertionError("begun")

    body = write_graph(answer, format, 1_000, 10**6, PREFIXES, 10**6, 10**9, begin)
    assert (body.rows, body.is_truncated) == (1_000, True)
