"""The HTTP server around the application: its socket, its loop, its end.

Floor 5. uvicorn with uvloop, httptools and our own protocol class. A signal ends it in order: no
new connections, open requests get their time, the parts close, exit code 0.
"""

from __future__ import annotations

import contextlib
import math
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Final

import uvicorn

from graph.errors import SettingError
from web.protocol import bounded_protocol
from web.websocket_protocol import bounded_websocket

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from graph.settings import Settings

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_BACKLOG: Final = 512
_PORT_MAX: Final = 65_535
#: How long an idle connection is kept, in seconds.
_KEEP_ALIVE_S: Final = 15


def bind(settings: Settings) -> socket.socket:
    """Return a socket bound to the settings' host and port; port 0 takes a free one.

    Raises
    ------
    SettingError
        The host is unknown, or the port is in use or not allowed.
    """
    if not 0 <= settings.port <= _PORT_MAX:  # the system would take it modulo 65536
        raise SettingError("port", str(settings.port), f"a port, 0 to {_PORT_MAX}")
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise SettingError("host", settings.host, "an address of this machine") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        expected = f"a port to listen on at {settings.host} ({reason}); choose another with --port"
        raise SettingError("port", str(settings.port), expected) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    if listener.family == socket.AF_INET6:
        host = f"[{host}]"
    return f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn's server, which says when it listens and takes a signal as an orderly wish to end."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_listening: Callable[[], None],
        on_stopping: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._on_stopping = on_stopping

    def stop(self) -> None:
        """End in order, as by a signal."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections and say so."""
        await super().startup(sockets)
        self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: what would go on by itself first, then what is being answered."""
        self._on_stopping()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals while serving; uvicorn would raise them again, and so end with a code."""
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.should_exit and number == signal.SIGINT:
            self.force_exit = True  # Ctrl+C a second time: wait for nobody
        self.should_exit = True


def make_server(
    app: Starlette,
    settings: Settings,
    on_listening: Callable[[], None],
    on_stopping: Callable[[], None],
) -> Server:
    """Return the server of an application, under the limits of the settings.

    `on_stopping` ends what would go on by itself, before open requests get their time.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=bounded_protocol(settings),
        ws=bounded_websocket(settings),
        ws_max_size=settings.subscription_message_bytes,
        ws_ping_interval=settings.subscription_alive_s,
        ws_ping_timeout=settings.subscription_alive_s,
        ws_per_message_deflate=False,  # a few bytes could become many
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, math.ceil(settings.stop_s)),
    )
    return Server(config, on_listening, on_stopping)
