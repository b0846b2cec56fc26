"""The SPARQL page for people: the form, tables, and that nothing becomes markup."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from tests.test_sparql import NAMES, PIC, get
from web.sparql import PAGE_ROWS
from web.sparql_page import worked_questions


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_form_offers_three_worked_questions(client: TestClient, language: str) -> None:
    page = get(client, None, "text/html", parameters=[("lang", language)]).text
    assert f'<html lang="{language}">' in page
    questions = worked_questions(language)
    assert len(questions) == 3
    assert page.count('name="query"') == 1 + len(questions)
    assert "PREFIX rz: &lt;https://w3id.org/rhizome/ontology#&gt;" in page
    for mark in ("<script", "<style", "style=", 'src="http', "onclick"):
        assert mark not in page


@pytest.mark.parametrize("question", worked_questions("en"), ids=lambda q: q["title"][:20])
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
    assert page.text.count("<tr>") == 1 + PAGE_ROWS
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
