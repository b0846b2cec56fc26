"""The question library by address and by command: the rows are those that the seeds answer."""

from __future__ import annotations

import csv
import html
import io
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyoxigraph
import pytest
from starlette.testclient import TestClient

from graph.errors import BadValueError, NotFoundError, UnknownTermError
from graph.terms import ENTITY
from schema.question import Question
from schema.questions import load_questions, read_expected
from schema.tabulated import find_question, find_table, write_table
from server import main
from tests.questioning import BY_NUMBER
from tests.rdf import read
from tests.test_pages import Page, links
from tests.writing import ROLE, Client, http
from web.question_commands import read_pairs
from web.texts_columns import COLUMNS
from web.texts_values import VALUES

__all__ = ["http"]  # fixture

OPEN = [q for q in load_questions() if not q.scopes]
FEMAC = f"{ENTITY}organisation/femac"


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def build_search(client: TestClient) -> None:
    snapshot = client.app.state.service.public_snapshot  # type: ignore[attr-defined]
    snapshot.search.build(snapshot)


# --- by address ---------------------------------------------------------------------------------


@pytest.mark.parametrize("question", OPEN, ids=lambda question: question.name)
def test_json_holds_the_expected_answer(client: TestClient, question: Question) -> None:
    build_search(client)
    response = client.get(f"/questions/{question.name}.json")
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["parameters"] == dict(question.variables)
    assert (answer["revision"], answer["truncated"]) == (1, False)
    expected = read_expected(question)
    assert len(answer["tables"]) == len(expected)
    for found, rows, table in zip(answer["tables"], expected, question.tables, strict=True):
        assert found["columns"] == list(table.columns)
        assert [tuple(row.values()) for row in found["rows"]] == rows


def test_csv_and_tsv_hold_one_table(client: TestClient) -> None:
    expected = read_expected(BY_NUMBER[2])
    for place, rows in enumerate(expected):
        response = client.get(f"/questions/2.csv?table={place + 1}")
        assert response.headers["content-type"].startswith("text/csv")
        head, *found = read_csv(response.text)
        assert head == list(BY_NUMBER[2].tables[place].columns)
        assert found == [["" if c is None else str(c) for c in row] for row in rows]
    name = 'inline; filename="02-signatories-of-the-common-memorandum-2.csv"'
    response = client.get("/questions/2.csv?table=2")
    assert response.headers["content-disposition"] == name
    lines = client.get("/questions/2.tsv?table=2").text.splitlines()
    assert len(lines) == 1 + len(expected[1])
    assert all(line.count("\t") == 4 for line in lines)


def test_accept_chooses_where_no_suffix_does(client: TestClient) -> None:
    for accept, media_type in (
        (None, "text/html"),
        ("text/csv", "text/csv"),
        ("application/json", "application/json"),
        ("text/tab-separated-values", "text/tab-separated-values"),
    ):
        headers = {} if accept is None else {"Accept": accept}
        response = client.get("/questions/2", headers=headers)
        assert response.headers["content-type"].startswith(media_type)
    assert client.get("/questions/2", headers={"Accept": "image/png"}).status_code == 406


def test_a_parameter_changes_the_answer(client: TestClient) -> None:
    default = client.get("/questions/3.json").json()
    other = client.get(f"/questions/3.json?cluster={FEMAC}").json()
    short = client.get("/questions/3.json?cluster=organisation/femac").json()
    assert other["parameters"] == {"cluster": FEMAC}
    assert other["tables"] == short["tables"] != default["tables"]


@pytest.mark.parametrize("blank", ["", "%20", "%0A"])
def test_an_empty_parameter_is_refused_but_in_the_form(client: TestClient, blank: str) -> None:
    for path in ("3.csv?cluster", "12.json?deadline", "46.csv?text", "3.rq?cluster"):
        problem = client.get(f"/questions/{path}={blank}").json()
        assert (problem["status"], problem["code"]) == (400, "BAD_VALUE")
        number, name = int(path.partition(".")[0]), path.partition("?")[2]
        default = BY_NUMBER[number].variables[name]
        assert problem["expected"] == f"a value; without the parameter it is {default}"
    # A form sends the fields that were emptied, too.
    html = {"Accept": "text/html"}
    page = client.get(f"/questions/12?lang=en&deadline={blank}", headers=html)
    assert page.status_code == 200
    assert 'name="deadline" type="date" value="2027-01-31"' in page.text


