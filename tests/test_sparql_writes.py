"""SPARQL Update and the Graph Store Protocol on the dataset: commits through the gate."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.terms import ENTITY, RZ, SKOS
from tests.seeded import serve
from tests.test_sparql import COUNT, FORM, PIC, UPDATE, assert_problem, count, get
from web import graph_store

MINE, OTHER = f"{ENTITY}source/mine", f"{ENTITY}source/other"
SEED = f"{ENTITY}source/eccp-plant-intercluster"
ORG = f"{ENTITY}organisation/tulip-union"
PREFIXES = (
    f"PREFIX rz: <{RZ}> PREFIX id: <{ENTITY}> PREFIX dct: <http://purl.org/dc/terms/> "
    "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> "
    "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> "
)


def describe(source: str = MINE) -> str:
    """Statements that make a graph a source."""
    return f'<{source}> a rz:Source ; dct:title "Mine" ; rz:sourceKind "user" . '


def organisation(name: str = "Tulip Union", iri: str = ORG) -> str:
    """Statements of an organisation."""
    return f'<{iri}> a rz:Organisation ; skos:prefLabel "{name}"@en . '


BEGIN = f"{PREFIXES} INSERT DATA {{ GRAPH <{MINE}> {{ {describe()} {organisation()} }} }}"


class Writer:
    """SPARQL with a token."""

    def __init__(self, http: TestClient, name: str, *sources: str, scope: str = "write") -> None:
        tokens = http.app.state.service.tokens  # type: ignore[attr-defined]
        text, self.token = tokens.create((scope,), name=name, sources=sources)
        self.headers = {"Authorization": f"Bearer {text}"}
        self.http = http

    def update(self, text: str, **parameters: Any) -> Any:
        headers = {**self.headers, "Content-Type": UPDATE}
        return self.http.post("/sparql", content=text, headers=headers, params=parameters)

    def send(
        self, method: str, graph: str | None, body: str = "", kind: str = "text/turtle"
    ) -> Any:
        parameters = {"default": ""} if graph is None else {"graph": graph}
        headers = {**self.headers, "Content-Type": kind}
        return self.http.request(
            method, "/graphs", params=parameters, content=body, headers=headers
        )

    def ask(self, pattern: str, revision: str) -> bool:
        """Whether a pattern holds at a revision."""
        headers = {"Rhizome-Min-Revision": revision}
        answer = get(self.http, f"{PREFIXES} ASK {{ {pattern} }}", headers=headers)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["boolean"])


@pytest.fixture
def http(seeded_store: Path, tmp_path: Path) -> Iterator[TestClient]:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder) as client:
        yield client


PART = "--x\r\nContent-Type: text/turtle\r\n\r\n"
MULTIPART = "multipart/form-data; boundary=x"


def nest_forms(levels: int) -> str:
    """A form whose one part is a form, and so on."""
    heads = (
        f"--x{'y' * (n > 0)}{n or ''}\r\nContent-Type: multipart/mixed; boundary=xy{n + 1}\r\n\r\n"
        for n in range(levels)
    )
    return "".join(heads) + "\r\n--x--"


def done(response: Any, status: int = 204) -> str:
    """The revision that a write answered."""
    assert response.status_code == status, response.text
    return str(response.headers["rhizome-revision"])


def log_of(http: TestClient) -> Any:
    return http.app.state.service.dataset.log  # type: ignore[attr-defined]


def test_updates_are_commits_that_the_gate_has_seen(http: TestClient) -> None:
    writer = Writer(http, "me")
    revision = done(writer.update(BEGIN))
    assert revision == "2"
    name = f"GRAPH <{MINE}> {{ <{ORG}> skos:prefLabel 'Tulip Union'@en }}"
    assert writer.ask(name, revision)
    header = next(log_of(http).headers(1))
    assert (header.agent, header.activity) == ("me", "sparql update")
    assert header.graphs == (MINE,)
    # The form of the protocol, and an update that asks before it writes.
    rename = f"""{PREFIXES} WITH <{MINE}> DELETE {{ ?o skos:prefLabel ?old }}
        INSERT {{ ?o skos:prefLabel ?new }}
        WHERE {{ ?o a rz:Organisation ; skos:prefLabel ?old
                 BIND(STRLANG(UCASE(STR(?old)), "en") AS ?new) }}"""
    answer = http.post("/sparql", data={"update": rename}, headers=writer.headers)
    revision = done(answer)
    assert writer.ask(f"<{ORG}> skos:prefLabel 'TULIP UNION'@en", revision)
    assert not writer.ask(f"<{ORG}> skos:prefLabel 'Tulip Union'@en", revision)
    # What the sources of others say was read, and not written.
    copied = f"""{PREFIXES} INSERT {{ GRAPH <{MINE}> {{ <{ORG}> skos:altLabel ?name }} }}
        WHERE {{ <{PIC}> skos:prefLabel ?name FILTER(LANG(?name) = "en") }}"""
    assert writer.ask(f"<{ORG}> skos:altLabel 'Plant InterCluster'@en", done(writer.update(copied)))


def test_an_update_that_changes_nothing_makes_no_commit(http: TestClient) -> None:
    writer = Writer(http, "me")
    first = done(writer.update(BEGIN))
    assert done(writer.update(BEGIN)) == first
    assert done(writer.update(f"DELETE WHERE {{ GRAPH <{MINE}> {{ <x:y> ?p ?o }} }}")) == first
    assert done(writer.update("")) == first


def test_without_a_graph_the_source_of_the_token_is_written(http: TestClient) -> None:
    bare = f"{PREFIXES} INSERT DATA {{ {describe()} {organisation()} }}"
    assert_problem(Writer(http, "none").update(bare), 400, "BAD_VALUE")
    writer = Writer(http, "me", MINE)
    revision = done(writer.update(bare))
    assert writer.ask(f"GRAPH <{MINE}> {{ <{ORG}> a rz:Organisation }}", revision)
    gone = done(writer.update(f"{PREFIXES} DELETE WHERE {{ <{ORG}> ?p ?o }}"))
    assert not writer.ask(f"<{ORG}> ?p ?o", gone)
    # DELETE of what other sources say takes nothing from them.
    before = count(get(http, COUNT, headers={"Rhizome-Min-Revision": gone}))
    same = done(writer.update(f"{PREFIXES} DELETE WHERE {{ <{PIC}> ?p ?o }}"))
    assert same == gone
    assert count(get(http, COUNT)) == before


def test_operations_on_data_count_in_their_order(http: TestClient) -> None:
    writer = Writer(http, "me")
    label = f'GRAPH <{MINE}> {{ <{ORG}> skos:altLabel "TU"@en }}'
    both = f"{BEGIN} ; INSERT DATA {{ {label} }} ; DELETE DATA {{ {label} }}"
    assert not writer.ask(label, done(writer.update(both)))
    both = f"{PREFIXES} DELETE DATA {{ {label} }} ; INSERT DATA {{ {label} }}"
    assert writer.ask(label, done(writer.update(both)))


def test_operations_have_prologues_of_their_own(http: TestClient) -> None:
    writer = Writer(http, "me", MINE)
    done(writer.update(BEGIN))
    label = "skos:altLabel 'Bulb'@en"
    data = f"{PREFIXES} INSERT DATA {{ <{ORG}> {label} }} ; BASE <{ENTITY}organisation/> "
    revision = done(writer.update(f"{data} INSERT DATA {{ <tulip-union> skos:altLabel 'T'@en }}"))
    assert writer.ask(f"<{ORG}> skos:altLabel 'T'@en , 'Bulb'@en", revision)
    asks = f"DELETE {{ <{ORG}> s:altLabel ?l }} WHERE {{ <{ORG}> s:altLabel ?l }}"
    prefix = "PREFIX s: <http://www.w3.org/2004/02/skos/core#>"
    revision = done(writer.update(f"{data.replace('Bulb', 'B')} {prefix} {asks}"))
    assert not writer.ask(f"<{ORG}> skos:altLabel 'T'@en", revision)
    assert writer.ask(f"<{ORG}> skos:altLabel 'B'@en", revision)


def test_what_the_gate_refuses_leaves_nothing_behind(http: TestClient) -> None:
    writer = Writer(http, "me")
    before = done(writer.update(BEGIN))
    for text, status, code in (
        # No source describes the graph; a broken shape; a seed; a reserved graph; a rank.
        (f"INSERT DATA {{ GRAPH <{OTHER}> {{ {organisation()} }} }}", 422, "PROVENANCE_MISSING"),
        (f"INSERT DATA {{ GRAPH <{MINE}> {{ <{ORG}> a rz:Nonsense }} }}", 422, "SHAPE_VIOLATION"),
        (f"DELETE WHERE {{ GRAPH ?g {{ <{PIC}> ?p ?o }} }}", 422, "SHAPE_VIOLATION"),
        # All that a seed states, its rank too: nobody's token would help.
        (f"DELETE WHERE {{ GRAPH <{SEED}> {{ ?s ?p ?o }} }}", 422, "SHAPE_VIOLATION"),
        (
            "INSERT DATA { GRAPH <https://w3id.org/rhizome/ontology> { rz:x a rz:y } }",
            422,
            "SHAPE_VIOLATION",
        ),
        (f"INSERT DATA {{ GRAPH <{MINE}> {{ <{MINE}> rz:sourceRank 9 }} }}", 403, "FORBIDDEN"),
        (f"DELETE WHERE {{ GRAPH <{MINE}> {{ <{MINE}> ?p ?o }} }}", 422, "PROVENANCE_MISSING"),
    ):
        assert_problem(writer.update(f"{PREFIXES} {text}"), status, code)
    assert http.get("/version").json()["revision"] == int(before)
    copies = http.app.state.service.settings.store / "updates"  # type: ignore[attr-defined]
    assert not any(copies.iterdir())


def test_only_those_may_write_who_may(http: TestClient) -> None:
    done(Writer(http, "me").update(BEGIN))
    change = f'{PREFIXES} INSERT DATA {{ GRAPH <{MINE}> {{ <{ORG}> skos:altLabel "x"@en }} }}'
    anonymous = http.post("/sparql", content=change, headers={"Content-Type": UPDATE})
    assert_problem(anonymous, 401, "UNAUTHENTICATED")
    assert_problem(Writer(http, "reader", scope="changes").update(change), 403, "FORBIDDEN")
    assert_problem(Writer(http, "another").update(change), 403, "FORBIDDEN")
    asking = f"WITH <{MINE}> DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }}"
    assert_problem(Writer(http, "another").update(asking), 403, "FORBIDDEN")
    for method in ("PUT", "POST", "DELETE"):
        assert_problem(
            http.request(method, "/graphs", params={"graph": MINE}), 401, "UNAUTHENTICATED"
        )
        assert_problem(Writer(http, "another").send(method, MINE), 403, "FORBIDDEN")
    done(Writer(http, "helper", MINE).update(change))


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("INSERT DATA {", 400, "QUERY_SYNTAX"),
        ("INSERT DATA { GRAPH <x:g> { ?s <x:p> 1 } }", 400, "QUERY_SYNTAX"),
        ("DELETE DATA { GRAPH <x:g> { _:b <x:p> 1 } }", 400, "QUERY_SYNTAX"),
        ("INSERT DATA { GRAPH <relative> { <x:s> <x:p> 1 } }", 400, "QUERY_SYNTAX"),
        ("SELECT * { ?s ?p ?o }", 400, "QUERY_SYNTAX"),
        (
            "INSERT { GRAPH <x:g> { ?s ?p ?o } } WHERE { SERVICE <x:s> { ?s ?p ?o } }",
            400,
            "QUERY_SYNTAX",
        ),
        ("INSERT { GRAPH <x:g> { ?s ?p ?o } } WHERE { " + "{" * 70, 400, "QUERY_LIMIT"),
        ("CLEAR ALL", 403, "FORBIDDEN"),
        ("DROP NAMED", 403, "FORBIDDEN"),
        ("LOAD <http://127.0.0.1:9/> INTO GRAPH <x:g>", 403, "FORBIDDEN"),
        ("CLEAR GRAPH <x:absent>", 404, "NOT_FOUND"),
        (f"CLEAR GRAPH <{PIC}>", 404, "NOT_FOUND"),
        ("INSERT DATA { GRAPH <x:g> { <x:s> <x:p> 1 } } #" + "x" * 65_536, 413, "PAYLOAD_LIMIT"),
    ],
)
def test_bad_updates_are_refused(client: TestClient, text: str, status: int, code: str) -> None:
    name = "bad"  # tokens of one name act as one agent
    assert_problem(Writer(client, name).update(text), status, code)


def test_the_protocol_names_graphs_that_are_read(http: TestClient) -> None:
    writer = Writer(http, "me")
    done(writer.update(BEGIN))
    text = f"""{PREFIXES} INSERT {{ GRAPH <{MINE}> {{ <{ORG}> skos:altLabel ?name }} }}
        WHERE {{ ?o a rz:Organisation ; skos:prefLabel ?name }}"""
    revision = done(writer.update(text, **{"using-graph-uri": MINE}))
    assert writer.ask(f"<{ORG}> skos:altLabel 'Tulip Union'@en", revision)
    assert len(http.app.state.service.dataset.snapshot.quads_of(f"<{ORG}>")) == 3  # type: ignore[attr-defined]
    both = f"WITH <{MINE}> DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }}"
    assert_problem(writer.update(both, **{"using-graph-uri": MINE}), 400, "BAD_VALUE")
    assert_problem(writer.update(text, **{"using-graph-uri": "mine"}), 400, "BAD_VALUE")
    assert_problem(writer.update(text, **{"default-graph-uri": MINE}), 400, "BAD_VALUE")


def test_blank_nodes_of_an_update_get_names(http: TestClient) -> None:
    writer = Writer(http, "me")
    text = BEGIN.replace(f"<{ORG}> a", "_:o a")
    revision = done(writer.update(text))
    asked = f"GRAPH <{MINE}> {{ ?o a rz:Organisation FILTER(isIRI(?o)) }}"
    assert writer.ask(asked, revision)
    assert done(writer.update(text)) == revision


def test_a_blank_node_in_two_graphs_is_one(http: TestClient) -> None:
    writer = Writer(http, "me")
    done(writer.update(BEGIN))
    old = f'<{ORG}> a rz:Organisation ; skos:altLabel "old"@en .'
    done(
        writer.update(f"{PREFIXES} INSERT DATA {{ GRAPH <{OTHER}> {{ {describe(OTHER)} {old} }} }}")
    )
    # Something is taken from the second graph between what is added to both.
    text = f"""{PREFIXES} DELETE {{ GRAPH <{OTHER}> {{ <{ORG}> skos:altLabel ?old }} }}
        INSERT {{ GRAPH <{MINE}> {{ _:o a rz:Organisation ; skos:prefLabel "Rose"@en }}
                  GRAPH <{OTHER}> {{ _:o a rz:Organisation ; skos:altLabel "R"@en }} }}
        WHERE {{ GRAPH <{OTHER}> {{ <{ORG}> skos:altLabel ?old }} }}"""
    revision = done(writer.update(text))
    asked = f"""GRAPH <{MINE}> {{ ?o skos:prefLabel "Rose"@en }}
        GRAPH <{OTHER}> {{ ?o skos:altLabel "R"@en }}"""
    assert writer.ask(asked, revision)
    assert not writer.ask(f"<{ORG}> skos:altLabel ?old", revision)


def test_what_is_removed_and_added_in_another_form_stays(http: TestClient) -> None:
    writer = Writer(http, "me")
    first = done(writer.update(BEGIN))
    text = f"""{PREFIXES} WITH <{MINE}> DELETE {{ ?o skos:prefLabel ?name }}
        INSERT {{ ?o skos:prefLabel ?other }}
        WHERE {{ ?o a rz:Organisation ; skos:prefLabel ?name
                 BIND(STRLANG(STR(?name), "EN") AS ?other) }}"""
    revision = done(writer.update(text))
    assert writer.ask(f"<{ORG}> skos:prefLabel 'Tulip Union'@en", revision)
    assert revision == first


def test_an_update_is_worked_out_anew_when_its_graphs_change(http: TestClient) -> None:
    service = http.app.state.service  # type: ignore[attr-defined]
    writer, writes = Writer(http, "me"), service.writes
    done(writer.update(BEGIN))
    run, times = writes._writer.run, []

    def slow(*arguments: Any) -> Any:
        answer = run(*arguments)
        times.append(1)
        if len(times) <= limit:  # another writes meanwhile
            label = f'"{len(times)}"@en'
            quad = (f"<{ORG}>", f"<{SKOS}altLabel>", label, f"<{MINE}>")
            service.gate.submit([quad], agent="me", activity="load", message="meanwhile")
        return answer

    writes._writer.run = slow
    text = f"""{PREFIXES} WITH <{MINE}> INSERT {{ <{ORG}> skos:altLabel ?name }}
        WHERE {{ <{ORG}> skos:prefLabel ?name }}"""
    limit = 1
    revision = done(writer.update(text))
    assert (revision, len(times)) == ("4", 2)
    assert writer.ask(f"<{ORG}> skos:altLabel 'Tulip Union'@en , '1'@en", revision)
    limit = 99
    text = text.replace("INSERT", "DELETE")
    assert_problem(writer.update(text), 409, "WRITE_CONFLICT")


def test_graphs_are_put_posted_read_and_dropped(http: TestClient) -> None:
    writer = Writer(http, "me")
    head = PREFIXES.replace("PREFIX", "\nPREFIX")
    first = done(writer.send("PUT", MINE, f"{head} {describe()} {organisation()}"), 201)
    assert writer.ask(f"GRAPH <{MINE}> {{ <{ORG}> a rz:Organisation }}", first)
    other = f"{ENTITY}organisation/rose-union"
    more = done(writer.send("POST", MINE, f"{head} {organisation('Rose', other)}"))
    headers = {"Rhizome-Min-Revision": more, "Accept": "text/turtle"}
    answer = http.get("/graphs/source/mine", headers=headers)
    assert answer.status_code == 200
    assert "Rose" in answer.text
    assert "Tulip Union" in answer.text
    replaced = done(writer.send("PUT", MINE, f"{head} {describe()} {organisation('Rose', other)}"))
    assert not writer.ask(f"<{ORG}> ?p ?o", replaced)
    gone = done(writer.send("DELETE", MINE))
    assert not writer.ask(f"GRAPH <{MINE}> {{ ?s ?p ?o }}", gone)
    assert_problem(http.get("/graphs/source/mine"), 404, "NOT_FOUND")
    assert_problem(writer.send("DELETE", MINE), 404, "NOT_FOUND")


def test_who_wrote_reads_it_at_once(http: TestClient) -> None:
    writer, head = Writer(http, "me"), PREFIXES.replace("PREFIX", "\nPREFIX")
    ask = f"{PREFIXES} ASK {{ <{ORG}> skos:prefLabel ?name }}"
    for _ in range(3):
        done(writer.send("PUT", MINE, f"{head} {describe()} {organisation()}"), 201)
        assert http.get(f"/graphs?graph={MINE}").status_code == 200
        assert get(http, ask).json()["boolean"]
        done(writer.update(f"DELETE WHERE {{ GRAPH <{MINE}> {{ <{ORG}> ?p ?o }} }}"))
        assert not get(http, ask).json()["boolean"]
        done(writer.send("DELETE", MINE))
        assert http.get(f"/graphs?graph={MINE}").status_code == 404


def test_a_graph_that_changed_meanwhile_is_not_overwritten(http: TestClient) -> None:
    writer = Writer(http, "me")
    head = PREFIXES.replace("PREFIX", "\nPREFIX")
    text = f"{head} {describe()} {organisation()}"

    def send(method: str, body: str = text, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"Content-Type": "text/turtle", **writer.headers, **named}
        return http.request(method, f"/graphs?graph={MINE}", content=body, headers=headers)

    def read(revision: str, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Rhizome-Min-Revision"] = revision
        return http.get(f"/graphs?graph={MINE}", headers=named)

    assert_problem(send("PUT", If_Match="*"), 412, "PRECONDITION_FAILED")
    first = done(send("PUT", If_None_Match="*"), 201)
    assert_problem(send("PUT", If_None_Match="*"), 412, "PRECONDITION_FAILED")
    tag = read(first).headers["etag"]
    assert read(first, If_None_Match=tag).status_code == 304
    more = organisation("Rose", f"{ENTITY}organisation/rose-union")
    # Another source may change meanwhile; this one is as it was read.
    other = f"{ENTITY}source/another"
    elsewhere = PREFIXES.replace("PREFIX", "\nPREFIX") + describe(other)
    done(writer.send("PUT", other, elsewhere), 201)
    second = done(send("POST", f"{head} {more}", If_Match=f'"0-nt", {tag}'))
    for method in ("PUT", "POST", "DELETE"):
        assert_problem(send(method, If_Match=tag), 412, "PRECONDITION_FAILED")
    for wrong in ('"x"', f"W/{tag}", '"999999-nt"', "nonsense"):
        assert_problem(send("DELETE", If_Match=wrong), 412, "PRECONDITION_FAILED")
    assert "Rose" in read(second).text
    for both in ({"If_Match": tag, "If_None_Match": "*"}, {"If_None_Match": tag}):
        assert_problem(send("PUT", **both), 400, "BAD_VALUE")
    done(send("DELETE", If_Match=read(second).headers["etag"]))
    assert_problem(send("PUT", If_Match=tag), 412, "PRECONDITION_FAILED")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/graphs", 400, "BAD_VALUE"),
        ("POST", "/graphs", 401, "UNAUTHENTICATED"),
        ("GET", "/graphs?graph=relative", 400, "BAD_VALUE"),
        ("GET", "/graphs?graph=", 400, "BAD_VALUE"),
        ("GET", "/graphs?graph=x:y&default", 400, "BAD_VALUE"),
        ("GET", "/graphs?graph=x:y&x=y", 400, "BAD_VALUE"),
        ("GET", "/graphs/source/pic?default", 400, "BAD_VALUE"),
        ("GET", "/graphs?graph=x:absent", 404, "NOT_FOUND"),
        ("GET", "/graphs/source/%20", 400, "BAD_VALUE"),
        ("PATCH", "/graphs?default", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/graphs?default", 401, "UNAUTHENTICATED"),
    ],
)
def test_bad_requests_of_graphs_are_refused(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    assert_problem(
        client.request(method, path, headers={"Content-Type": "text/turtle"}), status, code
    )


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        ("<x:s> <x:p>", "text/turtle", 400, "DATA_SYNTAX"),
        ("", "text/turtle", 422, "PROVENANCE_MISSING"),
        ("<s> <x:p> 1 .", "text/turtle; charset=latin-1", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("x", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("<x:g> { <x:s> <x:p> 1 }", "application/trig", 400, "DATA_SYNTAX"),
        ("[" * 2_000, "text/turtle", 413, "PAYLOAD_LIMIT"),
        ("", "multipart/form-data; boundary=x", 400, "BAD_VALUE"),
        ("--x\r\n\r\n\r\n--x--", "multipart/form-data", 400, "BAD_VALUE"),
        ("--x\r\n\r\n\r\n--x--", "multipart/form-data; boundary=%C3%A9", 400, "BAD_VALUE"),
        (f"{PART}<x:s> <x:p> 1 .", MULTIPART, 400, "BAD_VALUE"),
        ("--x\n" * 200_000, MULTIPART, 400, "QUERY_LIMIT"),
        (PART * 101 + "--x--", MULTIPART, 400, "QUERY_LIMIT"),
        (nest_forms(2_000), MULTIPART, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (
            PART.replace("text/turtle", "(" * 9_000) + "--x--",
            MULTIPART,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
    ],
)
def test_bad_bodies_of_graphs_are_refused(
    client: TestClient, body: str, kind: str, status: int, code: str
) -> None:
    assert_problem(Writer(client, "bad").send("PUT", MINE, body, kind), status, code)


def test_the_parts_of_a_form_are_read_beside_the_event_loop(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, loops = graph_store._read_texts, []

    def spy(*arguments: Any) -> Any:
        loops.append(asyncio._get_running_loop())
        return read(*arguments)

    monkeypatch.setattr(graph_store, "_read_texts", spy)
    writer, other = Writer(http, "me"), f"{ENTITY}organisation/rose-union"
    head = PREFIXES.replace("PREFIX", "\nPREFIX")
    packed = base64.encodebytes(f"{head} {organisation('Rosé', other)}".encode()).decode()
    encoded = PART.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    body = f"preamble\r\n{PART}{head} {describe()} # --x\n {organisation()}\r\n"
    body += f"{encoded}{packed}\r\n--x-- \r\nepilogue\r\n--x\r\n"
    revision = done(writer.send("PUT", MINE, body, MULTIPART), 201)
    assert writer.ask(f"<{ORG}> skos:prefLabel 'Tulip Union'@en", revision)
    assert writer.ask(f"<{other}> skos:prefLabel 'Rosé'@en", revision)
    assert loops == [None]


def test_the_form_of_the_update_and_the_query_exclude_each_other(client: TestClient) -> None:
    both = "query=ASK%20%7B%7D&update=CLEAR%20ALL"
    answer = client.post("/sparql", content=both, headers={"Content-Type": FORM})
    assert_problem(answer, 400, "BAD_VALUE")
