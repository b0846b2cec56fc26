"""Threads for what would hold the event loop up: few places, and a bounded wait for one.

Floor 5. Threads of one interpreter only trip up each other, so a lane has one place or few; who
finds its queue full is told so at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from graph.errors import StoreUnavailableError

Result = TypeVar("Result")


class Lane:
    """So many functions run at once, each in a thread; more wait for their turn.

    `name` says in an error what is waited for. Used in one loop's thread.
    """

    def __init__(self, name: str, places: int) -> None:
        self.name = name
        self.places = places
        # AnyIO's threads take some ten turns of the loop for each call; these take two.
        self._threads = ThreadPoolExecutor(places, name)
        self._begun: set[Future[Any]] = set()

    async def run(self, function: Callable[[], Result], waiting_max: int) -> Result:
        """Return what a function returns. It runs to its end, also when nobody waits any more.

        Raises
        ------
        StoreUnavailableError
            `waiting_max` others wait already.
        """
        if len(self._begun) >= self.places + waiting_max:
            raise StoreUnavailableError(f"too many {self.name} wait; try again")
        begun = self._threads.submit(function)
        self._begun.add(begun)
        begun.add_done_callback(self._begun.discard)
        return await asyncio.wrap_future(begun)
