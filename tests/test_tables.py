"""Tables that the engine writes, cut where a row ends, and streamed where there is more."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import Any
from xml.etree import ElementTree

import pyoxigraph as ox
import pytest

from graph.store.lines import MoreError, PassedError
from graph.store.results import TRUNCATED_LINK, Body
from graph.store.tables import write_table

FORMATS = ("json", "xml", "csv", "tsv")
NATIVE = {
    "json": ox.QueryResultsFormat.JSON,
    "xml": ox.QueryResultsFormat.XML,
    "csv": ox.QueryResultsFormat.CSV,
    "tsv": ox.QueryResultsFormat.TSV,
}
#: Texts that look like the ends of rows, in one format or another.
NASTY = [
    '},{"', '}},{"x', "{},{},{}", '"', '\\"', "\\", '},{"}', "a\r\nb", '"\r\n"', "\r\n", "x\ny",
    "</result><result>", "]}}", "\t", '[{}', '"},"results"', "é€😀",
]  # fmt: skip
UNBOUND = (
    "SELECT ?x ?y { VALUES (?x ?y) { (UNDEF UNDEF) (1 UNDEF) (UNDEF '{},{}') (UNDEF UNDEF) } }"
)


@pytest.fixture(scope="module")
def store() -> ox.Store:
    store = ox.Store()
    store.extend(
        ox.Quad(ox.NamedNode(f"http://e/{n}"), ox.NamedNode("http://e/p"), ox.Literal(text))
        for n, text in enumerate(NASTY)
    )
    return store


def ask(store: ox.Store, text: str) -> ox.QuerySolutions:
    answer = store.query(text)
    assert isinstance(answer, ox.QuerySolutions)
    return answer


def read(data: bytes, format: str) -> list[Any]:
    """The rows of a table, read by others than the engine where there are others."""
    match format:
        case "json":
            return list(json.loads(data)["results"]["bindings"])
        case "xml":
            root = ElementTree.fromstring(data)
            rows = root.iter("{http://www.w3.org/2005/sparql-results#}result")
            return [[(e.tag, e.text, dict(e.attrib)) for e in row.iter()] for row in rows]
        case "csv":
            return list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]
    found = ox.parse_query_results(data, format=ox.QueryResultsFormat.TSV)
    assert isinstance(found, ox.QuerySolutions)
    return [tuple(row) for row in found]


def joined(body: Body) -> bytes:
    return b"".join(body.pieces)


ROWS = "SELECT ?s ?o { ?s ?p ?o } ORDER BY ?s"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", [ROWS, UNBOUND])
def test_at_any_number_of_rows_the_first_of_them_are_answered(
    store: ox.Store, format: str, text: str
) -> None:
    whole = write_table(ask(store, text), format, 100, 10**6)
    assert not whole.is_truncated
    native = ask(store, text).serialize(format=NATIVE[format])
    assert native is not None
    if format != "xml":  # there a carriage return has to be written by reference
        assert joined(whole) == native
    rows = read(joined(whole), format)
    assert len(rows) == whole.rows
    for most in range(1, len(rows)):
        cut = write_table(ask(store, text), format, most, 10**6)
        assert (cut.rows, cut.is_truncated) == (most, True)
        assert read(joined(cut), format) == rows[:most]
        if format in ("json", "xml"):
            assert TRUNCATED_LINK.encode() in joined(cut)


@pytest.mark.parametrize("format", FORMATS)
def test_at_any_number_of_bytes_whole_rows_are_answered(store: ox.Store, format: str) -> None:
    rows = read(joined(write_table(ask(store, ROWS), format, 100, 10**6)), format)
    size = len(joined(write_table(ask(store, ROWS), format, 100, 10**6)))
    for most in range(size // 2, size, 7):
        cut = write_table(ask(store, ROWS), format, 100, most)
        assert cut.is_truncated
        assert len(joined(cut)) <= most
        assert read(joined(cut), format) == rows[: cut.rows]


MANY = "SELECT ?a ?o { ?a ?p ?b . ?c ?d ?o . ?e ?f ?g }"


@pytest.mark.parametrize("format", FORMATS)
def test_the_engine_is_stopped_soon_after_the_last_row(store: ox.Store, format: str) -> None:
    text = MANY.replace("?e ?f ?g", "?e ?f ?g . ?h ?i ?j . ?k ?l ?m . ?n ?q ?r . ?t ?u ?v")
    cut = write_table(ask(store, text), format, 3_000, 10**7)  # of 400 million
    assert (cut.rows, cut.is_truncated) == (3_000, True)
    assert len(read(joined(cut), format)) == 3_000


@pytest.mark.parametrize("format", FORMATS)
def test_more_than_is_held_is_streamed_where_it_may_be(store: ox.Store, format: str) -> None:
    sent: list[bytes] = []
    begun: list[bool] = []

    def begin() -> Any:
        begun.append(True)
        return sent.append

    count = 20_000
    text = MANY.replace("?e ?f ?g", "?e ?f ?g . ?h ?i ?j") + f" LIMIT {count}"
    body = write_table(ask(store, text), format, 3_000, 10**7, 10**6, 10**9, begin)
    assert (begun, body.pieces, body.is_truncated) == ([True], [], False)
    assert len(sent) > 3
    assert max(map(len, sent)) < 10**6
    assert len(read(b"".join(sent), format)) == count
    native = ask(store, text).serialize(format=NATIVE[format])
    if format != "xml":
        assert b"".join(sent) == native
    with pytest.raises(MoreError):
        write_table(ask(store, text), format, 3_000, 10**7, 10**6, 10**9)
    for rows, size in ((4_000, 10**9), (10**6, 100_000)):
        with pytest.raises(PassedError):
            write_table(ask(store, text), format, 3_000, 10**7, rows, size, begin)


@pytest.mark.parametrize("format", FORMATS)
def test_what_fits_is_held_and_not_begun(store: ox.Store, format: str) -> None:
    def begin() -> Any:
        raise AssertionError("begun")

    body = write_table(ask(store, ROWS), format, 100, 10**6, 10**6, 10**9, begin)
    assert (body.rows, body.is_truncated) == (len(NASTY), False)
    # A few rows more than are held, all of them there: nothing is cut.
    body = write_table(ask(store, ROWS), format, 5, 10**6, 10**6, 10**9, begin)
    assert (body.rows, body.is_truncated) == (len(NASTY), False)


def test_a_long_text_with_empty_braces_takes_little_memory_to_count() -> None:
    store = ox.Store()
    text = ox.Literal("{}" + "x" * 1_000_000)
    store.add(ox.Quad(ox.NamedNode("http://e/1"), ox.NamedNode("http://e/p"), text))
    asked = ask(store, "SELECT ?o { ?s ?p ?o }")
    tracemalloc.start()
    try:
        assert write_table(asked, "json", 100, 10**7).rows == 1
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
