"""Every question of the library has the same answer in GraphQL and in SPARQL, the expected one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.errors import BadValueError, OntologyError
from graph.settings import Settings
from graph.store.guard import check_query
from graph.terms import ENTITY
from schema.question import LANGUAGES, Kind, Parameter, Question, Table, fill
from schema.questions import (
    QUESTIONS,
    load_questions,
    read_expected,
    worked_questions,
    write_expected,
)
from schema.questions_page import write_questions_page
from schema.rows import Row
from tests.questioning import BY_NUMBER, Asker, ask_service, asker
from tests.require import ROOT
from tests.writing import http

__all__ = ["asker", "http"]  # fixtures

# --- the library ------------------------------------------------------------------------------


@pytest.mark.parametrize("question", BY_NUMBER.values(), ids=lambda question: question.name)
@pytest.mark.generated
def test_both_languages_give_the_expected_answer(
    question: Question,
    asker: Asker,
    http: TestClient,
    assert_current: Callable[[Path, str], None],
) -> None:
    if question.scopes:  # a token, and the log: the whole service answers
        data = question.ask(partial(ask_service, http, *question.scopes))
        rows = [table.answer_rows(data) for table in question.tables]
    else:
        rows = asker.graphql_rows(question)
    by_graphql = iter(rows)
    by_sparql = iter(asker.sparql_rows(question))
    answers = []
    for table in question.tables:
        found = [next(each) for each in _ways(table, by_graphql, by_sparql)]
        assert found[0] == found[-1], table.title
        answers.append(found[0])
    assert_current(QUESTIONS / f"{question.name}.expected.json", write_expected(question, answers))


def _ways(table: Table, *by: Iterator[list[Row]]) -> list[Iterator[list[Row]]]:
    """Those of GraphQL's and SPARQL's rows that a table has: both, unless it says why not."""
    ways = [each for each, has in zip(by, (table.paths, table.sparql), strict=True) if has]
    assert len(ways) == 2 or table.without_sparql or table.without_graphql
    return ways


@pytest.mark.parametrize("question", BY_NUMBER.values(), ids=lambda question: question.name)
def test_expected_answers_are_read_as_they_were_written(question: Question) -> None:
    rows = read_expected(question)
    text = (QUESTIONS / f"{question.name}.expected.json").read_text(encoding="utf-8")
    assert write_expected(question, rows) == text


def test_the_library_holds_the_first_questions() -> None:
    assert list(BY_NUMBER) == [
        *(1, 2, 3, 4, 6, 9, 10, 11, 12, 14, 15, 21, 26, 31, 33, 38, 39, 42),
        *(45, 46, 47, 49, 50, 53, 54),
    ]


@pytest.mark.parametrize("question", BY_NUMBER.values(), ids=lambda question: question.name)
def test_the_service_admits_each_select(question: Question) -> None:
    for table in filter(lambda table: table.sparql, question.tables):
        assert check_query(question.sparql(table), Settings()).form == "SELECT"


@pytest.mark.parametrize("question", BY_NUMBER.values(), ids=lambda question: question.name)
def test_a_french_reader_gets_a_text_of_his_own(question: Question) -> None:
    for texts in (question.title, question.text, *(table.title for table in question.tables)):
        assert set(texts) == {"en", "fr"}
        assert all(texts.values())
    assert question.title["fr"] != question.title["en"]
    assert question.text["fr"] != question.text["en"]


@pytest.mark.generated
def test_the_page_is_current(assert_current: Callable[[Path, str], None]) -> None:
    assert_current(ROOT / "docs" / "questions.md", write_questions_page())


def variants(asker: Asker) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of a question and other values of its variables."""
    for cluster in asker.identifiers("Cluster"):
        yield 6, {"cluster": cluster}
        yield 45, {"id": cluster}
    for organisation in asker.identifiers("Organisation"):
        yield 3, {"cluster": organisation}
        yield 15, {"cluster": organisation}
    for memorandum in asker.identifiers("Memorandum"):
        yield 2, {"memorandum": memorandum}
    for network in asker.identifiers("Network"):
        yield 6, {"network": network}
        yield 21, {"network": network}
        yield 31, {"network": network}
        yield 11, {"network": network}
        yield 42, {"network": network}
    for concept in asker.identifiers("Concept"):
        if "/sector--" in concept:
            yield 4, {"sector": concept}
        if "/objective--" in concept:
            yield 9, {"objective": concept}
    for continent in ("africa", "asia", "americas", "oceania", "nowhere"):
        yield 31, {"continent": f"{ENTITY}concept/continent--{continent}"}
        yield 33, {"continent": f"{ENTITY}concept/continent--{continent}"}
    for today, deadline in (
        ("2016-01-01", "2016-12-01"),
        ("2016-11-15", "2016-11-20"),
        ("2022-06-01", "2025-09-15"),
        ("2022-12-31", "2022-12-31"),
        ("2025-01-01", "2024-01-01"),
        ("2026-11-22", "2026-12-01"),
        ("0001-01-01", "9999-12-31"),
    ):
        yield 12, {"today": today, "deadline": deadline}
    for text in ("VEGEPOLYS VALLEY", "innov alliance", "FEMAC", "biovegen"):
        yield 46, {"text": text}
    for name in ("Terralia", "Nutravita", 'no "such" name', "' } #"):
        yield 14, {"name": name, "acronym": name}


