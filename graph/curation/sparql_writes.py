"""SPARQL Update and graphs of the Graph Store Protocol, written through the gate.

Floor 2. What a text does is found out by a worker on a copy; what came of it is a change of quads
like any other, which the gate validates and records. It counts only if the graphs that it writes
are still those of the copy; else it is worked out again. Nothing here knows of HTTP.
"""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from graph.access import Scope, Viewer
from graph.curation.editing import RANK
from graph.curation.formats import FORMATS, Upload, read_rdf
from graph.curation.gate import Gate, Receipt
from graph.curation.levels import Sight
from graph.curation.mutations import require_scope
from graph.curation.owners import Owners
from graph.errors import (
    BadValueError,
    ForbiddenError,
    NotFoundError,
    ParseError,
    PreconditionError,
    ProvenanceMissingError,
    StoreUnavailableError,
    WriteConflictError,
)
from graph.store.commit import Change
from graph.store.copies import CopyWriter, copy_store
from graph.store.query import RdfText
from graph.store.reading import read_line
from graph.store.stopping import Stop
from graph.store.updates import CheckedUpdate, check_update
from graph.store.writes import Held, Update, Written
from graph.terms import Quad

#: Activities of the commits that are written here.
UPDATE: Final = "sparql update"
GRAPH_STORE: Final = "graph store"
#: Folder of the copies, within that of the store.
FOLDER: Final = "updates"
#: How often an update is worked out anew when the graphs changed meanwhile.
_RETRIES: Final = 3
#: How long commits that are under way, or a turn, are waited for, each time.
_PAUSE_S: Final = 0.05
#: Commits that are looked through for whether one changed a graph; of more it is taken for granted.
_COMMITS_READ: Final = 1_000
_FORMATS: Final = {known.key: known for known in FORMATS}


class _StaleError(Exception):
    """The graphs changed since the copy was made."""


@dataclass(frozen=True, slots=True)
class _Effect:
    """What an update does: quads in order, and the revision of the copy, None if it read none."""

    added: tuple[Quad, ...]
    removed: tuple[Quad, ...]
    revision: int | None

    @property
    def graphs(self) -> set[str]:
        """IRIs of the graphs that change."""
        return {quad[3][1:-1] for quad in (*self.added, *self.removed)}


