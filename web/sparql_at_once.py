"""Answers short SPARQL queries at once, in the very call that brings the request.

Floor 5. A look-up that takes no worker, or whose answer is kept, takes a tenth of a millisecond;
the layers around an endpoint take three times that. As for GraphQL (`web/at_once.py`), only what
is plain and right is answered here: whatever is anything else goes the usual way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.types import Scope

from web.answers import Answered
from web.frame import Origins, complete_head
from web.graphql_request import Headers, header
from web.kept_tables import make_response
from web.limits import find_address, rate_key
from web.sparql import PATH, headers_of, look_at_once
from web.sparql_request import read_parts

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from web.service import Service

#: Longer requests take a while to read.
_BYTES: Final = 2 * 1024
_METHODS: Final = ("GET", "POST")
#: Asks to be explained, or may do so by a parameter whose name is not plainly written.
_EXPLAINS: Final = re.compile(rb"explain|(?:^|&)[^=&]*%")
#: Asks for an answer without a body.
_UNUSUAL: Final = b"if-none-match"


class SparqlAtOnce:
    """Answers queries of visitors that need no worker."""

    def __init__(self, app: Starlette, service: Service, origins: Origins) -> None:
        self._app = app
        self._service = service
        # What comes with an Origin goes the usual way: all others get the same headers.
        self._cors = {
            method: origins.headers({"method": method, "headers": ()}) for method in _METHODS
        }

    def answer(self, scope: Scope, headers: Headers, body: bytes) -> Answered | None:
        """Return the answer to a request, or None where it has to go the usual way.

        Raises
        ------
        RhizomeError
            What is wrong with it; the usual way tells that.
        """
        method, asked_in_url = scope["method"], scope["query_string"]
        if method not in _METHODS or _UNUSUAL in headers or _EXPLAINS.search(asked_in_url):
            return None
        if not (asked_in_url or body) or len(asked_in_url) + len(body) > _BYTES:
            return None
        kind = header(headers, b"content-type") or ""
        asked = read_parts(method, asked_in_url, kind, body)
        if asked is None or asked.is_update:
            return None
        limiter, seen = self._service.limiter, self._service.revision
        address = find_address(scope, limiter.proxies)
        request = Request({**scope, "app": self._app, "client": (address, 0)})
        found = look_at_once(request, asked)
        if found is None:
            return None
        table, repeats = found
        if not table.is_kept or not table.packs_quickly:
            return None
        limiter.take(PATH, rate_key(address))
        response = make_response(request, table, headers_of(request, table))
        head = tuple(each for each in response.raw_headers if each[0] != b"content-length")
        sent = complete_head(head, self._cors[method], seen)
        return Answered(response.status_code, sent, bytes(response.body), repeats)
