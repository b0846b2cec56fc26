"""What of the data is written out: all of it, one named graph, or what lies around an entity.

Floor 2. How it is written is the matter of the formats.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

import numpy as np

from graph.curation.statements import Statements, read_statements
from graph.errors import BadValueError, NotFoundError, QueryTooLargeError, UnknownTermError
from graph.settings import Settings
from graph.store.build import build_part
from graph.store.snapshot import Snapshot
from graph.terms import RZ, Quad, is_iri

#: Classes whose instances so much refers to that a way through them says nothing.
_CROSSINGS: Final = (f"{RZ}Source", f"{RZ}Territory")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Which statements: of one graph (an IRI), or within some steps of an entity (an IRI), or all.

    A step follows a statement in either direction. Sources, territories and what stands in the
    ontology (concepts, countries) are told of but not passed through.
    """

    graph: str | None = None
    entity: str | None = None
    depth: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole dataset."""
        return self.graph is None and self.entity is None


#: The whole dataset.
WHOLE: Final = Excerpt()


def read_excerpt(
    graph: str | None, entity: str | None, depth: str | None, settings: Settings
) -> Excerpt:
    """Return the excerpt that parameters or options describe.

    Raises
    ------
    BadValueError
        One of them cannot be used, or not with the others.
    """
    if graph is not None and entity is not None:
        raise BadValueError("entity", entity[:200], "to be given with `graph`: choose one of them")
    if depth is not None and entity is None:
        raise BadValueError("depth", depth[:40], "to be given without `entity`")
    for name, iri in (("graph", graph), ("entity", entity)):
        if iri is not None and not is_iri(iri):
            raise BadValueError(name, iri[:200], "an absolute IRI")
    steps = depth or "1"
    most = settings.export_depth
    if not (steps.isascii() and steps.isdigit() and len(steps) < 4 and int(steps) <= most):
        raise BadValueError("depth", steps[:40], f"a whole number from 0 to {most}")
    return Excerpt(graph, entity, min(int(steps), most))


def take_excerpt(snapshot: Snapshot, excerpt: Excerpt, limit: int) -> Statements:
    """Return the statements of an excerpt; `limit` is the most that lie around an entity.

    Raises
    ------
    UnknownTermError
        There is no such graph.
    NotFoundError
        Nothing is said of the entity.
    QueryTooLargeError
        There are more than `limit` statements around the entity.
    """
    if excerpt.graph is not None:
        graph = f"<{excerpt.graph}>"
        if not snapshot.graph_count(graph):
            raise UnknownTermError("graph", excerpt.graph[:200], _near(graph, snapshot))
        return read_statements(snapshot, graph)
    statements = read_statements(snapshot)
    if excerpt.entity is None:
        return statements
    return _around(statements, snapshot, excerpt, limit)


def cut_snapshot(snapshot: Snapshot, excerpt: Excerpt, limit: int) -> Snapshot:
    """Return a version that holds an excerpt, and what its sources say of themselves, alone.

    For what is written field by field. Ranks are those of the whole, since they are what sources
    state of themselves; so the same values answer. Revision and dataset hash are the whole's.

    Raises
    ------
    UnknownTermError, NotFoundError, QueryTooLargeError
        As `take_excerpt` does.

    Cost: about 10 microseconds a statement of the excerpt.
    """
    if excerpt.is_whole:
        return snapshot
    statements = take_excerpt(snapshot, excerpt, limit)
    quads: dict[Quad, None] = {}
    graphs: set[str] = set()
    for block in statements.blocks(by_graph=True):
        graphs.add(block.graph)
        for predicate, value, graph in block.statements:
            quads[block.subject, predicate, value, graph] = None
    for graph in sorted(graphs):
        quads.update(dict.fromkeys(q for q in snapshot.quads_of(graph) if q[3] == graph))
    return build_part(snapshot, quads)


def _around(statements: Statements, snapshot: Snapshot, excerpt: Excerpt, limit: int) -> Statements:
    """Return what is said of the entity and of all that is within some steps of it."""
    start = snapshot.number_of(f"<{excerpt.entity}>")
    size = 1 + int(max(statements.subjects.max(initial=0), statements.values.max(initial=0)))
    is_subject = np.zeros(size, np.bool_)
    is_subject[statements.subjects] = True
    if start is None or start >= size or not is_subject[start]:
        raise NotFoundError(str(excerpt.entity)[:200])
    passes = is_subject.copy()
    for iri in _CROSSINGS:
        crossings = np.array(snapshot.instances(iri), np.int64)
        passes[crossings[crossings < size]] = False
    reached = np.zeros(size, np.bool_)
    reached[start] = passes[start] = True
    for _ in range(excerpt.depth):
        through = reached & passes
        found = statements.values[through[statements.subjects]]
        back = statements.subjects[through[statements.values]]
        reached[found] = True
        reached[back] = True
        if np.count_nonzero(reached[statements.subjects]) > limit:
            break
    kept = reached[statements.subjects]
    count = int(np.count_nonzero(kept))
    if count > limit:
        raise QueryTooLargeError("export_statements", limit, count, "depth")
    return statements.where(kept)


def _near(graph: str, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the graphs whose IRIs are most like one that is not there."""
    known = [known[1:-1] for known in snapshot.graphs()]
    return tuple(difflib.get_close_matches(graph[1:-1], known, n=3, cutoff=0.8))