def test_an_answer_need_not_be_sent_twice(client: TestClient) -> None:
    first = client.get("/questions/12.csv?deadline=2027-06-30")
    tag = {"If-None-Match": first.headers["etag"]}
    assert client.get("/questions/12.csv?deadline=2027-06-30", headers=tag).status_code == 304
    assert client.get("/questions/12.csv?deadline=2027-06-29", headers=tag).status_code == 200


@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("/questions/3.csv?cluster=organisation/nobody-knows", "Cluster"),
        ("/questions/3.json?cluster=network/plant-intercluster", "Cluster"),
        ("/questions/42.csv?network=network/nobody-knows", "Network"),
        ("/questions/42.ttl?network=organisation/femac", "Network"),
    ],
)
def test_nothing_is_answered_about_what_is_not_there(
    client: TestClient, path: str, of: str
) -> None:
    """Empty tables would look as if nothing were known of it."""
    problem = client.get(path).json()
    assert (problem["status"], problem["code"]) == (400, "BAD_VALUE")
    assert problem["expected"] == f"the IRI of a {of} that is known here"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/questions/0", 404, "NOT_FOUND"),
        ("/questions/signatories-of-nothing", 404, "NOT_FOUND"),
        ("/questions/%2e%2e", 404, "NOT_FOUND"),
        ("/questions/" + "x" * 3_000, 404, "NOT_FOUND"),
        ("/questions/2/more", 404, "NOT_FOUND"),
        ("/questions/2.pdf", 400, "BAD_VALUE"),
        ("/questions/2.ttl", 400, "BAD_VALUE"),
        ("/questions/2.csv.gz", 400, "BAD_VALUE"),
        ("/questions/2.csv?table=9", 400, "UNKNOWN_TERM"),
        ("/questions/2.csv?table=-1", 400, "UNKNOWN_TERM"),
        ("/questions/2.csv?memorandum=no%20iri", 400, "BAD_VALUE"),
        ("/questions/2.csv?memorandum=https://x/%3E%20%7D", 400, "BAD_VALUE"),
        ("/questions/2.csv?who=me", 400, "BAD_VALUE"),
        ("/questions/26.csv?network=x", 400, "BAD_VALUE"),
        ("/questions/12.csv?deadline=tomorrow", 400, "BAD_VALUE"),
        ("/questions/12.csv?deadline=2027-02-30", 400, "BAD_VALUE"),
        ("/questions/47.csv", 401, "UNAUTHENTICATED"),
        ("/questions/50.csv", 400, "BAD_VALUE"),
        ("/questions/46.rq", 400, "BAD_VALUE"),
        ("/questions?format=xml", 400, "BAD_VALUE"),
        ("/questions/2?lang=de", 400, "BAD_VALUE"),
    ],
)
def test_bad_requests_are_told_what_is_wrong(
    client: TestClient, path: str, status: int, code: str
) -> None:
    response = client.get(path, headers={"Accept": "application/json"})
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_a_name_that_is_nearly_right_is_suggested(client: TestClient) -> None:
    found = client.get("/questions/signatories-of-nothing", headers={"Accept": "*/*"}).json()
    assert found["suggestions"][0] == "/questions/02-signatories-of-the-common-memorandum"
    page = client.get("/questions/signatories-of-nothing", headers={"Accept": "text/html"}).text
    assert f"{found['suggestions'][0]}?lang=en" in links(Page(page))


INJECTED = [
    '" } # ',
    "' } UNION { ?s ?p ?o } #",
    '""" } DELETE { ?s ?p ?o }',
    "\\u0022 } \\",
    "{{name:string}}",
    "</select><script>alert(1)</script>",
    "\n\r\t",
]


