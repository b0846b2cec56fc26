"""Answers as bytes: tagged, compressed where asked, and kept until the next commit.

Floor 5. What is kept was made for a visitor without a token, from nothing but the request's own
bytes, three of its headers and the data of one revision: the same request gets the same bytes.
Used in the loop's thread alone.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Hashable
from functools import lru_cache
from typing import Final, NamedTuple

import anyio.to_thread

from web.negotiation import read_qualities

#: Shorter bodies are sent as they are: head and frames would outweigh what is saved.
COMPRESSED_BYTES: Final = 1_024
# Longer ones are compressed in a thread: 3 ms a 100 KB.
_INLINE_BYTES: Final = 64 * 1024
_LEVEL: Final = 4
_GZIP: Final = 16 + zlib.MAX_WBITS
#: What an answer costs beside its bytes.
_OVERHEAD: Final = 512


class Answered(NamedTuple):
    """A whole answer, to which only the header of its length is missing.

    `repeats` tells that the same request gets the same bytes until the data changes.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    repeats: bool = False


class Reply:
    """One answer of status 200: its bytes, and what is made from them when it is asked for."""

    __slots__ = ("_packed", "_tag", "body", "media_type")

    def __init__(self, body: bytes, media_type: str) -> None:
        self.body = body
        self.media_type = media_type
        self._tag: str | None = None
        self._packed: bytes | None = None

    @property
    def tag(self) -> str:
        """The entity tag; weak, since compressed or not it is the same answer."""
        if self._tag is None:
            key = self.media_type.encode()[:64]
            self._tag = f'W/"{hashlib.blake2b(self.body, digest_size=12, key=key).hexdigest()}"'
        return self._tag

    @property
    def bytes_held(self) -> int:
        """Memory in bytes, about, compressed bytes to come included."""
        return len(self.body) * 3 // 2 + _OVERHEAD

    @property
    def packs_quickly(self) -> bool:
        """Whether compressing it, if that is still to be done, needs no thread."""
        return self._packed is not None or len(self.body) <= _INLINE_BYTES

    def pack(self) -> bytes:
        """Return the bytes compressed by gzip."""
        if self._packed is None:
            self._packed = compress(self.body)
        return self._packed

    async def packed(self) -> bytes:
        """Return the bytes compressed by gzip, long ones in a thread."""
        if not self.packs_quickly:
            self._packed = await anyio.to_thread.run_sync(compress, self.body)
        return self.pack()


def compress(body: bytes) -> bytes:
    """Return bytes compressed by gzip."""
    return zlib.compress(body, _LEVEL, _GZIP)


@lru_cache(maxsize=256)
def accepts_gzip(header: str | None) -> bool:
    """Tell whether an Accept-Encoding header takes gzip.

    Examples
    --------
    >>> accepts_gzip("br;q=1, gzip;q=0.5"), accepts_gzip("gzip;q=0, *"), accepts_gzip(None)
    (True, False, False)
    """
    qualities = dict(read_qualities(header or ""))
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


class AnswerCache:
    """Replies by request for one revision, the least recently used dropped above a size.

    `limit_bytes` bounds the memory of keys and replies; 0 keeps nothing. An answer larger than a
    sixteenth of it is not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes_held = 0
        self._revision = -1
        self._replies: OrderedDict[Hashable, tuple[Reply, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._replies)

    def get(self, revision: int, key: Hashable) -> Reply | None:
        """Return the reply kept for a request at a revision."""
        if revision != self._revision:
            self._begin(revision)
        found = self._replies.get(key)
        if found is None:
            return None
        self._replies.move_to_end(key)
        return found[0]

    def put(self, revision: int, key: Hashable, key_bytes: int, reply: Reply) -> None:
        """Keep a reply that was made from a revision, unless a newer one came meanwhile."""
        size = reply.bytes_held + key_bytes
        if revision != self._revision or size > self.limit_bytes // 16 or key in self._replies:
            return
        self._replies[key] = reply, size
        self.bytes_held += size
        while self.bytes_held > self.limit_bytes:
            _, (_, dropped) = self._replies.popitem(last=False)
            self.bytes_held -= dropped

    def _begin(self, revision: int) -> None:
        """Forget all: the data changed."""
        self._replies.clear()
        self.bytes_held = 0
        self._revision = revision
