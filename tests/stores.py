"""A derived store on disk for tests, and commits that follow one another."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyoxigraph as ox

from graph.store.commit import Commit
from graph.store.oxigraph import OxigraphStore
from graph.terms import Quad, hash_dataset
from tests.snapshots import commit_of

ONTOLOGY = "<https://w3id.org/rhizome/ontology>"
SYSTEM: tuple[Quad, ...] = (
    ("<http://e/Cluster>", "<http://e/label>", '"Cluster"@en', ONTOLOGY),
    ("<http://e/Cluster>", "<http://e/label>", '"Pôle"@fr', ONTOLOGY),
)
A, B = "<http://e/source/a>", "<http://e/source/b>"


def quad(subject: str, value: str, graph: str = A, predicate: str = "p") -> Quad:
    """A quad with short names."""
    return (f"<http://e/{subject}>", f"<http://e/{predicate}>", f'"{value}"', graph)


def many(count: int, graph: str = A) -> list[Quad]:
    """Different quads, ten values a subject."""
    return [quad(f"s{n // 10}", f"v{n}", graph) for n in range(count)]


class History:
    """A store with the commits that made it."""

    def __init__(self, folder: Path, system: Iterable[Quad] = SYSTEM) -> None:
        self.folder = folder
        self.system = tuple(system)
        self.store = OxigraphStore.open(folder, self.system)
        self.commits: list[Commit] = []
        self.held: set[Quad] = set()

    def commit(self, added: Iterable[Quad] = (), removed: Iterable[Quad] = ()) -> Commit:
        """Return the next commit, not applied."""
        added, removed = set(added) - self.held, set(removed) & self.held
        commit = commit_of(added, removed, self.commits[-1] if self.commits else None)
        self.commits.append(commit)
        self.held = (self.held - removed) | added
        return commit

    def apply(self, added: Iterable[Quad] = (), removed: Iterable[Quad] = ()) -> Commit:
        """Apply the next commit to the store."""
        commit = self.commit(added, removed)
        self.store.apply([commit])
        return commit

    def reopen(self, system: Iterable[Quad] | None = None) -> OxigraphStore:
        """Close the store and open it again."""
        self.store.close()
        self.store = OxigraphStore.open(
            self.folder, self.system if system is None else tuple(system)
        )
        return self.store

    def rebuild(self) -> None:
        """Build the store anew from what is held."""
        revision = len(self.commits)
        self.store.rebuild(sorted(self.held), revision, hash_dataset(self.held), len(self.held))


def look_into(store: OxigraphStore) -> tuple[set[Quad], set[tuple[str, str, str]]]:
    """Return the quads of all named graphs and the triples of the default graph, as they are."""
    database = store._database
    assert database is not None
    quads: set[Quad] = set()
    merged: set[tuple[str, str, str]] = set()
    for found in database:
        triple = (str(found.subject), str(found.predicate), str(found.object))
        if isinstance(found.graph_name, ox.DefaultGraph):
            merged.add(triple)
        else:
            quads.add((*triple, str(found.graph_name)))
    return quads, merged