def test_both_languages_agree_whatever_is_asked_for(asker: Asker) -> None:
    asked = 0
    for place, (number, values) in enumerate(variants(asker)):
        question = BY_NUMBER[number].read_in(LANGUAGES[place % 2])
        variant = dataclasses.replace(question, variables={**question.variables, **values})
        asked_tables = [table for table in question.tables if table.paths]
        found = zip(asked_tables, asker.graphql_rows(variant), strict=True)
        rows = [rows for table, rows in found if table.sparql]
        assert rows == asker.sparql_rows(variant), (number, values)
        asked += 1
    assert asked > 400


# --- for the forms ------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "title"), [("en", "Who signed"), ("fr", "Qui a signé")])
def test_the_forms_get_three_questions_ready_to_ask(
    asker: Asker, language: str, title: str
) -> None:
    worked = worked_questions(language)
    assert [question["number"] for question in worked] == [2, 10, 45]
    assert worked[0]["title"].startswith(title)
    for question in worked:
        assert asker.ask_graphql(question["graphql"], json.loads(question["variables_json"]))
        assert "{{" not in question["sparql"]
        assert asker.store.query(question["sparql"]) is not None


def test_a_language_without_texts_gets_english_ones() -> None:
    assert worked_questions("nl") == worked_questions("en")


# --- bad files ----------------------------------------------------------------------------------

GOOD = '''
number = 7
slug = "a-question"
title.en = "A question?"
title.fr = "Une question ?"
text.en = "What it answers."
text.fr = "Ce à quoi elle répond."
graphql = """
query Q($id: ID!) {
  network(id: $id) { id members { nodes { id ...M } } memoranda { nodes { id } } }
}
fragment M on Membership { role { notation } }
"""
[variables.id]
kind = "iri"
of = "Network"
default = "https://example.org/x"
title.en = "Network"
title.fr = "Réseau"
[[table]]
title.en = "Table"
title.fr = "Tableau"
sparql = "SELECT ?member WHERE { ?member ?p {{id:iri}} } ORDER BY ?member"
[table.columns]
member = "network.members.nodes[].id"
'''


