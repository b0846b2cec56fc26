"""SPARQL updates over HTTP: run in a thread, listed as queries are, stopped as they are.

Floor 5. Who leaves while an update is being worked out ends it: nothing is written. One that is
being recorded is done, whether anybody hears of it or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from graph.access import Level, Viewer, anonymous
from graph.errors import RhizomeError
from graph.store.query import Query
from graph.store.running import WRITING
from graph.store.stopping import Stop
from graph.store.writes import Update, Written
from web.access import viewer_of
from web.frame import REVISION
from web.parts import while_connected
from web.sparql_request import Asked

if TYPE_CHECKING:
    from web.service import Sparql

#: How often it is looked whether a write is seen, in seconds.
_LOOK_S: Final = 0.01


async def answer_update(request: Request, asked: Asked) -> Response:
    """Run an update; 204 once it is done and every query sees it."""
    service: Sparql = request.app.state.service
    viewer = viewer_of(request.scope, anonymous(service.settings))
    update = Update(asked.text, asked.default_graphs, asked.named_graphs, service.base_of(request))
    service.writes.admit(viewer)
    work = partial(service.writes.update, update, viewer)
    shown = Query(
        text=update.text,
        format="",
        deadline_s=viewer.query_deadline_s,
        caller="anonymous" if viewer.is_anonymous else "token",
        level=viewer.level,
    )
    running = service.pool.running
    async with service.limiter.query(request):
        run = running.begin(shown)
        run.enter(WRITING, update.stop.tell)
        try:
            doing = _run_stoppable(work, update.stop)
            written = await while_connected(request.receive, doing)
        finally:
            running.end(run)
    await let_be_seen(service, viewer, written.revision)
    headers = {REVISION: str(written.revision), "Cache-Control": "no-store"}
    return Response(status_code=204, headers=headers)


async def _run_stoppable(work: Callable[[], Written], stop: Stop) -> Written:
    """Return what a function returns in a thread; cancelled, it is told to stop and waited for.

    So that the query slot and the place in the list stay taken for as long as the work goes on.
    """
    doing = asyncio.ensure_future(anyio.to_thread.run_sync(work))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        stop.tell()
        while not doing.done():
            with contextlib.suppress(asyncio.CancelledError):  # once is enough
                await asyncio.wait([doing])
        if not doing.cancelled():
            doing.exception()  # nobody is left to be told
        raise


async def let_be_seen(service: Sparql, viewer: Viewer, revision: int) -> None:
    """Wait a moment until the writer's own queries see a write, as clients of SPARQL expect.

    It is written whatever comes: nothing is raised here. Workers of other levels are not started
    for it.
    """
    if viewer.level is not Level.PUBLIC:
        return
    with contextlib.suppress(RhizomeError):
        pool = await service.pool_for(viewer)
        deadline = time.monotonic() + service.settings.revision_wait_s
        while (standing := pool.standing) is not None and time.monotonic() < deadline:
            if standing.revision >= revision:
                return
            await asyncio.sleep(_LOOK_S)
