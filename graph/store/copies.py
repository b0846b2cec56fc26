"""Writable copies of a store, and the worker that changes one.

Floor 1. A copy is hard links to the files that are never altered and copies of the few others; the
worker that opens it is a process of its own without network, so that an update may run away, or
take the process with it, and nothing is lost but the copy.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from graph.errors import StoreUnavailableError
from graph.settings import Settings
from graph.store.outcome import (
    explain_parse_refusal,
    explain_query_death,
    explain_query_refusal,
)
from graph.store.process import BlockingWorker, WorkerDiedError
from graph.store.stopping import Stop

Message = dict[str, Any]

# Tables are written once; all else the engine alters where it stands.
_NEVER_ALTERED: Final = ".sst"
_NOT_COPIED: Final = ("LOCK", "LOG", "LOG.old")


def copy_store(origin: Path, copy: Path) -> None:
    """Make a copy of a store that nobody writes, which then may be written to.

    Raises
    ------
    StoreUnavailableError
        The origin is gone, or there is no room.
    """
    try:
        copy.mkdir(parents=True)
        for entry in origin.iterdir():
            if entry.suffix == _NEVER_ALTERED:
                (copy / entry.name).hardlink_to(entry)
            elif entry.name not in _NOT_COPIED:
                shutil.copyfile(entry, copy / entry.name)
    except OSError as error:
        shutil.rmtree(copy, ignore_errors=True)
        detail = f"the store cannot be copied: {error.strerror or error}"
        raise StoreUnavailableError(detail) from error


class CopyWriter:
    """Runs one change of a copy at a time, each in a new process that already stands by.

    A writer that is seldom asked need keep none standing by (`stands_by`).
    """

    def __init__(self, settings: Settings, *, stands_by: bool = True) -> None:
        self._settings = settings
        self._stands_by = stands_by
        self._is_closed = False
        self._starter = ThreadPoolExecutor(1, "copy-writer")
        self._next = self._start() if stands_by else None

    def run(
        self, message: Message, data: bytes, seconds: float, stop: Stop | None = None
    ) -> tuple[Message, bytes]:
        """Return the answer of a worker to a message, and the data before it.

        Parameters
        ----------
        message : dict
            `do` is `update`, `put` or `data`; `path` names the copy.
        data : bytes
            The text.
        seconds : float
            After which the process is killed.
        stop : Stop or None
            What may have it killed before.

        Raises
        ------
        QuerySyntaxError, ForbiddenError, NotFoundError
            The engine does not take it.
        QueryTimeoutError, QueryMemoryError
            It was stopped at its deadline, or needs too much memory.
        QueryStoppedError
            It was told to stop.
        """
        stop = stop or Stop()
        pieces: list[bytes] = []
        answer: Message = {}
        text = data.decode("utf-8", "replace") if message["do"] != "put" else ""
        memory_mb = self._settings.sparql_memory_mb
        try:
            with self._take() as worker, stop.killing(worker.kill):
                for piece in worker.stream({**message, "seconds": seconds}, seconds, data):
                    if isinstance(piece, dict):
                        answer = piece
                    else:
                        pieces.append(piece)
        except WorkerDiedError as died:
            if self._is_closed:
                raise StoreUnavailableError("the service stops") from died
            stop.require_going()
            raise explain_query_death(died, seconds, memory_mb) from died
        if "error" in answer and message["do"] == "put":
            raise explain_parse_refusal(answer, "the body", "RDF", self._settings)
        if "error" in answer:
            raise explain_query_refusal(answer, text, memory_mb)
        return answer, b"".join(pieces)

    def close(self) -> None:
        """End the process that stands by."""
        self._is_closed = True
        started, self._next, self._stands_by = self._next, None, False
        self._starter.shutdown(wait=True)
        if started is not None and not started.cancelled() and started.exception() is None:
            started.result().end()

    def _take(self) -> BlockingWorker:
        started = self._next or self._start()
        self._next = self._start() if self._stands_by else None
        return started.result()

    def _start(self) -> Future[BlockingWorker]:
        return self._starter.submit(BlockingWorker, self._settings.sparql_memory_mb)
