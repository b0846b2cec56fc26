"""Answers small reads at once, in the very call that brings the request.

Floor 5. A small read takes thirty microseconds; a task, its turn in the event loop and the layers
around an endpoint take twice that (decision 0019). Here stands the plain case of a GraphQL query
by POST alone, and beside it that of a short SPARQL query: whatever is anything else, may wait, or
is wrong gets no answer here and goes the usual way, which says all that there is to say.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from starlette.types import Scope

from schema.execute import Prepared
from web.answers import COMPRESSED_BYTES, Answered, Reply, accepts_gzip
from web.frame import MIN_REVISION, Origins, RawHeaders, complete_head, log_request
from web.graphql import (
    GRAPHQL,
    PACKED,
    PATH,
    PREPARED,
    Found,
    answer_key,
    begin_answer,
    run_prepared,
)
from web.graphql_request import (
    JSON,
    Headers,
    header,
    make_request,
    preferred_languages,
    read_body,
)
from web.limits import find_address, rate_key
from web.negotiation import choose_media_type
from web.repeats import Repeats
from web.sparql import PATH as SPARQL
from web.sparql_at_once import SparqlAtOnce

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from web.service import Service

_OFFERED: Final = (JSON, GRAPHQL)
#: Longer bodies take a while to read.
_BODY_BYTES: Final = 16 * 1024
#: Who asks, from where, and for what: the usual way looks at these.
_UNUSUAL: Final = frozenset(
    {b"authorization", b"origin", b"content-encoding", MIN_REVISION.lower().encode()}
)
#: The estimated cost above which an answer may be too long to compress at once.
_PACKED_COST: Final = 500


class AtOnce:
    """Answers what is surely quick."""

    def __init__(self, app: Starlette, service: Service, origins: Origins) -> None:
        self.service = service
        self.repeats = Repeats(service, service.settings.repeats_mb * 1_000_000)
        self._sparql = SparqlAtOnce(app, service, origins)
        # What comes with an Origin goes the usual way: all others get the same headers.
        self._cors = origins.headers({"method": "POST", "headers": ()})

    def answer(self, scope: Scope, body: bytes) -> Answered | None:
        """Return the answer to a request, or None where it has to go the usual way.

        A request is counted only when it is answered.
        """
        if scope["path"] == SPARQL:
            way = self._sparql.answer
        elif scope["path"] == PATH and scope["method"] == "POST" and len(body) <= _BODY_BYTES:
            way = self._answer
        else:
            return None
        headers: Headers = dict(scope["headers"])
        if not self.service.is_ready or not _UNUSUAL.isdisjoint(headers):
            return None
        began = time.perf_counter()
        try:
            answer = way(scope, headers, body)
        except Exception:  # the usual way meets it again, and tells it
            return None
        if answer is not None:
            log_request(scope, answer.status, time.perf_counter() - began)
        return answer

    def _answer(self, scope: Scope, headers: Headers, body: bytes) -> Answered | None:
        service = self.service
        media_type, packs = _wanted(headers.get(b"accept"), headers.get(b"accept-encoding"))
        answers = service.answers
        key = answer_key(scope, headers, body, media_type) if answers.limit_bytes else None
        seen = service.revision  # of the dataset, at whatever level: read before what it is of
        reply = None if key is None else answers.get(service.public_snapshot.revision, key)
        found: Found | None = None
        if reply is None:
            prepared = self._prepare(headers, body)
            limit = service.settings.graphql_inline_cost
            if prepared is None:
                return None
            if prepared.cost > (min(limit, _PACKED_COST) if packs else limit):
                scope[PREPARED] = prepared
                return None
            self._count(scope)
            found = run_prepared(service.engine, prepared)
            reply = Reply(found.body, media_type)
            if key is not None and found.revision is not None:
                answers.put(found.revision, key, sum(map(len, key)), reply)
        elif packs and not reply.packs_quickly:
            return None
        else:
            self._count(scope)
        sent = reply.body
        is_packed = packs and len(sent) >= COMPRESSED_BYTES
        if is_packed:
            sent = reply.pack()
        if found is None or found.revision is not None:  # an answer without an error
            head = _plain_head(media_type, is_packed, self._cors, seen)
            return Answered(200, head, sent, key is not None)
        status, head = begin_answer(media_type, found.answer, is_private=False)
        head += PACKED if is_packed else ()
        return Answered(status, complete_head(head, self._cors, seen), sent)

    def _count(self, scope: Scope) -> None:
        limiter = self.service.limiter
        limiter.take(PATH, rate_key(find_address(scope, limiter.proxies)))

    def _prepare(self, headers: Headers, body: bytes) -> Prepared | None:
        service = self.service
        accepted, chain = header(headers, b"accept-language"), service.languages
        languages = chain if accepted is None else preferred_languages(accepted, chain)
        asked = read_body(headers, body)
        request, is_named = make_request(asked, languages, service.documents)
        if is_named:
            return None
        return service.engine.prepare_known(request, service.public_snapshot, service.visitor)


@lru_cache(maxsize=64)
def _wanted(accept: bytes | None, encoding: bytes | None) -> tuple[str, bool]:
    """Return the media type that a client wants, and whether it takes gzip."""
    headers = {b"accept": accept, b"accept-encoding": encoding}
    known = {name: value for name, value in headers.items() if value is not None}
    media_type = choose_media_type(header(known, b"accept"), _OFFERED)
    return media_type, accepts_gzip(header(known, b"accept-encoding"))


@lru_cache(maxsize=64)
def _plain_head(media_type: str, is_packed: bool, cors: RawHeaders, seen: int | None) -> RawHeaders:
    """Return the headers of an answer without an error; the same are sent until a commit."""
    _, head = begin_answer(media_type, None, is_private=False)
    return complete_head(head + PACKED if is_packed else head, cors, seen)
