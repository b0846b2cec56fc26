"""The pool of worker processes that answer SPARQL.

Floor 1. A query runs in the fast lane for a moment; if that is not enough it is killed and runs
in the slow lane until its deadline, so that nobody waits for a runaway. Processes stand by, so
that the next query need not wait for one to start. Nothing here knows of HTTP or of logs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from graph.errors import (
    QueryStoppedError,
    QueryTimeoutError,
    RhizomeError,
    StoreUnavailableError,
)
from graph.settings import Settings
from graph.store.fleet import Fleet, Loan
from graph.store.mending import CheckpointSource
from graph.store.outcome import (
    MERGED_STATEMENTS,
    explain_query_death,
    explain_query_refusal,
)
from graph.store.pool import InLoop, Standing
from graph.store.process import WorkerDiedError
from graph.store.query import ANSWER_BYTES, Answer, Query, Taken
from graph.store.running import FAST, SLOW, Run, Running
from graph.store.spool import Spool, Stream, feed_all

_logger = logging.getLogger(__name__)


_SLOW_KEPT: Final = 256
# Who had so many queries given up in the fast lane in so many seconds begins in the slow one.
_SUSPECT_COUNT: Final = 3
_SUSPECT_S: Final = 60.0
_ORIGINS_KEPT: Final = 4_096
# The kernel ends the worker at its deadline; this is for who does not read.
_GRACE_S: Final = 0.2


class _TooSlowError(Exception):
    """A query was not done in the fast lane; `seconds` is what it had.

    `is_large` tells that it was quick, but its answer is one to be streamed.
    """

    def __init__(self, seconds: float, *, is_large: bool = False) -> None:
        super().__init__()
        self.seconds = seconds
        self.is_large = is_large


@dataclass(frozen=True, slots=True)
class _Lane:
    """A lane: its name, and its places."""

    name: str
    places: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class _Part:
    """A query whose answer comes in parts: from which worker, where to, since when, how long."""

    loan: Loan
    lane: _Lane
    stream: Stream
    query: Query
    run: Run
    started: float
    seconds: float


class QueryPool(InLoop):
    """Workers in two lanes with a bounded queue; used from one event loop.

    Parameters
    ----------
    settings : Settings
        Workers, deadlines, memory and queue.
    source : CheckpointSource
        The dataset; the pool follows its checkpoints and tells it which are in use.
    running : Running or None
        The queries that run, where several pools have one list of them.
    """

    def __init__(
        self, settings: Settings, source: CheckpointSource, running: Running | None = None
    ) -> None:
        self._settings = settings
        self._source = source
        self._fast = _Lane(FAST, asyncio.Semaphore(settings.sparql_fast_workers))
        self._slow = _Lane(SLOW, asyncio.Semaphore(settings.sparql_slow_workers))
        self._spool = Spool(settings.store, settings.sparql_spool_mb * 1_000_000)
        self.running = Running() if running is None else running
        busy_max = settings.sparql_fast_workers + settings.sparql_slow_workers
        self._fleet = Fleet(
            source, busy_max, settings.sparql_memory_mb, settings.sparql_held_statements
        )
        self._waiting = 0
        self._known_slow: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self._given_up: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def is_ready(self) -> bool:
        """Whether at least one worker can answer."""
        return self._fleet.is_ready

    @property
    def revision(self) -> int:
        """The revision that the next query is answered with; -1 before there is one."""
        return self._fleet.revision

    @property
    def standing(self) -> Standing | None:
        """What the next query is answered from; None while the store is in doubt."""
        return self._fleet.standing

    async def start(self) -> None:
        """Start the processes and return when one can answer.

        Raises
        ------
        StoreUnavailableError
            None can in time, or there is no checkpoint.
        """
        self._loop = asyncio.get_running_loop()
        await self._fleet.start()

    async def close(self) -> None:
        """End all processes; queries that still run end with them."""
        await self._fleet.close()

    async def query(self, query: Query, min_revision: int = 0) -> Answer:
        """Return the answer to a query, or its beginning where it may come in parts.

        Parameters
        ----------
        query : Query
        min_revision : int
            Wait up to `revision_wait_s` seconds for a checkpoint of at least this revision.

        Raises
        ------
        QuerySyntaxError, QueryTooLargeError
            The engine does not take it.
        QueryTimeoutError, QueryMemoryError
            It was stopped at its deadline, or needs too much memory.
        StoreUnavailableError
            The queue is full, the wait was too long, the revision is not here, or the store
            is being built anew since damage was found.
        StoreCorruptError
            A worker met what looks like damage; it is looked into, and mended.
        QueryStoppedError
            An administrator stopped it.
        """
        run = self.running.begin(query)
        is_handed_over = False
        try:
            answer = await self._answer(query, min_revision, run)
            is_handed_over = answer.rest is not None
            return answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not run.is_stopped or task is None or task.uncancel():
                raise
            raise QueryStoppedError from None
        finally:
            if not is_handed_over:
                self.running.end(run)

    async def _answer(self, query: Query, min_revision: int, run: Run) -> Answer:
        """Run a query in the fast lane, and where that is not enough in the slow one."""
        await self._wait_for(min_revision)
        spent_s = 0.0
        fast_s = self._settings.sparql_fast_s
        if query.key not in self._known_slow and not self._is_suspect(query.origin):
            try:
                return await self._run(self._fast, query, min(fast_s, query.deadline_s), run)
            except _TooSlowError as slow:
                spent_s, is_large = slow.seconds, slow.is_large
            if query.deadline_s <= fast_s and not is_large:
                raise QueryTimeoutError(query.deadline_s)
            self._remember(query)
            if query.origin and not is_large:
                self._suspect(query.origin)
        try:
            answer = await self._run(self._slow, query, query.deadline_s - spent_s, run, spent_s)
        except _TooSlowError:
            raise QueryTimeoutError(query.deadline_s) from None
        if answer.rest is None and answer.seconds < fast_s:  # the machine was busy the last time
            self._known_slow.pop(query.key, None)
        return answer

    async def _run(
        self, lane: _Lane, query: Query, seconds: float, run: Run, spent_s: float = 0.0
    ) -> Answer:
        arrived = time.perf_counter()
        run.wait()
        await self._enter(lane)
        try:
            loan = await self._fleet.borrow(self._settings.sparql_queue_s)
        except BaseException:
            lane.places.release()
            raise
        worker = loan.worker
        run.enter(lane.name, worker.kill)
        started = time.perf_counter()
        message = _write_message(query, seconds, may_begin=lane is self._slow)
        try:
            answer, body, has_begun = await worker.begin(message, seconds, query.text.encode())
            stream = self._spool.stream() if has_begun else None
        except BaseException as error:
            lane.places.release()
            loan.drop()
            if not isinstance(error, WorkerDiedError):
                raise
            explained = self._explain_death(error, query, run)
            if isinstance(explained, QueryTimeoutError):
                raise _TooSlowError(time.perf_counter() - started) from None
            raise explained from error
        if stream is not None:
            allowed = seconds
            if answer["size"] is not None:  # it is made: as long again to hand it on
                allowed = time.perf_counter() - started + query.deadline_s
            part = _Part(loan, lane, stream, query, run, started, allowed)
            stream.feed_by(self._fleet.do(self._feed(part)))
            try:
                # It has to be begun: a task that is ended before lets go of nothing.
                await asyncio.sleep(0)
            except BaseException:
                await stream.close()
                raise
            cut, size = answer["is_truncated"], answer["size"]
            return Answer(b"", worker.revision, 0, cut, 0.0, stream, size)
        lane.places.release()
        loan.give_back()
        elapsed = time.perf_counter() - started
        if answer.get("error") == "more":  # to be streamed, which the fast lane does not
            raise _TooSlowError(elapsed, is_large=True)
        if "error" in answer:
            refused = explain_query_refusal(answer, query.text, self._settings.sparql_memory_mb)
            self._fleet.suspect(refused)
            raise refused
        if answer["is_worn"]:
            loan.drop()
        taken = Taken(
            lane.name,
            started - arrived,
            spent_s,
            answer.get("plan_s", 0.0),
            answer.get("answer_s", 0.0),
            answer.get("grown_mb", 0.0),
        )
        cut = answer["is_truncated"]
        return Answer(body, worker.revision, answer["rows"], cut, elapsed, taken=taken)

    async def _feed(self, part: _Part) -> None:
        """Hand the parts of an answer on as they come, and the worker back at its end."""
        stream, worker = part.stream, part.loan.worker
        final: dict[str, Any] = {}
        error: RhizomeError | None = None
        left_s = part.seconds - (time.perf_counter() - part.started)

        async def parts() -> AsyncIterator[bytes]:
            while isinstance(piece := await worker.piece(left_s), bytes):
                yield piece
            final.update(piece)

        try:
            try:
                await feed_all(stream, parts(), part.query.deadline_s, left_s + _GRACE_S)
            except BaseException:
                part.loan.drop()
                raise
            finally:
                part.lane.places.release()
            part.loan.give_back()
        except WorkerDiedError as died:
            error = self._explain_death(died, part.query, part.run)
        except RhizomeError as refused:
            error = refused
        except BaseException:
            is_stopped = part.run.is_stopped
            error = QueryStoppedError() if is_stopped else StoreUnavailableError("it was left")
            raise
        else:
            if "error" in final:
                memory_mb = self._settings.sparql_memory_mb
                error = explain_query_refusal(final, part.query.text, memory_mb)
                self._fleet.suspect(error)
            elif final["is_worn"]:
                part.loan.drop()
        finally:
            self.running.end(part.run)
            seconds = time.perf_counter() - part.started
            stream.finish(error, int(final.get("rows", 0)), seconds)

    def _explain_death(self, died: WorkerDiedError, query: Query, run: Run) -> RhizomeError:
        if self._fleet.is_closed:
            return StoreUnavailableError("the service is stopping")
        if run.is_stopped:
            return QueryStoppedError()
        return explain_query_death(died, query.deadline_s, self._settings.sparql_memory_mb)

    async def _enter(self, lane: _Lane) -> None:
        """Wait for a place in a lane, not too long and not behind too many."""
        if not lane.places.locked():
            await lane.places.acquire()  # at once
            return
        if self._waiting >= self._settings.sparql_queue:
            raise StoreUnavailableError("too many queries are waiting; try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.sparql_queue_s):
                await lane.places.acquire()
        except TimeoutError:
            raise StoreUnavailableError("all query workers are busy; try again") from None
        finally:
            self._waiting -= 1

    def _remember(self, query: Query) -> None:
        """Send this query to the slow lane at once the next time."""
        self._known_slow[query.key] = None
        if len(self._known_slow) > _SLOW_KEPT:
            self._known_slow.popitem(last=False)

    def _suspect(self, origin: str) -> None:
        """Note that a query of an asker was given up in the fast lane."""
        count, since = self._given_up.pop(origin, (0, 0.0))
        now = time.monotonic()
        is_over = now - since > _SUSPECT_S
        self._given_up[origin] = (1, now) if is_over else (count + 1, since)
        if len(self._given_up) > _ORIGINS_KEPT:
            self._given_up.popitem(last=False)

    def _is_suspect(self, origin: str) -> bool:
        """Whether so much of the fast lane was spent on an asker that others go first there."""
        count, since = self._given_up.get(origin, (0, 0.0))
        return count >= _SUSPECT_COUNT and time.monotonic() - since <= _SUSPECT_S

    async def _wait_for(self, revision: int) -> None:
        if self.revision >= revision:
            return
        try:
            async with asyncio.timeout(self._settings.revision_wait_s):
                while self.revision < revision:
                    await self._fleet.wait()
        except TimeoutError:
            detail = f"revision {revision} is not here yet; SPARQL answers with {self.revision}"
            raise StoreUnavailableError(detail) from None


def _write_message(query: Query, seconds: float, *, may_begin: bool) -> dict[str, Any]:
    """Return a query as a worker takes it."""
    return {
        "do": "graph" if query.is_graph else "query",
        "base": query.base,
        "seconds": seconds,
        "format": query.format,
        "rows_max": query.rows_max,
        "bytes_max": ANSWER_BYTES,
        "statements_max": MERGED_STATEMENTS,
        "prologue": query.prologue,
        "from": query.from_graphs,
        "from_named": query.from_named_graphs,
        "default_graphs": query.default_graphs,
        "named_graphs": query.named_graphs,
        "prefixes": dict(query.prefixes),
        "in_parts": query.in_parts,
        "may_begin": may_begin and query.in_parts,
        "is_slow": may_begin,
        "is_cut": query.is_cut,
        "streamed_rows": query.streamed_rows if query.in_parts else 0,
        "streamed_bytes": query.streamed_bytes,
    }
