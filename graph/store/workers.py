"""The pool of worker processes that answer SPARQL, and the workers that read files.

Floor 1. A query runs in the fast lane for a moment; if that is not enough it is killed and runs
in the slow lane until its deadline, so that nobody waits for a runaway. Processes stand by, so
that the next query need not wait for one to start. Nothing here knows of HTTP or of logs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from graph.errors import (
    QueryTimeoutError,
    StoreUnavailableError,
)
from graph.settings import Settings
from graph.store.fleet import Fleet
from graph.store.mending import SCAN_MEMORY_MB, SCAN_S, CheckpointSource
from graph.store.outcome import (
    MERGED_STATEMENTS,
    explain_opening,
    explain_parse_death,
    explain_parse_refusal,
    explain_query_death,
    explain_query_refusal,
)
from graph.store.process import AsyncWorker, BlockingWorker, WorkerDiedError
from graph.store.query import ANSWER_BYTES, Answer, Query
from graph.store.scan import canonical_text
from graph.terms import Quad

_logger = logging.getLogger(__name__)

_SLOW_KEPT: Final = 256


class _TooSlowError(Exception):
    """A query was not done in the fast lane; `seconds` is what it had."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class QueryPool:
    """Workers in two lanes with a bounded queue; used from one event loop.

    Parameters
    ----------
    settings : Settings
        Workers, deadlines, memory and queue.
    source : CheckpointSource
        The dataset; the pool follows its checkpoints and tells it which are in use.
    """

    def __init__(self, settings: Settings, source: CheckpointSource) -> None:
        self._settings = settings
        self._source = source
        self._fast = asyncio.Semaphore(settings.sparql_fast_workers)
        self._slow = asyncio.Semaphore(settings.sparql_slow_workers)
        busy_max = settings.sparql_fast_workers + settings.sparql_slow_workers
        self._fleet = Fleet(source, busy_max, settings.sparql_memory_mb)
        self._waiting = 0
        self._known_slow: OrderedDict[tuple[object, ...], None] = OrderedDict()

    @property
    def is_ready(self) -> bool:
        """Whether at least one worker can answer."""
        return self._fleet.is_ready

    @property
    def revision(self) -> int:
        """The revision that the next query is answered with; -1 before there is one."""
        return self._fleet.revision

    async def start(self) -> None:
        """Start the processes and return when one can answer.

        Raises
        ------
        StoreUnavailableError
            None can in time, or there is no checkpoint.
        """
        await self._fleet.start()

    async def close(self) -> None:
        """End all processes; queries that still run end with them."""
        await self._fleet.close()

    async def query(self, query: Query, min_revision: int = 0) -> Answer:
        """Return the answer to a query.

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
        """
        await self._wait_for(min_revision)
        spent_s = 0.0
        fast_s = self._settings.sparql_fast_s
        if query.key not in self._known_slow:
            try:
                return await self._run(self._fast, query, min(fast_s, query.deadline_s))
            except _TooSlowError as slow:
                spent_s = slow.seconds
            if query.deadline_s <= fast_s:
                raise QueryTimeoutError(query.deadline_s)
            self._remember(query)
        try:
            answer = await self._run(self._slow, query, query.deadline_s - spent_s)
        except _TooSlowError:
            raise QueryTimeoutError(query.deadline_s) from None
        if answer.seconds < fast_s:  # the machine was busy the last time
            self._known_slow.pop(query.key, None)
        return answer

    async def _run(self, lane: asyncio.Semaphore, query: Query, seconds: float) -> Answer:
        async with self._turn(lane), self._worker() as worker:
            started = time.perf_counter()
            message = {
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
            }
            memory_mb = self._settings.sparql_memory_mb
            try:
                answer, body = await worker.ask(message, seconds, query.text.encode())
            except WorkerDiedError as died:
                if self._fleet.is_closed:
                    raise StoreUnavailableError("the service is stopping") from died
                error = explain_query_death(died, query.deadline_s, memory_mb)
                if isinstance(error, QueryTimeoutError):
                    raise _TooSlowError(time.perf_counter() - started) from None
                raise error from died
        if "error" in answer:
            refused = explain_query_refusal(answer, query.text, memory_mb)
            self._fleet.suspect(refused)
            raise refused
        if answer["is_worn"]:
            self._fleet.drop(worker)
        elapsed = time.perf_counter() - started
        return Answer(body, worker.revision, answer["rows"], answer["is_truncated"], elapsed)

    @asynccontextmanager
    async def _turn(self, lane: asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait for a place in a lane, not too long and not behind too many."""
        if lane.locked() and self._waiting >= self._settings.sparql_queue:
            raise StoreUnavailableError("too many queries are waiting; try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.sparql_queue_s):
                await lane.acquire()
        except TimeoutError:
            raise StoreUnavailableError("all query workers are busy; try again") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            lane.release()

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[AsyncWorker]:
        """Borrow a worker; after kills in quick succession one has to be waited for."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._settings.sparql_queue_s):
                    worker = await stack.enter_async_context(self._fleet.lend())
            except TimeoutError:
                raise StoreUnavailableError("no query worker is ready; try again") from None
            yield worker

    def _remember(self, query: Query) -> None:
        """Send this query to the slow lane at once the next time."""
        self._known_slow[query.key] = None
        if len(self._known_slow) > _SLOW_KEPT:
            self._known_slow.popitem(last=False)

    async def _wait_for(self, revision: int) -> None:
        try:
            async with asyncio.timeout(self._settings.revision_wait_s):
                while self.revision < revision:
                    await self._fleet.wait()
        except TimeoutError:
            detail = f"revision {revision} is not here yet; SPARQL answers with {self.revision}"
            raise StoreUnavailableError(detail) from None


def parse_rdf(
    data: bytes, format: str, base: str | None, settings: Settings, source: str = "the data"
) -> Iterator[Quad]:
    """Yield the quads of untrusted RDF text, parsed by a process without network.

    Parameters
    ----------
    data : bytes
        UTF-8, whole and unpacked.
    format : str
        `turtle`, `trig`, `nt`, `nq`, `jsonld` or `rdfxml`.
    base : str or None
        What relative IRIs are relative to; None refuses them.
    settings : Settings
        Deadline, memory and nesting.
    source : str
        What messages call the data, a file name for example.

    Yields
    ------
    Quad
        Canonical N-Triples texts, but for blank nodes (`_:label`) and for literals not yet
        normalised; the default graph is the empty text. An error may come after some quads.

    Raises
    ------
    ParseError
        The text is not well formed; with line and column where the parser knows them.
    PayloadTooLargeError
        It is nested too deeply, or takes too long or too much memory to read.
    StoreUnavailableError
        The process could not be started.

    Cost: 0.1 s for the process, then about 6 microseconds a quad.
    """
    message = {
        "do": "parse",
        "format": format,
        "base": base,
        "seconds": settings.parse_deadline_s,
        "levels_max": settings.nested_nodes,
    }
    rest = b""
    try:
        with BlockingWorker(settings.parse_memory_mb) as worker:
            for piece in worker.stream(message, settings.parse_deadline_s, data):
                if isinstance(piece, dict):
                    if "error" in piece:
                        raise explain_parse_refusal(piece, source, format, settings)
                    return
                whole, newline, rest = (rest + piece).rpartition(b"\n")
                yield from map(read_line, (whole + newline).decode().split("\n")[:-1])
    except WorkerDiedError as died:
        raise explain_parse_death(died, source, settings) from died


def scan_checkpoint(path: Path, *, is_deep: bool = False) -> tuple[str, ...]:
    """Return what is wrong with a checkpoint, by a full scan in a process of its own.

    Raises
    ------
    StoreCorruptError
        Part of it cannot be read.
    StoreUnavailableError
        The process failed.
    """
    message = {"do": "scan", "is_deep": is_deep}
    try:
        with BlockingWorker(SCAN_MEMORY_MB, path) as worker:
            answer = worker.started
            if "error" not in answer:
                answer = worker.ask(message, SCAN_S)
            if "error" in answer:
                raise explain_opening(answer, str(path))
            return tuple(answer["faults"])
    except WorkerDiedError as died:
        raise StoreUnavailableError("the scan of the SPARQL store did not end") from died


def read_line(line: str) -> Quad:
    """Return the quad of a worker's line: four terms, tabs between them."""
    subject, predicate, value, graph = line.split("\t")
    return subject, predicate, canonical_text(value), graph
