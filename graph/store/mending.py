"""Damage in the SPARQL store: suspected by workers, confirmed by a scan, mended by building anew.

Floor 1. A worker's word is not enough: what the engine says may hold words of a query. A process
of its own reads the newest checkpoint; only what it finds wrong has the store built anew.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from graph.errors import RhizomeError
from graph.store.directory import Checkpoint
from graph.store.outcome import explain_opening
from graph.store.process import START_S, AsyncWorker, WorkerDiedError, start_message

_logger = logging.getLogger(__name__)

#: Memory and time of a full scan.
SCAN_MEMORY_MB: Final = 8 * 1024
SCAN_S: Final = 3600.0
# What damage that the engine does not notice ends a process with.
_ENDED_BY_DAMAGE: Final = (-signal.SIGSEGV, -signal.SIGBUS)


class CheckpointSource(Protocol):
    """Where checkpoints come from: the dataset."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint."""
        ...

    @property
    def doubt(self) -> str | None:
        """Why the store is being built anew, if it is: nothing may be answered from it."""
        ...

    @property
    def doubts(self) -> int:
        """How often the store was found damaged; answers begun before are worth nothing."""
        ...

    def on_checkpoint(self, listener: Callable[[Checkpoint], None]) -> None:
        """Call a function with each new checkpoint, in any thread."""
        ...

    def prune_checkpoints(self, in_use: frozenset[Path]) -> None:
        """Delete the checkpoints that are neither in use nor the newest; in any thread."""
        ...

    def mend_store(self, reason: str) -> None:
        """Build the store anew and return when its checkpoint is published; in any thread."""
        ...


class Mender:
    """Looks into what workers suspect, once at a time; used from one event loop.

    `is_busy` tells whether it does now, `scanned` is the checkpoint that must stay meanwhile.
    """

    def __init__(self, source: CheckpointSource) -> None:
        self.is_busy = False
        self.scanned: Path | None = None
        self._source = source

    async def look_into(self, suspicion: str) -> None:
        """Read the newest checkpoint whole; when it is damaged, have the store built anew."""
        checkpoint = self._source.checkpoint
        if self.is_busy or checkpoint is None:
            return
        self.is_busy, self.scanned = True, checkpoint.path
        try:
            damage = await _find_damage(checkpoint.path)
            if damage is None:
                _logger.warning("a scan found the SPARQL store sound, after: %s", suspicion)
            else:
                _logger.error("the SPARQL store is damaged: %s", damage)
                await asyncio.to_thread(self._source.mend_store, damage)
        except (RhizomeError, WorkerDiedError, OSError) as error:
            _logger.error("damage of the SPARQL store could not be looked into: %s", error)
        finally:
            self.is_busy, self.scanned = False, None


def is_sign_of_damage(died: WorkerDiedError) -> bool:
    """Tell whether a process that opened or read a checkpoint ended as damage makes it end."""
    return died.status in _ENDED_BY_DAMAGE


async def _find_damage(path: Path) -> str | None:
    worker = await AsyncWorker.connect()
    try:
        answer, _ = await worker.ask(start_message(SCAN_MEMORY_MB, path), START_S)
        if "error" not in answer:
            answer, _ = await worker.ask({"do": "scan", "is_deep": True}, SCAN_S)
    except WorkerDiedError as died:
        if is_sign_of_damage(died):
            return str(died)
        raise
    finally:
        await worker.end()
    if answer.get("error") == "damage":
        return str(answer["detail"])
    if "error" in answer:
        raise explain_opening(answer, str(path))
    return "; ".join(answer["faults"]) or None
