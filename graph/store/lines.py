"""Triples as the engine writes them, line by line: each once, as many as may be, or streamed.

Floor 1. It runs in the workers. What limits, and what it means that an answer begins, is the same
for graphs and for tables (`tables`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: Takes pieces of an answer that has begun.
Send = Callable[[bytes], None]
#: What is gathered before it is looked at.
_PIECE: Final = 64 * 1024
#: Of a line that was sent this many bytes are kept, to know it again.
_DIGEST_BYTES: Final = 16


class MoreError(Exception):
    """There is more than is held, and whoever asked would have it streamed."""


class PassedError(Exception):
    """An answer that has begun passes its limits: it has to be broken off."""


class FullError(Exception):
    """Stops the engine's writer: a limit is reached."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of an answer is held and cut, and how much may be streamed; 0 rows: nothing is.

    Rows are those of a table, or triples.
    """

    rows: int
    size: int
    streamed_rows: int = 0
    streamed_size: int = 0


class Lines:
    """The file that the engine writes triples to: keeps each once, and stops it at a limit.

    Where `begin` or `is_streamed` say so, what is more than may be held is sent on as it comes,
    in the engine's order. `rows` is how many triples came, each counted once.
    """

    def __init__(
        self, limits: Limits, begin: Callable[[], Send] | None = None, *, is_streamed: bool = False
    ) -> None:
        self.rows = 0
        self._limits = limits
        self._begin = begin
        self._is_streamed = is_streamed and limits.streamed_rows > 0
        self._send: Send | None = None
        self._distinct: dict[bytes, None] = {}
        self._size = 0
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        # Of what was sent.
        self._digests: set[bytes] = set()
        self._sent = 0

    @property
    def has_begun(self) -> bool:
        """Whether what came was sent."""
        return self._send is not None

    def write(self, piece: bytes) -> int:
        """Take a piece."""
        self._rest.append(piece)
        self._rest_bytes += len(piece)
        if self._rest_bytes >= _PIECE:
            self.look()
        return len(piece)

    def flush(self) -> None:
        """Do nothing: lines are looked at when there are enough."""

    def look(self) -> None:
        """Take the whole lines that have come.

        Raises
        ------
        FullError
            There are more of them than may be.
        MoreError
            They may be streamed, but not here.
        PassedError
            What is streamed passes its limits.
        """
        text = b"".join(self._rest)
        end = text.rfind(b"\n") + 1
        self._rest, self._rest_bytes = [text[end:]], len(text) - end
        # A line feed in a text is escaped, and nothing else ends a line.
        came = text[:end].split(b"\n")[:-1]
        if self._send is not None:
            self._pass_on(self._send, came)
            return
        known = self._distinct
        for line in came:
            if line not in known:
                known[line] = None
                self._size += len(line) + 1
        self.rows = len(known)
        limits = self._limits
        is_large = self._size + self._rest_bytes > limits.size
        if not is_large and self.rows <= limits.rows:
            return
        if not (self._is_streamed and self.rows <= limits.streamed_rows):
            raise FullError
        if self._begin is None:
            raise MoreError
        self._send = self._begin()
        self._distinct = {}
        self.rows = 0
        self._pass_on(self._send, list(known))

    def _pass_on(self, send: Send, lines: list[bytes]) -> None:
        """Send the lines that did not come before."""
        fresh, known = [], self._digests
        for line in lines:
            digest = hashlib.blake2b(line, digest_size=_DIGEST_BYTES).digest()
            if digest not in known:
                known.add(digest)
                fresh.append(line + b"\n")
        piece, limits = b"".join(fresh), self._limits
        self.rows += len(fresh)
        self._sent += len(piece)
        if self._sent > limits.streamed_size or self.rows > limits.streamed_rows:
            raise PassedError
        if piece:
            send(piece)

    def cut(self) -> tuple[list[bytes], bool]:
        """Return as many lines as there may be, and whether there were more."""
        limits, lines, size = self._limits, list(self._distinct), self._size
        is_truncated = size + self._rest_bytes > limits.size or len(lines) > limits.rows
        del lines[limits.rows :]
        if size > limits.size:
            left = limits.size
            for count, line in enumerate(lines):
                left -= len(line) + 1
                if left < 0:
                    del lines[count:]
                    break
        return lines, is_truncated
