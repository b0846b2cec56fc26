"""A viewer of one level learns nothing of another: the same bytes, with and without it.

Each way in is asked of two services that differ by graphs above public alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.errors import BadValueError
from graph.shapes import load_model
from graph.terms import ENTITY
from schema.loading import load_schema
from schema.questions import load_questions
from tests.documents import Documents
from tests.hiding import Pair, hide, pair
from tests.levelled import SECRET
from tests.seeded import make_settings
from web.commands import run_locally
from web.control import Command, Kind

CLUSTER = f"{ENTITY}organisation/{SECRET}-partner"
VALLEY = f"{ENTITY}organisation/vegepolys-valley"
SOURCE = f"{ENTITY}source/hidden-partner"
QUESTIONS = [q for q in load_questions() if not q.scopes]

DOCUMENTS = {
    "id": f'{{ node(id: "{CLUSTER}") {{ id }} cluster(id: "{CLUSTER}") {{ name }} }}',
    "ids": f'{{ nodes(ids: ["{CLUSTER}", "{VALLEY}"]) {{ id }} }}',
    "source": f'{{ source(id: "{SOURCE}") {{ title rank visibility }} }}',
    "absent": f'{{ node(id: "{ENTITY}organisation/none-such") {{ id }} }}',
    "search": f'{{ search(text: "{SECRET}") {{ edges {{ cursor score text node {{ id }} }} }} }}',
    "names": '{ search(text: "vegepolys valley") { edges { cursor score text match } } }',
    "totals": "{ clusters { totalCount } memberships { totalCount } sources { totalCount } }",
    "order": "{ clusters(orderBy: [{founded: {earliest: DESC}}, {name: ASC}], first: 5) "
    "{ edges { cursor node { id name } } pageInfo { endCursor hasNextPage } } }",
    "answer": f'{{ cluster(id: "{VALLEY}") {{ acronym altNames founded {{ text }} '
    "claims { field value source { title } } statedBy { id } completeness { share missing } } }",
    "groups": "{ clusters { groupCount(by: {label: VALUE}) groups(by: [{country: {id: VALUE}}]) "
    "{ keys { value } aggregates { count } } aggregates { distinctCount { memberships } } } }",
    "where": f'{{ clusters(where: {{altNames: {{some: {{contains: "{SECRET}"}}}}}}) '
    "{ totalCount } }",
    "nested": f'{{ networks(where: {{members: {{some: {{member: {{id: {{eq: "{CLUSTER}"}}}}}}}}}}) '
    "{ totalCount } }",
    "cost": "{ clusters(first: 500) { nodes { memberships(first: 500) { nodes { status } } } } }",
    "revision": "{ revision dataRevision viewer { name level scopes sources } }",
    "changes": "{ changes(since: 0) { nodes { revision } } }",
    "memorandum": f'{{ memorandum(id: "{ENTITY}memorandum/plant-intercluster-common") '
    "{ statedPartyCount signatures { totalCount } claims { value } } }",
}
SPARQL = {
    "all": "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }",
    "graphs": "SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g ORDER BY ?g",
    "by name": f"ASK {{ ?s ?p ?o FILTER(CONTAINS(STR(?o), '{SECRET}')) }}",
    "from": f"SELECT * FROM <{SOURCE}> WHERE {{ ?s ?p ?o }}",
    "from named": f"SELECT * FROM NAMED <{SOURCE}> WHERE {{ GRAPH ?g {{ ?s ?p ?o }} }}",
    "describe": f"DESCRIBE <{VALLEY}>",
    "hidden": f"DESCRIBE <{CLUSTER}>",
    "short": f"SELECT * WHERE {{ <{VALLEY}> ?p ?o }}",
    "short of what refers to it": f"SELECT * WHERE {{ ?s ?p <{VALLEY}> }}",
    "short of what is hidden": f"SELECT * WHERE {{ <{CLUSTER}> ?p ?o }}",
}
PATHS = {
    **{f"export {key}": f"/export?format={key}" for key in ("trig", "nq", "ttl", "nt", "jsonld")},
    "export around": f"/export?format=jsonld-framed&depth=2&entity={VALLEY}",
    "dump": "/export/revisions/1.nq",
    "no such dump": "/export/revisions/99.nq",
    "tables": "/export/tables.zip",
    "sites": "/export/sites.geojson",
    "network": "/export/networks/default.graphml",
    "crate": "/export/crate.zip",
    "citation": "/export/citation",
    **{f"report {key}": f"/report?format={key}" for key in ("html", "md", "json", "csv")},
    "home": "/?lang=en",
    "accueil": "/?lang=fr",
    "graph": f"/graphs?graph={SOURCE}",
    "graph by path": "/graphs/source/hidden-partner",
    "default graph": "/graphs?default",
    "no such graph": f"/graphs?graph={ENTITY}source/none-such",
    "schema": "/schema.graphql",
    "void": "/.well-known/void?format=nt",
    "dcat": "/.well-known/dcat?format=nt",
    "entity": "/id/organisation/vegepolys-valley.html",
    "entity's data": "/id/organisation/vegepolys-valley.nq",
    "hidden entity": f"/id/organisation/{SECRET}-partner.ttl",
    "hidden source": "/id/source/hidden-partner.nq",
    "near": "/id/organisation/vegepolys-valey",
    "ontology": "/ontology",
    "questions": "/questions",
    "question": "/questions/3.csv?cluster=organisation/vegepolys-valley",
    "question page": "/questions/3?lang=en",
    "page": "/page/organisation/vegepolys-valley",
    "data": "/data/organisation/vegepolys-valley.trig",
    "page of a hidden source": "/page/source/hidden-partner",
    "name near a hidden source": "/id/source/hidden-partne",
}


@pytest.fixture(scope="module")
def both(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("hidden")
    with pair(seeded_store, folder, "partner", "restricted") as found:
        yield found


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_graphql_answer_is_the_same(both: Pair, name: str, method: str) -> None:
    query = {"query": DOCUMENTS[name]}
    given = {"params": query} if method == "GET" else {"json": query}
    answer = both.differ(method, "/graphql", **given)
    assert ("errors" in answer.json()) is (name == "changes")  # that needs a token
    assert SECRET not in answer.text


def test_a_cursor_of_a_higher_level_leads_to_the_same_page(both: Pair) -> None:
    """A partner's cursor, given to a visitor, names a node that the visitor has never heard of."""
    page = "clusters(first: 2, after: $after) { edges { cursor node { id } } }"
    query = f"query ($after: String) {{ {page} }}"
    head = {"Authorization": f"Bearer {both.tokens['partner']}"}
    after, seen = None, []
    while CLUSTER not in seen:
        body = {"query": query, "variables": {"after": after}}
        edges = both.beside.post("/graphql", json=body, headers=head).json()["data"]["clusters"][
            "edges"
        ]
        seen = [edge["node"]["id"] for edge in edges]
        after = edges[-1 if CLUSTER not in seen else seen.index(CLUSTER)]["cursor"]
    answer = both.differ("POST", "/graphql", json={"query": query, "variables": {"after": after}})
    assert "errors" not in answer.json()


