"""The derived SPARQL store: Oxigraph on disk, advanced by commits and stamped with a revision.

Floor 1. Each source is a named graph; the real default graph holds the merged triples, so that a
triple stated by three sources counts once. The log is the truth: whatever is wrong here is found
by the stamp, by a count or by a scan, and mended by building anew. Nothing here answers queries.
"""

from __future__ import annotations

import errno
import logging
import shutil
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from graph.errors import StoreCorruptError, StoreError, StoreFullError, StoreUnavailableError
from graph.store.bulk import Piece, bulk_load, write_pieces
from graph.store.commit import Commit
from graph.store.directory import Change, Checkpoint, StoreDirectory
from graph.store.effect import (
    Effect,
    Quads,
    balance_commits,
    drop_empty_graphs,
    find_effect,
    removals,
    write_stamp,
    write_update,
)
from graph.store.scan import Scan, read_stamp, scan_store, write_quad
from graph.store.stamp import SYSTEM_GRAPH, Stamp, digest_quads, is_reserved
from graph.terms import Quad

_logger = logging.getLogger(__name__)

# One SPARQL Update is one transaction; its text costs 20 microseconds a quad up to 10,000 and
# 45 at 300,000, so a larger change goes in by pieces.
ATOMIC_STATEMENTS: Final = 20_000
#: What is kept of updates between two checkpoints, for workers that hold the store in memory.
UPDATE_CHARACTERS: Final = 1_000_000
#: What the engine raises when its files fail it: damage comes as either.
_FAILURES: Final = (OSError, RuntimeError)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXTS: Final = ("No space left", "quota exceeded", "File too large")


