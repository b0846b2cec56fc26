"""A zip file whose bytes depend on what is put into it alone.

Floor 2. No clock and no names of people or machines enter it. What is put in is hashed on the way,
so that a description of the whole can state size and SHA-256 of each file.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

# The earliest that the format can say.
_WHEN: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644 << 16
_UNIX: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive: its name, bytes unpacked, and their SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


class Archive:
    """A zip file that is being written. `entries` holds what has been put in, in order."""

    def __init__(self, path: Path) -> None:
        self.entries: list[Entry] = []
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)

    def add(self, name: str, pieces: Iterable[bytes]) -> Entry:
        """Put a file in and return what it is; memory holds one piece at a time."""
        info = zipfile.ZipInfo(name, _WHEN)
        info.compress_type, info.external_attr, info.create_system = (
            zipfile.ZIP_DEFLATED,
            _MODE,
            _UNIX,
        )
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        entry = Entry(name, size, digest.hexdigest())
        self.entries.append(entry)
        return entry

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()
