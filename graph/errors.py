"""The one tree of errors: five families, one leaf per meaning and status.

Floor 0. A leaf holds typed fields and writes its message from them; it reads no setting and
knows nothing of HTTP, GraphQL or the command line, which each compute their face in one place.
A bug is not in this tree: it ends as 500 without details and a trace in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import ClassVar


@dataclass(eq=False)
class RhizomeError(Exception):
    """Root of every error that a caller may meet; never raised itself."""

    code: ClassVar[str] = ""
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retry: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Give `str(error)` the message written from the fields."""
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the message."""
        return self.message

    @property
    def message(self) -> str:
        """One or two sentences: what is wrong, where, and what to do."""
        return self._say()

    def _say(self) -> str:
        """Write the message from the fields."""
        raise NotImplementedError

    def details(self) -> dict[str, object]:
        """Return the typed fields by name, without those that are unset."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


def leaves(root: type[RhizomeError] = RhizomeError) -> Iterator[type[RhizomeError]]:
    """Yield every class of the tree that has a code of its own, in order of definition."""
    for child in root.__subclasses__():
        if child.code:
            yield child
        yield from leaves(child)


# --- what the caller asked is wrong -----------------------------------------------------------


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
        return f"{self.language}: {self.detail}{_place(self.line, self.column)}"


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

    def _say(self) -> str:
        return f"not found: {self.term}"


@dataclass(eq=False)
class GoneError(RequestError):
    """The thing asked for was there and is not any more."""

    code: ClassVar[str] = "GONE"
    status: ClassVar[int] = 410
    term: str

    def _say(self) -> str:
        return f"no longer available: {self.term}"


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


# --- who asks --------------------------------------------------------------------------------


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


# --- the data given --------------------------------------------------------------------------


@dataclass(eq=False)
class DataError(RhizomeError):
    """Data cannot be accepted; nothing was changed."""

    status: ClassVar[int] = 422
    exit_code: ClassVar[int] = 4


@dataclass(eq=False)
class ParseError(DataError):
    """RDF text is not well formed."""

    code: ClassVar[str] = "DATA_SYNTAX"
    source: str
    format: str
    detail: str
    line: int | None = None
    column: int | None = None

    def _say(self) -> str:
        return f"{self.source} ({self.format}): {self.detail}{_place(self.line, self.column)}"


@dataclass(frozen=True, slots=True)
class Violation:
    """One result of validation, with the names of SHACL's validation report.

    `focus_node`, `path` and `value` are written as in N-Triples; `severity` is `Violation` or
    `Warning`; `graph` is the named graph for what must hold per graph, else None.
    """

    focus_node: str
    path: str | None
    value: str | None
    constraint: str
    severity: str
    message: str
    graph: str | None = None


@dataclass(eq=False)
class ShapeViolationError(DataError):
    """The data breaks the shapes."""

    code: ClassVar[str] = "SHAPE_VIOLATION"
    violations: tuple[Violation, ...] = field(default=())

    def _say(self) -> str:
        first = self.violations[0]
        more = f" (and {len(self.violations) - 1} more)" if len(self.violations) > 1 else ""
        path = f" {first.path}" if first.path else ""
        return f"{first.focus_node}{path}: {first.message}{more}"


@dataclass(eq=False)
class ProvenanceMissingError(DataError):
    """Statements stand in a graph that is not described as a source."""

    code: ClassVar[str] = "PROVENANCE_MISSING"
    source: str

    def _say(self) -> str:
        return (
            f"graph {self.source} is not described: add `<{self.source}> a rz:Source` with "
            "dcterms:title and rz:sourceKind to it, or name a described one with --graph"
        )


@dataclass(eq=False)
class RevisionConflictError(DataError):
    """The data changed since the revision that the caller saw."""

    code: ClassVar[str] = "REVISION_CONFLICT"
    status: ClassVar[int] = 412
    retry: ClassVar[bool] = True
    expected: int
    found: int

    def _say(self) -> str:
        return f"the data is at revision {self.found}, not {self.expected}: read again and retry"


