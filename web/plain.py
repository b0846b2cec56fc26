"""A bare SPARQL server: protocol, graph store and service description, and nothing of ours.

Floor 5. `serve --profile plain`: no model, no gate, no log; anyone may write. It shows what the
SPARQL endpoints do by themselves, and is what the suites of the W3C are run against.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graph.access import Viewer
from graph.errors import ForbiddenError, StoreUnavailableError
from graph.settings import Settings
from graph.store.guard import Checked
from graph.store.plain import PlainStore
from graph.store.query import Query
from graph.store.workers import QueryPool
from graph.store.writes import PlainWrites
from web import graph_store, operations, sparql, static
from web.answers import AnswerCache
from web.frame import Frame, Revisions
from web.limits import Limiter, Limits
from web.problems import handlers
from web.service import VERSION, public_address

#: Folder of the bare dataset, within that of the store.
FOLDER = "plain"


class PlainService:
    """What the endpoints of a bare server share; see `web.service.Sparql`."""

    is_plain = True
    larger_graphs = "ask for parts of it with queries"

    def __init__(self, settings: Settings, store: PlainStore) -> None:
        self.settings = settings
        self.store = store
        self.pool = QueryPool(settings, store)
        self.writes = PlainWrites(store, settings)
        self.limiter = Limiter(settings)
        self.tables = AnswerCache(0)  # relative IRIs would belong to what an answer depends on
        self.version = VERSION
        self.started = time.monotonic()
        self.stage = "starting the query workers"
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] | None = None
        self.is_ready = False

    def end_streams(self) -> None:
        """End what would go on by itself: here nothing does."""

    @property
    def revision(self) -> int:
        """How many changes there were."""
        return self.store.revision

    @property
    def sparql_revision(self) -> int:
        """Every query sees every change that was answered before it."""
        return self.store.revision

    def match(self, query: Query, checked: Checked, revision: int) -> None:
        """Return None: a bare dataset has no snapshot, so that workers answer all."""
        del query, checked, revision

    async def wait_for(self, revision: int, timeout_s: float) -> None:
        """Return at once when the revision is here.

        Raises
        ------
        StoreUnavailableError
            It is none of this server's.
        """
        del timeout_s
        if revision > self.revision:
            detail = f"revision {revision} is not here yet; this is {self.revision}"
            raise StoreUnavailableError(detail)

    async def pool_for(self, viewer: Viewer) -> QueryPool:
        """Return the workers: a bare dataset has one level."""
        del viewer
        return self.pool

    def changed_revision(self, viewer: Viewer) -> None:
        """Return None: of a bare graph nobody knows when it changed."""
        del viewer

    def base_of(self, request: Request) -> str | None:
        """Return the URL of the request: RFC 3986 says so of a text that names no base."""
        return public_address(request, self.settings)

    def address_of(self, request: Request) -> str:
        """Return the public URL of a request, without its query."""
        return public_address(request, self.settings)

    def graph_at(self, request: Request, path: str) -> str:
        """Return the URL itself: it names the graph that it leads to."""
        del path
        return public_address(request, self.settings)


class PlainApplication(Starlette):
    """Starlette behind our layers."""

    def __init__(self, service: PlainService) -> None:
        families = (sparql, graph_store, static)
        routes: list[Route] = [route for family in families for route in family.routes()]
        routes += operations.probes()
        super().__init__(
            routes=routes, exception_handlers=handlers(), lifespan=lambda _: _lifespan(service)
        )
        self.state.service = service
        self.router.redirect_slashes = False
        limits = Limits(Revisions(self._route, service), service.limiter)
        self._layers = Frame(limits, service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        scope["app"] = self
        await self._layers(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _refuse_foreign_pages(scope)
        await super().__call__(scope, receive, send)


def _refuse_foreign_pages(scope: Scope) -> None:
    """Refuse what a page of elsewhere sends by a browser that can reach this server.

    No token is asked, so that nothing else would keep such a page from writing.

    Raises
    ------
    ForbiddenError
        The Origin is not that of this server.
    """
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    is_own = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not is_own and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
        raise ForbiddenError("to write from a page of another origin")


@asynccontextmanager
async def _lifespan(service: PlainService) -> AsyncIterator[None]:
    starting = asyncio.create_task(_start(service))
    try:
        yield
    finally:
        starting.cancel()
        service.is_ready = False
        await service.pool.close()
        await asyncio.to_thread(service.store.close)


async def _start(service: PlainService) -> None:
    """Start the workers; what stops them from starting stops the server."""
    try:
        await service.pool.start()
    except Exception as error:
        service.stage, service.failure = "failed", error
        if service.on_failure is not None:
            service.on_failure()
    else:
        service.stage, service.is_ready = "ready", True