def test_what_is_hidden_stands_in_nothing_that_a_visitor_asks(both: Pair) -> None:
    """It cannot even take time: terms, columns and search are of one level each."""
    service = both.beside.app.state.service  # type: ignore[attr-defined]
    visitor, newest = service.public_snapshot, service.dataset.snapshot
    for term in (f"<{CLUSTER}>", f"<{SOURCE}>", f'"{SECRET}"'):
        assert visitor.terms.find(term) is None
        assert newest.terms.find(term) is not None
    assert SECRET not in " ".join(text for _, text in visitor.terms.all())


def test_a_token_of_the_public_level_gets_the_same_too(both: Pair) -> None:
    for name, document in DOCUMENTS.items():
        answers = []
        for http in (both.without, both.beside):
            tokens = http.app.state.service.tokens  # type: ignore[attr-defined]
            text, _ = tokens.create(("write", "changes"), name="same")
            head = {"Authorization": f"Bearer {text}"}
            answers.append(http.post("/graphql", json={"query": document}, headers=head))
        assert answers[0].content == answers[1].content, name
        assert answers[1].headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_a_question_of_the_library_is_answered_alike(both: Pair, question: Any) -> None:
    body = {"query": question.graphql, "variables": dict(question.variables)}
    both.differ("POST", "/graphql", json=body)
    for table in question.tables:
        if table.sparql:
            text = question.sparql(table)
            both.differ("GET", "/sparql", params={"query": text, "format": "json"})


def test_drawn_documents_are_answered_alike(both: Pair) -> None:
    identifiers = [CLUSTER, VALLEY, SOURCE, f"{ENTITY}network/plant-intercluster"]
    texts = [SECRET, "Vegepolys", "cluster"]
    draw = Documents(load_schema(load_model()), 23, identifiers, texts)
    answers = 0
    for number in range(200):
        document = draw.draw() if number % 4 else draw.draw_search()
        answers += "errors" not in both.differ("POST", "/graphql", json={"query": document}).json()
    assert answers > 100


@pytest.mark.parametrize("name", SPARQL)
def test_a_sparql_answer_is_the_same(both: Pair, name: str) -> None:
    answer = both.differ("GET", "/sparql", params={"query": SPARQL[name]})
    assert SECRET not in answer.text or name in ("by name",)


