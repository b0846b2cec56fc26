"""The log: the append-only sequence of commits, the truth that everything else is derived from.

Floor 1. A folder with `headers` (one chained record a commit) and `graphs/` (one payload file a
named graph). Payloads are written and synced first, the records last; the sync of the records is
the acknowledgement. Nothing here validates, or knows of snapshots and stores.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from graph.errors import StoreCorruptError, StoreError, StoreFullError, StoreUnavailableError
from graph.store.commit import NO_HASH, Commit
from graph.store.patch import Part, write_all
from graph.store.payloads import Payloads, PayloadWriter, set_aside, sync_folder
from graph.store.record import (
    Header,
    Record,
    RecordError,
    commit_of,
    head_of,
    read_line,
    read_records,
    write_record,
)
from graph.terms import Quad

_log = logging.getLogger("rhizome.store")


#: What a disk or quota says that is full.
FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Copy:
    """A commit as another log holds it: the line of its record, and its payloads as stored.

    They stand in an open `file`, each at its place of `places`, in the order of the record.
    """

    line: bytes
    file: int
    places: tuple[int, ...]


class Log:
    """The log in one folder, open for one writer and any number of reading threads.

    `revision`, `head` (digest of the last record), `time`, `dataset_hash` and `quad_count`
    describe the last commit; 0, 64 zeros, "", 0 and 0 before the first. `writers` gives the
    activity of the last commit that touched each graph (IRI), `authors` the agent of the first,
    `latest` the last revision of each activity. `torn` names the files in which a stopped write
    left something behind, which the next append moves into the folder `orphans`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.revision = 0
        self.head = NO_HASH
        self.time = ""
        self.dataset_hash = 0
        self.quad_count = 0
        self.writers: dict[str, str] = {}
        self.authors: dict[str, str] = {}
        self.latest: dict[str, int] = {}
        self.torn: tuple[Path, ...] = ()
        self._path = folder / "headers"
        self._payloads = Payloads(folder / "graphs")
        self._starts = array("Q")  # first byte of each record
        self._end = 0  # byte after the last acknowledged record
        self._refusal: str | None = None  # why nothing can be appended any more
        self._writing = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> Log:
        """Return the log in `folder` (made when absent), every record and payload verified.

        A last record or payload that a stopped write left unfinished does not count; the next
        append moves it away, so that opening alone changes nothing: whoever finds a derived
        store ahead of the log can still look at the whole.

        Raises
        ------
        StoreCorruptError
            A whole record or payload is not what was written, one is missing, or the chain is
            broken; the message names file, record and byte.
        StoreUnavailableError
            The folder cannot be read or made.
        """
        log = cls(folder)
        try:
            log._prepare()
            parts: dict[str, list[tuple[int, Part]]] = {}
            with log._path.open("rb") as file, log._damage_named():
                for record in read_records(file):
                    log._step(record)
                    for part in record.header.parts:
                        parts.setdefault(part.graph, []).append((record.header.revision, part))
            for graph, expected in parts.items():
                log._payloads.verify(graph, expected)
            log._find_torn()
        except OSError as error:
            raise StoreUnavailableError(f"the log in {folder} cannot be read: {error}") from error
        return log

    def append(self, commits: Sequence[Commit]) -> tuple[Commit, ...]:
        """Record commits and return them with `previous` filled in; on return they are durable.

        Several commits share one sync of each file.

        Raises
        ------
        StoreFullError
            No room; the log is as before.
        StoreUnavailableError
            The disk failed; the log is as before and refuses more until it is opened anew.
        ValueError
            The commits do not follow the last one: a bug of the caller.
        """
        with self._writing:
            if self._refusal:
                raise StoreUnavailableError(self._refusal)
            records = self._write(lambda writer: self._write_payloads(writer, commits))
        previous = [record.header.previous for record in records]
        return tuple(replace(c, previous=p) for c, p in zip(commits, previous, strict=True))

    def append_copies(self, copies: Sequence[Copy]) -> None:
        """Record commits of another log byte for byte; on return they are durable.

        Raises
        ------
        StoreFullError, StoreUnavailableError
            As for `append`.
        ValueError
            They do not follow the last one: a bug of the caller, who verifies them.
        """
        with self._writing:
            if self._refusal:
                raise StoreUnavailableError(self._refusal)
            self._write(lambda writer: self._copy_payloads(writer, copies))

    def place_of(self, graph: str) -> int:
        """Return the byte at which the next payload of a graph (IRI) begins."""
        return self._payloads.ends.get(graph, 0)

    def headers(self, since: int = 0) -> Iterator[Header]:
        """Yield the headers of the commits after revision `since`, up to the one now."""
        return (record.header for record in self.records(since))

    def records(self, since: int = 0) -> Iterator[Record]:
        """Yield the records of the commits after revision `since`, up to the one now."""
        last = self.revision
        if since >= last:
            return
        with self._path.open("rb") as file, self._damage_named():
            for record in read_records(file, self._starts[since], since + 1, previous=None):
                yield record
                if record.header.revision >= last:
                    return

    def quads(
        self, header: Header, sees: Callable[[str], bool] | None = None
    ) -> Iterator[tuple[bool, Quad]]:
        """Yield the change of one commit, graph by graph: whether a quad is added, and the quad.

        `sees` tells of the IRI of a graph whether it is read. Memory stays bounded however large
        the commit is.

        Raises
        ------
        StoreCorruptError
            A payload is not what was written.
        """
        for part in header.parts:
            if sees is None or sees(part.graph):
                yield from self._payloads.read(header.revision, part)

    def states(self, revision: int, dataset_hash: int, quad_count: int) -> bool:
        """Tell whether these are hash and count that the log states of a revision."""
        if revision == 0:
            return (dataset_hash, quad_count) == (0, 0)
        header = next(iter(self.headers(revision - 1)), None)
        return header is not None and (header.dataset_hash, header.quad_count) == (
            dataset_hash,
            quad_count,
        )

    def text(self, revision: int, part: Part) -> Iterator[bytes]:
        """Yield one payload of a commit as RDF Patch lines, whole lines at a time.

        Raises
        ------
        StoreCorruptError
            The payload is not what was written.
        """
        return self._payloads.read_text(revision, part)

    def stored(self, revision: int, part: Part) -> Iterator[bytes]:
        """Yield one payload of a commit as it is stored.

        Raises
        ------
        StoreCorruptError
            The payload is not what was written; told after its last byte.
        """
        return self._payloads.read_stored(revision, part)

    def commits(self, since: int = 0) -> Iterator[Commit]:
        """Yield the commits after revision `since`, each held in memory whole."""
        for header in self.headers(since):
            yield self.read(header)

    def read(self, header: Header) -> Commit:
        """Return the commit of a header, with its quads."""
        return commit_of(header, self.quads(header))

    def close(self) -> None:
        """Refuse appends from now on; what was acknowledged is on the disk already."""
        with self._writing:
            self._refusal = "the log is closed"

    def _prepare(self) -> None:
        """Make the folder and an empty header file, unless payloads say that one is lost."""
        graphs = self._payloads.folder
        graphs.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            return
        if any(graphs.iterdir()):
            raise StoreCorruptError(str(self._path), "is missing, but payloads are there")
        self._path.touch()
        for folder in (graphs, self.folder, self.folder.parent):
            sync_folder(folder)

    def _step(self, record: Record) -> None:
        """Take a record as the last one; the revision last, since readers look at it."""
        header = record.header
        self._starts.append(record.start)
        self._end, self.head, self.time = record.end, record.digest, header.time
        self.dataset_hash, self.quad_count = header.dataset_hash, header.quad_count
        self.latest[header.activity] = header.revision
        self.writers.update(dict.fromkeys(header.graphs, header.activity))
        for graph in header.graphs:
            self.authors.setdefault(graph, header.agent)
        self.revision = header.revision

    def _find_torn(self) -> None:
        headers = [self._path] if self._path.stat().st_size != self._end else []
        self.torn = (*headers, *self._payloads.torn())

    def _cut_torn(self) -> None:
        """Cut away what no record acknowledges, and keep it aside for whoever misses it."""
        if not self.torn:
            return
        orphans = self.folder / "orphans"
        moved = self._payloads.cut(orphans)
        if self._path.stat().st_size > self._end:
            moved.append(set_aside(self._path, orphans, self._end))
        self.torn = ()
        for path in moved:
            _log.warning("bytes that no record acknowledges were moved to %s", path)

    def _write(self, write: Callable[[PayloadWriter], tuple[list[Record], bytes]]) -> list[Record]:
        """Make durable what a function writes, payloads first, or leave the log as it was."""
        writer = PayloadWriter(self._payloads)
        try:
            self._cut_torn()
            records, lines = write(writer)
            writer.sync()
            self._write_headers(lines)
        except OSError as error:
            self._undo(writer, error)
            raise self._translate(error) from error
        except BaseException:
            self._undo(writer)
            raise
        writer.keep()
        for record in records:
            self._step(record)
        return records

    def _copy_payloads(
        self, writer: PayloadWriter, copies: Sequence[Copy]
    ) -> tuple[list[Record], bytes]:
        """Write the payloads of copied commits; return their records and the lines to write."""
        records: list[Record] = []
        lines = bytearray()
        revision, previous = self.revision, self.head
        for copy in copies:
            record = read_line(copy.line, self._end + len(lines), revision + 1, previous)
            for part, place in zip(record.header.parts, copy.places, strict=True):
                writer.copy(part, copy.file, place)
            lines += copy.line
            records.append(record)
            revision, previous = record.header.revision, record.digest
        return records, bytes(lines)

    def _write_payloads(
        self, writer: PayloadWriter, commits: Sequence[Commit]
    ) -> tuple[list[Record], bytes]:
        """Write the payloads of commits; return their records and the lines to write."""
        records: list[Record] = []
        lines = bytearray()
        revision, time, previous = self.revision, self.time, self.head
        for commit in commits:
            if commit.revision != revision + 1 or commit.time <= time:
                raise ValueError(f"commit {commit.revision} of {commit.time} does not follow")
            header = head_of(commit, previous, writer.write(commit))
            line, digest = write_record(header)
            start = self._end + len(lines)
            lines += line
            records.append(Record(header, line, digest, start, start + len(line)))
            revision, time, previous = commit.revision, commit.time, digest
        return records, bytes(lines)

    def _write_headers(self, lines: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY)
        try:
            write_all(file, lines, self._end)
            os.fdatasync(file)
        finally:
            os.close(file)

    def _undo(self, writer: PayloadWriter, error: OSError | None = None) -> None:
        """Cut the files back to what is acknowledged; a log that cannot refuses from then on."""
        try:
            writer.undo()
            if self._path.stat().st_size > self._end:
                os.truncate(self._path, self._end)
                self._write_headers(b"")  # syncs the cut
        except OSError as second:
            self._refusal = f"a write to {self.folder} failed and was not undone: {second}"
        if error is not None and error.errno not in FULL:
            # What a failed sync leaves in the page cache is unknown: only a new start can tell.
            self._refusal = f"the disk of {self.folder} failed ({error}): restart to go on"

    def _translate(self, error: OSError) -> StoreError:
        if error.errno in FULL:
            return StoreFullError(str(self.folder))
        return StoreUnavailableError(f"the log in {self.folder} cannot be written: {error}")

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        try:
            yield
        except RecordError as error:
            raise StoreCorruptError(str(self._path), str(error)) from error


def log_behind(log: Log, part: str, revision: int) -> StoreCorruptError:
    """Return the error of a log that lacks commits which a derived part has."""
    detail = (
        f"it ends at revision {log.revision}, but {part} holds revision {revision}: commits are "
        f"missing; restore the log from a backup, or delete the derived parts to accept the loss"
    )
    return StoreCorruptError(str(log.folder), detail)
