"""Idempotency keys: a request that is sent again gets the first answer, also after a restart.

Floor 2. A key belongs to one agent. With the commit, at the end of its message, stand digests of
key and body, so that the log itself remembers; what is kept in memory is bounded and read from
there. A key that comes with another body is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from graph.errors import BadValueError, KeyReusedError
from graph.store.log import Log

Outcome = TypeVar("Outcome")

_MARK: Final = re.compile(r" \(request ([0-9a-f]{32}):([0-9a-f]{32})\)\Z")
#: What no message of a user may hold: it would read as another request's mark.
MARK_START: Final = "(request "
#: Activity of the commits that mutations make; of others, no mark is believed.
MUTATION: Final = "mutation"
_KEY: Final = re.compile(r"[\x21-\x7e]{8,128}")
_STRIPES: Final = 64


@dataclass(frozen=True, slots=True)
class Repeat:
    """An agent, and the digests of its key and of the body that it was sent with."""

    agent: str
    key: str
    body: str

    @property
    def mark(self) -> str:
        """What stands at the end of the commit's message."""
        return f" (request {self.key}:{self.body})"


@dataclass(frozen=True, slots=True)
class Kept(Generic[Outcome]):
    """What is known of an earlier request: its revision, and what came of it if still at hand."""

    body: str
    revision: int
    outcome: Outcome | None


def make_repeat(agent: str, key: str, body: Any) -> Repeat:
    """Return the digests of a request.

    Raises
    ------
    BadValueError
        The key has not between 8 and 128 visible ASCII characters.
    """
    if not _KEY.fullmatch(key):
        raise BadValueError("idempotencyKey", key[:40], "8 to 128 visible ASCII characters")
    text = json.dumps(body, sort_keys=True)
    return Repeat(agent, _digest(f"{agent}\n{key}"), _digest(text))


def without_mark(message: str) -> str:
    """Return a commit's message for readers."""
    return _MARK.sub("", message)


class Repeats(Generic[Outcome]):
    """The requests of the last commits, by key. Methods may be called from any thread."""

    def __init__(self, log: Log, most: int) -> None:
        self._log = log
        self._most = most
        self._kept: OrderedDict[tuple[str, str], Kept[Outcome]] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = tuple(threading.Lock() for _ in range(_STRIPES))
        self._is_read = False

    @contextmanager
    def turn(self, repeat: Repeat) -> Iterator[Kept[Outcome] | None]:
        """Hold others with this key back, and give what is known of an earlier request.

        Raises
        ------
        KeyReusedError
            The key was sent with another body.
        """
        with self._turns[int(repeat.key[:8], 16) % _STRIPES]:
            known = self._find(repeat)
            if known is not None and known.body != repeat.body:
                raise KeyReusedError(known.revision)
            yield known

    def keep(self, repeat: Repeat, revision: int, outcome: Outcome) -> None:
        """Remember what came of a request."""
        with self._lock:
            self._put((repeat.agent, repeat.key), Kept(repeat.body, revision, outcome))

    def _find(self, repeat: Repeat) -> Kept[Outcome] | None:
        with self._lock:
            if not self._is_read:
                self._read()
            return self._kept.get((repeat.agent, repeat.key))

    def _read(self) -> None:
        """Read the keys of the last commits: about 20 microseconds each, once."""
        first = max(0, self._log.revision - self._most)
        for header in self._log.headers(first):
            mark = _MARK.search(header.message)
            if mark is not None and header.activity == MUTATION:
                self._put((header.agent, mark[1]), Kept(mark[2], header.revision, None))
        self._is_read = True

    def _put(self, key: tuple[str, str], kept: Kept[Outcome]) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
