"""What the caller asked is wrong, or is not for this caller.

Floor 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graph.errors.base import RhizomeError, write_place


@dataclass(eq=False)
class RequestError(RhizomeError):
    """The request cannot be understood or is over a limit."""

    status: ClassVar[int] = 400
    exit_code: ClassVar[int] = 2


@dataclass(eq=False)
class QuerySyntaxError(RequestError):
    """A query or document is not well formed, or uses a form that is refused."""

    code: ClassVar[str] = "QUERY_SYNTAX"
    language: str
    detail: str
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None

    def _say(self) -> str:
        return f"{self.language}: {self.detail}{write_place(self.line, self.column)}"


@dataclass(eq=False)
class BadValueError(RequestError):
    """A parameter, argument or header holds a value that cannot be used."""

    code: ClassVar[str] = "BAD_VALUE"
    name: str
    given: str
    expected: str

    def _say(self) -> str:
        return f"{self.name}: {self.given!r} is not {self.expected}"


@dataclass(eq=False)
class UnknownDocumentError(RequestError):
    """A GraphQL document was named by a hash that is not known (any more)."""

    code: ClassVar[str] = "PERSISTED_QUERY_NOT_FOUND"
    status: ClassVar[int] = 404
    document: str

    def _say(self) -> str:
        # Clients go by these very words: they send the text next.
        return "PersistedQueryNotFound"


@dataclass(eq=False)
class CursorError(RequestError):
    """A cursor was not made by this service, or belongs to another order or condition."""

    code: ClassVar[str] = "BAD_CURSOR"
    name: str
    given: str

    def _say(self) -> str:
        return (
            f"{self.name}: {self.given!r} is no cursor of this list in this order: ask for the "
            "first page again, with the same where, orderBy and languages for all pages"
        )


@dataclass(eq=False)
class UnknownTermError(RequestError):
    """A class, field, graph, projection or measure that does not exist was named."""

    code: ClassVar[str] = "UNKNOWN_TERM"
    kind: str
    term: str
    suggestions: tuple[str, ...] = ()

    def _say(self) -> str:
        hint = f"; known: {', '.join(self.suggestions)}" if self.suggestions else ""
        return f"unknown {self.kind} {self.term!r}{hint}"


@dataclass(eq=False)
class NotFoundError(RequestError):
    """The thing asked for is not there, or not visible to the viewer."""

    code: ClassVar[str] = "NOT_FOUND"
    status: ClassVar[int] = 404
    term: str
    suggestions: tuple[str, ...] = ()

    def _say(self) -> str:
        hint = f"; did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        return f"not found: {self.term}{hint}"


@dataclass(eq=False)
class GoneError(RequestError):
    """The thing asked for was there and is not any more."""

    code: ClassVar[str] = "GONE"
    status: ClassVar[int] = 410
    term: str

    def _say(self) -> str:
        return f"no longer available: {self.term}"


@dataclass(eq=False)
class HistoryDivergedError(RequestError):
    """The reader holds a history that is not this one, or no longer."""

    code: ClassVar[str] = "HISTORY_DIVERGED"
    status: ClassVar[int] = 409
    revision: int
    last: int

    def _say(self) -> str:
        if self.revision > self.last:
            return f"this history ends at revision {self.last}: it has no revision {self.revision}"
        return (
            f"revision {self.revision} is another one here (the last is {self.last}): the reader "
            "follows another dataset, or one of the two was restored from a backup"
        )


@dataclass(eq=False)
class MethodNotAllowedError(RequestError):
    """The route exists but not with this method."""

    code: ClassVar[str] = "METHOD_NOT_ALLOWED"
    status: ClassVar[int] = 405
    method: str
    allowed: tuple[str, ...]

    def _say(self) -> str:
        return f"method {self.method} is not allowed here; allowed: {', '.join(self.allowed)}"


@dataclass(eq=False)
class NotAcceptableError(RequestError):
    """No offered media type satisfies the Accept header."""

    code: ClassVar[str] = "NOT_ACCEPTABLE"
    status: ClassVar[int] = 406
    asked: str
    offered: tuple[str, ...]

    def _say(self) -> str:
        return f"cannot answer as {self.asked!r}; offered: {', '.join(self.offered)}"


@dataclass(eq=False)
class RangeNotSatisfiableError(RequestError):
    """A range of bytes was asked for that the answer does not have."""

    code: ClassVar[str] = "RANGE_NOT_SATISFIABLE"
    status: ClassVar[int] = 416
    given: str
    size: int

    def _say(self) -> str:
        return f"range {self.given!r} lies outside the {self.size} bytes that there are"


@dataclass(eq=False)
class UnsupportedMediaTypeError(RequestError):
    """The body is of a media type that this route does not read."""

    code: ClassVar[str] = "UNSUPPORTED_MEDIA_TYPE"
    status: ClassVar[int] = 415
    given: str
    accepted: tuple[str, ...]

    def _say(self) -> str:
        return f"cannot read {self.given!r}; accepted: {', '.join(self.accepted)}"


@dataclass(eq=False)
class _LimitError(RequestError):
    """A documented limit is exceeded."""

    limit: str
    allowed: float
    actual: float | None = None
    place: str | None = None

    def _say(self) -> str:
        place = f" at {self.place}" if self.place else ""
        actual = f", got {self.actual:g}" if self.actual is not None else ""
        return f"over the limit {self.limit}{place}: at most {self.allowed:g}{actual}"


@dataclass(eq=False)
class QueryTooLargeError(_LimitError):
    """A query is over a limit of size, depth or cost."""

    code: ClassVar[str] = "QUERY_LIMIT"


@dataclass(eq=False)
class PayloadTooLargeError(_LimitError):
    """A body or upload is over its limit."""

    code: ClassVar[str] = "PAYLOAD_LIMIT"
    status: ClassVar[int] = 413


@dataclass(eq=False)
class HeadersTooLargeError(_LimitError):
    """The head of a request is over its limit."""

    code: ClassVar[str] = "HEADERS_LIMIT"
    status: ClassVar[int] = 431


@dataclass(eq=False)
class RateLimitedError(_LimitError):
    """Too many requests or too much query time from one address."""

    code: ClassVar[str] = "RATE_LIMIT"
    status: ClassVar[int] = 429
    retry: ClassVar[bool] = True
    retry_after_s: float = 1.0


@dataclass(eq=False)
class SlowRequestError(RequestError):
    """The request did not arrive in time."""

    code: ClassVar[str] = "REQUEST_TIMEOUT"
    status: ClassVar[int] = 408
    deadline_s: float

    def _say(self) -> str:
        return f"the request did not arrive whole within {self.deadline_s:g} s"


@dataclass(eq=False)
class AccessError(RhizomeError):
    """The caller may not do this."""

    status: ClassVar[int] = 403
    exit_code: ClassVar[int] = 3


@dataclass(eq=False)
class UnauthenticatedError(AccessError):
    """A token is needed, or the one presented is not valid."""

    code: ClassVar[str] = "UNAUTHENTICATED"
    status: ClassVar[int] = 401
    detail: str = "a valid token is needed"
    error: str | None = None  # `invalid_token` (RFC 6750) of one that was presented

    def _say(self) -> str:
        return self.detail


@dataclass(eq=False)
class ForbiddenError(AccessError):
    """The caller is known and lacks the scope."""

    code: ClassVar[str] = "FORBIDDEN"
    action: str
    scope: str | None = None  # that the token would need

    def _say(self) -> str:
        return f"not allowed: {self.action}"


@dataclass(eq=False)
class ReplicaError(AccessError):
    """A read replica takes no changes; its writer does."""

    code: ClassVar[str] = "READ_ONLY_REPLICA"
    status: ClassVar[int] = 421
    writer: str

    def _say(self) -> str:
        return f"this is a read replica, nothing was changed: send changes to {self.writer}"
