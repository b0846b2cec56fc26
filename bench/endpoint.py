"""The SPARQL endpoint: its cost over the engine and over HTTP, and the `oxigraph` server beside it.

`python -m bench.endpoint [TRIPLES]` prints the tables for generated data (100,000 triples if none
is given). Both servers hold the same default graph and are asked in turn, in rounds, over kept
connections; their answers are compared before anything is timed. The other server is measured
where its program is found (PyPI: `oxigraph`).
"""

from __future__ import annotations

import csv
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import psutil
import pyoxigraph as ox

from bench.endpoint_peers import (
    Connection,
    Peer,
    accept_of,
    find_program,
    serve_oxigraph,
    write_request,
)
from bench.generator import Shape
from bench.servers import Server, serve_store
from bench.stores import ROOT, copy_store, describe, prepare_store
from bench.tables import Cell, Table, judge, percentile
from graph.shapes import load_model

_PREFIXES: Final = """\
PREFIX rz: <https://w3id.org/rhizome/ontology#>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX eurio: <http://data.europa.eu/s66#>
"""
#: The ten kinds of queries; `{one}` is an organisation. And how often each is asked in a round.
KINDS: Final = {
    "point lookup": ("SELECT ?name { <{one}> skos:prefLabel ?name }", 200),
    "two-hop join": (
        "SELECT ?whole ?name { ?tie org:member <{one}> ; org:organization ?whole ."
        " ?whole skos:prefLabel ?name }",
        200,
    ),
    "co-participants": (
        "SELECT ?other (COUNT(?project) AS ?n) { ?role eurio:isRoleOf <{one}> ;"
        " eurio:isInvolvedIn ?project . ?also eurio:isInvolvedIn ?project ;"
        " eurio:isRoleOf ?other } GROUP BY ?other",
        100,
    ),
    "filter, order, limit": (
        "SELECT ?org ?name { ?org a rz:Cluster ; skos:prefLabel ?name"
        " FILTER(STRLEN(?name) > 12) } ORDER BY ?name ?org LIMIT 20",
        40,
    ),
    "count, group by": (
        "SELECT ?class (COUNT(?s) AS ?n) { ?s a ?class } GROUP BY ?class",
        10,
    ),
    "property path": (
        "SELECT ?top (COUNT(?org) AS ?n) { ?org rz:sector/skos:broader* ?top } GROUP BY ?top",
        10,
    ),
    "optional-heavy": (
        "SELECT ?org ?name ?acronym ?url ?country { ?org a rz:Cluster ; skos:prefLabel ?name ."
        " OPTIONAL { ?org rz:acronym ?acronym } OPTIONAL { ?org <https://schema.org/url> ?url }"
        " OPTIONAL { ?org rz:country ?country } }",
        10,
    ),
    "CONSTRUCT": (
        "CONSTRUCT { ?org skos:prefLabel ?name ; rz:country ?country }"
        " { ?org a rz:Cluster ; skos:prefLabel ?name ; rz:country ?country }",
        10,
    ),
    "regex over labels": (
        "SELECT ?s ?name { ?s skos:prefLabel ?name FILTER(REGEX(?name, 'bio', 'i')) }",
        10,
    ),
    "contains in a class": (
        "SELECT ?s ?name { ?s a rz:Cluster ; skos:prefLabel ?name"
        " FILTER(CONTAINS(LCASE(?name), 'agri')) }",
        20,
    ),
}
#: What is streamed in the table of large answers, and how much of it.
_LARGE_STORE: Final = 200_000
_LARGE: Final = "SELECT ?s ?p ?o { ?s ?p ?o }"


