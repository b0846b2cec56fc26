"""Keeps a replica in step with its writer: asks, records, waits, and says how it stands.

Floor 5. One thread. Whatever fails is said once and tried again, ever more seldom and never by all
replicas at the same moment; meanwhile everything is answered from what is held.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from graph.errors import RhizomeError, StoreUnavailableError
from graph.store.commit import write_time
from graph.store.replica import Receiver

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.dataset import Dataset
    from web.upstream import Upstream

_FIRST_PAUSE_S: Final = 0.25
_DOUBLINGS: Final = 16
_STOP_S: Final = 10.0

_logger = logging.getLogger("rhizome.replica")


class State(StrEnum):
    """How a replica stands to its writer."""

    STARTING = "starting"  # it was not asked yet
    CATCHING_UP = "catching up"  # it answers, and has more than this replica
    FOLLOWING = "following"  # all that it had when it last answered is here
    LOST = "writer lost"  # it does not answer
    REFUSED = "refused"  # it answers what cannot be taken


@dataclass(frozen=True, slots=True)
class Standing:
    """How a replica stands: `since` when in this state, `current` when it last held all.

    Times are UTC in ISO 8601; `current` is None when it never did since the start, `behind` when
    the writer was not heard yet.
    """

    writer: str
    state: State
    since: str
    writer_revision: int | None
    behind: int | None
    current: str | None
    problem: str | None

    def write(self) -> dict[str, object]:
        """Return it with the names of JSON."""
        return {
            "writer": self.writer,
            "state": self.state.value,
            "since": self.since,
            "writerRevision": self.writer_revision,
            "behind": self.behind,
            "current": self.current,
            "problem": self.problem,
        }


class Following:
    """A dataset that follows a writer; runs between `start` and `close`."""

    def __init__(self, settings: Settings, dataset: Dataset, upstream: Upstream) -> None:
        self._settings = settings
        self._dataset = dataset
        self._upstream = upstream
        self._receiver = Receiver(
            dataset.log, upstream.name, settings.follow_record_bytes, dataset.adopt
        )
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._state, self._since = State.STARTING, _now()
        self._problem: str | None = None
        self._last: int | None = None  # the writer's revision when it was last heard
        self._current: str | None = None
        self._current_at = time.monotonic()
        self._failures = 0

    # --- for others -----------------------------------------------------------------------

    def standing(self) -> Standing:
        """Return how it stands."""
        last, revision = self._last, self._dataset.log.revision
        return Standing(
            writer=self._upstream.name,
            state=self._state,
            since=self._since,
            writer_revision=last,
            behind=None if last is None else max(0, last - revision),
            current=self._current,
            problem=self._problem,
        )

    @property
    def is_stale(self) -> bool:
        """Whether it has been behind, or without news, for longer than is allowed."""
        allowed_s = self._settings.follow_behind_s
        if not allowed_s or self._state is State.FOLLOWING:
            return False
        return time.monotonic() - self._current_at > allowed_s

    def copy_all(self, say: Callable[[str], None], is_stopping: Callable[[], bool]) -> None:
        """Copy a writer's history from its beginning; return once all that it has is here.

        `say` is told how far it is. It is tried until it succeeds or the service stops.

        Raises
        ------
        StoreUnavailableError
            The service stops.
        """
        while self._state is not State.FOLLOWING:
            pause_s = self._step(0.0)
            held = self._dataset.log.revision
            of = "" if self._last is None else f" of {self._last}"
            text = f"copying the writer's log, revision {held}{of}"
            say(text if self._problem is None else f"{text}; {self._problem}")
            end = time.monotonic() + pause_s
            while time.monotonic() < end and not is_stopping():
                time.sleep(0.05)
            if is_stopping():
                raise StoreUnavailableError("the service stops")

    def start(self) -> None:
        """Follow from now on."""
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following; what is being recorded is finished first."""
        self._stopping.set()
        self._upstream.interrupt()
        if self._thread is not None:
            self._thread.join(_STOP_S)
        if self._thread is None or not self._thread.is_alive():
            self._upstream.drop()

    # --- the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause_s = self._step(self._settings.follow_wait_s)
            self._stopping.wait(pause_s)

    def _step(self, wait_s: float) -> float:
        """Ask once and record what comes; return how long to pause."""
        began = time.monotonic()
        try:
            self._ask(wait_s)
        except StoreUnavailableError as error:
            return self._fail(State.LOST, str(error), error.retry_after_s)
        except RhizomeError as error:
            return self._fail(State.REFUSED, str(error))
        except Exception as error:
            _logger.exception("bug in following a writer")
            return self._fail(State.REFUSED, f"a fault of this program: {type(error).__name__}")
        self._failures = 0
        if self._state is State.CATCHING_UP:
            return 0.0
        return max(0.0, self._settings.follow_interval_s - (time.monotonic() - began))

    def _ask(self, wait_s: float) -> None:
        log = self._dataset.log
        with self._upstream.ask(log.revision, log.head, wait_s) as sent:
            try:
                self._receiver.take(sent)
            finally:
                self._last = sent.last
        if log.revision < sent.last:
            self._enter(State.CATCHING_UP)
            return
        self._current, self._current_at = _now(), time.monotonic()
        self._enter(State.FOLLOWING)

    def _enter(self, state: State, problem: str | None = None) -> None:
        """Note a state, and log it where it is another one or has another reason."""
        if (state, problem) == (self._state, self._problem):
            return
        if state is not self._state:
            self._since = _now()
        routine = (State.FOLLOWING, State.CATCHING_UP)
        is_news = problem is not None or not (state in routine and self._state in routine)
        self._state, self._problem = state, problem
        if is_news and not self._stopping.is_set():
            fields = {"state": state.value, "revision": self._dataset.log.revision}
            if problem is not None:
                fields["problem"] = problem
            level = logging.INFO if problem is None else logging.WARNING
            _logger.log(level, "replica", extra={"fields": fields})

    def _fail(self, state: State, problem: str, least_s: float = 0.0) -> float:
        """Note a failure; return a pause that doubles with each, by chance up to half shorter."""
        self._enter(state, problem)
        doubled = _FIRST_PAUSE_S * 2 ** min(self._failures, _DOUBLINGS)
        self._failures += 1
        # A writer that names a time is taken at its word, but one that is lost names none.
        longest = self._settings.follow_pause_s
        return max(min(least_s, longest) if least_s > 1 else 0.0, _jitter(min(longest, doubled)))


def _jitter(pause_s: float) -> float:
    return pause_s * random.uniform(0.5, 1.0)


def _now() -> str:
    return write_time(datetime.now(UTC))
