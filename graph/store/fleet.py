"""The fleet of query workers: enough processes, all on the newest checkpoint.

Floor 1. Processes stand by, so that the next query need not wait for one to start; a process that
failed is replaced, a checkpoint that no process serves is let go. Where the store is small enough
they come to hold it in memory, and follow it by updates (decision 0035). Which query runs where
is the pool's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graph.errors import RhizomeError, StoreCorruptError, StoreUnavailableError
from graph.store.directory import Checkpoint
from graph.store.mending import CheckpointSource, Mender, is_sign_of_damage
from graph.store.outcome import explain_opening
from graph.store.pool import Standing
from graph.store.process import (
    START_S,
    AsyncWorker,
    WorkerDiedError,
    open_message,
    start_message,
)
from graph.store.steps import Steps, advance_message

_logger = logging.getLogger(__name__)

#: Processes beyond those that can be busy.
STANDBY: Final = 2
# How long the writer must pause before the processes that stand by follow.
_QUIET_S: Final = 0.5
_RETRY_S: Final = (0.1, 0.5, 2.0, 5.0)
_LOOK_S: Final = 0.2
#: No process is set to reading all into memory so soon after one had to be ended.
_CALM_S: Final = 2.0
#: Processes that must be idle for one of them to be set to that.
_IDLE_LEFT: Final = 2
_MENDING_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Loan:
    """A worker that is lent; `doubts` is how often damage had been found by then."""

    fleet: Fleet
    worker: AsyncWorker
    doubts: int

    def give_back(self) -> None:
        """Give the worker back, idle; raises what `Fleet.take_back` does."""
        self.fleet.take_back(self)

    def drop(self) -> None:
        """End the worker: it died, or nobody waits for what it does."""
        self.fleet.drop(self.worker)


class Fleet:
    """Worker processes of one pool; used from one event loop, `publish` from any thread."""

    def __init__(
        self, source: CheckpointSource, busy_max: int, memory_mb: int, held_max: int = 0
    ) -> None:
        self._source = source
        self._busy_max = busy_max
        self._memory_mb = memory_mb
        self._held_max = held_max
        self._to_hold = asyncio.Event()
        self._is_short = False
        self._ended_at = -_CALM_S
        self._steps = Steps()
        self._latest = source.checkpoint
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: deque[AsyncWorker] = deque()
        self._alive: set[AsyncWorker] = set()
        self._starting = 0
        self._failures = 0
        self._opening: list[Path] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self._is_pruning = False
        self._is_closed = False
        self._mender = Mender(source)
        source.on_checkpoint(self.publish)

    @property
    def is_ready(self) -> bool:
        """Whether at least one process can answer."""
        return bool(self._alive) and not self._is_closed and self._source.doubt is None

    @property
    def is_closed(self) -> bool:
        """Whether the end has begun."""
        return self._is_closed

    @property
    def revision(self) -> int:
        """Revision of the newest checkpoint; -1 before there is one."""
        return -1 if self._latest is None else self._latest.revision

    @property
    def standing(self) -> Standing | None:
        """What the next query is answered from; None before the start and while it is in doubt."""
        if self._latest is None or not self.is_ready:
            return None
        return Standing(self._latest.revision, self._source.doubts)

    async def start(self) -> None:
        """Start the processes and return when one can answer.

        Raises
        ------
        StoreUnavailableError
            None can in time, or there is no checkpoint.
        """
        self._loop = asyncio.get_running_loop()
        if self._latest is None:
            raise StoreUnavailableError("there is no checkpoint to query yet")
        self._fill()
        if self._held_max:
            self.do(self._hold_all())
        deadline = self._loop.time() + START_S
        while not self._alive:
            if self._mender.is_busy:  # it takes as long as it takes
                deadline = self._loop.time() + START_S
            elif self._loop.time() > deadline:
                await self.close()
                raise StoreUnavailableError("no query worker could start; see the log")
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self.wait()

    async def close(self) -> None:
        """End all processes, and what they do."""
        self._is_closed = True
        self._tell()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        workers, self._alive = list(self._alive), set()
        self._idle.clear()
        await asyncio.gather(*self._endings, *(worker.end(0.2) for worker in workers))

    def publish(self, checkpoint: Checkpoint) -> None:
        """Answer from a newer checkpoint from now on; called in any thread."""
        self._steps.note(checkpoint)
        self._latest = checkpoint
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._advance)

    async def borrow(self, seconds: float) -> Loan:
        """Lend a worker that serves the newest checkpoint; it is given back, or dropped.

        Raises
        ------
        StoreUnavailableError
            Damage was found, none is free in so many seconds, or the service ends.
        """
        doubts = self._source.doubts
        if self._source.doubt is not None:
            raise _being_mended()
        latest = self._latest
        # The one that worked last has the most in its caches.
        current = [w for w in reversed(self._idle) if latest is not None and w.path == latest.path]
        if current:
            worker = next((worker for worker in current if worker.is_held), current[0])
            self._idle.remove(worker)
            return Loan(self, worker, doubts)
        try:
            async with asyncio.timeout(seconds):
                return Loan(self, await self._take(), doubts)
        except TimeoutError:
            raise StoreUnavailableError("no query worker is ready; try again") from None

    def take_back(self, loan: Loan) -> None:
        """Take a worker back that is idle.

        Raises
        ------
        StoreUnavailableError
            Damage was found meanwhile: what the worker said is not to be told.
        """
        if self._source.doubts != loan.doubts:
            self.drop(loan.worker)
            raise _being_mended()
        self._give_back(loan.worker)

    def drop(self, worker: AsyncWorker) -> None:
        """End a worker and start another."""
        self._alive.discard(worker)
        self._ended_at = asyncio.get_running_loop().time()
        if worker in self._idle:
            self._idle.remove(worker)
        ending = asyncio.get_running_loop().create_task(self._end(worker))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        self._fill()

    def do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something in the background, until the end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def suspect(self, error: Exception) -> None:
        """Have it looked into when an error speaks of damage."""
        is_sign = isinstance(error, WorkerDiedError) and is_sign_of_damage(error)
        if (is_sign or isinstance(error, StoreCorruptError)) and not self._is_closed:
            self.do(self._mender.look_into(str(error)))

    async def wait(self) -> None:
        """Wait until something changes: a worker is free, a checkpoint is there, the end."""
        await self._changed.wait()

    async def _take(self) -> AsyncWorker:
        while True:
            while not self._idle:
                if self._is_closed:
                    raise StoreUnavailableError("the service is stopping")
                await self.wait()
            latest = self._latest
            current = (w for w in self._idle if latest is None or w.path == latest.path)
            worker = next(current, self._idle[0])
            self._idle.remove(worker)
            if await self._is_current(worker):
                return worker

    def _give_back(self, worker: AsyncWorker) -> None:
        if worker in self._alive and not self._is_closed:
            self._rest(worker)
            self._advance()

    def _rest(self, worker: AsyncWorker) -> None:
        """Put a worker among the idle, which may let one be set to reading all into memory."""
        self._idle.append(worker)
        if self._is_short or not worker.is_held:
            self._to_hold.set()
        self._tell()

    def _fill(self) -> None:
        """Start processes until there are enough."""
        while not self._is_closed and len(self._alive) + self._starting < self._busy_max + STANDBY:
            self._starting += 1
            self.do(self._start_one())

    async def _start_one(self) -> None:
        checkpoint = self._latest
        assert checkpoint is not None
        self._opening.append(checkpoint.path)
        try:
            worker = await self._start_worker(checkpoint)
        except (WorkerDiedError, RhizomeError, OSError) as error:
            _logger.error("a query worker could not start: %s", error)
            self._failures += 1
            self.suspect(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(_RETRY_S[min(self._failures, len(_RETRY_S)) - 1]):
                    while self._latest == checkpoint:  # another may be sound
                        await self.wait()
        else:
            self._failures = 0
            self._alive.add(worker)
            self._give_back(worker)
        finally:
            self._opening.remove(checkpoint.path)
            self._starting -= 1
        self._fill()

    async def _start_worker(self, checkpoint: Checkpoint) -> AsyncWorker:
        worker = await AsyncWorker.connect()
        try:
            message = start_message(self._memory_mb, checkpoint)
            answer, _ = await worker.ask(message, START_S)
            if "error" in answer:
                raise explain_opening(answer)
        except BaseException:
            await worker.end()
            raise
        if answer["missing"] and not self._alive:
            _logger.warning("query workers are not fully confined: %s", answer["missing"])
        worker.path, worker.revision = checkpoint.path, answer["revision"]
        return worker

    async def _is_current(self, worker: AsyncWorker) -> bool:
        """Make a worker, which is nobody's, serve the newest checkpoint; tell whether it does."""
        checkpoint = self._latest
        if checkpoint is None or worker.path == checkpoint.path:
            return True
        self._opening.append(checkpoint.path)
        message, update = open_message(checkpoint), b""
        if worker.is_held and self._is_holdable(checkpoint):
            steps = self._steps.between(worker.path, checkpoint)
            message, update = advance_message(steps) if steps else (message, update)
        worker.is_held = bool(update)
        try:
            answer, _ = await worker.ask(message, START_S, update)
            if "error" in answer:
                raise explain_opening(answer)
        except (WorkerDiedError, RhizomeError) as error:
            _logger.warning("a query worker could not open a checkpoint: %s", error)
            self.suspect(error)
            self.drop(worker)
            return False
        except BaseException:
            self.drop(worker)
            raise
        finally:
            self._opening.remove(checkpoint.path)
        worker.path, worker.revision = checkpoint.path, answer["revision"]
        self._prune()
        return True

    # --- in memory --------------------------------------------------------------------------

    def _is_holdable(self, checkpoint: Checkpoint | None) -> bool:
        size = None if checkpoint is None else checkpoint.statements
        return size is not None and size <= self._held_max

    async def _hold_all(self) -> None:
        """Let idle workers hold the newest checkpoint in memory, one after the other."""
        loop = asyncio.get_running_loop()
        while True:
            await self._to_hold.wait()
            self._to_hold.clear()
            while (worker := self._worker_to_hold()) is not None:
                rest = self._ended_at + _CALM_S - loop.time()
                if rest > 0:
                    await asyncio.sleep(rest)
                    continue
                self._idle.remove(worker)
                await self._hold(worker)

    def _worker_to_hold(self) -> AsyncWorker | None:
        """Return an idle worker that could hold the newest checkpoint, if another one is idle."""
        latest = self._latest
        self._is_short = len(self._idle) < _IDLE_LEFT
        if latest is None or self._is_short or not self._is_holdable(latest):
            return None
        return next((w for w in self._idle if not w.is_held and w.path == latest.path), None)

    async def _hold(self, worker: AsyncWorker) -> None:
        try:
            answer, _ = await worker.ask({"do": "hold"}, START_S)
            if "error" in answer:
                raise explain_opening(answer)
        except (WorkerDiedError, RhizomeError) as error:
            _logger.warning("query workers do not hold the store in memory: %s", error)
            self._held_max = 0
            self.drop(worker)
            return
        except BaseException:
            self.drop(worker)
            raise
        worker.is_held = True
        self._give_back(worker)

    # --- the newest checkpoint ----------------------------------------------------------------

    def _advance(self) -> None:
        """Let idle workers open the newest checkpoint, in the background."""
        self._tell()
        if self._stale() is not None and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = self.do(self._refresh())

    async def _refresh(self) -> None:
        while (worker := self._stale()) is not None:
            if self._latest is not None:
                current = sum(w.path == self._latest.path for w in self._alive)
                if current >= self._busy_max:  # the standby can wait until the writer pauses
                    revision = self.revision
                    await asyncio.sleep(_QUIET_S)
                    if self.revision != revision:
                        continue
            if worker not in self._idle:
                continue
            self._idle.remove(worker)
            if await self._is_current(worker):
                self._rest(worker)

    def _stale(self) -> AsyncWorker | None:
        latest = self._latest
        return next((w for w in self._idle if latest is not None and w.path != latest.path), None)

    async def _end(self, worker: AsyncWorker) -> None:
        await worker.end()
        self._prune()

    def _prune(self) -> None:
        """Have the checkpoints deleted that no worker serves any more."""
        if not self._is_pruning and not self._is_closed:
            self._is_pruning = True
            self.do(self._prune_now())

    async def _prune_now(self) -> None:
        try:
            serving = {worker.path for worker in self._alive if worker.path is not None}
            others = (self._latest and self._latest.path, self._mender.scanned)
            in_use = frozenset(serving.union(filter(None, others), self._opening))
            await asyncio.to_thread(self._source.prune_checkpoints, in_use)
        finally:
            self._is_pruning = False

    def _tell(self) -> None:
        """Wake all who wait."""
        self._changed.set()
        self._changed = asyncio.Event()


def _being_mended() -> StoreUnavailableError:
    detail = "the SPARQL store was found damaged and is being built anew; try again"
    return StoreUnavailableError(detail, retry_after_s=_MENDING_S)
