"""HTTP to a SPARQL server of others: one request, its deadline, and how much is read.

Floor 1. The server is believed in nothing: it may hang, drip, redirect, break off or send without
end. No redirect is followed and nothing but what is asked goes out; credentials stand in one
header and in no message. What an answer means is said elsewhere.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlencode

from graph.store.sparql_address import Address, Credentials

#: How long a connection may take to come about, in seconds.
CONNECT_S: Final = 5.0
_PIECE: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
#: Idle connections that are kept.
_KEPT: Final = 8
#: Statuses that say that a question is at fault: ours is not the client's.
_NOT_UNDERSTOOD: Final = (400, 422)
#: A longer answer to a greeting is none.
_GREETING_BYTES: Final = 64 * 1024
# Beyond the deadline, for a watch that does not ring.
_SLACK_S: Final = 5.0
_FAILURES: Final = (OSError, http.client.HTTPException, ValueError)


class Pairs(NamedTuple):
    """A form as it is sent: names and values, a name may stand more than once."""

    pairs: tuple[tuple[str, str], ...]

    def encode(self) -> bytes:
        """Return it as the body of a request."""
        return urlencode(self.pairs).encode()


class ServerFailedError(Exception):
    """No whole answer came: `reason` says why, in words that hold no secret.

    `is_timeout` tells that its time was over; `is_unsent` that nothing can have been done.
    """

    def __init__(self, reason: str, *, is_timeout: bool = False, is_unsent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_timeout = is_timeout
        self.is_unsent = is_unsent


@dataclass(frozen=True, slots=True)
class Reply:
    """What came: status, headers with names in lower case, and the body.

    `is_cut` tells that there was more of it than was to be read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Greeting(NamedTuple):
    """What a new connection asks first, and who judges the answer by raising ServerFailedError."""

    address: Address
    form: Pairs
    accept: str
    judge: Callable[[Reply], None]


