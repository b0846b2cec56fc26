"""Connections: how many, and how long and large the head of a request may be.

Floor 5. A subclass of uvicorn's httptools protocol, since uvicorn has no deadline for a head,
takes heads of a megabyte, and its own limit answers 503 to everyone. What is refused here never
reaches the application, so the answer is written as bytes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from graph.errors import (
    BadValueError,
    HeadersTooLargeError,
    RateLimitedError,
    RhizomeError,
    SlowRequestError,
    StoreUnavailableError,
)
from web.cycle import Cycle, write_head
from web.frame import SECURITY_HEADERS
from web.limits import Network, is_in, rate_key, read_networks
from web.problems import PROBLEM_JSON, describe_error, encode_problem, problem_headers
from web.repeats import REQUEST_BYTES
from web.websocket_protocol import BoundedWebSocket, StallTimer

if TYPE_CHECKING:
    from starlette.types import Scope
    from uvicorn._types import (
        ASGI3Application,
    )

    from graph.settings import Settings
    from web.at_once import AtOnce

#: What a header costs beside its name and value: `: ` and the end of the line.
_HEADER_OVERHEAD: Final = 4


class _HeadRefused(Exception):
    """The head is too large; the parser stops."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection under the limits of the settings; made by `bounded_protocol`."""

    settings: ClassVar[Settings]
    proxies: ClassVar[tuple[Network, ...]]
    open_connections: ClassVar[Counter[str]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._key: str | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_in_head = False
        self._head_bytes = self._head_bytes_at_most = 0
        self._piece_bytes = 0
        self._whole: bytes | None = None
        self._refusal: RhizomeError | None = None
        self._is_reading = False
        self._begun: tuple[RequestResponseCycle, ASGI3Application] | None = None
        self._at_once: AtOnce | None = getattr(self.app, "at_once", None)
        self._stall = StallTimer(self.settings.stalled_s)
        self._is_upgraded = False
        self._idle_since: float | None = None
        self._idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and refuse it above the limits."""
        super().connection_made(cast(asyncio.Transport, transport))
        address = self.client[0] if self.client else ""
        # All users of a trusted proxy share its address: they are counted by request instead.
        self._key = "proxy" if is_in(address, self.proxies) else rate_key(address)
        counts = self.open_connections
        counts[self._key] += 1
        if counts.total() > self.settings.connections:
            self._refuse(StoreUnavailableError("too many open connections"))
        elif self._key != "proxy" and counts[self._key] > self.settings.connections_per_address:
            allowed = self.settings.connections_per_address
            self._refuse(RateLimitedError("connections_per_address", allowed, counts[self._key]))
        else:
            self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out."""
        self._stop_head_timer()
        self._stall.stop()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        self._count_out()
        super().connection_lost(exc)

    def _count_out(self) -> None:
        if self._key is not None:
            self.open_connections[self._key] -= 1
            if not self.open_connections[self._key]:
                del self.open_connections[self._key]
            self._key = None

    def pause_writing(self) -> None:
        """Note that the client is slow: it has some time to take something."""
        super().pause_writing()
        self._stall.start(self.transport)

    def resume_writing(self) -> None:
        """Note that it took something."""
        self._stall.stop()
        super().resume_writing()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to WebSocket; it stays among those that are counted."""
        self._stop_head_timer()
        self._is_upgraded = True
        if self._is_answering():  # a request before it is not answered yet
            self.transport.close()
            return
        super().handle_websocket_upgrade()
        protocol = cast(BoundedWebSocket, self.transport.get_protocol())
        protocol.hold(self._count_out)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and refuse a head that grows beyond its limit."""
        if self._refusal is not None or self.parser is None:
            return
        was_in_head = self._is_in_head
        is_between = not was_in_head and self._is_between()
        if is_between and self._repeat(data):
            return
        self._whole = data if is_between and len(data) <= REQUEST_BYTES else None
        self._piece_bytes = len(data)
        self._is_reading = True
        super().data_received(data)
        self._is_reading = False
        if self._begun is not None:
            cycle, app = self._begun
            self._begun = None
            self._begin(cycle, app)
        self._whole = None
        if self._is_upgraded or self.transport.is_closing():
            return
        if self._is_in_head:
            self._start_head_timer()
            self._head_bytes_at_most += len(data)
            if was_in_head:  # what came before it may stand in the head's first piece
                self._head_bytes += len(data)
            if self._head_bytes > self.settings.header_bytes:
                self._refuse(self._too_large(self._head_bytes))
        elif self._idle_since is None and not self._is_answering():
            self._start_head_timer()  # bytes that begin no request: blank lines

    def on_message_begin(self) -> None:
        """Note that a head begins; its deadline starts where it does not come whole."""
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = self._head_bytes_at_most = 0

    def on_headers_complete(self) -> None:
        """Stop the head's deadline, and refuse a head that is too large, or names no one host."""
        self._is_in_head = False
        self._stop_head_timer()
        if self._head_bytes_at_most + self._piece_bytes > self.settings.header_bytes:
            self._refuse_large_head()
        self._require_host()
        super().on_headers_complete()
        if getattr(self, "cycle", None) is not None:  # else it becomes a WebSocket
            self.cycle.__class__ = Cycle  # uvicorn has no setting for it

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Wait with the first request of a piece until all of the piece is read."""
        if self._is_reading and self._begun is None:
            self._begun = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Answer a request at once where that is possible, else in a task.

        Requests that came with others go the usual way, one task each: none holds the rest up.
        """
        is_plain = not (cycle.more_body or self.pipeline or cycle.waiting_for_100_continue)
        if is_plain and cycle.keep_alive and self._at_once is not None and not self._is_stuck():
            kept, scope = self._at_once.repeats, cast("Scope", cycle.scope)
            # Not with the beginning of the next request behind it.
            whole = None if self._is_in_head or self._key == "proxy" else self._whole
            state = None if whole is None else kept.look()
            answer = self._at_once.answer(scope, bytes(cycle.body))
            if answer is not None:
                if whole is not None:
                    kept.keep(whole, scope, answer, state)
                cast(Cycle, cycle).finish(answer)
                return
        super()._start_asgi_task(cycle, app)

    def _repeat(self, data: bytes) -> bool:
        """Answer what is a whole request that came before; tell whether that was done.

        Callers of a proxy are told apart by what their requests say: these are read.
        """
        if self._at_once is None or self._key in (None, "proxy") or self._is_stuck():
            return False
        answer = self._at_once.repeats.find(data, self.client[0] if self.client else "")
        if answer is None:
            return False
        self._stop_head_timer()
        self.transport.write(write_head(self.server_state.default_headers, answer) + answer.body)
        self.on_response_complete()
        return True

    def _is_between(self) -> bool:
        """Tell whether what comes next is the beginning of a request, and the only one."""
        cycle: RequestResponseCycle | None = getattr(self, "cycle", None)
        is_done = cycle is None or (cycle.response_complete and not cycle.more_body)
        return is_done and not self.pipeline and not self._is_upgraded

    # uvicorn makes a timer after each answer and cancels it with the next request: a tenth of what
    # a small read costs. One timer a connection looks when it fires since when nothing was asked.

    def on_response_complete(self) -> None:
        """Wait for the next request, for as long as a connection is kept."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._watch_idle(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _watch_idle(self, seconds: float) -> None:
        self._idle_timer = self.loop.call_later(seconds, self._on_idle)

    def _on_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since is None:
            return  # the next answer begins to count again
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch_idle(left)
        else:
            self.timeout_keep_alive_handler()

    def _is_stuck(self) -> bool:
        """Tell whether the client does not read, or the connection ends."""
        return self.flow.write_paused or self.transport.is_closing()

    def _refuse_large_head(self) -> None:
        size = len(self.url) + sum(
            len(name) + len(value) + _HEADER_OVERHEAD for name, value in self.headers
        )
        if size > self.settings.header_bytes:
            self._refusal = self._too_large(size)
            raise _HeadRefused

    def _require_host(self) -> None:
        """Refuse a head without exactly one Host, as RFC 9112 (3.2) wants of every server."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            self._refusal = BadValueError("Host", f"{hosts} of them", "one, in each request")
            raise _HeadRefused

    def send_400_response(self, msg: str) -> None:
        """Answer a request that the parser cannot read, or whose head was refused."""
        expected = "an HTTP/1.1 request that can be read"
        error = self._refusal or BadValueError("request", msg[:80], expected)
        self._refusal = None
        self._refuse(error)

    def _refuse(self, error: RhizomeError) -> None:
        """Write an error's answer and close the connection."""
        self._refusal = error
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        if self._is_answering():
            self.transport.close()  # an answer is on its way: a second one would spoil it
            return
        body = encode_problem(describe_error(error))
        headers = {
            **SECURITY_HEADERS,
            **problem_headers(error),
            "Content-Type": PROBLEM_JSON,
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        lines = [f"{name}: {value}\r\n".encode() for name, value in headers.items()]
        self.transport.write(b"".join([STATUS_LINE[error.status], *lines, b"\r\n", body]))
        self.transport.close()

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(
                self.settings.header_deadline_s, self._on_head_deadline
            )

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_head_deadline(self) -> None:
        self._head_timer = None
        if self._is_in_head:
            self._refuse(SlowRequestError(self.settings.header_deadline_s))
        else:
            self.transport.close()  # nothing was asked: nothing to answer

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = getattr(self, "cycle", None)
        return cycle is not None and not cycle.response_complete

    def _too_large(self, size: int) -> HeadersTooLargeError:
        return HeadersTooLargeError("header_bytes", self.settings.header_bytes, size)


def bounded_protocol(settings: Settings) -> type[BoundedProtocol]:
    """Return the protocol class of one server, with its own count of connections."""
    members = {
        "settings": settings,
        "proxies": read_networks(settings.trusted_proxies),
        "open_connections": Counter[str](),
    }
    return type("BoundedProtocol", (BoundedProtocol,), members)
