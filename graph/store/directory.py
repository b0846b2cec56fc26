"""The folder of a derived store: one live directory, the pointer that names it, checkpoints.

Floor 1. Directories and names only; what is inside them is the engine's.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

_POINTER: Final = "CURRENT"
_LIVE: Final = re.compile(r"db-([0-9]{1,9})")
_CHECKPOINT: Final = re.compile(r"[0-9]+-([0-9]{1,9})")


class Change(NamedTuple):
    """What leads from one checkpoint to the next: an update, and graphs to forget if empty."""

    since: Path
    update: str
    graphs: tuple[str, ...]


class Checkpoint(NamedTuple):
    """A read-only copy of the store by hard links, for workers.

    `is_stamped` tells whether it holds its revision itself, which workers then check. `statements`
    is how many it holds, if that is known, `change` what led to it from the one before, if that
    was little.
    """

    path: Path
    revision: int
    is_stamped: bool = True
    statements: int | None = None
    change: Change | None = None


class StoreDirectory:
    """Directories of one derived store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = 0

    def live(self) -> Path | None:
        """Return the directory that the pointer names; None where there is no pointer yet.

        Raises
        ------
        FileNotFoundError
            The pointer names something that is no store: damage.
        """
        pointer = self.folder / _POINTER
        if not pointer.exists():
            return None
        name = pointer.read_bytes().decode("ascii", "replace").strip()
        # The engine would make a new, empty store of a directory without its own pointer.
        if not _LIVE.fullmatch(name) or not (self.folder / name / "CURRENT").is_file():
            raise FileNotFoundError(f"{_POINTER} names {name[:40]!r}, which is no store")
        return self.folder / name

    def next(self) -> Path:
        """Return the path of a live directory that does not exist yet."""
        numbers = [int(found[1]) for found in map(_LIVE.fullmatch, self._names()) if found]
        return self.folder / f"db-{max(numbers, default=0) + 1}"

    def point_to(self, directory: Path) -> None:
        """Make a directory the live one, durably and at once, and delete all others."""
        written = self.folder / f"{_POINTER}.new"
        with written.open("wb") as file:
            file.write(f"{directory.name}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        written.replace(self.folder / _POINTER)
        self.sweep(directory)

    def sweep(self, live: Path) -> None:
        """Delete live directories of another time: a rebuild that replaced one, or did not end."""
        for name in self._names():
            if _LIVE.fullmatch(name) and name != live.name:
                shutil.rmtree(self.folder / name, ignore_errors=True)

    def next_checkpoint(self, revision: int) -> Checkpoint:
        """Return the path of a checkpoint that does not exist yet; its parent does."""
        self._made += 1
        parent = self._checkpoints()
        parent.mkdir(parents=True, exist_ok=True)
        return Checkpoint(parent / f"{revision}-{self._made}", revision)

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints that exist, oldest first."""
        folder = self._checkpoints()
        made = list(folder.iterdir()) if folder.is_dir() else []
        return sorted(
            (path for path in made if _CHECKPOINT.fullmatch(path.name)),
            key=lambda path: int(path.name.partition("-")[2]),
        )

    def prune_checkpoints(self, in_use: Collection[Path]) -> None:
        """Delete every checkpoint that is neither in use nor the newest."""
        for path in self.checkpoints()[:-1]:
            if path not in in_use:
                shutil.rmtree(path, ignore_errors=True)

    def drop_checkpoints(self) -> None:
        """Delete all checkpoints."""
        shutil.rmtree(self._checkpoints(), ignore_errors=True)

    def _checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def _names(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
