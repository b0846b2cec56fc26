"""Threads for what would hold the event loop up: few places, and a bounded wait for one.

Floor 5. Threads of one interpreter only trip up each other, so a lane has one place or few; who
finds its queue full is told so at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from graph.errors import StoreUnavailableError

Result = TypeVar("Result")


class Lane:
    """So many functions run at once, each in a thread; more wait for their turn.

    `name` says in an error what is waited for.
    """

    def __init__(self, name: str, places: int) -> None:
        self.name = name
        self._limiter = anyio.CapacityLimiter(places)

    async def run(self, function: Callable[[], Result], waiting_max: int) -> Result:
        """Return what a function returns.

        Raises
        ------
        StoreUnavailableError
            `waiting_max` others wait already.
        """
        if self._limiter.statistics().tasks_waiting >= waiting_max:
            raise StoreUnavailableError(f"too many {self.name} wait; try again")
        return await anyio.to_thread.run_sync(function, limiter=self._limiter)
