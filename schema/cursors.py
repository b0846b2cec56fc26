"""Cursors: the place of a node in an order, as text that a client keeps.

Floor 4. A cursor holds the values by which the node was ordered and its identifier, so that it
stays right when the node changes or goes. It is no secret and grants nothing: a forged one only
names another place. It does say which class, order and conditions it belongs to, so that one of
another question is refused instead of skipping nodes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from graph.errors import CursorError
from graph.terms import is_iri

#: Longest cursor that is read, in characters.
_LENGTH: Final = 8_192


class Cursor(NamedTuple):
    """A place in an order: the values of the keys, and the identifier as terms are ordered."""

    keys: tuple[Any, ...]
    identifier: str


def make_mark(*parts: Any) -> str:
    """Return a short mark of what cursors belong to: order, conditions, languages."""
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=6).hexdigest()


def _plain(value: Any) -> Any:
    """Return a value such that what GraphQL takes for the same is the same: 1, 1.0 and [1]."""
    if isinstance(value, Mapping):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return _plain(value[0]) if len(value) == 1 else [_plain(below) for below in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@lru_cache(maxsize=512)
def class_mark(class_iri: str) -> str:
    """Return the mark of lists of a class without conditions, in the order of identifiers."""
    return make_mark(class_iri)


def write_cursor(iri: str, keys: list[Any], mark: str) -> str:
    """Return the cursor of a node, of an order with these values of its keys."""
    held = json.dumps([*keys, iri], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(f"2:{mark}:{held}".encode()).decode()


def read_cursor(cursor: str, mark: str, count: int, place: str) -> Cursor:
    """Return the place that a cursor names, in an order of `count` keys.

    Raises
    ------
    CursorError
        The cursor was not made by this service, or belongs to another class, order or condition.
    """
    version, _, rest = _decode(cursor).partition(":")
    found, _, held = rest.partition(":")
    keys, iri = _read_keys(held) if (version, found) == ("2", mark) else ([], None)
    if not isinstance(iri, str) or not is_iri(iri) or len(keys) != count:
        raise CursorError(place, cursor[:80])
    return Cursor(tuple(keys), f"<{iri}")


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor[:_LENGTH].encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return ""


def _read_keys(text: str) -> tuple[list[Any], Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [], None
    return (found[:-1], found[-1]) if isinstance(found, list) and found else ([], None)
