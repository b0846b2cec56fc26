"""The JSON-LD context: short names for the model's classes and predicates.

Floor 2. It is a function of the model, committed as `ontology/context.jsonld`; exports carry it
inline. Terms are the local names of predicates, which do not change with the API. It defines no
prefixes: an IRI of any scheme then stands in a document as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from graph.model import Field, FieldKind, Model
from graph.terms import LANG_STRING, RZ, XSD, local_name

#: How the values of a term are written: as IRIs, as texts by language, as a datatype (by IRI).
IDS: Final = "@id"
LANGUAGES: Final = "@language"


@dataclass(frozen=True, slots=True)
class Term:
    """A predicate's short name and how its values are written (`""`: as plain JSON)."""

    name: str
    predicate: str
    values: str

    def definition(self) -> Mapping[str, str]:
        """Return the term's definition in the context."""
        if self.values == LANGUAGES:
            return {"@id": self.predicate, "@container": "@language"}
        if self.values:
            return {"@id": self.predicate, "@type": self.values}
        return {"@id": self.predicate}


def build_terms(model: Model) -> Mapping[str, Term]:
    """Return the term of each predicate of the model, by the predicate's IRI."""
    ways: dict[str, set[str]] = defaultdict(set)
    for shape in model.classes.values():
        for each in shape.own_fields:
            if not each.inverse:
                for predicate in each.predicates:
                    ways[predicate].add(_way(each, predicate))
    terms: dict[str, Term] = {}
    taken = {local_name(iri) for iri in model.classes}
    for predicate in sorted(ways, key=lambda iri: (not iri.startswith(RZ), iri)):
        name = local_name(predicate)
        if name in taken:  # the second of two equal names is told apart by its prefix
            name = f"{_prefix(model, predicate)}_{name}"
        taken.add(name)
        found = ways[predicate]
        terms[predicate] = Term(name, predicate, found.pop() if len(found) == 1 else "")
    return terms


def build_classes(model: Model) -> Mapping[str, str]:
    """Return the short name of each class of the model, by its IRI."""
    return {iri: local_name(iri) for iri in sorted(model.classes)}


def build_context(model: Model) -> dict[str, object]:
    """Return the JSON-LD context of the model, the value of `@context`."""
    classes = {name: iri for iri, name in build_classes(model).items()}
    terms = {term.name: term.definition() for term in build_terms(model).values()}
    return {"@version": 1.1, **dict(sorted(classes.items())), **dict(sorted(terms.items()))}


def _way(field: Field, predicate: str) -> str:
    if field.kind in (FieldKind.ENTITY, FieldKind.IRI):
        return IDS
    if field.kind is FieldKind.TEXT:
        return LANGUAGES
    if field.kind is FieldKind.DATE:
        return "" if predicate == field.parts["text"] else f"{XSD}date"
    datatype = field.datatype or ""
    if datatype == LANG_STRING:
        return LANGUAGES
    # Plain JSON has these three of its own.
    return "" if datatype in (f"{XSD}string", f"{XSD}integer", f"{XSD}boolean") else datatype


def _prefix(model: Model, iri: str) -> str:
    namespace = iri[: -len(local_name(iri))]
    return next((p for p, n in model.prefixes.items() if n == namespace), "other")
