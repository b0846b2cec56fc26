"""VoID and DCAT say what is there, at the revision that they name; editors find what they read."""

from __future__ import annotations

from collections import defaultdict

import pytest
from starlette.testclient import TestClient

from graph.curation.licences import COMPILATION
from graph.model import ONTOLOGY_GRAPH
from graph.terms import ENTITY, RDFS, read_literal
from schema.questions import load_questions, read_expected
from tests.questioning import BY_NUMBER
from tests.rdf import read
from tests.writing import Client, http
from web.dataset_description import DATASET, VOID_NS

__all__ = ["http"]  # fixture

VOID = "/.well-known/void"
DCAT = "/.well-known/dcat"
DCAT_NS = "http://www.w3.org/ns/dcat#"
TYPES = {
    "text/turtle": "turtle",
    "application/ld+json": "jsonld",
    "application/rdf+xml": "rdfxml",
    "application/n-triples": "nt",
}


class Described:
    """The triples of a description, to be looked up."""

    def __init__(self, client: TestClient, path: str = VOID) -> None:
        found = read(client.get(path, headers={"Accept": "application/n-triples"}).content, "nt")
        self.values: dict[tuple[str, str], list[str]] = defaultdict(list)
        for subject, predicate, value, _ in found:
            self.values[subject, predicate[1:-1]].append(value)

    def all(self, subject: str, name: str, namespace: str = VOID_NS) -> list[str]:
        return self.values[subject, namespace + name]

    def number(self, subject: str, name: str) -> int:
        (value,) = self.all(subject, name)
        return int(read_literal(value)[0])

    def parts(self, subject: str, kind: str, counted: str) -> dict[str, int]:
        """Counts of the class or property partitions of a dataset, by IRI."""
        return {
            self.all(part, kind)[0][1:-1]: self.number(part, counted)
            for part in self.all(subject, f"{kind}Partition")
        }


def select(client: TestClient, query: str) -> list[list[str]]:
    response = client.get("/sparql", params={"query": query, "format": "json"})
    assert response.status_code == 200, response.text
    result = response.json()
    names = result["head"]["vars"]
    return [[row[name]["value"] for name in names] for row in result["results"]["bindings"]]


def test_counts_are_those_of_the_sparql_endpoint(client: TestClient) -> None:
    void = Described(client)
    data = f"<{DATASET}>"
    system = f"FILTER NOT EXISTS {{ GRAPH <{ONTOLOGY_GRAPH}> {{ ?s ?p ?o }} }}"
    (triples,) = select(client, f"SELECT (COUNT(*) AS ?n) {{ ?s ?p ?o {system} }}")
    assert void.number(data, "triples") == int(triples[0])
    (subjects,) = select(
        client,
        f"SELECT (COUNT(DISTINCT ?s) AS ?n) {{ GRAPH ?g {{ ?s ?p ?o }} "
        f"FILTER(?g != <{ONTOLOGY_GRAPH}>) }}",
    )
    assert void.number(data, "distinctSubjects") == int(subjects[0])
    expected = read_expected(BY_NUMBER[53])
    assert void.parts(data, "class", "entities") == {
        str(iri): things for iri, things in expected[1]
    }
    sources = {source: void.number(f"<{source}>", "triples") for source, _ in expected[2]}
    assert sources == {str(source): statements for source, statements in expected[2]}
    assert {source[1:-1] for source in void.all(data, "subset")} == set(sources)


def test_each_source_has_its_classes_and_properties(client: TestClient) -> None:
    void = Described(client)
    source = f"{ENTITY}source/vegepolys-valley-networks"
    rows = select(
        client, f"SELECT ?p (COUNT(*) AS ?n) {{ GRAPH <{source}> {{ ?s ?p ?o }} }} GROUP BY ?p"
    )
    assert void.parts(f"<{source}>", "property", "triples") == {p: int(n) for p, n in rows}
    rows = select(
        client, f"SELECT ?c (COUNT(*) AS ?n) {{ GRAPH <{source}> {{ ?s a ?c }} }} GROUP BY ?c"
    )
    assert void.parts(f"<{source}>", "class", "entities") == {c: int(n) for c, n in rows}


@pytest.mark.parametrize("path", [VOID, DCAT])
@pytest.mark.parametrize(("media_type", "format"), TYPES.items())
def test_every_format_says_as_much(
    client: TestClient, path: str, media_type: str, format: str
) -> None:
    response = client.get(path, headers={"Accept": media_type})
    assert response.headers["content-type"].partition(";")[0] == media_type
    assert response.headers["rhizome-revision"] == "1"
    by_name = client.get(f"{path}?format={format}")
    assert by_name.content == response.content
    lines = client.get(path, headers={"Accept": "application/n-triples"}).text.splitlines()
    assert len(read(response.content, format)) == len(lines)


def test_it_leads_to_endpoints_dumps_and_licence(client: TestClient) -> None:
    void = Described(client)
    data = f"<{DATASET}>"
    assert void.all(data, "sparqlEndpoint") == ["<http://testserver/sparql>"]
    for dump in void.all(data, "dataDump"):
        assert client.head(dump[1:-1].removeprefix("http://testserver")).status_code == 200
    assert void.values[data, "http://purl.org/dc/terms/license"] == [f"<{COMPILATION.iri}>"]
    for example in void.all(data, "exampleResource"):
        path = example[1:-1].removeprefix("https://w3id.org/rhizome")
        assert client.get(path).status_code == 200
    dcat = Described(client, DCAT)
    ends = {
        value
        for (_, predicate), values in dcat.values.items()
        if predicate.endswith("#endpointURL")
        for value in values
    }
    assert ends == {"<http://testserver/sparql>", "<http://testserver/graphql>"}


