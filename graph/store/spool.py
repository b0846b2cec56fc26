"""Answers on their way from a worker to who reads them, in parts, in little memory.

Floor 1. A worker is done when all of its answer was taken from it, however slowly it is read: what
does not fit a small buffer waits in a file that has no name. The files of all answers together
are bounded. Used from one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Final

from graph.errors import QueryTimeoutError, RhizomeError, StoreFullError, StoreUnavailableError

#: What one answer holds in memory before the rest goes to disk.
MEMORY_BYTES: Final = 512 * 1024
_PIECE: Final = 256 * 1024


class Spool:
    """The room for all answers that are made faster than they are read.

    What a file takes counts until the file is empty again: who reads all but the last bytes and
    then waits holds as much of the disk as who reads nothing.

    Parameters
    ----------
    folder : Path
        Where the files are; they never appear there.
    bytes_max : int
        What they hold together.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self.folder = folder
        self.bytes_max = bytes_max
        self.bytes_held = 0
        self._changed = asyncio.Event()

    def stream(self) -> Stream:
        """Return a stream for one answer.

        Raises
        ------
        StoreUnavailableError
            There is no room: too many answers are being read.
        """
        if self.bytes_held >= self.bytes_max:
            detail = "too many large answers are being read; try again, or ask for less"
            raise StoreUnavailableError(detail, retry_after_s=5.0)
        return Stream(self)

    def hold(self, size: int) -> None:
        """Count bytes in, or out again."""
        self.bytes_held += size
        if size < 0:
            self._changed.set()
            self._changed = asyncio.Event()

    async def room(self) -> None:
        """Wait until there is room."""
        while self.bytes_held >= self.bytes_max:
            await self._changed.wait()


class Stream:
    """One answer in parts: fed by who reads the worker, read by who asked.

    `rows` and `seconds` are known once it has ended; `ended` is set then.
    """

    def __init__(self, spool: Spool) -> None:
        self.rows = 0
        self.seconds = 0.0
        self.ended = asyncio.Event()
        self._spool = spool
        self._memory: deque[bytes] = deque()
        self._memory_bytes = 0
        self._file: IO[bytes] | None = None
        self._written = self._read = 0
        self._is_writing = False
        self._error: RhizomeError | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    def feed_by(self, task: asyncio.Task[None]) -> None:
        """Note who feeds it: that ends when nobody reads any more."""
        self._task = task

    async def feed(self, piece: bytes) -> None:
        """Take a part; waits only where there is no room on the disk.

        Raises
        ------
        StoreFullError
            The disk is full.
        """
        if self._written == self._read and self._memory_bytes + len(piece) <= MEMORY_BYTES:
            self._memory.append(piece)
            self._memory_bytes += len(piece)
        else:
            await self._spool.room()
            await self._append(piece)
        self._tell()

    def finish(self, error: RhizomeError | None, rows: int, seconds: float) -> None:
        """Say that no more comes, and whether that is the end of the answer or an error."""
        self._error, self.rows, self.seconds = error, rows, seconds
        self.ended.set()
        self._tell()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts.

        Raises
        ------
        RhizomeError
            The query failed in the middle: what was yielded is no whole answer.
        """
        while True:
            if self._memory:
                piece = self._memory.popleft()
                self._memory_bytes -= len(piece)
                yield piece
            elif self._read < self._written:
                yield await self._read_piece()
            elif self.ended.is_set():
                break
            else:
                await self._changed.wait()
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Let go of all; the query, if it still runs, ends."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([self._task])
        self._memory.clear()
        self._let_go()
        if self._file is not None:
            self._file.close()

    def __del__(self) -> None:
        """Give the room back, also where nobody came to read."""
        self._let_go()
        if self._file is not None:
            self._file.close()

    def _let_go(self) -> None:
        self._spool.hold(-self._written)
        self._read = self._written = 0

    async def _append(self, piece: bytes) -> None:
        """Write a part to the file; a thread that writes is waited for, whatever happens.

        The file is closed by who ends this, and its number may be another file's a moment later.
        """
        self._is_writing = True
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, piece))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise
        finally:
            self._is_writing = False
        self._spool.hold(len(piece))
        self._written += len(piece)

    async def _read_piece(self) -> bytes:
        size = min(_PIECE, self._written - self._read)
        assert self._file is not None
        piece = await asyncio.to_thread(os.pread, self._file.fileno(), size, self._read)
        self._read += len(piece)
        if self._read == self._written and not self._is_writing:
            self._file.truncate(0)  # the room on the disk is free again
            self._let_go()
        return piece

    def _write(self, piece: bytes) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._spool.folder)  # noqa: SIM115
            view, at = memoryview(piece), self._written
            while view:
                done = os.pwrite(self._file.fileno(), view, at)
                view, at = view[done:], at + done
        except OSError as error:
            raise StoreFullError(str(self._spool.folder)) from error

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def feed_all(
    stream: Stream, parts: AsyncIterator[bytes], deadline_s: float, seconds: float
) -> None:
    """Feed a stream all parts, in so many seconds.

    Raises
    ------
    QueryTimeoutError
        The reader left no room for longer.
    """
    try:
        async with asyncio.timeout(seconds):
            async for piece in parts:
                await stream.feed(piece)
    except TimeoutError:
        raise QueryTimeoutError(deadline_s) from None
