"""Running subscriptions: each follows the versions at its own pace, under the limits of all.

Floor 5. A stream waits for a version, has its notices made in a thread (once for all who ask the
same), and hands them on one by one as its reader takes them; meanwhile newer versions wait, and
are told as one where they are too many. Who may no longer see them is found out before each.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Collection, Iterator
from typing import TYPE_CHECKING, Final

from graph.errors import RateLimitedError, StoreUnavailableError, UnauthenticatedError
from graph.store.access_tokens import INVALID
from schema.notices import Batch, Cursor, Message
from web.lanes import Lane
from web.versions import Versions

if TYPE_CHECKING:
    from graph.access import Viewer
    from graph.settings import Settings
    from graph.store.access_tokens import Tokens
    from graph.store.dataset import Dataset
    from graph.store.levels import Levels
    from schema.notices import Step, Subscription
    from web.limits import Caller, Limiter

#: How often it is looked whether a token is still valid, in seconds.
CHECK_S: Final = 1.5
#: Why an answer ends before its reader does.
ENDED: Final = "the token expired or was revoked"
#: What is counted of a kept batch besides its messages, in bytes.
_OVERHEAD: Final = 500
_BEGIN: Final = Cursor()


class Streams:
    """All running subscriptions of a service.

    Belongs to the event loop. `closing` is set when the service stops: connections end then.
    """

    def __init__(self, settings: Settings, limiter: Limiter) -> None:
        self.settings = settings
        self.limiter = limiter
        self.closing = asyncio.Event()
        self.versions: Versions | None = None
        self._tokens: Tokens | None = None
        self._running: set[Stream] = set()
        self._connections = Counter[str]()
        self._lane = Lane("subscriptions", 1)
        self._batches: OrderedDict[tuple[object, ...], asyncio.Task[Batch]] = OrderedDict()
        self._sizes: dict[tuple[object, ...], int] = {}
        self._kept_bytes = 0

    def open(self, dataset: Dataset, tokens: Tokens, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to follow a dataset."""
        self._tokens = tokens
        self.versions = Versions(dataset, self.settings, self._revisions, loop)

    def close(self) -> None:
        """Let all connections end."""
        self.closing.set()
        if self.versions is not None:
            self.versions.wake()

    def is_valid(self, viewer: Viewer) -> bool:
        """Tell whether who asked may still be answered."""
        if viewer.is_anonymous:
            return True
        return self._tokens is not None and self._tokens.recheck(viewer)

    @contextlib.contextmanager
    def connection(self, address: str) -> Iterator[None]:
        """Count a connection while it is open.

        Raises
        ------
        RateLimitedError, StoreUnavailableError
            There are too many of its address, or in all.
        """
        allowed = self.settings.subscription_connections_per_address
        if self._connections[address] >= allowed:
            name = "subscription_connections_per_address"
            raise RateLimitedError(name, allowed, self._connections[address] + 1)
        if self._connections.total() >= self.settings.subscription_connections:
            raise StoreUnavailableError("too many connections for subscriptions; try again")
        self._connections[address] += 1
        try:
            yield
        finally:
            self._connections[address] -= 1
            if not self._connections[address]:
                del self._connections[address]

    def stream(self, subscription: Subscription, caller: Caller) -> Stream:
        """Return a subscription that is about to run.

        Raises
        ------
        StoreUnavailableError
            Too many run, or the store is not open.
        """
        if self.versions is None:
            raise StoreUnavailableError("the service is not ready")
        if len(self._running) >= self.settings.subscriptions:
            raise StoreUnavailableError("too many subscriptions run; try again")
        return Stream(self, self.versions, subscription, caller)

    async def batch(
        self, subscription: Subscription, caller: Caller, step: Step, start: Cursor
    ) -> Batch:
        """Return notices of a step, made once for all who ask the same."""
        key = (subscription.topic, step.since, step.revision, start)
        task = self._batches.get(key)
        if task is None:
            made = self._make(subscription, caller, step, start, key)
            task = self._batches[key] = asyncio.create_task(made)
        try:
            return await asyncio.shield(task)
        except Exception:
            self._batches.pop(key, None)
            raise

    async def _make(
        self,
        subscription: Subscription,
        caller: Caller,
        step: Step,
        start: Cursor,
        key: tuple[object, ...],
    ) -> Batch:
        def timed() -> tuple[Batch, float]:
            began = time.thread_time()
            return subscription.batch(step, start), time.thread_time() - began

        batch, seconds = await self._lane.run(timed, self.settings.subscriptions)
        self.limiter.charge(caller, seconds)
        self._keep(key, sum(len(m.payload) for m in batch.messages) + _OVERHEAD)
        return batch

    def _keep(self, key: tuple[object, ...], size: int) -> None:
        """Note what was made, and forget the oldest that are too much."""
        self._sizes[key] = size
        self._kept_bytes += size
        while self._kept_bytes > self.settings.subscription_cache_mb * 1_000_000 and self._sizes:
            oldest = next(iter(self._sizes))
            self._kept_bytes -= self._sizes.pop(oldest)
            self._batches.pop(oldest, None)

    def _revisions(self) -> Iterator[int]:
        return (stream.revision for stream in self._running)


