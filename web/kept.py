"""Results that are kept, each made once however many ask for it at the same time.

Floor 5. For work that takes seconds and whose result depends on nothing but its key. Used in the
loop's thread alone.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

_Made = TypeVar("_Made")


class Kept(Generic[_Made]):
    """Results by what they depend on; of those that are made, the `size` last asked for.

    Who asks while a result is being made waits for it. A failure is told to all who wait and then
    forgotten. What is being made is never dropped, so that nothing is made twice at a time.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._tasks: OrderedDict[Hashable, asyncio.Task[_Made]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tasks)

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, _Made]]) -> _Made:
        """Return the result under a key, made now if it is not there.

        Raises
        ------
        Exception
            What `make` raised, for whoever it was called.
        """
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(make())
            task.add_done_callback(partial(self._settle, key))
        self._tasks.move_to_end(key)
        return await asyncio.shield(task)  # one who leaves does not end it for the others

    def _settle(self, key: Hashable, task: asyncio.Task[_Made]) -> None:
        """Forget a failure, and the oldest results where there are too many."""
        if task.cancelled() or task.exception() is not None:
            del self._tasks[key]
        made = [known for known, other in self._tasks.items() if other.done()]
        for old in made[: max(0, len(made) - self._size)]:
            del self._tasks[old]