@pytest.mark.parametrize("text", INJECTED)
def test_a_text_stays_a_text(client: TestClient, text: str) -> None:
    parameters = {"name": f"x{text}", "acronym": f"x{text}"}
    answer = client.get("/questions/14.json", params=parameters)
    assert answer.status_code == 200, answer.text
    tables = answer.json()["tables"]
    harmless = client.get("/questions/14.json?name=nobody&acronym=nobody").json()["tables"]
    assert tables == harmless
    for table in range(1, 4):
        asked = {**parameters, "table": str(table)}
        query = client.get("/questions/14.rq", params=asked).text
        rows = client.get("/sparql", params={"query": query}).json()["results"]["bindings"]
        assert len(rows) == len(tables[table - 1]["rows"])
    page = client.get("/questions/14", params=parameters, headers={"Accept": "text/html"}).text
    Page(page)
    assert "<script>" not in page


def test_its_text_can_be_had_filled_in(client: TestClient) -> None:
    response = client.get(f"/questions/3.rq?cluster={FEMAC}")
    assert response.headers["content-type"].startswith("application/sparql-query")
    assert f"<{FEMAC}>" in response.text
    assert "{{" not in response.text
    assert client.get("/questions/3.graphql").text == BY_NUMBER[3].graphql


@pytest.mark.parametrize(
    ("suffix", "format"), [("ttl", "turtle"), ("nt", "nt"), ("rdf", "rdfxml"), ("jsonld", "jsonld")]
)
def test_a_graph_states_its_licence_and_sources(
    client: TestClient, suffix: str, format: str
) -> None:
    response = client.get(f"/questions/42.{suffix}")
    assert response.status_code == 200, response.text[:300]
    assert "Rhizome-Truncated" not in response.headers
    media_type = response.headers["content-type"].partition(";")[0]
    asked = client.get("/questions/42", headers={"Accept": media_type})
    assert asked.content == response.content
    found = read(response.content, format)
    itself = "<https://w3id.org/rhizome/questions/42-the-graph-around-a-network#graph>"
    licences = {o for s, p, o, _ in found if s == itself and p.endswith("terms/license>")}
    assert licences == {"<https://creativecommons.org/licenses/by/4.0/>"}
    sources = {o for s, p, o, _ in found if s == itself and p.endswith("terms/source>")}
    titled = {s for s, p, _, _ in found if p.endswith("terms/title>")}
    assert len(sources) > 10
    assert sources <= titled
    members = {row[0] for row in read_expected(BY_NUMBER[42])[0]}
    assert {f"<{iri}>" for iri in members} <= {s for s, _, _, _ in found}


def test_a_graph_states_the_licences_of_its_sources(http: TestClient) -> None:
    writer = Client(http, "own-terms")
    other = "https://creativecommons.org/licenses/by-nc-sa/4.0/"
    writer.source["create"]["licence"] = other
    network = f"{ENTITY}network/plant-intercluster"
    added = writer.ask(
        "mutation ($source: SourceChoice!, $input: MembershipInput!) { createMembership("
        "source: $source, input: $input) { accepted revision } }",
        source=writer.source,
        input={
            "member": f"{ENTITY}organisation/cta",
            "memberOf": network,
            "role": ROLE,
            "status": "INFERRED",
            "evidence": [{"locator": "page 1"}],
        },
    )
    assert added["createMembership"]["accepted"], added
    since = {"Rhizome-Min-Revision": str(added["createMembership"]["revision"])}
    found = read(http.get("/questions/42.nt", headers=since).content, "nt")
    itself = "<https://w3id.org/rhizome/questions/42-the-graph-around-a-network#graph>"
    stated = {(s, o) for s, p, o, _ in found if p.endswith("terms/license>")}
    assert (itself, f"<{other}>") in stated
    assert (itself, "<https://creativecommons.org/licenses/by/4.0/>") in stated
    assert (f"<{ENTITY}source/own-terms>", f"<{other}>") in stated


@pytest.mark.parametrize("suffix", ["graphml", "gexf"])
def test_a_network_leads_to_its_export(client: TestClient, suffix: str) -> None:
    found = client.get(f"/questions/42.{suffix}", follow_redirects=False)
    assert found.status_code == 303
    network = quote(f"{ENTITY}network/plant-intercluster", safe="")
    expected = f"/export/networks/default.{suffix}?entity={network}&lang=en"
    assert found.headers["location"] == expected
    exported = client.get(expected)
    assert exported.status_code == 200
    assert b"organisation/femac" in exported.content
    page = client.get("/questions/42", headers={"Accept": "text/html"}).text
    assert f"/questions/42-the-graph-around-a-network.{suffix}?lang=en" in links(Page(page))
    unknown = client.get(f"/questions/42.{suffix}?network=network/none", follow_redirects=False)
    assert (unknown.status_code, unknown.json()["code"]) == (400, "BAD_VALUE")
    assert client.get(f"/questions/2.{suffix}").status_code == 400


