"""The assembly of the HTTP application: routes, layers, handlers, start and stop.

Floor 5. One module an endpoint family gives its `routes()`; what all share is the service on
`app.state`. The parts open in a thread after the server listens, so that `/health` answers at
once; endpoints that need them answer 503 until then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.curation.replay import end_dumps
from web import (
    addresses,
    changes,
    export,
    graph_store,
    graphql,
    linked,
    ontology,
    operations,
    pages,
    questions,
    report,
    running,
    sparql,
    static,
    void,
)
from web.at_once import AtOnce
from web.frame import Frame, Revisions
from web.limits import Limits
from web.problems import handlers
from web.service import Parts, Service
from web.websocket import Sockets

Result = TypeVar("Result")

#: Opens the parts, in a thread; may take a minute when derived stores must be rebuilt.
Opener = Callable[[], Parts]
#: Reads all that was opened, in a thread, once the service answers.
Verifier = Callable[[Parts], None]


class Application(Starlette):
    """Starlette behind our layers, and past it a short way to what is asked most.

    The layers stand before Starlette's own, without its outermost one: that answers a bug in plain
    text and then raises it again, where ours answers a problem with the reference in the log.
    """

    def __init__(self, service: Service, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.state.service = service
        self._graphql = graphql.GraphQL()
        self._sockets = Sockets(service, graphql.PATH, graphql.answer_request)
        limits = Limits(Revisions(self._route, service), service.limiter)
        self._layers = Frame(limits, service)
        self.at_once = AtOnce(self, service, self._layers.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        scope["app"] = self
        await self._layers(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Return Starlette without its outermost layer, so that a bug is answered by ours."""
        return ExceptionMiddleware(self.router, handlers=self.exception_handlers)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"
        if is_http and scope["path"] == graphql.PATH and scope["method"] == "POST":
            await self._graphql(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
        elif is_http and scope["path"] == sparql.PATH and scope["method"] in sparql.METHODS:
            # Past the table of routes, whose search costs more than a small query's answer.
            response = await sparql.answer_sparql(Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    service: Service, opener: Opener | None = None, verifier: Verifier | None = None
) -> Starlette:
    """Return the application of a service.

    Parameters
    ----------
    service : Service
        Its parts may be open already (tests), else `opener` opens them at the start.
    opener : function or None
        Returns the parts. What it raises is kept in `service.failure`; the server then stops.
    verifier : function or None
        Called with the parts once they answer; what it raises ends the server likewise.
    """
    app = Application(
        service,
        routes=list_routes(),
        exception_handlers=handlers(),
        lifespan=_lifespan(service, opener, verifier),
    )
    # A redirect would repeat the Host header, which anyone may write.
    app.router.redirect_slashes = False
    return app


def list_routes() -> list[Route]:
    """Return the routes of all endpoint families."""
    families = (
        *(pages, linked, questions, graphql, sparql, running, graph_store, export, changes),
        *(report, addresses, ontology, void, operations, static),
    )
    return [route for family in families for route in family.routes()]


def _lifespan(
    service: Service, opener: Opener | None, verifier: Verifier | None
) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        starting = None
        if opener is not None:
            starting = asyncio.create_task(_start(service, opener, verifier))
        try:
            yield
        finally:
            if starting is not None:
                starting.cancel()
            await _stop(service)

    return lifespan


async def _start(service: Service, opener: Opener, verifier: Verifier | None) -> None:
    """Open the parts and let the endpoints answer, then verify what was opened."""
    try:
        with service.busy():
            parts = await _in_daemon_thread(opener)
            service.stage = "starting the query workers"
            try:
                await parts.pool.start()
            except BaseException:
                parts.close()
                raise
            service.open(parts, asyncio.get_running_loop())
        if verifier is not None:
            with service.busy():
                await _in_daemon_thread(partial(verifier, parts))
    except Exception as error:
        service.fail(error)


async def _stop(service: Service) -> None:
    """Close what is open: workers first, the log last."""
    end_dumps()
    parts, pools = service.close()
    if pools is not None:
        await pools.close()
    if parts is not None:
        await parts.pool.close()
        await asyncio.to_thread(parts.close)


async def _in_daemon_thread(function: Callable[[], Result]) -> Result:
    """Run a function in a thread that the end of the process does not wait for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(take: Callable[[], None]) -> None:
        if not future.done():  # else cancelled: the server stopped first
            take()

    def run() -> None:
        try:
            take = partial(future.set_result, function())
        except Exception as error:
            take = partial(future.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, take)

    Thread(target=run, name="opening", daemon=True).start()
    return await future