def compare_answers(peers: Sequence[Peer], one: str) -> None:
    """Refuse to measure servers that answer differently."""
    for kind, (text, _) in KINDS.items():
        whole = _PREFIXES + text.replace("{one}", one)
        accept = "application/n-triples" if "CONSTRUCT" in text else "text/csv"
        found = []
        for peer in peers:
            connection = Connection(peer.port)
            status, body = connection.ask(write_request(peer, whole, accept))
            connection.close()
            if status != 200:
                raise SystemExit(f"{peer.name} answers {kind!r}: {status} {body[:300]!r}")
            found.append(_rows(body, accept))
        if any(each != found[0] for each in found):
            raise SystemExit(f"the servers answer {kind!r} differently")


def _rows(body: bytes, accept: str) -> object:
    if accept != "text/csv":
        return frozenset(body.splitlines())
    head, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    return tuple(head), Counter(map(tuple, rows))


def measure_kind(peer: Peer, text: str, times: int, *, takes_kept: bool = False) -> list[float]:
    """Return the milliseconds of each of some requests over one connection."""
    connection = Connection(peer.port)
    request = write_request(peer, text, accept_of(text), takes_kept=takes_kept)
    found = []
    for _ in range(times):
        began = time.perf_counter()
        status, _ = connection.ask(request)
        found.append((time.perf_counter() - began) * 1000)
        if status != 200:
            raise SystemExit(f"{peer.name} answered {status}")
    connection.close()
    return found


def table_kinds(
    peers: Sequence[Peer], one: str, rounds: int, about: str, *, takes_kept: bool = False
) -> Table:
    """Return the ten kinds of queries, all servers in turn; asked anew, or what is kept taken."""
    rows: list[tuple[Cell, ...]] = []
    for kind, (text, times) in KINDS.items():
        whole = _PREFIXES + text.replace("{one}", one)
        samples: dict[str, list[float]] = {peer.name: [] for peer in peers}
        for peer in peers:
            measure_kind(peer, whole, 5, takes_kept=takes_kept)
        for _ in range(rounds):
            for peer in peers:
                samples[peer.name] += measure_kind(peer, whole, times, takes_kept=takes_kept)
        cells: list[Cell] = [kind]
        for peer in peers:
            found = samples[peer.name]
            cells += [statistics.median(found), percentile(found, 99)]
        if len(peers) > 1:
            ours, theirs = cells[1:3], cells[3:5]
            cells += [
                judge(float(mine) / float(other), 1)
                for mine, other in zip(ours, theirs, strict=True)
            ]
        rows.append(tuple(cells))
    heads = ["query"]
    for peer in peers:
        heads += [f"{peer.name}, p50 ms", "p99 ms"]
    if len(peers) > 1:
        heads += ["p50, times", "p99, times"]
    how = "kept answers taken" if takes_kept else "each evaluated"
    return Table(f"Ten kinds of queries over HTTP, {how}, {about}", tuple(heads), rows)


def table_throughput(
    peers: Sequence[Peer], one: str, seconds: float, about: str, *, takes_kept: bool = False
) -> Table:
    """Return requests a second of two clients, by kind; asked anew, or what is kept taken."""
    rows: list[tuple[Cell, ...]] = []
    for kind, (text, _) in KINDS.items():
        whole = _PREFIXES + text.replace("{one}", one)
        rates = [_measure_rate(peer, whole, seconds, takes_kept) for peer in peers]
        target = judge(rates[0] / rates[1], 1, at_least=True) if len(rates) > 1 else ""
        rows.append((kind, *rates, target))
    heads = ("query", *(f"{peer.name}, req/s" for peer in peers), "times the other")
    how = "kept answers taken" if takes_kept else "each query evaluated"
    return Table(f"Throughput of two clients, {how}, {about}", heads, rows)


def _measure_rate(peer: Peer, text: str, seconds: float, takes_kept: bool) -> float:
    """Two processes ask, so that the client's own work is not what is measured."""
    command = [sys.executable, "-m", "bench.endpoint", "--client"]
    asked = json.dumps([peer.name, peer.port, peer.path, text, seconds, takes_kept]).encode()
    clients = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(asked)
        client.stdin.close()
    total = 0.0
    for client in clients:
        assert client.stdout is not None
        total += float(json.loads(client.stdout.read()))
        client.stdout.close()
        client.wait()
    return total


