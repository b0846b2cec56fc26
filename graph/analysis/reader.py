"""What analysis needs from a snapshot, and how it names a node.

Floor 3. The snapshot is met here only through a protocol of seven members, so that measures and
reports can be checked on small known networks. Nothing here knows of networks or numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from graph.model import Model
from graph.terms import RZ, SKOS, is_literal, local_name, read_literal

ORG: Final = "http://www.w3.org/ns/org#"
EURIO: Final = "http://data.europa.eu/s66#"
PREF_LABEL: Final = f"{SKOS}prefLabel"
#: What can name a node where no preferred label does: texts of projects and short names.
OTHER_NAMES: Final = (f"{RZ}acronym", f"{EURIO}title", "http://purl.org/dc/terms/title")


class Reader(Protocol):
    """The part of a snapshot that analysis reads: answered values, each relation once."""

    @property
    def model(self) -> Model:
        """Ontology and shapes."""
        ...

    @property
    def revision(self) -> int:
        """Revision of the data."""
        ...

    @property
    def dataset_hash(self) -> int:
        """Hash of the dataset at this revision."""
        ...

    def instances(self, class_iri: str) -> Sequence[int]:
        """Return the numbers of a class's instances, subclasses included."""
        ...

    def term_of(self, number: int) -> str:
        """Return the N-Triples text of a numbered term."""
        ...

    def value(self, subject: str, predicate: str) -> str | None:
        """Return the answering value."""
        ...

    def values(self, subject: str, predicate: str) -> list[str]:
        """Return the distinct values over all sources."""
        ...

    def types_of(self, subject: str) -> tuple[str, ...]:
        """Return the classes of a node."""
        ...

    def graphs_of(self, subject: str, predicate: str, value: str) -> list[str]:
        """Return the graphs that state a triple."""
        ...

    def source_order(self, graph: str) -> int:
        """Return the place of a graph in the order by which sources answer, 0 first."""
        ...


def read_instances(reader: Reader, class_iri: str) -> list[str]:
    """Return the instances of a class, subclasses included, as N-Triples texts in their order."""
    return sorted(map(reader.term_of, reader.instances(class_iri)))


def read_name(reader: Reader, iri: str, language: str) -> str:
    """Return what a node is called in a language, its IRI's last part if nothing names it.

    The language asked wins, then English, French, any other; among several names in one language
    the source that answers first, then the alphabet. A project has its acronym, then its title.
    """
    subject = f"<{iri}>"
    for predicate in (PREF_LABEL, *OTHER_NAMES):
        names = [term for term in reader.values(subject, predicate) if is_literal(term)]
        if names:
            nearest = min(_distance(term, language) for term in names)
            near = [term for term in names if _distance(term, language) == nearest]
            if len(near) > 1:
                near.sort(key=lambda term: (_place(reader, subject, predicate, term), term))
            return read_literal(near[0])[0]
    return local_name(iri)


def read_kind(reader: Reader, iri: str, language: str) -> str:
    """Return the label of the most specific class of a node, empty where the model knows none."""
    found = reader.model.most_specific(reader.types_of(f"<{iri}>"))
    if found is None:
        return ""
    labels = reader.model.classes[found].labels
    return labels.get(language) or labels.get("en") or local_name(found)


def read_country(reader: Reader, iri: str) -> str:
    """Return the three-letter code of a node's country (the EU authority's), empty if unknown."""
    term = reader.value(f"<{iri}>", f"{RZ}country")
    return local_name(term[1:-1]) if term and term.startswith("<") else ""


def _distance(term: str, language: str) -> int:
    """Return how far a text's language is from the one asked, 0 being it."""
    chain = [language, "en", "fr"]
    tag = read_literal(term)[2] or ""
    return chain.index(tag) if tag in chain else len(chain)


def _place(reader: Reader, subject: str, predicate: str, term: str) -> int:
    """Return the place of the first source that states a value."""
    graphs = reader.graphs_of(subject, predicate, term)
    return min(map(reader.source_order, graphs), default=1 << 30)
