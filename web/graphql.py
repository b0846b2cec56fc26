"""GraphQL over HTTP: POST and GET, both media types, the form for people, the SDL.

Floor 5. What a request means and what it may cost is `schema/`'s; here is what the protocol asks
for: media types, status codes, and that only queries come by GET. A dear query runs in a thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache, partial
from typing import Any, Final

import anyio
import anyio.to_thread
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graph.errors import (
    AccessError,
    BadValueError,
    QueryTooLargeError,
    UnsupportedMediaTypeError,
)
from schema import execute
from schema.execute import Answer
from schema.questions import worked_questions
from schema.types import SDL
from web.access import PRIVATE, VIEWER, viewer_of
from web.conditional import answer_if_changed
from web.negotiation import choose_media_type, read_qualities, request_language
from web.problems import challenge
from web.service import Service
from web.templating import render_page
from web.texts import LANGUAGES

PATH: Final = "/graphql"
GRAPHQL: Final = "application/graphql-response+json"
JSON: Final = "application/json"
HTML: Final = "text/html"
_UTF8: Final = "; charset=utf-8"


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
        if scope["method"] != "POST":
            request = Request(scope, receive)
            response = await _answer_get(request)
            await response(scope, receive, send)
            return
        headers = dict(scope["headers"])
        media_type = choose_media_type(_header(headers, b"accept"), (JSON, GRAPHQL))
        asked = _read_body(headers, await _receive_body(receive))
        service = scope["app"].state.service
        answer = await _answer(service, _make_request(asked, _languages(service, headers)), scope)
        body = orjson.dumps(answer.body())
        head = _head(answer, media_type, is_private=VIEWER in scope)
        sent = [*head, (b"content-length", str(len(body)).encode())]
        status = _status_of(answer, media_type)
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})


async def _answer_get(request: Request) -> Response:
    offered = (JSON, GRAPHQL, HTML)
    media_type = choose_media_type(request.headers.get("accept"), offered)
    if media_type == HTML:
        return await _show_form(request)
    answer = await _answer(request.app.state.service, _read_query(request), request.scope)
    response = Response(orjson.dumps(answer.body()), _status_of(answer, media_type))
    response.raw_headers.extend(_head(answer, media_type, is_private=VIEWER in request.scope))
    return response


async def serve_sdl(request: Request) -> Response:
    """The schema in the schema definition language, sorted: what clients are generated from."""
    content, tag = _sdl()

    def make() -> Response:
        headers = {"Cache-Control": "no-cache"}
        return Response(content, headers=headers, media_type="application/graphql")

    return answer_if_changed(request, tag, make)


async def _answer(service: Service, asked: execute.Request, scope: Scope) -> Answer:
    try:
        viewer = viewer_of(scope, service.visitor)
    except AccessError as error:
        return Answer(None, (execute.error_entry(error),), failed=True, error=error)
    snapshot = service.dataset.snapshot_for(viewer)
    engine = service.engine
    if engine.knows(asked):
        prepared = engine.prepare(asked, snapshot, viewer)
    else:  # reading and validating a new document would hold the others up
        prepare = partial(engine.prepare, asked, snapshot, viewer)
        prepared = await anyio.to_thread.run_sync(prepare, limiter=_turns())
    if isinstance(prepared, Answer):
        return prepared
    if prepared.cost > service.settings.graphql_inline_cost:
        return await anyio.to_thread.run_sync(engine.run, prepared, limiter=_turns())
    return engine.run(prepared)


def _status_of(answer: Answer, media_type: str) -> int:
    """Return the status; plain JSON is 200 for what GraphQL itself refuses, as clients expect."""
    if answer.error is not None and (answer.error.status >= 500 or _is_told(answer)):
        return answer.error.status
    if answer.failed and media_type == GRAPHQL:
        return answer.error.status if answer.error is not None else 400
    return 200


def _head(answer: Answer, media_type: str, *, is_private: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of an answer but for its length."""
    head = _usual_head(media_type, is_private)
    if isinstance(answer.error, AccessError):
        challenged = challenge(answer.error).items()
        return (*head, *((name.lower().encode(), value.encode()) for name, value in challenged))
    return head


