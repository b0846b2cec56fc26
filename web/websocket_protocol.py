"""WebSocket connections under the limits of the service.

Floor 5. A subclass of uvicorn's protocol on websockets: it keeps the place of its connection among
those that are counted, and lets go of a client that takes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from graph.settings import Settings

#: How long what was written last may take to go out after the end, in seconds.
_LINGER_S: Final = 2.0


class StallTimer:
    """Cuts a connection whose client takes nothing of what waits for it."""

    def __init__(self, stalled_s: float) -> None:
        self._stalled_s = stalled_s
        self._timer: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport) -> None:
        """Begin to count: the buffer is full."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._stalled_s, transport.abort)

    def stop(self) -> None:
        """Stop counting: the client took something, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket; made by `bounded_websocket`."""

    settings: ClassVar[Settings]
    _release: Callable[[], None] | None = None
    _stall: StallTimer | None = None
    _is_discarding = False

    def hold(self, release: Callable[[], None]) -> None:
        """Call a function once the connection is gone."""
        self._release = release

    def pause_writing(self) -> None:
        """Note that the client is slow."""
        super().pause_writing()
        self._stall = self._stall or StallTimer(self.settings.stalled_s)
        self._stall.start(self.transport)

    def resume_writing(self) -> None:
        """Note that it took something."""
        if self._stall is not None:
            self._stall.stop()
        super().resume_writing()

    def keepalive_timeout(self) -> None:
        """Let go of a client that gives no sign of life."""
        super().keepalive_timeout()
        self.loop.call_later(_LINGER_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Read what comes, and let it fall once the client broke the protocol."""
        if not self._is_discarding:
            super().data_received(data)

    def handle_parser_exception(self) -> None:
        """Say why, then end: a close with bytes unread would reset the connection.

        The client would meet the reset before the closing frame, and never learn the reason. So
        only our half is closed; what it still sends is read and dropped until it ends, too.
        """
        assert self.conn.close_sent is not None
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_sent = self._is_discarding = True
        self.stop_keepalive()
        if self.transport.is_closing():
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(_LINGER_S, self.transport.abort)
        self.transport.resume_reading()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Let go of a client to which nothing more is said."""
        super().on_task_complete(task)
        self.loop.call_later(_LINGER_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place of the connection back."""
        if self._stall is not None:
            self._stall.stop()
        if self._release is not None:
            self._release()
        super().connection_lost(exc)


def bounded_websocket(settings: Settings) -> type[BoundedWebSocket]:
    """Return the protocol class of one server."""
    return type("BoundedWebSocket", (BoundedWebSocket,), {"settings": settings})
