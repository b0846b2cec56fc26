"""One writer and two replicas, each a process of its own: what is read, refused, lost, caught up.

`make test` kills the writer and a replica once each; many more kills are marked `slow`.
"""

from __future__ import annotations

import http.client
import json
import random
import shutil
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from graph.store.access_tokens import Tokens
from graph.store.log import Log
from graph.terms import ENTITY
from tests.replicas import files
from tests.running import Answer, Running
from tests.seeded import make_settings
from tests.test_server import command
from web.app import list_routes

pytestmark = pytest.mark.broad

CREATE = (
    "mutation ($source: SourceChoice!, $input: ClusterInput!) "
    "{ createCluster(source: $source, input: $input) { accepted revision id } }"
)
SOURCE = {"id": f"{ENTITY}source/of-the-replicas", "create": {"title": "Of the replicas"}}
NAMES = ("writer", "one", "two")
QUICK = {"RHIZOME_RATE_TOKEN_API": "0", "RHIZOME_RATE_API": "0", "RHIZOME_FOLLOW_PAUSE_S": "0.3"}


def make_token(store: Path) -> str:
    store.mkdir(exist_ok=True)
    return Tokens.open(make_settings(store)).create(["write", "changes"], name="tests")[0]


class Group:
    """A writer and its replicas."""

    def __init__(self, stack: ExitStack, folder: Path, seeded: Path) -> None:
        self.folder = folder
        self.stack = stack
        shutil.copytree(seeded, folder / "writer")
        self.tokens = {name: make_token(folder / name) for name in NAMES}
        self.token = self.tokens["writer"]
        self.token_file = folder / "token"
        self.token_file.write_text(self.token)
        self.token_file.chmod(0o600)
        self.writer = self.start("writer").listens()
        self.count = 0

    def start(self, name: str, port: int = 0) -> Running:
        """Start the writer, or a replica."""
        arguments = ["--port", str(port)] if port else []
        if name != "writer":
            arguments += ["--follow", self.writer.address, "--token-file", str(self.token_file)]
        running = Running(self.folder / name, *arguments, **QUICK)
        self.stack.callback(running.close)
        return running

    def log(self, name: str) -> dict[str, bytes]:
        found = files(self.folder / name / "log")
        return {path: content for path, content in found.items() if not path.startswith("orphans")}

    def write(self, server: Running | None = None, token: str | None = None) -> Answer:
        """Create a cluster at the writer, or try to at another."""
        self.count += 1
        given = {"name": [{"text": f"Followed {self.count}", "lang": "en"}], "acronym": "FOL"}
        body = {"query": CREATE, "variables": {"source": SOURCE, "input": given}}
        return post(server or self.writer, "/graphql", token or self.token, json.dumps(body))

    def commit(self) -> int:
        """Create a cluster and return the revision."""
        made = self.write().json()["data"]["createCluster"]
        assert made["accepted"]
        revision: int = made["revision"]
        return revision


def post(
    server: Running, path: str, token: str, body: str, kind: str = "application/json",
    method: str = "POST",
) -> Answer:  # fmt: skip
    connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind, "Accept": "*/*"}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    head = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, head, response.read())
    connection.close()
    return answer


def wait(condition: Callable[[], bool], server: Running) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, server.errors()
        time.sleep(0.05)


def standing(server: Running) -> Any:
    return server.get("/ready").json()["replica"]


