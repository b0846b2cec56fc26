"""The lock of a store: one writer process, and a clear word to the second.

Floor 1. An advisory lock on `lock` in the store's folder, held as long as the process lives, so
that a killed process leaves none behind. The file says who holds it, for people and for commands
that want to reach the running server.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from graph.errors import StoreError, StoreFullError, StoreUnavailableError

_TRIES: Final = 5
_PAUSE_S: Final = 0.02
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a store: process id, command, and the address that it answers at, if any."""

    pid: int
    command: str
    address: str = ""


class StoreLock:
    """The lock of one store folder, taken on creation and released by `close`.

    Raises
    ------
    StoreUnavailableError
        Another process (or this one, a second time) holds it; the message names it and says
        what to do. Or the folder cannot be made or written.
    StoreFullError
        There is no room to write the lock.
    """

    def __init__(self, folder: Path, command: str, address: str = "") -> None:
        self.path = folder / "lock"
        self._command = command
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _translate(folder, error) from error
        try:
            self._take(folder)
            self.describe(address)
        except BaseException:
            os.close(self._file)
            self._file = -1
            raise

    def describe(self, address: str) -> None:
        """Say at what address this process answers, once it is known.

        Raises
        ------
        StoreFullError, StoreUnavailableError
            It cannot be written.
        """
        holder = Holder(os.getpid(), self._command, address)
        text = json.dumps(asdict(holder)).encode() + b"\n"
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text, 0)
        except OSError as error:
            raise _translate(self.path.parent, error) from error

    def _take(self, folder: Path) -> None:
        try:
            is_taken = _try_lock(self._file)
        except OSError as error:  # a file system without locks
            raise _translate(folder, error) from error
        if not is_taken:
            raise StoreUnavailableError(_refusal(folder, _read(self.path)))

    def close(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._file >= 0:
            with contextlib.suppress(OSError):  # what it says is of no account without the lock
                os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> StoreLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_holder(folder: Path) -> Holder | None:
    """Return who holds the store now, or None when nobody does.

    Raises
    ------
    StoreUnavailableError
        That cannot be told: the folder is a file, or may not be read.
    """
    try:
        file = os.open(folder / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _translate(folder, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(folder / "lock") or Holder(0, "another process")
    except OSError as error:
        raise _translate(folder, error) from error
    else:
        return None
    finally:
        os.close(file)


def _try_lock(file: int) -> bool:
    """Take the lock; a look by `read_holder` may be in the way for a moment."""
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(_PAUSE_S)
        else:
            return True
    return False


def _read(path: Path) -> Holder | None:
    try:
        fields = json.loads(path.read_bytes())
        return Holder(int(fields["pid"]), str(fields["command"]), str(fields["address"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _translate(folder: Path, error: OSError) -> StoreError:
    if error.errno in _FULL:
        return StoreFullError(str(folder))
    return StoreUnavailableError(f"the store {folder} cannot be used: {error.strerror or error}")


def _refusal(folder: Path, holder: Holder | None) -> str:
    if holder is None:
        who = "another process"
    else:
        at = f" at {holder.address}" if holder.address else ""
        who = f"process {holder.pid} ({holder.command}{at})"
    return (
        f"the store {folder} is in use by {who}: stop it first, "
        "send your command to it, or name another folder with --store"
    )