def run_client(asked: Sequence[object]) -> float:
    """Return the requests a second of one client."""
    name, port, path, text, seconds, takes_kept = asked
    peer = Peer(str(name), int(str(port)), str(path))
    connection, request = (
        Connection(peer.port),
        write_request(peer, str(text), accept_of(str(text)), takes_kept=bool(takes_kept)),
    )
    for _ in range(3):
        connection.ask(request)
    began, count = time.perf_counter(), 0
    while (now := time.perf_counter()) - began < float(str(seconds)):
        connection.ask(request)
        count += 1
    return count / (now - began)


def table_point(peers: Sequence[Peer], checkpoint: ox.Store, one: str, rounds: int) -> Table:
    """Return what a point query takes in process, nothing over HTTP, and both together.

    And what a bare event loop and the other server take of the same connection.
    """
    peer, *others = peers
    text = _PREFIXES + KINDS["point lookup"][0].replace("{one}", one)
    empty = (
        f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{peer.port}\r\nAccept: application/json\r\n\r\n"
    ).encode()
    request = write_request(peer, text, accept_of(text))
    inside: list[float] = []
    nothing: list[float] = []
    point: list[float] = []
    with Server(("-m", "bench.bare")) as bare:
        asked = [(Connection(peer.port), empty, nothing), (Connection(peer.port), request, point)]
        asked.append((Connection(bare.port), empty, []))
        for other in others:
            body = write_request(other, text, accept_of(text))
            asked.append((Connection(other.port), body, []))
        for connection, sent, _ in asked:
            for _ in range(20):
                connection.ask(sent)
        _ask_in_turn(checkpoint, text, rounds, inside, asked)
    names = ("a bare event loop over HTTP", *(f"point query of the {each.name}" for each in others))
    more: list[tuple[Cell, ...]] = [
        (name, statistics.median(samples), percentile(samples, 99), "")
        for name, (_, _, samples) in zip(names, asked[2:], strict=True)
    ]
    both = statistics.median(inside) + statistics.median(nothing)
    rows: list[tuple[Cell, ...]] = [
        ("in process", statistics.median(inside), percentile(inside, 99), ""),
        ("an empty answer over HTTP", statistics.median(nothing), percentile(nothing, 99), ""),
        (
            "point query over HTTP",
            statistics.median(point),
            percentile(point, 99),
            f"times both: {judge(statistics.median(point) / both, 2)}"
            f" ({statistics.median(point) / both:.2f})",
        ),
    ]
    return Table("Point query", ("what", "p50 ms", "p99 ms", "target"), rows + more)


def _ask_in_turn(
    checkpoint: ox.Store,
    text: str,
    rounds: int,
    inside: list[float],
    asked: Sequence[tuple[Connection, bytes, list[float]]],
) -> None:
    """Fill in the milliseconds of each: the engine in process, and requests over connections."""
    for _ in range(rounds):
        for _ in range(300):
            began = time.perf_counter()
            found = checkpoint.query(text)
            assert isinstance(found, ox.QuerySolutions)
            found.serialize(format=ox.QueryResultsFormat.JSON)
            inside.append((time.perf_counter() - began) * 1000)
        for connection, sent, samples in asked:
            for _ in range(300):
                began = time.perf_counter()
                connection.ask(sent)
                samples.append((time.perf_counter() - began) * 1000)
    for connection, _, _ in asked:
        connection.close()


def table_large(peer: Peer, process: psutil.Process, token: str, about: str) -> Table:
    """Return when large answers begin and end, and what they take of the API process."""
    rows: list[tuple[Cell, ...]] = []
    for name, limit, header in (
        ("10,000 rows, held and cut", 20_000, ""),
        ("100,000 rows, streamed", 100_000, token),
        ("all rows, streamed", 10**9, token),
    ):
        for reader, pause_s in (("at once", 0.0), ("slowly", 0.002)):
            rows.append((name, reader, *_read_large(peer, process, limit, header, pause_s)))
    heads = ("answer", "read", "first byte, ms", "last byte, ms", "MiB", "API process, MiB more")
    return Table(f"Large answers as JSON, {about}", heads, rows)


