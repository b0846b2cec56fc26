"""What leads workers that hold a store in memory from one checkpoint to a later one.

Floor 1. Each checkpoint knows the update that led to it, if that was short. A few are kept, since
a worker may be busy while several come.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from graph.store.directory import Checkpoint

_KEPT: Final = 16


class Steps:
    """The last steps from checkpoint to checkpoint; noted in any thread."""

    def __init__(self) -> None:
        self._next: OrderedDict[Path, Checkpoint] = OrderedDict()

    def note(self, checkpoint: Checkpoint) -> None:
        """Note what a new checkpoint was made from."""
        if checkpoint.change is not None:
            self._next[checkpoint.change.since] = checkpoint
            if len(self._next) > _KEPT:
                self._next.popitem(last=False)

    def between(self, path: Path | None, checkpoint: Checkpoint) -> list[Checkpoint]:
        """Return the steps from one checkpoint to another; none where one is not known."""
        steps: list[Checkpoint] = []
        while path is not None and path != checkpoint.path:
            following = self._next.get(path)
            if following is None or len(steps) == _KEPT:
                return []
            steps.append(following)
            path = following.path
        return steps


def advance_message(steps: list[Checkpoint]) -> tuple[dict[str, Any], bytes]:
    """Return the message that brings what a worker holds to the last of some checkpoints.

    Each has a change that leads to it from the one before; their updates are the data.
    """
    changes = [step.change for step in steps if step.change is not None]
    graphs = sorted({graph for change in changes for graph in change.graphs})
    path, revision = steps[-1].path, steps[-1].revision
    message = {"do": "advance", "path": str(path), "revision": revision, "graphs": graphs}
    return message, "".join(change.update for change in changes).encode()
