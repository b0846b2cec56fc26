"""Lists over HTTP: filtered, nested, summed up, searched, kept answers; and who waits meanwhile.

The same load client as for single reads, over 1, 8 and 64 connections. Kept answers are asked of a
server that keeps them, beside the same bytes from a static route; the others of one that does not.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from graphql import get_introspection_query

from bench.load import Load, measure
from bench.operations import POINT, body
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
        (folder / "kept.json").write_bytes(ours.ask("/graphql", bodies["kept"].read_bytes()))
        static = stack.enter_context(serve_peer("static", folder))
        targets = [_target(name, ours, bodies[name]) for name in bodies if name != "kept"]
        targets.append(_target("kept", keeping, bodies["kept"]))
        targets.append(Target("static route", static, {"static route": "/kept"}, {}))
        targets[-1].bodies["static route"] = bodies["kept"]
        rates = {target.name: _samples(target, seconds) for target in targets}
    rows = [_row(name, samples) for name, samples in rates.items()]
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
    )
    return Table(f"Lists, {title}", (*heads, "CPU ms"), rows, notes)


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
    asked = {
        "filtered": [
            body(FILTERED, {"text": piece, "country": country})
            for piece in _PIECES
            for country in _COUNTRIES
        ],
        "nested filter": [body(NESTED, {"country": country}) for country in _COUNTRIES],
        "aggregate": [body(AGGREGATE, {"country": country}) for country in _COUNTRIES],
        "search": [body(SEARCH, {"text": piece}) for piece in _PIECES],
        "kept": [body(POINT, {"id": organisation})],
    }
    paths = {}
    for name, bodies in asked.items():
        paths[name] = folder / f"list-{name.replace(' ', '-')}"
        paths[name].write_bytes(b"\n".join(bodies))
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
