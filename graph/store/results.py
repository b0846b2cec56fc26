"""Results of queries as bytes: answers to ASK, and graphs in Turtle, N-Triples, RDF/XML, JSON-LD.

Floor 1. It runs in the workers; of ours it imports its neighbour alone. The
engine's own writers know no limit of rows; these do, and say when they cut (decision 0013).
Tables are written in `tables`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Final, cast

import pyoxigraph as ox

from graph.store.graph_formats import write_json_ld, write_rdf_xml
from graph.store.lines import FullError, Limits, Lines, Send

#: In the head of JSON and XML results that were cut; SPARQL's own place for further information.
TRUNCATED_LINK: Final = "https://w3id.org/rhizome/sparql#truncated"

_BOOLEANS: Final = {
    "json": ox.QueryResultsFormat.JSON,
    "xml": ox.QueryResultsFormat.XML,
    "csv": ox.QueryResultsFormat.CSV,
    "tsv": ox.QueryResultsFormat.TSV,
}
_KIND: Final = re.compile(r"https://w3id\.org/rhizome/id/([a-z]+(?:-[a-z]+)*)/")
_IRI: Final = re.compile(rb"<[^<>\s\"]*>")
#: Formats in which lines of N-Triples are an answer, so that they can be streamed.
_OF_LINES: Final = ("nt", "turtle")


class AnswerTooLargeError(Exception):
    """Not even the first row, or the smallest part, fits the bytes of an answer."""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a result, how many rows or triples they hold, and whether some were cut."""

    pieces: list[bytes]
    rows: int
    is_truncated: bool


def write_boolean(answer: ox.QueryBoolean, format: str) -> Body:
    """Return the answer to an ASK."""
    written = answer.serialize(format=_BOOLEANS[format])
    assert written is not None
    return Body([written], 1, False)


def write_graph(
    triples: Iterable[ox.Triple],
    format: str,
    rows_max: int,
    bytes_max: int,
    prefixes: Mapping[str, str],
    streamed_rows: int = 0,
    streamed_bytes: int = 0,
    begin: Callable[[], Send] | None = None,
) -> Body:
    """Return the triples of a CONSTRUCT or DESCRIBE, at most so many, each once.

    Parameters
    ----------
    triples : iterable of Triple
    format : str
        `turtle`, `nt`, `rdfxml` or `jsonld`.
    rows_max, bytes_max : int
        Where to cut.
    prefixes : Mapping[str, str]
        Namespace by prefix, for all but N-Triples; those that no triple needs are left out.
    streamed_rows, streamed_bytes : int
        Where more may be had than is held: limits of an answer that is sent as it comes, as
        lines, which N-Triples and Turtle have.
    begin : function or None
        Called once there is more than is held; returns what takes the pieces. The body then has
        no pieces.

    Raises
    ------
    AnswerTooLargeError
        The first triple alone is larger, or RDF/XML and JSON-LD are for all their tags.
    UnwritableError
        RDF/XML or JSON-LD cannot say it.
    MoreError
        There is more than is held, and it may be streamed, but not here.
    PassedError
        What is streamed passes its limits.
    """
    limits = Limits(rows_max, bytes_max, streamed_rows, streamed_bytes)
    lines = Lines(limits, begin, is_streamed=format in _OF_LINES)
    try:
        if isinstance(triples, ox.QueryTriples):  # no object of ours for each triple
            triples.serialize(cast("IO[bytes]", lines), format=ox.RdfFormat.N_TRIPLES)
        else:
            ox.serialize(triples, cast("IO[bytes]", lines), format=ox.RdfFormat.N_TRIPLES)
        lines.look()
    except FullError:
        pass
    if lines.has_begun:
        return Body([], lines.rows, False)
    distinct, is_truncated = lines.cut()
    if is_truncated and not distinct:
        raise AnswerTooLargeError
    written = _write_lines(distinct, format, prefixes)
    if len(written) > bytes_max:  # by its prefixes or tags
        if format != "turtle":
            raise AnswerTooLargeError
        written = _write_lines(distinct, "nt", prefixes)  # which are Turtle, too
    return Body([written], len(distinct), is_truncated)


def _write_lines(lines: list[bytes], format: str, prefixes: Mapping[str, str]) -> bytes:
    """Return triples, given as lines, in a format, those of a subject together but in N-Triples."""
    if format == "nt":
        return b"".join([line + b"\n" for line in lines])
    by_subject: dict[bytes, list[bytes]] = {}
    for line in lines:
        by_subject.setdefault(line[: line.index(b" ")], []).append(line)
    grouped = b"\n".join([line for group in by_subject.values() for line in group])
    used = _used_prefixes(by_subject, prefixes)
    quads = ox.parse(grouped, format=ox.RdfFormat.N_TRIPLES)
    if format == "turtle":
        written = ox.serialize(quads, format=ox.RdfFormat.TURTLE, prefixes=used)
        assert written is not None
        return written
    triples = [quad.triple for quad in quads]
    return write_json_ld(triples, used) if format == "jsonld" else write_rdf_xml(triples, used)


def _used_prefixes(
    by_subject: Mapping[bytes, list[bytes]], prefixes: Mapping[str, str]
) -> dict[str, str]:
    """The prefixes of namespaces that are there, and one for each kind of entity."""
    iris = set(by_subject)
    for subject, lines in by_subject.items():
        start = len(subject) + 1
        for line in lines:
            predicate, _, value = line[start:-2].partition(b" ")
            iris.add(predicate)
            if value.startswith(b"<<"):  # a triple term: more than one
                iris.update(_IRI.findall(value))
            elif value.endswith(b">"):  # an IRI, or a datatype
                iris.add(value[value.rfind(b"<") :])
    namespaces = {
        iri[1 : max(iri.rfind(b"#"), iri.rfind(b"/")) + 1].decode()
        for iri in iris
        if iri.startswith(b"<")
    }
    used = {prefix: iri for prefix, iri in prefixes.items() if iri in namespaces}
    for kind in sorted(filter(None, map(_KIND.fullmatch, namespaces)), key=str):
        used.setdefault(kind[1], kind[0])
    return used
