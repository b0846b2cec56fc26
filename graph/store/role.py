"""Whose history a store's folder holds: its own, or that of a writer which it follows.

Floor 1. A replica's folder holds the file `replica` with the writer's URL. While it is there no
process records a change of its own: the history would part from the writer's unseen.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from graph.errors import StoreCorruptError, StoreUnavailableError
from graph.store.payloads import sync_folder

NAME: Final = "replica"
_LONGEST: Final = 4_096


def read_writer(folder: Path) -> str | None:
    """Return the URL of the writer that the store in a folder follows; None of a writer's own.

    Raises
    ------
    StoreCorruptError
        The file is there and names none.
    StoreUnavailableError
        It cannot be read.
    """
    path = folder / NAME
    try:
        text = path.read_bytes()[:_LONGEST].decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailableError(f"{path} cannot be read: {error}") from error
    if "://" not in text:
        raise StoreCorruptError(str(path), "names no writer: start with --follow, or --promote")
    return text


def mark_replica(folder: Path, writer: str) -> None:
    """Note, durably, that the store in a folder follows a writer.

    Raises
    ------
    StoreUnavailableError
        It cannot be written.
    """
    fresh = folder / f"{NAME}.new"
    try:
        with fresh.open("wb") as file:
            file.write(f"{writer}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / NAME)
        sync_folder(folder)
    except OSError as error:
        raise StoreUnavailableError(f"{folder / NAME} cannot be written: {error}") from error


def promote(folder: Path) -> None:
    """Make a replica's store one that takes changes of its own; nothing is done to another.

    Raises
    ------
    StoreUnavailableError
        The mark cannot be taken away.
    """
    try:
        (folder / NAME).unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise StoreUnavailableError(f"{folder / NAME} cannot be removed: {error}") from error
