"""Payloads of the log: the change of one graph as RDF Patch lines, gzipped when large.

Floor 1. `A <s> <p> <o> <g> .` adds a quad and `D ...` removes one, so that other tools read the
files; a payload is a run of such lines with a salted digest. Nothing here knows of commits.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from graph.terms import Quad

#: Payloads above this many bytes are gzipped.
PLAIN_BYTES: Final = 64 * 1024
_LINES_AT_ONCE: Final = 8_192
_READ_BYTES: Final = 256 * 1024
_LINE_BYTES: Final = 128 * 1024 * 1024  # no literal that was accepted comes near it
_GZIP: Final = 31  # zlib's window bits for a gzip member
_LEVEL: Final = 3


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Where the payload of one graph in one commit stands, and what it holds.

    `offset` and `length` are bytes in the graph's payload file; `digest` is the SHA-256 (hex)
    of salt and stored bytes; `encoding` is `plain` or `gzip`; `added` and `removed` count lines.
    """

    graph: str
    offset: int
    length: int
    salt: str
    digest: str
    encoding: str
    added: int
    removed: int


class PayloadError(Exception):
    """A payload is not what its part says. The log turns it into StoreCorruptError."""


def payload_name(graph: str) -> str:
    """Return the name of a graph's payload file, from its IRI without brackets."""
    return hashlib.sha256(graph.encode()).hexdigest()[:32] + ".rdfp"


def write_payload(
    file: int, offset: int, graph: str, added: Sequence[Quad], removed: Sequence[Quad]
) -> Part:
    """Write the change of one graph at `offset` of an open file; return where it stands.

    Raises
    ------
    OSError
        What the disk answers; the caller cuts the file back.
    """
    salt = secrets.token_bytes(16)
    digest: _Hash = hashlib.sha256(salt)
    chunks = _lines(added, removed)
    first = next(chunks, b"")
    second = next(chunks, b"")
    place, encoding = offset, "plain"
    if second or len(first) > PLAIN_BYTES:
        encoding = "gzip"
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        for chunk in (first, second):
            place = _write(file, packer.compress(chunk), place, digest)
        for chunk in chunks:
            place = _write(file, packer.compress(chunk), place, digest)
        place = _write(file, packer.flush(), place, digest)
    else:
        place = _write(file, first, place, digest)
    return Part(
        graph=graph,
        offset=offset,
        length=place - offset,
        salt=salt.hex(),
        digest=digest.hexdigest(),
        encoding=encoding,
        added=len(added),
        removed=len(removed),
    )


def verify_payload(file: int, part: Part) -> None:
    """Check the digest of a payload without unpacking it.

    Raises
    ------
    PayloadError
        The file is shorter than the part says, or its bytes are not those that were written.
    """
    for _ in stored_bytes(file, part):
        pass


def read_payload(file: int, part: Part) -> Iterator[tuple[bool, Quad]]:
    """Yield each line of a payload: whether it adds, and the quad. Memory stays bounded.

    Raises
    ------
    PayloadError
        As `verify_payload`, at the end; or a line is not one that this module writes.
    """
    suffix = f" <{part.graph}> ."
    graph = suffix[1:-2]
    cut = -len(suffix)
    predicates: dict[str, str] = {}
    subject = ""
    for text in read_text(file, part):
        for line in text.decode().split("\n")[:-1]:  # splitlines would also split at U+2028
            try:
                s, p, o = line[2:cut].split(" ", 2)
            except ValueError:
                raise PayloadError(f"line {line[:80]!r} is not a line of RDF Patch") from None
            if s != subject:
                subject = s  # sorted: neighbours share the text
            yield line[0] == "A", (subject, predicates.setdefault(p, p), o, graph)


def read_text(file: int, part: Part) -> Iterator[bytes]:
    """Yield the text of a payload, whole lines at a time. Memory stays bounded.

    Raises
    ------
    PayloadError
        As `verify_payload`, at the end; or the number of lines is not the one stated.
    """
    found, stated = 0, part.added + part.removed
    rest = b""
    for chunk in _unpacked(file, part):
        whole, newline, tail = chunk.rpartition(b"\n")
        if newline:
            text = rest + whole + newline
            found += text.count(newline)
            if found > stated:  # a few bytes may unpack to no end
                raise PayloadError(f"more than the {stated} lines stand there that were written")
            yield text
            rest = tail
        else:
            rest += chunk
            if len(rest) > _LINE_BYTES:
                raise PayloadError(f"a line is longer than {_LINE_BYTES} bytes")
    if rest:
        raise PayloadError("the last line has no end")
    if found != stated:
        raise PayloadError(f"{found} lines stand where {stated} were written")


def _lines(added: Sequence[Quad], removed: Sequence[Quad]) -> Iterator[bytes]:
    for mark, quads in (("D", removed), ("A", added)):
        for start in range(0, len(quads), _LINES_AT_ONCE):
            lines = [
                f"{mark} {s} {p} {o} {g} .\n"
                for s, p, o, g in quads[start : start + _LINES_AT_ONCE]
            ]
            text = "".join(lines)
            if text.count("\n") != len(lines):  # one raw line break would corrupt all that follows
                raise ValueError("a term holds a line break: it was not written by graph.terms")
            yield text.encode()


def _write(file: int, data: bytes, place: int, digest: _Hash) -> int:
    digest.update(data)
    write_all(file, data, place)
    return place + len(data)


def write_all(file: int, data: bytes, place: int) -> None:
    """Write all bytes at a place; `os.pwrite` may write fewer."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, place)
        view = view[written:]
        place += written


def stored_bytes(file: int, part: Part) -> Iterator[bytes]:
    """Yield the stored bytes; the digest is checked after the last.

    Raises
    ------
    PayloadError
        As `verify_payload`.
    """
    digest = hashlib.sha256(bytes.fromhex(part.salt))
    place, left = part.offset, part.length
    while left:
        data = os.pread(file, min(left, _READ_BYTES), place)
        if not data:
            raise PayloadError(f"the file ends {left} bytes too early")
        digest.update(data)
        place += len(data)
        left -= len(data)
        yield data
    if digest.hexdigest() != part.digest:
        raise PayloadError("the bytes are not those that were written (wrong digest)")


def _unpacked(file: int, part: Part) -> Iterator[bytes]:
    if part.encoding == "plain":
        yield from stored_bytes(file, part)
        return
    packer = zlib.decompressobj(_GZIP)
    try:
        for data in stored_bytes(file, part):
            rest = data
            while rest:  # a piece at a time: text may unpack to a hundred times its size
                yield packer.decompress(rest, _READ_BYTES)
                rest = packer.unconsumed_tail
    except zlib.error as error:
        raise PayloadError(f"not gzip: {error}") from error
    yield packer.flush()
