"""Terms of RDF 1.1 and the only door from a string to RDF or SPARQL text.

Floor 0. A term is held as its canonical N-Triples text, so that one string compares, hashes,
logs and parses alike everywhere. Nothing here knows of stores, shapes or the web.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from graph.errors import BadValueError

XSD: Final = "http://www.w3.org/2001/XMLSchema#"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
SKOS: Final = "http://www.w3.org/2004/02/skos/core#"
RZ: Final = "https://w3id.org/rhizome/ontology#"
ENTITY: Final = "https://w3id.org/rhizome/id/"
RDF_TYPE: Final = f"<{RDF}type>"
LANG_STRING: Final = f"{RDF}langString"

#: A quad: subject, predicate, object and graph, each as N-Triples text.
Quad = tuple[str, str, str, str]

# RFC 3987 leaves more to the scheme; these characters may never stand inside `<...>`.
_BAD_IN_IRI = re.compile(r'[\x00-\x20<>"{}|^`\\]')
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_LANG = re.compile(r"^[a-z]{1,8}(-[a-z0-9]{1,8})*$")
_LITERAL = re.compile(
    r'^"([^"\\\n\r]*(?:\\.[^"\\\n\r]*)*)"(?:@([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)|\^\^<([^<>"{}|^`\\\x00-\x20]+)>)?$',
    re.DOTALL,
)
# The escapes of canonical N-Triples (RDF 1.2), which are those that Oxigraph writes.
_ESCAPES = {chr(code): f"\\u{code:04X}" for code in (*range(0x20), 0x7F, 0xFFFE, 0xFFFF)} | {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}
_TO_ESCAPE = re.compile(r'["\\\x00-\x1f\x7f\ufffe\uffff]')
_UNESCAPES = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPED = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)


def write_iri(iri: str) -> str:
    """Return the N-Triples text of an absolute IRI.

    Raises
    ------
    BadValueError
        The text is not an absolute IRI, or holds a character that no IRI may hold.

    Examples
    --------
    >>> write_iri("https://w3id.org/rhizome/id/network/plant-intercluster")
    '<https://w3id.org/rhizome/id/network/plant-intercluster>'
    """
    if not is_iri(iri):
        raise BadValueError(name="IRI", given=iri[:200], expected="an absolute IRI")
    return f"<{iri}>"


def is_iri(text: str) -> bool:
    """Tell whether the text can stand as an absolute IRI in every RDF format."""
    if _BAD_IN_IRI.search(text) or not _SCHEME.match(text):
        return False
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in text) if not text.isascii() else True


def write_literal(value: str, datatype: str | None = None, language: str | None = None) -> str:
    r"""Return the N-Triples text of a literal; `datatype` None means xsd:string.

    Raises
    ------
    BadValueError
        The language tag or datatype IRI is not well formed, or the value holds a surrogate.

    Examples
    --------
    >>> write_literal('say "yes"', language="en")
    '"say \\"yes\\""@en'
    """
    if any(0xD800 <= ord(c) <= 0xDFFF for c in value) if not value.isascii() else False:
        raise BadValueError(name="literal", given=repr(value[:40]), expected="Unicode text")
    quoted = '"' + _TO_ESCAPE.sub(lambda m: _ESCAPES[m.group()], value) + '"'
    if language is not None:
        tag = language.lower()
        if not _LANG.match(tag):
            raise BadValueError(name="language", given=language[:40], expected="a language tag")
        return f"{quoted}@{tag}"
    if datatype is None or datatype == f"{XSD}string":
        return quoted
    return f"{quoted}^^{write_iri(datatype)}"


def needs_escapes(value: str) -> bool:
    """Tell whether a literal's value does not stand in N-Triples as it is."""
    return _TO_ESCAPE.search(value) is not None


def read_literal(term: str) -> tuple[str, str, str | None]:
    """Return value, datatype IRI and language tag of a literal's N-Triples text.

    Examples
    --------
    >>> read_literal('"2020-12-01"^^<http://www.w3.org/2001/XMLSchema#date>')
    ('2020-12-01', 'http://www.w3.org/2001/XMLSchema#date', None)
    """
    match = _LITERAL.match(term)
    if match is None:
        raise BadValueError(name="literal", given=term[:200], expected="N-Triples text")
    raw, language, datatype = match.groups()
    value = _ESCAPED.sub(_unescape, raw) if "\\" in raw else raw
    if language is not None:
        return value, LANG_STRING, language.lower()
    return value, datatype or f"{XSD}string", None


def read_iri(term: str) -> str:
    """Return the IRI inside `<...>`."""
    if not (term.startswith("<") and term.endswith(">")):
        raise BadValueError(name="IRI", given=term[:200], expected="N-Triples text")
    return term[1:-1]


def is_literal(term: str) -> bool:
    """Tell whether the N-Triples text is a literal."""
    return term.startswith('"')


def is_blank(term: str) -> bool:
    """Tell whether the N-Triples text is a blank node."""
    return term.startswith("_:")


def fold_nfc(text: str) -> str:
    """Return the text in Unicode normal form C."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def hash_quad(quad: Quad) -> int:
    """Return the 256-bit digest of one quad as an integer.

    The dataset hash is the sum of these modulo 2**256: a sum, since with XOR a quad that is
    counted twice would cancel.
    """
    return int.from_bytes(hashlib.sha256(" ".join(quad).encode()).digest(), "big")


HASH_MODULUS: Final = 1 << 256


def hash_dataset(quads: Iterable[Quad]) -> int:
    """Return the dataset hash: the sum of the quads' digests modulo 2**256."""
    return sum(map(hash_quad, quads)) % HASH_MODULUS


def local_name(iri: str) -> str:
    """Return the part of an IRI after the last `#` or `/`, for messages and file names."""
    return re.split(r"[#/]", iri.rstrip("/#"))[-1]


def _unescape(match: re.Match[str]) -> str:
    body = match.group(1)
    if body[0] in "uU" and len(body) > 1:
        return chr(int(body[1:], 16))
    return _UNESCAPES.get(body, body)
