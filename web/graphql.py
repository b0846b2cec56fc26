"""GraphQL over HTTP: POST and GET, both media types, the form for people, the SDL.

Floor 5. What a request means and what it may cost is `schema/`'s; here is what the protocol asks
for: media types, status codes, entity tags, compression, and that only queries come by GET. A
dear query runs in a thread.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Final, NamedTuple

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graph.errors import (
    AccessError,
    MethodNotAllowedError,
    NotFoundError,
    QueryTooLargeError,
    RhizomeError,
    UnknownDocumentError,
)
from schema import execute
from schema.execute import Answer, Prepared, PreparedMutation
from schema.faults import error_entry
from schema.questions import worked_questions
from schema.sdl import SDL
from web.access import PRIVATE, REFUSED, VIEWER, viewer_of
from web.answers import COMPRESSED_BYTES, Reply, accepts_gzip
from web.conditional import answer_if_changed, matches, wants_fresh
from web.event_stream import EVENT_STREAM, serve_events
from web.frame import SEEN
from web.graphql_request import (
    JSON,
    UTF8,
    Headers,
    header,
    make_request,
    preferred_languages,
    read_body,
    read_query,
)
from web.lanes import Lane
from web.negotiation import choose_media_type, request_language
from web.problems import challenge
from web.service import Service
from web.templating import render_page
from web.texts import LANGUAGES

PATH: Final = "/graphql"
GRAPHQL: Final = "application/graphql-response+json"
HTML: Final = "text/html"
VARY: Final = "Accept, Accept-Encoding, Accept-Language"
_OFFERED_TO_POST: Final = (JSON, GRAPHQL, EVENT_STREAM)
_OFFERED_TO_GET: Final = (JSON, GRAPHQL, HTML, EVENT_STREAM)
#: Mutations that run at once; more wait.
_WRITERS: Final = 4
#: Longer requests are not kept with their answers.
_KEPT_BYTES: Final = 16 * 1024

# What is answered without an error says nothing more than its bytes.
_ANSWERED: Final = Answer({})

RawHeaders = tuple[tuple[bytes, bytes], ...]

#: Where a scope holds its request ready to run, if it was looked at before.
PREPARED: Final = "rhizome.prepared"
#: Tells that the body is compressed.
PACKED: Final[RawHeaders] = ((b"content-encoding", b"gzip"),)


class Found(NamedTuple):
    """An answer and its bytes, and the revision it is made from where nothing else went into it."""

    answer: Answer
    body: bytes
    revision: int | None = None


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [
        Route(PATH, GraphQL(), methods=["GET", "POST"]),
        Route("/schema.graphql", serve_sdl, methods=["GET"]),
    ]


class GraphQL:
    """Answers a GraphQL request; to a browser without a query, shows the form.

    An ASGI application: a POST is answered from the bare scope. A small read takes a tenth of a
    millisecond, and Starlette's request, response and routing would take half as much again.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: Headers = dict(scope["headers"])
        is_post = scope["method"] == "POST"
        offered = _OFFERED_TO_POST if is_post else _OFFERED_TO_GET
        media_type = choose_media_type(header(headers, b"accept"), offered)
        if media_type == HTML:
            request = Request(scope, receive)
            await (await _show_form(request))(scope, receive, send)
            return
        source = await _receive_body(receive) if is_post else scope["query_string"]
        if media_type == EVENT_STREAM:
            asked = read_body(headers, source) if is_post else read_query(source)
            await serve_events(scope, receive, send, headers, asked, answer_request)
            return
        service: Service = scope["app"].state.service
        key = answer_key(scope, headers, source, media_type)
        if key is not None and service.revision is not None:
            seen = service.dataset.snapshot_for(service.visitor)
            kept = service.answers.get(seen.revision, key)
            if kept is not None:
                await _send(scope, headers, send, kept)
                return
        if PREPARED in scope:
            asked = {}  # it was read before
        else:
            asked = read_body(headers, source) if is_post else read_query(source)
        found = await answer_request(asked, headers, scope)
        reply = Reply(found.body, media_type)
        if key is not None and found.revision is not None:
            service.answers.put(found.revision, key, sum(map(len, key)), reply)
        await _send(scope, headers, send, reply, found.answer)


