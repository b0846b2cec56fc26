"""Attacks on the SPARQL endpoint: ten runaways one by one, and among normal traffic.

`python -m bench.attacks [TRIPLES] [SECONDS]` prints the attack table and, where seconds are given,
the table of a mixed run of that length. A server of its own is started on generated data, limits
at their defaults; everyone asks from addresses of their own in 127.0.0.0/8.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from bench.draws import Draws
from bench.generator import Shape
from bench.operations import POINT
from bench.reads import read_identifiers
from bench.servers import serve_store
from bench.stores import ROOT, copy_store, describe, prepare_store
from bench.tables import Cell, Table, judge, percentile
from graph.shapes import load_model

DEADLINE_S: Final = 2.0
#: What a query may take beyond its deadline, and the one after it, and the API process; MiB, ms.
LATE_MS: Final = 250.0
NEXT_MS: Final = 50.0
GROWN_MB: Final = 20.0
#: What normal requests are promised in a mixed run.
RIGHT: Final = 0.999
P99_MS: Final = 250.0

_DOUBLING: Final = " ".join(
    f"BIND(CONCAT({', '.join([f'?{one}'] * 16)}) AS ?{two})"
    for one, two in ("ab", "bc", "cd", "de", "ef", "fg", "gh")
)
_REPLACING: Final = " ".join(
    f"BIND(REPLACE(?{one}, 'x', 'xxxxxxxxxxxxxxxx') AS ?{two})"
    for one, two in ("ab", "bc", "cd", "de", "ef", "fg", "gh")
)
#: The ten runaways: queries that no deadline and no memory would be enough for.
RUNAWAYS: Final = {
    "cartesian count": "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }",
    "ORDER BY of a product": "SELECT * { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f",
    "all pairs of a path": "SELECT (COUNT(*) AS ?n) { ?a !<a:x>* ?b }",
    "path there and back": (
        "SELECT (COUNT(*) AS ?n) { ?a (<http://www.w3.org/ns/org#member>"
        "|^<http://www.w3.org/ns/org#member>|!<a:x>|^!<a:x>)* ?b }"
    ),
    "DISTINCT of a product": (
        "SELECT (COUNT(*) AS ?n) { SELECT DISTINCT ?a ?f { ?a ?b ?c . ?d ?e ?f } }"
    ),
    "GROUP_CONCAT": "SELECT (STRLEN(GROUP_CONCAT(?c)) AS ?n) { ?a ?b ?c . ?d ?e ?f }",
    "doubling text": f"SELECT (STRLEN(?h) AS ?n) {{ BIND('xxxxxxxxxxxxxxxx' AS ?a) {_DOUBLING} }}",
    "nested REPLACE": (
        f"SELECT (STRLEN(?h) AS ?n) {{ BIND('xxxxxxxxxxxxxxxx' AS ?a) {_REPLACING} }}"
    ),
    "regular expression": (
        "SELECT (COUNT(?x) AS ?n)"
        " { ?s ?p ?o BIND(REGEX(STR(?o), '((a{1,100}){1,100}){1,100}') AS ?x) }"
    ),
    "3,000 branches of UNION": "ASK{" + "{?s ?p ?o}UNION" * 3_000 + "{?s ?p 1}}",
}
#: How each may end: stopped at its deadline, for its memory, or refused before it began.
OUTCOMES: Final = {504: "QUERY_TIMEOUT", 503: "QUERY_MEMORY", 400: "QUERY_LIMIT"}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: status, body, and milliseconds."""

    status: int
    body: bytes
    ms: float


def ask(port: int, path: str, source: str, body: bytes | None = None, kind: str = "") -> Reply:
    """Ask from an address, over a connection of its own; status 0 where no answer came."""
    began = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
    try:
        headers = {"Accept": "application/json", "Content-Type": kind} if kind else {}
        headers["Cache-Control"] = "no-cache"  # workers are to answer, not what is kept
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        found = response.read()
        return Reply(response.status, found, (time.perf_counter() - began) * 1000)
    except (OSError, HTTPException) as error:
        return Reply(0, repr(error).encode(), (time.perf_counter() - began) * 1000)
    finally:
        connection.close()


def ask_sparql(port: int, text: str, source: str) -> Reply:
    """Ask a SPARQL query from an address."""
    return ask(port, "/sparql", source, text.encode(), "application/sparql-query")


#: Workers that hold the data in memory answer some of them within the deadline.
_ANSWERED: Final = 200


@dataclass(frozen=True, slots=True)
class Attack:
    """What became of one runaway."""

    name: str
    status: int
    code: str
    seconds: float
    next_ms: float
    grown_mb: float

    @property
    def is_held(self) -> bool:
        """Whether it ended as it should, but for times; an answer in time harms nobody."""
        return self.status == _ANSWERED or OUTCOMES.get(self.status) == self.code


