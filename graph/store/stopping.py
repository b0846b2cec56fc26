"""How work in a thread is told to stop: by whoever asked for it, or by an administrator.

Floor 1. A thread cannot be stopped, but the process that works for it can be killed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from graph.errors import QueryStoppedError


class Stop:
    """Told once, from any thread; who works looks at it, or names what is to be killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kill: Callable[[], object] | None = None
        self._is_told = False

    @property
    def is_told(self) -> bool:
        """Whether it was told to stop."""
        return self._is_told

    def tell(self) -> None:
        """Have the work stopped; what is over, or is being recorded, goes on."""
        with self._lock:
            self._is_told = True
            if self._kill is not None:
                self._kill()

    def require_going(self) -> None:
        """Check that the work is still wanted.

        Raises
        ------
        QueryStoppedError
        """
        if self._is_told:
            raise QueryStoppedError

    @contextmanager
    def killing(self, kill: Callable[[], object]) -> Iterator[None]:
        """Have something killed when it is told meanwhile.

        Raises
        ------
        QueryStoppedError
            It was told before.
        """
        with self._lock:
            self.require_going()
            self._kill = kill
        try:
            yield
        finally:
            with self._lock:
                self._kill = None
