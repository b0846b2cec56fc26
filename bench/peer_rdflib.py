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

from bench.peer_lists import Lists, Names, Role, list_query
from graph.terms import ENTITY

RZ: Final = Namespace("https://w3id.org/rhizome/ontology#")
EURIO: Final = Namespace("http://data.europa.eu/s66#")
SCHEMA: Final = Namespace("https://schema.org/")
LANGUAGES: Final = ("en", "fr")
_ORGANISATIONS: Final = f"{ENTITY}organisation/"

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


def _named_with(text: str, country: str) -> Names:
    found: dict[str, str | None] = {}
    for node in GRAPH.subjects(RZ.country, URIRef(country)):
        names = GRAPH.objects(node, SKOS.prefLabel)
        is_fit = any(text in str(name).lower() for name in names)
        if is_fit and str(node).startswith(_ORGANISATIONS):
            found[str(node)] = _named(node)
    return found


def _with_partners(country: str, first: int) -> Names:
    wanted, found = URIRef(country), dict[str, str | None]()
    for iri in CLUSTERS:
        partners = (
            partner
            for role in GRAPH.subjects(EURIO.isRoleOf, URIRef(iri))
            for project in GRAPH.objects(role, EURIO.isInvolvedIn)
            for other in GRAPH.subjects(EURIO.isInvolvedIn, project)
            for partner in GRAPH.objects(other, EURIO.isRoleOf)
        )
        if any((partner, RZ.country, wanted) in GRAPH for partner in partners):
            found[iri] = _named(URIRef(iri))
            if len(found) == first:
                break
    return found


def _roles_of_country(country: str) -> list[Role]:
    found = []
    for node in GRAPH.subjects(RZ.country, URIRef(country)):
        for role in GRAPH.subjects(EURIO.isRoleOf, node):
            amount = GRAPH.value(role, RZ.euContribution)
            kind = str(GRAPH.value(role, EURIO.roleLabel))
            project = str(GRAPH.value(role, EURIO.isInvolvedIn))
            found.append((kind, project, None if amount is None else float(str(amount))))
    return found


@strawberry.type
class Query(list_query(Lists(_named_with, _with_partners, _roles_of_country))):  # type: ignore[misc]
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
