"""Subscriptions as server-sent events: one stream an operation, on the address of GraphQL.

Floor 5. The protocol is GraphQL over SSE with distinct connections: events `next` and `complete`.
Each event has the revision from which to go on as its id, and so has each sign of life, the first
included: a browser's EventSource, which sends the last one when it comes back, misses nothing, even
if it was told of nothing yet.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from graph.errors import (
    RateLimitedError,
    RhizomeError,
    StoreUnavailableError,
    UnauthenticatedError,
)
from graph.store.access_tokens import INVALID
from schema.execute import refuse
from web.access import PRIVATE, REFUSED, VIEWER, viewer_of
from web.asking import Answered, Answering, Asking, address_key
from web.graphql_request import Headers, header
from web.parts import BrokenOffError
from web.streams import CHECK_S, ENDED, Stream, cancel, ended

EVENT_STREAM: Final = "text/event-stream"
_LAST: Final = b"last-event-id"
_DIGITS: Final = 15
_COMPLETE: Final = b"event: complete\ndata:\n\n"
_ALIVE: Final = b":\n\n"


async def serve_events(
    scope: Scope,
    receive: Receive,
    send: Send,
    headers: Headers,
    asked: dict[str, Any],
    answer: Answering,
) -> None:
    """Answer one operation as a stream of events.

    Raises
    ------
    UnauthenticatedError, RateLimitedError, StoreUnavailableError
        Before anything is sent: the status says it.
    """
    if REFUSED in scope:
        raise scope[REFUSED]
    asking = Asking(scope, headers, address_key(scope), answer)
    with asking.service.streams.connection(asking.address):
        found = await asking.ask(asked)
        error = None if isinstance(found, Stream) else found.answer.error
        if isinstance(error, RateLimitedError | StoreUnavailableError):
            raise error
        await _Events(asking, receive, send).run(found)


class _Events:
    """One stream on its way out."""

    def __init__(self, asking: Asking, receive: Receive, send: Send) -> None:
        self.scope = asking.scope
        self.streams = asking.service.streams
        self.alive_s = asking.service.settings.subscription_alive_s
        self.viewer = viewer_of(asking.scope, asking.service.visitor)
        self.last = _last_event(asking.headers)
        self._receive = receive
        self._send = send

    async def run(self, found: Stream | Answered) -> None:
        """Send what was found: notices as they come, or one answer."""
        await self._begin()
        if not isinstance(found, Stream):
            await self._put(_ALIVE + _event(found.body) + _COMPLETE)
            await self._put(b"", more=False)
            return
        if self.last is not None:
            found.resume_from(self.last)
        await self._put(_sign_of_life(found))
        running = (
            self._tell(found),
            self._keep_alive(found),
            self._wait_for_end(),
            self._watch(),
        )
        tasks = [asyncio.create_task(task) for task in running]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(tasks)
        for task in done:
            task.result()
        await self._put(b"", more=False)

    async def _tell(self, stream: Stream) -> None:
        """Send the notices; what ends them is told too, the end of the service is not."""
        try:
            async with contextlib.aclosing(stream.messages()) as messages:
                async for message in messages:
                    await self._put(_event(message.payload, message.resume))
        except RhizomeError as error:
            await self._put(_refusal(error))

    async def _watch(self) -> None:
        """Return when the token is no longer valid, having said so.

        Raises
        ------
        BrokenOffError
            The client takes nothing, so that nothing can be said.
        """
        while self.streams.is_valid(self.viewer):
            await asyncio.sleep(CHECK_S)
        try:
            async with asyncio.timeout(CHECK_S):
                await self._put(_refusal(UnauthenticatedError(ENDED, INVALID)))
        except TimeoutError:
            raise BrokenOffError(ENDED) from None

    async def _keep_alive(self, stream: Stream) -> None:
        while not await ended(self.streams.closing, self.alive_s):
            await self._put(_sign_of_life(stream))

    async def _wait_for_end(self) -> None:
        """Return when the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise ClientDisconnect

    async def _begin(self) -> None:
        kept = PRIVATE if VIEWER in self.scope else "no-cache"
        head = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", kept.encode()),
            (b"vary", b"Accept, Accept-Language"),
            (b"x-accel-buffering", b"no"),  # proxies of the nginx family would hold events back
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": head})

    async def _put(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _event(payload: bytes, resume: int | None = None) -> bytes:
    place = b"" if resume is None else b"id: %d\n" % resume
    return b"event: next\n%bdata: %b\n\n" % (place, payload)


def _sign_of_life(stream: Stream) -> bytes:
    """Return what no reader takes for an event, with the place if the notices have not left it."""
    return _ALIVE if stream.is_telling else b"id: %d\n\n" % stream.revision


def _refusal(error: RhizomeError) -> bytes:
    return _event(orjson.dumps(refuse(error).body())) + _COMPLETE


def _last_event(headers: Headers) -> int | None:
    """Return the revision that an EventSource has, which comes back."""
    text = header(headers, _LAST) or ""
    is_revision = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if is_revision else None
