"""What the endpoints ask of whoever answers SPARQL queries.

Floor 1. The embedded workers (`workers`) and a SPARQL server of others (`external_pool`) both do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from graph.store.query import Answer, Query
from graph.store.running import Running

Result = TypeVar("Result")


class Standing(NamedTuple):
    """What queries are answered from: a revision, and how often it was put in doubt before."""

    revision: int
    epoch: int


class Pool(Protocol):
    """Who answers queries: the embedded workers, or a SPARQL server of others."""

    @property
    def running(self) -> Running:
        """The queries that run."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether the service can answer."""
        ...

    @property
    def revision(self) -> int:
        """The revision that the next query is answered with; -1 before there is one."""
        ...

    @property
    def standing(self) -> Standing | None:
        """What the next query is answered from; None while none may be answered.

        As long as it is the same, so is the answer to a query.
        """
        ...

    def in_loop(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns, run in the pool's loop; called in another thread."""
        ...

    async def start(self) -> None:
        """Begin."""
        ...

    async def close(self) -> None:
        """End, and what still runs."""
        ...

    async def query(self, query: Query, min_revision: int = 0) -> Answer:
        """Return the answer to a query, of at least a revision."""
        ...