class Call:
    """One request under way: its deadline, and the means to end it from another thread."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.is_aborted = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def hold(self, connected: socket.socket | None) -> None:
        """Take the socket that `abort` is to end; none when the request is over."""
        with self._lock:
            self._socket = connected
            if self.is_aborted and connected is not None:
                _shut(connected)

    def abort(self) -> None:
        """End the request at once: whoever waits for the server wakes."""
        with self._lock:
            self.is_aborted = True
            if self._socket is not None:
                _shut(self._socket)


def _shut(connected: socket.socket) -> None:
    # Not the TLS layer's own: it would wait for the other side, or pull its state away.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


class SparqlClient:
    """Requests to one server, from any thread; idle connections are kept.

    `greet` returns what each new connection has to ask first: a server that was started again
    may not be what it was, and then all its connections are new.
    """

    def __init__(
        self, credentials: Credentials, greet: Callable[[], Greeting] | None = None
    ) -> None:
        self._credentials = credentials
        self._greet = greet
        self._idle: deque[tuple[tuple[str, str, int], http.client.HTTPConnection]] = deque()
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None

    def post(
        self,
        address: Address,
        form: Pairs,
        accept: str,
        call: Call,
        *,
        bytes_max: int,
        is_repeatable: bool = False,
    ) -> Reply:
        """Return the answer to a form.

        Parameters
        ----------
        address : Address
        form : Pairs
        accept : str
            The Accept header.
        call : Call
            Its deadline holds from the first byte sent to the last one read.
        bytes_max : int
            More of the body is not read.
        is_repeatable : bool
            Whether it may be sent a second time when a kept connection turns out closed, and
            none knows whether the server had it: only for what changes nothing.

        Raises
        ------
        ServerFailedError
            No whole answer came.
        """
        try:
            return self._send(address, form.encode(), accept, call, bytes_max, is_kept=True)
        except _StaleError as stale:
            if not is_repeatable or call.is_aborted:
                raise ServerFailedError("it closed the connection before it answered") from stale
        try:
            return self._send(address, form.encode(), accept, call, bytes_max, is_kept=False)
        except _StaleError as stale:
            raise ServerFailedError("it closed the connection before it answered") from stale

    def stream(
        self, address: Address, form: Pairs | None, accept: str, call: Call
    ) -> Iterator[bytes | Reply]:
        """Yield the reply without its body, then the body as it comes; without a form, a GET.

        Raises
        ------
        ServerFailedError
            It does not come whole.
        """
        connection = self._connect(address, call)
        watch = _watch(call)
        try:
            with _translated(call):
                body = None if form is None else form.encode()
                response = self._ask(connection, address, body, accept)
                with response:
                    yield Reply(response.status, _lower(response), b"")
                    while piece := response.read(_PIECE):
                        yield piece
                    _check_end(response)
        finally:
            watch.cancel()
            call.hold(None)
            connection.close()

    def close(self) -> None:
        """Let go of the connections that are kept."""
        with self._lock:
            while self._idle:
                self._idle.pop()[1].close()

    # --- one request ------------------------------------------------------------------------

    def _send(
        self,
        address: Address,
        body: bytes,
        accept: str,
        call: Call,
        bytes_max: int,
        *,
        is_kept: bool,
    ) -> Reply:
        kept = self._take(address.place) if is_kept else None
        connection = kept or self._connect(address, call)
        if kept is None and self._greet is not None:
            reply, connection = self._ask_first(self._greet(), connection, address, call)
            if reply is not None:
                return reply
        if kept is not None and kept.sock is not None:
            kept.sock.settimeout(max(1.0, call.left_s + _SLACK_S))
            call.hold(kept.sock)
        watch = _watch(call)
        is_whole = False
        try:
            with _translated(call, is_stale=kept is not None):
                response = self._ask(connection, address, body, accept)
            with _translated(call), response:
                read, is_cut = _read(response, bytes_max)
            is_whole = not is_cut and not response.will_close and not call.is_aborted
            if call.is_aborted:
                raise ServerFailedError("its time was over", is_timeout=True)
            return Reply(response.status, _lower(response), read, is_cut)
        finally:
            watch.cancel()
            call.hold(None)
            if is_whole:
                self._keep(address.place, connection)
            else:
                connection.close()

    def _ask_first(
        self,
        greeting: Greeting,
        connection: http.client.HTTPConnection,
        address: Address,
        call: Call,
    ) -> tuple[Reply | None, http.client.HTTPConnection]:
        """Greet a new connection; return a reply that is none, and the connection to go on with.

        A server that is busy, or refuses us, has then said so to the request itself.

        Raises
        ------
        ServerFailedError
            No answer came, or one that is judged wrong.
        """
        watch = _watch(call)
        is_open = False
        try:
            with _translated(call):
                response = self._ask(
                    connection, greeting.address, greeting.form.encode(), greeting.accept
                )
                with response:
                    body, is_cut = _read(response, _GREETING_BYTES)
            reply = Reply(response.status, _lower(response), body, is_cut)
            if reply.status in _NOT_UNDERSTOOD:
                reason = f"it does not take the question for what it holds (HTTP {reply.status})"
                raise ServerFailedError(reason)
            if reply.status != 200:
                return reply, connection
            greeting.judge(reply)
            is_open = not (is_cut or response.will_close or call.is_aborted)
        finally:
            watch.cancel()
            if not is_open:
                call.hold(None)
                connection.close()
        return None, connection if is_open else self._connect(address, call)

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        address: Address,
        body: bytes | None,
        accept: str,
    ) -> http.client.HTTPResponse:
        headers = {
            "Accept": accept,
            "Accept-Encoding": "identity",
            "User-Agent": "rhizome",
        }
        if self._credentials.header is not None:
            headers["Authorization"] = self._credentials.header
        if body is not None:
            headers["Content-Type"] = _FORM
        connection.request("GET" if body is None else "POST", address.path, body, headers)
        response = connection.getresponse()
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise http.client.HTTPException("it packed its answer, which was not asked")
        return response

    def _connect(self, address: Address, call: Call) -> http.client.HTTPConnection:
        timeout_s = min(CONNECT_S, max(0.001, call.left_s))
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            self._tls = self._tls or ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                address.host, address.port, timeout=timeout_s, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            connection.close()
            reason = f"it cannot be reached ({_say(error)})"
            raise ServerFailedError(reason, is_unsent=True) from error
        # The watch ends what takes too long, whole; this is for a clock that stands still.
        connection.sock.settimeout(max(1.0, call.left_s + _SLACK_S))
        call.hold(connection.sock)
        return connection

    def _take(self, place: tuple[str, str, int]) -> http.client.HTTPConnection | None:
        with self._lock:
            for kept in self._idle:
                if kept[0] == place:
                    self._idle.remove(kept)
                    return kept[1]
        return None

    def _keep(self, place: tuple[str, str, int], connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _KEPT:
                self._idle.append((place, connection))
                return
        connection.close()


def _watch(call: Call) -> threading.Timer:
    """Return a started timer that ends a request at its deadline."""
    watch = threading.Timer(max(0.0, call.left_s), call.abort)
    watch.daemon = True
    watch.start()
    return watch


class _StaleError(Exception):
    """A kept connection was closed by the other side before anything was answered."""


@contextlib.contextmanager
def _translated(call: Call, *, is_stale: bool = False) -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        if call.is_aborted or isinstance(error, TimeoutError):
            raise ServerFailedError("its time was over", is_timeout=True) from error
        if is_stale and isinstance(
            error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
        ):
            raise _StaleError from error
        raise ServerFailedError(f"it broke off or spoke no HTTP ({_say(error)})") from error


def _read(response: http.client.HTTPResponse, bytes_max: int) -> tuple[bytes, bool]:
    """Return the body, at most so many bytes of it, and whether there was more."""
    pieces, size = [], 0
    while piece := response.read(min(_PIECE, bytes_max + 1 - size)):
        pieces.append(piece)
        size += len(piece)
        if size > bytes_max:
            return b"".join(pieces)[:bytes_max], True
    _check_end(response)
    return b"".join(pieces), False


def _check_end(response: http.client.HTTPResponse) -> None:
    """Refuse a body that ended before the length that was stated: the library does not."""
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


def _lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _say(error: Exception) -> str:
    """The kind of an error and the system's words for it, never those of the other side."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
