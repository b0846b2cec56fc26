"""Lists over HTTP: filtered, nested, summed up, searched, kept answers; and who waits meanwhile.

The same load client as for single reads, over 1, 8 and 64 connections. Kept answers are asked of a
server that keeps them, beside the same bytes from a static route; the others of one that does not,
and those that the peers have of these, too, after their answers were compared.
"""

from __future__ import annotations

import json
import statistics
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from graphql import get_introspection_query

from bench import peer_lists
from bench.load import Load, measure
from bench.operations import POINT, body
from bench.peer_data import write_peer_data
from bench.reads import Sample, Target, measure_slice
from bench.servers import Server, serve_peer, serve_store
from bench.stores import copy_store
from bench.tables import Cell, Table, judge, percentile

CONNECTIONS: Final = (1, 8, 64)
_COUNTRIES: Final = tuple(
    f"http://publications.europa.eu/resource/authority/country/{code}"
    for code in ("FRA", "GRC", "IRL", "DEU", "ITA", "ROU", "BEL", "SWE", "AUT", "NLD")
)
_PIECES: Final = ("ar", "en", "plan", "agr", "seed", "or", "li", "ba", "cro", "gre", "he", "no")

FILTERED: Final = """\
query Filtered($text: String!, $country: ID!) {
  organisations(
    first: 20
    where: {name: {contains: $text}, country: {id: {eq: $country}}}
    orderBy: {name: ASC}
  ) { totalCount nodes { id name } }
}"""
NESTED: Final = """\
query Nested($country: ID!) {
  clusters(
    first: 20
    where: {projectRoles: {some: {project: {roles: {some: {
      organisation: {country: {id: {eq: $country}}}}}}}}}
  ) { nodes { id name } pageInfo { hasNextPage } }
}"""
AGGREGATE: Final = """\
query Aggregate($country: ID!) {
  projectRoles(where: {organisation: {country: {id: {eq: $country}}}}) {
    aggregates { count sum { euContribution } distinctCount { project } }
    groups(by: {role: VALUE}, first: 5) { keys { value } aggregates { count } }
  }
}"""
SEARCH: Final = """\
query Search($text: String!) {
  search(text: $text, first: 10) { edges { score text node { id } } }
}"""
#: Dear operations that a visitor may ask: one puts all of a large class in order by a text, one is
#: answered with every value of 500 organisations and who says so.
ORDERED: Final = """\
query Ordered($text: String!) {
  memberships(
    first: 1
    where: {not: {label: {contains: $text}}}
    orderBy: [{member: {name: ASC}}]
  ) {
    totalCount nodes { id }
    groups(by: {member: {name: VALUE}}, first: 1) { aggregates { count } }
  }
}"""
LARGE: Final = """\
query Large {
  organisations(first: 500, orderBy: {name: DESC}) {
    nodes { id name claims { field value language contested source { id title } } }
  }
}"""
#: What each operation is asked with.
ASKED: Final[dict[str, Sequence[dict[str, str]]]] = {
    "filtered": [{"text": t, "country": c} for t in _PIECES for c in _COUNTRIES],
    "nested filter": [{"country": country} for country in _COUNTRIES],
    "aggregate": [{"country": country} for country in _COUNTRIES],
    "search": [{"text": piece} for piece in _PIECES],
    "kept": (),
}
OURS: Final = {
    "filtered": FILTERED,
    "nested filter": NESTED,
    "aggregate": AGGREGATE,
    "search": SEARCH,
    "kept": POINT,
}
PEERS: Final = {
    "filtered": peer_lists.FILTERED,
    "nested filter": peer_lists.NESTED,
    "aggregate": peer_lists.SUMMED,
}
_KEPT_SHARE: Final = 0.5
_HOLD_MS: Final = 20.0


def table_lists(store: Path, folder: Path, organisation: str, seconds: float, title: str) -> Table:
    """Return the table of all operations, kept answers and the static route among them."""
    bodies = _write_bodies(folder, organisation)
    copy = copy_store(store, folder)
    with ExitStack() as stack:
        ours = stack.enter_context(serve_store(store))
        keeping = stack.enter_context(serve_store(copy, keeps=True))
        for server in (ours, keeping):
            server.settle()
        peers = list(_start_peers(stack, store, folder))
        for target in peers:
            compare_lists(ours, target, bodies)
        (folder / "kept.json").write_bytes(ours.ask("/graphql", bodies["kept"].read_bytes()))
        static = stack.enter_context(serve_peer("static", folder))
        targets = [_target(name, ours, bodies[name]) for name in bodies if name != "kept"]
        targets += peers
        targets.append(_target("kept", keeping, bodies["kept"]))
        targets.append(Target("static route", static, {"static route": "/kept"}, {}))
        targets[-1].bodies["static route"] = bodies["kept"]
        rates = {target.name: _samples(target, seconds) for target in targets}
    rows = [_row(name, rates[name]) for name in sorted(rates, key=_place)]
    share = min(
        kept.rate / same.rate
        for kept, same in zip(rates["kept"], rates["static route"], strict=True)
    )
    heads: list[str] = ["operation"]
    for connections in CONNECTIONS:
        gap = " " * CONNECTIONS.index(connections)
        heads += [f"req/s, {connections}", f"p50 ms{gap}", f"p99 ms{gap}"]
    notes = (
        f"Kept answers, times the static route, the least of the three: {share:.2f} "
        f"({judge(share, _KEPT_SHARE, at_least=True)}).",
        *_ratios(rates),
    )
    return Table(f"Lists, {title}", (*heads, "CPU ms"), rows, notes)


