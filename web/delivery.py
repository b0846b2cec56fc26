"""How an export goes out: tagged, in part, compressed, or streamed as it is made.

Floor 5. RFC 9110: HEAD (9.3.2), conditions (13), byte ranges (14). Tags are strong: what is
delivered here is the same bytes whenever it is made. A range is of the bytes as they are, never of
compressed ones; of several ranges none is taken, and the whole is sent.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, ParamSpec, TypeVar

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from graph.errors import RangeNotSatisfiableError
from web.access import PRIVATE
from web.answers import accepts_gzip
from web.conditional import answer_head, matches
from web.export_files import ExportFiles, FileWriter, pieces_to_file
from web.frame import REVISION
from web.lanes import Lane

if TYPE_CHECKING:
    from web.limits import Limiter, Use

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")

_RANGE: Final = re.compile(r"bytes\s*=\s*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))", re.I)
_PIECE: Final = 256 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
# A fifth of the time of the usual 6, and a fifth more bytes.
_LEVEL: Final = 1
# Exports that may wait for their turn; each waits for one piece.
_STREAMS: Final = 10_000
#: Media types whose bytes are compressed already.
_PACKED: Final = frozenset({"application/zip"})


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be delivered: `make` is called in a thread, and raises what is wrong at once.

    `tag` says all that the bytes depend on; `write` writes the file, where that is done otherwise
    than by writing down what `make` yields. `link` is the header that names its licence. Where
    `is_sure`, nothing can be wrong with it; what is made for a token `is_private`.
    """

    name: str
    media_type: str
    tag: str
    revision: int
    make: Callable[[], Iterator[bytes]]
    link: str
    write: FileWriter | None = None
    vary: str = "Accept"
    is_private: bool = False
    is_sure: bool = False

    def headers(self) -> dict[str, str]:
        """Return the headers of all answers that carry it."""
        return {
            REVISION: str(self.revision),
            "Cache-Control": PRIVATE if self.is_private else "no-cache",
            "Vary": ", ".join(filter(None, (self.vary, "Accept-Encoding"))),
            "Content-Disposition": f'attachment; filename="{self.name}"',
            "Accept-Ranges": "bytes",
            "Link": self.link,
        }


async def deliver(request: Request, parcel: Parcel, files: ExportFiles) -> Response:
    """Return the answer that carries a parcel, or a part of it.

    Raises
    ------
    RangeNotSatisfiableError
        The range lies outside the bytes.
    RhizomeError
        What `make` met.
    """
    headers, plain = parcel.headers(), f'"{parcel.tag}"'
    asked = _read_range(request) if request.method == "GET" else None
    if asked is not None and not _may_continue(request, "" if parcel.is_private else plain):
        asked = None
    packs = (
        asked is None
        and parcel.media_type not in _PACKED
        and accepts_gzip(request.headers.get("accept-encoding"))
    )
    tag = f'"{parcel.tag}-gzip"' if packs else plain
    if packs:
        headers["Content-Encoding"] = "gzip"
    if not parcel.is_private:  # what may not be kept needs no tag to be known again by
        headers["ETag"] = tag
        if matches(request.headers.get("if-none-match"), tag):
            kept = {name: headers[name] for name in ("ETag", "Vary", "Cache-Control")}
            return Response(status_code=304, headers=kept)
    if request.method == "HEAD" and parcel.is_sure:  # it need not be made to be thrown away
        return answer_head(headers, parcel.media_type)
    limiter: Limiter = request.app.state.service.limiter
    file = files.find(parcel.tag)
    pieces: Iterator[bytes] = iter(())
    if file is None:
        async with limiter.query(request) as use:
            clock = _Clock(use)
            if request.method == "GET" and (asked is not None or parcel.write is not None):
                write = parcel.write or pieces_to_file(parcel.make)
                file = await files.get(parcel.tag, clock.timed(write))
            else:
                make = clock.timed(partial(_begin, parcel.make))
                pieces = await anyio.to_thread.run_sync(make)
    if request.method == "HEAD":
        if file is not None:
            with file:
                headers |= {} if packs else {"Content-Length": str(_size(file))}
        return answer_head(headers, parcel.media_type)
    if file is None:
        pieces = pack(pieces) if packs else pieces
        content = in_turns(pieces, partial(limiter.charge_stream, request))
        return StreamingResponse(content, headers=headers, media_type=parcel.media_type)
    if asked is not None:
        return _answer_part(file, asked, parcel, headers)
    if not packs:
        headers["Content-Length"] = str(_size(file))
    pieces = _read(file, 0, _size(file))
    pieces = pack(pieces) if packs else pieces
    return StreamingResponse(pieces, headers=headers, media_type=parcel.media_type)


