"""Change and commit: what is asked, and what was recorded.

Floor 1. Both are plain frozen records; a commit holds the effective change only, in one fixed
order, so that replaying it anywhere gives the same bytes. Nothing here writes or validates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final, Protocol

from graph.errors import Violation
from graph.terms import HASH_MODULUS, Quad, hash_dataset

#: The hash that stands before the first record.
NO_HASH: Final = "0" * 64
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """What someone asks for: quads to add and to remove, who asks, and why.

    `agent` names the actor (a token's name, `command line`, ...), `activity` the kind of act
    (`load`, `seeds`, `mutation` ...), `source` the IRI of the source that it comes from, if
    there is one; `warnings` are results of validation that do not block.
    """

    added: tuple[Quad, ...]
    removed: tuple[Quad, ...]
    agent: str
    activity: str
    message: str
    source: str | None = None
    warnings: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """One recorded change.

    `added` and `removed` are the effective change, sorted by graph, subject, predicate and
    object, without a quad in both. `previous` is the SHA-256 (hex) of the header before, or 64
    zeros; the log fills it in, so that a commit not yet recorded has it empty. `time` is UTC in
    ISO 8601 with microseconds and `Z`. `ontology` is the version that it was validated with.
    `dataset_hash` and `quad_count` describe the dataset after it.
    """

    revision: int
    previous: str
    time: str
    agent: str
    activity: str
    message: str
    source: str | None
    ontology: str
    added: tuple[Quad, ...]
    removed: tuple[Quad, ...]
    warnings: tuple[Violation, ...]
    dataset_hash: int
    quad_count: int


class Position(Protocol):
    """A place in the history: what the next commit follows. The log and a commit both are one."""

    @property
    def revision(self) -> int:
        """Number of the last commit; 0 before the first."""
        ...

    @property
    def time(self) -> str:
        """Time of the last commit; empty before the first."""
        ...

    @property
    def dataset_hash(self) -> int:
        """Dataset hash after the last commit; 0 for the empty dataset."""
        ...

    @property
    def quad_count(self) -> int:
        """Quads after the last commit."""
        ...


def sort_quads(quads: Iterable[Quad]) -> tuple[Quad, ...]:
    """Return the quads without duplicates, by graph, subject, predicate and object."""
    by_graph: dict[str, set[Quad]] = {}
    for quad in quads:
        by_graph.setdefault(quad[3], set()).add(quad)
    return tuple(chain.from_iterable(sorted(by_graph[graph]) for graph in sorted(by_graph)))


def follow(
    last: Position,
    change: Change,
    added: Iterable[Quad],
    removed: Iterable[Quad],
    ontology: str,
    now: datetime | None = None,
) -> Commit:
    """Return the commit that follows `last`, not yet recorded.

    Parameters
    ----------
    last : Position
        The log, or the commit before it when several are recorded together.
    change : Change
        Who, why and from what source.
    added, removed : iterables of Quad
        The effective change: only quads that are absent, and present, before it. Anything else
        would make hash and count drift away from the dataset.
    ontology : str
        Version of the ontology.
    now : datetime, aware
        Time of the commit; the clock's when None. A clock that went back is not believed: the
        time is at least a microsecond after that of `last`.
    """
    added, removed = sort_quads(added), sort_quads(removed)
    balance = hash_dataset(added) - hash_dataset(removed)
    return Commit(
        revision=last.revision + 1,
        previous="",
        time=write_time(_later(now or datetime.now(UTC), last.time)),
        agent=change.agent,
        activity=change.activity,
        message=change.message,
        source=change.source,
        ontology=ontology,
        added=added,
        removed=removed,
        warnings=change.warnings,
        dataset_hash=(last.dataset_hash + balance) % HASH_MODULUS,
        quad_count=last.quad_count + len(added) - len(removed),
    )


def write_time(time: datetime) -> str:
    """Return an aware time as UTC in ISO 8601 with microseconds and `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    """Return the time that `write_time` wrote."""
    return datetime.fromisoformat(text)


def _later(now: datetime, last: str) -> datetime:
    return max(now, read_time(last) + _TICK) if last else now
