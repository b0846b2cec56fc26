"""All bad input, one after the other, to one running server: each is told, and it goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.require import ROOT
from tests.running import Running
from tests.test_bad_input import BOMB
from web.control import Command, RemoteFailure, ask_server

SOURCE = "https://w3id.org/rhizome/id/source/mine"
CLUSTER = "<https://w3id.org/rhizome/id/organisation/new>"
START = (
    "@prefix rz: <https://w3id.org/rhizome/ontology#> ."
    "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> ."
    f'<{SOURCE}> a rz:Source ; <http://purl.org/dc/terms/title> "Mine" ; rz:sourceKind "user" .'
    f'{CLUSTER} a rz:Cluster ; <http://www.w3.org/2004/02/skos/core#prefLabel> "New"@en .'
)
NETWORK = "https://w3id.org/rhizome/id/network/plant-intercluster"
MEMBERSHIP = (
    "<https://w3id.org/rhizome/id/membership/new--plant-intercluster--member> a rz:Membership ;"
    f" <http://www.w3.org/ns/org#member> {CLUSTER} ;"
    f" <http://www.w3.org/ns/org#organization> <{NETWORK}> ;"
    " <http://www.w3.org/ns/org#role> <https://w3id.org/rhizome/id/concept/role--member> ;"
    ' rz:status "stated" .'
)
CONTEXT = '{"@context": "http://127.0.0.1:9/c.jsonld", "@id": "a:s"}'
BLANK = "<a:s> <a:p> " + "[ <a:p> " * 20_000 + "<a:o>" + " ]" * 20_000 + " ."

#: File name, content, and words of the answer.
FILES = [
    ("syntax.ttl", "<a:s> <a:p>\n  nonsense .", "line 2"),
    ("class.ttl", f"{START} {CLUSTER} a rz:Clustre .", "rz:Clustre is not a class"),
    ("field.ttl", f"{START} {CLUSTER} rz:acronim 'A' .", "rz:acronim"),
    ("datatype.ttl", f"{START} {CLUSTER} rz:foundedEarliest 'soon'^^xsd:date .", "xsd:date"),
    ("evidence.ttl", START + MEMBERSHIP, "At least one evidence"),
    ("long.ttl", f"{START} {CLUSTER} rz:acronym '{'x' * 65_537}' .", "65536"),
    ("decimal.ttl", f"{START} {CLUSTER} rz:acronym '1e1000000000'^^xsd:decimal .", "xsd:decimal"),
    ("bomb.rdf", BOMB, "bomb.rdf"),
    ("context.jsonld", CONTEXT, "context.jsonld"),
    ("blank.ttl", BLANK, "nested"),
]
TIES = "memberships(first: 500) { nodes { member { "
#: GraphQL documents with the code of the answer.
DOCUMENTS = [
    ("{ clusters { ", "QUERY_SYNTAX"),
    ("{ clustres { totalCount } }", "GRAPHQL_VALIDATION"),
    ("{ clusters { nodes { " + TIES * 40 + "id" + " } } }" * 40 + " } } }", "QUERY_LIMIT"),
    ("{" + " ".join(f"a{n}: revision" for n in range(500)) + "}", "QUERY_LIMIT"),
    (
        "{ clusters(first: 500) { nodes { " + TIES * 4 + "id" + " } } }" * 4 + " } } }",
        "QUERY_LIMIT",
    ),
]
#: SPARQL texts with the status of the answer.
QUERIES = [
    ("SELECT * { " + "(" * 10_240, 400),
    ("SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", 400),
    ("SELECT * { sErViCe SILENT <http://127.0.0.1:9/> { ?s ?p ?o } }", 400),
    ("SELECT * { \\u0053ERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", 400),
    ("LOAD <file:///etc/hostname>", 400),
    ("lOaD SILENT <http://127.0.0.1:9/> INTO GRAPH <a:g>", 400),
    ("SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }", 504),
]


@pytest.fixture
def server(seeded_store: Path, tmp_path: Path) -> Iterator[Running]:
    store = tmp_path / "store"
    shutil.copytree(seeded_store, store)
    running = Running(
        store, RHIZOME_RATE_API="0", RHIZOME_RATE_QUERY_S="0", RHIZOME_SPARQL_DEADLINE_S="1"
    )
    try:
        yield running.ready()
    finally:
        running.close()


def sparql(server: Running, text: str) -> Any:
    return server.get("/sparql?" + urllib.parse.urlencode({"query": text}))


def graphql(server: Running, text: str) -> Any:
    return server.get("/graphql?" + urllib.parse.urlencode({"query": text})).json()


def load(server: Running, path: Path) -> str:
    """Have the server load a file that it refuses; return all that it says."""
    arguments = {"files": [str(path)], "graph": SOURCE, "dry_run": False}
    pieces = ask_server(server.store, Command("load", arguments))
    assert pieces is not None
    with pytest.raises(RemoteFailure) as refused:
        list(pieces)
    assert refused.value.exit_code in (2, 4), refused.value.problem
    return json.dumps(refused.value.problem)


def test_a_running_server_outlives_all_bad_input(server: Running, tmp_path: Path) -> None:
    count = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
    whole = server.get("/export?format=nq").body
    normal = (graphql(server, "{ clusters { totalCount } }"), sparql(server, count).body)
    assert normal[0]["data"]["clusters"]["totalCount"] > 10

    def assert_unharmed(after: str) -> None:
        now = (graphql(server, "{ clusters { totalCount } }"), sparql(server, count).body)
        assert now == normal, after
        assert server.get("/ready").json() == {"status": "ready", "revision": 1}, after

    for name, content, words in FILES:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        assert words in load(server, path), name
        assert_unharmed(name)
    for document, code in DOCUMENTS:
        errors = graphql(server, document)["errors"]
        assert errors[0]["extensions"]["code"] == code, errors
        assert_unharmed(document[:80])
    for query, status in QUERIES:
        answer = sparql(server, query)
        assert answer.status == status, (query[:80], answer.body)
        assert answer.headers["content-type"] == "application/problem+json"
        assert_unharmed(query[:80])
    second = [sys.executable, str(ROOT / "server.py"), "serve", "--port", "0"]
    done = subprocess.run(
        [*second, "--store", str(server.store)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 5
    assert f"process {server.process.pid} (serve" in done.stderr
    assert_unharmed("a second server")
    assert server.get("/export?format=nq").body == whole
    assert server.stop() == 0
    assert "Traceback" not in server.errors()