@pytest.mark.parametrize("name", PATHS)
def test_a_page_or_file_is_the_same(both: Pair, name: str) -> None:
    answer = both.differ("GET", PATHS[name])
    assert SECRET not in answer.text.replace(PATHS[name], "").replace(CLUSTER, "")


def test_an_export_of_what_is_hidden_is_one_of_what_is_not_there(both: Pair) -> None:
    for query in (f"entity={CLUSTER}", f"graph={SOURCE}"):
        answer = both.differ("GET", f"/export?format=nq&{query}")
        assert answer.status_code in (400, 404)


def test_the_version_is_the_same_but_for_the_clock(both: Pair) -> None:
    found = [http.get("/version").json() for http in (both.without, both.beside)]
    for each in found:
        del each["uptimeSeconds"]
    assert found[0] == found[1]


def test_what_a_client_holds_stays_valid_when_only_a_higher_level_changed(both: Pair) -> None:
    for path in ("/export", "/report?format=csv", "/", "/graphql?query={revision}"):
        tag = both.without.get(path).headers["etag"]
        assert both.beside.get(path, headers={"If-None-Match": tag}).status_code == 304, path


# --- who may read it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "sees"),
    [("public", ()), ("partner", ("partner",)), ("restricted", ("partner", "restricted"))],
)
def test_a_level_reads_what_is_its_own_and_below(
    both: Pair, level: str, sees: tuple[str, ...]
) -> None:
    http, head = both.beside, {"Authorization": f"Bearer {both.tokens[level]}"}
    wanted = {f"{ENTITY}organisation/{SECRET}-{each}" for each in sees}

    def check(path: str, **params: str) -> str:
        answer = http.get(path, params=params, headers=head)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "private, no-store"
        assert "etag" not in answer.headers
        found = {f"{ENTITY}organisation/{SECRET}-{each}" for each in ("partner", "restricted")}
        assert {iri for iri in found if iri in answer.text} == wanted, path
        return answer.text

    query = "SELECT DISTINCT ?s WHERE { ?s a ?c }"
    check("/sparql", query=query)
    check("/export", format="nq")
    check("/graphql", query="{ clusters(first: 200) { nodes { id } } }")
    check("/graphql", query=f'{{ search(text: "{SECRET}") {{ nodes {{ id }} }} }}')
    report = http.get("/report?format=csv", headers=head)
    assert report.headers["cache-control"] == "private, no-store"
    assert (SECRET in report.text) is bool(sees)
    body = {"query": f'{{ cluster(id: "{VALLEY}") {{ acronym }} viewer {{ level }} }}'}
    data = http.post("/graphql", json=body, headers=head).json()["data"]
    assert data["viewer"]["level"] == level.upper()
    assert (data["cluster"]["acronym"] == SECRET) is bool(sees)


def test_changes_are_told_by_level(both: Pair) -> None:
    query = "{ changes(since: 0) { nodes { revision sources message entities { id } } } }"
    for level, count in (("public", 1), ("partner", 2), ("restricted", 3)):
        head = {"Authorization": f"Bearer {both.tokens[level]}"}
        answer = both.beside.post("/graphql", json={"query": query}, headers=head).json()
        assert len(answer["data"]["changes"]["nodes"]) == count, level


# --- writing --------------------------------------------------------------------------------------

CREATE = (
    "mutation ($source: SourceChoice!, $input: ClusterInput!, $id: ID) { createCluster("
    "source: $source, input: $input, id: $id, dryRun: true) { accepted id violations { constraint "
    "message focusNode value } } }"
)
DELETE = (
    "mutation ($source: SourceChoice!, $id: ID!) { deleteCluster(source: $source, id: $id, "
    "dryRun: true) { accepted violations { constraint message } statedBy { id } } }"
)


@pytest.mark.parametrize("id", [CLUSTER, f"{ENTITY}organisation/none-such"])
def test_a_writer_is_told_nothing_of_what_it_may_not_read(both: Pair, id: str) -> None:
    source = {"id": f"{ENTITY}source/of-public", "create": {"title": "Mine"}}
    given = {"source": source, "id": id, "input": {"name": [{"text": "X", "lang": "en"}]}}
    head = {"Authorization": f"Bearer {both.tokens['public']}"}
    made = both.beside.post(
        "/graphql", json={"query": CREATE, "variables": given}, headers=head
    ).json()
    assert made["data"]["createCluster"] == {"accepted": True, "id": id, "violations": []}
    del given["input"]
    gone = both.beside.post("/graphql", json={"query": DELETE, "variables": given}, headers=head)
    (violation,) = gone.json()["data"]["deleteCluster"]["violations"]
    assert violation["constraint"] == "exists"
    assert gone.json()["data"]["deleteCluster"]["statedBy"] == []


