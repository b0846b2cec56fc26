"""A bare SPARQL dataset: a default graph of its own, named graphs, blank nodes, no log.

Floor 1. Each change makes a new version of the store: a copy by hard links, changed by a worker,
and published when it is whole. Readers keep the version that they have open. What belongs to the
dataset proper (log, gate, shapes, stamps) has no part in it.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pyoxigraph as ox

from graph.errors import StoreUnavailableError
from graph.settings import Settings
from graph.store.copies import CopyWriter, copy_store
from graph.store.directory import Checkpoint
from graph.store.parts import Span
from graph.store.query import RdfText
from graph.store.stopping import Stop

_logger = logging.getLogger(__name__)

_VERSION: Final = re.compile(r"v([0-9]{1,15})")
_DRAFT: Final = "draft"


class PlainStore:
    """The versions of a bare dataset in one folder; methods may be called from any thread.

    `checkpoint` is the newest version; the pool of query workers follows it.
    """

    doubt: str | None = None
    doubts = 0

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._listeners: list[Callable[[Checkpoint], None]] = []
        self._lock = threading.Lock()
        self.checkpoint = self._open()
        self._writer = CopyWriter(settings)

    @property
    def revision(self) -> int:
        """How many changes there were."""
        return self.checkpoint.revision

    def update(
        self,
        text: str,
        base: str | None,
        seconds: float,
        parts: Sequence[Sequence[Span]] = (),
        stop: Stop | None = None,
    ) -> int:
        """Run a checked update, in its parts if it has them, and return the revision with it.

        It is done whole or not at all.

        Raises
        ------
        QuerySyntaxError, ForbiddenError, QueryTimeoutError, QueryMemoryError
            It cannot be run.
        QueryStoppedError
            It was told to stop.
        """
        message = {"do": "update", "base": base, "parts": parts}
        revision, _ = self._change(message, text.encode(), seconds, stop)
        return revision

    def put(
        self, graph: str, texts: Sequence[RdfText], base: str, seconds: float, *, is_replaced: bool
    ) -> tuple[int, bool]:
        """Put RDF into a graph and return the revision, and whether the graph was there.

        Parameters
        ----------
        graph : IRI
            Empty for the default graph.
        texts : sequence of RdfText
            Blank nodes of two texts never meet.
        base : IRI
            What relative IRIs are relative to.
        seconds : float
            After which it is given up.
        is_replaced : bool
            Whether what was in the graph goes.

        Raises
        ------
        ParseError, PayloadTooLargeError
            It cannot be read.
        """
        message = {
            "do": "put",
            "graph": graph,
            "texts": [(text.format, len(text.data)) for text in texts],
            "base": base,
            "levels_max": self._settings.nested_nodes,
            "is_replaced": is_replaced,
        }
        data = b"".join(text.data for text in texts)
        revision, answer = self._change(message, data, seconds)
        return revision, bool(answer["existed"])

    def _change(
        self, message: dict[str, Any], data: bytes, seconds: float, stop: Stop | None = None
    ) -> tuple[int, Any]:
        with self._lock:
            draft = self._folder / _DRAFT
            shutil.rmtree(draft, ignore_errors=True)
            copy_store(self.checkpoint.path, draft)
            try:
                answer, _ = self._writer.run({**message, "path": str(draft)}, data, seconds, stop)
                self._publish(draft)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            return self.revision, answer

    def _publish(self, draft: Path) -> None:
        revision = self.revision + 1
        path = self._folder / f"v{revision}"
        draft.rename(path)
        self.checkpoint = Checkpoint(path, revision, is_stamped=False)
        for listener in self._listeners:
            listener(self.checkpoint)

    # --- what the pool of workers asks --------------------------------------------------------

    def on_checkpoint(self, listener: Callable[[Checkpoint], None]) -> None:
        """Call a function with each new version, in the thread that made it."""
        self._listeners.append(listener)

    def prune_checkpoints(self, in_use: frozenset[Path]) -> None:
        """Delete the versions that are neither in use nor the newest."""
        with self._lock:
            for _, path in self._versions():
                if path not in in_use and path != self.checkpoint.path:
                    shutil.rmtree(path, ignore_errors=True)

    def mend_store(self, reason: str) -> None:
        """Say that nothing can be done: there is no log to build it anew from."""
        _logger.error("the plain store may be damaged, and has no log: %s", reason)

    def close(self) -> None:
        """End the worker that stands by; the newest version stays."""
        self._writer.close()

    # --- the folder ---------------------------------------------------------------------------

    def _open(self) -> Checkpoint:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            versions = self._versions()
            if not versions:
                path = self._folder / "v0"
                ox.Store(str(path)).flush()
                versions = [(0, path)]
        except OSError as error:
            detail = f"the plain store cannot be opened: {error.strerror or error}"
            raise StoreUnavailableError(detail) from error
        for _, path in versions[:-1]:
            shutil.rmtree(path, ignore_errors=True)
        revision, path = versions[-1]
        return Checkpoint(path, revision, is_stamped=False)

    def _versions(self) -> list[tuple[int, Path]]:
        found = ((_VERSION.fullmatch(path.name), path) for path in self._folder.iterdir())
        return sorted((int(name[1]), path) for name, path in found if name is not None)
