"""The commits of the log, for tools that follow the data and for read replicas.

Floor 5. What is sent stands in `graph/store/log_pages.py`; here it is asked for, bounded and waited
for. A history never changes, but it is for tokens alone: nothing of it is kept by caches.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graph.access import Scope as Allowed
from graph.access import Viewer
from graph.curation.mutations import require_scope
from graph.errors import BadValueError, ForbiddenError, StoreUnavailableError, UnauthenticatedError
from graph.store.access_tokens import INVALID
from graph.store.log import Log
from graph.store.log_pages import MEDIA_TYPES, Page, gather, read_page, write_patch, write_stored
from graph.store.record import Record
from web.access import CALLER, PRIVATE, viewer_of
from web.answers import accepts_gzip
from web.conditional import answer_head, answer_if_changed
from web.frame import REVISION, WAITED, read_revision
from web.lanes import Lane
from web.limits import CHANGES_PATH, Caller
from web.negotiation import refuse_unknown, request_format
from web.streams import ENDED

if TYPE_CHECKING:
    from web.service import Service

PARAMETERS: Final = ("since", "hash", "wait", "format")
_WRITERS: Final[dict[str, Callable[[Log, Iterable[Record]], Iterator[bytes]]]] = {
    "patch": write_patch,
    "log": write_stored,
}
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_LEVEL: Final = 3
_GZIP: Final = 16 + zlib.MAX_WBITS
_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked: commits after a revision, whose hash may be named; how long to wait."""

    since: int
    head: str | None
    wait_s: float


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [Route(CHANGES_PATH, Changes().answer, methods=["GET"])]


class Changes:
    """Answers who follows the log, so many at once."""

    def __init__(self) -> None:
        self._readers = 0
        self._lane = Lane("requests for changes", _THREADS)

    async def answer(self, request: Request) -> Response:
        """Commits since a revision, as RDF Patch or as the log has them; needs scope `changes`."""
        service: Service = request.app.state.service
        viewer = viewer_of(request.scope, service.visitor)
        require_scope(viewer, Allowed.CHANGES)
        asked = read_question(request, service.settings.changes_wait_s)
        format = request_format(request, MEDIA_TYPES)
        service.limiter.require_time(_caller(request))
        self._enter(service)
        with contextlib.ExitStack() as stack:
            stack.callback(self._leave)
            page, revision = await self._page(service, asked, viewer)
            if not page.records and asked.wait_s:
                await _wait(request, service, asked)
                if not service.streams.is_valid(viewer):
                    raise UnauthenticatedError(ENDED, INVALID)
                page, revision = await self._page(service, asked, viewer)
            response = self._respond(request, asked, page, format, revision)
            if isinstance(response, _Sent):
                response.leave = stack.pop_all().close
            return response

    def _respond(
        self, request: Request, asked: _Asked, page: Page, format: str, revision: int
    ) -> Response:
        service: Service = request.app.state.service
        is_packed = format == "patch" and accepts_gzip(request.headers.get("accept-encoding"))
        way = f"since={page.last}&hash={page.head}&format={format}"
        headers = {
            REVISION: str(revision),
            "Link": f'<?{way}>; rel="next"',
            "Cache-Control": PRIVATE,
            "Vary": "Accept, Accept-Encoding",
            **({"Content-Encoding": "gzip"} if is_packed else {}),
        }

        def make() -> Response:
            if request.method == "HEAD":
                return answer_head(headers, MEDIA_TYPES[format])
            pieces = gather(_WRITERS[format](service.dataset.log, page.records))
            sent = self._send(pack(pieces) if is_packed else pieces, service, _caller(request))
            return _Sent(sent, headers=headers, media_type=MEDIA_TYPES[format])

        etag = f'W/"{asked.since}-{page.last}-{page.head[:32]}-{format}"'
        response = answer_if_changed(request, etag, make)
        response.headers["Cache-Control"] = PRIVATE
        return response

    async def _page(self, service: Service, asked: _Asked, viewer: Viewer) -> tuple[Page, int]:
        """Return what may be sent, and the revision that readers see.

        Raises
        ------
        ForbiddenError
            There are, or were, graphs above the viewer's level.
        """
        settings, log, levels = service.settings, service.dataset.log, service.dataset.levels
        if viewer.level < levels.highest:
            raise ForbiddenError("to read the log whole: it holds graphs above the token's level")
        read = partial(
            read_page,
            log,
            asked.since,
            asked.head,
            levels.revision,  # what comes later may hold a graph that is above the viewer's level
            commits_max=settings.changes_commits,
            bytes_max=settings.changes_bytes,
        )
        return await self._lane.run(read, settings.changes_readers), levels.revision

    async def _send(
        self, pieces: Iterator[bytes], service: Service, caller: Caller
    ) -> AsyncIterator[bytes]:
        """Yield pieces, each made in a thread as the one before it is taken."""

        def next_piece() -> tuple[bytes, float]:
            began = time.thread_time()
            return next(pieces, b""), time.thread_time() - began

        while True:
            piece, seconds = await self._lane.run(next_piece, service.settings.changes_readers)
            service.limiter.charge(caller, seconds)
            if not piece:
                return
            yield piece

    def _enter(self, service: Service) -> None:
        if self._readers >= service.settings.changes_readers:
            raise StoreUnavailableError("too many read the changes; try again", 2.0)
        self._readers += 1

    def _leave(self) -> None:
        self._readers -= 1


class _Sent(StreamingResponse):
    """An answer that says when it is over; `leave` is called then, however it ended."""

    leave: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.leave()


def read_question(request: Request, wait_max_s: float) -> _Asked:
    """Return what the query string asks.

    Raises
    ------
    BadValueError
        A parameter is unknown, or cannot be used.
    """
    given = request.query_params
    refuse_unknown(given, PARAMETERS)
    head, wait = given.get("hash"), given.get("wait", "0")
    if head is not None and not _HASH.fullmatch(head):
        raise BadValueError("hash", head[:80], "the hash of a commit, 64 hexadecimal digits")
    if not _SECONDS.fullmatch(wait) or float(wait) > wait_max_s:
        raise BadValueError("wait", wait[:40], f"a number of seconds, at most {wait_max_s:g}")
    return _Asked(read_revision(given.get("since", "0"), "since"), head, float(wait))


async def _wait(request: Request, service: Service, asked: _Asked) -> None:
    """Return when there is a commit, the time is up, or the service stops.

    Raises
    ------
    ClientDisconnect
        Nobody waits any more.
    """
    began = time.monotonic()
    leaving = asyncio.ensure_future(_disconnect(request))
    ways = (
        asyncio.ensure_future(_commit(service, asked)),
        asyncio.ensure_future(service.streams.closing.wait()),
        leaving,
    )
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            raise ClientDisconnect
    finally:
        for way in ways:
            way.cancel()
        request.scope[WAITED] = time.monotonic() - began


async def _commit(service: Service, asked: _Asked) -> None:
    with contextlib.suppress(StoreUnavailableError):
        await service.wait_for(asked.since + 1, asked.wait_s)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _caller(request: Request) -> Caller:
    return Caller(request.scope[CALLER], has_token=True)


def pack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces compressed by gzip, as one member; the empty stream stays one."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
