"""The running service: settings, model, and the parts that open while it already listens.

Floor 5. `request.app.state.service` is the one thing that endpoints share. Until the store is
open its parts answer 503, so that `/health` can be asked from the first moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from graph.access import Level, anonymous
from graph.errors import StoreUnavailableError
from graph.terms import ENTITY
from web.access import viewer_of
from web.answers import AnswerCache
from web.documents import Documents
from web.level_pools import LevelPools
from web.licences import Licences
from web.limits import Limiter
from web.short_queries import ShortQueries
from web.streams import Streams

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Scope

    from graph.access import Viewer
    from graph.curation.gate import Gate
    from graph.model import Model
    from graph.settings import Settings
    from graph.store.access_tokens import Tokens
    from graph.store.dataset import Dataset
    from graph.store.guard import Checked
    from graph.store.levels import LevelView
    from graph.store.matching import Beside
    from graph.store.pool import Pool
    from graph.store.query import Answer, Query
    from graph.store.snapshot import Snapshot
    from graph.store.writes import Writes
    from schema.execute import Engine
    from schema.mutation import Writer
    from schema.subscribing import Subscriber
    from web.following import Following

VERSION: Final = "0.3.0"


class Sparql(Protocol):
    """What the SPARQL endpoints need of a service, with the dataset or a bare one behind it.

    `tables` are the answers that are kept; `sparql_revision` is the least that every query sees;
    `larger_graphs` says what to do about a graph that is too large for one answer.
    """

    settings: Settings
    limiter: Limiter
    tables: AnswerCache
    is_plain: bool
    larger_graphs: str

    @property
    def pool(self) -> Pool:
        """The SPARQL workers."""
        ...

    async def pool_for(self, viewer: Viewer) -> Pool:
        """Return the SPARQL workers of a viewer's level."""
        ...

    @property
    def writes(self) -> Writes:
        """Who takes updates and graphs."""
        ...

    @property
    def sparql_revision(self) -> int:
        """The least revision that a query must see."""
        ...

    def match(self, query: Query, checked: Checked, revision: int) -> Answer | None:
        """Return the answer to a short query on what stood at a revision; None: ask a worker."""
        ...

    def changed_revision(self, viewer: Viewer) -> int | None:
        """Return the last revision that changed what a viewer sees; None where nobody knows."""
        ...

    def base_of(self, request: Request) -> str | None:
        """Return what relative IRIs of a request are relative to; None refuses them."""
        ...

    def address_of(self, request: Request) -> str:
        """Return the public URL of a request, without its query."""
        ...

    def graph_at(self, request: Request, path: str) -> str:
        """Return the IRI of the graph that a path below `/graphs/` stands for."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What opens at the start; `close` lets go of all but the pool, which closes by itself.

    `following` is what keeps a replica in step with its writer.
    """

    dataset: Dataset
    gate: Gate
    pool: Pool
    engine: Engine
    writer: Writer
    writes: Writes
    subscriber: Subscriber
    tokens: Tokens
    close: Callable[[], None]
    following: Following | None = None


def public_address(request: Request, settings: Settings) -> str:
    """Return the URL of a request as others see it, without its query."""
    if settings.base_url:
        return settings.base_url.rstrip("/") + request.url.path
    return str(request.url.replace(query=""))


