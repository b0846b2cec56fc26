"""Quads as they come in -> quads as they are kept, or what stands against it.

Floor 2. Text in Unicode normal form C, literals of the core datatypes in one lexical form,
language tags in lower case, IRIs checked, blank nodes named, the default graph given a source.
It knows nothing of classes and shapes, and looks at nothing that is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graph.curation.findings import VIOLATIONS_TOLD, and_more
from graph.curation.lexical import CORE, LexicalError, canonical, is_number
from graph.curation.messages import DEFAULT_LANGUAGE, say
from graph.curation.skolem import name_blank_nodes
from graph.errors import BadValueError, Violation
from graph.settings import Settings
from graph.store.addresses import is_storable
from graph.terms import (
    LANG_STRING,
    XSD,
    Quad,
    fold_nfc,
    is_blank,
    is_iri,
    is_literal,
    read_literal,
    write_iri,
    write_literal,
)

#: Schemes of addresses that can run code or read files where someone follows them.
_SCHEMES_REFUSED: Final = ("javascript", "data", "vbscript", "file", "blob")
# What XML, and with it half of the formats, cannot hold; tab and line breaks stand.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_ADDRESS: Final = f"{XSD}anyURI"
_TAG: Final = re.compile(r'"@([A-Za-z0-9-]*)$')
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Normalised:
    """Quads as they are kept, in the order of the input, and the violations of the others."""

    quads: tuple[Quad, ...]
    violations: tuple[Violation, ...]


class _RefusedError(Exception):
    """A term cannot be kept; `constraint` and `message` go into the violation."""

    def __init__(self, constraint: str, message: str) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.message = message


def normalise(
    quads: Iterable[Quad],
    settings: Settings,
    graph: str | None = None,
    language: str = DEFAULT_LANGUAGE,
) -> Normalised:
    """Return the quads as they are kept; after very many violations the rest is not looked at.

    Parameters
    ----------
    quads : iterable of Quad
        N-Triples texts; the graph is an empty text in the default graph; blank nodes are those
        of one file.
    settings : Settings
        For the limits of literals, numbers and IRIs.
    graph : str
        IRI (no brackets) of the source that statements of the default graph belong to.
    language : str
        Of the messages: `en` or `fr`.
    """
    terms = _Terms(settings, language)
    default = "" if graph is None else f"<{graph}>"
    kept: dict[Quad, None] = {}
    violations: list[Violation] = []
    for given in quads:
        s, p, o, g = given if given[3] else (*given[:3], default)
        try:
            if not g:
                raise _RefusedError("graph", say("noGraph", language))
            kept[terms.node(s), terms.iri(p, "predicateIri"), terms.term(o), terms.iri(g)] = None
        except _RefusedError as refused:
            if len(violations) == VIOLATIONS_TOLD:
                violations.append(and_more(language))
                break
            violations.append(
                Violation(
                    s,
                    p,
                    _shown(o),
                    refused.constraint,
                    "Violation",
                    refused.message,
                    g[1:-1] or None,
                )
            )
    named, entangled = _name(list(kept), language)
    return Normalised(tuple(named), (*violations, *entangled))


def normalise_term(term: str, settings: Settings, language: str = DEFAULT_LANGUAGE) -> str:
    """Return one IRI or literal as it is kept.

    Raises
    ------
    BadValueError
        It cannot be kept.
    """
    try:
        return _Terms(settings, language).term(term)
    except _RefusedError as refused:
        raise BadValueError("term", _shown(term), refused.message) from refused


class _Terms:
    """Normalises terms, each once; `seen` holds what came of it."""

    def __init__(self, settings: Settings, language: str) -> None:
        self._settings = settings
        self._language = language
        self._seen: dict[str, str | _RefusedError] = {}

    def term(self, term: str) -> str:
        """Return any term as it is kept."""
        known = self._seen.get(term)
        if known is None:
            try:
                known = self._normalise(term)
            except _RefusedError as refused:
                known = refused
            self._seen[term] = known
        if isinstance(known, _RefusedError):
            raise known
        return known

    def node(self, term: str) -> str:
        """Return an IRI or blank node as it is kept."""
        if is_literal(term):
            raise self._refuse("nodeKind", "relativeIri")
        return self.term(term)

    def iri(self, term: str, key: str = "graphIri") -> str:
        """Return an IRI as it is kept; a blank node is refused with the message `key`."""
        if not term.startswith("<"):
            raise self._refuse("nodeKind", key)
        return self.term(term)

    def _normalise(self, term: str) -> str:
        if is_blank(term):
            return term
        return self._literal(term) if is_literal(term) else self._iri(term)

    def _iri(self, term: str) -> str:
        iri = fold_nfc(term[1:-1])
        if term.startswith("<<"):
            raise self._refuse("nodeKind", "unknownTerm")
        self._check_address(iri, "nodeKind")
        return write_iri(iri)

    def _check_address(self, iri: str, constraint: str) -> None:
        """Refuse what is no absolute IRI, too long, dangerous to follow, or broken."""
        if not is_iri(iri):
            raise self._refuse(constraint, "relativeIri")
        size, limit = len(iri.encode()), self._settings.iri_bytes
        if size > limit:
            raise self._refuse("maxLength", "iriLength", actual=size, limit=limit)
        scheme = iri.partition(":")[0].lower()
        if scheme in _SCHEMES_REFUSED:
            raise self._refuse(constraint, "iriScheme", scheme=scheme)
        if not is_storable(iri):  # the SPARQL store could not follow a commit with it
            raise self._refuse(constraint, "brokenIri")

    def _literal(self, term: str) -> str:
        try:
            value, datatype, tag = read_literal(term)
        except BadValueError:
            wrong = _TAG.search(term)
            if wrong is None or "--" in wrong[1]:
                raise self._refuse("datatype", "unknownTerm") from None
            raise self._refuse("datatype", "languageTag", tag=wrong[1][:40]) from None
        value = self._text(value)
        if tag is not None:
            return write_literal(value, language=tag)
        if is_number(datatype) and len(value) > (limit := self._settings.number_digits):
            raise self._refuse("datatype", "numberLength", actual=len(value), limit=limit)
        if datatype == _ADDRESS:
            self._check_address(value, "datatype")
        try:
            return write_literal(*canonical(value, datatype))
        except LexicalError:
            kind = datatype.removeprefix(XSD)
            example = CORE.get(kind, CORE["integer"])
            raise self._refuse(
                "datatype", "lexicalForm", datatype=f"xsd:{kind}", example=example
            ) from None
        except KeyError:
            known = ", ".join(f"xsd:{name}" for name in CORE)
            shown = "rdf:langString" if datatype == LANG_STRING else datatype
            raise self._refuse("datatype", "coreDatatype", datatype=shown, known=known) from None

    def _text(self, value: str) -> str:
        """Return a literal's text in normal form, if it may be kept."""
        value = fold_nfc(value)
        wrong = _CONTROL.search(value)
        if wrong:
            raise self._refuse("pattern", "controlCharacter", code=f"{ord(wrong[0]):04X}")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise self._refuse("pattern", "surrogate") from None
        if size > self._settings.literal_bytes:
            limit = self._settings.literal_bytes
            raise self._refuse("maxLength", "literalLength", actual=size, limit=limit)
        return value

    def _refuse(self, constraint: str, key: str, **fields: object) -> _RefusedError:
        return _RefusedError(constraint, say(key, self._language, **fields))


def _name(quads: list[Quad], language: str) -> tuple[list[Quad], list[Violation]]:
    """Return the quads with their blank nodes named, and what cannot be named."""
    if not any(is_blank(s) or is_blank(o) for s, _, o, _ in quads):
        return quads, []
    names, refused = name_blank_nodes(quads)
    message = say("entangled", language) if refused else ""
    violations = [
        Violation(node, None, None, "nodeKind", "Violation", message)
        for node in sorted(refused)[:1]
    ]
    named = dict.fromkeys(
        (names.get(s, s), p, names.get(o, o), g)
        for s, p, o, g in quads
        if s not in refused and o not in refused
    )
    return list(named), violations


def _shown(term: str) -> str:
    """Return a term for a message: long texts are cut."""
    return term if len(term) <= _SHOWN else term[:_SHOWN] + "…"