def run_attacks(port: int, read_mb: Callable[[], float], point: str) -> Iterator[Attack]:
    """Yield what became of each runaway; `read_mb` reads the memory of the API process."""
    for number, (name, text) in enumerate(RUNAWAYS.items(), 1):
        source = f"127.9.1.{number}"
        for _ in range(3):
            ask_sparql(port, point, source)
        before = read_mb()
        reply = ask_sparql(port, text, source)
        after = ask_sparql(port, point, source)
        if after.status != 200:
            raise SystemExit(f"after {name!r} the server answered {after}")
        code = str(json.loads(reply.body).get("code", "")) if reply.body[:1] == b"{" else ""
        grown = read_mb() - before
        yield Attack(name, reply.status, code, reply.ms / 1000, after.ms, grown)


def table_attacks(attacks: Sequence[Attack], deadline_s: float, about: str) -> Table:
    """Return the attack table."""
    rows: list[tuple[Cell, ...]] = []
    for attack in attacks:
        late_ms = (attack.seconds - deadline_s) * 1000
        verdict = ", ".join(
            (
                f"late {judge(late_ms, LATE_MS)}",
                f"next {judge(attack.next_ms, NEXT_MS)}",
                f"memory {judge(abs(attack.grown_mb), GROWN_MB)}",
            )
        )
        outcome = f"{attack.status} {attack.code}"
        rows.append(
            (attack.name, outcome, attack.seconds, attack.next_ms, attack.grown_mb, verdict)
        )
    heads = ("query", "answer", "after, s", "next query, ms", "API process, MiB more", "target")
    note = f"Over HTTP, deadline {deadline_s:g} s; the API process was never restarted."
    return Table(f"Ten runaways, {about}", heads, rows, (note,))


# --- among normal traffic ---------------------------------------------------------------------


