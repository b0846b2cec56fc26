"""What was changed since a revision, read from the log, within bounds.

Floor 2. A change is told as the entities of which it says something; which statements they were is
the log's own matter. What a page costs is bounded by the commits and statements looked at, however
large they are: a page may be short, and says then that more follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from graph.curation.repeats import without_mark
from graph.store.log import Log
from graph.store.record import Header
from graph.store.snapshot import Snapshot
from graph.terms import RDF_TYPE, is_literal

#: Commits whose headers are looked at for one page.
_COMMITS_READ: Final = 5_000


#: Tells of the IRI of a graph whether a reader may read it.
Sees = Callable[[str], bool]


class ChangeKind(StrEnum):
    """What a commit did to an entity, seen from the sources that it touched."""

    STATED = "stated"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ChangedEntity:
    """An entity (IRI), the names of the classes that it has or had, and what became of it."""

    id: str
    types: tuple[str, ...]
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class Change:
    """One commit, as readers see it; `truncated` when it changed more than is listed."""

    revision: int
    time: str
    activity: str
    message: str
    source: str | None
    sources: tuple[str, ...]
    entities: tuple[ChangedEntity, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of changes.

    `last` is the revision after which the next page begins, `read` how many statements were.
    """

    items: tuple[Change, ...]
    last: int
    has_more: bool
    read: int


class _Reader:
    """Reads commits until the statements that one page may look at are used up."""

    def __init__(
        self, log: Log, snapshot: Snapshot, sees: Sees, entities_max: int, left: int
    ) -> None:
        self.log = log
        self.sees = sees
        self.snapshot = snapshot
        self.entities_max = entities_max
        self.left = left

    def read(self, header: Header, wanted: frozenset[str]) -> Change:
        found: dict[str, tuple[set[str], ChangeKind]] = {}
        truncated = False
        for is_added, (subject, predicate, value, _) in self.log.quads(header, self.sees):
            self.left -= 1
            if self.left < 0 or (subject not in found and len(found) >= self.entities_max):
                truncated = True
                break
            types, kind = found.setdefault(subject, (set(), ChangeKind.CHANGED))
            if predicate == RDF_TYPE and not is_literal(value):
                types.add(value[1:-1])
                kind = ChangeKind.STATED if is_added else ChangeKind.WITHDRAWN
                found[subject] = types, kind
        entities = tuple(self._entities(found, wanted))
        sources = tuple(filter(self.sees, header.graphs))
        return Change(
            revision=header.revision,
            time=header.time,
            activity=header.activity,
            # Of a commit that wrote elsewhere too, who knows what the message speaks of?
            message=without_mark(header.message) if sources == header.graphs else "",
            source=header.source if header.source and self.sees(header.source) else None,
            sources=sources,
            entities=entities,
            truncated=truncated,
        )

    def _entities(
        self, found: dict[str, tuple[set[str], ChangeKind]], wanted: frozenset[str]
    ) -> Iterator[ChangedEntity]:
        model = self.snapshot.model
        for subject, (types, kind) in found.items():
            known = {*types, *self.snapshot.types_of(subject)} & set(model.classes)
            if not wanted or any(wanted.intersection(model.ancestors[iri]) for iri in known):
                names = tuple(sorted(model.classes[iri].name for iri in known))
                yield ChangedEntity(subject[1:-1], names, kind)


def _everything(graph: str) -> bool:
    del graph
    return True


def read_changes(
    log: Log,
    snapshot: Snapshot,
    since: int,
    first: int,
    classes: Iterable[str] = (),
    *,
    entities_max: int,
    statements_max: int,
    sees: Sees = _everything,
) -> Changes:
    """Return the changes after a revision, the oldest first, up to the snapshot's revision.

    Parameters
    ----------
    since : int
        The last revision that the reader knows.
    first : int
        Changes at most.
    classes : IRIs
        Only entities of these classes, and only changes that have some; all when empty.
    entities_max : int
        Entities that are listed of one change.
    statements_max : int
        Statements of the log that are read.
    sees : callable
        Tells of the IRI of a graph whether the reader may read it now; a commit that wrote
        nowhere else is passed over.
    """
    wanted = frozenset(classes)
    reader = _Reader(log, snapshot, sees, entities_max, statements_max)
    items: list[Change] = []
    last = since
    for looked, header in enumerate(log.headers(since)):
        if header.revision > snapshot.revision:
            break
        if len(items) >= first or looked >= _COMMITS_READ or reader.left <= 0:
            return Changes(tuple(items), last, True, statements_max - max(0, reader.left))
        if not any(map(sees, header.graphs)):
            last = header.revision
            continue
        change = reader.read(header, wanted)
        if change.entities or change.truncated or not wanted:
            items.append(change)
        last = header.revision
    return Changes(tuple(items), last, False, statements_max - max(0, reader.left))