def test_with_a_token_what_needs_one_is_answered(http: TestClient) -> None:
    token = Client(http, "asks", "changes").text
    headers = {"Authorization": f"Bearer {token}"}
    response = http.get("/questions/47.json", headers=headers)
    assert response.status_code == 200
    assert response.json()["tables"][0]["rows"]
    assert response.headers["cache-control"] == "private, no-store"
    other = {"Authorization": f"Bearer {Client(http, 'writes', 'write').text}"}
    assert http.get("/questions/47.json", headers=other).status_code == 403


def test_the_answer_goes_through_the_limits_of_everybody(client: TestClient) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    taken: list[str] = []
    rates = {"api": service.limiter.api, "pages": service.limiter.pages}
    for name in rates:

        class Watched:
            def __init__(self, name: str) -> None:
                self.name = name

            def take(self, address: str, now: float) -> None:
                taken.append(self.name)

        setattr(service.limiter, name, Watched(name))
    try:
        client.get("/questions/2.csv")
        client.get("/questions")
        client.get("/page/organisation/cta")
    finally:
        for name, rate in rates.items():
            setattr(service.limiter, name, rate)
    assert taken == ["api", "pages", "pages"]


# --- for people ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("question", load_questions(), ids=lambda question: question.name)
def test_each_question_has_a_page(client: TestClient, question: Question, language: str) -> None:
    build_search(client)
    response = client.get(f"/questions/{question.name}?lang={language}")
    assert response.status_code == 200
    page = Page(response.text)
    assert len(page.all("h1")) == 1
    asked = not question.scopes
    titles = [table.title[language] for table in question.tables]
    assert all((f">{title}</h2>" in html.unescape(response.text)) == asked for title in titles)
    names = {a["name"] for a in [*page.all("select"), *page.all("input")] if a.get("id")}
    assert names == (set() if "write" in question.scopes else set(question.variables))


def test_entities_are_chosen_by_name(client: TestClient) -> None:
    text = client.get(f"/questions/3?lang=en&cluster={FEMAC}").text
    assert f'<option value="{FEMAC}" selected>FEMAC</option>' in text
    sectors = client.get("/questions/4?lang=fr").text
    assert "champignons" in sectors
    assert "Plant InterCluster</option>" not in sectors


def test_cells_are_words_with_links_to_pages(client: TestClient) -> None:
    text = client.get("/questions/2?lang=fr").text
    assert '<a href="/page/organisation/cta?lang=fr"' in text
    assert ">affirmé</td>" in text


def test_a_wrong_value_is_told_above_the_form(client: TestClient) -> None:
    headers = {"Accept": "text/html"}
    response = client.get("/questions/12?deadline=soon&lang=fr", headers=headers)
    assert response.status_code == 400
    assert "is not a day such as 2026-11-22" in response.text
    assert 'name="deadline"' in response.text


def test_the_list_leads_to_every_question(client: TestClient) -> None:
    found = links(Page(client.get("/questions?lang=fr").text))
    for question in load_questions():
        assert f"/questions/{question.name}?lang=fr" in found
    names = [each["name"] for each in client.get("/questions", headers=JSON).json()]
    assert names == [question.name for question in load_questions()]


JSON = {"Accept": "application/json"}


def test_every_value_of_a_list_has_a_word(client: TestClient) -> None:
    model = client.app.state.service.model  # type: ignore[attr-defined]
    for literals in model.enum_values.values():
        assert set(literals) <= set(VALUES)


def test_every_column_has_a_word() -> None:
    names = {name for q in load_questions() for table in q.tables for name in table.columns}
    assert names == set(COLUMNS)


# --- as text, and by command --------------------------------------------------------------------