class SparqlWrites:
    """Takes updates and graphs for one gate. Methods may be called from any thread."""

    def __init__(self, gate: Gate, owners: Owners) -> None:
        self._gate = gate
        self._owners = owners
        self._dataset = gate.dataset
        self._settings = gate.settings
        self._folder = gate.settings.store / FOLDER
        shutil.rmtree(self._folder, ignore_errors=True)  # of a process that was killed
        self._turns = threading.BoundedSemaphore(max(1, gate.settings.sparql_updates))
        self._numbers = itertools.count()
        self._writer = CopyWriter(gate.settings, stands_by=False)

    def admit(self, viewer: Viewer) -> None:
        """Check that a viewer's token has the scope, and that changes are taken here.

        Raises
        ------
        UnauthenticatedError, ForbiddenError
            There is none, or it has not.
        ReplicaError
            This is a read replica.
        """
        require_scope(viewer, Scope.WRITE)
        self._dataset.require_writer()

    def update(self, update: Update, viewer: Viewer) -> Written:
        """Run an update as one commit, or refuse it whole.

        Raises
        ------
        UnauthenticatedError, ForbiddenError
            The viewer may not write, or not into one of the graphs.
        BadValueError
            It names no graph, and the token no source.
        QuerySyntaxError, QueryTooLargeError, QueryTimeoutError, QueryMemoryError
            It is none, may not be tried, or fails.
        ShapeViolationError, ProvenanceMissingError
            The gate does not take what comes of it.
        WriteConflictError
            Others changed the same graphs during every attempt.
        QueryStoppedError
            It was told to stop before it was worked out.
        """
        self.admit(viewer)
        source = _source_of(viewer)
        checked = check_update(
            update.text, self._settings, update.using, update.using_named, source
        )
        if checked.is_sweeping:
            raise ForbiddenError("to clear graphs that are not named: name each by GRAPH")
        if checked.writes_default and source is None:
            raise BadValueError("update", "no graph", _NAME_A_SOURCE)
        for _ in range(_RETRIES + 1):
            effect = self._work_out(checked, update, viewer)
            update.stop.require_going()
            try:
                return Written(self._record(effect, viewer, UPDATE, source)[0].revision)
            except _StaleError:
                continue
        raise WriteConflictError(_RETRIES + 1)

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
        """Put RDF into a source's graph as one commit; None stands for the token's source.

        Raises
        ------
        UnauthenticatedError, ForbiddenError, BadValueError
            As for an update.
        ParseError, PayloadTooLargeError
            It cannot be read.
        ShapeViolationError, ProvenanceMissingError
            The gate does not take it.
        PreconditionError
            The graph is not as it is `held` to be.
        """
        self.admit(viewer)
        source = _require_source(graph, viewer)
        uploads = [Upload("the body", _FORMATS[text.format], text.data) for text in texts]
        parsed = (_one_graph(read_rdf(each, self._settings, base), each) for each in uploads)
        added = tuple(self._gate.read(parsed, source))
        effect = _Effect(added, (), None)
        return self._replace(source, effect, viewer, held, is_replaced=is_replaced)

    def drop(self, graph: str | None, viewer: Viewer, held: Held | None = None) -> Written:
        """Take away what a source states, as one commit.

        Raises
        ------
        NotFoundError
            There is no such graph.
        PreconditionError
            The graph is not as it is `held` to be.
        UnauthenticatedError, ForbiddenError, BadValueError, ShapeViolationError
            As for an update.
        """
        self.admit(viewer)
        source = _require_source(graph, viewer)
        if not self._dataset.snapshot_for(viewer).graph_count(f"<{source}>"):
            if held is not None and held.exists:
                raise PreconditionError(held.condition, source)
            raise NotFoundError(source)
        effect = _Effect((), (), None)
        return self._replace(source, effect, viewer, held, is_replaced=True)

    def close(self) -> None:
        """End the worker, and delete the copies."""
        self._writer.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- what an update does ------------------------------------------------------------------

    def _work_out(self, checked: CheckedUpdate, update: Update, viewer: Viewer) -> _Effect:
        deadline_s, stop = viewer.query_deadline_s, update.stop
        message: dict[str, Any] = {"base": update.base, "parts": checked.parts}
        message["statements_max"] = self._settings.sparql_changes
        self._take_turn(stop)
        folder = self._folder / str(next(self._numbers))
        try:
            stop.require_going()
            if checked.is_data:
                message |= {"do": "data", "pieces": checked.pieces}
                _, lines = self._writer.run(message, checked.text.encode(), deadline_s, stop)
                return self._read_effect(lines, None)
            origin, copy, revision = self._copy(viewer, folder)
            message |= {"do": "update", "path": str(copy), "origin": str(origin)}
            message["graphs"] = checked.graphs
            _, lines = self._writer.run(message, checked.text.encode(), deadline_s, stop)
            return self._read_effect(lines, revision)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._turns.release()

    def _take_turn(self, stop: Stop) -> None:
        """Wait until few enough updates are worked out, unless told to stop."""
        deadline = time.monotonic() + self._settings.sparql_queue_s
        while not self._turns.acquire(timeout=_PAUSE_S):
            stop.require_going()
            if time.monotonic() > deadline:
                raise StoreUnavailableError("other updates are being worked out; try again")

    def _copy(self, viewer: Viewer, folder: Path) -> tuple[Path, Path, int]:
        """Return two copies of the newest checkpoint, one of them to be changed, and its revision.

        In a folder; of the viewer's level. Both, since the checkpoint itself is deleted when
        readers have moved on.
        """
        dataset, wait_s = self._dataset, self._settings.revision_wait_s
        follower = dataset.follower_for(viewer, wait_s)
        if follower is None or not follower.wait_for(dataset.revision, wait_s):
            raise StoreUnavailableError("the SPARQL store is behind; try again")
        checkpoint = follower.checkpoint
        origin, copy = folder / "origin", folder / "copy"
        copy_store(checkpoint.path, origin)
        copy_store(origin, copy)
        return origin, copy, checkpoint.revision

    def _read_effect(self, lines: bytes, revision: int | None) -> _Effect:
        """Return the effect that a worker's lines tell, normalised; what comes later wins.

        Blank nodes are named by all that is said of them: of data, by each run of one sign; of the
        difference of a copy, whose lines have no order, by all that is added.
        """
        state: dict[Quad, bool] = {}
        signed: Iterable[tuple[str, str, str]]
        signed = (line.partition("\t") for line in lines.decode().split("\n")[:-1])
        if revision is not None:
            signed = sorted(signed, key=lambda parts: parts[0] == "+")
        for sign, run in groupby(signed, key=lambda parts: parts[0]):
            quads = self._gate.read([[read_line(text) for _, _, text in run]])
            state.update(dict.fromkeys(quads, sign == "+"))
        added, removed = (tuple(q for q, kept in state.items() if kept is k) for k in (True, False))
        return _Effect(added, removed, revision)

    # --- the commit ---------------------------------------------------------------------------

    def _replace(
        self,
        source: str,
        effect: _Effect,
        viewer: Viewer,
        held: Held | None,
        *,
        is_replaced: bool,
    ) -> Written:
        for _ in range(_RETRIES + 1):
            try:
                receipt, existed = self._record(
                    effect,
                    viewer,
                    GRAPH_STORE,
                    source,
                    graph=source,
                    is_emptied=is_replaced,
                    held=held,
                )
                return Written(receipt.revision, existed)
            except _StaleError:  # commits are under way: what they change is known in a moment
                time.sleep(_PAUSE_S)
        raise WriteConflictError(_RETRIES + 1)

    def _record(
        self,
        effect: _Effect,
        viewer: Viewer,
        activity: str,
        source: str | None,
        *,
        graph: str | None = None,
        is_emptied: bool = False,
        held: Held | None = None,
    ) -> tuple[Receipt, bool]:
        """Record an effect; `graph` was named, and nothing else of it stays if `is_emptied`.

        Returns also whether that graph was there before.
        """
        graphs, existed = effect.graphs | ({graph} if graph else set()), True

        def decide(sight: Sight) -> tuple[Iterable[Quad], Iterable[Quad]]:
            nonlocal existed
            self._owners.require_valid(viewer)
            for each in sorted(graphs):
                self._owners.require_own(each, viewer, sight)
            self._refuse_ranks(effect)
            if graph is not None:
                existed = sight.snapshot.graph_count(f"<{graph}>") > 0
                self._require_held(held, graph, sight, exists=existed)
                if not existed and not effect.added:
                    raise ProvenanceMissingError(graph)  # nothing would be there
            if effect.revision is not None and self._is_stale(effect.revision, graphs, sight):
                raise _StaleError
            removed = set(effect.removed)
            if is_emptied:
                removed |= set(sight.snapshot.quads(f"<{graph}>")) - set(effect.added)
            for each in graphs:
                self._owners.begin(each, viewer)
            return effect.added, removed

        message = f"{activity}: {len(graphs)} graphs"
        change = Change((), (), viewer.name, activity, message, source)
        try:
            return self._gate.settle(change, decide, level=viewer.level), existed
        finally:
            for each in graphs:
                self._owners.settle(each)

    def _refuse_ranks(self, effect: _Effect) -> None:
        """Refuse to set the rank of a source: curators alone do (DESIGN 4a, rule 2).

        Nobody writes the seeds, whose ranks go with all else that they state: the gate says so.
        """
        ranks = (quad for quad in (*effect.added, *effect.removed) if quad[1] == f"<{RANK}>")
        if not all(self._gate.is_seed(quad[3][1:-1]) for quad in ranks):
            raise ForbiddenError("to set the rank of a source")

    def _require_held(self, held: Held | None, graph: str, sight: Sight, *, exists: bool) -> None:
        """Refuse to write a graph that is not what the client takes it to be.

        Raises
        ------
        PreconditionError
        _StaleError
            Commits are under way that may change it.
        """
        if held is None:
            return
        seen, newest, log = held.revision, sight.levels.revision, self._dataset.log
        changed = seen is not None and seen > newest
        if seen is not None and seen < newest:
            if log.revision != newest:
                raise _StaleError
            changed = newest - seen > _COMMITS_READ or self._is_stale(seen, {graph}, sight)
        if changed or (held.exists is not None and held.exists is not exists):
            raise PreconditionError(held.condition, graph)

    def _is_stale(self, revision: int, graphs: set[str], sight: Sight) -> bool:
        """Tell whether one of the graphs changed since a revision."""
        log = self._dataset.log
        if sight.levels.revision == revision:
            return False
        if log.revision != sight.levels.revision:
            return True  # a commit is under way: the careful answer
        return any(graphs.intersection(header.graphs) for header in log.headers(revision))


_NAME_A_SOURCE: Final = "GRAPH and the IRI of a source: the token names no single one of its own"


def _source_of(viewer: Viewer) -> str | None:
    """Return the source that a token writes where no graph is named: the one that it names."""
    return next(iter(viewer.sources)) if len(viewer.sources) == 1 else None


def _require_source(graph: str | None, viewer: Viewer) -> str:
    source = _source_of(viewer) if graph is None else graph
    if source is None:
        raise BadValueError("graph", "default", _NAME_A_SOURCE)
    return source


def _one_graph(quads: Iterable[Quad], upload: Upload) -> Iterable[Quad]:
    for quad in quads:
        if quad[3]:
            detail = "one graph is written: the text holds named graphs of its own"
            raise ParseError(upload.name, upload.format.label, detail, None, None)
        yield quad