async def serve_sdl(request: Request) -> Response:
    """The schema in the schema definition language, sorted: what clients are generated from."""
    service: Service = request.app.state.service
    if not service.settings.graphql_introspection:
        raise NotFoundError(request.url.path)
    content, tag = _sdl()

    def make() -> Response:
        headers = {"Cache-Control": "no-cache"}
        return Response(content, headers=headers, media_type="application/graphql")

    return answer_if_changed(request, tag, make)


def answer_key(
    scope: Scope, headers: Headers, source: bytes, media_type: str
) -> tuple[bytes | str, ...] | None:
    """Return all that a visitor's answer depends on but for the data; None: it is not kept."""
    if VIEWER in scope or REFUSED in scope:
        return None
    if b"cache-control" in headers and wants_fresh(header(headers, b"cache-control")):
        return None
    languages, kind = headers.get(b"accept-language", b""), headers.get(b"content-type", b"")
    if len(source) + len(languages) + len(kind) > _KEPT_BYTES:
        return None
    return (source, scope["method"], media_type, languages, kind)


async def answer_request(asked: dict[str, object], headers: Headers, scope: Scope) -> Found:
    """Return the answer to a query or mutation: what is asked, who asks, and how."""
    service: Service = scope["app"].state.service
    engine, waiting_max = service.engine, service.settings.graphql_queue
    prepared = scope.pop(PREPARED, None) or await _prepare(asked, headers, scope)
    if isinstance(prepared, Answer):
        return Found(prepared, orjson.dumps(prepared.body()))
    if isinstance(prepared, PreparedMutation):
        found = await _writers().run(partial(_write, service, prepared), waiting_max)
        scope[SEEN] = found.answer.revision or scope.get(SEEN)
        return found
    if prepared.cost <= service.settings.graphql_inline_cost:
        return run_prepared(engine, prepared)
    async with service.limiter.query(Request(scope)) as use:  # one at a time for an address
        timed = partial(_time, partial(run_prepared, engine, prepared))
        found, use.seconds = await _turns().run(timed, waiting_max)
    return found


async def _prepare(
    asked: dict[str, object], headers: Headers, scope: Scope
) -> Prepared | PreparedMutation | Answer:
    """Return what is asked ready to run, or the answer that refuses it."""
    service: Service = scope["app"].state.service
    try:
        viewer = viewer_of(scope, service.visitor)
        accepted = header(headers, b"accept-language")
        chain = service.languages
        languages = chain if accepted is None else preferred_languages(accepted, chain)
        may_write = scope["method"] == "POST"
        request, is_named = make_request(asked, languages, service.documents, may_write=may_write)
    except (AccessError, UnknownDocumentError) as error:
        return Answer(None, (error_entry(error),), failed=True, error=error)
    snapshot = service.dataset.snapshot_for(viewer)
    engine = service.engine
    if engine.knows(request):
        prepared = engine.prepare(request, snapshot, viewer)
    else:  # reading and validating a new document would hold the others up
        prepare = partial(engine.prepare, request, snapshot, viewer)
        prepared = await _readers().run(prepare, service.settings.graphql_queue)
    if is_named and not isinstance(prepared, Answer):
        service.documents.learn(request.query)
    return prepared


def _write(service: Service, prepared: PreparedMutation) -> Found:
    """Run a mutation and write its answer, in the thread of both: it may be long."""
    answer = service.writer.run(prepared)
    return Found(answer, orjson.dumps(answer.body()))


def _time(make: Callable[[], Found]) -> tuple[Found, float]:
    """Return what a function makes, and the processor time of its thread in seconds."""
    began = time.thread_time()
    return make(), time.thread_time() - began


