"""A peer: Strawberry with dataloaders over an in-memory Oxigraph store.

One loader a relation and one an entity; each loads a whole level at a time, and what it loads
once it keeps for the request. Texts stand ready in the objects, so that only relations are
awaited. `quads_for_pattern` in a loop is 1.4 to 2.4 times faster here than one SPARQL query with
VALUES a level (`bench/loading.py` measures it), so the loaders do that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pyoxigraph as ox
import strawberry
from strawberry.dataloader import DataLoader
from strawberry.extensions import SchemaExtension
from strawberry.types import Info

from bench.peer_lists import Lists, Names, Role, list_query
from graph.terms import ENTITY

_RZ: Final = "https://w3id.org/rhizome/ontology#"
_SKOS: Final = "http://www.w3.org/2004/02/skos/core#"
_EURIO: Final = "http://data.europa.eu/s66#"
TYPE: Final = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
NAME: Final = ox.NamedNode(f"{_SKOS}prefLabel")
NOTATION: Final = ox.NamedNode(f"{_SKOS}notation")
ACRONYM: Final = ox.NamedNode(f"{_RZ}acronym")
COUNTRY: Final = ox.NamedNode(f"{_RZ}country")
SECTOR: Final = ox.NamedNode(f"{_RZ}sector")
FOUNDED: Final = ox.NamedNode(f"{_RZ}foundedText")
URL: Final = ox.NamedNode("https://schema.org/url")
ROLE: Final = ox.NamedNode(f"{_EURIO}roleLabel")
ROLE_OF: Final = ox.NamedNode(f"{_EURIO}isRoleOf")
INVOLVED_IN: Final = ox.NamedNode(f"{_EURIO}isInvolvedIn")
CLUSTER: Final = ox.NamedNode(f"{_RZ}Cluster")
LANGUAGES: Final = ("en", "fr")

STORE: ox.Store
CLUSTERS: list[str]


def load(path: Path) -> None:
    """Read N-Triples into the store that the loaders read."""
    global STORE, CLUSTERS
    STORE = ox.Store()
    STORE.bulk_load(path=str(path), format=ox.RdfFormat.N_TRIPLES)
    found = STORE.quads_for_pattern(None, TYPE, CLUSTER)
    CLUSTERS = sorted(quad.subject.value for quad in found)  # type: ignore[union-attr]


@strawberry.type
class Concept:
    """A concept of a scheme."""

    id: strawberry.ID
    notation: str | None


@strawberry.type
class PartialDate:
    """A date, of which only the text is asked here."""

    text: str | None


@strawberry.type
class Organisation:
    """An organisation of any kind."""

    id: strawberry.ID
    name: str | None
    acronym: str | None
    homepage: str | None
    founded: PartialDate | None
    country_id: strawberry.Private[str | None]
    sector_ids: strawberry.Private[list[str]]

    @strawberry.field
    async def country(self, info: Info) -> Concept | None:
        """Its country."""
        if self.country_id is None:
            return None
        found: Concept = await info.context.concepts.load(self.country_id)
        return found

    @strawberry.field
    async def sectors(self, info: Info) -> list[Concept]:
        """Its sectors."""
        found: list[Concept] = await info.context.concepts.load_many(self.sector_ids)
        return found

    @strawberry.field
    async def project_roles(self, info: Info) -> list[ProjectRole]:
        """What it does in projects."""
        found: list[ProjectRole] = await info.context.roles_of.load(self.id)
        return found


@strawberry.type
class ProjectRole:
    """What an organisation does in a project."""

    role: str
    project_id: strawberry.Private[str]
    organisation_id: strawberry.Private[str]

    @strawberry.field
    async def project(self, info: Info) -> Project:
        """In which project."""
        found: Project = await info.context.projects.load(self.project_id)
        return found

    @strawberry.field
    async def organisation(self, info: Info) -> Organisation | None:
        """Whose role it is."""
        found: Organisation | None = await info.context.organisations.load(self.organisation_id)
        return found


@strawberry.type
class Project:
    """A project."""

    id: strawberry.ID
    acronym: str | None

    @strawberry.field
    async def roles(self, info: Info) -> list[ProjectRole]:
        """The roles in it."""
        found: list[ProjectRole] = await info.context.roles_in.load(self.id)
        return found


def _named_with(text: str, country: str) -> Names:
    names: dict[str, str | None] = {}
    for node, *_ in _solutions(
        f"""SELECT DISTINCT ?o ?c ?x WHERE {{ ?o <{_RZ}country> ?c ; <{_SKOS}prefLabel> ?n .
        FILTER(CONTAINS(LCASE(STR(?n)), ?x) && STRSTARTS(STR(?o), "{ENTITY}organisation/")) }}""",
        c=ox.NamedNode(country),
        x=ox.Literal(text),
    ):
        names[node.value] = _name_of(node)
    return names


def _with_partners(country: str, first: int) -> Names:
    found = _solutions(
        f"""SELECT DISTINCT ?k ?c WHERE {{ ?k a <{_RZ}Cluster> . ?r <{_EURIO}isRoleOf> ?k ;
        <{_EURIO}isInvolvedIn> ?p . ?s <{_EURIO}isInvolvedIn> ?p ; <{_EURIO}isRoleOf> ?o .
        ?o <{_RZ}country> ?c }} ORDER BY STR(?k) LIMIT {first}""",
        c=ox.NamedNode(country),
    )
    return {node.value: _name_of(node) for node, _ in found}


def _roles_of_country(country: str) -> list[Role]:
    found = _solutions(
        f"""SELECT ?l ?p ?e ?c WHERE {{ ?o <{_RZ}country> ?c . ?r <{_EURIO}isRoleOf> ?o ;
        <{_EURIO}isInvolvedIn> ?p ; <{_EURIO}roleLabel> ?l .
        OPTIONAL {{ ?r <{_RZ}euContribution> ?e }} }}""",
        c=ox.NamedNode(country),
    )
    return [(k.value, p.value, None if e is None else float(e.value)) for k, p, e, _ in found]


def _name_of(node: Any) -> str | None:
    names: list[Any] = [quad.object for quad in STORE.quads_for_pattern(node, NAME, None)]
    return _best_name(names)


def _solutions(query: str, **given: Any) -> Any:
    """Return the rows of a query with some of its variables given."""
    return STORE.query(query, substitutions={ox.Variable(n): term for n, term in given.items()})


@strawberry.type
class Query(list_query(Lists(_named_with, _with_partners, _roles_of_country))):  # type: ignore[misc]
    """What can be asked."""

    @strawberry.field
    async def clusters(self, info: Info, first: int = 50, after: str = "") -> list[Organisation]:
        """Clusters after one, by their IRIs."""
        start = bisect_right(CLUSTERS, after)
        found = await info.context.organisations.load_many(CLUSTERS[start : start + first])
        return [each for each in found if each is not None]

    @strawberry.field
    async def organisation(self, info: Info, id: strawberry.ID) -> Organisation | None:
        """One organisation by its IRI."""
        found: Organisation | None = await info.context.organisations.load(id)
        return found


class Loaders:
    """The loaders of one request."""

    def __init__(self) -> None:
        self.organisations = _loader(_organisation)
        self.projects = _loader(_project)
        self.concepts = _loader(_concept)
        self.roles_of = _loader(lambda iri: _roles(ROLE_OF, iri))
        self.roles_in = _loader(lambda iri: _roles(INVOLVED_IN, iri))


def _loader(read: Callable[[str], Any]) -> DataLoader[str, Any]:
    async def load_level(keys: list[str]) -> list[Any]:
        return [read(key) for key in keys]

    return DataLoader(load_fn=load_level)


def _first(node: Any, predicate: ox.NamedNode) -> str | None:
    for quad in STORE.quads_for_pattern(node, predicate, None):
        return quad.object.value  # type: ignore[union-attr]
    return None


def _organisation(iri: str) -> Organisation | None:
    """Return an organisation, all its statements read in one scan."""
    found: dict[ox.NamedNode, list[Any]] = {}
    for quad in STORE.quads_for_pattern(ox.NamedNode(iri), None, None):
        found.setdefault(quad.predicate, []).append(quad.object)
    if not found:
        return None

    def text(predicate: ox.NamedNode) -> str | None:
        return found[predicate][0].value if predicate in found else None

    founded = text(FOUNDED)
    return Organisation(
        id=strawberry.ID(iri),
        name=_best_name(found.get(NAME, ())),
        acronym=text(ACRONYM),
        homepage=text(URL),
        founded=None if founded is None else PartialDate(text=founded),
        country_id=text(COUNTRY),
        sector_ids=[node.value for node in found.get(SECTOR, ())],
    )


def _best_name(names: Sequence[ox.Literal]) -> str | None:
    by_language = {name.language: name.value for name in names}
    for language in LANGUAGES:
        if language in by_language:
            return by_language[language]
    return min(by_language.items())[1] if by_language else None


def _project(iri: str) -> Project:
    return Project(id=strawberry.ID(iri), acronym=_first(ox.NamedNode(iri), ACRONYM))


def _concept(iri: str) -> Concept:
    return Concept(id=strawberry.ID(iri), notation=_first(ox.NamedNode(iri), NOTATION))


def _roles(predicate: ox.NamedNode, iri: str) -> list[ProjectRole]:
    return [
        ProjectRole(
            role=(_first(quad.subject, ROLE) or "").upper(),
            project_id=_first(quad.subject, INVOLVED_IN) or "",
            organisation_id=_first(quad.subject, ROLE_OF) or "",
        )
        for quad in STORE.quads_for_pattern(None, predicate, ox.NamedNode(iri))
    ]


def make_context() -> Loaders:
    """Return what resolvers of one request share."""
    return Loaders()


def make_schema(extensions: Sequence[Callable[[], SchemaExtension]]) -> strawberry.Schema:
    """Return the schema with extensions."""
    return strawberry.Schema(query=Query, extensions=list(extensions))
