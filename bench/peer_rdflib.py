"""A peer: Strawberry resolvers over an rdflib graph, as one writes them for a small dataset.

An object holds its node; resolvers read the graph for what a query asks, which is faster here than
to read texts ahead. The graph is of rdflib's simple memory store, faster than its default one by a
quarter. Nothing is awaited.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pyoxigraph
import strawberry
from rdflib import RDF, Graph, Literal, URIRef
from rdflib.namespace import SKOS, Namespace
from rdflib.term import Node
from strawberry.extensions import SchemaExtension

RZ: Final = Namespace("https://w3id.org/rhizome/ontology#")
EURIO: Final = Namespace("http://data.europa.eu/s66#")
SCHEMA: Final = Namespace("https://schema.org/")
LANGUAGES: Final = ("en", "fr")

GRAPH: Graph
CLUSTERS: list[str]


def load(path: Path) -> None:
    """Read N-Triples into the graph that the resolvers read."""
    global GRAPH, CLUSTERS
    GRAPH = Graph(store="SimpleMemory")
    known: dict[str, Node] = {}

    def read(term: pyoxigraph.NamedNode | pyoxigraph.Literal) -> Node:
        if isinstance(term, pyoxigraph.NamedNode):
            return known.setdefault(term.value, URIRef(term.value))
        datatype = None if term.language else URIRef(term.datatype.value)
        return Literal(term.value, lang=term.language, datatype=datatype)

    for triple in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.N_TRIPLES):
        GRAPH.add((read(triple.subject), read(triple.predicate), read(triple.object)))
    CLUSTERS = sorted(map(str, GRAPH.subjects(RDF.type, RZ.Cluster)))


def _text(node: Any, predicate: URIRef) -> str | None:
    value = GRAPH.value(node, predicate)
    return None if value is None else str(value)


def _named(node: Any) -> str | None:
    """Return the name in the best language."""
    names: dict[Any, str] = {}
    for value in GRAPH.objects(node, SKOS.prefLabel):
        assert isinstance(value, Literal)
        names[value.language] = str(value)
    for language in LANGUAGES:
        if language in names:
            return names[language]
    return min(names.items())[1] if names else None


@strawberry.type
class Concept:
    """A concept of a scheme."""

    node: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> strawberry.ID:
        """Its IRI."""
        return strawberry.ID(self.node)

    @strawberry.field
    def notation(self) -> str | None:
        """Its short code."""
        return _text(self.node, SKOS.notation)


@strawberry.type
class PartialDate:
    """A date, of which only the text is asked here."""

    text: str | None


@strawberry.type
class Organisation:
    """An organisation of any kind."""

    node: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> strawberry.ID:
        """Its IRI."""
        return strawberry.ID(self.node)

    @strawberry.field
    def name(self) -> str | None:
        """Its name in the best language."""
        return _named(self.node)

    @strawberry.field
    def acronym(self) -> str | None:
        """Its acronym."""
        return _text(self.node, RZ.acronym)

    @strawberry.field
    def homepage(self) -> str | None:
        """Its address on the web."""
        return _text(self.node, SCHEMA.url)

    @strawberry.field
    def founded(self) -> PartialDate | None:
        """When it was founded."""
        text = _text(self.node, RZ.foundedText)
        return None if text is None else PartialDate(text=text)

    @strawberry.field
    def country(self) -> Concept | None:
        """Its country."""
        node = GRAPH.value(self.node, RZ.country)
        return Concept(node=node) if node is not None else None

    @strawberry.field
    def sectors(self) -> list[Concept]:
        """Its sectors."""
        return [Concept(node=node) for node in GRAPH.objects(self.node, RZ.sector)]

    @strawberry.field
    def project_roles(self) -> list[ProjectRole]:
        """What it does in projects."""
        return [ProjectRole(node=node) for node in GRAPH.subjects(EURIO.isRoleOf, self.node)]


@strawberry.type
class ProjectRole:
    """What an organisation does in a project."""

    node: strawberry.Private[Any]

    @strawberry.field
    def role(self) -> str:
        """Which role."""
        return str(GRAPH.value(self.node, EURIO.roleLabel)).upper()

    @strawberry.field
    def project(self) -> Project:
        """In which project."""
        return Project(node=GRAPH.value(self.node, EURIO.isInvolvedIn))

    @strawberry.field
    def organisation(self) -> Organisation:
        """Whose role it is."""
        return Organisation(node=GRAPH.value(self.node, EURIO.isRoleOf))


@strawberry.type
class Project:
    """A project."""

    node: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> strawberry.ID:
        """Its IRI."""
        return strawberry.ID(self.node)

    @strawberry.field
    def acronym(self) -> str | None:
        """Its acronym."""
        return _text(self.node, RZ.acronym)

    @strawberry.field
    def roles(self) -> list[ProjectRole]:
        """The roles in it."""
        return [ProjectRole(node=node) for node in GRAPH.subjects(EURIO.isInvolvedIn, self.node)]


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field
    def clusters(self, first: int = 50, after: str = "") -> list[Organisation]:
        """Clusters after one, by their IRIs."""
        start = bisect_right(CLUSTERS, after)
        return [Organisation(node=URIRef(iri)) for iri in CLUSTERS[start : start + first]]

    @strawberry.field
    def organisation(self, id: strawberry.ID) -> Organisation | None:
        """One organisation by its IRI."""
        node = URIRef(id)
        return Organisation(node=node) if (node, RDF.type, None) in GRAPH else None


def make_schema(extensions: Sequence[Callable[[], SchemaExtension]]) -> strawberry.Schema:
    """Return the schema with extensions."""
    return strawberry.Schema(query=Query, extensions=list(extensions))