def test_cells_of_every_kind_are_written() -> None:
    table = BY_NUMBER[2].tables[3]
    rows: list[Any] = [('a "b", c',), ("x\ty\nz",), (None,), (True,), (1,)]
    assert read_csv(write_table(table, rows, "csv").decode())[1:] == [
        ['a "b", c'],
        ["x\ty\nz"],
        [""],
        ["true"],
        ["1"],
    ]
    assert write_table(table, rows, "tsv").decode().splitlines()[1:3] == ['a "b", c', "x y z"]


@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_no_spreadsheet_takes_a_text_for_a_formula(format: str) -> None:
    texts = ['=HYPERLINK("https://example.org")', "+1+1", "@SUM(A1)", "-cmd", "-1.55", "a=b"]
    rows: list[Any] = [(text,) for text in [*texts, -3]]
    written = io.StringIO(write_table(BY_NUMBER[2].tables[3], rows, format).decode(), newline="")
    lines = csv.reader(written) if format == "csv" else ([line.rstrip("\n")] for line in written)
    found = [line[0] for line in lines][1:]
    assert found == [*(f"'{text}" for text in texts[:4]), "-1.55", "a=b", "-3"]


def test_a_question_is_found_by_number_or_name() -> None:
    for name in ("2", "02", BY_NUMBER[2].slug, BY_NUMBER[2].name):
        assert find_question(name) is BY_NUMBER[2]
    with pytest.raises(NotFoundError):
        find_question("")
    with pytest.raises(UnknownTermError, match="known: 1, 2, 3, 4"):
        find_table(BY_NUMBER[2], "5")


def test_the_command_line_asks_the_same(
    seeded_store: Path, tmp_path: Path, client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(seeded_store, store)
    out = tmp_path / "answer.json"
    ask = ["question", "--store", str(store)]
    assert main([*ask, "3", "--param", "cluster=organisation/femac", "--out", str(out)]) == 0
    by_address = client.get(f"/questions/3.json?cluster={FEMAC}").json()
    assert json.loads(out.read_text(encoding="utf-8")) == by_address
    capsys.readouterr()
    for wrong, message in (
        (["12", "--param", "deadline=soon"], "'soon' is not a day"),
        (["46", "--param", "text="], "text: '' is not a value; without the parameter it is Ind"),
        (["99"], "not found: question 99"),
        (["2", "--table", "9"], "unknown table '9'; known: 1, 2, 3, 4"),
        (["2", "--format", "turtle"], "the answer of this question is no graph"),
        (["42", "--format", "nt", "--table", "2"], "left out: a graph has no tables"),
    ):
        assert main([*ask, *wrong]) == 2
        written = capsys.readouterr()
        assert (written.out, message in written.err) == ("", True), written.err


def read_answer(text: str, suffix: str) -> set[str]:
    """The lines, or the statements, of an answer."""
    if suffix == "csv":
        found = set(text.splitlines())
    else:
        format = {"ttl": pyoxigraph.RdfFormat.TURTLE, "nt": pyoxigraph.RdfFormat.N_TRIPLES}[suffix]
        found = set(map(str, pyoxigraph.parse(text, format=format)))
    assert len(found) > 10
    return found


def test_the_command_line_asks_sparql_and_takes_graphs(
    seeded_store: Path, tmp_path: Path, client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(seeded_store, store)
    for name, table, suffix in (("53", "2", "csv"), ("42", None, "ttl"), ("42", None, "nt")):
        out = tmp_path / f"answer.{suffix}"
        chosen = ["--table", table] if table else []
        ask = ["question", name, *chosen, "--store", str(store), "--out", str(out)]
        assert main(ask) == 0, capsys.readouterr().err
        by_address = client.get(f"/questions/{name}.{suffix}", params={"table": table or "1"})
        assert read_answer(out.read_text(encoding="utf-8"), suffix) == read_answer(
            by_address.text, suffix
        )
    assert "statements" in capsys.readouterr().err


def test_parameters_of_the_command_line_are_pairs() -> None:
    assert read_pairs(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    for wrong in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(BadValueError, match="is not NAME=VALUE, each name once"):
            read_pairs(wrong)


def test_the_command_line_lists_the_questions(
    seeded_store: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(seeded_store, store)
    assert main(["question", "--store", str(store), "--lang", "fr"]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert [line.split()[0] for line in lines] == [question.name for question in load_questions()]
    assert "Qui a signé" in lines[1]
