"""Asks what comes over a connection that stays open: subscriptions, and queries beside them.

Floor 5. What WebSocket and server-sent events share: from the members of a request to a running
subscription, or to the answer of any other operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson
from starlette.types import Scope

from graph.errors import RhizomeError
from schema.execute import Answer, refuse
from schema.plans import InvalidDocumentError
from web.access import CALLER, viewer_of
from web.frame import Origins
from web.graphql_request import Headers, header, make_request, preferred_languages
from web.lanes import Lane
from web.limits import Caller, rate_key
from web.streams import Stream

if TYPE_CHECKING:
    from web.service import Service


class Answered(Protocol):
    """An answer and its bytes."""

    @property
    def answer(self) -> Answer:
        """What came out."""
        ...

    @property
    def body(self) -> bytes:
        """The same as JSON."""
        ...


#: Answers what is no subscription: its members, headers, and scope.
Answering = Callable[[dict[str, Any], Headers, Scope], Awaitable[Answered]]


class Refused(NamedTuple):
    """The answer to a subscription that cannot run."""

    answer: Answer
    body: bytes


class Asking:
    """One connection: who asks, in which languages, and how it is answered.

    `scope` holds the viewer once it is known; `address` is the key of the caller's address.
    """

    def __init__(self, scope: Scope, headers: Headers, address: str, answer: Answering) -> None:
        self.scope = scope
        self.headers = headers
        self.address = address
        self.service: Service = scope["app"].state.service
        self._answer = answer

    @property
    def caller(self) -> Caller:
        """Whose use is counted."""
        token = self.scope.get(CALLER)
        return Caller(token or self.address, token is not None)

    async def ask(self, asked: dict[str, Any]) -> Stream | Answered:
        """Return a subscription that may run, or the answer to anything else."""
        try:
            stream = await self._subscribe(asked)
        except (RhizomeError, InvalidDocumentError) as error:
            answer = refuse(error)
            return Refused(answer, orjson.dumps(answer.body()))
        if stream is not None:
            return stream
        return await self._answer(asked, self.headers, self.scope)

    async def _subscribe(self, asked: dict[str, Any]) -> Stream | None:
        service = self.service
        viewer = viewer_of(self.scope, service.visitor)
        accepted = header(self.headers, b"accept-language")
        chain = service.languages
        languages = chain if accepted is None else preferred_languages(accepted, chain)
        request, is_named = make_request(asked, languages, service.documents)
        levels = service.dataset.levels
        snapshot = levels.at(viewer.level).snapshot
        prepare = partial(service.subscriber.prepare, request, snapshot, viewer, levels.revision)
        subscription = await _lane().run(prepare, service.settings.graphql_queue)
        if subscription is None:
            return None
        if is_named:
            service.documents.learn(request.query)
        return service.streams.stream(subscription, self.caller)


def may_ask(origins: Origins, headers: Headers) -> bool:
    """Tell whether the page that opens a connection may: ours, or one of those allowed to ask.

    A browser names the origin of a page and asks nobody whether it may open a WebSocket; other
    clients name none.
    """
    origin = header(headers, b"origin")
    if origin is None:
        return True
    host = header(headers, b"host")
    return origin.partition("://")[2] == host or origins.allow(origin)


def address_key(scope: Scope) -> str:
    """Return the key under which the use of an address is counted."""
    client = scope.get("client")
    return rate_key(client[0] if client else "")


@cache
def _lane() -> Lane:
    return Lane("new subscriptions", 1)