def write(folder: Path, text: str, name: str = "07-a-question") -> None:
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def test_a_good_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (question,) = load_questions(tmp_path)
    assert question.name == "07-a-question"
    assert question.sparql(question.tables[0]).startswith("SELECT ?member WHERE { ?member ?p <http")
    other = question.sparql(question.tables[0], {"id": "https://example.org/y"})
    assert "<https://example.org/y>" in other


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("number = 7", "number = = 7", "TOML: Invalid value (at line 2"),
        ("number = 7", "number = 8", "'07-a-question' is not number and slug: 08-a-question"),
        ("number = 7", 'number = "7"', "number: '7' is not of type int"),
        ("number = 7", "number = true", "number: 'True' is not of type int"),
        ("number = 7", "number = 7\nnote = 1", "key: 'note' is not a key of a question"),
        ('title.fr = "Une question ?"', "", "title.fr: 'nothing' is not there: it is missing"),
        ('text.en = "What it answers."', "", "text.en: 'nothing' is not there"),
        ('title.fr = "Tableau"', "", "table[0].title.fr: 'nothing' is not there"),
        ('title.fr = "Tableau"', 'title.fr = "T"\nnote = 1', "key: 'table[0].note' is not a key"),
        ('text.fr = "Ce', 'text.de = "?"\ntext.fr = "Ce', "key: 'text.de' is not a key"),
        ("query Q", "query Q query R", "graphql: "),
        ("fragment M", "query R { revision } fragment M", "'2 operations' is not one operation"),
        ("[variables.id]", "[variables.other]", "variables: 'other' is not what the document"),
        ('default = "https://example.org/x"', "default = 1.5", "default: '1.5' is not of type str"),
        (
            'default = "https://example.org/x"',
            'default = "x y"',
            "id: 'x y' is not an IRI, or the end",
        ),
        ("nodes[].id", "nodes[].name", "'network.members.nodes.name' is not asked for: name"),
        ("nodes[].id", "nodes[]", "'network.members.nodes' is not a value"),
        ("nodes[].id", "nodes[0].id", "is not field names with [] or [?]"),
        ("nodes[].id", "nodes[].id.text", "is not asked for: text is not there"),
        ('member = "network.members.nodes[].id"', "", "table[0].columns: '{}' is not at least one"),
        ("[].id", '[].id"\nm = "network.memoranda.nodes[].id', "they stand side by side"),
        ("SELECT ?member", "ASK ?member", "sparql: 'ASK ?member"),
        ("{{id:iri}}", "{{other:iri}}", "'{{other:iri}}' is not {{variable:kind}}"),
        ("{{id:iri}}", "{{id:date}}", "'{{id:date}}' is not {{variable:kind}}"),
        ("{{id:iri}}", "{{id:integer}}", "id: 'https://example.org/x' is not of kind integer"),
        ("[table.columns]", 'enums = ["role"]\n[table.columns]', "enums: 'role' is not a column"),
        ("[table.columns]", 'unknown = ["x"]\n[table.columns]', "unknown: 'x' is not a column"),
        ("[table.columns]", 'minus = ["network.x"]\n[table.columns]', "not asked for: x"),
        ("[table.columns]", "ordered = 1\n[table.columns]", "ordered: '1' is not of type bool"),
        (
            '} ORDER BY ?member"\n[table.columns]',
            '}"\nordered = true\n[table.columns]',
            "ordered: 'true' is not possible without ORDER BY",
        ),
        ("number = 7", 'number = 7\npages = "network"', "variables: 'after id' is not what the"),
        ("number = 7", 'number = 7\nscopes = ["all"]', "scopes: 'all' is not one of write, "),
        (
            "$id: ID!",
            "$id: ID!, $lang: [String!]",
            "'$lang: [String!]' is not declared as $lang: [",
        ),
        ("[variables.id]", "[variables.lang]", "variables: 'lang' is not what the document"),
        ("number = 7", "number = 7\nscopes = 1", "scopes: '1' is not of type list"),
        ('kind = "iri"', 'kind = "url"', "variables.id.kind: 'url' is not one of iri, string, "),
        ('kind = "iri"', "", "variables.id.kind: 'nothing' is not there"),
        ('kind = "iri"', 'kind = "date"', "id: 'https://example.org/x' is not a day such as"),
        (
            'kind = "iri"',
            'kind = "integer"',
            "variables.id.default: 'https://example.org/x' is not",
        ),
        ('title.fr = "Réseau"', "", "variables.id.title.fr: 'nothing' is not there"),
        ('of = "Network"', "off = 1", "key: 'variables.id.off' is not a key"),
        ("org/x", "org/ x", "id: 'https://example.org/ x' is not an IRI, or the end of one"),
        ("number = 7", 'number = 7\nnetwork = "no"', "network: 'no' is not a variable"),
        (
            "number = 7",
            'number = 7\nconstruct = "ASK {}"',
            "construct: 'ASK {}' is not a CONSTRUCT",
        ),
        (
            "number = 7",
            'number = 7\nconstruct = "CONSTRUCT {?s ?p {{no:iri}}} WHERE {}"',
            "'{{no:iri}}' is not {{variable:kind}}",
        ),
        (
            "sparql =",
            'without_graphql.en = "so"\nwithout_graphql.fr = "ainsi"\nsparql =',
            "table[0].without_graphql: 'paths' is not without SPARQL or paths",
        ),
        ("sparql =", 'without_sparql.en = "so"\nsparql =', "table[0].without_sparql.fr: 'nothing'"),
        (
            "sparql =",
            'without_sparql.en = "so"\nwithout_sparql.fr = "ainsi"\nsparql =',
            "key: 'table[0].sparql' is not a key",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in GOOD
    write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(OntologyError) as caught:
        load_questions(tmp_path)
    assert caught.value.message.startswith("seeds/questions/07-a-question.toml: ")
    assert message in caught.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "07-a-question.toml").write_bytes(b"number = 7 # \xff")
    with pytest.raises(OntologyError, match="TOML"):
        load_questions(tmp_path)


