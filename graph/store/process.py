"""One worker process as the service sees it: started, asked, ended.

Floor 1. The same process is asked from the event loop (queries) or by a thread that may wait
(uploads, scans). What an answer or a death means to a caller is said in `outcome`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import orjson
import pyoxigraph

from graph.errors import StoreUnavailableError
from graph.store import frames
from graph.store.directory import Checkpoint
from graph.store.query import ANSWER_BYTES

Message = dict[str, Any]
Received = TypeVar("Received")

#: How long a worker may take to start, and to open a checkpoint, in seconds.
START_S: Final = 20.0
# The kernel's timer ends a worker; this is for one that the kernel is still taking apart.
_GRACE_S: Final = 0.05
_BUFFER: Final = 1024 * 1024
#: What an answer may hold: its bytes, and the message after them. More is never kept.
REPLY_BYTES: Final = ANSWER_BYTES + 256 * 1024
_ROOT: Final = Path(__file__).resolve().parents[2]
_ENGINE: Final = Path(pyoxigraph.__file__).resolve().parents[1]
# Without `site` and the environment a worker starts in half the time, and knows no secret.
_BOOT: Final = (
    "import sys; sys.path[:0] = sys.argv[2:]; "
    "from graph.store.worker_main import main; main(int(sys.argv[1]))"
)


class WorkerDiedError(Exception):
    """The process ended before it answered.

    `status` is its exit status, or minus the signal that ended it; `words` what it said last.
    """

    def __init__(self, status: int, words: str = "") -> None:
        super().__init__(f"worker ended with {status}: {words}")
        self.status = status
        self.words = words


class TooMuchSentError(WorkerDiedError):
    """The process was killed since it sent more than a whole answer may hold."""

    def __init__(self) -> None:
        super().__init__(-signal.SIGKILL, "it sent too much")


class Process:
    """A started worker process and our end of its socket.

    Raises
    ------
    StoreUnavailableError
        The system gives no more files, processes or room.
    """

    def __init__(self) -> None:
        try:
            with contextlib.ExitStack() as opened:
                self._start(opened)
                opened.pop_all()  # `wait` and the owner of the connection close them
        except OSError as error:
            detail = f"no worker process can be started: {error.strerror or error}"
            raise StoreUnavailableError(detail) from error

    def _start(self, opened: contextlib.ExitStack) -> None:
        self.connection, theirs = socket.socketpair()
        opened.enter_context(self.connection)
        with theirs:
            self._words: IO[bytes] = opened.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            command = [sys.executable, "-I", "-S", "-c", _BOOT, str(theirs.fileno())]
            self._popen = subprocess.Popen(
                [*command, str(_ROOT), str(_ENGINE)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
                env={"LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._popen.pid

    def kill(self) -> None:
        """End the process now, wherever it is."""
        self._popen.kill()

    def wait(self, timeout_s: float) -> WorkerDiedError:
        """Return how the process ended; it is killed when it has not after so many seconds."""
        try:
            status = self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            status = self._popen.wait()
        with self._words:
            self._words.seek(0)
            return WorkerDiedError(status, self._words.read(4096).decode("utf-8", "replace"))


class BlockingWorker:
    """A worker for one task, asked by a thread that may wait: uploads and scans."""

    def __init__(self, memory_mb: int, path: Path | None = None) -> None:
        self._process = Process()
        self._died: WorkerDiedError | None = None
        try:
            self.started = self.ask(start_message(memory_mb, path), START_S)
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> BlockingWorker:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def ask(self, message: Message, timeout_s: float) -> Message:
        """Return the answer to a message that brings no data."""
        *_, answer = self.stream(message, timeout_s)
        assert isinstance(answer, dict)
        return answer

    def stream(
        self, message: Message, timeout_s: float, data: bytes = b""
    ) -> Iterator[bytes | Message]:
        """Yield the pieces of data as they come, then the answer.

        Raises
        ------
        WorkerDiedError
            It ended, or was killed since it sent nothing for `timeout_s` seconds.
        """
        connection = self._process.connection
        connection.settimeout(timeout_s + _GRACE_S)
        try:
            for frame in (*frames.pack_data(data), frames.pack_message(message)):
                connection.sendall(frame)
            while (received := frames.read_frame(connection)) is not None:
                kind, body = received
                if kind == frames.MESSAGE:
                    yield json.loads(body)
                    return
                yield body
        except TimeoutError as error:
            self._process.kill()
            raise WorkerDiedError(-signal.SIGALRM) from error
        except OSError as error:
            raise self.end(1.0) from error
        raise self.end(1.0)

    def kill(self) -> None:
        """End the process now, from any thread; who waits for its answer is told that it died."""
        self._process.kill()

    def end(self, timeout_s: float = 0.0) -> WorkerDiedError:
        """Close the socket, see the process end, and return how it did."""
        if self._died is None:
            self._process.connection.close()
            self._died = self._process.wait(timeout_s)
        return self._died


class AsyncWorker:
    """A worker that the event loop asks, one message at a time.

    `path` and `revision` are those of the checkpoint that it serves, `is_held` tells whether it
    holds it in memory; `missing` says what of the sandbox this system does not have.
    """

    def __init__(
        self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.path: Path | None = None
        self.revision = -1
        self.is_held = False
        self.missing: str | None = None
        self._process = process
        self._reader = reader
        self._writer = writer
        self._died: WorkerDiedError | None = None

    @classmethod
    async def connect(cls) -> AsyncWorker:
        """Return a worker whose process is starting; `ask` it to start."""
        process = Process()
        try:
            process.connection.setblocking(False)
            connected = await asyncio.open_unix_connection(sock=process.connection, limit=_BUFFER)
        except BaseException:
            process.connection.close()
            process.wait(0.0)
            raise
        return cls(process, *connected)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    async def ask(
        self, message: Message, timeout_s: float, data: bytes = b""
    ) -> tuple[Message, bytes]:
        """Return the answer and the data before it.

        Raises
        ------
        WorkerDiedError
            It ended, or was killed since it did not answer in time or sent more than
            `REPLY_BYTES`; it is of no use any more.
        """
        self._put(message, data)
        return await self._bounded(self._receive(), timeout_s)

    async def begin(
        self, message: Message, timeout_s: float, data: bytes = b""
    ) -> tuple[Message, bytes, bool]:
        """Return the answer, the data before it, and whether its parts are still to come.

        They are then read by `piece`; until then the message only announces them.

        Raises
        ------
        WorkerDiedError
            As `ask` does.
        """
        self._put(message, data)
        return await self._bounded(self._receive_first(), timeout_s)

    async def piece(self, timeout_s: float) -> bytes | Message:
        """Return the next part of an answer, or the message after the last.

        Raises
        ------
        WorkerDiedError
            As `ask` does.
        """
        return await self._bounded(self._receive_piece(), timeout_s)

    def kill(self) -> None:
        """End the process now; who waits for its answer is told that it died."""
        self._process.kill()

    def _put(self, message: Message, data: bytes) -> None:
        packed = orjson.dumps(message)
        head = frames.HEAD.pack(frames.MESSAGE, len(packed))
        self._writer.write(b"".join((*frames.pack_data(data), head, packed)))

    async def _bounded(
        self, receiving: Coroutine[Any, Any, Received], timeout_s: float
    ) -> Received:
        """Return what is received in time, else kill the process."""
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                return await receiving
        except TimeoutError:
            self._process.kill()
            raise WorkerDiedError(-signal.SIGALRM) from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self.end(1.0) from error
        except BaseException:  # cancelled: nobody waits for the answer any more
            self._process.kill()
            raise

    async def end(self, timeout_s: float = 0.0) -> WorkerDiedError:
        """Close the socket, see the process end, and return how it did."""
        if self._died is None:
            self._died = WorkerDiedError(0)
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
            self._died = await asyncio.to_thread(self._process.wait, timeout_s)
        return self._died

    async def _receive(self) -> tuple[Message, bytes]:
        message, data, _ = await self._receive_first()
        return message, data

    async def _receive_first(self) -> tuple[Message, bytes, bool]:
        pieces: list[bytes] = []
        left = REPLY_BYTES
        while True:
            kind, size = frames.HEAD.unpack(await self._reader.readexactly(frames.HEAD.size))
            left -= size
            if left < 0:
                raise TooMuchSentError
            body = await self._reader.readexactly(size)
            if kind != frames.DATA:
                return orjson.loads(body), b"".join(pieces), kind == frames.BEGIN
            pieces.append(body)

    async def _receive_piece(self) -> bytes | Message:
        kind, size = frames.HEAD.unpack(await self._reader.readexactly(frames.HEAD.size))
        if size > REPLY_BYTES:
            raise TooMuchSentError
        body = await self._reader.readexactly(size)
        if kind == frames.DATA:
            return body
        message: Message = json.loads(body)
        return message


def start_message(memory_mb: int, checkpoint: Checkpoint | Path | None) -> Message:
    """Return the first message to a worker: what it may use, and the checkpoint to serve."""
    message = {"path": None} if checkpoint is None else open_message(checkpoint)
    return {**message, "do": "start", "memory_mb": memory_mb}


def open_message(checkpoint: Checkpoint | Path) -> Message:
    """Return the message that lets a worker serve another checkpoint."""
    if isinstance(checkpoint, Path):
        return {"do": "open", "path": str(checkpoint)}
    message: Message = {"do": "open", "path": str(checkpoint.path)}
    return message if checkpoint.is_stamped else {**message, "revision": checkpoint.revision}
