"""What commits do to an Oxigraph store, as SPARQL Update texts.

Floor 1. The merged triples of the default graph are worked out here: a triple enters with its
first source and leaves with its last (DESIGN 4a, rule 4). Nothing here opens or stamps a store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import Final

import pyoxigraph as ox

from graph.store.commit import Commit
from graph.store.scan import read_term
from graph.store.stamp import Stamp
from graph.terms import Quad

#: Quads, each once, that may be asked whether one is among them.
Quads = AbstractSet[Quad]
#: A subject, predicate and object as N-Triples texts.
Triple = tuple[str, str, str]

_DEFAULT_GRAPH: Final = ox.DefaultGraph()


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes in the end: quads, and triples that enter and leave the default graph."""

    added: Collection[Quad]
    removed: Collection[Quad]
    merged: Collection[Triple]
    unmerged: Collection[Triple]

    @property
    def size(self) -> int:
        """Statements written."""
        return len(self.added) + len(self.removed) + len(self.merged) + len(self.unmerged)

    @property
    def growth(self) -> int:
        """How many statements more the store holds afterwards."""
        return len(self.added) - len(self.removed) + len(self.merged) - len(self.unmerged)


def balance_commits(commits: Iterable[Commit]) -> tuple[Quads, Quads]:
    """Return what a run of commits adds and removes in the end, in the order of the commits."""
    added: dict[Quad, None] = {}
    removed: dict[Quad, None] = {}
    for commit in commits:
        for gone, back, quads in (
            (added, removed, commit.removed),
            (removed, added, commit.added),
        ):
            for quad in quads:
                if quad in gone:
                    del gone[quad]
                else:
                    back[quad] = None
    return added.keys(), removed.keys()


def find_effect(
    database: ox.Store, added: Quads, removed: Quads, *, is_bulk: bool = False
) -> Effect:
    """Return the effect of adding and removing quads on a store that is about to change.

    With `is_bulk` the triples that enter the default graph are not sought: a bulk load writes
    those of all added quads, and the engine keeps each once.

    Cost: one look-up (about 10 microseconds) a triple.
    """
    fresh = {quad[:3] for quad in added}
    merged = [t for t in fresh if not _is_merged(database, t)] if not is_bulk else []
    gone = {quad[:3] for quad in removed} - fresh
    unmerged = [triple for triple in gone if not _is_stated(database, triple, removed)]
    return Effect(added, removed, merged, unmerged)


def write_update(effect: Effect) -> str:
    """Return the SPARQL Update text of an effect; every operation ends with a semicolon."""
    return _write_data("DELETE", effect.removed, effect.unmerged) + _write_data(
        "INSERT", effect.added, effect.merged
    )


def write_stamp(old: Stamp | None, new: Stamp) -> str:
    """Return the SPARQL Update text that exchanges the stamp."""
    drop = f"DROP SILENT GRAPH <{old.graph}> ;\n" if old is not None and old != new else ""
    return f"{drop}CREATE SILENT GRAPH <{new.graph}> ;\n"


def removals(effect: Effect, size: int) -> Iterator[Effect]:
    """Yield the removing half of an effect in pieces of at most `size` statements each."""
    quads, triples = iter(effect.removed), iter(effect.unmerged)
    while piece := tuple(islice(quads, size)):
        yield Effect((), piece, (), ())
    while rest := tuple(islice(triples, size)):
        yield Effect((), (), (), rest)


def drop_empty_graphs(database: ox.Store, graphs: Iterable[str]) -> None:
    """Forget the names of graphs (as N-Triples text) that hold nothing any more."""
    for graph in graphs:
        name = ox.NamedNode(graph[1:-1])
        if next(database.quads_for_pattern(None, None, None, name), None) is None:
            database.remove_graph(name)


def _write_data(verb: str, quads: Collection[Quad], triples: Collection[Triple]) -> str:
    if not quads and not triples:
        return ""
    by_graph: defaultdict[str, list[str]] = defaultdict(list)
    for s, p, o, g in quads:
        by_graph[g].append(f"{s} {p} {o} .")
    lines = [f"{verb} DATA {{", *(f"{s} {p} {o} ." for s, p, o in triples)]
    for graph, statements in by_graph.items():
        lines += [f"GRAPH {graph} {{", *statements, "}"]
    lines.append("} ;\n")
    return "\n".join(lines)


def _is_merged(database: ox.Store, triple: Triple) -> bool:
    return _quad(triple) in database


def _is_stated(database: ox.Store, triple: Triple, removed: Collection[Quad]) -> bool:
    """Tell whether a named graph still states a triple when the removed quads are gone."""
    quad = _quad(triple)
    # On disk the engine (0.5.13) also gives numbers behind one that ends in a byte of ones, such as
    # 256 with 255: what is found is looked at again.
    found = database.quads_for_pattern(quad.subject, quad.predicate, quad.object, None)
    named = (q for q in found if q.graph_name != _DEFAULT_GRAPH and q.object == quad.object)
    graphs = (str(q.graph_name) for q in named)
    return any((*triple, graph) not in removed for graph in graphs)


def _quad(triple: Triple) -> ox.Quad:
    subject, predicate = (ox.NamedNode(text[1:-1]) for text in triple[:2])
    return ox.Quad(subject, predicate, read_term(triple[2]), _DEFAULT_GRAPH)
