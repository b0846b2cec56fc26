"""Describes the dataset in VoID and in DCAT: counts, licence, and where it can be asked or had.

Floor 5. Pure functions from a snapshot, its counts and an address to triples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from graph.curation.citation import AUTHORS, HOME, RO_CRATE
from graph.curation.export import FRAMED
from graph.curation.formats import N_QUADS
from graph.curation.licences import COMPILATION, Licence, read_licences, read_own_licence
from graph.store.partitions import Partitions
from graph.store.prefixes import PREFIXES as KNOWN
from graph.store.snapshot import Snapshot
from graph.terms import (
    ENTITY,
    RDF_TYPE,
    XSD,
    Quad,
    is_blank,
    is_iri,
    read_literal,
    write_iri,
    write_literal,
)
from web.export import FORMATS
from web.terms import ATTRIBUTION
from web.texts import TEXTS

VOID_NS: Final = "http://rdfs.org/ns/void#"
#: The path that the names of a description lead to.
VOID_PAGE: Final = "/void"
#: The formats of the whole dataset: a framed description is of one thing.
EXPORTED: Final = tuple(known for known in FORMATS if known is not FRAMED)
_NAMES: Final = "https://w3id.org/rhizome/void#"
DATASET: Final = f"{_NAMES}dataset"
_CATALOG: Final = f"{_NAMES}catalog"
_FORMATS: Final = "http://www.w3.org/ns/formats/"
_PUBLISHER: Final = f"{HOME}#contributors"
_LANGUAGE: Final = "http://publications.europa.eu/resource/authority/language/"
_MEDIA: Final = "https://www.iana.org/assignments/media-types/"
PREFIXES: Final[Mapping[str, str]] = {
    **KNOWN,
    "void": VOID_NS,
    "foaf": "http://xmlns.com/foaf/0.1/",
    "formats": _FORMATS,
}
_VOCABULARIES: Final = ("rz", "skos", "org", "prov", "dct", "schema", "eurio")
_FEATURES: Final = ("Turtle", "N-Triples", "RDF_XML", "JSON-LD", "TriG", "N-Quads")
_TITLE: Final = "http://purl.org/dc/terms/title"
_URL: Final = "https://schema.org/url"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the service is, how many sources are described one by one, when data last changed."""

    base: str
    sources_max: int
    changed: str


class _Triples:
    """Gathers triples; predicates by prefix and name."""

    def __init__(self) -> None:
        self.quads: list[Quad] = []
        self._blanks = 0

    def blank(self) -> str:
        """Return a new blank node: a part that has no name of its own."""
        self._blanks += 1
        return f"_:p{self._blanks}"

    def add(self, subject: str, predicate: str, *values: str) -> None:
        """Add values (N-Triples texts) of a predicate such as `void:triples` to a node."""
        prefix, _, name = predicate.partition(":")
        verb = RDF_TYPE if predicate == "a" else write_iri(PREFIXES[prefix] + name)
        node = subject if is_blank(subject) else write_iri(subject)
        self.quads += [(node, verb, value, "") for value in values]

    def count(self, subject: str, predicate: str, number: int) -> None:
        """Add a whole number."""
        self.add(subject, predicate, write_literal(str(number), f"{XSD}integer"))


