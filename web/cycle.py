"""One request and its answer on a connection, sent with as few writes as it can be.

Floor 5. Beside `web/protocol.py`, whose connections make these in place of uvicorn's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from web.frame import RawHeaders
from web.parts import BrokenOffError

if TYPE_CHECKING:
    from uvicorn._types import (
        ASGI3Application,
        ASGISendEvent,
        HTTPResponseBodyEvent,
        HTTPResponseStartEvent,
    )

    from web.answers import Answered

#: Longer bodies are handed over beside their heads: copying them would cost more.
_COPIED_BYTES: Final = 16 * 1024
#: What no header may hold; uvicorn says which when it sends one.
_UNSENDABLE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Cycle(RequestResponseCycle):
    """One request and its answer; head and body of a short answer are sent as one.

    uvicorn writes them apart, and each write is a call of the system that wakes the client: that
    costs more than a small answer does (decision 0017).
    """

    _start: HTTPResponseStartEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """Send a part of the answer; its head waits for what comes next."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if message["type"] == "http.response.body" and self._send_whole(start, message):
                return
            await super().send(start)
        await super().send(message)

    async def run_asgi(self, app: ASGI3Application) -> None:
        """Have the application answer; an answer that it breaks off ends the connection."""

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except BrokenOffError:
                self.response_complete = True  # said in the log by who broke it off
                if self.flow.write_paused:
                    self.transport.abort()  # closing would wait for a client that takes nothing
                else:
                    self.transport.close()

        await super().run_asgi(answer)

    def _send_whole(self, start: HTTPResponseStartEvent, last: HTTPResponseBodyEvent) -> bool:
        """Send an answer of one part with one write; False where it has to be uvicorn's way."""
        body = last.get("body", b"")
        headers = [*self.default_headers, *start.get("headers", ())]
        values = dict(headers)
        if (
            last.get("more_body", False)
            or not self.keep_alive
            or self.disconnected
            or self.flow.write_paused
            or self.scope["method"] == "HEAD"
            or values.get(b"content-length") != str(len(body)).encode()
            or b"connection" in values
            or b"transfer-encoding" in values
            or _UNSENDABLE.search(b"".join(chain.from_iterable(headers)))
        ):
            return False
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        self._write(b"%b%b\r\n" % (STATUS_LINE[start["status"]], lines), body)
        return True

    def finish(self, answer: Answered) -> None:
        """Send a whole answer, to which only its length is missing."""
        self._write(write_head(self.default_headers, answer), answer.body)

    def _write(self, head: bytes, body: bytes) -> None:
        if len(body) < _COPIED_BYTES:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.message_event.set()
        self.on_response()


def write_head(default_headers: Iterable[tuple[bytes, bytes]], answer: Answered) -> bytes:
    """Return the head of an answer as bytes."""
    head = _head_lines(answer.status, (*default_headers, *answer.headers))
    return b"%bcontent-length: %d\r\n\r\n" % (head, len(answer.body))


@lru_cache(maxsize=64)
def _head_lines(status: int, headers: RawHeaders) -> bytes:
    """Return status line and headers as bytes."""
    if _UNSENDABLE.search(b"".join(chain.from_iterable(headers))):
        raise ValueError("a header holds what no header may hold")
    return STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % header for header in headers])
