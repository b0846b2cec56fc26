"""Answers a request that came before, byte for byte, before it is even parsed.

Floor 5. Reading a request's head, its query and what it accepts takes longer than finding a kept
answer. Programs send the same bytes again and again: what was answered at once from a kept answer
(`web/at_once.py`) is answered to the same bytes from the same visitors' rights, until the data
changes. Each such request still counts against the rate of who asks. Used in the loop's thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from web.answers import Answered
from web.frame import log_request
from web.limits import rate_key

if TYPE_CHECKING:
    from starlette.types import Scope

    from graph.store.pool import Standing
    from web.service import Service

#: Longer requests and answers take long enough for it not to matter.
REQUEST_BYTES: Final = 4 * 1024
ANSWER_BYTES: Final = 16 * 1024
#: What an entry costs beside its bytes: names and values of headers, mostly shared.
_OVERHEAD: Final = 1_024
#: All that a visitor's kept answer depends on but for the request.
State = tuple[int | None, int, int, "Standing | None"]


class Repeats:
    """Requests by their bytes with their answers, of one state of the data, within a size.

    The oldest are dropped first. `limit_bytes` bounds the memory; 0 keeps nothing.
    """

    def __init__(self, service: Service, limit_bytes: int) -> None:
        self._service = service
        self._limit_bytes = limit_bytes
        self._bytes_held = 0
        self._state: State | None = None
        self._known: dict[bytes, tuple[Answered, Scope]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, request: bytes, peer: str) -> Answered | None:
        """Return the answer to a request, counted for the peer; None: it goes the usual way.

        Parameters
        ----------
        request : bytes
            All of one request, and nothing else.
        peer : str
            The address that it came from.
        """
        found = self._known.get(request)
        if found is None or not self._service.is_ready:
            return None
        if self._state != self._look():
            self._forget()
            return None
        answer, scope = found
        began = time.perf_counter()
        try:
            self._service.limiter.take(scope["path"], rate_key(peer))
        except Exception:  # too many requests, say: the usual way meets it again, and tells it
            return None
        log_request(scope, answer.status, time.perf_counter() - began)
        return answer

    def look(self) -> State | None:
        """Return the state of the data, which an answer is then of; None where nothing is kept."""
        return self._look() if self._limit_bytes and self._service.is_ready else None

    def keep(self, request: bytes, scope: Scope, answer: Answered, state: State | None) -> None:
        """Keep an answer that is the same until the data changes.

        Parameters
        ----------
        request : bytes
            All of it, and nothing else.
        scope : dict
        answer : Answered
        state : tuple or None
            What `look` returned before the answer was made: a commit may come meanwhile.
        """
        if state is None or state != self._look():
            return
        if not answer.repeats or len(request) > REQUEST_BYTES or len(answer.body) > ANSWER_BYTES:
            return
        if state != self._state:
            self._forget()
            self._state = state
        if request in self._known:
            return
        self._known[request] = answer, {"method": scope["method"], "path": scope["path"]}
        self._bytes_held += _size(request, answer)
        while self._bytes_held > self._limit_bytes:
            oldest = next(iter(self._known))
            self._bytes_held -= _size(oldest, self._known.pop(oldest)[0])

    def _look(self) -> State:
        """Return the state of the data."""
        service = self._service
        seen = service.revision, service.sparql_revision, service.public_snapshot.revision
        return *seen, service.pool.standing

    def _forget(self) -> None:
        self._known.clear()
        self._bytes_held = 0
        self._state = None


def _size(request: bytes, answer: Answered) -> int:
    return len(request) + len(answer.body) + _OVERHEAD
