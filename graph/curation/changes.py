"""What was changed since a revision, read from the log, within bounds.

Floor 2. A change is told as the entities of which it says something; which statements they were is
the log's own matter. What a page costs is bounded by the commits and statements looked at, however
large they are: a page may be short, and says then that more follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    def __init__(self, log: Log, snapshot: Snapshot, entities_max: int, left: int) -> None:
        self.log = log
        self.snapshot = snapshot
        self.entities_max = entities_max
        self.left = left

    def read(self, header: Header, wanted: frozenset[str]) -> Change:
        found: dict[str, tuple[set[str], ChangeKind]] = {}
        truncated = False
        for is_added, (subject, predicate, value, _) in self.log.quads(header):
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
        return Change(
            revision=header.revision,
            time=header.time,
            activity=header.activity,
            message=without_mark(header.message),
            source=header.source,
            sources=header.graphs,
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


def read_changes(
    log: Log,
    snapshot: Snapshot,
    since: int,
    first: int,
    classes: Iterable[str] = (),
    *,
    entities_max: int,
    statements_max: int,
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
    """
    wanted = frozenset(classes)
    reader = _Reader(log, snapshot, entities_max, statements_max)
    items: list[Change] = []
    last = since
    for looked, header in enumerate(log.headers(since)):
        if header.revision > snapshot.revision:
            break
        if len(items) >= first or looked >= _COMMITS_READ or reader.left <= 0:
            return Changes(tuple(items), last, True, statements_max - max(0, reader.left))
        change = reader.read(header, wanted)
        if change.entities or change.truncated or not wanted:
            items.append(change)
        last = header.revision
    return Changes(tuple(items), last, False, statements_max - max(0, reader.left))
