"""Bulk loads into an Oxigraph store: N-Quads text by pieces, past the transaction log.

Floor 1. A piece holds quads and, beside each, its triple for the default graph (DESIGN 4a, rule
4); the engine keeps what several pieces say once. Pieces come from quads, or straight from the
text of the log's payloads. Decision 0015 has the figures.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, NamedTuple

import pyoxigraph as ox

from graph.store.log import Log
from graph.terms import Quad

#: Quads of a piece: each is about twenty files to sync, and takes 150 MiB while it is loaded.
_PIECE_QUADS: Final = 50_000
# The engine lets go of the interpreter; while one piece is synced, the other is sorted.
_LOADERS: Final = 2


class Piece(NamedTuple):
    """N-Quads text and how many quads it holds, their merged triples not counted."""

    text: bytes
    quads: int


def bulk_load(database: ox.Store, pieces: Iterable[Piece]) -> int:
    """Load pieces, two at a time; return how many quads they hold.

    Each piece is atomic, the whole is not. Cost: about 15 microseconds of CPU a quad, 400 MiB.
    """
    count = 0
    loading: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_LOADERS, "bulk") as pool:
        for piece in pieces:
            count += piece.quads
            loading.append(pool.submit(_load, database, piece.text))
            if len(loading) > _LOADERS:
                loading.popleft().result()
        while loading:
            loading.popleft().result()
    return count


def write_pieces(quads: Iterable[Quad]) -> Iterator[Piece]:
    """Yield quads, each given once, as pieces."""
    source = iter(quads)
    while taken := list(islice(source, _PIECE_QUADS)):
        lines = [f"{s} {p} {o} {g} .\n{s} {p} {o} .\n" for s, p, o, g in taken]
        yield Piece("".join(lines).encode(), len(taken))


def replay_log(log: Log) -> Iterator[Piece]:
    """Yield the dataset after the log's last commit as pieces, each quad once.

    The payloads are taken as text. Only quads that a commit removed are looked at one by one, and
    kept in memory: one that was added again stands.

    Raises
    ------
    StoreCorruptError
        A payload is not what was written.
    """
    gone = _removed_lines(log)
    touched = {line.rpartition(b" <")[2] for line in gone}
    held: set[bytes] = set()
    chunks: list[bytes] = []
    count = 0
    for header in log.headers():
        for part in header.parts:
            ending = b"%s> ." % part.graph.encode()
            for text in log.text(header.revision, part):
                kept = _settle(text, gone, held) if ending in touched else text
                chunks += _statements(kept, ending)
                count += kept.count(b"\n")
                if count >= _PIECE_QUADS:
                    yield Piece(b"".join(chunks), count)
                    chunks, count = [], 0
    for line in held:
        chunks += _statements(b"A %s\n" % line, line.rpartition(b" <")[2])
    yield Piece(b"".join(chunks), count + len(held))


def _load(database: ox.Store, text: bytes) -> None:
    # The lines are canonical already: checking every IRI again would cost a tenth more.
    database.bulk_load(text, format=ox.RdfFormat.N_QUADS, lenient=True)


def _removed_lines(log: Log) -> set[bytes]:
    """Return the statements that any commit removed, as the lines of payloads without mark."""
    return {
        line[2:]
        for header in log.headers()
        for part in header.parts
        if part.removed
        for text in log.text(header.revision, part)
        for line in text.split(b"\n")
        if line.startswith(b"D ")
    }


def _settle(text: bytes, gone: set[bytes], held: set[bytes]) -> bytes:
    """Return the lines of a payload that stay for good; the others go to `held`, or leave it."""
    kept = []
    for line in text.split(b"\n")[:-1]:
        statement = line[2:]
        if statement not in gone:
            kept.append(line + b"\n")
        elif line.startswith(b"A "):
            held.add(statement)
        else:
            held.discard(statement)
    return b"".join(kept)


def _statements(text: bytes, ending: bytes) -> tuple[bytes, bytes]:
    """Return the quads of added lines, all of one graph, and their merged triples.

    A line break ends a line and stands nowhere else, so that whole texts can be replaced.
    """
    quads = (b"\n" + text).replace(b"\nA ", b"\n")[1:]
    return quads, quads.replace(b" <%s\n" % ending, b" .\n")
