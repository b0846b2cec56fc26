"""What the SPARQL endpoints ask of whoever writes, and the writer of a bare dataset.

Floor 1. Updates and graphs are written through one small interface, which the dataset with its
gate and the bare one both have. Its methods wait, so endpoints call them in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from graph.access import Viewer
from graph.errors import BadValueError
from graph.settings import Settings
from graph.store.plain import PlainStore
from graph.store.query import RdfText
from graph.store.stopping import Stop
from graph.store.updates import check_update


@dataclass(frozen=True, slots=True)
class Update:
    """An update as it was asked: its text, the graphs that the protocol names, and its base.

    `stop` ends it while it is being worked out; once it is being recorded it is done.
    """

    text: str
    using: tuple[str, ...]
    using_named: tuple[str, ...]
    base: str | None
    stop: Stop = field(default_factory=Stop, compare=False)


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: the revision that holds it, and whether the graph was there before."""

    revision: int
    existed: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """What a client takes a graph to be; else nothing is written.

    As it was at a `revision`, which the `condition` names as the client does; there at all, or not
    there (`exists`).
    """

    condition: str
    revision: int | None = None
    exists: bool | None = None


class Writes(Protocol):
    """Who takes updates and graphs; each is done whole or not at all."""

    def admit(self, viewer: Viewer) -> None:
        """Check, before anything is read, that a viewer may write at all."""
        ...

    def update(self, update: Update, viewer: Viewer) -> Written:
        """Run an update."""
        ...

    def put(
        self,
        graph: str | None,
        texts: Sequence[RdfText],
        base: str | None,
        viewer: Viewer,
        *,
        is_replaced: bool,
        held: Held | None = None,
    ) -> Written:
        """Put RDF into a graph (None: the default one), in the place of what is there or beside."""
        ...

    def drop(self, graph: str | None, viewer: Viewer, held: Held | None = None) -> Written:
        """Take a graph away."""
        ...


class PlainWrites:
    """Writes a bare dataset: anyone may, and nothing is checked but the text."""

    def __init__(self, store: PlainStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def admit(self, viewer: Viewer) -> None:
        """Let everyone write."""

    def update(self, update: Update, viewer: Viewer) -> Written:
        """Run an update.

        Raises
        ------
        QuerySyntaxError, QueryTooLargeError, ForbiddenError
            It is none, may not be tried, or fails.
        QueryStoppedError
            It was told to stop.
        """
        checked = check_update(update.text, self._settings, update.using, update.using_named)
        seconds, text = viewer.query_deadline_s, checked.text
        revision = self._store.update(text, update.base, seconds, checked.parts, update.stop)
        return Written(revision)

    def put(
        self,
        graph: str | None,
        texts: Sequence[RdfText],
        base: str | None,
        viewer: Viewer,
        *,
        is_replaced: bool,
        held: Held | None = None,
    ) -> Written:
        """Put RDF into a graph.

        Raises
        ------
        ParseError, PayloadTooLargeError
            It cannot be read.
        BadValueError
            There is a condition: of a bare graph nobody knows when it changed.
        """
        _refuse_condition(held)
        deadline_s = viewer.query_deadline_s
        revision, existed = self._store.put(
            graph or "", texts, base or "", deadline_s, is_replaced=is_replaced
        )
        return Written(revision, existed)

    def drop(self, graph: str | None, viewer: Viewer, held: Held | None = None) -> Written:
        """Take a graph away; the default graph is emptied.

        Raises
        ------
        NotFoundError
            There is no such graph.
        BadValueError
            There is a condition.
        """
        _refuse_condition(held)
        text = "CLEAR DEFAULT" if graph is None else f"DROP GRAPH <{graph}>"
        return Written(self._store.update(text, None, viewer.query_deadline_s))


def _refuse_condition(held: Held | None) -> None:
    if held is not None:
        raise BadValueError("condition", held.condition[:80], "none, in the plain profile")
