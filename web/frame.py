"""What frames every answer: security headers, revision, log line, and the last catch.

Floor 5. The outermost of our ASGI layers. It adds to an answer what the endpoint did not set
itself, waits for the revision that a client has already seen, and turns whatever got this far
into a problem; endpoints know nothing of it.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.errors import BadValueError, RhizomeError
from web.limits import UNLIMITED_PATHS
from web.problems import answer_bug, answer_error

if TYPE_CHECKING:
    from graph.settings import Settings

REVISION: Final = "Rhizome-Revision"
MIN_REVISION: Final = "Rhizome-Min-Revision"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
#: Other pages may ask, and read the answers, without credentials of the browser's: no cookie is
#: ever read, and a token is sent by who has it.
CORS_HEADERS: Final = {
    "Access-Control-Expose-Headers": (
        f"{REVISION}, Rhizome-Truncated, Accept-Ranges, Content-Range, ETag, Retry-After, Link, "
        "Location"
    ),
}
PREFLIGHT_HEADERS: Final = {
    "Access-Control-Allow-Headers": (
        "Accept, Accept-Language, Authorization, Cache-Control, Content-Type, If-Match, "
        f"If-None-Match, If-Range, Range, {MIN_REVISION}"
    ),
    "Access-Control-Max-Age": "86400",
}
#: Methods in the order in which they are told; the first are allowed where no route is, so that a
#: page may read that nothing is there.
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")
_METHODS_OF_NO_ROUTE: Final = frozenset(_METHODS[:3])
#: A request that took this long is logged, whatever its answer.
SLOW_S: Final = 1.0
#: Where a request's scope holds the revision that readers saw when it began.
SEEN: Final = "rhizome.revision"
#: Where a request's scope holds how many seconds it waited because it asked to.
WAITED: Final = "rhizome.waited"
#: Revisions that could ever be: a longer number is a mistake.
_REVISION_DIGITS: Final = 15

_logger = logging.getLogger("rhizome.web")


class Framed(Protocol):
    """What the layers need of a service."""

    settings: Settings

    @property
    def revision(self) -> int | None:
        """The revision that readers see now."""
        ...

    async def wait_for(self, revision: int, timeout_s: float) -> None:
        """Return once readers see a revision, else raise."""
        ...


RawHeaders = tuple[tuple[bytes, bytes], ...]


def _encode(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_SECURITY = _encode(SECURITY_HEADERS)
_CORS = _encode(CORS_HEADERS)
_ANY_ORIGIN: Final = ((b"access-control-allow-origin", b"*"), *_CORS)
_BY_ORIGIN: Final = (b"vary", b"Origin")
_REVISION_NAME = REVISION.lower().encode()
_MIN_REVISION_NAME = MIN_REVISION.lower().encode()


class Frame:
    """ASGI middleware around all others."""

    def __init__(self, app: ASGIApp, service: Framed) -> None:
        self.app = app
        self.service = service
        self.origins = Origins(service.settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and complete what comes back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, send, self.service, self.origins)
        try:
            if _is_preflight(scope):
                await _answer_preflight(scope)(scope, receive, answer.send)
                return
            await self.app(scope, receive, answer.send)
        except ClientDisconnect:
            answer.status = answer.status or 499  # nobody reads it; other servers log it so
        except Exception as error:
            if answer.status:
                raise  # part of it is sent: the server breaks the connection off, and logs
            request = Request(scope, receive)
            response = (
                answer_error(request, error)
                if isinstance(error, RhizomeError)
                else answer_bug(request, error)
            )
            await response(scope, receive, answer.send)
        finally:
            answer.log()


class Revisions:
    """ASGI middleware: waits for the revision that Rhizome-Min-Revision names."""

    def __init__(self, app: ASGIApp, service: Framed) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on once readers see the revision, else refuse it."""
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == _MIN_REVISION_NAME:
                    revision = read_revision(value.decode("latin-1"))
                    await self.service.wait_for(revision, self.service.settings.revision_wait_s)
            # What the answer is made from is at least this new; an endpoint may know better.
            scope[SEEN] = self.service.revision
        await self.app(scope, receive, send)


