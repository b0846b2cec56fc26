"""Where a command's output goes: standard output, a file, or what stands at the file's place.

Floor 5. A new or a regular file appears whole or not at all: it is written beside its place and
then moved there. A pipe, a terminal or a device stays what it is and is written to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from graph.errors import BadValueError, RhizomeError, StoreFullError, StoreUnavailableError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OPTION: Final = "--out"


class Output:
    """A file that is being written; what goes wrong with it becomes one of our errors.

    `translate` writes the error of a failed write.
    """

    def __init__(self, file: BinaryIO, translate: Callable[[OSError], RhizomeError]) -> None:
        self._file = file
        self._translate = translate

    def write(self, content: bytes) -> None:
        """Write a piece.

        Raises
        ------
        StoreFullError, StoreUnavailableError
            It cannot be written.
        BrokenPipeError
            The reader has enough.
        """
        with self._translated():
            self._file.write(content)

    def finish(self, *, to_disk: bool = False) -> None:
        """Hand on what is buffered, `to_disk` down to the disk; raises as `write` does."""
        with self._translated():
            self._file.flush()
            if to_disk:  # some file systems say only now that they are full
                os.fsync(self._file.fileno())

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._translate(error) from error


@contextlib.contextmanager
def open_output(out: Path | None) -> Iterator[Output]:
    """Open the place for a command's output: standard output, or what `--out` names.

    Symbolic links are followed. A new file gets the mode that the umask leaves, and one that is
    written anew keeps its own.

    Raises
    ------
    BadValueError
        What `--out` names cannot be written to.
    StoreFullError, StoreUnavailableError
        Writing failed; a regular file is then as it was before.
    """
    if out is None:
        with _standard_output() as output:
            yield output
        return
    with _told(out):
        found = _look(out)
    if found is None or stat.S_ISREG(found.st_mode):
        with _fresh_file(out, found) as output:
            yield output
    elif stat.S_ISDIR(found.st_mode):
        raise BadValueError(OPTION, str(out), "a file to write (it is a folder)")
    else:
        with _file_in_place(out) as output:
            yield output


@contextlib.contextmanager
def _standard_output() -> Iterator[Output]:
    file = sys.stdout.buffer

    def translate(error: OSError) -> RhizomeError:
        # What is buffered goes nowhere, or it would be tried again at the interpreter's end.
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a name of the system's
            os.dup2(nowhere.fileno(), file.fileno())
        return _incomplete("standard output", error)

    output = Output(file, translate)
    yield output
    output.finish()


@contextlib.contextmanager
def _file_in_place(out: Path) -> Iterator[Output]:
    """Write to a pipe or a device; it is neither replaced nor cut."""
    with _told(out):
        descriptor = os.open(out, os.O_WRONLY | os.O_NOCTTY)
    file = os.fdopen(descriptor, "wb")
    output = Output(file, lambda error: _incomplete(str(out), error))
    try:
        yield output
        output.finish()
    finally:
        with contextlib.suppress(OSError):  # told before; what is buffered is given up
            file.close()


@contextlib.contextmanager
def _fresh_file(out: Path, old: os.stat_result | None) -> Iterator[Output]:
    """Write beside the place and move there at the end; leave nothing when it fails."""
    with _told(out):
        target = out.resolve()
        fresh = target.with_name(f".rhizome-{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(fresh, flags, 0o666 if old is None else 0o600)
    file = os.fdopen(descriptor, "wb")
    output = Output(file, lambda error: _not_written(out, error))
    try:
        yield output
        output.finish(to_disk=True)
        file.close()
        with _told(out):
            if old is not None:
                fresh.chmod(stat.S_IMODE(old.st_mode))
            fresh.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        fresh.unlink(missing_ok=True)
        raise


def _look(out: Path) -> os.stat_result | None:
    """What stands at a path, links followed; None where nothing does."""
    try:
        return out.stat()
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _told(out: Path) -> Iterator[None]:
    """Say what is wrong with a place as a wrong value of the option."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL in the name
        if getattr(error, "errno", None) in _FULL:
            raise StoreFullError(str(out)) from error
        reason = getattr(error, "strerror", None) or str(error)
        raise BadValueError(OPTION, str(out), f"a file to write ({reason})") from error


def _not_written(out: Path, error: OSError) -> RhizomeError:
    if error.errno in _FULL:
        return StoreFullError(str(out))
    return StoreUnavailableError(f"{out} cannot be written ({error.strerror}); it is as before")


def _incomplete(place: str, error: OSError) -> RhizomeError:
    return StoreUnavailableError(f"{place}: {error.strerror}; what was written is incomplete")
