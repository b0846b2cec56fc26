"""A few quads as text in any RDF format: what is said of one thing, a vocabulary, a description.

Floor 1. Written at once and in the process that asks, so the caller bounds them; whole datasets
are streamed by `graph/curation/export.py`, answers of queries are written in the workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import pyoxigraph as ox

from graph.errors import NotAcceptableError
from graph.store.graph_formats import UnwritableError, write_json_ld, write_rdf_xml
from graph.terms import ENTITY, RDF_TYPE, Quad

_DATASETS: Final = {"nq": ox.RdfFormat.N_QUADS, "trig": ox.RdfFormat.TRIG}
_PLAIN: Final = ("nt", "nq")
#: What is offered in place of a format that cannot say something.
_ANY: Final = ("text/turtle", "application/n-triples", "application/trig")


def write_quads(quads: Iterable[Quad], format: str, prefixes: Mapping[str, str]) -> bytes:
    """Return quads in a format, in a fixed order, those of a subject together.

    Parameters
    ----------
    quads : iterable of Quad
        Without blank nodes or with those of one document.
    format : str
        `trig` and `nq` keep the graphs; `turtle`, `nt`, `rdfxml` and `jsonld` hold the triples
        of all graphs merged, each once.
    prefixes : Mapping[str, str]
        Namespace by prefix; those that no term needs are left out.

    Raises
    ------
    NotAcceptableError
        RDF/XML cannot say it: a predicate ends in no XML name, or a text holds what XML has not.
    """
    ordered = sorted(set(quads), key=_place)
    is_dataset = format in _DATASETS
    if not is_dataset:
        ordered = list(dict.fromkeys((s, p, o, "") for s, p, o, _ in ordered))
    if format in _PLAIN:
        return "".join(_line(quad) for quad in ordered).encode()
    text = "".join(map(_line, ordered))
    parsed = list(ox.parse(text.encode(), format=ox.RdfFormat.N_QUADS))
    used = _used(ordered, prefixes)
    if is_dataset:
        return _engine(ox.serialize(parsed, format=_DATASETS[format], prefixes=used))
    triples = [quad.triple for quad in parsed]
    if format == "turtle":
        return _engine(ox.serialize(triples, format=ox.RdfFormat.TURTLE, prefixes=used))
    try:
        write = write_rdf_xml if format == "rdfxml" else write_json_ld
        return write(triples, used)
    except UnwritableError as error:
        raise NotAcceptableError(f"RDF/XML: {error}", _ANY) from error


def read_turtle(data: bytes) -> list[Quad]:
    """Return the triples of a Turtle file that comes with this program."""
    parsed = ox.parse(data, format=ox.RdfFormat.TURTLE)
    return [(str(q.subject), str(q.predicate), str(q.object), "") for q in parsed]


def _engine(written: bytes | None) -> bytes:
    assert written is not None  # no file was given to write to
    return written


def _line(quad: Quad) -> str:
    return " ".join(filter(None, quad)) + " .\n"


def _place(quad: Quad) -> tuple[str, str, bool, str, str]:
    """Graphs apart, subjects together, of each the class first."""
    subject, predicate, value, graph = quad
    return graph, subject, predicate != RDF_TYPE, predicate, value


def _used(quads: Iterable[Quad], prefixes: Mapping[str, str]) -> dict[str, str]:
    """The prefixes of namespaces that are there, and one for each kind of entity."""
    known = dict(prefixes)
    used: dict[str, str] = {}
    by_namespace = {namespace: prefix for prefix, namespace in known.items()}
    for term in {term for quad in quads for term in quad if term.endswith(">")}:
        iri = term[term.rfind("<") + 1 : -1]
        namespace = iri[: max(iri.rfind("#"), iri.rfind("/")) + 1]
        kind = namespace.removeprefix(ENTITY).removesuffix("/")
        if namespace in by_namespace:
            used[by_namespace[namespace]] = namespace
        elif namespace.startswith(ENTITY) and kind.replace("-", "").isalpha() and kind not in known:
            used[kind] = namespace
    return dict(sorted(used.items()))
