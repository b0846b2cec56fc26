"""Triples as RDF/XML and as JSON-LD.

Floor 1. It runs in workers and imports the engine and the standard library alone. RDF/XML cannot
say everything that RDF can; what it cannot say is refused, since the engine would write XML that
nobody can read. JSON-LD carries its context inline and has each subject once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pyoxigraph as ox

Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TYPE: Final = f"{_RDF}type"
_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
# What a predicate ends in is an element's name: an NCName (XML Namespaces).
_ENDS_IN_NAME: Final = re.compile(r".*[^\W\d][\w.\-\u00b7]*", re.DOTALL)
_NOT_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LOCAL: Final = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


class UnwritableError(Exception):
    """The triples cannot be said in the format; the words say why."""


def write_rdf_xml(triples: Iterable[ox.Triple], prefixes: Mapping[str, str]) -> bytes:
    """Return triples, those of a subject together, as RDF/XML.

    Raises
    ------
    UnwritableError
        A predicate ends in no XML name, or a literal holds a character that XML has not.
    """
    kept = list(triples)
    for triple in kept:
        if not _ENDS_IN_NAME.fullmatch(triple.predicate.value):
            raise UnwritableError(f"{triple.predicate} ends in no XML name")
        value = triple.object
        if isinstance(value, ox.Triple):
            raise UnwritableError("it holds triple terms")
        if isinstance(value, ox.Literal) and _NOT_XML.search(value.value):
            raise UnwritableError("a literal holds a control character")
    written = ox.serialize(kept, format=ox.RdfFormat.RDF_XML, prefixes=dict(prefixes))
    assert written is not None
    return written


def write_json_ld(triples: Iterable[ox.Triple], prefixes: Mapping[str, str]) -> bytes:
    """Return triples, those of a subject together, as JSON-LD with its context inline.

    Raises
    ------
    UnwritableError
        They hold triple terms of RDF 1.2.
    """
    nodes: dict[Term, dict[str, Any]] = {}
    used: set[str] = set()

    def name(iri: str) -> str:
        for prefix, namespace in prefixes.items():
            if iri.startswith(namespace) and _LOCAL.fullmatch(iri, len(namespace)):
                used.add(prefix)
                return f"{prefix}:{iri[len(namespace) :]}"
        return iri

    for subject, predicate, value in triples:
        node = nodes.setdefault(subject, {"@id": _identify(subject)})
        if predicate.value == _TYPE and isinstance(value, ox.NamedNode):
            node.setdefault("@type", []).append(name(value.value))
        else:
            node.setdefault(name(predicate.value), []).append(_value(value, name))
    context = {prefix: prefixes[prefix] for prefix in sorted(used)}
    document = {"@context": context, "@graph": list(nodes.values())}
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _identify(term: Term) -> str:
    if isinstance(term, ox.NamedNode):
        return term.value
    if isinstance(term, ox.BlankNode):
        return f"_:{term.value}"
    raise UnwritableError("it holds triple terms")


def _value(term: Term, name: Callable[[str], str]) -> object:
    if not isinstance(term, ox.Literal):
        return {"@id": _identify(term)}
    if term.language is not None:
        if term.direction is not None:
            raise UnwritableError("it holds texts with a base direction")
        return {"@value": term.value, "@language": term.language}
    if term.datatype.value == _STRING:
        return term.value
    return {"@value": term.value, "@type": name(term.datatype.value)}