def describe_as_void(snapshot: Snapshot, counts: Partitions, place: Place) -> list[Quad]:
    """Return the description of the dataset in VoID, each source as a subset.

    Of more sources than `place` allows the first, by their IRIs, are described.
    """
    made, licences = _Triples(), read_licences(snapshot)
    page = place.base + "/.well-known/void"
    made.add(page, "a", _iri("void:DatasetDescription"))
    made.add(page, "foaf:primaryTopic", write_iri(DATASET))
    made.add(page, "rdfs:seeAlso", write_iri(place.base + "/.well-known/dcat"))
    _name(made, DATASET)
    _license(made, DATASET, licences, place)
    made.add(DATASET, "a", _iri("void:Dataset"), _iri("dcat:Dataset"))
    made.add(DATASET, "void:sparqlEndpoint", write_iri(f"{place.base}/sparql"))
    dumps = [f"{place.base}/export?format={known.key}" for known in EXPORTED]
    made.add(DATASET, "void:dataDump", *map(write_iri, dumps))
    made.add(DATASET, "void:uriSpace", write_literal(ENTITY))
    made.add(DATASET, "void:vocabulary", *(write_iri(KNOWN[name]) for name in _VOCABULARIES))
    made.add(DATASET, "void:feature", *(write_iri(_FORMATS + name) for name in _FEATURES))
    made.add(DATASET, "void:exampleResource", *_examples(snapshot))
    _date(made, DATASET, counts, place)
    made.count(DATASET, "void:triples", counts.triples)
    made.count(DATASET, "void:entities", counts.entities)
    made.count(DATASET, "void:distinctSubjects", counts.subjects)
    made.count(DATASET, "void:classes", len(counts.classes))
    made.count(DATASET, "void:properties", len(counts.properties))
    for iri, entities in counts.classes.items():
        part = _class_partition(made, DATASET, iri, entities)
        for (class_iri, predicate), triples in counts.class_properties.items():
            if class_iri == iri:
                _property_partition(made, part, predicate, triples)
    for iri, triples in counts.properties.items():
        _property_partition(made, DATASET, iri, triples)
    for graph in list(counts.by_source)[: place.sources_max]:
        _describe_source(made, snapshot, counts, graph)
    return made.quads


def describe_as_dcat(snapshot: Snapshot, counts: Partitions, place: Place) -> list[Quad]:
    """Return the description of the dataset in DCAT 3: a catalogue with one dataset."""
    made, licences = _Triples(), read_licences(snapshot)
    _name(made, _CATALOG)
    made.add(_CATALOG, "dct:license", write_iri(COMPILATION.iri))  # of the descriptions alone
    made.add(_CATALOG, "a", _iri("dcat:Catalog"))
    made.add(_CATALOG, "dcat:dataset", write_iri(DATASET))
    _name(made, DATASET)
    _license(made, DATASET, licences, place)
    made.add(DATASET, "a", _iri("dcat:Dataset"))
    made.add(DATASET, "dcat:landingPage", write_iri(f"{place.base}/"))
    made.add(DATASET, "dct:language", *(write_iri(_LANGUAGE + code) for code in ("ENG", "FRA")))
    made.add(_PUBLISHER, "a", _iri("foaf:Agent"))
    made.add(_PUBLISHER, "foaf:name", write_literal(AUTHORS, language="en"))
    for published in (_CATALOG, DATASET):
        made.add(published, "dct:publisher", write_iri(_PUBLISHER))
    made.add(DATASET, "dct:conformsTo", write_iri("https://w3id.org/rhizome/ontology"))
    _date(made, DATASET, counts, place)
    made.add(DATASET, "dct:source", *list(counts.by_source)[: place.sources_max])
    for part in _distributions(counts.revision):
        _license(made, _distribution(made, part, place), licences, place)
    for key, path, description in _SERVICES:
        service = f"{_NAMES}{key}"
        made.add(_CATALOG, "dcat:service", write_iri(service))
        made.add(service, "a", _iri("dcat:DataService"))
        made.add(service, "dct:title", write_literal(_LABELS[key], language="en"))
        _license(made, service, licences, place)
        made.add(service, "dcat:endpointURL", write_iri(place.base + path))
        made.add(service, "dcat:endpointDescription", write_iri(place.base + description))
        made.add(service, "dcat:servesDataset", write_iri(DATASET))
    return made.quads


class _Part(NamedTuple):
    """A distribution: the end of its name, title, path, media type, and what it conforms to."""

    key: str
    title: str
    path: str
    media_type: str
    standard: str = ""


def _distributions(revision: int) -> Iterator[_Part]:
    """Yield every way in which the dataset can be had whole, or as one kind of table or map."""
    for known in EXPORTED:
        yield _Part(known.key, known.label, f"/export?format={known.key}", known.media_type)
    dump = f"/export/revisions/{revision}.nq"
    yield _Part("revision", f"N-Quads of revision {revision}, for good", dump, N_QUADS.media_type)
    yield from _PACKAGES


_GRAPHML: Final = "application/graphml+xml"
_PACKAGES: Final = (
    _Part(
        "crate",
        "RO-Crate: data, ontology, questions, report and checksums",
        "/export/crate.zip",
        "application/zip",
        RO_CRATE,
    ),
    _Part(
        "tables",
        "CSV tables, one a class, as a Frictionless data package",
        "/export/tables.zip",
        "application/zip",
        "https://specs.frictionlessdata.io/tabular-data-package/",
    ),
    _Part("sites", "Sites as GeoJSON", "/export/sites.geojson", "application/geo+json"),
    _Part("gexf", "Network as GEXF", "/export/networks/default.gexf", "application/gexf+xml"),
    _Part("graphml", "Network as GraphML", "/export/networks/default.graphml", _GRAPHML),
)


