from __future__ import annotations

import contextlib
import json
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graph.errors import (
    BadValueError,
    ShapeViolationError,
    StoreUnavailableError,
    Violation,
)
from web import control
from web.control import (
    Command,
    ControlServer,
    Kind,
    Piece,
    RemoteFailure,
    Runner,
    ask_server,
)

VIOLATION = Violation("<https://e.org/a>", None, None, "minCount", "Violation", "a name is missing")


def run(command: Command) -> Iterator[Piece]:
    """A runner with an answer of each kind."""
    match command.name:
        case "echo":
            yield Piece.out(json.dumps(dict(command.arguments)).encode())
            yield Piece.say("done: é")
        case "large":
            for _ in range(5):
                yield Piece.out(b"x" * 1_000_000)
            yield Piece.out(b"")
        case "refused":
            yield Piece.say("looking")
            raise ShapeViolationError((VIOLATION,))
        case "bug":
            raise KeyError("secret")
        case "slow":
            yield Piece.say("begun")
            time.sleep(2)
            yield Piece.say("ended")
        case _:
            raise BadValueError("command", command.name, "one")


Start = Callable[..., ControlServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[ControlServer] = []

    def make(folder: Path = tmp_path, runner: Runner = run) -> ControlServer:
        running.append(ControlServer(folder, runner))
        return running[-1]

    yield make
    for server in running:
        server.close(1)


def ask(folder: Path, name: str, **arguments: object) -> list[Piece]:
    pieces = ask_server(folder, Command(name, arguments))
    assert pieces is not None
    return list(pieces)


def test_a_command_is_answered_piece_by_piece(start: Start, tmp_path: Path) -> None:
    start()
    pieces = ask(tmp_path, "echo", files=["/a b/é"], dry_run=True)
    assert [piece.kind for piece in pieces] == [Kind.OUT, Kind.SAY]
    assert json.loads(pieces[0].content) == {"files": ["/a b/é"], "dry_run": True}
    assert pieces[1].content.decode() == "done: é"


def test_a_large_answer_comes_whole(start: Start, tmp_path: Path) -> None:
    start()
    assert sum(len(piece.content) for piece in ask(tmp_path, "large")) == 5_000_000


def test_an_error_keeps_its_fields_and_its_exit_code(start: Start, tmp_path: Path) -> None:
    start()
    pieces = ask_server(tmp_path, Command("refused", {}))
    assert pieces is not None
    assert next(pieces).content == b"looking"
    with pytest.raises(RemoteFailure) as caught:
        next(pieces)
    assert caught.value.exit_code == 4
    assert caught.value.problem["code"] == "SHAPE_VIOLATION"
    assert caught.value.problem["violations"][0]["message"] == "a name is missing"
    assert "a name is missing" in str(caught.value)


def test_an_unknown_command_is_refused(start: Start, tmp_path: Path) -> None:
    start()
    with pytest.raises(RemoteFailure) as caught:
        ask(tmp_path, "destroy")
    assert caught.value.exit_code == 2


def test_a_bug_is_told_without_details_and_logged(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start()
    with pytest.raises(RemoteFailure) as caught:
        ask(tmp_path, "bug")
    assert caught.value.exit_code == 1
    assert "secret" not in str(caught.value.problem)
    assert any(record.exc_info for record in caplog.records)


def test_without_a_server_there_is_no_answer(tmp_path: Path) -> None:
    assert ask_server(tmp_path, Command("echo", {})) is None
    assert ask_server(tmp_path / "absent", Command("echo", {})) is None


def test_a_socket_left_behind_is_no_server_and_is_replaced(start: Start, tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / control.NAME))
    left.close()
    assert ask_server(tmp_path, Command("echo", {})) is None
    start()
    assert ask(tmp_path, "echo")


def test_only_the_owner_may_open_the_socket(start: Start, tmp_path: Path) -> None:
    start()
    mode = (tmp_path / control.NAME).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_another_user_is_not_heard(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    monkeypatch.setattr(control, "_is_trusted", lambda connection: False)
    with pytest.raises(StoreUnavailableError):
        ask(tmp_path, "echo")


def test_the_peer_is_asked_for_its_user() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert control._is_trusted(ours)


def test_a_deep_folder_is_no_hindrance(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    start(folder)
    assert ask(folder, "echo")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">cI", b"o", 1 << 30),
        struct.pack(">cI", b"?", 1),
        struct.pack(">cI", b"o", 4) + b"null",
        struct.pack(">cI", b"o", 9) + b'{"name":1',
        struct.pack(">cI", b"o", 100) + b"{",
    ],
)
def test_nonsense_hurts_nobody(start: Start, tmp_path: Path, text: bytes) -> None:
    start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(tmp_path / control.NAME))
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):  # it did not read all of it
            while connection.recv(1000):
                pass
    assert ask(tmp_path, "echo")


def test_a_client_that_asks_nothing_is_dropped(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_REQUEST_DEADLINE_S", 0.1)
    start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(tmp_path / control.NAME))
        assert connection.recv(100) == b""


def test_a_client_that_leaves_does_not_stop_the_server(start: Start, tmp_path: Path) -> None:
    start()
    pieces = ask_server(tmp_path, Command("large", {}))
    assert pieces is not None
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert ask(tmp_path, "echo")


def test_a_server_that_dies_in_the_middle_is_told(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / control.NAME))
        listener.listen()
        pieces = ask_server(tmp_path, Command("echo", {}))
        connection, _ = listener.accept()
        connection.close()
        assert pieces is not None
        with pytest.raises(StoreUnavailableError, match="in the middle"):
            list(pieces)


def test_commands_run_side_by_side(start: Start, tmp_path: Path) -> None:
    start()
    slow = ask_server(tmp_path, Command("slow", {}))
    assert slow is not None
    next(slow)
    started = time.monotonic()
    ask(tmp_path, "echo")
    assert time.monotonic() - started < 1.5
    assert [piece.content for piece in slow] == [b"ended"]


def test_closing_waits_for_a_running_command_and_removes_the_socket(
    start: Start, tmp_path: Path
) -> None:
    server = start()
    slow = ask_server(tmp_path, Command("slow", {}))
    assert slow is not None
    next(slow)
    closing = threading.Thread(target=server.close, args=(5,))
    closing.start()
    assert [piece.content for piece in slow] == [b"ended"]
    closing.join(10)
    assert not closing.is_alive()
    assert not (tmp_path / control.NAME).exists()
    assert ask_server(tmp_path, Command("echo", {})) is None


def test_closing_gives_up_on_a_command_that_takes_too_long(tmp_path: Path) -> None:
    server = ControlServer(tmp_path, run)
    slow = ask_server(tmp_path, Command("slow", {}))
    assert slow is not None
    next(slow)
    started = time.monotonic()
    server.close(0.1)
    assert time.monotonic() - started < 1.5
    list(slow)


def test_a_folder_that_may_not_be_entered_is_told(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(StoreUnavailableError, match="Permission denied"):
        ask_server(tmp_path, Command("echo", {}))


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return  # cannot be counted on this system
    before = len(list(folder.iterdir()))
    for _ in range(5):
        server = ControlServer(tmp_path, run)
        ask(tmp_path, "echo")
        server.close(1)
    assert len(list(folder.iterdir())) <= before + 1