@pytest.fixture(scope="module")
def group(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with ExitStack() as stack:
        yield Group(stack, tmp_path_factory.mktemp("group"), seeded_store)


@pytest.fixture(scope="module")
def replicas(group: Group) -> list[Running]:
    """Two replicas that begin with nothing, while the writer still opens its store."""
    replicas = [group.start(name) for name in ("one", "two")]
    for server in (group.writer, *replicas):
        server.ready()
    return replicas


QUERY = "/graphql?query=" + urllib.parse.quote('{clusters(where:{acronym:{eq:"FOL"}}){totalCount}}')
PLACE = "organisation/vegepolys-valley"
#: What is read, by its route; of an archive, which holds times of its own, only that it is there.
READS = {
    "/": ["/", "/?lang=fr"],
    "/.well-known/dcat": ["/.well-known/dcat?format=nt"],
    "/.well-known/void": ["/.well-known/void?format=nt"],
    "/alignments": ["/alignments"],
    "/changes": ["/changes?since=0"],
    "/data": [f"/data?iri={ENTITY}{PLACE}&format=nq"],
    "/data/{path:path}": [f"/data/{PLACE}.jsonld", f"/data/{PLACE}.nt"],
    "/errors": ["/errors"],
    "/export": ["/export?format=nq", f"/export?entity={ENTITY}{PLACE}&format=nq"],
    "/export/attribution": ["/export/attribution"],
    "/export/citation": ["/export/citation?format=cff"],
    "/export/crate.zip": ["/export/crate.zip"],
    "/export/networks/{name}": ["/export/networks/default.graphml"],
    "/export/revisions/{name}": ["/export/revisions/1.nq"],
    "/export/sites.geojson": ["/export/sites.geojson"],
    "/export/tables.zip": ["/export/tables.zip"],
    "/graphql": [QUERY],
    "/graphs": [f"/graphs?graph={ENTITY}source/eccp-plant-intercluster"],
    "/graphs/{name:path}": ["/graphs/source/eccp-plant-intercluster"],
    "/health": ["/health"],
    "/id/{path:path}": [f"/id/{PLACE}.ttl"],
    "/ontology": ["/ontology"],
    "/ontology.{suffix}": ["/ontology.nt"],
    "/ontology/{major:int}.{minor:int}.{patch:int}": ["/ontology/0.1.0"],
    "/ontology/{name}": ["/ontology/shapes.ttl"],
    "/page": [f"/page?iri={ENTITY}{PLACE}"],
    "/page/{path:path}": [f"/page/{PLACE}?lang=fr"],
    "/prefixes": ["/prefixes"],
    "/questions": ["/questions"],
    "/questions/{name}": ["/questions/2.csv", "/questions/42.nt", "/questions/53.json"],
    "/report": ["/report?format=csv", "/report?format=md&projection=projects"],
    "/schema.graphql": ["/schema.graphql"],
    "/shapes": ["/shapes"],
    "/sparql": ["/sparql?query=ASK%7B%7D", "/sparql"],
    "/static/{name}": ["/static/rhizome.css"],
    "/void": ["/void"],
}
#: What tells of the server itself, and so differs.
OWN = {"/ready", "/version", "/sparql/queries", "/sparql/queries/{id}"}


def test_every_route_that_is_read_is_compared() -> None:
    paths = {route.path for route in list_routes() if "GET" in (route.methods or ())}
    assert paths - OWN == READS.keys()


def test_replicas_answer_all_reads_as_the_writer_does(
    group: Group, replicas: list[Running]
) -> None:
    revision = group.commit()
    servers = (group.writer, *replicas)
    for path in (path for paths in READS.values() for path in paths):
        seen = [
            read(server, path, revision, group.tokens[name])
            for name, server in zip(NAMES, servers, strict=True)
        ]
        assert {answer.status for answer in seen} <= {200, 303}, (path, seen[0].body[:500])
        assert len({answer.status for answer in seen}) == 1, path
        if path.startswith(("/export?", "/graphql?", "/report?", "/sparql?")):
            assert {answer.headers["rhizome-revision"] for answer in seen} == {str(revision)}, path
        bodies = {told(server, answer) for server, answer in zip(servers, seen, strict=True)}
        assert len(bodies) == 1 or path.endswith(".zip"), path
    hashes = {s.get("/version").json()["datasetHash"] for s in servers}
    assert len(hashes) == 1
    for name in ("one", "two"):
        assert group.log(name) == group.log("writer")
    for replica in replicas:
        found = standing(replica)
        assert (found["writer"], found["state"]) == (group.writer.address, "following")
        assert (found["behind"], found["problem"]) == (0, None)


def read(server: Running, path: str, revision: int, token: str) -> Answer:
    """What a server answers of a revision; to a token, where one is needed."""
    headers = {"Rhizome-Min-Revision": str(revision)}
    if path.startswith("/changes"):
        headers["Authorization"] = f"Bearer {token}"
    return server.get(path, **headers)


def told(server: Running, answer: Answer) -> bytes:
    """The lines of an answer in any order, without what stands for the server itself."""
    body = answer.body.replace(server.address.encode(), b"ADDRESS")
    return b"\n".join(sorted(body.split(b"\n")))


def test_subscribers_of_a_replica_are_told(group: Group, replicas: list[Running]) -> None:
    host = replicas[0].address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    body = json.dumps({"query": "subscription { clusterChanged { revision } }"})
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    connection.request("POST", "/graphql", body, headers)
    response = connection.getresponse()
    response.readline()  # it runs
    revision = group.commit()
    while not (line := response.readline()).startswith(b"data:"):
        assert line
    assert json.loads(line[5:])["data"]["clusterChanged"]["revision"] == revision
    connection.close()


def test_a_replica_refuses_changes_and_names_the_writer(
    group: Group, replicas: list[Running]
) -> None:
    replica, token = replicas[1], group.tokens["two"]
    before = group.log("two")
    update = "INSERT DATA { GRAPH <https://e/g> { <https://e/s> <https://e/p> 1 } }"
    for answer in (
        post(replica, "/sparql", token, update, "application/sparql-update"),
        post(replica, "/graphs?graph=https://e/g", token, "", "text/turtle", "PUT"),
        post(replica, "/graphs?graph=https://e/g", token, "", "text/turtle", "DELETE"),
    ):
        problem = json.loads(answer.body)
        assert (answer.status, problem["code"]) == (421, "READ_ONLY_REPLICA")
        assert problem["writer"] == group.writer.address
    (error,) = group.write(replica, token).json()["errors"]
    assert error["extensions"]["code"] == "READ_ONLY_REPLICA"
    assert group.writer.address in error["message"]
    said = command(group.folder / "two", "load", "no.ttl")
    assert (said.returncode, group.writer.address in said.stderr) == (3, True), said.stderr
    assert group.log("two") == before
    sent = replica.get("/changes?format=log", Authorization=f"Bearer {token}")
    own = group.writer.get("/changes?format=log", Authorization=f"Bearer {group.token}")
    assert sent.body == own.body  # who follows a replica gets the same


def test_the_writer_is_killed_and_comes_back(group: Group, replicas: list[Running]) -> None:
    group.commit()
    for replica in replicas:  # on a busy machine one that has just started was never current yet
        wait(lambda replica=replica: standing(replica)["current"] is not None, replica)  # type: ignore[misc]
    port = int(group.writer.address.rpartition(":")[2])
    group.writer.stop(9)
    for replica in replicas:
        wait(lambda replica=replica: standing(replica)["state"] == "writer lost", replica)  # type: ignore[misc]
        found = standing(replica)
        assert found["since"] > found["current"]
        assert group.writer.address in found["problem"]
        assert replica.get(QUERY).status == 200
        assert replica.get(QUERY, **{"Rhizome-Min-Revision": "999"}).status == 503
    group.writer = group.start("writer", port).ready()
    revision = group.commit()
    for replica in replicas:
        wait(lambda replica=replica: replica.get("/ready").json()["revision"] == revision, replica)  # type: ignore[misc]
        assert standing(replica)["state"] == "following"
    assert group.log("one") == group.log("two") == group.log("writer")


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_replica_that_is_killed_in_the_midst_goes_on_where_it_was(
    group: Group, replicas: list[Running], kills: int
) -> None:
    random_ = random.Random(kills)
    for _ in range(kills):
        for number in range(12):
            group.commit()
            if number == 5:
                time.sleep(random_.uniform(0.0, 0.15))
                replicas[1].stop(9)
        held = Log.open(group.folder / "two" / "log")  # what it holds is whole
        assert (
            list(held.commits())
            == list(Log.open(group.folder / "writer" / "log").commits())[: held.revision]
        )
        replicas[1] = group.start("two").ready()
        revision = group.writer.get("/ready").json()["revision"]
        wait(lambda: replicas[1].get("/ready").json()["revision"] == revision, replicas[1])  # noqa: B023
        assert group.log("two") == group.log("writer")
    answer = replicas[1].get(QUERY)
    assert answer.body == group.writer.get(QUERY).body


def test_a_replica_ends_in_order_and_is_served_only_as_one(
    group: Group, replicas: list[Running]
) -> None:
    assert replicas[1].stop() == 0
    said = command(group.folder / "two", "serve", "--port", "0")
    assert said.returncode == 6
    assert f"a read replica of {group.writer.address}" in said.stderr
    replicas[1] = group.start("two").ready()  # for whichever test comes next


def test_no_log_holds_a_token(group: Group, replicas: list[Running]) -> None:
    secret = group.token.rpartition("_")[2]
    for log in group.folder.glob("log-*"):
        assert secret not in log.read_text(encoding="utf-8"), log
