"""The question library answers a French reader in French: cells, texts of queries, every way."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pyoxigraph
import pytest
from starlette.testclient import TestClient

from graph.terms import ENTITY
from schema.question import LANGUAGES, Question
from schema.questions import load_questions
from server import main
from tests.questioning import BY_NUMBER, Asker, asker
from tests.test_question_pages import build_search

__all__ = ["asker"]  # fixture

ASKED = [question for question in load_questions() if not question.scopes]
#: What shows texts in every language, to whoever reads.
IN_ALL = (38, 49)
#: Questions whose answers on the seeds hold texts that have a French form.
TRANSLATED = (3, 4, 10, 11, 31)
FEMAC = "cluster=organisation/femac"
COMMON = {
    "en": "Common memorandum of understanding of the Plant InterCluster",
    "fr": "Protocole d'accord commun du Plant InterCluster",
}


@pytest.fixture(scope="module")
def forms(asker: Asker) -> Mapping[tuple[str, str], set[str]]:
    """The French forms of an English text of a thing: those by the same property."""
    texts: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for quad in asker.store:
        if isinstance(quad.object, pyoxigraph.Literal) and quad.object.language in LANGUAGES:
            thing = str(quad.subject).strip("<>")
            texts[thing, str(quad.predicate), quad.object.language].add(quad.object.value)
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (thing, predicate, language), english in texts.items():
        if language == "en" and (french := texts.get((thing, predicate, "fr"))):
            for text in english - french:
                found[thing, text] |= french
    return found


@pytest.mark.parametrize(
    "question", [q for q in ASKED if q.number not in IN_ALL], ids=lambda question: question.name
)
def test_a_text_with_a_french_form_is_shown_in_french(
    asker: Asker, forms: Mapping[tuple[str, str], set[str]], question: Question
) -> None:
    french = question.read_in("fr")
    ways = [(asker.graphql_rows(question), asker.graphql_rows(french))]
    ways += [(asker.sparql_rows(question), asker.sparql_rows(french))]
    found = 0
    for rows, other_rows in (pair for way in ways for pair in zip(*way, strict=True)):
        assert len(rows) == len(other_rows)
        for row in rows:
            for at, thing in product(range(len(row)), row):
                if expected := forms.get((str(thing), str(row[at]))):
                    assert {each[at] for each in other_rows if thing in each} <= expected
                    found += 1
    assert (found > 0) == (question.number in TRANSLATED)


def test_both_query_languages_give_the_french_answer(asker: Asker) -> None:
    for question in (each.read_in("fr") for each in ASKED):
        asked = [table for table in question.tables if table.paths]
        found = zip(asked, asker.graphql_rows(question), strict=True)
        rows = iter(asker.sparql_rows(question))
        by_sparql = {table.title["en"]: next(rows) for table in question.tables if table.sparql}
        for table, by_graphql in found:
            assert by_sparql.get(table.title["en"], by_graphql) == by_graphql


def test_the_address_answers_in_the_language_asked_for(client: TestClient) -> None:
    for given, headers, language in (
        ("lang=en&", {}, "en"),
        ("lang=fr&", {}, "fr"),
        ("lang=fr&", {"Accept-Language": "en"}, "fr"),
        ("", {"Accept-Language": "fr-CA"}, "fr"),
        ("", {"Accept-Language": "nl"}, "en"),
        ("", {}, "en"),
    ):
        response = client.get(f"/questions/3.csv?{given}{FEMAC}", headers=headers)
        assert response.headers["content-language"] == language
        rows = list(csv.DictReader(io.StringIO(response.text)))
        assert {row["name"] for row in rows} == {COMMON[language]}
        page = client.get(
            f"/questions/3?{given}{FEMAC}", headers={"Accept": "text/html", **headers}
        ).text
        assert COMMON[language].replace("'", "&#39;") in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_that_is_shown_gives_the_same_answer(client: TestClient, language: str) -> None:
    build_search(client)
    asked = f"lang={language}&{FEMAC}"
    rows = client.get(f"/questions/3.json?{asked}").json()["tables"][0]["rows"]
    sparql = client.get(f"/questions/3.rq?{asked}")
    assert "Accept-Language" in sparql.headers["vary"]
    found = client.get("/sparql", params={"query": sparql.text}).json()["results"]["bindings"]
    assert [row["name"]["value"] for row in found] == [row["name"] for row in rows]
    question = BY_NUMBER[3].read_in(language)
    values = {"cluster": f"{ENTITY}organisation/femac"}
    body = {"query": question.graphql, "variables": question.document_variables(values)}
    data = client.post("/graphql", json=body).json()["data"]
    by_hand = question.tables[0].answer_rows(data)
    assert by_hand == [tuple(row.values()) for row in rows]


def test_a_document_as_it_stands_asks_for_english(client: TestClient) -> None:
    question = BY_NUMBER[3]
    body = {"query": question.graphql, "variables": dict(question.variables)}
    french = {"Accept-Language": "fr"}
    data = client.post("/graphql", json=body, headers=french).json()["data"]
    assert COMMON["en"] in {row[1] for row in question.tables[0].answer_rows(data)}


def test_the_page_shows_the_variables_of_its_language(client: TestClient) -> None:
    text = client.get("/questions/3?lang=fr", headers={"Accept": "text/html"}).text
    assert "&#34;lang&#34;: [\n    &#34;fr&#34;,\n    &#34;en&#34;\n  ]" in text
    assert "IF(LANGMATCHES(LANG(?text), &#34;fr&#34;), &#34;1&#34;" in text


def test_the_command_line_answers_in_the_language_asked_for(
    seeded_store: Path, tmp_path: Path, client: TestClient
) -> None:
    store = tmp_path / "store"
    shutil.copytree(seeded_store, store)
    out = tmp_path / "answer.json"
    ask = ["question", "3", "--param", FEMAC, "--store", str(store), "--out", str(out)]
    assert main([*ask, "--lang", "fr"]) == 0
    by_address = client.get(f"/questions/3.json?lang=fr&{FEMAC}").json()
    assert json.loads(out.read_text(encoding="utf-8")) == by_address
    assert {row["name"] for row in by_address["tables"][0]["rows"]} == {COMMON["fr"]}
