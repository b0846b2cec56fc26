"""Every address of ours that an answer names leads somewhere."""

from __future__ import annotations

import re

import pyoxigraph as ox
import pytest
from starlette.testclient import TestClient

from graph.curation.formats import TURTLE
from graph.errors.base import leaves
from graph.shapes import load_model
from web.problems import ERROR_BASE

#: The version of the ontology, which changes when that does.
ONTOLOGY = load_model().version

OURS = re.compile(r"https://w3id\.org/rhizome(/[^\s<>\"'#]*)(#[^\s<>\"']*)?")
#: What names an entity, a class or a graph by a rule, not a thing that there is.
_PATTERNS = ("{", "…", "...")


def test_the_type_of_each_error_is_a_line_of_the_page(client: TestClient) -> None:
    for language in ("en", "fr"):
        page = client.get(f"/errors?lang={language}", headers={"Accept": "text/html"})
        assert page.status_code == 200
        for code in ("INTERNAL", *(leaf.code for leaf in leaves())):
            assert f'id="{code}"' in page.text
    problem = client.get("/nowhere", headers={"Accept": "application/json"}).json()
    assert problem["type"] == f"{ERROR_BASE}NOT_FOUND"


@pytest.mark.parametrize("accept", ["text/turtle", "application/ld+json", "application/rdf+xml"])
def test_prefixes_are_declared_as_rdf(client: TestClient, accept: str) -> None:
    answer = client.get("/prefixes", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(accept)
    format = ox.RdfFormat.from_media_type(accept)
    assert format is not None
    found = {
        (quad.subject.value, quad.predicate.value.partition("#")[2]): quad.object.value
        for quad in ox.parse(answer.content, format)
    }
    node = "https://w3id.org/rhizome/prefixes#rz"
    assert found[node, "prefix"] == "rz"
    assert found[node, "namespace"] == "https://w3id.org/rhizome/ontology#"
    tag = answer.headers["etag"]
    again = client.get("/prefixes", headers={"Accept": accept, "If-None-Match": tag})
    assert again.status_code == 304


def test_the_version_of_the_ontology_and_its_alignments_are_found(client: TestClient) -> None:
    for path, place in (
        (f"/ontology/{ONTOLOGY}", "/ontology"),
        ("/alignments", "/ontology/alignments.ttl"),
        ("/shapes", "/ontology/shapes.ttl"),
    ):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, place)
        assert client.get(path).status_code == 200
    assert client.get("/ontology/9.9.9").status_code == 404


def test_what_the_service_says_of_itself_resolves(client: TestClient) -> None:
    """All addresses of ours in descriptions, ontology files and the library of questions."""
    named = set[tuple[str, str]]()
    for path in (
        "/.well-known/void?format=ttl",
        "/.well-known/dcat?format=ttl",
        "/sparql",
        "/ontology.ttl",
        "/ontology/alignments.ttl",
        "/ontology/shapes.ttl",
    ):
        answer = client.get(path, headers={"Accept": TURTLE.media_type})
        assert answer.status_code == 200, path
        named |= {(place, anchor or "") for place, anchor in OURS.findall(answer.text)}
    # Entities are walked in the tests of linked data.
    wanted = {place for place, _ in named if not place.startswith("/id/")}
    assert {"/ontology", "/alignments", f"/ontology/{ONTOLOGY}"} <= wanted
    for place in sorted(wanted):
        if not any(mark in place for mark in _PATTERNS):
            answer = client.get(place.rstrip(".,;)"), headers={"Accept": "text/html, */*;q=0.5"})
            assert answer.status_code == 200, place
