"""The writer that a replica follows, asked over HTTP for what it has to copy.

Floor 5. One kept connection, used by one thread; another may close it. What the writer answers is
told apart: commits, or the news that it cannot be reached now, or that it is not one to follow.
The token is read anew for each connection and goes nowhere but into the request.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import stat
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from graph.errors import FollowError, SettingError, StoreUnavailableError
from graph.store.access_tokens import FORM
from graph.store.log_pages import MEDIA_TYPES
from web.frame import REVISION
from web.limits import CHANGES_PATH

if TYPE_CHECKING:
    from graph.settings import Settings

_LOG: Final = MEDIA_TYPES["log"]
_READ_BYTES: Final = 64 * 1024
_PROBLEM_BYTES: Final = 16 * 1024
_SHOWN: Final = 300
_LONGEST_PAUSE_S: Final = 60.0
#: What says that a writer cannot answer now; other failures are not mended by asking again.
_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504, 507})


class Sent:
    """What a writer sends, as it comes; `last` is the writer's revision when it began.

    Raises
    ------
    EOFError
        From each method: the connection broke.
    """

    def __init__(self, response: http.client.HTTPResponse, last: int) -> None:
        self.last = last
        self._response = response
        self._buffer = bytearray()
        self._is_over = False

    def readline(self, limit: int, /) -> bytes:
        """Return the next line with its end, or `limit` bytes of a longer one."""
        looked = 0
        while (end := self._buffer.find(b"\n", looked)) < 0:
            looked = len(self._buffer)
            if looked >= limit or not self._fill():
                return self._take(limit)
        return self._take(min(end + 1, limit))

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; none at the end."""
        if not self._buffer:
            self._fill()
        return self._take(size)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self) -> bool:
        """Wait for more bytes; tell whether there were any."""
        if self._is_over:
            return False
        try:
            data = self._response.read1(_READ_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EOFError(str(error)) from error
        self._buffer += data
        self._is_over = not data
        return bool(data)


class Upstream:
    """The writer at `url`; `name` is what it is called in messages and errors."""

    def __init__(self, settings: Settings) -> None:
        """Read the settings.

        Raises
        ------
        SettingError
            The URL or the file of the token cannot be used.
        """
        self.name = settings.follow.rstrip("/")
        self._url = _read_url(settings.follow)
        self._token_file = Path(settings.follow_token_file)
        self._deadline_s = settings.follow_deadline_s
        self._connection: http.client.HTTPConnection | None = None
        self._headers: dict[str, str] = {}
        self._is_closed = False
        read_token(self._token_file)

    @property
    def is_open_to_eavesdroppers(self) -> bool:
        """Whether the token crosses a network as it is."""
        host = (self._url.hostname or "").lower()
        is_here = host in ("localhost", "::1") or host.startswith("127.")
        return self._url.scheme == "http" and not is_here

    @contextlib.contextmanager
    def ask(self, since: int, head: str, wait_s: float) -> Iterator[Sent]:
        """Give what the writer sends after a revision with a hash, waiting so long for a commit.

        Raises
        ------
        StoreUnavailableError
            It cannot be reached, or cannot answer now.
        FollowError
            What it answers is no log to follow.
        """
        query = urllib.parse.urlencode(
            {"since": since, "hash": head, "wait": f"{wait_s:g}", "format": "log"}
        )
        target = f"{self._url.path.rstrip('/')}{CHANGES_PATH}?{query}"
        try:
            response = self._request(target, wait_s)
            yield self._read_head(response)
        except BaseException:
            self.drop()
            raise
        if not response.isclosed() or response.will_close:  # something was left unread
            self.drop()

    def interrupt(self) -> None:
        """End what is under way, from any thread; nothing is asked afterwards."""
        self._is_closed = True
        connection = self._connection
        if connection is not None and (opened := connection.sock) is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)

    def _request(self, target: str, wait_s: float) -> http.client.HTTPResponse:
        """Send a request; a kept connection that ended meanwhile is opened once more."""
        for is_last in (self._connection is None, True):
            try:
                connection = self._connect()
                opened: socket.socket = connection.sock
                opened.settimeout(wait_s + self._deadline_s)
                connection.request("GET", target, headers=self._headers)
                response = connection.getresponse()
                opened.settimeout(self._deadline_s)
            except (OSError, http.client.HTTPException) as error:
                self.drop()
                is_stale = isinstance(error, ConnectionError | http.client.BadStatusLine)
                if is_last or not is_stale or self._is_closed:
                    raise StoreUnavailableError(f"{self.name}: {_say(error)}") from error
            else:
                return response
        raise AssertionError("the second attempt is the last")

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            token = read_token(self._token_file)
            self._headers = {
                "Accept": _LOG,
                "Accept-Encoding": "identity",
                "Authorization": f"Bearer {token}",
            }
            host, port = self._url.hostname or "", self._url.port
            if self._url.scheme == "https":
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(
                    host, port, timeout=self._deadline_s, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=self._deadline_s)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._is_closed:
                raise ConnectionAbortedError("this replica stops")
        return self._connection

    def drop(self) -> None:
        """Let go of the connection; the next request opens one anew. In the asking thread alone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _read_head(self, response: http.client.HTTPResponse) -> Sent:
        """Return what is sent, if it is what was asked for."""
        if response.status != 200:
            raise self._failure(response)
        kind = response.headers.get_content_type()
        if kind != _LOG:
            detail = f"answers {kind} instead of {_LOG}: is it Rhizome, and is the URL its root?"
            raise FollowError(self.name, detail)
        packed = response.headers.get("Content-Encoding", "identity")
        if packed.lower() != "identity":
            detail = f"answers in {_shorten(packed)}: what stands between must pass bytes on as is"
            raise FollowError(self.name, detail)
        last = response.headers.get(REVISION, "")
        if not (last.isascii() and last.isdigit() and len(last) <= 15):
            raise FollowError(self.name, f"names no revision in {REVISION}")
        return Sent(response, int(last))

    def _failure(self, response: http.client.HTTPResponse) -> FollowError | StoreUnavailableError:
        status = response.status
        said = _read_problem(response)
        if status in _BUSY:
            after = response.headers.get("Retry-After", "1")
            pause_s = (
                float(after) if after.isascii() and after.isdigit() and len(after) < 6 else 1.0
            )
            detail = f"{self.name} answers {status}: {said}"
            return StoreUnavailableError(detail, min(pause_s, _LONGEST_PAUSE_S))
        if 300 <= status < 400:
            return FollowError(
                self.name, f"answers {status}, a redirect, which is not followed: name its target"
            )
        hint = {
            401: "make a token there: token create --scope changes",
            403: "the token needs the scope `changes`",
            404: "there is no /changes: is it Rhizome, and is the URL its root?",
            409: "empty this replica's folder to copy the writer anew",
        }.get(status)
        return FollowError(self.name, f"answers {status}: {said}" + (f" ({hint})" if hint else ""))


def read_token(path: Path) -> str:
    """Return the token that a file holds.

    Raises
    ------
    SettingError
        There is none.
    """
    name = "follow_token_file"
    if path == Path():
        raise SettingError(name, "", "a file with the writer's token; name one with --token-file")
    try:
        text = path.read_bytes()[:_PROBLEM_BYTES].decode("ascii", "replace").strip()
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise SettingError(name, str(path), f"a file with the writer's token ({reason})") from error
    if not FORM.fullmatch(text):
        raise SettingError(name, str(path), "a file that holds one token, rhz_..., and no more")
    return text


def is_open_to_others(path: Path) -> bool:
    """Tell whether others than its owner may read a file."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _read_url(text: str) -> urllib.parse.SplitResult:
    expected = "the URL of a writer, http://HOST:PORT or https://..., without user and query"
    try:
        url = urllib.parse.urlsplit(text.strip())
        is_whole = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_whole = False
    # The text may hold a password: it is not repeated.
    if not is_whole or url.username is not None or "@" in url.netloc:
        raise SettingError("follow", "...", expected)
    if url.query or url.fragment or any(c.isspace() for c in text.strip()):
        raise SettingError("follow", "...", expected)
    return url


def _read_problem(response: http.client.HTTPResponse) -> str:
    """Return what an answer says is wrong, in a few words."""
    try:
        problem = orjson.loads(response.read(_PROBLEM_BYTES))
        detail, code = str(problem["detail"]), str(problem["code"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return response.reason or "no reason given"
    return _shorten(f"{code}, {detail}")


def _say(error: Exception) -> str:
    """Return why a writer cannot be reached, in words."""
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "refuses the connection: nothing listens there"
    if isinstance(error, http.client.HTTPException):
        return _shorten(f"does not speak HTTP ({type(error).__name__})")
    if isinstance(error, ssl.SSLCertVerificationError):
        return _shorten(f"its certificate is not trusted: {error.verify_message}")
    return _shorten(f"cannot be reached: {getattr(error, 'strerror', None) or error}")


def _shorten(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:_SHOWN])