def test_pages_of_what_is_no_connection_are_refused(tmp_path: Path) -> None:
    text = GOOD.replace("$id: ID!", "$id: ID!, $after: String").replace(
        "= 7", '= 7\npages = "network"'
    )
    write(tmp_path, text)
    with pytest.raises(OntologyError, match="pageInfo is not there"):
        load_questions(tmp_path)


def test_a_fragment_that_spreads_itself_ends_the_reading(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("{ role", "{ ...M role"))
    assert len(load_questions(tmp_path)) == 1


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        ("https://example.org/a", "iri", "<https://example.org/a>"),
        ('a" } # \n', "string", '"a\\" } # \\n"'),
        ("7", "integer", '"7"^^<http://www.w3.org/2001/XMLSchema#integer>'),
    ],
)
def test_a_placeholder_becomes_one_term(value: str, kind: str, written: str) -> None:
    assert fill(f"{{{{x:{kind}}}}}", {"x": value}) == written


@pytest.mark.parametrize("value", ["a> } DROP ALL #", "no scheme", "https://x/\n"])
def test_what_is_no_iri_does_not_get_into_the_text(value: str) -> None:
    with pytest.raises(BadValueError):
        fill("{{x:iri}}", {"x": value})


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("iri", "organisation/cta", f"{ENTITY}organisation/cta"),
        ("iri", "https://example.org/a", "https://example.org/a"),
        ("integer", "-12", -12),
        ("date", "2024-02-29", "2024-02-29"),
        ("string", '" } # ?x', '" } # ?x'),
    ],
)
def test_a_parameter_takes_values_of_its_kind(kind: str, text: str, value: object) -> None:
    assert Parameter("x", Kind(kind), {}, "").read(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("iri", "organisation"),
        ("iri", "organisation/cta> } #"),
        ("iri", "a/../b c"),
        ("iri", ""),
        ("integer", "1e3"),
        ("integer", "1" * 10),
        ("integer", "\u0661"),
        ("date", "2026-02-30"),
        ("date", "20261122"),
        ("date", "2026-W01-1"),
        ("string", ""),
        ("string", " \t"),
        ("string", "\ud800"),
        ("string", "x" * 1_001),
    ],
)
def test_a_parameter_refuses_other_values(kind: str, text: str) -> None:
    with pytest.raises(BadValueError, match=r"^x: "):
        Parameter("x", Kind(kind), {}, "").read(text)


@pytest.mark.parametrize("question", BY_NUMBER.values(), ids=lambda question: question.name)
def test_parameters_are_described_and_offer_what_there_is(question: Question, asker: Asker) -> None:
    names = asker.engine.model.by_name
    for each in question.parameters:
        assert set(each.title) == {"en", "fr"}
        assert not each.of or (each.of in names and each.kind is Kind.IRI)
    if question.construct:
        assert check_query(question.graph(), Settings()).form == "CONSTRUCT"


def test_a_select_of_other_columns_is_refused() -> None:
    with pytest.raises(BadValueError, match="the columns known"):
        BY_NUMBER[2].tables[3].solution_rows(["unknown"], [])


def test_pages_are_followed_to_the_end() -> None:
    question = dataclasses.replace(BY_NUMBER[38], variables={}, pages="items")
    pages = {None: (["a", "b"], "1"), "1": (["c"], "2"), "2": (["d"], None)}
    asked: list[object] = []

    def answer(document: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(variables.get("after"))
        nodes, end = pages[variables.get("after")]
        info = {"hasNextPage": end is not None, "endCursor": end}
        return {"items": {"nodes": nodes, "pageInfo": info}, "other": len(asked)}

    data = question.ask(answer)
    assert data["items"]["nodes"] == ["a", "b", "c", "d"]
    assert data["other"] == 1
    assert asked == [None, "1", "2"]
