"""What a worker reads of RDF texts: each statement as a line of four terms.

Floor 1. It runs in workers; what is refused ends a request there with a message for the service.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pyoxigraph as ox

FORMATS: Final = {
    "turtle": ox.RdfFormat.TURTLE,
    "trig": ox.RdfFormat.TRIG,
    "nt": ox.RdfFormat.N_TRIPLES,
    "nq": ox.RdfFormat.N_QUADS,
    "jsonld": ox.RdfFormat.JSON_LD,
    "rdfxml": ox.RdfFormat.RDF_XML,
}
_DEFAULT_GRAPH: Final = ox.DefaultGraph()


class RefusedError(Exception):
    """Ends a request with a message for the service."""

    def __init__(self, error: str, detail: str = "", **fields: Any) -> None:
        super().__init__(detail)
        self.message = {"error": error, "detail": detail, **fields}


def write_lines(data: bytes, format: str, base: str | None) -> Iterator[str]:
    """Yield the quads of an RDF text, each as a line.

    Raises
    ------
    RefusedError, SyntaxError
        The text is wrong, or says what is not read.
    """
    quads = ox.parse(data, format=FORMATS[format], base_iri=base, lenient=format == "jsonld")
    for quad in quads if format != "jsonld" else _check_terms(quads):
        yield write_line(quad)


def write_line(quad: ox.Quad) -> str:
    """Return a quad as four terms, tabs between them; the engine escapes those in literals."""
    subject, predicate, value, graph = quad
    if isinstance(value, ox.Triple):
        raise RefusedError("syntax", "triple terms (RDF 1.2) are not read")
    if isinstance(value, ox.Literal) and value.direction is not None:
        raise RefusedError("syntax", "base directions (RDF 1.2) are not read")
    named = "" if graph == _DEFAULT_GRAPH else str(graph)
    return f"{subject}\t{predicate}\t{value}\t{named}\n"


def _check_terms(quads: Iterable[ox.Quad]) -> Iterator[ox.Quad]:
    """Yield the quads of JSON-LD that was read leniently, all terms checked.

    Read strictly, the engine leaves out a statement with a wrong term without a word. What the
    standard leaves out is left out here, too: a property that is no IRI in its context.
    """
    for subject, predicate, value, graph in quads:
        if ":" not in predicate.value:
            continue
        for node in (subject, predicate, graph, value):
            if isinstance(node, ox.NamedNode):
                _check_iri(node.value)
            elif isinstance(node, ox.BlankNode):
                _check_label(node.value)
        if isinstance(value, ox.Literal):
            _check_iri(value.datatype.value)
            if value.language is not None and value.direction is None:
                value = _in_language(value.value, value.language)
        yield ox.Quad(subject, predicate, value, graph)


@functools.lru_cache(maxsize=10_000)
def _check_iri(value: str) -> None:
    try:
        ox.NamedNode(value)
    except ValueError as error:
        raise RefusedError("syntax", f"{value[:200]!r} is no absolute IRI: {error}") from None


def _check_label(value: str) -> None:
    try:
        ox.BlankNode(value)
    except ValueError:
        raise RefusedError("syntax", f"'_:{value[:200]}' is no blank node") from None


def _in_language(value: str, language: str) -> ox.Literal:
    """Return a text with its language tag in lower case."""
    try:
        return ox.Literal(value, language=language)
    except ValueError as error:
        detail = f"@language {language[:200]!r} is no language tag: {error}"
        raise RefusedError("syntax", detail) from None
