"""The control socket: commands given while the server runs go to it.

Floor 5. A Unix socket of mode 0600 in the store's folder; who may open it may command. One frame
asks (a command as JSON), frames answer: output, remarks, and at the end `done` or an error with
its exit code. A thread a connection, since commands are rare and block.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from graph.errors import BadValueError, RhizomeError, StoreUnavailableError
from web.problems import describe_error

NAME: Final = "control"
_HEAD: Final = struct.Struct(">cI")
_REQUEST_BYTES: Final = 1024 * 1024
_PIECE_BYTES: Final = 256 * 1024
_REQUEST_DEADLINE_S: Final = 10.0

_logger = logging.getLogger("rhizome.control")


class Kind(Enum):
    """What a frame of an answer holds."""

    OUT = b"o"  # bytes for standard output
    SAY = b"s"  # a sentence for standard error
    ERROR = b"e"  # why the command failed; the last frame
    DONE = b"d"  # nothing; the last frame


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its arguments, values that JSON can hold."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a command's answer: `OUT` or `SAY`."""

    kind: Kind
    content: bytes

    @classmethod
    def say(cls, text: str) -> Piece:
        """Return a sentence for standard error."""
        return cls(Kind.SAY, text.encode())

    @classmethod
    def out(cls, content: bytes) -> Piece:
        """Return bytes for standard output."""
        return cls(Kind.OUT, content)


class RemoteFailure(Exception):
    """A command that failed in the server, with all that the command line shows of it.

    `problem` is the problem object, `exit_code` that of the error's class.
    """

    def __init__(self, problem: dict[str, Any], exit_code: int) -> None:
        super().__init__(str(problem.get("detail", "the server failed")))
        self.problem = problem
        self.exit_code = exit_code


#: Runs a command and yields its answer; raises what went wrong.
Runner = Callable[[Command], Iterator[Piece]]


class ControlServer:
    """Listens in a store's folder and runs the commands that come."""

    def __init__(self, folder: Path, run: Runner) -> None:
        self._run = run
        self._path = folder / NAME
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._threads: set[threading.Thread] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # One that a killed server left behind; the store's lock says that it is not in use.
        self._path.unlink(missing_ok=True)
        self._socket.bind(_address(self._folder, self._path))
        self._path.chmod(0o600)  # before it listens: until then nobody can connect
        self._socket.listen(8)
        self._accepting = threading.Thread(target=self._accept, name="control", daemon=True)
        self._accepting.start()

    def close(self, timeout_s: float) -> None:
        """Stop listening, and give running commands some time to end; a second call is idle."""
        if self._folder < 0:
            return
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self._socket.close()
        deadline = time.monotonic() + timeout_s
        for thread in [self._accepting, *self._threads]:
            thread.join(max(0.0, deadline - time.monotonic()))
        os.close(self._folder)
        self._folder = -1

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                if not _is_trusted(connection):
                    return
                connection.settimeout(_REQUEST_DEADLINE_S)
                command = _read_command(connection)
                connection.settimeout(None)
                _logger.info("command", extra={"fields": {"name": command.name}})
                self._answer(connection, command)
            except RhizomeError as error:
                _send_error(connection, error)
            except (OSError, EOFError):
                pass  # the client left; what it asked for is done or was never asked
            finally:
                self._threads.discard(threading.current_thread())

    def _answer(self, connection: socket.socket, command: Command) -> None:
        try:
            for piece in self._run(command):
                for start in range(0, len(piece.content), _PIECE_BYTES) or (0,):
                    _send(connection, piece.kind, piece.content[start : start + _PIECE_BYTES])
            _send(connection, Kind.DONE, b"")
        except (RhizomeError, OSError):
            raise
        except Exception:
            _logger.exception("bug in a command", extra={"fields": {"name": command.name}})
            problem = {"code": "INTERNAL", "detail": "the server failed; its log says why"}
            _send(connection, Kind.ERROR, json.dumps([problem, 1]).encode())


def ask_server(folder: Path, command: Command) -> Iterator[Piece] | None:
    """Return the answer of the server that runs on a store, or None when none listens there.

    Raises
    ------
    StoreUnavailableError
        The server ended before its answer did, or the socket belongs to someone else.
    RemoteFailure
        While the answer is read: the command failed.
    """
    connection = _connect(folder)
    if connection is None:
        return None
    arguments = {"name": command.name, "arguments": dict(command.arguments)}
    try:
        connection.sendall(_frame(Kind.OUT, json.dumps(arguments).encode()))
    except OSError as error:
        connection.close()
        raise StoreUnavailableError(f"the server does not answer: {error}") from error
    return _read_answer(connection)


def _connect(folder: Path) -> socket.socket | None:
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(_address(directory, folder / NAME))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise StoreUnavailableError(
            f"a server runs on {folder}, but its control socket cannot be used: {error.strerror}"
        ) from error
    finally:
        os.close(directory)
    return connection


def _read_answer(connection: socket.socket) -> Iterator[Piece]:
    with connection:
        while True:
            try:
                kind, content = _receive(connection)
            except (OSError, EOFError) as error:
                raise StoreUnavailableError(
                    "the server ended in the middle of the command; look at its log, "
                    "then see with `check` what was done"
                ) from error
            if kind is Kind.DONE:
                return
            if kind is Kind.ERROR:
                problem, exit_code = json.loads(content)
                raise RemoteFailure(problem, exit_code)
            yield Piece(kind, content)


def _read_command(connection: socket.socket) -> Command:
    _, content = _receive(connection, _REQUEST_BYTES)
    try:
        fields = json.loads(content)
        return Command(str(fields["name"]), dict(fields["arguments"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadValueError("command", repr(content[:80]), "a command") from error


def _receive(connection: socket.socket, most: int = 1 << 31) -> tuple[Kind, bytes]:
    mark, length = _HEAD.unpack(_receive_exactly(connection, _HEAD.size))
    try:
        kind = Kind(mark)
    except ValueError:
        raise EOFError("no frame") from None
    if length > most:
        raise BadValueError("command", f"{length} bytes", f"at most {most} bytes")
    return kind, _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        piece = connection.recv(min(length - len(content), 1 << 20))
        if not piece:
            raise EOFError("the connection ended")
        content += piece
    return bytes(content)


def _frame(kind: Kind, content: bytes) -> bytes:
    return _HEAD.pack(kind.value, len(content)) + content


def _send(connection: socket.socket, kind: Kind, content: bytes) -> None:
    connection.sendall(_frame(kind, content))


def _send_error(connection: socket.socket, error: RhizomeError) -> None:
    content = json.dumps([describe_error(error), error.exit_code], default=_plain).encode()
    with contextlib.suppress(OSError):
        _send(connection, Kind.ERROR, content)


def _plain(value: object) -> object:
    """What JSON can hold of a field: a violation as its fields, anything else as text."""
    slots = getattr(type(value), "__slots__", ())
    return {name: getattr(value, name) for name in slots} if slots else str(value)


def _is_trusted(connection: socket.socket) -> bool:
    """Whether the peer is this user or root: the mode of the socket, checked a second time."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:  # not on this system; the mode stands alone
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[1] in (0, os.geteuid())


def _address(directory: int, path: Path) -> str:
    """The socket's address through the open folder: a path may hold 108 bytes only."""
    short = f"/proc/self/fd/{directory}/{path.name}"
    return short if Path("/proc/self/fd").is_dir() else str(path)
