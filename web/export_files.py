"""Export files on disk: what is asked for in ranges, and what is dear to make.

Floor 5. One folder in the store's, emptied before its first use, so that no file is served that
another process made. A file is made once however many ask, a few at a time; the least used go
when there is too much.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import anyio.to_thread

from graph.errors import StoreFullError, StoreUnavailableError
from graph.settings import Settings

#: The folder in the store's.
FOLDER: Final = "exports"
_RETRY_AFTER_S: Final = 10.0

#: Writes a file; called in a thread.
FileWriter = Callable[[Path], None]


class ExportFiles:
    """The files, each by a key that says all that its bytes depend on.

    Used in the loop's thread.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.store / FOLDER
        self._limit_bytes = settings.export_cache_mb * 1_000_000
        self._queue = settings.export_queue
        self._turn = asyncio.Semaphore(max(1, settings.export_files))
        self._at_once = max(1, settings.export_files)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sizes: dict[str, int] = {}  # the least used first
        shutil.rmtree(self._folder, ignore_errors=True)

    def find(self, key: str) -> BinaryIO | None:
        """Return the file of a key, open, or None when it is not there."""
        name = _name(key)
        if name not in self._sizes:
            return None
        try:
            file = (self._folder / name).open("rb")
        except OSError:  # someone tidied up
            del self._sizes[name]
            return None
        self._sizes[name] = self._sizes.pop(name)
        return file

    async def get(self, key: str, write: FileWriter) -> BinaryIO:
        """Return the file of a key, open; it is written first where it is not there.

        Raises
        ------
        StoreUnavailableError
            Too many wait for files already.
        RhizomeError
            What the writer met.
        """
        name = _name(key)
        for _ in range(2):
            if (file := self.find(key)) is not None:
                return file
            await asyncio.shield(self._task(name, write))
        file = self.find(key)
        if file is None:
            raise StoreUnavailableError("the export file went away: retry")
        return file

    def _task(self, name: str, write: FileWriter) -> asyncio.Task[None]:
        """Return what writes a file, begun now if nothing does."""
        task = self._tasks.get(name)
        if task is None:
            if len(self._tasks) >= self._at_once + self._queue:
                detail = "too many exports are being written: retry, or ask without a range"
                raise StoreUnavailableError(detail, _RETRY_AFTER_S)
            task = self._tasks[name] = asyncio.create_task(self._make(name, write))
            task.add_done_callback(partial(self._settle, name))
        return task

    async def _make(self, name: str, write: FileWriter) -> None:
        async with self._turn:
            size = await anyio.to_thread.run_sync(partial(self._write, name, write))
            self._sizes[name] = size
            dropped = self._drop(name)
            await anyio.to_thread.run_sync(self._delete, dropped)

    def _settle(self, name: str, task: asyncio.Task[None]) -> None:
        del self._tasks[name]
        if not task.cancelled():
            task.exception()  # who waits is told; when all have left, nobody need be

    def _write(self, name: str, write: FileWriter) -> int:
        """Write a file beside its place and move it there; return its size."""
        path = self._folder / f".{name}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            write(path)
            size = path.stat().st_size
            path.rename(self._folder / name)
        except OSError as error:
            raise StoreFullError(str(self._folder)) from error
        finally:
            path.unlink(missing_ok=True)
        return size

    def _drop(self, newest: str) -> list[str]:
        """Forget the least used files until the rest fits, and return them; the newest stays."""
        held = sum(self._sizes.values())
        dropped: list[str] = []
        for name in list(self._sizes):
            if held <= self._limit_bytes:
                break
            if name != newest:
                held -= self._sizes.pop(name)
                dropped.append(name)
        return dropped

    def _delete(self, names: list[str]) -> None:
        """Delete files that nobody finds any more; called in a thread, so it touches no table."""
        for name in names:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)


def pieces_to_file(make: Callable[[], Iterator[bytes]]) -> FileWriter:
    """Return what writes the pieces that `make` yields."""

    def write(path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in make():
                file.write(piece)

    return write


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
