"""Frames on the socket between the service and a worker: a kind, a length, bytes.

Floor 1. Standard library only, since workers import it. A message is JSON; data follows or
precedes it in frames of its own. An answer in parts is announced before its data.
"""

from __future__ import annotations

import io
import json
import socket
import struct
from collections.abc import Iterable
from typing import Any, Final

#: A message in JSON, the last frame of every answer.
MESSAGE: Final = b"M"
#: A piece of data.
DATA: Final = b"D"
#: A message in JSON before the data of an answer that comes in parts.
BEGIN: Final = b"B"

#: What frames are read from.
Source = socket.socket | io.BufferedReader

HEAD: Final = struct.Struct(">cI")
_PIECE: Final = 256 * 1024


def pack_message(message: dict[str, Any], kind: bytes = MESSAGE) -> bytes:
    """Return a message as a frame."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return HEAD.pack(kind, len(body)) + body


def pack_data(data: bytes) -> Iterable[bytes]:
    """Yield the frames of some bytes, in pieces that fit a socket's buffers."""
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        yield HEAD.pack(DATA, len(piece)) + piece


def read_frame(connection: Source) -> tuple[bytes, bytes] | None:
    """Return kind and bytes of the next frame; None when the other side has ended."""
    head = _read(connection, HEAD.size)
    if head is None:
        return None
    kind, size = HEAD.unpack(head)
    body = _read(connection, size)
    return None if body is None else (kind, body)


def read_message(connection: Source) -> tuple[dict[str, Any], list[bytes]] | None:
    """Return the next message and the data before it; None when the other side has ended."""
    data: list[bytes] = []
    while (frame := read_frame(connection)) is not None:
        kind, body = frame
        if kind == MESSAGE:
            return json.loads(body), data
        data.append(body)
    return None


def _read(connection: Source, size: int) -> bytes | None:
    if isinstance(connection, io.BufferedReader):  # fewer calls of the system
        found = connection.read(size)
        return found if len(found) == size else None
    pieces: list[bytes] = []
    while size:
        piece = connection.recv(min(size, _PIECE))
        if not piece:
            return None
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
