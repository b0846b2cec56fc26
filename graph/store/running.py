"""The queries that run now: which, since when, in which lane, and how one is stopped.

Floor 1. Who asks is told by kind, never by name or token; of a text as much as shows what it is.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from graph.access import Level
from graph.errors import NotFoundError
from graph.store.query import Query

#: Lanes, and where a query is before and after: it waits for one, or is read from the worker.
WAITING: Final = "waiting"
FAST: Final = "fast"
SLOW: Final = "slow"
#: An update, which has a process of its own.
WRITING: Final = "writing"
_TEXT: Final = 200


@dataclass(slots=True)
class Run:
    """One query or update that runs: `lane` is where it is now.

    `is_stopped` tells whether it was told to end.
    """

    id: str
    query: Query
    since: float
    began: float
    lane: str = WAITING
    is_stopped: bool = False
    _cancel: Callable[[], object] | None = None
    _end: Callable[[], object] | None = None

    def wait(self) -> None:
        """Note that the query is in no lane."""
        self.lane, self._end = WAITING, self._cancel

    def enter(self, lane: str, end: Callable[[], object]) -> None:
        """Note where the query is, and how it is ended there."""
        self.lane, self._end = lane, end

    @property
    def _kind(self) -> str:
        if self.lane == WRITING:
            return "update"
        return "graph" if self.query.is_graph else "query"

    def stop(self) -> None:
        """End the query, wherever it is."""
        self.is_stopped = True
        if self._end is not None:
            self._end()

    def describe(self, level: Level) -> dict[str, Any]:
        """Return what may be told of it to who sees a level."""
        text = _in_line(self.query.text) if self.query.level <= level else ""
        return {
            "id": self.id,
            "lane": self.lane,
            "since": datetime.fromtimestamp(self.since, UTC).isoformat(timespec="milliseconds"),
            "seconds": round(time.perf_counter() - self.began, 3),
            "deadline_s": self.query.deadline_s,
            "caller": self.query.caller,
            "kind": self._kind,
            "text": text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…",
        }


class Running:
    """The queries of all pools of a service; used from one event loop.

    The text of a query that sees more than who looks at the list is left out.
    """

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._numbers = itertools.count(1)

    def begin(self, query: Query) -> Run:
        """Note a query that begins, in the task that awaits it."""
        task = asyncio.current_task()
        assert task is not None
        name = f"q{next(self._numbers)}"
        run = Run(name, query, time.time(), time.perf_counter(), _cancel=task.cancel)
        run.wait()
        self._runs[run.id] = run
        return run

    def end(self, run: Run) -> None:
        """Forget a query that ended; who feeds its answer and who asked it may both say so."""
        self._runs.pop(run.id, None)

    def list(self, level: Level = Level.RESTRICTED) -> list[dict[str, Any]]:
        """Return what may be told of the queries that run, the oldest first."""
        return [run.describe(level) for run in self._runs.values()]

    def stop(self, name: str, level: Level = Level.RESTRICTED) -> dict[str, Any]:
        """Stop a query and return what may be told of it.

        Raises
        ------
        NotFoundError
            None of this identifier runs.
        """
        run = self._runs.get(name)
        if run is None:
            raise NotFoundError(f"a query {name[:40]!r} that runs; it may have ended")
        told = run.describe(level)
        run.stop()
        return told


def _in_line(text: str) -> str:
    """Return a text as one line that a terminal can show: no control characters."""
    shown = (letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))
    return "".join(shown)
