"""What a SPARQL server of others really holds, read whole and compared graph by graph.

Floor 1. Slow and thorough: for `check --deep`. Each graph is streamed as N-Triples and summed up,
so that memory stays small; only of a graph that differs are statements kept, to show some. What a
server writes otherwise and means the same is no difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import pyoxigraph as ox

from graph.store.external import ExternalStore
from graph.store.external_answers import GRAPH_ACCEPT
from graph.store.external_requests import explain_status
from graph.store.scan import canonical_text
from graph.store.snapshot import Snapshot
from graph.store.sparql_address import Address
from graph.store.sparql_client import Call, Pairs, Reply, ServerFailedError
from graph.terms import HASH_MODULUS, XSD, Quad, hash_quad

#: Statements of one graph up to which those that differ are sought out and shown.
_SHOWN_FROM: Final = 200_000
_SHOWN: Final = 2
_LINE_MAX: Final = 16 * 1024 * 1024
_BATCH: Final = 2_000
_DECIMAL: Final = f'"^^<{XSD}decimal>'
_INTEGER: Final = f'"^^<{XSD}integer>'
_WHOLE: Final = re.compile(rf'"-?[0-9]+{re.escape(_DECIMAL)}')
_BOOLEANS: Final = {
    f'"{number}"^^<{XSD}boolean>': f'"{word}"^^<{XSD}boolean>'
    for number, word in (("1", "true"), ("0", "false"))
}


@dataclass(frozen=True, slots=True)
class Difference:
    """How a graph differs: statements that are missing and that are there besides, some of each."""

    graph: str
    missing: int
    extra: int
    examples: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is to be said of it."""
        shown = f": {'; '.join(self.examples)}" if self.examples else ""
        return f"graph {self.graph}: {self.missing} missing, {self.extra} besides{shown}"


def compare_contents(
    store: ExternalStore, snapshot: Snapshot, seconds: float
) -> Iterator[Difference]:
    """Yield each graph whose statements are not those of a version.

    Parameters
    ----------
    store : ExternalStore
    snapshot : Snapshot
    seconds : float
        What the reading of one graph may take.

    Raises
    ------
    StoreUnavailableError
        The server does not answer, or not in N-Triples.

    Cost: about 20 microseconds a statement here, and what the server needs.
    """
    sums = dict.fromkeys(snapshot.graphs(), 0)
    for quad in map(_normalise, snapshot.quads()):
        sums[quad[3]] += hash_quad(quad)
    for graph, expected in sums.items():
        total, count, number = 0, 0, snapshot.graph_count(graph)
        for quad in _read_graph(store, graph, seconds):
            total += hash_quad(quad)
            count += 1
        if (total - expected) % HASH_MODULUS == 0 and count == number:
            continue
        if max(count, number) > _SHOWN_FROM:
            yield Difference(graph[1:-1], max(0, number - count), max(0, count - number), ())
            continue
        here = set(map(_normalise, snapshot.quads(graph)))
        there = set(_read_graph(store, graph, seconds))
        missing, extra = sorted(here - there), sorted(there - here)
        examples = [f"missing {' '.join(quad[:3])}" for quad in missing[:_SHOWN]]
        examples += [f"besides {' '.join(quad[:3])}" for quad in extra[:_SHOWN]]
        short = tuple(text[:200] for text in examples)
        yield Difference(graph[1:-1], len(missing), len(extra), short)


def _read_graph(store: ExternalStore, graph: str, seconds: float) -> Iterator[Quad]:
    """Yield the statements of a graph (N-Triples text) as the server gives them, normalised."""
    lines: list[bytes] = []
    for line in _read_lines(store, graph[1:-1], seconds):
        lines.append(line)
        if len(lines) == _BATCH:
            yield from _parse(store, lines, graph)
            lines.clear()
    yield from _parse(store, lines, graph)


def _parse(store: ExternalStore, lines: list[bytes], graph: str) -> Iterator[Quad]:
    try:
        for quad in ox.parse(b"\n".join(lines), format=ox.RdfFormat.N_TRIPLES):
            subject, predicate, value = quad.triple
            found = (str(subject), str(predicate), canonical_text(str(value)), graph)
            yield _normalise(found)
    except (SyntaxError, ValueError) as error:
        raise store.requests.unavailable("its N-Triples are not well formed") from error


def _read_lines(store: ExternalStore, graph: str, seconds: float) -> Iterator[bytes]:
    form: Pairs | None = None
    if store.requests.graphs_address is None:
        address = store.requests.query_address
        text = f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}"
        form = Pairs((("query", text),))
    else:
        given = store.requests.graphs_address
        sign = "&" if "?" in given.path else "?"
        path = f"{given.path}{sign}graph={quote(graph, safe='')}"
        address = Address(given.scheme, given.host, given.port, path)
    rest = b""
    try:
        for piece in store.requests.client.stream(address, form, GRAPH_ACCEPT, Call(seconds)):
            if isinstance(piece, Reply):
                _check_reply(store, piece)
                continue
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > _LINE_MAX:
                raise store.requests.unavailable("a line of its N-Triples does not end")
            yield from whole
    except ServerFailedError as error:
        raise store.requests.unavailable(error.reason) from error
    if rest.strip():
        yield rest


def _check_reply(store: ExternalStore, reply: Reply) -> None:
    if reply.status != 200:
        raise store.requests.unavailable(explain_status(reply, store.requests.credentials))
    if reply.media_type not in ("application/n-triples", "text/plain", "text/ntriples"):
        raise store.requests.unavailable(
            f"it gives graphs as {reply.media_type[:60]}, not as N-Triples"
        )


def _normalise(quad: Quad) -> Quad:
    """Return a quad with its value in the form that all ways to write it share.

    Virtuoso gives a boolean as 1 or 0, and a decimal without fraction as an integer.
    """
    value = quad[2]
    if value.endswith(_DECIMAL) and _WHOLE.fullmatch(value):
        value = value.removesuffix(_DECIMAL) + _INTEGER
    return quad[0], quad[1], _BOOLEANS.get(value, value), quad[3]
