"""Answers that need not be sent twice: ETag and If-None-Match (RFC 9110 section 13).

Floor 5. An endpoint names its answer by an entity tag before it makes it; where the client holds
that very answer, it is never made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def matches(header: str | None, etag: str) -> bool:
    """Tell whether an If-None-Match header names a tag, by weak comparison.

    Examples
    --------
    >>> matches('"a", W/"b"', '"b"')
    True
    """
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return etag.removeprefix("W/") in _TAG.findall(header)


def answer_head(headers: Mapping[str, str], media_type: str) -> Response:
    """Return the answer to HEAD of what was not made: it names no length, rather than none (0)."""
    response = Response(headers=dict(headers), media_type=media_type)
    if "content-length" not in {name.lower() for name in headers}:
        del response.headers["content-length"]
    return response


def wants_fresh(cache_control: str | None) -> bool:
    """Tell whether a client asks for what was not kept (RFC 9111 section 5.2.1).

    Examples
    --------
    >>> wants_fresh("max-age=0, No-Cache"), wants_fresh("max-stale"), wants_fresh(None)
    (True, False, False)
    """
    asked = (cache_control or "").lower()
    return "no-cache" in asked or "no-store" in asked


def answer_if_changed(request: Request, etag: str, make: Callable[[], Response]) -> Response:
    """Return the answer that `make` makes, tagged; or 304 when the client holds it."""
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers={"ETag": etag, "Vary": "Accept, Accept-Language"})
    response = make()
    response.headers["ETag"] = etag
    return response
