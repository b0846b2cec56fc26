"""Queries of clients to a SPARQL server of others, in the place of the embedded workers.

Floor 1. The text has passed the guard. A query has its deadline whatever the server does; one
that is given up is hung up on. Failures are told to the follower, which opens the circuit: until
it closes again queries are refused at once. Answers are read whole and written anew.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from graph.access import Level
from graph.errors import (
    NotAcceptableError,
    NotFoundError,
    QueryStoppedError,
    QuerySyntaxError,
    QueryTimeoutError,
    QueryTooLargeError,
    StoreUnavailableError,
)
from graph.settings import Settings
from graph.store import external_answers as answers
from graph.store import results
from graph.store.external import ExternalStore
from graph.store.external_follower import ExternalFollower
from graph.store.external_marker import MARKER_GRAPH, MERGED_GRAPH, Marker
from graph.store.external_query import (
    hide_graphs,
    refuse_escapes,
    refuse_functions,
    refuse_relative,
)
from graph.store.external_requests import explain_status, read_words
from graph.store.feed import Feed
from graph.store.graph_formats import UnwritableError
from graph.store.guard import check_query
from graph.store.pool import InLoop, Standing
from graph.store.query import ANSWER_BYTES, Answer, Query
from graph.store.running import Running
from graph.store.sparql_client import (
    Call,
    Greeting,
    Pairs,
    Reply,
    ServerFailedError,
    SparqlClient,
)
from graph.store.tokens import LANGUAGE

if TYPE_CHECKING:
    from graph.store.commit import Commit
    from graph.store.dataset import Dataset
    from graph.store.levels import Levels
    from graph.store.stamp import Stamp

_logger = logging.getLogger("rhizome.external")

#: Bytes of a server's answer that are read: its tags take more room than ours.
_READ_BYTES: Final = 3 * ANSWER_BYTES
#: Statuses that say that the query is at fault, and those that say to come again.
_FAULTY: Final = (400, 422)
_BUSY: Final = (408, 429, 502, 503, 504)
#: Headers of Virtuoso that say that an answer was cut, by rows or by time.
_CUT_ROWS: Final = "x-sparql-maxrows"
_CUT_TIME: Final = "x-sql-state"
_AGAIN_S: Final = 0.1


class ExternalPool(InLoop):
    """Asks one server, a bounded number of queries at a time; used from one event loop."""

    def __init__(self, settings: Settings, follower: ExternalFollower) -> None:
        self.running = Running()
        self._settings = settings
        self._follower = follower
        self._store = follower.store
        self._client = SparqlClient(self._store.requests.credentials, self._greet)
        count = max(1, settings.sparql_connections)
        self._turns = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, "sparql")
        self._waiting = 0
        self._changed = asyncio.Event()
        self._is_closed = False

    @property
    def is_ready(self) -> bool:
        """Whether the service can answer: all but SPARQL does, also without the server."""
        return not self._is_closed

    @property
    def revision(self) -> int:
        """The revision that the next query is answered with; -1 before that is known."""
        return self._follower.revision

    @property
    def standing(self) -> Standing | None:
        """What the next query is answered from; None while the server is at fault, or is fed."""
        if self._is_closed or self._follower.fault is not None:
            return None
        return Standing(self._follower.revision, self._follower.epoch)

    async def start(self) -> None:
        """Begin to listen to the follower; a server that is not there yet is not waited for."""
        self._loop = asyncio.get_running_loop()
        self._follower.on_change(self._tell)

    async def close(self) -> None:
        """Let nobody ask any more."""
        self._is_closed = True
        self._tell_waiting()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def query(self, query: Query, min_revision: int = 0) -> Answer:
        """Return the answer to a query.

        Parameters
        ----------
        query : Query
        min_revision : int
            Wait up to `revision_wait_s` seconds until the server holds at least this revision.

        Raises
        ------
        QuerySyntaxError, QueryTooLargeError, NotAcceptableError
            The server does not take it, or its answer does not fit.
        NotFoundError
            There is no such graph.
        QueryTimeoutError
            It was given up at its deadline.
        StoreUnavailableError
            The server fails, or is fed, or does not hold the revision; too many are waiting.
        QueryStoppedError
            An administrator stopped it.
        """
        run = self.running.begin(query)
        try:
            return await self._answer(query, min_revision)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not run.is_stopped or task is None or task.uncancel():
                raise
            raise QueryStoppedError from None
        finally:
            self.running.end(run)

    async def _answer(self, query: Query, min_revision: int) -> Answer:
        form = "CONSTRUCT" if query.is_graph else check_query(query.text, self._settings).form
        if not query.is_graph:
            refuse_functions(query.text)
            refuse_escapes(query.text)
            if query.base is None:
                refuse_relative(query.text)
        await self._wait_for(min_revision)
        async with self._turn():
            epoch, revision = self._admit()
            started = time.perf_counter()
            received = await self._ask(query, form)
            if self._follower.epoch != epoch:
                detail = "the SPARQL server was fed meanwhile; try again"
                raise StoreUnavailableError(detail, self._follower.retry_after_s)
            body = await self._write(query, form, received)
        if query.is_graph and query.text and not body.rows:
            raise NotFoundError(query.text[:200])
        seconds = time.perf_counter() - started
        return Answer(b"".join(body.pieces), revision, body.rows, body.is_truncated, seconds)

    # --- before ------------------------------------------------------------------------------

    def _admit(self) -> tuple[int, int]:
        """Return epoch and revision that a query begins with.

        Raises
        ------
        StoreUnavailableError
            The circuit is open.
        """
        fault = self._follower.fault
        if self._is_closed:
            raise StoreUnavailableError("the service is stopping")
        if fault is not None:
            detail = f"SPARQL cannot be answered now: {fault}"
            raise StoreUnavailableError(detail, self._follower.retry_after_s)
        return self._follower.epoch, self._follower.revision

    async def _wait_for(self, revision: int) -> None:
        try:
            async with asyncio.timeout(self._settings.revision_wait_s):
                while self._follower.fault is None and self.revision < revision:
                    await self._changed.wait()
        except TimeoutError:
            detail = f"revision {revision} is not here yet; SPARQL answers with {self.revision}"
            raise StoreUnavailableError(detail) from None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._turns.locked() and self._waiting >= self._settings.sparql_queue:
            raise StoreUnavailableError("too many queries are waiting; try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.sparql_queue_s):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreUnavailableError("all connections are busy; try again") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()

    # --- the request -------------------------------------------------------------------------

    async def _ask(self, query: Query, form: str) -> answers.Received:
        """Return what the server answers; one that is busy for a moment is asked twice."""
        call = Call(query.deadline_s)
        reply = await self._send(query, form, call)
        if reply.status in _BUSY and call.left_s > 2 * _AGAIN_S:
            await asyncio.sleep(_AGAIN_S)
            reply = await self._send(query, form, call)
        return self._receive(reply, query)

    async def _send(self, query: Query, form: str, call: Call) -> Reply:
        fields = self._write_form(query)
        accept = answers.TABLE_ACCEPT if form in ("SELECT", "ASK") else answers.GRAPH_ACCEPT

        def send() -> Reply:
            return self._client.post(
                self._store.requests.query_address,
                fields,
                accept,
                call,
                bytes_max=_READ_BYTES,
                is_repeatable=True,
            )

        loop = asyncio.get_running_loop()
        working = loop.run_in_executor(self._threads, send)
        try:
            async with asyncio.timeout(max(0.0, call.left_s)):
                return await asyncio.shield(working)
        except ServerFailedError as error:
            self._follower.suspect()
            if error.is_timeout:
                raise QueryTimeoutError(query.deadline_s) from error
            raise self._unavailable(error.reason) from error
        except TimeoutError:
            self._follower.suspect()
            raise QueryTimeoutError(query.deadline_s) from None
        finally:
            if not working.done():  # the deadline, or a client that left
                call.abort()
                working.add_done_callback(_forget)

    def _greet(self) -> Greeting:
        """Return what a new connection asks first: whether the server holds what it was fed.

        One that was started again, or another one at its address, may hold nothing, or old data.
        """
        revision = self._follower.revision

        def judge(markers: list[Marker | None] | None) -> None:
            if markers is not None and len(markers) == 1:
                if self._follower.is_of(markers[0], revision):
                    return
            elif markers is None:
                self._follower.suspect()
                raise ServerFailedError("it did not tell what it holds")
            if self._follower.fault is not None:
                raise ServerFailedError("it is being fed, or looked into")
            self._follower.doubt("the server does not hold what it was fed")
            raise ServerFailedError("it does not hold what it was fed")

        return self._store.greeting(judge)

    def _write_form(self, query: Query) -> Pairs:
        merged = self._store.merged_graph
        if query.is_graph:
            graph = query.text or merged
            pattern = "?s ?p ?o"
            where = f"GRAPH <{graph}> {{ {pattern} }}" if graph else pattern
            return Pairs((("query", f"CONSTRUCT {{ {pattern} }} WHERE {{ {where} }}"),))
        hidden = [MARKER_GRAPH, MERGED_GRAPH, *self._follower.others]
        fields = [("query", hide_graphs(query.text, hidden))]
        fields += [("default-graph-uri", iri) for iri in query.default_graphs]
        fields += [("named-graph-uri", iri) for iri in query.named_graphs]
        is_free = not (
            query.default_graphs
            or query.named_graphs
            or query.from_graphs
            or query.from_named_graphs
        )
        if merged and is_free:
            fields.append(("default-graph-uri", merged))
        return Pairs(tuple(fields))

    def _receive(self, reply: Reply, query: Query) -> answers.Received:
        """Return the body of a reply that is an answer.

        Raises
        ------
        QuerySyntaxError, QueryTimeoutError, StoreUnavailableError
            It is none.
        """
        if reply.status in _FAULTY:
            words = read_words(reply, self._store.requests.credentials)
            raise QuerySyntaxError(LANGUAGE, words or "the SPARQL server does not take it")
        if reply.status != 200:
            self._follower.suspect()
            raise self._unavailable(explain_status(reply, self._store.requests.credentials))
        if reply.headers.get(_CUT_TIME, "").strip().upper() == "S1TAT":
            raise QueryTimeoutError(query.deadline_s)
        said = reply.headers.get(_CUT_ROWS, "")
        rows_max = int(said) if said.isascii() and said.isdecimal() else None
        return answers.Received(reply.media_type, reply.body, reply.is_cut, rows_max)

    async def _write(self, query: Query, form: str, received: answers.Received) -> results.Body:
        levels = self._settings.nested_nodes
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._threads, answers.write_answer, query, form, received, levels, ANSWER_BYTES
            )
        except answers.UnreadableError as error:
            self._follower.suspect()
            raise self._unavailable(str(error)) from error
        except results.AnswerTooLargeError:
            raise QueryTooLargeError("bytes of one row of the answer", ANSWER_BYTES) from None
        except UnwritableError as error:
            detail = f"this format ({str(error)[:200]})"
            raise NotAcceptableError(detail, ("text/turtle",)) from error

    def _unavailable(self, reason: str) -> StoreUnavailableError:
        return StoreUnavailableError(f"the SPARQL server fails: {reason}", self._pause_s)

    @property
    def _pause_s(self) -> float:
        return max(1.0, self._follower.retry_after_s)

    # --- waking ------------------------------------------------------------------------------

    def _tell(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_waiting)

    def _tell_waiting(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _forget(work: asyncio.Future[Reply]) -> None:
    """Take the outcome of work that nobody waits for, so that nothing is said of it."""
    if not work.cancelled():
        work.exception()


def open_external(settings: Settings, dataset: Dataset) -> ExternalFollower:
    """Return a follower that keeps the server of the settings in step with a dataset.

    Raises
    ------
    SettingError
        A setting of the server cannot be used.
    """
    store = ExternalStore(settings, dataset.model.system_quads)
    if store.requests.is_open_to_eavesdroppers:
        _logger.warning("the SPARQL server is asked over http: who listens learns the credentials")
    feed = Feed(dataset.log, lambda: dataset.levels, Level.PUBLIC)

    def stamp() -> Stamp | None:
        return None if dataset.store is None else dataset.store.stamp()

    follower = ExternalFollower(store, feed, stamp, settings)

    def tell(_: Commit, levels: Levels) -> None:
        if Level.PUBLIC in levels.renewed:
            follower.hold("a graph was hidden from the public; SPARQL is built anew")
        follower.tell()

    dataset.on_commit(tell)
    follower.start()
    return follower
