"""Takes a writer's log as it is sent: verifies each commit, then has it recorded as it stands.

Floor 1. A commit is its record's line and its stored payloads, byte for byte those of the writer's
log, so that the copy has the same hashes and could take over. What is not exactly the next commit
of this history is refused with its place, and leaves nothing behind. Whence the bytes come is not
known here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final, Protocol

from graph.errors import BadValueError, FollowError, StoreFullError, StoreUnavailableError
from graph.store.commit import Commit
from graph.store.log import FULL, Copy, Log
from graph.store.patch import Part, PayloadError, read_payload
from graph.store.record import Header, Record, RecordError, commit_of, read_line
from graph.store.snapshot import Snapshot
from graph.terms import HASH_MODULUS, Quad, hash_dataset, is_iri, is_literal, read_literal

#: Commits, and quads of them, that are recorded with one sync.
_COMMITS_AT_ONCE: Final = 100
_QUADS_AT_ONCE: Final = 20_000
_READ_BYTES: Final = 256 * 1024
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_SALT: Final = re.compile(r"[0-9a-f]{32}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Stream(Protocol):
    """Bytes that are being sent; what ends them too early is told by `EOFError` or by their end."""

    def readline(self, limit: int, /) -> bytes:
        """Return the next line with its end, or `limit` bytes of a longer one."""
        ...

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """A verified commit, and its bytes."""

    commit: Commit
    copy: Copy


@dataclass(slots=True)
class _Tail:
    """The end of the history that is held: what the next commit has to follow."""

    revision: int
    head: str
    time: str
    dataset_hash: int
    quad_count: int
    ends: dict[str, int]

    @classmethod
    def of(cls, log: Log) -> _Tail:
        """Return the end of a log."""
        return cls(log.revision, log.head, log.time, log.dataset_hash, log.quad_count, {})


class Receiver:
    """Takes what a writer sends into a log; `adopt` records verified commits and publishes them.

    `writer` names it in errors, `record_bytes` is the longest record that is taken.
    """

    def __init__(
        self,
        log: Log,
        writer: str,
        record_bytes: int,
        adopt: Callable[[Sequence[Received]], None],
    ) -> None:
        self._log = log
        self._writer = writer
        self._record_bytes = record_bytes
        self._adopt = adopt
        self._folder: Path = log.folder

    def take(self, stream: Stream) -> int:
        """Record the commits of a stream, up to its end; return how many there were.

        Those before one that is refused are recorded.

        Raises
        ------
        FollowError
            What was sent is not the next commit, or not whole; the message says where.
        StoreFullError, StoreUnavailableError
            The disk failed.
        """
        count = 0
        try:
            with TemporaryFile(dir=self._folder) as spool:
                for batch in self._gather(stream, spool.fileno()):
                    self._adopt(batch)
                    count += len(batch)
                    spool.truncate(0)
        except OSError as error:
            if error.errno in FULL:
                raise StoreFullError(str(self._folder)) from error
            raise StoreUnavailableError(f"{self._folder} cannot be written: {error}") from error
        return count

    def _gather(self, stream: Stream, spool: int) -> Iterator[list[Received]]:
        """Yield verified commits in batches; what ends them is raised after the last batch."""
        batch: list[Received] = []
        size, failure = 0, None
        commits = self._commits(stream, spool)
        while failure is None:
            try:
                received = next(commits, None)
            except FollowError as error:
                received, failure = None, error
            if received is None:
                break
            batch.append(received)
            size += len(received.commit.added) + len(received.commit.removed)
            if len(batch) >= _COMMITS_AT_ONCE or size >= _QUADS_AT_ONCE:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch
        if failure is not None:
            raise failure

    def _commits(self, stream: Stream, spool: int) -> Iterator[Received]:
        tail, place = _Tail.of(self._log), 0
        while (record := self._read_record(stream, tail, place)) is not None:
            header = record.header
            where = f"revision {header.revision} at byte {place} of the answer"
            self._require_form(header, where)
            place = record.end
            starts: list[int] = []
            for part in header.parts:
                self._require_place(part, tail, where)
                starts.append(self._spool(stream, spool, part, where))
                place += part.length
            commit = self._read_commit(header, spool, starts, where)
            self._require_sums(commit, tail, where)
            yield Received(commit, Copy(record.line, spool, tuple(starts)))
            tail.revision, tail.head, tail.time = header.revision, record.digest, header.time
            tail.dataset_hash, tail.quad_count = header.dataset_hash, header.quad_count

    def _read_record(self, stream: Stream, tail: _Tail, place: int) -> Record | None:
        """Return the next record; None where the stream ends between two commits."""
        revision = tail.revision + 1
        where = f"revision {revision} at byte {place} of the answer"
        try:
            line = stream.readline(self._record_bytes + 1)
        except EOFError as error:
            raise self._refusal(where, "the answer breaks off in its record") from error
        if not line:
            return None
        if len(line) > self._record_bytes:
            raise self._refusal(where, f"its record is longer than {self._record_bytes} bytes")
        if not line.endswith(b"\n"):
            raise self._refusal(where, "the answer breaks off in its record")
        try:
            return read_line(line, place, revision, tail.head)
        except RecordError as error:
            detail = f"{error}; this replica holds revision {tail.revision}, {tail.head[:16]}..."
            raise self._refusal(where, detail) from error

    def _require_form(self, header: Header, where: str) -> None:
        """Check the kinds of what the record says: its digest is right whatever it says."""
        if not (_is_sound(header) and all(map(_is_sound_part, header.parts))):
            raise self._refusal(where, "its record holds what no record can hold")
        graphs = [f"<{part.graph}>" for part in header.parts]
        if graphs != sorted(set(graphs)):
            raise self._refusal(where, "its payloads are not in order")

    def _require_place(self, part: Part, tail: _Tail, where: str) -> None:
        """Check that a payload follows those that are held of its graph."""
        end = tail.ends.get(part.graph)
        end = self._log.place_of(part.graph) if end is None else end
        if part.offset != end:
            detail = f"its payload of {part.graph} stands at byte {part.offset}, not {end}"
            raise self._refusal(where, detail)
        tail.ends[part.graph] = end + part.length

    def _spool(self, stream: Stream, spool: int, part: Part, where: str) -> int:
        """Put a payload aside, whole; return where."""
        start, left = os.lseek(spool, 0, os.SEEK_END), part.length
        while left:
            try:
                data = stream.read(min(left, _READ_BYTES))
            except EOFError:
                data = b""
            if not data:
                detail = f"the answer breaks off {left} bytes before the end of its payload"
                raise self._refusal(where, detail)
            left -= len(data)
            while data:
                data = data[os.write(spool, data) :]
        return start

    def _read_commit(self, header: Header, spool: int, starts: Sequence[int], where: str) -> Commit:
        try:
            return commit_of(header, _read_quads(header, spool, starts))
        except (PayloadError, BadValueError, UnicodeDecodeError) as error:
            raise self._refusal(where, f"its payload is wrong: {error}") from error

    def _require_sums(self, commit: Commit, tail: _Tail, where: str) -> None:
        """Check time, hash and count of the dataset after a commit."""
        if commit.time <= tail.time:
            raise self._refusal(where, f"its time {commit.time} is not after {tail.time}")
        added, removed = set(commit.added), set(commit.removed)
        stated = sum(len(each) for each in (commit.added, commit.removed))
        if len(added) + len(removed) != stated or added & removed:
            raise self._refusal(where, "it states a quad twice")
        balance = hash_dataset(added) - hash_dataset(removed)
        if (tail.dataset_hash + balance) % HASH_MODULUS != commit.dataset_hash:
            raise self._refusal(where, "the dataset hash after it is not the one that it states")
        if tail.quad_count + len(added) - len(removed) != commit.quad_count:
            raise self._refusal(where, "the number of quads after it is not the one that it states")

    def _refusal(self, where: str, detail: str) -> FollowError:
        return FollowError(self._writer, f"{where}: {detail}")


def require_effective(snapshot: Snapshot, commit: Commit, writer: str) -> None:
    """Check that a commit adds what a version lacks and removes what it holds.

    Raises
    ------
    FollowError
        It does not.
    """
    for quads, is_there in ((commit.removed, True), (commit.added, False)):
        for quad in quads:
            if snapshot.contains(quad) is not is_there:
                does = "removes what is not there" if is_there else "adds what is there already"
                text = " ".join(quad)[:200]
                raise FollowError(writer, f"revision {commit.revision} {does}: {text}")


def _read_quads(header: Header, spool: int, starts: Sequence[int]) -> Iterator[tuple[bool, Quad]]:
    """Yield the lines of the payloads that were put aside, their terms checked."""
    known: set[str] = set()
    for part, start in zip(header.parts, starts, strict=True):
        added = removed = 0
        for adds, quad in read_payload(spool, replace(part, offset=start)):
            for term in quad[:3]:
                if term not in known and not _is_term(term):
                    raise PayloadError(f"{term[:80]!r} is no term")
            if is_literal(quad[0]) or is_literal(quad[1]):
                raise PayloadError(f"{quad[0][:80]!r} {quad[1][:80]!r} begin no triple")
            known.add(quad[1])
            added, removed = added + adds, removed + (not adds)
            yield adds, quad
        if (added, removed) != (part.added, part.removed):
            raise PayloadError(f"{added} lines add and {removed} remove")


def _is_term(text: str) -> bool:
    """Tell whether a text is an IRI or a literal in N-Triples."""
    if is_literal(text):
        read_literal(text)
        return True
    return text[:1] == "<" and text[-1:] == ">" and is_iri(text[1:-1])


def _is_sound(header: Any) -> bool:
    """Tell whether a header's fields are of the kinds that they should be."""
    texts = (header.time, header.agent, header.activity, header.message, header.ontology)
    return (
        all(isinstance(text, str) for text in texts)
        and _TIME.fullmatch(header.time) is not None
        and (header.source is None or isinstance(header.source, str))
        and type(header.quad_count) is int
        and 0 <= header.dataset_hash < HASH_MODULUS
    )


def _is_sound_part(part: Any) -> bool:
    numbers = (part.offset, part.length, part.added, part.removed)
    texts = (part.graph, part.salt, part.digest, part.encoding)
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and all(isinstance(text, str) for text in texts)
        and part.encoding in ("plain", "gzip")
        and _SALT.fullmatch(part.salt) is not None
        and _DIGEST.fullmatch(part.digest) is not None
        and is_iri(part.graph)
    )