def run_prepared(engine: execute.Engine, prepared: execute.Prepared) -> Found:
    """Return the answer to a prepared request, as bytes: the objects end in the thread, too."""
    answer, body = engine.write(prepared)
    if answer.errors:
        return Found(answer, body)
    return Found(_ANSWERED, body, prepared.run.snapshot.revision)


# --- the answer's way out ---------------------------------------------------------------------


async def _send(
    scope: Scope, headers: Headers, send: Send, reply: Reply, answer: Answer | None = None
) -> None:
    """Send a reply; without an `answer` it is one that was kept."""
    is_private = VIEWER in scope
    status, head = begin_answer(reply.media_type, answer, is_private=is_private)
    body = reply.body
    if scope["method"] != "POST" and status == 200 and not is_private:
        head += ((b"etag", reply.tag.encode()),)
        if matches(header(headers, b"if-none-match"), reply.tag):
            await send({"type": "http.response.start", "status": 304, "headers": head[1:]})
            await send({"type": "http.response.body", "body": b""})
            return
    if len(body) >= COMPRESSED_BYTES and accepts_gzip(header(headers, b"accept-encoding")):
        body = await reply.packed()
        head += PACKED
    sent = [*head, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


def begin_answer(
    media_type: str, answer: Answer | None, *, is_private: bool
) -> tuple[int, RawHeaders]:
    """Return status and headers of an answer; without an `answer` it is one that was kept."""
    head = _head(media_type, is_private)
    if answer is None:
        return 200, head
    if answer.error is not None:
        head += _head_of(answer.error)
    return _status_of(answer, media_type), head


def _status_of(answer: Answer, media_type: str) -> int:
    """Return the status; plain JSON is 200 for what GraphQL itself refuses, as clients expect."""
    if answer.error is not None and (answer.error.status >= 500 or _is_told(answer)):
        return answer.error.status
    if answer.failed and media_type == GRAPHQL:
        return answer.error.status if answer.error is not None else 400
    return 200


def _is_told(answer: Answer) -> bool:
    """Whether the status says what was wrong in plain JSON too: limits, who may ask, and how."""
    told = QueryTooLargeError | AccessError | MethodNotAllowedError
    return answer.failed and isinstance(answer.error, told)


@cache
def _head(media_type: str, is_private: bool) -> RawHeaders:
    return (
        (b"content-type", (media_type + UTF8).encode()),
        (b"vary", VARY.encode()),
        (b"cache-control", PRIVATE.encode() if is_private else b"no-cache"),
    )


def _head_of(error: RhizomeError) -> RawHeaders:
    """Return the headers that an error adds: how to ask instead."""
    if isinstance(error, AccessError):
        named = challenge(error).items()
        return tuple((name.lower().encode(), text.encode()) for name, text in named)
    if isinstance(error, MethodNotAllowedError):
        return ((b"allow", b"POST"),)
    return ()


async def _receive_body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


# --- for people -------------------------------------------------------------------------------


async def _show_form(request: Request) -> Response:
    """Show the form; with a query, its answer below it."""
    language = request_language(request, LANGUAGES)
    query = request.query_params.get("query", "")
    variables = request.query_params.get("variables", "")
    answer: str | None = None
    if query.strip():
        headers = dict(request.scope["headers"])
        found = await answer_request(
            read_query(request.scope["query_string"]), headers, request.scope
        )
        answer = orjson.dumps(orjson.loads(found.body), option=orjson.OPT_INDENT_2).decode()
    context = {
        "query": query,
        "variables": variables,
        "answer": answer,
        "questions": worked_questions(language),
    }
    return render_page(request, "graphql.html", context)


@cache
def _readers() -> Lane:
    return Lane("new documents", 1)


@cache
def _turns() -> Lane:
    return Lane("dear queries", 1)


@cache
def _writers() -> Lane:
    return Lane("changes", _WRITERS)


@cache
def _sdl() -> tuple[bytes, str]:
    content = SDL.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'
