"""The service before real SPARQL servers answers as it does with its own workers."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from graph.curation.check import check_external
from graph.store.prefixes import PREFIXES
from graph.terms import ENTITY, XSD
from schema.questions import load_questions
from tests.seeded import serve
from tests.sparql_servers import Server, oxigraph, virtuoso
from tests.writing import CREATE

SERVERS: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
    "oxigraph": oxigraph,
    "virtuoso": virtuoso,
}
JSON = "application/sparql-results+json"
QUESTIONS = [
    (f"{question.number:02}-{place}", question.sparql(table), table.ordered)
    for question in load_questions()
    for place, table in enumerate(question.tables)
    if table.sparql
]
#: Other values of parameters, among them texts that would end a literal if they were pasted in.
VARIANTS: dict[int, dict[str, str]] = {
    2: {"memorandum": f"{ENTITY}memorandum/nothing"},
    3: {"cluster": f"{ENTITY}organisation/femac"},
    11: {"network": f"{ENTITY}network/nothing"},
    12: {"today": "2016-11-15", "deadline": "2016-11-20"},
    14: {"name": "' } #", "acronym": 'no "such" name'},
    31: {"continent": f"{ENTITY}concept/continent--americas"},
    46: {"text": "innov alliance"},
}
VARIED = [
    (f"{question.number:02}-{place} varied", question.sparql(table, values), table.ordered)
    for question in load_questions()
    if (values := VARIANTS.get(question.number))
    for place, table in enumerate(question.tables)
    if table.sparql
]
MORE = {
    "count": "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
    "sources": "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g",
    "shared": "SELECT ?s (COUNT(?g) AS ?n) { GRAPH ?g { ?s a rz:Cluster } } GROUP BY ?s",
    # A text in a language has no datatype in Virtuoso, as in RDF 1.0.
    "types": "SELECT DISTINCT (DATATYPE(?o) AS ?d) { ?s ?p ?o FILTER(LANG(?o) = '') }",
    "optional": "SELECT ?s ?a { ?s a rz:Cluster OPTIONAL { ?s rz:acronym ?a } }",
    "from": f"SELECT ?s ?o FROM <{ENTITY}source/eccp-plant-intercluster> {{ ?s rz:name ?o }}",
    "boolean": "SELECT ?s ?p ?o { ?s ?p ?o FILTER(DATATYPE(?o) = xsd:boolean) }",
}
# What a server answers wrongly, not always, and why: the numbers of rows that it then has. Nothing
# else may differ.
KNOWN_FAILURES: dict[str, dict[str, set[int]]] = {
    # A path of any length inside MINUS or NOT EXISTS, from a variable that is bound outside: with
    # some plans, which one server keeps and another does not choose, 1 or 12 rows instead of 6. It
    # came in 2 of 60 new servers, when the processors were busy. The same path alone is right.
    "virtuoso": {"06-0": {1, 12}},
    "oxigraph": {},
}
PROLOGUE = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in PREFIXES.items())
NAMED = [*QUESTIONS, *VARIED, *((name, PROLOGUE + text, False) for name, text in MORE.items())]


class Behind(NamedTuple):
    """The service before a server, and what the server is."""

    name: str
    http: TestClient
    server: Server


PARAMS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in SERVERS]


@pytest.fixture(scope="module", params=PARAMS)
def behind(
    request: pytest.FixtureRequest, seeded_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    """For tests that change nothing."""
    with _start(request.param, seeded_store, tmp_path_factory.mktemp(request.param)) as behind:
        yield behind


@pytest.fixture(params=PARAMS)
def own(request: pytest.FixtureRequest, seeded_store: Path, tmp_path: Path) -> Iterator[Behind]:
    """For a test that changes or ends something."""
    with _start(request.param, seeded_store, tmp_path) as behind:
        yield behind


@contextmanager
def _start(name: str, seeded_store: Path, folder: Path) -> Iterator[Behind]:
    shutil.copytree(seeded_store, folder / "store")
    with SERVERS[name](folder / "server") as server:
        settings: dict[str, Any] = {"sparql_deadline_s": 30.0, **server.settings}
        with serve(folder / "store", **settings) as http:
            _await_fed(http)
            yield Behind(name, http, server)


def _await_fed(http: TestClient) -> None:
    external = _dataset(http).external
    assert external is not None
    assert external.wait_for(_dataset(http).revision, 120), external.fault


def _dataset(http: TestClient) -> Any:
    return http.app.state.service.dataset  # type: ignore[attr-defined]


def ask(http: TestClient, text: str, accept: str = JSON, **headers: str) -> Any:
    form = {"query": text}
    return http.post("/sparql", data=form, headers={"Accept": accept, **headers})


def rows(http: TestClient, text: str, *, ordered: bool) -> list[Any]:
    answer = ask(http, text)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if "boolean" in found:
        return [found["boolean"]]
    listed = [json.dumps(_plain(row), sort_keys=True) for row in found["results"]["bindings"]]
    return listed if ordered else sorted(listed)


def _plain(row: Any) -> Any:
    """A row with decimals without fraction as integers: so Virtuoso has them."""
    for cell in row.values():
        if cell.get("datatype") == f"{XSD}decimal" and "." not in cell["value"]:
            cell["datatype"] = f"{XSD}integer"
    return row


@pytest.mark.broad
def test_every_question_has_the_answer_of_the_embedded_store(
    behind: Behind, client: TestClient
) -> None:
    assert len(QUESTIONS) > 30
    assert len(VARIED) >= len(VARIANTS)
    differing = {}
    for name, text, ordered in NAMED:
        here, there = (rows(http, text, ordered=ordered) for http in (client, behind.http))
        if here != there and len(there) not in KNOWN_FAILURES[behind.name].get(name, ()):
            differing[name] = (here[:3], there[:3])
    assert not differing


@pytest.mark.broad
def test_graphs_of_questions_are_those_of_the_embedded_store(
    behind: Behind, client: TestClient
) -> None:
    asked = [question for question in load_questions() if question.construct]
    assert asked
    for question in asked:
        here, there = (
            ask(http, question.graph(), "application/n-triples") for http in (client, behind.http)
        )
        assert (here.status_code, there.status_code) == (200, 200), there.text
        found = set(there.text.splitlines())
        assert len(found) > 10
        assert found == set(here.text.splitlines()), question.name


@pytest.mark.broad
def test_formats_commits_and_contents_are_right(own: Behind) -> None:
    http = own.http
    text = "CONSTRUCT { ?s a rz:Cluster } WHERE { ?s a rz:Cluster }"
    for accept in ("text/turtle", "application/n-triples", "application/rdf+xml"):
        answer = ask(http, PROLOGUE + text, accept)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, accept)
    described = http.get("/sparql", headers={"Accept": "text/turtle"})
    assert described.status_code == 200, described.text
    assert "sd:supportedLanguage" in described.text
    graph = http.get(f"/graphs?graph={ENTITY}source/eccp-plant-intercluster")
    assert graph.status_code == 200
    # A commit by SPARQL Update is seen by the query that asks for its revision.
    dataset = _dataset(http)
    token, _ = http.app.state.service.tokens.create(("write",), name="observatory")  # type: ignore[attr-defined]
    bearer = {"Authorization": f"Bearer {token}"}
    created = {
        "source": {"id": f"{ENTITY}source/observatory", "create": {"title": "Observatory"}},
        "input": {"name": [{"text": 'Pôle "été"', "lang": "fr"}]},
    }
    answer = http.post("/graphql", json={"query": CREATE, "variables": created}, headers=bearer)
    made = answer.json()["data"]["createCluster"]
    assert made["accepted"], made
    asked = f'SELECT ?n {{ <{made["id"]}> ?p ?n FILTER(STR(?n) = "Pôle \\"été\\"") }}'
    answer = ask(http, asked, "text/csv", **{"Rhizome-Min-Revision": str(made["revision"])})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Rhizome-Revision"] == str(made["revision"])
    assert "été" in answer.text
    system = dataset.model.system_quads
    assert check_external(dataset.settings, dataset, system, is_deep=True).error is None
    assert dataset.external.feeds == 1
    # What a query does wrong is its own fault, and opens no circuit.
    wrong = ask(http, "SELECT ?a { ?s ?p ?o } GROUP BY")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "QUERY_SYNTAX")
    assert dataset.external.fault is None


@pytest.mark.broad
def test_a_server_that_ends_is_told_and_nothing_else_fails(own: Behind) -> None:
    http = own.http
    own.server.process.kill()
    own.server.process.wait()
    answer = ask(http, "ASK {}")
    assert answer.status_code == 503
    external = _dataset(http).external
    deadline = time.monotonic() + 30
    while external.fault is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    answer = ask(http, "ASK {}")
    assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "cannot be reached" in answer.json()["detail"]
    assert http.get("/ready").status_code == 200
    assert "cannot be reached" in http.get("/version").json()["fault"]
    assert (
        "errors" not in http.post("/graphql", json={"query": "{ clusters { totalCount } }"}).json()
    )