def read_revision(text: str, name: str = MIN_REVISION) -> int:
    """Return the revision that a header or parameter names.

    Raises
    ------
    BadValueError
        It is no whole number.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _REVISION_DIGITS):
        raise BadValueError(name, text[:40], "a revision, a whole number")
    return int(text)


def _is_preflight(scope: Scope) -> bool:
    return scope["method"] == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )


def _answer_preflight(scope: Scope) -> Response:
    """Tell a browser which methods the path has, and which headers may be sent."""
    matching = [route for route in scope["app"].routes if route.matches(scope)[0] != Match.NONE]
    found = {method for route in matching for method in getattr(route, "methods", None) or ()}
    methods = [method for method in _METHODS if method in (found or _METHODS_OF_NO_ROUTE)]
    headers = {"Access-Control-Allow-Methods": ", ".join(methods), **PREFLIGHT_HEADERS}
    return Response(status_code=204, headers=headers)


@lru_cache(maxsize=256)
def _missing(present: frozenset[bytes], cors: RawHeaders) -> RawHeaders:
    """Return the headers that an answer with those present still needs."""
    return tuple(header for header in (*_SECURITY, *cors) if header[0] not in present)


class Origins:
    """Which other pages may ask: those of a list of origins separated by commas, or all by `*`."""

    def __init__(self, text: str) -> None:
        named = {origin.strip().rstrip("/").lower() for origin in text.split(",")} - {""}
        self._are_all = "*" in named
        self._named = named - {"*"}

    def allow(self, origin: str) -> bool:
        """Tell whether a page of an origin may ask."""
        return self._are_all or origin.lower() in self._named

    def headers(self, scope: Scope) -> RawHeaders:
        """Return the headers that let the asking page read an answer."""
        if self._are_all and scope["method"] in ("GET", "HEAD"):
            return _ANY_ORIGIN  # also without Origin: the answer may come from a shared cache
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if self._are_all:
            return () if origin is None else _ANY_ORIGIN
        if not self._named:
            return ()
        if origin is None or origin.decode("latin-1").lower() not in self._named:
            return (_BY_ORIGIN,)
        return ((b"access-control-allow-origin", origin), *_CORS, _BY_ORIGIN)


class _Answer:
    """One answer on its way out: completes its head and remembers its status."""

    def __init__(self, scope: Scope, send: Send, service: Framed, origins: Origins) -> None:
        self.scope = scope
        self.started = time.perf_counter()
        self.status = 0
        self._send = send
        self._service = service
        self._origins = origins

    async def send(self, message: Message) -> None:
        """Send a part of the answer, the head completed."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            revision = self.scope.get(SEEN) or self._service.revision
            cors = self._origins.headers(self.scope)
            headers = complete_head(tuple(message.get("headers", ())), cors, revision)
            message = {**message, "headers": headers}
        await self._send(message)

    def log(self) -> None:
        """Log the request."""
        spent = time.perf_counter() - self.started - self.scope.get(WAITED, 0.0)
        log_request(self.scope, self.status, spent)


def complete_head(head: RawHeaders, cors: RawHeaders, revision: int | None) -> RawHeaders:
    """Return the headers of an answer with those of every answer that it did not set itself."""
    names = frozenset([name for name, _ in head])
    head += _missing(names, cors)
    if _BY_ORIGIN in cors and b"vary" in names:
        head += (_BY_ORIGIN,)
    if _REVISION_NAME not in names and revision is not None:
        head += ((_REVISION_NAME, str(revision).encode()),)
    return head


def log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log a request: each at level debug, those slow or failed at level info."""
    path = scope["path"]
    # A service that is not ready says so to whoever asks: no news.
    failed = status >= 500 and path not in UNLIMITED_PATHS
    level = logging.INFO if seconds > SLOW_S or failed else logging.DEBUG
    if _logger.isEnabledFor(level):
        fields = {
            "method": scope["method"],
            "path": path,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        _logger.log(level, "request", extra={"fields": fields})
