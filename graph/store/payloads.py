"""The log's folder of payload files: one a named graph, appended to, verified, cut back.

Floor 1. Knows where each file's acknowledged bytes end; what lies behind is what a write that
stopped has left. Records and their chain are the log's matter.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from graph.errors import StoreCorruptError
from graph.store.commit import Commit
from graph.store.patch import (
    Part,
    PayloadError,
    payload_name,
    read_payload,
    read_text,
    stored_bytes,
    verify_payload,
    write_all,
    write_payload,
)
from graph.terms import Quad

_OPEN_FILES: Final = 128
_graph_of = itemgetter(3)


class Payloads:
    """The payload files in `folder`; `ends` is the byte after the last acknowledged, by graph."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ends: dict[str, int] = {}

    def path(self, graph: str) -> Path:
        """Return the payload file of a graph."""
        return self.folder / payload_name(graph)

    def verify(self, graph: str, expected: Sequence[tuple[int, Part]]) -> None:
        """Check the payloads of a graph, given with their revisions, and take them as its content.

        Raises
        ------
        StoreCorruptError
            One is not what was written, or they do not follow each other.
        """
        place, current = 0, expected[0]
        try:
            with self.path(graph).open("rb", buffering=0) as file:
                for current in expected:
                    part = current[1]
                    if part.offset != place:
                        raise PayloadError(f"the one before it ends at byte {place}")
                    verify_payload(file.fileno(), part)
                    place += part.length
        except (PayloadError, FileNotFoundError) as error:
            raise self._damaged(*current, error) from error
        self.ends[graph] = place

    def read(self, revision: int, part: Part) -> Iterator[tuple[bool, Quad]]:
        """Yield the lines of one payload: whether a quad is added, and the quad.

        Raises
        ------
        StoreCorruptError
            The payload is not what was written.
        """
        with self._opened(revision, part) as file:
            yield from read_payload(file, part)

    def read_text(self, revision: int, part: Part) -> Iterator[bytes]:
        """Yield the text of one payload, whole lines at a time.

        Raises
        ------
        StoreCorruptError
            The payload is not what was written.
        """
        with self._opened(revision, part) as file:
            yield from read_text(file, part)

    def read_stored(self, revision: int, part: Part) -> Iterator[bytes]:
        """Yield one payload as it is stored.

        Raises
        ------
        StoreCorruptError
            The payload is not what was written; told after its last byte.
        """
        with self._opened(revision, part) as file:
            yield from stored_bytes(file, part)

    def torn(self) -> list[Path]:
        """Return the files that hold more than what is acknowledged, or that nothing names."""
        ends = {self.path(graph): end for graph, end in self.ends.items()}
        found = sorted(self.folder.iterdir())
        return [path for path in found if path.stat().st_size != ends.get(path)]

    def cut(self, orphans: Path) -> list[Path]:
        """Cut every file back to what is acknowledged; return where in `orphans` the rest is."""
        ends = {self.path(graph): end for graph, end in self.ends.items()}
        return [set_aside(path, orphans, ends.get(path)) for path in self.torn()]

    @contextmanager
    def _opened(self, revision: int, part: Part) -> Iterator[int]:
        """Give the open file of a payload; what is wrong with it is named."""
        try:
            with self.path(part.graph).open("rb", buffering=0) as file:
                yield file.fileno()
        except (PayloadError, FileNotFoundError) as error:
            raise self._damaged(revision, part, error) from error

    def _damaged(self, revision: int, part: Part, error: Exception) -> StoreCorruptError:
        what = "is missing" if isinstance(error, FileNotFoundError) else str(error)
        place = f"payload of revision {revision} at byte {part.offset}"
        return StoreCorruptError(str(self.path(part.graph)), f"{place}: {what}")


class PayloadWriter:
    """One append to payload files: synced as a whole, or undone as a whole."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._ends: dict[str, int] = {}
        self._files: dict[str, int] = {}

    def write(self, commit: Commit) -> tuple[Part, ...]:
        """Write the payloads of a commit, one for each graph that it touches."""
        added = {g: list(quads) for g, quads in groupby(commit.added, _graph_of)}
        removed = {g: list(quads) for g, quads in groupby(commit.removed, _graph_of)}
        parts = []
        for term in sorted(added.keys() | removed.keys()):
            graph = term[1:-1]
            place = self._ends.setdefault(graph, self._payloads.ends.get(graph, 0))
            lines = added.get(term, []), removed.get(term, [])
            part = write_payload(self._open(graph), place, graph, *lines)
            self._ends[graph] = place + part.length
            parts.append(part)
        return tuple(parts)

    def copy(self, part: Part, source: int, start: int) -> None:
        """Write a payload's stored bytes, from byte `start` of an open file, where its part says.

        Raises
        ------
        ValueError
            They would not follow those that are there: a bug of the caller.
        """
        place = self._ends.setdefault(part.graph, self._payloads.ends.get(part.graph, 0))
        if place != part.offset:
            raise ValueError(f"a payload at byte {part.offset} does not follow byte {place}")
        file = self._open(part.graph)
        for data in stored_bytes(source, replace(part, offset=start)):
            write_all(file, data, place)
            place += len(data)
        self._ends[part.graph] = place

    def sync(self) -> None:
        """Bring every payload to the disk, and the folder if a file is new."""
        self._close(sync=True)
        if self._ends.keys() - self._payloads.ends.keys():
            sync_folder(self._payloads.folder)

    def keep(self) -> None:
        """Take what was written as acknowledged."""
        self._payloads.ends.update(self._ends)

    def undo(self) -> None:
        """Cut every touched file back; one that was new goes."""
        with suppress(OSError):
            self._close(sync=False)
        for graph in self._ends:
            path = self._payloads.path(graph)
            if graph in self._payloads.ends:
                os.truncate(path, self._payloads.ends[graph])
            else:
                path.unlink(missing_ok=True)

    def _open(self, graph: str) -> int:
        file = self._files.get(graph)
        if file is None:
            if len(self._files) >= _OPEN_FILES:
                self._close(sync=True)
            path = self._payloads.path(graph)
            file = self._files[graph] = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        return file

    def _close(self, *, sync: bool) -> None:
        while self._files:
            _, file = self._files.popitem()
            try:
                if sync:
                    os.fdatasync(file)
            finally:
                os.close(file)


def set_aside(path: Path, orphans: Path, end: int | None) -> Path:
    """Move the bytes of a file behind `end`, or the whole file, into `orphans`; return where.

    Nothing is destroyed: whether a write had stopped, or records were lost that named these
    bytes, cannot be told from here.

    Raises
    ------
    OSError
        What the disk answers; the file is as before.
    """
    orphans.mkdir(exist_ok=True)
    names = (orphans / f"{path.name}.{end or 0}.orphan-{number}" for number in count(1))
    target = next(name for name in names if not name.exists())
    if end is None:
        path.rename(target)
        sync_folder(path.parent)
        return target
    try:
        with path.open("rb") as source, target.open("xb") as copy:
            source.seek(end)
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        sync_folder(orphans)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    os.truncate(path, end)
    return target


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