@dataclass(eq=False)
class RevisionRequiredError(DataError):
    """A change needs the revision that the caller saw."""

    code: ClassVar[str] = "REVISION_REQUIRED"
    status: ClassVar[int] = 428

    def _say(self) -> str:
        return "say which revision you saw (If-Match or ifRevision)"


@dataclass(eq=False)
class KeyReusedError(DataError):
    """An idempotency key was sent again with another request."""

    code: ClassVar[str] = "IDEMPOTENCY_KEY_REUSED"
    revision: int

    def _say(self) -> str:
        return (
            f"this idempotency key belongs to another request, of revision {self.revision}: "
            "make a new key for each request"
        )


# --- the store -------------------------------------------------------------------------------


@dataclass(eq=False)
class StoreError(RhizomeError):
    """The store cannot answer now."""

    status: ClassVar[int] = 503
    exit_code: ClassVar[int] = 5
    retry: ClassVar[bool] = True


@dataclass(eq=False)
class StoreUnavailableError(StoreError):
    """The store is starting, busy, stopping, or held by another process."""

    code: ClassVar[str] = "STORE_UNAVAILABLE"
    detail: str
    retry_after_s: float = 1.0

    def _say(self) -> str:
        return self.detail


@dataclass(eq=False)
class StoreFullError(StoreError):
    """A disk or quota is full; nothing was written."""

    code: ClassVar[str] = "STORE_FULL"
    status: ClassVar[int] = 507
    path: str

    def _say(self) -> str:
        return f"no room left at {self.path}: free space and retry; nothing was written"


@dataclass(eq=False)
class QueryTimeoutError(StoreError):
    """A query passed its deadline and was stopped."""

    code: ClassVar[str] = "QUERY_TIMEOUT"
    status: ClassVar[int] = 504
    retry: ClassVar[bool] = False
    deadline_s: float

    def _say(self) -> str:
        return (
            f"the query was stopped after {self.deadline_s:g} s: "
            "ask for less, or add conditions that bind its variables"
        )


@dataclass(eq=False)
class QueryMemoryError(StoreError):
    """A query needed more memory than it may."""

    code: ClassVar[str] = "QUERY_MEMORY"
    retry: ClassVar[bool] = False
    memory_mb: int

    def _say(self) -> str:
        return f"the query was stopped: it needs more than {self.memory_mb} MB; ask for less"


@dataclass(eq=False)
class StoreCorruptError(StoreError):
    """A file of the store is not what was written."""

    code: ClassVar[str] = "STORE_CORRUPT"
    status: ClassVar[int] = 500
    retry: ClassVar[bool] = False
    path: str
    detail: str

    def _say(self) -> str:
        return f"{self.path}: {self.detail}"


# --- the configuration -----------------------------------------------------------------------


@dataclass(eq=False)
class ConfigurationError(RhizomeError):
    """The service cannot start as configured."""

    exit_code: ClassVar[int] = 6


@dataclass(eq=False)
class SettingError(ConfigurationError):
    """A setting holds a value that cannot be used."""

    code: ClassVar[str] = "SETTING"
    name: str
    given: str
    expected: str

    def _say(self) -> str:
        return f"setting {self.name}={self.given!r} is not {self.expected}"


@dataclass(eq=False)
class OntologyError(ConfigurationError):
    """The ontology or its shapes cannot be read as a model."""

    code: ClassVar[str] = "ONTOLOGY"
    shape: str
    detail: str
    link: str | None = None

    def _say(self) -> str:
        link = f" (see {self.link})" if self.link else ""
        return f"{self.shape}: {self.detail}{link}"


def _place(line: int | None, column: int | None) -> str:
    if line is None:
        return ""
    return f" (line {line}{'' if column is None else f', column {column}'})"
