"""Answers of SPARQL on their way out: whole, or in parts that come while they are made.

Floor 5. A whole answer has its length. One in parts that fails in the middle is broken off: its
connection ends before its length is reached, or without the mark of its end, so that nobody takes
it for a whole one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graph.errors import RhizomeError
from graph.store.query import Answer

if TYPE_CHECKING:
    from graph.store.spool import Stream
    from web.limits import Limiter, Use

Result = TypeVar("Result")

_logger = logging.getLogger("rhizome.sparql")
# How long the work may take before it is listened for whether the client leaves.
_LISTEN_AFTER_S: Final = 0.02
#: Tasks that wait for the end of a query whose answer is on its way.
_settling: Final[set[asyncio.Task[None]]] = set()


class BrokenOffError(Exception):
    """An answer cannot be brought to its end; the server closes the connection."""


class PartsResponse(Response):
    """A response whose body is read from a stream as it comes."""

    def __init__(
        self, stream: Stream, size: int | None, headers: dict[str, str], media_type: str
    ) -> None:
        super().__init__(headers=headers, media_type=media_type)
        self._stream = stream
        length = [] if size is None else [(b"content-length", str(size).encode())]
        others = [header for header in self.raw_headers if header[0] != b"content-length"]
        self.raw_headers = others + length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts until the end, or until the client leaves."""
        try:
            if scope["method"] == "HEAD":
                await self._stream.close()
                await self._start(send)
                await send({"type": "http.response.body", "body": b""})
                return
            await while_connected(receive, self._send(send))
            # Not while it is listened for: the end of the answer looks like that of the client.
            await send({"type": "http.response.body", "body": b""})
        except ClientDisconnect:
            raise BrokenOffError from None
        finally:
            await self._stream.close()

    async def _start(self, send: Send) -> None:
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})

    async def _send(self, send: Send) -> None:
        await self._start(send)
        try:
            async for piece in self._stream.parts():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except RhizomeError as error:
            fields = {"code": error.code, "seconds": round(self._stream.seconds, 3)}
            _logger.info("answer broken off", extra={"fields": fields})
            raise BrokenOffError from error


async def run_limited(
    limiter: Limiter, request: Request, work: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Return the answer that a query gives, within what its address may use.

    An answer in parts counts, and is the one query of its address, until it was all made.

    Raises
    ------
    ClientDisconnect
        The client left; the query was ended.
    """
    async with AsyncExitStack() as stack:
        use = await stack.enter_async_context(limiter.query(request))
        answer = await while_connected(request.receive, work())
        if answer.rest is None:
            use.seconds = answer.seconds
        else:
            task = asyncio.create_task(_settle(stack.pop_all(), use, answer.rest))
            _settling.add(task)
            task.add_done_callback(_settling.discard)
        return answer


async def _settle(stack: AsyncExitStack, use: Use, stream: Stream) -> None:
    async with stack:
        await stream.ended.wait()
        use.seconds = stream.seconds


async def while_connected(receive: Receive, work: Awaitable[Result]) -> Result:
    """Return what the work returns; when the client leaves, the work is cancelled.

    Most work is done before a client could leave, so that it is not listened for at once: that
    would cost as much as a small query does.

    Raises
    ------
    ClientDisconnect
        The client left.
    """
    watch = _Watch(receive)
    timer = asyncio.get_running_loop().call_later(_LISTEN_AFTER_S, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.has_left or watch.task.uncancel():
            raise
        raise ClientDisconnect from None
    finally:
        timer.cancel()
        watch.end()


class _Watch:
    """Cancels a task when its client leaves."""

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.has_left = False
        self._receive = receive
        self._listening: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to listen."""
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    def end(self) -> None:
        """Listen no longer."""
        if self._listening is not None:
            self._listening.cancel()

    async def _listen(self) -> None:
        await _wait_for_disconnect(self._receive)
        self.has_left = True
        self.task.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