def _start_peers(stack: ExitStack, store: Path, folder: Path) -> Iterator[Target]:
    """Start the peers, caches on, and yield what each is asked."""
    data = folder / "peer-lists.nt"
    write_peer_data(store, data)
    for name in ("rdflib", "oxigraph"):
        server = stack.enter_context(serve_peer(name, data))
        for operation, query in PEERS.items():
            told = f"{operation}: Strawberry, {name}"
            bodies = folder / f"peer-list-{operation.replace(' ', '-')}"
            bodies.write_bytes(b"\n".join(body(query, asked) for asked in ASKED[operation]))
            yield Target(told, server, {told: "/cached"}, {told: bodies})


def compare_lists(ours: Server, peer: Target, bodies: dict[str, Path]) -> None:
    """Raise where a peer finds other nodes or sums than we do."""
    operation = peer.name.partition(":")[0]
    theirs = peer.bodies[peer.name].read_bytes().splitlines()
    for own, other in zip(bodies[operation].read_bytes().splitlines(), theirs, strict=True):
        found = json.loads(ours.ask("/graphql", own))["data"]
        told = json.loads(peer.server.ask("/cached", other))["data"]
        if gist(found) != gist(told):
            raise AssertionError(f"{peer.name} answers otherwise to {other.decode()}")


def gist(found: dict[str, Any]) -> Any:
    """Return what an answer of ours and one of a peer have in common, however it is written."""
    ((name, below),) = found.items()
    if name in ("organisations", "filtered"):  # which twenty these are, collation decides
        return below["totalCount"]
    if name in ("clusters", "nested"):
        nodes = below["nodes"] if name == "clusters" else below
        return [(node["id"], node["name"]) for node in nodes]
    if name == "summed":
        kinds = sorted((kind["value"].upper(), kind["count"]) for kind in below["kinds"])
        return below["count"], round(below["contribution"] or 0), below["projects"], kinds
    all_, groups = below["aggregates"], below["groups"]
    kinds = sorted((g["keys"][0]["value"], g["aggregates"]["count"]) for g in groups)
    amount = round(all_["sum"]["euContribution"] or 0)
    return all_["count"], amount, all_["distinctCount"]["project"], kinds


def _ratios(rates: dict[str, list[Sample]]) -> Iterator[str]:
    """Yield for each operation that the peers have how many times the best of them ours is."""
    for operation in PEERS:
        peers = [samples for name, samples in rates.items() if name.startswith(f"{operation}:")]
        found = [
            own.rate / max(samples[at].rate for samples in peers)
            for at, own in enumerate(rates[operation])
        ]
        told = " / ".join(f"{ratio:.1f}" for ratio in found)
        yield f"{operation.capitalize()}, times the best peer over 1 / 8 / 64 connections: {told}."


def _place(name: str) -> tuple[int, str]:
    """Return where a row stands: each operation's own before those of the peers."""
    operation = name.partition(":")[0]
    order = (*ASKED, "static route")
    return order.index(operation), name


def table_waiting(
    store: Path, folder: Path, organisation: str, seconds: float, title: str
) -> Table:
    """Return the table of what a small request takes while the dearest operations run."""
    bodies = _write_bodies(folder, organisation)
    heavy = {
        "a long list is put in order": [body(ORDERED, {"text": piece}) for piece in _PIECES],
        "a large answer is written": [body(LARGE, {})],
        "the schema is described": [body(get_introspection_query(), {})],
    }
    with serve_store(store) as server:
        server.settle()
        load = Load(server.port, "/graphql", str(bodies["kept"]), 1, seconds)
        waits = {"alone": measure(load).latencies}
        for name, documents in heavy.items():
            path = folder / "heavy"
            path.write_bytes(b"\n".join(documents))
            other = Load(server.port, "/graphql", str(path), 1, 2 * seconds)
            beside = threading.Thread(target=measure, args=(other,))
            beside.start()
            waits[f"while {name}"] = measure(load).latencies
            beside.join()
    rows: list[tuple[Cell, ...]] = [
        (name, len(found), *(percentile(found, p) for p in (50, 99, 99.9, 100)))
        for name, found in waits.items()
    ]
    held = max(percentile(found, 100) for name, found in waits.items() if name != "alone")
    notes = (
        f"The longest that a point lookup waited, which the event loop was held for at the most: "
        f"{held:.1f} ms ({judge(held, _HOLD_MS)}).",
    )
    heads = ("point lookup", "requests", "p50 ms", "p99 ms", "p99.9 ms", "most ms")
    return Table(f"Waiting, {title}", heads, rows, notes)


def _write_bodies(folder: Path, organisation: str) -> dict[str, Path]:
    paths = {}
    asked = {**ASKED, "kept": ({"id": organisation},)}
    for name, query in OURS.items():
        paths[name] = folder / f"list-{name.replace(' ', '-')}"
        paths[name].write_bytes(b"\n".join(body(query, variables) for variables in asked[name]))
    return paths


def _target(name: str, server: Server, bodies: Path) -> Target:
    return Target(name, server, {name: "/graphql"}, {name: bodies})


def _samples(target: Target, seconds: float) -> list[Sample]:
    return [measure_slice(target, target.name, each, seconds, 0) for each in CONNECTIONS]


def _row(name: str, samples: Sequence[Sample]) -> tuple[Cell, ...]:
    cells: list[Cell] = [name]
    for sample in samples:
        latencies = sample.latencies
        cells += [sample.rate, percentile(latencies, 50), percentile(latencies, 99)]
    return (*cells, statistics.median(sample.cpu_ms for sample in samples))
