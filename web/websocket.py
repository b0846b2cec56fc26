"""GraphQL over WebSocket: the protocol `graphql-transport-ws`, on the address of GraphQL.

Floor 5. One connection carries any number of operations, each by its id. What breaks the protocol
closes the connection, with the code that the protocol gives it; what is wrong with one operation
is told to that one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from graph.errors import (
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    RhizomeError,
    StoreUnavailableError,
    UnauthenticatedError,
)
from schema.execute import refuse
from schema.faults import bug_entry
from web.access import CALLER, REFUSED, VIEWER, identify, viewer_of
from web.asking import Answering, Asking, address_key, may_ask
from web.frame import Origins
from web.graphql_request import Headers
from web.limits import Rate, find_address, rate_key
from web.problems import PROBLEM_JSON, describe_error, encode_problem, problem_headers
from web.streams import CHECK_S, ENDED, Stream, cancel, ended

if TYPE_CHECKING:
    from web.service import Service

_logger = logging.getLogger("rhizome.graphql")

PROTOCOL: Final = "graphql-transport-ws"
#: The members of `connection_init` that stand for headers, which browsers cannot send here.
_HEADERS: Final = {"authorization": b"authorization", "accept-language": b"accept-language"}
#: Characters of an operation's id.
_ID_MAX: Final = 200
#: Bytes of the reason in a closing frame.
_REASON_BYTES: Final = 120
#: How long the closing frame may take to go out, in seconds.
_CLOSING_S: Final = 1.0


class Closing(NamedTuple):
    """Why a connection is closed: the code of the protocol, and words."""

    code: int
    reason: str


STOPPING: Final = Closing(1012, "Service restart")
IDLE: Final = Closing(1000, "Idle")
BINARY: Final = Closing(4400, "Invalid message: text is expected")
UNACKNOWLEDGED: Final = Closing(4401, "Unauthorized")
NO_PROTOCOL: Final = Closing(4406, "Subprotocol not acceptable")
INIT_LATE: Final = Closing(4408, "Connection initialisation timeout")
INIT_AGAIN: Final = Closing(4429, "Too many initialisation requests")
FLOODED: Final = Closing(4429, "Too many messages")


class Sockets:
    """The WebSocket endpoint: an ASGI application."""

    def __init__(self, service: Service, path: str, answer: Answering) -> None:
        self.service = service
        self.path = path
        self.answer = answer
        self.origins = Origins(service.settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        websocket = WebSocket(scope, receive, send)
        await websocket.receive()
        limiter = self.service.limiter
        address = find_address(scope, limiter.proxies)
        scope["client"] = (address, 0)
        headers: Headers = dict(scope["headers"])
        with contextlib.ExitStack() as stack:
            try:
                self._admit(scope, headers, rate_key(address))
                stack.enter_context(self.service.streams.connection(rate_key(address)))
            except RhizomeError as error:
                await _deny(websocket, error)
                return
            with contextlib.suppress(WebSocketDisconnect):
                await self._serve(websocket, headers)

    def _admit(self, scope: Scope, headers: Headers, address: str) -> None:
        """Refuse who may not open a connection at all."""
        if scope["path"] != self.path:
            raise NotFoundError(scope["path"][:200])
        if not may_ask(self.origins, headers):
            raise ForbiddenError("to open a WebSocket from a page of another origin")
        self.service.limiter.admit(scope, address)
        if REFUSED in scope:
            raise scope[REFUSED]
        if not self.service.is_ready:
            raise StoreUnavailableError(f"the service is not ready: {self.service.stage}")

    async def _serve(self, websocket: WebSocket, headers: Headers) -> None:
        if PROTOCOL not in websocket.scope["subprotocols"]:
            await websocket.accept()
            await websocket.close(*NO_PROTOCOL)
            return
        await websocket.accept(PROTOCOL)
        # What is no subscription is answered as if it came by POST: no page of a foreign origin
        # got here, and a token is sent by who has it.
        scope = {**websocket.scope, "type": "http", "method": "POST"}
        asking = Asking(scope, headers, address_key(scope), self.answer)
        closing = await _Connection(websocket, asking).run()
        if closing is not None and websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(_CLOSING_S):
                    await websocket.close(*closing)


class _Connection:
    """One connection that was accepted; `end` is set to what closes it."""

    def __init__(self, websocket: WebSocket, asking: Asking) -> None:
        self.websocket = websocket
        self.asking = asking
        self.service = asking.service
        self.streams = asking.service.streams
        self.settings = asking.service.settings
        self.end: asyncio.Future[Closing | None] = asyncio.get_running_loop().create_future()
        self.acknowledged = asyncio.Event()
        self.is_begun = False
        self.operations: dict[str, asyncio.Task[None]] = {}
        self.idle_since = time.monotonic()
        self.rate = Rate("subscription_messages", self.settings.subscription_messages)

    async def run(self) -> Closing | None:
        """Serve until something ends the connection; return what, or None if the client left."""
        own = [asyncio.create_task(task) for task in (self._read(), self._watch())]
        for task in own:
            task.add_done_callback(self._fail)
        try:
            return await self.end
        finally:
            await cancel([*own, *self.operations.values()])

    def _finish(self, closing: Closing | None) -> None:
        if not self.end.done():
            self.end.set_result(closing)

    def _fail(self, task: asyncio.Task[None]) -> None:
        """End with what broke a task of the connection, which nothing else would end."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, WebSocketDisconnect):
            self._finish(None)  # met while sending, before the end was read
        elif error is not None and not self.end.done():
            self.end.set_exception(error)

    # --- what ends it by itself ---------------------------------------------------------------

    async def _watch(self) -> None:
        """Close what does not begin, idles, is no longer allowed, or has to stop."""
        if not await ended(self.acknowledged, self.settings.subscription_init_s):
            self._finish(INIT_LATE)
            return
        while not await ended(self.streams.closing, CHECK_S):
            if not self._is_valid():
                self._finish(Closing(4403, f"Forbidden: {ENDED}"))
            if self.operations:
                self.idle_since = time.monotonic()
            elif time.monotonic() - self.idle_since > self.settings.subscription_idle_s:
                self._finish(IDLE)
        self._finish(STOPPING)

    def _is_valid(self) -> bool:
        return self.streams.is_valid(viewer_of(self.asking.scope, self.service.visitor))

    # --- messages -----------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            message = await self.websocket.receive()
            if message["type"] == "websocket.disconnect":
                self._finish(None)
                return
            try:
                self.rate.take("", time.monotonic())
            except RateLimitedError:
                self._finish(FLOODED)
                return
            text = message.get("text")
            closing = BINARY if text is None else await self._take(text)
            if closing is not None:
                self._finish(closing)
                return

    async def _take(self, text: str) -> Closing | None:
        """Do what a message asks; return what closes the connection."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return _invalid("no JSON")
        if not isinstance(message, dict):
            return _invalid("no JSON object")
        payload = message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            return _invalid("payload is no object")
        match message.get("type"):
            case "connection_init":
                return await self._begin(payload or {})
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                return self._subscribe(message.get("id"), payload)
            case "complete":
                return self._complete(message.get("id"))
            case _:
                return _invalid("of no known type")
        return None

    async def _begin(self, payload: dict[str, Any]) -> Closing | None:
        if self.is_begun:
            return INIT_AGAIN
        self.is_begun = True
        headers = dict(self.asking.headers)
        for name, value in payload.items():
            header = _HEADERS.get(name.lower())
            if header is not None and isinstance(value, str):
                headers[header] = value.encode("latin-1", errors="replace")
        self.asking.headers = headers
        if b"authorization" in headers and not self._identify(headers):
            return Closing(4403, "Forbidden: the token is not valid")
        self.acknowledged.set()
        await self._send({"type": "connection_ack"})
        return None

    def _identify(self, headers: Headers) -> bool:
        """Tell whether what was presented is fine, and note whom it stands for."""
        scope = self.asking.scope
        for name in (VIEWER, CALLER, REFUSED):
            scope.pop(name, None)
        scope["headers"] = list(headers.items())
        identify(scope, self.service.tokens)
        return REFUSED not in scope

    def _subscribe(self, number: object, payload: dict[str, Any] | None) -> Closing | None:
        if not self.acknowledged.is_set():
            return UNACKNOWLEDGED
        if not isinstance(number, str) or not 0 < len(number) <= _ID_MAX or payload is None:
            return _invalid("subscribe needs an id and a payload")
        if number in self.operations:
            return Closing(4409, f"Subscriber for {number} already exists")
        task = asyncio.create_task(self._operate(number, payload))
        self.operations[number] = task
        return None

    def _complete(self, number: object) -> Closing | None:
        if not isinstance(number, str):
            return _invalid("complete needs an id")
        task = self.operations.pop(number, None)
        if task is not None:
            task.cancel()
        return None

    # --- operations -----------------------------------------------------------------------------

    async def _operate(self, number: str, payload: dict[str, Any]) -> None:
        """Run one operation and tell its end."""
        mine = asyncio.current_task()
        try:
            await self._answer(number, payload)
        except UnauthenticatedError:
            self._finish(Closing(4403, f"Forbidden: {ENDED}"))
        except RhizomeError as error:
            await self._send_error(number, refuse(error).errors)
        except WebSocketDisconnect:
            self._finish(None)
        except Exception:  # a bug: of this operation alone, and it is not left waiting
            if self.websocket.application_state is not WebSocketState.CONNECTED:
                return  # nobody is there to be told
            _logger.exception("an operation failed")
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._send_error(number, (bug_entry(),))
        finally:
            if self.operations.get(number) is mine:
                del self.operations[number]
                self.idle_since = time.monotonic()

    async def _answer(self, number: str, payload: dict[str, Any]) -> None:
        if not self._is_valid():
            raise UnauthenticatedError(ENDED)
        self.service.limiter.take_for(self.asking.caller)
        allowed = self.settings.subscriptions_per_connection
        if len(self.operations) > allowed:
            name = "subscriptions_per_connection"
            raise RateLimitedError(name, allowed, len(self.operations))
        found = await self.asking.ask(payload)
        if isinstance(found, Stream):
            async with contextlib.aclosing(found.messages()) as messages:
                async for message in messages:
                    await self._send_next(number, message.payload)
        elif found.answer.failed:
            await self._send_error(number, found.answer.errors)
            return
        else:
            await self._send_next(number, found.body)
        await self._send({"id": number, "type": "complete"})

    async def _send_next(self, number: str, payload: bytes) -> None:
        head = orjson.dumps({"id": number, "type": "next"})[:-1]
        await self.websocket.send_text(b"".join((head, b',"payload":', payload, b"}")).decode())

    async def _send_error(self, number: str, errors: tuple[dict[str, Any], ...]) -> None:
        await self._send({"id": number, "type": "error", "payload": list(errors)})

    async def _send(self, message: dict[str, Any]) -> None:
        await self.websocket.send_text(orjson.dumps(message).decode())


def _invalid(detail: str) -> Closing:
    return Closing(4400, f"Invalid message: {detail}")


async def _deny(websocket: WebSocket, error: RhizomeError) -> None:
    """Refuse the connection with the status and the problem of an error."""
    body = encode_problem(describe_error(error))
    answer = Response(body, error.status, problem_headers(error), PROBLEM_JSON)
    await websocket.send_denial_response(answer)