@pytest.mark.parametrize("level", ["public", "partner"])
@pytest.mark.parametrize("field", ["country", "sectors"])
def test_what_is_wrong_is_told_once_whatever_stands_above(
    both: Pair, field: str, level: str
) -> None:
    nonsense = f"{ENTITY}concept/nonsense"
    given = {
        "source": {"id": f"{ENTITY}source/of-{level}", "create": {"title": "Mine"}},
        "input": {
            "name": [{"text": "X", "lang": "en"}],
            field: nonsense if field == "country" else [nonsense],
        },
    }
    head = {"Authorization": f"Bearer {both.tokens[level]}"}
    body = {"query": CREATE, "variables": given}
    made = both.beside.post("/graphql", json=body, headers=head).json()
    violations = made["data"]["createCluster"]["violations"]
    assert {violation["constraint"] for violation in violations} == {"class", "node"}, violations


def test_a_source_cannot_be_made_what_its_writer_may_not_read(both: Pair) -> None:
    create = {"title": "Mine", "visibility": "RESTRICTED"}
    given = {
        "source": {"id": f"{ENTITY}source/of-partner", "create": create},
        "input": {"name": [{"text": "X", "lang": "en"}]},
    }
    for level, accepted in (("public", False), ("partner", False), ("restricted", True)):
        head = {"Authorization": f"Bearer {both.tokens[level]}"}
        body = {"query": CREATE, "variables": given}
        answer = both.beside.post("/graphql", json=body, headers=head).json()
        assert answer["data"]["createCluster"]["accepted"] is accepted, level


@pytest.mark.parametrize("level", ["public", "partner"])
def test_a_source_above_is_refused_as_another_s(both: Pair, level: str) -> None:
    given = {
        "source": {"id": f"{ENTITY}source/hidden-restricted", "create": {"title": "X"}},
        "input": {"name": [{"text": "X", "lang": "en"}]},
    }
    head = {"Authorization": f"Bearer {both.tokens[level]}"}
    body = {"query": CREATE, "variables": given}
    answer = both.beside.post("/graphql", json=body, headers=head).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "which another began" in answer["errors"][0]["message"]
    update = f"INSERT DATA {{ GRAPH <{ENTITY}source/hidden-restricted> {{ <{CLUSTER}> a <x:y> }} }}"
    assert both.beside.post("/sparql", data={"update": update}, headers=head).status_code == 403
    path = f"/graphs?graph={ENTITY}source/hidden-restricted"
    assert both.beside.delete(path, headers=head).status_code == 404


def test_an_update_reads_what_its_writer_may(both: Pair) -> None:
    """What it finds it would write into a source that is not described: only then is it refused."""
    update = (
        f"INSERT {{ GRAPH <{ENTITY}source/none-yet> {{ ?s ?p ?o }} }} "
        f"WHERE {{ BIND(<{CLUSTER}> AS ?s) ?s ?p ?o }}"
    )
    for level, status in (("public", 204), ("partner", 422), ("restricted", 422)):
        head = {"Authorization": f"Bearer {both.tokens[level]}"}
        answer = both.beside.post("/sparql", data={"update": update}, headers=head)
        assert answer.status_code == status, (level, answer.text)
        assert level != "public" or SECRET not in answer.text


def test_a_form_with_a_token_is_kept_by_nobody(both: Pair) -> None:
    head = {"Authorization": f"Bearer {both.tokens['partner']}", "Accept": "text/html"}
    for path in ("/graphql?query={revision}", "/sparql?query=ASK%20{}", "/graphql", "/sparql"):
        answer = both.beside.get(path, headers=head)
        assert answer.headers["cache-control"] == "private, no-store", path


def test_commands_write_what_is_public_unless_told_otherwise(
    seeded_store: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(seeded_store, store)
    hide(store, "partner", "restricted")
    settings = make_settings(store)

    def run(name: str, **arguments: Any) -> tuple[str, str]:
        found: dict[Kind, str] = {Kind.OUT: "", Kind.SAY: ""}
        for piece in run_locally(Command(name, arguments), settings):
            found[piece.kind] += piece.content.decode()
        return found[Kind.OUT], found[Kind.SAY]

    written, said = run("export", format="nq", level="public")
    assert SECRET not in written
    assert "above the level public" in said
    assert f"{SECRET}-restricted" not in run("export", format="nq", level="partner")[0]
    assert f"{SECRET}-restricted" in run("export", format="nq", level="restricted")[0]
    report = {"projection": "default", "format": "csv", "language": "en"}
    assert SECRET not in run("report", **report)[0]
    assert SECRET in run("report", **report, level="restricted")[0]
    with pytest.raises(BadValueError):
        run("report", **report, level="restricted", commit=True)
    with pytest.raises(BadValueError):
        run("export", format="nq", level="secret")
    said = run("check")[0]
    assert "levels public, partner, restricted" in said
    assert "store-partner" in said
