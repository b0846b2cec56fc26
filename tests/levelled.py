"""A small store with graphs above public, and what each level of it must be."""

from __future__ import annotations

from collections.abc import Iterable

from graph.access import Level
from graph.store.levels import VISIBILITY, Levels, levels_of, write_level
from graph.store.snapshot import Snapshot
from graph.terms import (
    HASH_MODULUS,
    RDF_TYPE,
    RZ,
    SKOS,
    Quad,
    hash_dataset,
    write_literal,
)
from tests.samples import iri

TITLE = "<http://purl.org/dc/terms/title>"
#: What only graphs above public say; nothing else in the tests has this in it.
SECRET = "zxqsecret"


def source(name: str, level: Level | None = None) -> list[Quad]:
    """A source that describes itself, at a level."""
    graph = iri(f"source/{name}")
    quads = [
        (graph, RDF_TYPE, f"<{RZ}Source>", graph),
        (graph, TITLE, write_literal(f"Source {name}"), graph),
        (graph, f"<{RZ}sourceKind>", write_literal("user"), graph),
    ]
    return quads if level is None else [*quads, visibility(name, level)]


def visibility(name: str, level: Level) -> Quad:
    """What makes a source of a level."""
    graph = iri(f"source/{name}")
    return (graph, VISIBILITY, write_level(level), graph)


def cluster(slug: str, of: str, text: str) -> list[Quad]:
    """A cluster that a source states, with a name."""
    graph, node = iri(f"source/{of}"), iri(f"organisation/{slug}")
    return [
        (node, RDF_TYPE, f"<{RZ}Cluster>", graph),
        (node, f"<{SKOS}prefLabel>", write_literal(text, language="en"), graph),
    ]


def hidden(level: Level = Level.PARTNER) -> list[Quad]:
    """A source above public: a cluster of its own, and another name of one that is public."""
    graph = iri("source/hidden")
    alias = write_literal(f"{SECRET} alias", language="en")
    return [
        *source("hidden", level),
        *cluster(SECRET, "hidden", f"{SECRET} cluster"),
        (iri("organisation/a"), f"<{SKOS}altLabel>", alias, graph),
    ]


def assert_sound(levels: Levels) -> None:
    """Check each level against what the whole says of it, statement by statement."""
    above = levels_of(levels.whole)
    assert dict(levels.above) == above
    assert [v.level for v in levels.views] == sorted({Level.PUBLIC, *above.values()})
    everything = list(levels.whole.quads())
    for view in levels.views:
        own = {q for q in everything if above.get(q[3], Level.PUBLIC) <= view.level}
        snapshot = view.snapshot
        assert set(snapshot.quads()) == own, view.level
        assert snapshot.quad_count == len(own)
        assert snapshot.dataset_hash == hash_dataset(own) % HASH_MODULUS
        assert snapshot.graphs() == sorted({q[3] for q in own})


def terms_of(snapshot: Snapshot) -> set[str]:
    """Every term that a level knows at all, stated or not."""
    return {term for _, term in snapshot.terms.all()}


def secrets_in(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if SECRET in text]
