"""Answers in parts between a worker and its reader: order, room, ends."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.errors import (
    QueryMemoryError,
    QueryTimeoutError,
    StoreFullError,
    StoreUnavailableError,
)
from graph.store.spool import MEMORY_BYTES, Spool, Stream, feed_all

PIECE = MEMORY_BYTES // 4


def pieces(count: int) -> list[bytes]:
    return [bytes([n % 256]) * PIECE for n in range(count)]


async def read(stream: Stream) -> bytes:
    return b"".join([piece async for piece in stream.parts()])


def test_what_is_fed_is_read_in_its_order_however_slowly(tmp_path: Path) -> None:
    async def main() -> None:
        spool = Spool(tmp_path, 10**9)
        stream = spool.stream()
        sent = pieces(40)
        for piece in sent:
            await stream.feed(piece)
        # A small part is in memory, the rest on disk, in a file without a name.
        assert stream._memory_bytes <= MEMORY_BYTES
        assert spool.bytes_held == sum(map(len, sent)) - stream._memory_bytes
        assert list(tmp_path.iterdir()) == []
        stream.finish(None, 40, 1.5)
        assert await read(stream) == b"".join(sent)
        assert spool.bytes_held == 0
        assert (stream.rows, stream.seconds) == (40, 1.5)
        await stream.close()

    asyncio.run(main())


def test_reading_and_feeding_take_turns(tmp_path: Path) -> None:
    async def main() -> None:
        spool = Spool(tmp_path, 10**9)
        stream = spool.stream()
        sent = pieces(60)

        async def feed() -> None:
            for n, piece in enumerate(sent):
                await stream.feed(piece)
                if n % 7 == 0:
                    await asyncio.sleep(0)
            stream.finish(None, 0, 0.0)

        feeding = asyncio.create_task(feed())
        assert await read(stream) == b"".join(sent)
        await feeding
        await stream.close()
        assert spool.bytes_held == 0

    asyncio.run(main())


def test_an_error_comes_after_what_was_fed(tmp_path: Path) -> None:
    async def main() -> None:
        stream = Spool(tmp_path, 10**9).stream()
        await stream.feed(b"first")
        stream.finish(QueryMemoryError(512), 0, 0.0)
        parts = stream.parts()
        assert await anext(parts) == b"first"
        with pytest.raises(QueryMemoryError):
            await anext(parts)

    asyncio.run(main())


def test_without_room_a_new_answer_is_refused_and_an_old_one_waits(tmp_path: Path) -> None:
    async def main() -> None:
        spool = Spool(tmp_path, 2 * PIECE)
        stream = spool.stream()
        for piece in pieces(6):
            await stream.feed(piece)
        with pytest.raises(StoreUnavailableError, match="too many large answers"):
            spool.stream()
        waiting = asyncio.create_task(stream.feed(b"more"))
        await asyncio.sleep(0)
        assert not waiting.done()
        parts = stream.parts()
        for _ in range(5):
            await anext(parts)
        await waiting
        stream.finish(None, 0, 0.0)
        assert b"".join([piece async for piece in parts])[-4:] == b"more"
        await stream.close()
        assert spool.stream() is not None

    asyncio.run(main())


def test_who_does_not_read_ends_the_query_at_its_deadline(tmp_path: Path) -> None:
    async def main() -> None:
        stream = Spool(tmp_path, 1).stream()

        async def parts() -> AsyncIterator[bytes]:
            for piece in pieces(20):
                yield piece

        with pytest.raises(QueryTimeoutError):
            await feed_all(stream, parts(), 5.0, 0.05)
        await stream.close()

    asyncio.run(main())


def test_closing_ends_who_feeds_and_gives_the_room_back(tmp_path: Path) -> None:
    async def main() -> None:
        spool = Spool(tmp_path, 3 * PIECE)
        stream = spool.stream()

        async def feed() -> None:
            for piece in pieces(100):
                await stream.feed(piece)

        task = asyncio.create_task(feed())
        stream.feed_by(task)
        await asyncio.sleep(0.05)
        assert spool.bytes_held > 0
        await stream.close()
        await stream.close()
        assert task.cancelled()
        assert spool.bytes_held == 0

    asyncio.run(main())


def test_what_was_read_counts_until_its_room_on_the_disk_is_free(tmp_path: Path) -> None:
    async def main() -> None:
        spool = Spool(tmp_path, 10**9)
        stream = spool.stream()
        for piece in pieces(12):
            await stream.feed(piece)
        assert stream._file is not None
        file = stream._file.fileno()
        parts = stream.parts()
        for _ in range(7):
            await anext(parts)
        assert spool.bytes_held == os.fstat(file).st_size == 8 * PIECE
        await anext(parts)
        assert spool.bytes_held == os.fstat(file).st_size == 0
        await stream.feed(b"more")
        stream.finish(None, 0, 0.0)
        assert [piece async for piece in parts] == [b"more"]
        await stream.close()

    asyncio.run(main())


def test_a_file_stays_open_while_a_thread_writes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, release = threading.Event(), threading.Event()
    write, written = os.pwrite, []

    def write_late(file: int, data: bytes, at: int) -> int:
        entered.set()
        release.wait(30)
        written.append(write(file, data, at))  # fails where the file was closed
        return written[-1]

    async def main() -> None:
        stream = Spool(tmp_path, 10**9).stream()
        for piece in pieces(4):  # in memory
            await stream.feed(piece)
        monkeypatch.setattr(os, "pwrite", write_late)
        task = asyncio.create_task(stream.feed(b"more"))
        stream.feed_by(task)
        await asyncio.to_thread(entered.wait, 30)
        closing = asyncio.create_task(stream.close())
        for _ in range(10):
            await asyncio.sleep(0)
        release.set()
        await closing
        assert task.cancelled()
        assert written == [4]
        assert stream._file is not None
        assert stream._file.closed

    asyncio.run(main())


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    async def main() -> None:
        stream = Spool(tmp_path, 10**9).stream()
        monkeypatch.setattr(os, "pwrite", refuse)
        for piece in pieces(4):  # in memory
            await stream.feed(piece)
        with pytest.raises(StoreFullError):
            await stream.feed(b"more")
        await stream.close()

    asyncio.run(main())