class Service:
    """What every endpoint shares.

    `visitor` is the viewer without a token, `languages` the chain that answers one without wishes.
    `answers` and `documents` are what GraphQL keeps: answers until the next commit, and texts of
    documents that clients name by hash; `tables` are the answers of SPARQL that are kept;
    `streams` are the subscriptions that run.
    `stage` says in words what the start is doing. `failure` holds the error that ended the service
    and `on_failure` is called then. `is_busy` tells that a thread opens or verifies parts.
    """

    is_plain = False
    larger_graphs = "take it from /export"

    def __init__(self, settings: Settings, model: Model) -> None:
        self.settings = settings
        self.model = model
        self.visitor = anonymous(settings)
        self.languages = settings.language_chain
        self.answers = AnswerCache(settings.graphql_cache_mb * 1_000_000)
        self.tables = AnswerCache(settings.sparql_cache_mb * 1_000_000)
        self.documents = Documents(settings.graphql_documents_mb * 1_000_000)
        self.licences = Licences()
        self.version = VERSION
        self.started = time.monotonic()
        self.limiter = Limiter(settings)
        self.streams = Streams(settings, self.limiter)
        self.stage = "opening the store"
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] | None = None
        self.is_busy = False
        self._parts: Parts | None = None
        self._pools: LevelPools | None = None
        self._short: ShortQueries | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._advanced = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether seeds are loaded and workers answer."""
        return self._parts is not None

    @property
    def revision(self) -> int | None:
        """The revision that readers see now, at whatever level; None while the store opens."""
        return None if self._parts is None else self._parts.dataset.revision

    @property
    def public_revision(self) -> int | None:
        """The last revision that changed anything public; None while the store opens."""
        return None if self._parts is None else self.public_snapshot.revision

    @property
    def has_other_licences(self) -> bool:
        """Whether public data stands under more than CC BY 4.0; false while the store opens."""
        return self._parts is not None and self.licences.are_several(self.public_snapshot)

    @property
    def dataset(self) -> Dataset:
        """The dataset; StoreUnavailableError while it opens."""
        return self._opened.dataset

    @property
    def public_snapshot(self) -> Snapshot:
        """What a visitor without a token sees now; StoreUnavailableError while it opens.

        Endpoints that know no other viewer read through here, so that what is not public cannot
        be forgotten in one of them.
        """
        return self.dataset.snapshot_for(self.visitor)

    @property
    def public_view(self) -> LevelView:
        """What a visitor sees, and since when; StoreUnavailableError while the store opens."""
        return self.dataset.view_for(self.visitor)

    def view_for(self, scope: Scope) -> LevelView:
        """Return what the one who sent a request sees.

        Raises
        ------
        UnauthenticatedError
            The request presents a token that is not valid.
        StoreUnavailableError
            The store is not open yet.
        """
        return self.dataset.view_for(viewer_of(scope, self.visitor))

    @property
    def gate(self) -> Gate:
        """The one way to a commit; StoreUnavailableError while the store opens."""
        return self._opened.gate

    @property
    def pool(self) -> Pool:
        """The SPARQL workers; StoreUnavailableError while the store opens."""
        return self._opened.pool

    async def pool_for(self, viewer: Viewer) -> Pool:
        """Return the SPARQL workers of a viewer's level; StoreUnavailableError while it opens."""
        public = self._opened.pool
        if viewer.level is Level.PUBLIC or self._pools is None:
            return public
        return await self._pools.at(viewer) or public

    @property
    def engine(self) -> Engine:
        """What answers GraphQL; StoreUnavailableError while the store opens."""
        return self._opened.engine

    @property
    def writer(self) -> Writer:
        """What runs mutations; StoreUnavailableError while the store opens."""
        return self._opened.writer

    @property
    def subscriber(self) -> Subscriber:
        """What reads subscriptions; StoreUnavailableError while the store opens."""
        return self._opened.subscriber

    @property
    def tokens(self) -> Tokens:
        """The access tokens; StoreUnavailableError while the store opens."""
        return self._opened.tokens

    @property
    def writes(self) -> Writes:
        """Who takes updates and graphs; StoreUnavailableError while the store opens."""
        return self._opened.writes

    @property
    def following(self) -> Following | None:
        """What keeps a replica in step; None of a writer. StoreUnavailableError as above."""
        return self._opened.following

    @property
    def sparql_revision(self) -> int:
        """What a query must see: any revision, unless it asks for one."""
        return 0

    def match(self, query: Query, checked: Checked, revision: int) -> Answer | None:
        """Return the answer to a short query on what stood at a revision; None: ask a worker."""
        return None if self._short is None else self._short.answer(query, checked, revision)

    @property
    def beside(self) -> Beside:
        """What the SPARQL store holds and no snapshot does. StoreUnavailableError as above."""
        if self._short is None:
            self._short = ShortQueries(self.settings, self.dataset)
        return self._short.beside

    def changed_revision(self, viewer: Viewer) -> int:
        """Return the last revision that changed what a viewer sees."""
        return self.dataset.snapshot_for(viewer).revision

    def base_of(self, request: Request) -> str | None:
        """Return None: relative IRIs are refused, since where they lead depends on the asker."""
        del request
        return None

    def address_of(self, request: Request) -> str:
        """Return the public URL of a request, without its query."""
        return public_address(request, self.settings)

    def graph_at(self, request: Request, path: str) -> str:
        """Return the IRI below which all things are named, with the path."""
        del request
        return ENTITY + path

    def open(self, parts: Parts, loop: asyncio.AbstractEventLoop) -> None:
        """Take the opened parts: from now on endpoints answer. Called in the loop's thread."""
        self._loop = loop
        self._parts = parts
        self._pools = LevelPools(self.settings, parts.dataset, lambda: parts.pool.running)
        self.limiter.tokens = parts.tokens
        self.stage = "ready"
        self.streams.open(parts.dataset, parts.tokens, loop)
        self._short = ShortQueries(self.settings, parts.dataset)
        parts.dataset.on_commit(lambda *_: self._tell())

    def end_streams(self) -> None:
        """Let all subscriptions end: the server stops."""
        self.streams.close()

    def close(self) -> tuple[Parts | None, LevelPools | None]:
        """Let endpoints answer 503 again, and return what is to be closed."""
        self.streams.close()
        parts, self._parts = self._parts, None
        pools, self._pools = self._pools, None
        self._short = None
        self.limiter.tokens = None
        self.stage = "stopping"
        self._tell_waiting()
        return parts, pools

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Note that parts are being opened or verified; a cancelled block leaves the note."""
        self.is_busy = True
        try:
            yield
        except Exception:
            self.is_busy = False
            raise
        self.is_busy = False

    def fail(self, error: Exception) -> None:
        """Keep the error that ends the service, and let the server know."""
        self.stage = "failed"
        self.failure = error
        if self.on_failure is not None:
            self.on_failure()

    async def wait_for(self, revision: int, timeout_s: float) -> None:
        """Return once readers see a revision.

        Raises
        ------
        StoreUnavailableError
            They do not after `timeout_s` seconds, or the store is not open.
        """
        dataset = self.dataset
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while dataset.revision < revision:
                    await self._advanced.wait()
        if self.dataset.revision < revision:
            raise StoreUnavailableError(
                f"revision {revision} is not here yet; this is {dataset.revision}"
            )

    @property
    def _opened(self) -> Parts:
        if self._parts is None:
            raise StoreUnavailableError(f"the service is not ready: {self.stage}")
        return self._parts

    def _tell(self) -> None:
        """Wake those who wait for a revision; called in any thread after a commit."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_waiting)

    def _tell_waiting(self) -> None:
        if self._pools is not None:
            self._pools.sweep()
        self._advanced.set()
        self._advanced = asyncio.Event()