def _distribution(made: _Triples, part: _Part, place: Place) -> str:
    """Describe a distribution and return its name."""
    name = f"{_NAMES}export-{part.key}"
    made.add(DATASET, "dcat:distribution", write_iri(name))
    made.add(name, "a", _iri("dcat:Distribution"))
    made.add(name, "dct:title", write_literal(part.title, language="en"))
    made.add(name, "dcat:accessURL", write_iri(f"{place.base}/export"))
    made.add(name, "dcat:downloadURL", write_iri(place.base + part.path))
    made.add(name, "dcat:mediaType", write_iri(_MEDIA + part.media_type))
    if part.standard:
        made.add(name, "dct:conformsTo", write_iri(part.standard))
    return name


#: The services: key, path, and where they are described.
_SERVICES: Final = (
    ("sparql", "/sparql", "/sparql"),
    ("graphql", "/graphql", "/schema.graphql"),
)
_LABELS: Final = {"sparql": "SPARQL 1.1", "graphql": "GraphQL"}


def _name(made: _Triples, subject: str) -> None:
    for language, title, text in zip(
        ("en", "fr"), TEXTS["site.subtitle"], TEXTS["home.lead"], strict=True
    ):
        made.add(subject, "dct:title", write_literal(f"Rhizome: {title}", language=language))
        made.add(subject, "dct:description", write_literal(text, language=language))


def _license(made: _Triples, subject: str, licences: Sequence[Licence], place: Place) -> None:
    """State every licence that the data stands under, and where each source has its own."""
    made.add(subject, "dct:license", *(write_iri(licence.iri) for licence in licences))
    made.add(subject, "dct:rights", write_iri(place.base + ATTRIBUTION))


def _date(made: _Triples, subject: str, counts: Partitions, place: Place) -> None:
    made.add(subject, "schema:version", write_literal(str(counts.revision)))
    if place.changed:
        made.add(subject, "dct:modified", write_literal(place.changed, f"{XSD}dateTime"))


def _describe_source(made: _Triples, snapshot: Snapshot, counts: Partitions, graph: str) -> None:
    iri, found = graph[1:-1], counts.by_source[graph]
    made.add(DATASET, "void:subset", graph)
    made.add(iri, "a", _iri("void:Dataset"))
    if (title := snapshot.value(graph, _TITLE)) is not None:
        made.add(iri, "dct:title", title)
    if (url := snapshot.value(graph, _URL)) is not None and is_iri(read_literal(url)[0]):
        made.add(iri, "foaf:page", write_iri(read_literal(url)[0]))
    if (licence := read_own_licence(snapshot, graph)) is not None:
        made.add(iri, "dct:license", licence)
    made.count(iri, "void:triples", found.quads)
    made.count(iri, "void:classes", len(found.classes))
    made.count(iri, "void:properties", len(found.properties))
    for each, entities in found.classes.items():
        _class_partition(made, iri, each, entities)
    for each, triples in found.properties.items():
        _property_partition(made, iri, each, triples)


def _class_partition(made: _Triples, whole: str, iri: str, entities: int) -> str:
    part = made.blank()
    made.add(whole, "void:classPartition", part)
    made.add(part, "void:class", write_iri(iri))
    made.count(part, "void:entities", entities)
    return part


def _property_partition(made: _Triples, whole: str, iri: str, triples: int) -> None:
    part = made.blank()
    made.add(whole, "void:propertyPartition", part)
    made.add(part, "void:property", write_iri(iri))
    made.count(part, "void:triples", triples)


def _examples(snapshot: Snapshot) -> Iterable[str]:
    """Return the first instance of a few classes that people look for."""
    for name in ("Cluster", "Network", "Memorandum", "Project"):
        shape = snapshot.model.by_name.get(name)
        found = () if shape is None else snapshot.instances(shape.iri)
        if len(found):
            yield snapshot.term_of(found[0])


def _iri(name: str) -> str:
    prefix, _, local = name.partition(":")
    return write_iri(PREFIXES[prefix] + local)
