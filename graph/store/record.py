"""Records of the log's header file: one line each, with its length and digest before it.

Floor 1. `<byte length of JSON> <SHA-256 hex of JSON> <JSON>` and a line break; each JSON names
the digest of the one before, so that a change anywhere breaks the chain. Reading and writing
bytes only: what the records lead to is the log's matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO, Final

import orjson

from graph.errors import Violation
from graph.store.commit import NO_HASH, Commit
from graph.store.patch import Part
from graph.terms import Quad

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What a record says of its commit; the quads themselves stand in the payloads."""

    revision: int
    previous: str
    time: str
    agent: str
    activity: str
    message: str
    source: str | None
    ontology: str
    dataset_hash: int
    quad_count: int
    warnings: tuple[Violation, ...]
    parts: tuple[Part, ...]

    @property
    def graphs(self) -> tuple[str, ...]:
        """IRIs of the named graphs that the commit touched, without brackets, sorted."""
        return tuple(part.graph for part in self.parts)


class RecordError(Exception):
    """A record is damaged; `place` is its first byte, `number` its place in the file from 1."""

    def __init__(self, number: int, place: int, detail: str) -> None:
        super().__init__(f"record {number} at byte {place}: {detail}")


@dataclass(frozen=True, slots=True)
class Record:
    """A header as it stands in the file: its line and digest, its first byte, the byte after it."""

    header: Header
    line: bytes
    digest: str
    start: int
    end: int


def head_of(commit: Commit, previous: str, parts: tuple[Part, ...]) -> Header:
    """Return the header of a commit whose payloads are written."""
    return Header(
        revision=commit.revision,
        previous=previous,
        time=commit.time,
        agent=commit.agent,
        activity=commit.activity,
        message=commit.message,
        source=commit.source,
        ontology=commit.ontology,
        dataset_hash=commit.dataset_hash,
        quad_count=commit.quad_count,
        warnings=commit.warnings,
        parts=parts,
    )


def commit_of(header: Header, changes: Iterable[tuple[bool, Quad]]) -> Commit:
    """Return the commit of a header and of its change: whether a quad is added, and the quad."""
    added: list[Quad] = []
    removed: list[Quad] = []
    for adds, quad in changes:
        (added if adds else removed).append(quad)
    return Commit(
        revision=header.revision,
        previous=header.previous,
        time=header.time,
        agent=header.agent,
        activity=header.activity,
        message=header.message,
        source=header.source,
        ontology=header.ontology,
        added=tuple(added),
        removed=tuple(removed),
        warnings=header.warnings,
        dataset_hash=header.dataset_hash,
        quad_count=header.quad_count,
    )


def write_record(header: Header) -> tuple[bytes, str]:
    """Return the line of a header and the digest that the next one names."""
    fields = {
        "format": FORMAT,
        "revision": header.revision,
        "previous": header.previous,
        "time": header.time,
        "agent": header.agent,
        "activity": header.activity,
        "message": header.message,
        "source": header.source,
        "ontology": header.ontology,
        "dataset_hash": f"{header.dataset_hash:064x}",
        "quad_count": header.quad_count,
        "warnings": [asdict(warning) for warning in header.warnings],
        "graphs": [asdict(part) for part in header.parts],
    }
    body = orjson.dumps(fields)
    digest = hashlib.sha256(body).hexdigest()
    return b"%d %s %s\n" % (len(body), digest.encode(), body), digest


def read_records(
    file: BinaryIO, start: int = 0, number: int = 1, previous: str | None = NO_HASH
) -> Iterator[Record]:
    """Yield the whole records from byte `start` on, each checked; stop before a torn last one.

    Parameters
    ----------
    file : binary file
        The header file.
    start : int
        First byte of the record `number`.
    number : int
        Revision of the first record to read.
    previous : str
        Digest of the record before it; None to believe the first one.

    Raises
    ------
    RecordError
        A whole record is not what was written, a revision is missing, or the chain is broken.
        A last line without its end is a write that was never acknowledged: no error.
    """
    file.seek(start)
    for line in file:
        if not line.endswith(b"\n"):
            _require_torn(line, number, start)
            return
        record = read_line(line, start, number, previous)
        yield record
        start, number, previous = record.end, number + 1, record.digest


def read_line(line: bytes, start: int, number: int, previous: str | None) -> Record:
    """Return the record of one whole line, checked; `start` is where the line stands.

    Raises
    ------
    RecordError
        It is not what was written, or not the record `number`, or does not follow `previous`.
    """
    body = _body(line, number, start)
    digest = hashlib.sha256(body).hexdigest()
    header = _header(body, number, start)
    if header.revision != number:
        raise RecordError(number, start, f"holds revision {header.revision}")
    if previous is not None and header.previous != previous:
        raise RecordError(number, start, "does not follow the record before it")
    return Record(header, line, digest, start, start + len(line))


def _body(line: bytes, number: int, place: int) -> bytes:
    """Return the JSON of a whole line whose length and digest are right."""
    fields = line[:-1].split(b" ", 2)
    if len(fields) != 3 or fields[0] != b"%d" % len(fields[2]):
        raise RecordError(number, place, "its length is not the one that it states")
    if hashlib.sha256(fields[2]).hexdigest().encode() != fields[1]:
        raise RecordError(number, place, "its content is not what was written (wrong digest)")
    return fields[2]


def _require_torn(line: bytes, number: int, place: int) -> None:
    """Accept a last line without its end only if a write that stopped can have left it so.

    A disk that lost its power may leave zeros; otherwise such a line is a proper beginning. One
    that is longer than it states lost its end to damage, not to a stopped write.
    """
    begun = line.rstrip(b"\0")
    fields = begun.split(b" ", 2)
    whole = len(fields) == 3 and fields[0].isdigit() and len(fields[2]) > int(fields[0])
    if whole or not (fields[0].isdigit() or not begun):
        raise RecordError(number, place, "is damaged: its end is missing but not its content")


def _header(body: bytes, number: int, place: int) -> Header:
    try:
        fields = orjson.loads(body)
        if fields.pop("format") != FORMAT:
            raise RecordError(number, place, "was written by a newer version of this program")
        return Header(
            dataset_hash=int(fields.pop("dataset_hash"), 16),
            warnings=tuple(Violation(**warning) for warning in fields.pop("warnings")),
            parts=tuple(Part(**part) for part in fields.pop("graphs")),
            **fields,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(number, place, f"is not a header: {error}") from error