def test_every_distribution_is_there_and_of_its_kind(client: TestClient) -> None:
    dcat = Described(client, DCAT)
    parts = dcat.values[f"<{DATASET}>", f"{DCAT_NS}distribution"]
    assert len(parts) > 10
    for part in parts:
        path = dcat.all(part, "downloadURL", DCAT_NS)[0][1:-1].removeprefix("http://testserver")
        head = client.head(path)
        assert head.status_code == 200, path
        kind = dcat.all(part, "mediaType", DCAT_NS)[0][1:-1].partition("media-types/")[2]
        assert head.headers["content-type"].partition(";")[0] == kind
        assert dcat.all(part, "accessURL", DCAT_NS) == ["<http://testserver/export>"]
    void = Described(client)
    page = "<http://testserver/.well-known/void>"
    assert void.values[page, f"{RDFS}seeAlso"] == ["<http://testserver/.well-known/dcat>"]


def test_a_commit_is_counted_at_once_and_little_is_sent_twice(http: TestClient) -> None:
    before = Described(http)
    data = f"<{DATASET}>"
    first = http.get(VOID)
    tag = {"If-None-Match": first.headers["etag"]}
    assert http.get(VOID, headers=tag).status_code == 304
    written = Client(http, "counted").create({"name": [{"text": "New", "lang": "en"}]})
    assert written["accepted"], written
    assert http.get(VOID, headers=tag).status_code == 200
    after = Described(http)
    for name in ("entities", "distinctSubjects"):  # the cluster and its source
        assert after.number(data, name) == before.number(data, name) + 2
    source = f"<{ENTITY}source/counted>"
    assert after.number(source, "classes") == 2
    assert len(after.all(data, "subset")) == len(before.all(data, "subset")) + 1


@pytest.mark.parametrize("path", [VOID, DCAT])
def test_bad_requests_are_refused(client: TestClient, path: str) -> None:
    assert client.get(path, headers={"Accept": "image/png"}).status_code == 406
    assert client.get(f"{path}?format=trix").status_code == 400
    assert client.get(f"{path}?q=1").status_code == 400
    assert client.post(path).status_code == 405
    assert client.head(path).status_code == 200


def test_names_of_parts_lead_to_the_description(client: TestClient) -> None:
    response = client.get("/void", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, VOID)


# --- what SPARQL editors read -------------------------------------------------------------------


# What the editor of the Swiss Institute of Bioinformatics asks, and others after it.
@pytest.mark.parametrize("text", ["rdfs:comment", "rdfs:label|rdfs:comment"])
def test_editors_find_each_example_once(client: TestClient, text: str) -> None:
    rows = select(
        client,
        f"""PREFIX sh: <http://www.w3.org/ns/shacl#>
        PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
        SELECT DISTINCT ?sq ?comment ?query WHERE {{
          ?sq a sh:SPARQLExecutable ; {text} ?comment ;
            sh:select|sh:ask|sh:construct|sh:describe ?query
        }} ORDER BY ?sq""",
    )
    texts = [q.sparql(table) for q in load_questions() for table in q.tables if table.sparql]
    texts += [question.graph() for question in load_questions() if question.construct]
    assert sorted(query for _, _, query in rows) == sorted(texts)
    names = [name for name, _, _ in rows]
    assert len(set(names)) == len(names)
    comments = {comment for _, comment, _ in rows}
    assert all(any(q.title["en"] in each for q in load_questions()) for each in comments)


def test_examples_are_described_in_both_languages(client: TestClient) -> None:
    rows = select(
        client,
        """PREFIX dct: <http://purl.org/dc/terms/>
        PREFIX sh: <http://www.w3.org/ns/shacl#>
        SELECT DISTINCT ?sq (LANG(?text) AS ?language) ?text
        WHERE { ?sq a sh:SPARQLExecutable ; dct:description ?text } ORDER BY ?sq""",
    )
    assert {language for _, language, _ in rows} == {"en", "fr"}
    assert len(rows) == 2 * len({name for name, *_ in rows})
    assert any("Qui a signé" in text for _, language, text in rows if language == "fr")


def test_an_example_is_named_by_its_page(client: TestClient) -> None:
    rows = select(
        client, "SELECT DISTINCT ?q { ?q a <http://www.w3.org/ns/shacl#SPARQLSelectExecutable> }"
    )
    for (name,) in rows:
        path = name.removeprefix("https://w3id.org/rhizome").partition("#")[0]
        assert find(path)


def find(path: str) -> bool:
    return any(path == f"/questions/{question.name}" for question in load_questions())


def test_editors_find_the_prefixes(client: TestClient) -> None:
    rows = select(
        client,
        "PREFIX sh: <http://www.w3.org/ns/shacl#> SELECT DISTINCT ?prefix ?namespace "
        "WHERE { [] sh:namespace ?namespace ; sh:prefix ?prefix } ORDER BY ?prefix",
    )
    assert ["rz", "https://w3id.org/rhizome/ontology#"] in rows
    assert ["org", "http://www.w3.org/ns/org#"] in rows
    assert len({prefix for prefix, _ in rows}) == len(rows)


def test_the_library_is_no_part_of_the_data(client: TestClient) -> None:
    assert "SPARQLExecutable" not in client.get("/export?format=nq").text
    service = client.app.state.service  # type: ignore[attr-defined]
    assert service.public_snapshot.quad_count == service.dataset.log.quad_count
    kind = "<http://www.w3.org/ns/shacl#SPARQLExecutable>"
    query = f"ASK {{ GRAPH <{ONTOLOGY_GRAPH}> {{ ?query a {kind} }} }}"
    assert client.get("/sparql", params={"query": query}).json()["boolean"]