def _read_large(
    peer: Peer, process: psutil.Process, limit: int, token: str, pause_s: float
) -> tuple[float, float, float, float]:
    text = f"{_LARGE} LIMIT {limit}"
    url = f"http://127.0.0.1:{peer.port}{peer.path}?{urlencode({'query': text})}"
    headers = {"Accept": "application/sparql-results+json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    before = peak = process.memory_info().rss
    began = time.perf_counter()
    size, first = 0, 0.0
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        while piece := answer.read(64 * 1024):
            first = first or time.perf_counter() - began
            size += len(piece)
            peak = max(peak, process.memory_info().rss)
            if pause_s:
                time.sleep(pause_s)
    last = time.perf_counter() - began
    return first * 1000, last * 1000, size / 2**20, (peak - before) / 2**20


def make_token(store: Path) -> str:
    """Return a token of a store's server."""
    command = [sys.executable, "server.py", "token", "create", "--scope", "explain"]
    done = subprocess.run(
        [*command, "--store", str(store)], cwd=ROOT, stdout=subprocess.PIPE, check=True,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout.decode().strip()


def tables(triples: int, rounds: int, seconds: float) -> Iterator[Table]:
    """Yield all tables."""
    kept = ROOT / "var" / "bench"
    kept.mkdir(parents=True, exist_ok=True)
    shape = Shape(triples)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=kept, prefix="end-")))
        store = copy_store(prepare_store(shape, load_model(), kept), folder)
        # Answers are compared whole: of a large store some have more rows than are told by default.
        is_large = triples > _LARGE_STORE
        settings = {"RHIZOME_SPARQL_ROWS": str(triples)} if is_large else {}
        server = stack.enter_context(serve_store(store, settings=settings))
        checkpoint = ox.Store.read_only(str(newest_checkpoint(store)))
        one = find_organisation(checkpoint)
        peers = [Peer("this service", server.port, "/sparql")]
        program = find_program()
        if program is not None:
            peers.append(stack.enter_context(serve_oxigraph(program, checkpoint, folder)))
        server.settle()
        compare_answers(peers, one)
        yield table_point(peers, checkpoint, one, rounds)
        yield table_kinds(peers, one, rounds, describe(shape))
        yield table_kinds(peers, one, rounds, describe(shape), takes_kept=True)
        for takes_kept in (False, True):
            yield table_throughput(peers, one, seconds, describe(shape), takes_kept=takes_kept)
        if is_large:
            return
        yield table_large(peers[0], server.process, make_token(store), describe(shape))


def find_organisation(store: ox.Store) -> str:
    """Return the IRI of an organisation that takes part in a project."""
    found = store.query(_PREFIXES + "SELECT ?one { ?role eurio:isRoleOf ?one } LIMIT 1")
    assert isinstance(found, ox.QuerySolutions)
    one = next(found)["one"]
    assert isinstance(one, ox.NamedNode)
    return one.value


def newest_checkpoint(store: Path) -> Path:
    """Return the folder of the newest checkpoint of a store that a server has open."""
    found = [p.parent for p in (store / "oxigraph").rglob("CURRENT") if "checkpoint" in str(p)]
    if not found:
        raise SystemExit(f"{store} has no checkpoint")
    return max(found, key=lambda path: path.stat().st_mtime)


def main(arguments: list[str]) -> None:
    """Print the tables, or be one client."""
    if arguments[:1] == ["--client"]:
        print(json.dumps(run_client(json.load(sys.stdin))))
        return
    triples = int(arguments[0]) if arguments else 100_000
    for table in tables(triples, rounds=3, seconds=3.0):
        print(table.markdown(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
