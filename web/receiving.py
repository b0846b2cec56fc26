"""Waiting for what a client sends, up to a deadline.

Floor 5. Most bodies arrive with their head: for them no timer is set.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from functools import partial
from typing import Any

from starlette.types import Message, Receive


async def receive_by(receive: Receive, deadline: float) -> Message:
    """Return the next message; what is there already needs no timer, which most bodies are.

    `deadline` is a time of the monotonic clock.

    Raises
    ------
    TimeoutError
        It did not come in time.
    """
    waiting = receive().__await__()
    try:
        pending = next(waiting)
    except StopIteration as ready:
        message: Message = ready.value
        return message
    async with asyncio.timeout(deadline - time.monotonic()):
        return await _Resumed(waiting, pending)


class _Resumed:
    """An awaitable that was begun by hand and goes on under another's care."""

    def __init__(self, waiting: Generator[Any, Any, Message], pending: Any) -> None:
        self._waiting = waiting
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, Message]:
        pending = self._pending
        while True:
            try:
                value = yield pending
            except BaseException as error:
                step = partial(self._waiting.throw, error)
            else:
                step = partial(self._waiting.send, value)
            try:
                pending = step()
            except StopIteration as ready:
                message: Message = ready.value
                return message