@cache
def _usual_head(media_type: str, is_private: bool) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"content-type", (media_type + _UTF8).encode()),
        (b"vary", b"Accept, Accept-Language"),
        (b"cache-control", PRIVATE.encode() if is_private else b"no-cache"),
    )


def _is_told(answer: Answer) -> bool:
    """Whether the status says what was wrong in plain JSON too: limits, and who may ask."""
    return answer.failed and isinstance(answer.error, QueryTooLargeError | AccessError)


# --- what is asked ----------------------------------------------------------------------------


def _read_query(request: Request) -> execute.Request:
    parameters = request.query_params
    variables: Any = None
    if parameters.get("variables"):
        try:
            variables = orjson.loads(parameters["variables"])
        except orjson.JSONDecodeError:
            raise BadValueError("variables", parameters["variables"][:80], "JSON") from None
    asked = {
        "query": parameters.get("query"),
        "variables": variables,
        "operationName": parameters.get("operationName") or None,
    }
    service = request.app.state.service
    return _make_request(asked, _languages(service, dict(request.scope["headers"])))


async def _receive_body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _read_body(headers: Mapping[bytes, bytes], body: bytes) -> dict[str, Any]:
    _check_content_type(_header(headers, b"content-type") or "")
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadValueError("body", body[:40].decode(errors="replace"), f"JSON: {error}") from None
    if not isinstance(asked, dict):
        raise BadValueError("body", type(asked).__name__, "one JSON object; batches are not taken")
    return asked


@lru_cache(maxsize=64)
def _check_content_type(content_type: str) -> None:
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() != JSON:
        raise UnsupportedMediaTypeError(content_type[:80], (JSON,))
    charset = rest.lower().replace(" ", "").removeprefix("charset=").strip('"')
    if charset and charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaTypeError(content_type[:80], (JSON + _UTF8,))


def _make_request(asked: Mapping[str, Any], languages: tuple[str, ...]) -> execute.Request:
    query, variables = asked.get("query"), asked.get("variables")
    operation = asked.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise BadValueError("query", str(query)[:40], "a GraphQL document")
    if variables is not None and not isinstance(variables, dict):
        raise BadValueError("variables", str(variables)[:40], "a JSON object")
    if operation is not None and not isinstance(operation, str):
        raise BadValueError("operationName", str(operation)[:40], "text")
    extensions = asked.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise BadValueError("extensions", str(extensions)[:40], "a JSON object")
    explain = extensions is not None and extensions.get("explain") is True
    return execute.Request(query, operation, variables, languages, explain)


def _languages(service: Service, headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """Return the reader's languages, the preferred first, then the service's chain."""
    chain = service.languages
    header = _header(headers, b"accept-language")
    return chain if header is None else _preferred(header, chain)


@lru_cache(maxsize=256)
def _preferred(header: str, chain: tuple[str, ...]) -> tuple[str, ...]:
    wanted = sorted(read_qualities(header), key=lambda item: -item[1])
    return (*(tag for tag, quality in wanted if quality > 0 and tag != "*"), *chain)


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


# --- for people -------------------------------------------------------------------------------


async def _show_form(request: Request) -> Response:
    """Show the form; with a query, its answer below it."""
    language = request_language(request, LANGUAGES)
    query = request.query_params.get("query", "")
    variables = request.query_params.get("variables", "")
    answer: str | None = None
    if query.strip():
        found = await _answer(request.app.state.service, _read_query(request), request.scope)
        answer = orjson.dumps(found.body(), option=orjson.OPT_INDENT_2).decode()
    context = {
        "query": query,
        "variables": variables,
        "answer": answer,
        "questions": worked_questions(language),
    }
    return render_page(request, "graphql.html", context)


@cache
def _turns() -> anyio.CapacityLimiter:
    """Return what lets one dear query run at a time: threads of one interpreter only trip up."""
    return anyio.CapacityLimiter(1)


@cache
def _sdl() -> tuple[bytes, str]:
    content = SDL.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'