@dataclass(slots=True)
class Traffic:
    """What came of a mixed run: latencies of normal requests by kind, and what went wrong."""

    latencies: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)
    attacks: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many normal requests were made."""
        return sum(map(len, self.latencies.values()))

    @property
    def share_right(self) -> float:
        """The share of normal requests that were answered rightly."""
        return 1 - self.wrong.total() / max(1, self.count)

    @property
    def all(self) -> list[float]:
        """The milliseconds of all normal requests."""
        return [ms for found in self.latencies.values() for ms in found]


@dataclass(frozen=True, slots=True)
class Mix:
    """What normal users ask, with the answers that are right."""

    graphql: Sequence[tuple[bytes, bytes]]
    sparql: Sequence[tuple[str, bytes]]
    pages: Sequence[tuple[str, bytes]]


def learn_answers(port: int, identifiers: Sequence[str]) -> Mix:
    """Ask everything once, while nobody attacks."""
    graphql, sparql, pages = [], [], []
    for number, one in enumerate(identifiers):
        source = f"127.8.0.{number % 200 + 1}"
        body = json.dumps({"query": POINT, "variables": {"id": one}}).encode()
        graphql.append((body, _require(ask(port, "/graphql", source, body, "application/json"))))
        text = f"SELECT ?p ?o {{ <{one}> ?p ?o }} ORDER BY ?p ?o"
        sparql.append((text, _require(ask_sparql(port, text, source))))
    for path in ("/", "/?lang=fr", "/version"):
        _require(ask(port, path, "127.8.1.1"))
        pages.append((path, b""))
    return Mix(graphql, sparql, pages)


def _require(reply: Reply) -> bytes:
    if reply.status != 200:
        raise SystemExit(f"the server answered {reply}")
    return reply.body


def run_mixed(
    port: int, mix: Mix, seconds: float, rate: float = 20.0, attackers: int = 4
) -> Traffic:
    """Return what came of so many seconds of normal requests at a rate, under attack.

    70 of 100 normal requests ask GraphQL, 20 SPARQL, 10 pages, each from the next of many
    addresses. Each attacker has one address and asks runaways one after the other.
    """
    traffic, lock = Traffic(), threading.Lock()
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_attack, args=(port, number, end, traffic, lock))
        for number in range(attackers)
    ]
    clients = 8
    threads += [
        threading.Thread(
            target=_behave, args=(port, mix, number, clients / rate, end, traffic, lock)
        )
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return traffic


def _attack(port: int, number: int, end: float, traffic: Traffic, lock: Any) -> None:
    draws = Draws(number, 11)
    texts = list(RUNAWAYS.values())
    asked = 0
    while time.monotonic() < end:
        asked += 1
        # Never the same text twice: what is known to be slow would not get into the fast lane.
        reply = ask_sparql(
            port, f"# {number} {asked}\n{draws.pick(texts)}", f"127.9.2.{number + 1}"
        )
        with lock:
            traffic.attacks[str(reply.status)] += 1
        if reply.status in (0, 429):
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))


def _behave(
    port: int, mix: Mix, number: int, pause_s: float, end: float, traffic: Traffic, lock: Any
) -> None:
    draws = Draws(number, 13)
    asked, due = 0, time.monotonic()
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due + pause_s, time.monotonic() - 1.0)
        asked += 1
        source = f"127.{10 + number}.{asked // 200 % 200}.{asked % 200 + 1}"
        share = draws.below(100)
        if share < 70:
            kind, (body, right) = "GraphQL", draws.pick(mix.graphql)
            reply = ask(port, "/graphql", source, body, "application/json")
        elif share < 90:
            kind, (text, right) = "SPARQL", draws.pick(mix.sparql)
            reply = ask_sparql(port, text, source)
        else:
            kind, (path, right) = "pages", draws.pick(mix.pages)
            reply = ask(port, path, source)
        is_right = reply.status == 200 and right in (b"", reply.body)
        with lock:
            traffic.latencies.setdefault(kind, []).append(reply.ms)
            if not is_right:
                traffic.wrong[f"{kind}: {reply.status} {reply.body[-200:].decode('latin-1')}"] += 1


def table_mixed(traffic: Traffic, seconds: float, about: str) -> Table:
    """Return the table of a mixed run."""
    kinds = [*traffic.latencies.items(), ("all", traffic.all)]
    rows: list[tuple[Cell, ...]] = []
    for kind, found in kinds:
        p99 = percentile(found, 99)
        target = judge(p99, P99_MS) if kind == "all" else ""
        rows.append((kind, len(found), percentile(found, 50), p99, max(found), target))
    heads = ("normal requests", "number", "p50, ms", "p99, ms", "longest, ms", "target")
    ended = ", ".join(f"{count:,} × {status}" for status, count in traffic.attacks.most_common())
    notes = [
        f"{seconds:g} seconds; right: {traffic.share_right:.4%} of {traffic.count:,} "
        f"({judge(traffic.share_right, RIGHT, at_least=True)}).",
        f"Attacks by status: {ended}.",
    ]
    notes += [f"Wrong, {count} times: {what}" for what, count in traffic.wrong.most_common(5)]
    return Table(f"Attacks among normal traffic, {about}", heads, rows, tuple(notes))


def tables(triples: int, seconds: float) -> Iterator[Table]:
    """Yield the attack table and that of a mixed run."""
    kept = ROOT / "var" / "bench"
    kept.mkdir(parents=True, exist_ok=True)
    shape = Shape(triples)
    _, organisations = read_identifiers(shape)
    point = f"SELECT ?o {{ <{organisations[0]}> ?p ?o }}"
    with tempfile.TemporaryDirectory(dir=kept, prefix="attacks-") as name:
        store = copy_store(prepare_store(shape, load_model(), kept), Path(name))
        settings = {"RHIZOME_SPARQL_DEADLINE_S": str(DEADLINE_S)}
        with serve_store(store, settings=settings) as server:
            server.settle()
            learn_answers(server.port, organisations[:20])
            read_mb = lambda: server.process.memory_info().rss / 2**20  # noqa: E731
            attacks = list(run_attacks(server.port, read_mb, point))
            yield table_attacks(attacks, DEADLINE_S, describe(shape))
            if server.popen.poll() is not None:
                raise SystemExit("the API process ended")
    if seconds:
        yield from tables_mixed(shape, seconds)


def tables_mixed(shape: Shape, seconds: float) -> Iterator[Table]:
    """Yield the table of a mixed run against a server whose limits are the defaults, rates too."""
    kept = ROOT / "var" / "bench"
    _, organisations = read_identifiers(shape)
    with tempfile.TemporaryDirectory(dir=kept, prefix="attacks-") as name:
        store = copy_store(prepare_store(shape, load_model(), kept), Path(name))
        defaults = {
            "RHIZOME_RATE_API": "120",
            "RHIZOME_RATE_PAGES": "1200",
            "RHIZOME_RATE_QUERY_S": "20",
            "RHIZOME_CONNECTIONS_PER_ADDRESS": "32",
            "RHIZOME_GRAPHQL_CACHE_MB": "64",
        }
        with serve_store(store, settings=defaults) as server:
            server.settle()
            mix = learn_answers(server.port, organisations[:200])
            traffic = run_mixed(server.port, mix, seconds)
            if server.popen.poll() is not None:
                raise SystemExit("the API process ended")
            yield table_mixed(traffic, seconds, describe(shape))


def main(arguments: list[str]) -> None:
    """Print the tables."""
    triples = int(arguments[0]) if arguments else 100_000
    seconds = float(arguments[1]) if len(arguments) > 1 else 0.0
    for table in tables(triples, seconds):
        print(table.markdown(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