class OxigraphStore:
    """A folder with one live Oxigraph directory, a pointer to it, and checkpoints.

    `fault` says why the live directory cannot be used (damaged, half written, missing); then
    only `rebuild` and `close` work. One process writes; its calls are serialised by a lock.
    """

    def __init__(self, folder: Path, system_quads: Iterable[Quad]) -> None:
        self.folder = folder
        self.fault: str | None = None
        self._directory = StoreDirectory(folder)
        self._system = frozenset(system_quads)
        self._lock = threading.RLock()
        self._database: ox.Store | None = None
        self._stamp = Stamp(0, 0, 0, 0, digest_quads(self._system))
        self._published: Path | None = None
        #: Updates since that checkpoint, and graphs that they took from; None if there was more.
        self._updates: list[tuple[str, frozenset[str]]] | None = None

    @classmethod
    def open(cls, folder: Path, system_quads: Iterable[Quad]) -> OxigraphStore:
        """Return the store of a folder, made empty where there is none.

        Opening never fails for damage: `fault` says what is wrong, and the caller rebuilds.
        System quads (what the ontology states, in its own graph) are exchanged when they differ
        from those of the last time.

        Raises
        ------
        StoreUnavailableError
            Another process holds the store, or its files cannot be read.
        StoreFullError
            There is no room to create it.
        """
        store = cls(folder, system_quads)
        with store._lock:
            store._directory.drop_checkpoints()
            store._open()
        return store

    @property
    def revision(self) -> int:
        """Revision of the last commit applied."""
        return self._stamp.revision

    @property
    def dataset_hash(self) -> int:
        """Dataset hash at that revision."""
        return self._stamp.dataset_hash

    @property
    def quad_count(self) -> int:
        """Quads at that revision, without the system's and without the merged triples."""
        return self._stamp.quad_count

    def stamp(self) -> Stamp:
        """Return revision, hash and counts as they stand in the store."""
        return self._stamp

    def apply(self, commits: Sequence[Commit]) -> None:
        """Advance by commits: named graphs, merged triples and stamp in one transaction.

        A change of more than `ATOMIC_STATEMENTS` goes in by pieces under a stamp that says so;
        when it does not end, the store has a fault from then on.

        Raises
        ------
        ValueError
            The commits do not follow the store's revision, or write a reserved graph.
        StoreFullError, StoreCorruptError, StoreUnavailableError
            The engine could not write; the log still holds the commits.
        """
        if not commits:
            return
        with self._lock:
            database = self._ready()
            if [c.revision - self.revision for c in commits] != list(range(1, len(commits) + 1)):
                raise ValueError(f"the commits do not follow revision {self.revision}")
            added, removed = balance_commits(commits)
            for quad in chain(added, removed):
                if is_reserved(quad[3]):
                    raise ValueError(f"graph {quad[3]} is not for data")
            stamp = replace(
                self._stamp,
                revision=commits[-1].revision,
                dataset_hash=commits[-1].dataset_hash,
                quad_count=commits[-1].quad_count,
            )
            self._change(database, added, removed, stamp)

    def rebuild(
        self, quads: Iterable[Quad], revision: int, dataset_hash: int, quad_count: int
    ) -> None:
        """Build everything anew from quads; see `rebuild_from`.

        `quads` is the whole dataset at `revision`, each quad once, without system quads.
        """
        self.rebuild_from(write_pieces(quads), revision, dataset_hash, quad_count)

    def rebuild_from(
        self, pieces: Iterable[Piece], revision: int, dataset_hash: int, quad_count: int
    ) -> None:
        """Build everything anew in a new directory, then put it in the old one's place.

        The old directory stays until the new one is whole: a crash leaves the old one.

        Parameters
        ----------
        pieces : iterable of Piece
            The whole dataset at `revision`, each quad once, without system quads.
        revision, dataset_hash, quad_count : int
            What the log says of that revision.

        Raises
        ------
        StoreCorruptError
            The number of quads is not the one stated.
        StoreFullError, StoreUnavailableError
            The engine could not write.
        """
        with self._lock:
            directory = self._directory.next()
            try:
                database = ox.Store(str(directory))
                count = bulk_load(database, pieces)
                if count != quad_count:
                    detail = f"{count} quads to build from, {quad_count} stated"
                    raise StoreCorruptError(str(self.folder), detail)
                bulk_load(database, write_pieces(self._system))
                database.optimize()
                stamp = Stamp(
                    revision, dataset_hash, quad_count, len(database), digest_quads(self._system)
                )
                database.update(write_stamp(None, stamp))
                database.flush()
                self._directory.point_to(directory)
            except BaseException as error:
                shutil.rmtree(directory, ignore_errors=True)
                if isinstance(error, _FAILURES):
                    raise self._translate(error) from error
                raise
            self._database, self._stamp, self.fault = database, stamp, None
            self._updates = None

    def checkpoint(self) -> Checkpoint:
        """Return a new read-only copy for workers (hard links, about 30 ms at 1M quads).

        Raises
        ------
        StoreFullError, StoreCorruptError, StoreUnavailableError
            The copy could not be made.
        """
        with self._lock:
            database = self._ready()
            try:
                checkpoint = self._directory.next_checkpoint(self.revision)
                database.backup(str(checkpoint.path))
            except _FAILURES as error:
                raise self._translate(error) from error
            change = self._change_since(self._published)
            self._published, self._updates = checkpoint.path, []
            return checkpoint._replace(statements=self._stamp.total, change=change)

    def _change_since(self, published: Path | None) -> Change | None:
        if published is None or self._updates is None:
            return None
        graphs = frozenset[str]().union(*(graphs for _, graphs in self._updates))
        return Change(published, "".join(text for text, _ in self._updates), tuple(sorted(graphs)))

    def prune(self, in_use: Collection[Path]) -> None:
        """Delete every checkpoint that is neither in use nor the newest."""
        with self._lock:
            self._directory.prune_checkpoints(in_use)

    def quads(self) -> Iterator[Quad]:
        """Yield the dataset's quads, without the system's and without the merged triples."""
        for quad in self._ready():
            if isinstance(quad.graph_name, ox.NamedNode):
                written = write_quad(quad)
                if written[3] != SYSTEM_GRAPH:
                    yield written

    def verify(self, *, is_deep: bool = False) -> Scan:
        """Return what a full scan finds, in this process; see `Scan.faults`.

        Raises
        ------
        StoreCorruptError
            A block cannot be read, or the store has a fault.
        """
        try:
            return scan_store(self._ready(), is_deep=is_deep)
        except _FAILURES as error:
            raise self._translate(error) from error

    def reopen(self) -> None:
        """Open the directory again: an engine that met a full disk writes no more until then."""
        with self._lock:
            self._database = None
            self._open()

    def close(self) -> None:
        """Let go of the directory and delete the checkpoints."""
        with self._lock:
            self._database, self.fault = None, "it is closed"
            self._directory.drop_checkpoints()

    def _open(self) -> None:
        self.fault = self._updates = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            live = self._directory.live()
            if live is None:
                self.rebuild((), 0, 0, 0)
            else:
                self._directory.sweep(live)
                self._load(ox.Store(str(live)))
        except _FAILURES as error:
            translated = self._translate(error)
            if not isinstance(translated, StoreCorruptError):
                raise translated from error
            self._database, self.fault = None, translated.detail
        if self.fault is not None:
            _logger.warning("the derived store cannot be used: %s", self.fault)

    def _load(self, database: ox.Store) -> None:
        """Take a database that was opened, if its stamp is whole.

        Its statements are not counted: the engine would keep 35 MiB of blocks for it. A scan in a
        process of its own follows behind every start.
        """
        stamp = read_stamp(database)
        if stamp is None:
            # What a truncated MANIFEST looks like: a sound, empty store.
            self.fault = "it has no stamp"
        elif stamp.is_partial:
            self.fault = f"a large change after revision {stamp.revision} did not end"
        else:
            self._database, self._stamp = database, stamp
            self._exchange_system(database)

    def _exchange_system(self, database: ox.Store) -> None:
        digest = digest_quads(self._system)
        if self._stamp.system_digest == digest:
            return
        graph = ox.NamedNode(SYSTEM_GRAPH[1:-1])
        old = {write_quad(quad) for quad in database.quads_for_pattern(None, None, None, graph)}
        stamp = replace(self._stamp, system_digest=digest)
        self._change(database, set(self._system - old), old - self._system, stamp)

    def _change(self, database: ox.Store, added: Quads, removed: Quads, stamp: Stamp) -> None:
        is_bulk = len(added) + len(removed) > ATOMIC_STATEMENTS
        try:
            effect = find_effect(database, added, removed, is_bulk=is_bulk)
            if effect.size <= ATOMIC_STATEMENTS:
                stamp = replace(stamp, total=self._stamp.total + effect.growth)
                text = write_update(effect) + write_stamp(self._stamp, stamp)
                database.update(text)
                self._stamp = stamp
            else:
                text = ""
                self._change_by_pieces(database, effect, stamp)
            graphs = frozenset(quad[3] for quad in removed)
            drop_empty_graphs(database, graphs)
            self._note(text, graphs)
        except _FAILURES as error:
            if self._stamp.is_partial:
                self._database, self.fault = None, "a large change did not end"
            raise self._translate(error) from error

    def _note(self, text: str, graphs: frozenset[str]) -> None:
        """Note an update for those who hold the last checkpoint in memory; none, if it is long."""
        if self._updates is not None:
            self._updates.append((text, graphs))
            size = sum(len(each) for each, _ in self._updates)
            if not text or size > UPDATE_CHARACTERS:
                self._updates = None

    def _change_by_pieces(self, database: ox.Store, effect: Effect, stamp: Stamp) -> None:
        partial = replace(self._stamp, is_partial=True)
        database.update(write_stamp(self._stamp, partial))
        self._stamp = partial
        for piece in removals(effect, ATOMIC_STATEMENTS // 2):
            database.update(write_update(piece))
        bulk_load(database, write_pieces(effect.added))
        stamp = replace(stamp, total=len(database))
        database.update(write_stamp(partial, stamp))
        self._stamp = stamp

    def _ready(self) -> ox.Store:
        if self._database is None:
            raise StoreCorruptError(str(self.folder), self.fault or "it is not open")
        return self._database

    def _translate(self, error: Exception) -> StoreError:
        text = str(error)
        if getattr(error, "errno", None) in _FULL or any(full in text for full in _FULL_TEXTS):
            return StoreFullError(str(self.folder))
        if "lock" in text and ("unavailable" in text or "No locks available" in text):
            return StoreUnavailableError(f"another process holds the store at {self.folder}")
        if isinstance(error, PermissionError):
            return StoreUnavailableError(f"the store at {self.folder} cannot be read: {text}")
        return StoreCorruptError(str(self.folder), text[:500])
