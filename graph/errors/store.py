"""The store cannot answer now, or the service is set up wrongly.

Floor 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graph.errors.base import RhizomeError


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
class ReplayLimitError(StoreError):
    """Making an old revision anew from the log went over a limit and was stopped."""

    code: ClassVar[str] = "REPLAY_LIMIT"
    retry: ClassVar[bool] = False
    revision: int
    limit: str
    allowed: float

    def _say(self) -> str:
        return (
            f"revision {self.revision} cannot be made anew within {self.limit} = "
            f"{self.allowed:g}: ask for the newest revision at /export, or raise the setting"
        )


@dataclass(eq=False)
class QueryStoppedError(StoreError):
    """A query was stopped by an administrator."""

    code: ClassVar[str] = "QUERY_STOPPED"
    retry: ClassVar[bool] = False

    def _say(self) -> str:
        return "the query was stopped by an administrator of this service; ask for less"


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


@dataclass(eq=False)
class FollowError(StoreError):
    """A read replica cannot take what its writer answers; it serves on what it has."""

    code: ClassVar[str] = "FOLLOW"
    writer: str
    detail: str

    def _say(self) -> str:
        return f"{self.writer}: {self.detail}"


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
