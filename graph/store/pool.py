"""What the endpoints ask of whoever answers SPARQL queries.

Floor 1. The embedded workers (`workers`) and a SPARQL server of others (`external_pool`) both do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from graph.errors import StoreUnavailableError
from graph.store.query import Answer, Query
from graph.store.running import Running

Result = TypeVar("Result")
#: How long another thread waits for what takes no time in the loop, and beside a query's own time.
_IN_LOOP_S: Final = 5.0


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

    def ask(self, query: Query, min_revision: int = 0) -> Answer:
        """Return the answer to a query; called in another thread than the loop's."""
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


class InLoop:
    """How other threads reach a pool, which lives in one event loop; a part of both pools."""

    _loop: asyncio.AbstractEventLoop | None = None

    def in_loop(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns, run in the pool's loop; called in another thread.

        Raises
        ------
        StoreUnavailableError
            The pool is not started, or does not answer.
        """

        async def run() -> Result:
            return function()

        return self._await(run, _IN_LOOP_S)

    def ask(self, query: Query, min_revision: int = 0) -> Answer:
        """Return the answer to a query; called in another thread than the loop's.

        Raises
        ------
        StoreUnavailableError
            The pool is not started, or does not answer.
        RhizomeError
            What `query` raises.
        """
        seconds = 2 * query.deadline_s + _IN_LOOP_S
        return self._await(lambda: self.query(query, min_revision), seconds)

    async def query(self, query: Query, min_revision: int = 0) -> Answer:
        """Return the answer to a query."""
        raise NotImplementedError

    def _await(self, work: Callable[[], Coroutine[Any, Any, Result]], seconds: float) -> Result:
        if self._loop is None or self._loop.is_closed():
            raise StoreUnavailableError("the query workers are not started")
        running = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return running.result(seconds)
        except TimeoutError:
            running.cancel()
            raise StoreUnavailableError("the service is too busy to answer; try again") from None
