"""Writes data out: with its named graphs, or merged.

Floor 2. An export is one version, streamed in pieces; the whole, read back into an empty store,
gives the same dataset hash. The system graph is no part of it. Everything is in a fixed order, so
that two exports of one version are the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Final

from graph.curation.excerpt import WHOLE, Excerpt, take_excerpt
from graph.curation.formats import (
    JSON_LD,
    N_QUADS,
    N_TRIPLES,
    RDF_XML,
    TRIG,
    TURTLE,
    Format,
)
from graph.curation.framed import write_framed
from graph.curation.jsonld import write_json_ld
from graph.curation.rdfxml import check_rdf_xml, write_rdf_xml
from graph.curation.statements import Statements
from graph.curation.turtle import write_trig, write_turtle
from graph.errors import BadValueError, UnknownTermError
from graph.model import Model
from graph.store.snapshot import Snapshot

_PIECE: Final = 64 * 1024
#: JSON-LD that begins at an entity and has what is tied to it inside, merged.
FRAMED: Final = Format(
    "jsonld-framed", "JSON-LD, framed", ("application/ld+json",), (".framed.jsonld",), False
)
#: What is written, the default first.
WRITTEN: Final = (TRIG, N_QUADS, JSON_LD, TURTLE, N_TRIPLES, RDF_XML, FRAMED)


def export(
    snapshot: Snapshot,
    format: Format,
    excerpt: Excerpt = WHOLE,
    limit: int = sys.maxsize,
) -> Iterator[bytes]:
    """Yield an excerpt of a version in a format, as pieces of UTF-8 of at least 64 KiB.

    N-Quads and N-Triples are sorted and canonical. The last piece may be shorter. What is wrong is
    raised at once, before the first piece is asked for.

    Raises
    ------
    UnknownTermError
        The format is not written, or there is no such graph.
    NotFoundError, QueryTooLargeError
        Nothing is said of the entity, or more than `limit` statements lie around it.
    BadValueError
        RDF/XML cannot say what stands there, or the frame has no entity to begin at.

    Cost: N-Quads and N-Triples about 2 microseconds a quad, the others 6 to 10 (decision 0026);
    memory for the numbers of all and the texts of a few.
    """
    if format not in WRITTEN:
        keys = tuple(known.key for known in WRITTEN)
        raise UnknownTermError("export format", format.label, keys)
    if format is FRAMED and excerpt.entity is None:
        expected = "a format for more than one entity: name one by `entity`, or ask for jsonld"
        raise BadValueError("format", FRAMED.key, expected)
    statements = take_excerpt(snapshot, excerpt, limit)
    if format is RDF_XML:
        check_rdf_xml(statements)
    if format is FRAMED:
        return gather(write_framed(statements, snapshot.model, str(excerpt.entity)))
    return gather(_WRITERS[format.key](statements, snapshot.model))


def write_n_quads(statements: Statements) -> Iterator[str]:
    """Yield canonical N-Quads, sorted, many lines at a time."""
    verbs = [f" {predicate} " for predicate in statements.predicate_terms]
    ends = [f" {graph} .\n" for graph in statements.graph_terms]
    texts = statements.terms.terms
    for window in statements.windows():
        lines = [
            subject + verbs[predicate] + value + ends[graph]
            for subject, predicate, value, graph in zip(
                texts(window.subjects),
                window.predicates,
                texts(window.values),
                window.graphs,
                strict=True,
            )
        ]
        lines.sort()  # `>` ends each subject: no line of another one comes between
        yield "".join(lines)


def write_n_triples(statements: Statements) -> Iterator[str]:
    """Yield canonical N-Triples of the merged graphs, sorted, many lines at a time."""
    verbs = [f" {predicate} " for predicate in statements.predicate_terms]
    texts = statements.terms.terms
    for window in statements.windows():
        lines = {
            f"{subject}{verbs[predicate]}{value} .\n"
            for subject, predicate, value in zip(
                texts(window.subjects), window.predicates, texts(window.values), strict=True
            )
        }
        yield "".join(sorted(lines))


def gather(texts: Iterator[str]) -> Iterator[bytes]:
    """Yield texts as pieces of UTF-8 of at least 64 KiB, the last one apart."""
    gathered: list[str] = []
    size = 0
    for text in texts:
        gathered.append(text)
        size += len(text)
        if size >= _PIECE:
            yield "".join(gathered).encode()
            gathered, size = [], 0
    yield "".join(gathered).encode()


_WRITERS: Final[dict[str, Callable[[Statements, Model], Iterator[str]]]] = {
    TRIG.key: lambda statements, model: write_trig(statements, model.prefixes),
    N_QUADS.key: lambda statements, _: write_n_quads(statements),
    JSON_LD.key: write_json_ld,
    TURTLE.key: lambda statements, model: write_turtle(statements, model.prefixes),
    N_TRIPLES.key: lambda statements, _: write_n_triples(statements),
    RDF_XML.key: lambda statements, model: write_rdf_xml(statements, model.prefixes),
}
