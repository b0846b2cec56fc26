"""The data that was given cannot be taken.

Floor 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from graph.errors.base import RhizomeError, write_place


@dataclass(eq=False)
class DataError(RhizomeError):
    """Data cannot be accepted; nothing was changed."""

    status: ClassVar[int] = 422
    exit_code: ClassVar[int] = 4


@dataclass(eq=False)
class ParseError(DataError):
    """RDF text is not well formed."""

    code: ClassVar[str] = "DATA_SYNTAX"
    status: ClassVar[int] = 400
    source: str
    format: str
    detail: str
    line: int | None = None
    column: int | None = None

    def _say(self) -> str:
        return f"{self.source} ({self.format}): {self.detail}{write_place(self.line, self.column)}"


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
class PreconditionError(DataError):
    """A graph is not what the caller takes it to be."""

    code: ClassVar[str] = "PRECONDITION_FAILED"
    status: ClassVar[int] = 412
    condition: str
    graph: str

    def _say(self) -> str:
        return f"{self.condition} does not hold for graph {self.graph}: read it again and retry"


@dataclass(eq=False)
class WriteConflictError(DataError):
    """Others keep changing what an update was worked out on."""

    code: ClassVar[str] = "WRITE_CONFLICT"
    status: ClassVar[int] = 409
    retry: ClassVar[bool] = True
    attempts: int

    def _say(self) -> str:
        return f"the graphs changed during each of {self.attempts} attempts; try again"


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
