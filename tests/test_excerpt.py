"""Exports of a part: one named graph, and what lies around an entity."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyoxigraph
import pytest
import rdflib

from graph.curation.excerpt import Excerpt, read_excerpt, take_excerpt
from graph.curation.export import FRAMED, export
from graph.curation.formats import N_QUADS, N_TRIPLES, TRIG, TURTLE
from graph.errors import BadValueError, NotFoundError, QueryTooLargeError, UnknownTermError
from graph.settings import Settings
from graph.store.snapshot import Snapshot
from graph.terms import Quad
from tests.samples import base, snapshot_of

ENTITY = "https://w3id.org/rhizome/id/"
A = f"{ENTITY}organisation/a"
ONE = f"{ENTITY}source/one"


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return snapshot_of(tuple(base()))


def _lines(snapshot: Snapshot, excerpt: Excerpt) -> list[str]:
    return b"".join(export(snapshot, N_QUADS, excerpt)).decode().splitlines()


def _expected(quads: Iterable[Quad]) -> list[str]:
    return sorted(f"{' '.join(quad)} ." for quad in quads)


def test_a_graph_is_exactly_what_the_source_states(snapshot: Snapshot) -> None:
    of_graph = [quad for quad in base() if quad[3] == f"<{ONE}>"]
    assert 0 < len(of_graph) < len(base())
    assert _lines(snapshot, Excerpt(graph=ONE)) == _expected(of_graph)


def _around(depth: int) -> set[Quad]:
    """The definition, word by word: what is said of all that is within some steps."""
    subjects = {quad[0] for quad in base()}
    closed = {q[0] for q in base() if q[2] == "<https://w3id.org/rhizome/ontology#Source>"}
    reached = {f"<{A}>"}
    for _ in range(depth):
        through = {node for node in reached if node not in closed and node in subjects}
        reached |= {q[2] for q in base() if q[0] in through}
        reached |= {q[0] for q in base() if q[2] in through}
    return {quad for quad in base() if quad[0] in reached}


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_what_lies_around_an_entity_grows_by_steps_in_both_directions(
    snapshot: Snapshot, depth: int
) -> None:
    assert _lines(snapshot, Excerpt(entity=A, depth=depth)) == _expected(_around(depth))


def test_the_steps_of_the_sample_differ() -> None:
    assert len({len(_around(depth)) for depth in (0, 1, 2)}) == 3


def test_the_formats_of_an_excerpt_say_the_same(snapshot: Snapshot) -> None:
    excerpt = Excerpt(entity=A, depth=1)
    graphs = []
    for format, name in ((N_TRIPLES, "nt"), (TURTLE, "turtle")):
        data = b"".join(export(snapshot, format, excerpt))
        graphs.append(set(rdflib.Graph().parse(data=data, format=name)))
    assert graphs[0] == graphs[1] != set()


def test_a_framed_export_is_one_tree_that_says_the_same(snapshot: Snapshot) -> None:
    excerpt = Excerpt(entity=A, depth=2)
    document: dict[str, Any] = json.loads(b"".join(export(snapshot, FRAMED, excerpt)))
    assert document["@id"] == A
    assert "@graph" not in document
    assert document["@reverse"]
    framed = pyoxigraph.parse(json.dumps(document).encode(), format=pyoxigraph.RdfFormat.JSON_LD)
    merged = b"".join(export(snapshot, N_TRIPLES, excerpt))
    plain = pyoxigraph.parse(merged, format=pyoxigraph.RdfFormat.N_TRIPLES)
    assert {quad.triple for quad in framed} == {quad.triple for quad in plain}


def test_a_framed_export_needs_an_entity(snapshot: Snapshot) -> None:
    with pytest.raises(BadValueError, match="entity"):
        export(snapshot, FRAMED)


def test_unknown_places_are_refused_by_name(snapshot: Snapshot) -> None:
    with pytest.raises(UnknownTermError, match="source/one"):
        export(snapshot, TRIG, Excerpt(graph=f"{ENTITY}source/on"))
    for iri in (f"{ENTITY}organisation/nobody", "https://e.org/never", ENTITY):
        with pytest.raises(NotFoundError):
            export(snapshot, TRIG, Excerpt(entity=iri))
    concept = "http://publications.europa.eu/resource/authority/country/FRA"
    with pytest.raises(NotFoundError):  # it stands in the ontology, which is no data
        export(snapshot, TRIG, Excerpt(entity=concept))


def test_too_much_around_an_entity_is_refused_before_the_first_byte(snapshot: Snapshot) -> None:
    with pytest.raises(QueryTooLargeError, match="export_statements at depth: at most 3"):
        take_excerpt(snapshot, Excerpt(entity=A, depth=1), 3)


@pytest.mark.parametrize(
    ("graph", "entity", "depth", "named"),
    [
        (ONE, A, None, "entity"),
        (None, None, "1", "depth"),
        (ONE, None, "1", "depth"),
        ("relative", None, None, "graph"),
        ("", None, None, "graph"),
        (None, "urn:a b", None, "entity"),
        (None, A, "-1", "depth"),
        (None, A, "4", "depth"),
        (None, A, "٣", "depth"),
        (None, A, "1.0", "depth"),
        (None, A, "9" * 5000, "depth"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(
    graph: str | None, entity: str | None, depth: str | None, named: str
) -> None:
    with pytest.raises(BadValueError) as raised:
        read_excerpt(graph, entity, depth, Settings())
    assert raised.value.name == named
    assert len(raised.value.message) < 400


def test_parameters_that_can_be_used_are_taken() -> None:
    assert read_excerpt(None, None, None, Settings()).is_whole
    assert read_excerpt(None, A, None, Settings()) == Excerpt(entity=A, depth=1)
    assert read_excerpt(None, A, "3", Settings()) == Excerpt(entity=A, depth=3)
    assert read_excerpt(ONE, None, None, Settings()) == Excerpt(graph=ONE)
