"""What is sent of the log to those who follow it: a page of commits, as RDF Patch or as stored.

Floor 1. RDF Patch is for any tool: each commit is a transaction whose headers hold all that is
needed to verify the chain. As stored, the same commits are the very bytes of the log, for copies
that are to have the same hashes. Nothing here knows of HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from graph.errors import HistoryDivergedError
from graph.store.commit import NO_HASH
from graph.store.log import Log
from graph.store.record import Header, Record
from graph.terms import XSD, write_literal

#: Media types by name of format, the default first. The second is the log itself.
MEDIA_TYPES: Final = {"patch": "application/rdf-patch", "log": "application/vnd.rhizome.log"}
#: Bytes that are gathered before they are handed on.
PIECE_BYTES: Final = 64 * 1024


class Page(NamedTuple):
    """Commits in order: their records, and the revision and hash after the last of them."""

    records: Sequence[Record]
    last: int
    head: str


def read_page(
    log: Log, since: int, head: str | None, until: int, *, commits_max: int, bytes_max: int
) -> Page:
    """Return the commits after a revision, as many as fit and one at least if there is one.

    Parameters
    ----------
    since : int
        The last revision that the reader holds.
    head : str or None
        The hash of that commit as the reader has it, to see that it follows this very history.
    until : int
        The last revision that readers see.
    commits_max, bytes_max : int
        Bounds; bytes are those of the log.

    Raises
    ------
    HistoryDivergedError
        There is no such revision here, or it is another one.
    """
    if since > log.revision or (head is not None and head != hash_at(log, since)):
        raise HistoryDivergedError(since, log.revision)
    records: list[Record] = []
    left = bytes_max
    for record in log.records(since):
        left -= len(record.line) + sum(part.length for part in record.header.parts)
        is_full = left < 0 or len(records) >= commits_max
        if record.header.revision > until or (records and is_full):
            break
        records.append(record)
    if not records:
        return Page((), since, hash_at(log, since) if head is None else head)
    return Page(records, records[-1].header.revision, records[-1].digest)


def hash_at(log: Log, revision: int) -> str:
    """Return the hash of a commit of the log; zeros for revision 0."""
    return next(log.records(revision - 1)).digest if revision else NO_HASH


def write_stored(log: Log, records: Iterable[Record]) -> Iterator[bytes]:
    """Yield commits as the log holds them: the line of each record, then its payloads.

    Raises
    ------
    StoreCorruptError
        A payload is not what was written; told after its last byte.
    """
    for record in records:
        yield record.line
        for part in record.header.parts:
            yield from log.stored(record.header.revision, part)


def write_patch(log: Log, records: Iterable[Record]) -> Iterator[bytes]:
    """Yield commits as RDF Patch, each a transaction with its headers.

    Raises
    ------
    StoreCorruptError
        A payload is not what was written; told after its last byte.
    """
    for record in records:
        yield _headers(record) + b"TX .\n"
        for part in record.header.parts:
            yield from log.text(record.header.revision, part)
        yield b"TC .\n"


def gather(pieces: Iterable[bytes], size: int = PIECE_BYTES) -> Iterator[bytes]:
    """Yield bytes in pieces that are not small."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= size:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _headers(record: Record) -> bytes:
    """Return the header lines of a commit; `id` and `prev` are the names that RDF Delta uses."""
    header: Header = record.header
    fields = {
        "id": write_literal(record.digest),
        "prev": write_literal(header.previous),
        "revision": write_literal(str(header.revision), f"{XSD}integer"),
        "time": write_literal(header.time, f"{XSD}dateTime"),
        "agent": write_literal(header.agent),
        "activity": write_literal(header.activity),
        "message": write_literal(header.message),
        "source": f"<{header.source}>" if header.source else None,
        "ontology": write_literal(header.ontology),
        "datasetHash": write_literal(f"{header.dataset_hash:064x}"),
        "quads": write_literal(str(header.quad_count), f"{XSD}integer"),
        "record": write_literal(record.line.split(b" ", 2)[2][:-1].decode()),
    }
    return "".join(f"H {name} {term} .\n" for name, term in fields.items() if term).encode()
