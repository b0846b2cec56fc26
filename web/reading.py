"""Work on the snapshot that takes more than a moment: in a thread, charged to who asks.

Floor 5. Pages of entities, data and descriptions are made here: one at a time for an address, their
processor time counted as query time, so that nobody can keep the service busy by asking for pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from web.conditional import answer_if_changed, matches
from web.lanes import Lane

if TYPE_CHECKING:
    from web.service import Service

Made = TypeVar("Made")


async def read_for(request: Request, make: Callable[[], Made]) -> Made:
    """Return what a function makes in a thread, its processor time charged to the caller.

    Raises
    ------
    RateLimitedError
        The caller used its query time up.
    StoreUnavailableError
        Too many others wait.
    """
    service: Service = request.app.state.service
    async with service.limiter.query(request) as use:
        made, use.seconds = await _lane().run(lambda: _time(make), service.settings.graphql_queue)
    return made


async def answer_read(request: Request, etag: str, make: Callable[[], Response]) -> Response:
    """Return the answer that `make` makes, as `read_for` does, tagged; or 304 without making it."""
    if matches(request.headers.get("if-none-match"), etag):
        return answer_if_changed(request, etag, make)
    response = await read_for(request, make)
    response.headers["ETag"] = etag
    return response


def _time(make: Callable[[], Made]) -> tuple[Made, float]:
    began = time.thread_time()
    return make(), time.thread_time() - began


@cache
def _lane() -> Lane:
    return Lane("pages", 1)