class Stream:
    """One subscription; `revision` is that of the version which its reader has been told of.

    `is_telling` holds while it is told of the next one.
    """

    def __init__(
        self, streams: Streams, versions: Versions, subscription: Subscription, caller: Caller
    ) -> None:
        self.streams = streams
        self.versions = versions
        self.subscription = subscription
        self.caller = caller
        self.is_telling = False
        self._newest: Levels | None = versions.newest.levels
        self._since = subscription.since
        self.revision = self._newest.revision if self._since is None else self._since

    def resume_from(self, revision: int) -> None:
        """Begin after a revision that the reader was told of; a later one that is given wins."""
        known = min(revision, self.versions.newest.revision)
        self._since = known if self._since is None else max(known, self._since)
        self.revision = self._since

    async def messages(self) -> AsyncGenerator[Message]:
        """Yield the notices; ends when the service stops.

        Raises
        ------
        UnauthenticatedError
            The token expired or was revoked.
        GoneError
            What was to be told first lies too far back.
        QueryTooLargeError
            The condition or a node asks for too much.
        """
        running = self.streams._running
        running.add(self)
        try:
            position = await self._begin()
            while not self.streams.closing.is_set():
                after = self.versions.after(position.revision)
                if after is None:
                    await self.versions.changed()
                    continue
                step = await self.versions.step(self.subscription.viewer, position, after)
                self.is_telling = True
                async for message in self._tell(step):
                    yield message
                position = after.levels
                self.revision = position.revision
                self.is_telling = False
        finally:
            running.discard(self)

    async def _begin(self) -> Levels:
        since, newest = self._since, self._newest
        self._newest = None  # not held any longer than others hold it
        if since is None and newest is not None:
            return newest
        assert since is not None
        self._check()
        self.streams.limiter.require_time(self.caller)
        began = time.monotonic()
        position = await self.versions.at(since, self.subscription.viewer)
        self.streams.limiter.charge(self.caller, time.monotonic() - began)
        self.revision = position.revision
        return position

    async def _tell(self, step: Step) -> AsyncGenerator[Message]:
        if not self.subscription.concerns(step):
            return
        start: Cursor | None = _BEGIN
        while start is not None:
            # Who used its query time up waits: what changes meanwhile is told as one.
            if (wait_s := self.streams.limiter.wait_s(self.caller)) > 0:
                await asyncio.sleep(wait_s)
            batch = await self.streams.batch(self.subscription, self.caller, step, start)
            for message in batch.messages:
                self._check()
                yield message
            start = batch.rest

    def _check(self) -> None:
        if not self.streams.is_valid(self.subscription.viewer):
            raise UnauthenticatedError(ENDED, INVALID)


async def ended(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for an event so long, and tell whether it came."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
    return event.is_set()


async def cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
