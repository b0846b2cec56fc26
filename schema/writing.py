"""Writes answers as JSON: small ones in one call, large ones in pieces.

Floor 4. One call of the encoder holds every other thread up until it returns, a fifth of a second
for 200 MB. In pieces of some thousand nodes nobody waits for more than one, and what is over the
limit of an answer is found before all of it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from graph.errors import QueryTooLargeError
from graph.store.allowance import LIMIT

#: Nodes that are written in one call, and bytes of text that weigh as much as one.
_AT_ONCE: Final = 6_000
_BYTES_A_NODE: Final = 1_024


def write_body(body: dict[str, Any], nodes: int, longest: int, limit: int) -> bytes:
    """Return a response as JSON.

    Parameters
    ----------
    body : dict
        The response: data, errors, extensions.
    nodes, longest : int
        About how many nodes it holds, and how many bytes the longest of its texts has: an object
        that was made once may stand in it at every place.
    limit : int
        Bytes that it may have.

    Raises
    ------
    QueryTooLargeError
        It has more.
    """
    weight = nodes * (1 + longest // _BYTES_A_NODE)
    if weight <= _AT_ONCE:
        written = orjson.dumps(body)
        if len(written) > limit:
            raise QueryTooLargeError(LIMIT, limit, len(written))
        return written
    pieces, size = [], 0
    for piece in _pieces(body, weight):
        size += len(piece)
        if size > limit:
            raise QueryTooLargeError(LIMIT, limit)
        pieces.append(piece)
    return b"".join(pieces)


def _pieces(value: Any, weight: int) -> Iterator[bytes]:
    """Yield the JSON of a value that weighs about as much as so many nodes."""
    if weight <= _AT_ONCE or not value or not isinstance(value, dict | list):
        yield orjson.dumps(value)
    elif isinstance(value, dict):
        before = b"{"
        for name, below in value.items():
            yield before + orjson.dumps(name) + b":"
            yield from _pieces(below, weight)
            before = b","
        yield b"}"
    else:
        each = -(-weight // len(value))
        size = max(1, _AT_ONCE // each)
        before = b"["
        for start in range(0, len(value), size):
            yield before
            if size == 1:
                yield from _pieces(value[start], each)
            else:
                yield orjson.dumps(value[start : start + size])[1:-1]
            before = b","
        yield b"]"
