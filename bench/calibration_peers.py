"""The peers over the data of the first measurements: resolvers on rdflib, loaders on Oxigraph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pyoxigraph as ox
import strawberry
from rdflib import Graph, Literal, URIRef
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.types import Info

from bench.draws import Draws

_V: Final = "https://bench.example/"
Made = tuple[strawberry.Schema, Callable[[], object]]

GRAPH: Graph
STORE: ox.Store


def triples() -> Iterator[tuple[str, str, str]]:
    """Yield subject, predicate and object; objects in quotes are literals."""
    draws = Draws(3, 1)
    for n in range(60):
        yield f"s{n}", "label", f'"Sector {n}"'
    for n in range(2_000):
        yield f"c{n}", "name", f'"Cluster number {n}"'
        yield f"c{n}", "country", f'"{("FR", "NL", "ES", "PL")[n % 4]}"'
        for sector in {draws.below(60) for _ in range(2)}:
            yield f"c{n}", "sector", f"s{sector}"
    for n in range(3_000):
        yield f"m{n}", "title", f'"Memorandum of understanding {n}"'
        for party in {draws.below(2_000) for _ in range(3)}:
            yield f"m{n}", "party", f"c{party}"
    for n in range(20_000):
        for predicate in ("label", "country", "since", "city"):
            yield f"p{n}", predicate, f'"{predicate} {n}"'
        yield f"p{n}", "memberOf", f"c{draws.below(2_000)}"
    for n in range(50_000):
        yield f"r{n}", "type", "Participation"
        yield f"r{n}", "of", f"p{draws.below(20_000)}"
        yield f"r{n}", "in", f"j{draws.below(5_000)}"
        yield f"r{n}", "role", '"partner"'
        yield f"r{n}", "order", f'"{n % 10}"'
        yield f"r{n}", "share", f'"{n * 100}"'


def _extensions() -> list[Callable[[], Any]]:
    parser, validation = ParserCache(), ValidationCache()
    return [lambda: parser, lambda: validation]


# --- resolvers over rdflib --------------------------------------------------------------------


def make_rdflib() -> Made:
    """Return the schema over an rdflib graph, which it fills, and a maker of contexts."""
    global GRAPH
    GRAPH = Graph(store="SimpleMemory")
    for s, p, o in triples():
        value = Literal(o[1:-1]) if o.startswith('"') else URIRef(_V + o)
        GRAPH.add((URIRef(_V + s), URIRef(_V + p), value))
    return strawberry.Schema(query=GraphQuery, extensions=_extensions()), lambda: None


def _value(node: Any, predicate: str) -> str:
    return str(GRAPH.value(node, URIRef(_V + predicate)))


@strawberry.type(name="Sector")
class GraphSector:
    """A sector."""

    node: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> str:
        """Its IRI."""
        return str(self.node)

    @strawberry.field
    def label(self) -> str:
        """Its label."""
        return _value(self.node, "label")


@strawberry.type(name="Cluster")
class GraphCluster:
    """A cluster."""

    node: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> str:
        """Its IRI."""
        return str(self.node)

    @strawberry.field
    def name(self) -> str:
        """Its name."""
        return _value(self.node, "name")

    @strawberry.field
    def country(self) -> str:
        """Its country."""
        return _value(self.node, "country")

    @strawberry.field
    def sectors(self) -> list[GraphSector]:
        """Its sectors."""
        found = GRAPH.objects(self.node, URIRef(f"{_V}sector"))
        return [GraphSector(node=each) for each in found]

    @strawberry.field
    def mous(self) -> list[GraphMou]:
        """The memoranda that it is a party of."""
        found = GRAPH.subjects(URIRef(f"{_V}party"), self.node)
        return [GraphMou(node=each) for each in found]


@strawberry.type(name="MoU")
class GraphMou:
    """A memorandum."""

    node: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> str:
        """Its IRI."""
        return str(self.node)

    @strawberry.field
    def title(self) -> str:
        """Its title."""
        return _value(self.node, "title")

    @strawberry.field
    def parties(self) -> list[GraphCluster]:
        """Its parties."""
        found = GRAPH.objects(self.node, URIRef(f"{_V}party"))
        return [GraphCluster(node=each) for each in found]


@strawberry.type(name="Query")
class GraphQuery:
    """What can be asked."""

    @strawberry.field
    def clusters(self, first: int) -> list[GraphCluster]:
        """The first clusters."""
        return [GraphCluster(node=URIRef(f"{_V}c{n}")) for n in range(first)]


# --- loaders over Oxigraph --------------------------------------------------------------------


def make_oxigraph() -> Made:
    """Return the schema over an Oxigraph store, which it fills, and a maker of contexts."""
    global STORE
    STORE = ox.Store()
    STORE.bulk_extend(
        ox.Quad(
            ox.NamedNode(_V + s),
            ox.NamedNode(_V + p),
            ox.Literal(o[1:-1]) if o.startswith('"') else ox.NamedNode(_V + o),
        )
        for s, p, o in triples()
    )
    return strawberry.Schema(query=StoreQuery, extensions=_extensions()), Loaders


def _objects(iri: str, predicate: str) -> list[str]:
    found = STORE.quads_for_pattern(ox.NamedNode(iri), ox.NamedNode(_V + predicate), None)
    return [quad.object.value for quad in found]  # type: ignore[union-attr]


def _subjects(predicate: str, iri: str) -> list[str]:
    found = STORE.quads_for_pattern(None, ox.NamedNode(_V + predicate), ox.NamedNode(iri))
    return [quad.subject.value for quad in found]  # type: ignore[union-attr]


@strawberry.type(name="Sector")
class StoreSector:
    """A sector."""

    id: str
    label: str


@strawberry.type(name="Cluster")
class StoreCluster:
    """A cluster."""

    id: str
    name: str
    country: str

    @strawberry.field
    async def sectors(self, info: Info) -> list[StoreSector]:
        """Its sectors."""
        found: list[StoreSector] = await info.context.sectors.load(self.id)
        return found

    @strawberry.field
    async def mous(self, info: Info) -> list[StoreMou]:
        """The memoranda that it is a party of."""
        found: list[StoreMou] = await info.context.mous.load(self.id)
        return found


@strawberry.type(name="MoU")
class StoreMou:
    """A memorandum."""

    id: str
    title: str

    @strawberry.field
    async def parties(self, info: Info) -> list[StoreCluster]:
        """Its parties."""
        found: list[StoreCluster] = await info.context.parties.load(self.id)
        return found


@strawberry.type(name="Query")
class StoreQuery:
    """What can be asked."""

    @strawberry.field
    async def clusters(self, info: Info, first: int) -> list[StoreCluster]:
        """The first clusters."""
        keys = [f"{_V}c{n}" for n in range(first)]
        found: list[StoreCluster] = await info.context.clusters.load_many(keys)
        return found


class Loaders:
    """The loaders of one request."""

    def __init__(self) -> None:
        self.clusters = _loader(_cluster)
        self.sectors = _loader(lambda iri: list(map(_sector, _objects(iri, "sector"))))
        self.mous = _loader(lambda iri: list(map(_mou, _subjects("party", iri))))
        self.parties = _loader(lambda iri: list(map(_cluster, _objects(iri, "party"))))


def _loader(read: Callable[[str], Any]) -> DataLoader[str, Any]:
    async def load_level(keys: list[str]) -> list[Any]:
        return [read(key) for key in keys]

    return DataLoader(load_fn=load_level)


def _cluster(iri: str) -> StoreCluster:
    return StoreCluster(id=iri, name=_objects(iri, "name")[0], country=_objects(iri, "country")[0])


def _sector(iri: str) -> StoreSector:
    return StoreSector(id=iri, label=_objects(iri, "label")[0])


def _mou(iri: str) -> StoreMou:
    return StoreMou(id=iri, title=_objects(iri, "title")[0])
