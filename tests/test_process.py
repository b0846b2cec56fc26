"""Worker processes that cannot be started, or send more than they may."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from graph.errors import QueryTooLargeError, StoreUnavailableError
from graph.settings import Settings
from graph.store import frames, process
from graph.store.outcome import explain_query_death
from graph.store.process import AsyncWorker, Process, TooMuchSentError
from graph.store.reading import parse_rdf

DATA = b"<http://e/a> <http://e/b> 1 ."


def fail(*_: object, **__: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize(
    ("module", "name"),
    [(socket, "socketpair"), (tempfile, "TemporaryFile"), (subprocess, "Popen")],
)
def test_want_of_files_is_said_and_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> None:
    opened = Path("/proc/self/fd")
    before = len(list(opened.iterdir())) if opened.exists() else None

    async def connect() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fail)
            with pytest.raises(StoreUnavailableError, match="Too many open files"):
                await AsyncWorker.connect()

    asyncio.run(connect())
    with monkeypatch.context() as patch:
        patch.setattr(module, name, fail)
        with pytest.raises(StoreUnavailableError, match="Too many open files"):
            list(parse_rdf(DATA, "turtle", None, Settings()))
    if before is not None:
        assert len(list(opened.iterdir())) == before
    assert len(list(parse_rdf(DATA, "turtle", None, Settings()))) == 1


FEW_FILES = textwrap.dedent(
    """
    import os, resource
    from graph.errors import StoreUnavailableError
    from graph.settings import Settings
    from graph.store.reading import parse_rdf
    data = b"<http://e/a> <http://e/b> 1 ."
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    answers = []
    while taken:
        try:
            answers.append(len(list(parse_rdf(data, "turtle", None, Settings()))))
            break
        except StoreUnavailableError:
            answers.append("unavailable")
            os.close(taken.pop())
    assert answers[-1] == 1 and len(answers) > 3, answers
    """
)


def test_a_process_without_files_left_recovers_when_some_are_free() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FEW_FILES],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_more_than_an_answer_may_hold_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "REPLY_BYTES", 1_000)

    async def main() -> None:
        worker = await AsyncWorker.connect()
        try:
            await worker.ask(process.start_message(64, None), process.START_S)
            message = {"do": "parse", "format": "turtle", "base": None}
            limits = {"seconds": 10, "levels_max": 10}
            with pytest.raises(TooMuchSentError) as caught:
                await worker.ask({**message, **limits}, 10, DATA * 1_000)
            error = explain_query_death(caught.value, 1.0, 64)
            assert isinstance(error, QueryTooLargeError)
            assert "bytes" in error.limit
        finally:
            await worker.end(1.0)

    asyncio.run(main())


def test_a_frame_that_claims_too_much_is_not_waited_for() -> None:
    async def main() -> None:
        started = Process()
        reader = asyncio.StreamReader()
        reader.feed_data(frames.HEAD.pack(frames.DATA, 2**32 - 1) + b"x")
        _, writer = await asyncio.open_unix_connection(sock=started.connection)
        worker = AsyncWorker(started, reader, writer)
        with pytest.raises(TooMuchSentError):
            await worker.ask({"do": "nothing"}, 10)
        assert (await worker.end(5.0)).status == -9

    asyncio.run(main())
