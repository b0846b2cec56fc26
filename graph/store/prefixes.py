"""The prefixes that people of this field expect, for hints, forms and Turtle answers.

Floor 1. They are never put into a query: what a query means stands in its own text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: Namespace by prefix.
PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rz": "https://w3id.org/rhizome/ontology#",
        "rzs": "https://w3id.org/rhizome/shapes#",
        "id": "https://w3id.org/rhizome/id/",
        "org": "http://www.w3.org/ns/org#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "dct": "http://purl.org/dc/terms/",
        "prov": "http://www.w3.org/ns/prov#",
        "schema": "https://schema.org/",
        "dcat": "http://www.w3.org/ns/dcat#",
        "eurio": "http://data.europa.eu/s66#",
        "country": "http://publications.europa.eu/resource/authority/country/",
        "sh": "http://www.w3.org/ns/shacl#",
        "owl": "http://www.w3.org/2002/07/owl#",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    }
)


def declare_prefix(prefix: str) -> str | None:
    """Return the line that declares a well-known prefix; None for any other."""
    namespace = PREFIXES.get(prefix)
    return None if namespace is None else f"PREFIX {prefix}: <{namespace}>"