def _begin(make: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """Return the pieces, the first of them made: the one that takes long."""
    pieces = make()
    first = next(pieces, b"")
    return itertools.chain((first,), pieces)


class _Clock:
    """Counts the time that making takes as the query time of who asked, waiting left out."""

    def __init__(self, use: Use) -> None:
        self._use = use
        use.seconds = 0.0

    def timed(self, function: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
        """Return a function that notes how long it took."""

        def run(*arguments: _Given.args, **named: _Given.kwargs) -> _Made:
            began = time.monotonic()
            try:
                return function(*arguments, **named)
            finally:
                self._use.seconds = time.monotonic() - began

        return run


async def in_turns(
    pieces: Iterator[bytes], charge: Callable[[float], None]
) -> AsyncIterator[bytes]:
    """Yield pieces that are made in a thread, and charge the time that this took.

    All exports take turns in one thread, a piece at a time: several would hold up the loop, and
    each other. The next piece is made while one is sent.
    """
    lane = _turns()
    seconds = 0.0

    def make() -> bytes | None:
        nonlocal seconds
        began = time.monotonic()
        try:
            return next(pieces, None)
        finally:
            seconds += time.monotonic() - began

    pending = asyncio.ensure_future(lane.run(make, _STREAMS))
    try:
        while True:
            piece = await pending
            if piece is None:
                return
            pending = asyncio.ensure_future(lane.run(make, _STREAMS))
            yield piece
    finally:
        pending.cancel()
        pending.add_done_callback(_forget)
        charge(seconds)


def _forget(pending: asyncio.Task[Any]) -> None:
    """Take what nobody waits for any more, also when it is an error."""
    if not pending.cancelled():
        pending.exception()


@cache
def _turns() -> Lane:
    return Lane("exports", 1)


def pack(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces compressed by gzip; the same pieces give the same bytes."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _answer_part(file: BinaryIO, asked: str, parcel: Parcel, headers: dict[str, str]) -> Response:
    """Return the answer 206 with the bytes that a range names."""
    size = _size(file)
    span = find_span(asked, size)
    if span is None:
        file.close()
        raise RangeNotSatisfiableError(asked[:100], size)
    start, end = span
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    content = _read(file, start, end)
    return StreamingResponse(
        content, status_code=206, headers=headers, media_type=parcel.media_type
    )


def find_span(asked: str, size: int) -> tuple[int, int] | None:
    """Return first byte and the one after the last of a range, or None when it has none.

    Examples
    --------
    >>> find_span("bytes=0-9", 100), find_span("bytes=-5", 100), find_span("bytes=100-", 100)
    ((0, 10), (95, 100), None)
    """
    match = _RANGE.fullmatch(asked.strip())
    assert match is not None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), size if last is None else min(size, int(last) + 1)
    return (start, end) if start < end else None


def _read_range(request: Request) -> str | None:
    """Return the one range that is asked for in a form that is known, or None."""
    asked = request.headers.get("range")
    match = None if asked is None else _RANGE.fullmatch(asked.strip())
    if asked is None or match is None:
        return None  # other units, several ranges, nonsense: as if nothing had been asked
    first, last, _ = match.groups()
    is_invalid = first is not None and last is not None and int(last) < int(first)
    return None if is_invalid else asked


def _may_continue(request: Request, etag: str) -> bool:
    """Tell whether what the client holds is of these bytes (If-Range, strong comparison)."""
    held = request.headers.get("if-range")
    return held is None or (bool(etag) and held.strip() == etag)


def _size(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, 2)
    file.seek(here)
    return size


def _read(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end:
            piece = file.read(min(_PIECE, end - start))
            if not piece:
                return
            start += len(piece)
            yield piece
