"""A replica and what it may be answered: a fake writer answers all that no writer should."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graph.errors import SettingError, StoreUnavailableError
from graph.settings import Settings
from graph.store.dataset import Dataset
from graph.store.role import mark_replica
from tests.replicas import files, forge, open_copy, quads, sent, take, write_history
from web.following import Following, State
from web.log import JsonFormatter
from web.opening import settle_role
from web.upstream import Upstream, is_open_to_others

TOKEN = "rhz_AAAAAAAA_" + "0" * 50
LOG = "application/vnd.rhizome.log"


class FakeWriter:
    """Answers each request with the next bytes that it is given, and remembers the requests."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.requests: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # who refuses an answer hangs up
            while (head := _read_head(connection)) and self.answers:
                self.requests.append(head)
                answer = self.answers.pop(0)
                if not answer:
                    time.sleep(1)  # says nothing for longer than it is waited for
                connection.sendall(answer)
                if not answer.startswith(b"HTTP/1.1 200") or b"\r\nX-Short" in answer:
                    return

    def close(self) -> None:
        self._socket.close()


def _read_head(connection: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            return ""
        head += data
    return head.decode()


def reply(
    body: bytes, status: str = "200 OK", kind: str = LOG, revision: str = "4", *more: str
) -> bytes:
    """An answer of a known length."""
    lines = [
        f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}",
        f"Rhizome-Revision: {revision}", *more,
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(body: bytes, *, is_whole: bool = True) -> bytes:
    """An answer in chunks of a few bytes, or one that breaks off."""
    head = reply(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    pieces = [body[start : start + 700] for start in range(0, len(body), 700)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return (
        head + chunks + b"0\r\n\r\n"
        if is_whole
        else head.replace(b"\r\n\r\n", b"\r\nX-Short: 1\r\n\r\n") + chunks
    )


@pytest.fixture
def fake() -> Iterator[FakeWriter]:
    fake = FakeWriter()
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    writer = write_history(tmp_path_factory.mktemp("writer") / "store")
    yield writer
    writer.close()


@contextlib.contextmanager
def following(fake: str, folder: Path, **changes: Any) -> Iterator[tuple[Following, Dataset]]:
    """A replica of a writer at an address, not started."""
    token = folder / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    copy = open_copy(folder / "copy")
    settings = Settings(store=folder / "copy", follow=fake, follow_token_file=str(token), **changes)
    made = Following(settings, copy, Upstream(settings))
    yield made, copy
    made.close()
    copy.close()


Answer = Callable[[Dataset], bytes]


@pytest.mark.parametrize("encode", [reply, chunked])
def test_it_copies_then_waits_on_the_same_connection(
    fake: FakeWriter, writer: Dataset, tmp_path: Path, encode: Callable[[bytes], bytes]
) -> None:
    with following(fake.address, tmp_path) as (replica, copy):
        fake.answers = [encode(sent(writer.log)), encode(b"")]
        assert replica._step(0.0) <= 0.1
        standing = replica.standing()
        assert (standing.state, standing.behind, standing.problem) == (State.FOLLOWING, 0, None)
        assert files(copy.log.folder) == files(writer.log.folder)
        replica._step(7.5)
    first, second = fake.requests
    assert first.startswith(f"GET /changes?since=0&hash={'0' * 64}&wait=0&format=log HTTP/1.1\r\n")
    assert f"since=4&hash={writer.log.head}&wait=7.5&" in second
    assert f"Authorization: Bearer {TOKEN}" in first
    assert "Accept-Encoding: identity" in first


def test_it_goes_on_at_once_while_the_writer_has_more(
    fake: FakeWriter, writer: Dataset, tmp_path: Path
) -> None:
    with following(fake.address, tmp_path) as (replica, _):
        content = sent(writer.log)
        fake.answers = [reply(content[: -len(sent(writer.log, 3))])]
        assert replica._step(0.0) == 0.0
        standing = replica.standing()
        assert (standing.state, standing.behind) == (State.CATCHING_UP, 1)
        assert standing.write()["writerRevision"] == 4


BROKEN: dict[str, tuple[Answer, str]] = {
    "page": (lambda w: reply(b"<p>", kind="text/html"), "answers text/html instead of"),
    "redirect": (
        lambda w: reply(b"", "302 Found", LOG, "4", "Location: https://e/?token=x"),
        "a redirect, which is not followed",
    ),
    "token": (
        lambda w: reply(b'{"code":"UNAUTHENTICATED","detail":"a valid token"}', "401 No"),
        "answers 401: UNAUTHENTICATED, a valid token (make a token there",
    ),
    "scope": (lambda w: reply(b"", "403 No"), "answers 403: No (the token needs the scope"),
    "nowhere": (lambda w: reply(b"[]", "404 Not Found"), "there is no /changes"),
    "diverged": (
        lambda w: reply(b'{"code":"HISTORY_DIVERGED","detail":"other\\u001b[2J"}', "409 Conflict"),
        "HISTORY_DIVERGED, other [2J (empty this replica's folder",
    ),
    "packed": (
        lambda w: reply(b"", "200 OK", LOG, "4", "Content-Encoding: gzip"),
        "must pass bytes on as is",
    ),
    "unnumbered": (lambda w: reply(b"", revision="x"), "names no revision"),
    "cut chunks": (lambda w: chunked(sent(w.log, 2)[:900], is_whole=False), "breaks off"),
    "cut length": (lambda w: reply(sent(w.log, 2)[:900]), "breaks off"),
    "long line": (lambda w: reply(b"9" * 3_000_000), "its record is longer than 100000 bytes"),
    "wrong hash": (lambda w: reply(forge(w.log, quads("n", 1))), "holds revision 5"),
    "chain": (lambda w: reply(sent(w.log)), "holds revision 1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_taken_is_refused_and_leaves_the_copy_as_it_was(
    fake: FakeWriter,
    writer: Dataset,
    tmp_path: Path,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make, words = BROKEN[name]
    with following(fake.address, tmp_path, follow_record_bytes=100_000) as (replica, copy):
        content = sent(writer.log)
        take(copy, content[: -len(sent(writer.log, 2))])
        before = files(copy.log.folder), copy.snapshot
        fake.answers = [make(writer)] * 2
        with caplog.at_level(logging.INFO, "rhizome"):
            pauses = [replica._step(0.0) for _ in range(2)]
        standing = replica.standing()
        assert (standing.state, standing.current) == (State.REFUSED, None)
        assert words in (standing.problem or "")
        assert (files(copy.log.folder), copy.snapshot) == before
        assert 0.125 <= pauses[0] <= 0.25 <= pauses[1] <= 0.5
        said = "\n".join(map(JsonFormatter().format, caplog.records))
        assert said.count('"problem"') == 1  # said once
        assert "rhz_" not in said
        assert "token=x" not in said + str(standing)
        fake.answers = [reply(sent(writer.log, 2))]
        replica._step(0.0)
        assert replica.standing().state is State.FOLLOWING
        assert copy.log.head == writer.log.head


LOST: dict[str, tuple[bytes, str]] = {
    "busy": (reply(b"", "503 Busy", LOG, "4", "Retry-After: 7"), "answers 503: Busy"),
    "rates": (reply(b"", "429 Slow", LOG, "4", "Retry-After: x"), "answers 429"),
    "noise": (b"\x00\x01 no http \r\n\r\n", "does not speak HTTP"),
    "silence": (b"", "does not answer in time"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_writer_that_cannot_answer_now_is_lost_for_a_while(
    fake: FakeWriter, tmp_path: Path, name: str
) -> None:
    answer, words = LOST[name]
    changes = {"follow_deadline_s": 0.3, "follow_behind_s": 1e-9}
    with following(fake.address, tmp_path, **changes) as (replica, _):
        fake.answers = [answer] * 3
        pause = replica._step(0.0)
        standing = replica.standing()
        assert standing.state is State.LOST
        assert words in (standing.problem or "")
        assert pause == 7 if name == "busy" else pause <= 0.25
        assert replica.is_stale


def test_a_writer_that_nobody_serves_is_tried_ever_more_seldom(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with following(f"http://127.0.0.1:{port}", tmp_path, follow_pause_s=2.0) as (replica, _):
        pauses = [replica._step(0.0) for _ in range(40)]
        assert "refuses the connection" in (replica.standing().problem or "")
        assert not replica.is_stale  # nothing was said of that
    assert all(
        most / 2 <= pause <= most
        for pause, most in zip(pauses, [0.25, 0.5, 1.0, 2.0, *[2.0] * 36], strict=True)
    )
    assert len({round(pause, 6) for pause in pauses[4:]}) > 10  # not all at one moment


def test_a_kept_connection_that_ended_is_opened_again_unseen(
    fake: FakeWriter, writer: Dataset, tmp_path: Path
) -> None:
    with following(fake.address, tmp_path) as (replica, _):
        closing = chunked(sent(writer.log)).replace(b"\r\n\r\n", b"\r\nX-Short: 1\r\n\r\n", 1)
        fake.answers = [closing, reply(b"")]
        replica._step(0.0)
        replica._step(0.0)
        assert replica.standing().state is State.FOLLOWING
        assert len(fake.requests) == 2


def test_an_empty_replica_copies_all_before_it_answers(
    fake: FakeWriter, writer: Dataset, tmp_path: Path
) -> None:
    with following(fake.address, tmp_path) as (replica, copy):
        content, told = sent(writer.log), list[str]()
        fake.answers = [
            reply(b"", "503 Starting"),
            reply(content[: -len(sent(writer.log, 1))]),
            reply(sent(writer.log, 1)),
        ]
        replica.copy_all(told.append, lambda: False)
        assert copy.log.revision == 4
        assert "answers 503" in told[0]
        assert told[1:] == [f"copying the writer's log, revision {n} of 4" for n in (1, 4)]
        replica._state = State.LOST
        with pytest.raises(StoreUnavailableError, match="stops"):
            replica.copy_all(told.append, lambda: True)


def test_it_stops_while_it_waits(fake: FakeWriter, writer: Dataset, tmp_path: Path) -> None:
    with following(fake.address, tmp_path) as (replica, _):
        fake.answers = [reply(sent(writer.log))]
        replica.start()
        while not fake.requests:
            time.sleep(0.01)
        replica.close()
        assert replica._thread is not None
        assert not replica._thread.is_alive()


@pytest.mark.parametrize(
    "url",
    [
        "writer", "ftp://writer", "http://", "http://u:secret@writer", "http://writer/?token=secret",
        "http://writer/#secret", "http://wri ter", "http://writer:99999", "http://writer:x",
        "http://secret@writer",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_followed_is_refused_and_not_repeated(
    url: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    settings = Settings(store=tmp_path, follow=url, follow_token_file=str(tmp_path / "token"))
    with pytest.raises(SettingError) as caught:
        Upstream(settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "secret", f"{TOKEN} {TOKEN}", "\u00e9"])
def test_a_file_without_a_token_is_refused_and_not_repeated(
    content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    settings = Settings(store=tmp_path, follow="http://writer", follow_token_file=str(path))
    with pytest.raises(SettingError, match="token") as caught:
        Upstream(settings)
    assert content in (None, "") or "secret" not in str(caught.value)


def test_who_could_learn_the_token_is_known(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    for url, is_open in (
        ("http://127.0.0.1:1", False),
        ("http://localhost", False),
        ("https://writer", False),
        ("http://writer/base", True),
    ):
        settings = Settings(store=tmp_path, follow=url, follow_token_file=str(path))
        assert Upstream(settings).is_open_to_eavesdroppers is is_open
    path.chmod(0o644)
    assert is_open_to_others(path)
    path.chmod(0o600)
    assert not is_open_to_others(path)


def test_a_store_is_served_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    alone = Settings(store=tmp_path)
    following = replace(alone, follow="http://writer", follow_token_file=str(path))
    settle_role(alone, promotes=False)
    settle_role(following, promotes=False)
    mark_replica(tmp_path, "http://writer")
    with pytest.raises(SettingError, match="a read replica of http://writer"):
        settle_role(alone, promotes=False)
    with pytest.raises(SettingError, match="--promote"):
        settle_role(following, promotes=True)
    settle_role(alone, promotes=True)
    settle_role(alone, promotes=False)
