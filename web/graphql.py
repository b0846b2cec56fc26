"""GraphQL over HTTP: POST and GET, both media types, the form for people, the SDL.

Floor 5. What a request means and what it may cost is `schema/`'s; here is what the protocol asks
for: media types, status codes, and that only queries come by GET. A dear query runs in a thread.
"""

from __future__ import annotations

import hashlib
from functools import cache, partial
from typing import Any, Final

import anyio
import anyio.to_thread
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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
from web.templating import render_page
from web.texts import LANGUAGES

GRAPHQL: Final = "application/graphql-response+json"
JSON: Final = "application/json"
HTML: Final = "text/html"
_UTF8: Final = "; charset=utf-8"


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [
        Route("/graphql", answer_graphql, methods=["GET", "POST"]),
        Route("/schema.graphql", serve_sdl, methods=["GET"]),
    ]


async def answer_graphql(request: Request) -> Response:
    """Answer a GraphQL request; to a browser without a query, show the form."""
    is_post = request.method == "POST"
    offered = [JSON, GRAPHQL] if is_post else [JSON, GRAPHQL, HTML]
    media_type = choose_media_type(request.headers.get("accept"), offered)
    if media_type == HTML:
        return await _show_form(request)
    asked = await _read_body(request) if is_post else _read_query(request)
    answer = await _answer(request, asked)
    response = _respond(answer, media_type)
    if VIEWER in request.scope:
        response.headers["Cache-Control"] = PRIVATE
    return response


async def serve_sdl(request: Request) -> Response:
    """The schema in the schema definition language, sorted: what clients are generated from."""
    content, tag = _sdl()

    def make() -> Response:
        headers = {"Cache-Control": "no-cache"}
        return Response(content, headers=headers, media_type="application/graphql")

    return answer_if_changed(request, tag, make)


async def _answer(request: Request, asked: execute.Request) -> Answer:
    service = request.app.state.service
    try:
        viewer = viewer_of(request, service.settings)
    except AccessError as error:
        return Answer(None, (execute.error_entry(error),), failed=True, error=error)
    snapshot = service.dataset.snapshot_for(viewer)
    if service.engine.knows(asked):
        prepared = service.engine.prepare(asked, snapshot, viewer)
    else:  # reading and validating a new document would hold the others up
        prepare = partial(service.engine.prepare, asked, snapshot, viewer)
        prepared = await anyio.to_thread.run_sync(prepare, limiter=_turns())
    if isinstance(prepared, Answer):
        return prepared
    if prepared.cost > service.settings.graphql_inline_cost:
        return await anyio.to_thread.run_sync(service.engine.run, prepared, limiter=_turns())
    return service.engine.run(prepared)  # type: ignore[no-any-return]


def _respond(answer: Answer, media_type: str) -> Response:
    """Return the response; plain JSON is 200 for what GraphQL itself refuses, as clients expect."""
    status = 200
    headers = {"Vary": "Accept, Accept-Language", "Cache-Control": "no-cache"}
    if answer.error is not None and (answer.error.status >= 500 or _is_told(answer)):
        status = answer.error.status
        if isinstance(answer.error, AccessError):
            headers |= challenge(answer.error)
    elif answer.failed and media_type == GRAPHQL:
        status = answer.error.status if answer.error is not None else 400
    return Response(orjson.dumps(answer.body()), status, headers, media_type + _UTF8)


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
    return _make_request(request, asked)


async def _read_body(request: Request) -> execute.Request:
    content_type = request.headers.get("content-type", "")
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() != JSON:
        raise UnsupportedMediaTypeError(content_type[:80], (JSON,))
    charset = rest.lower().replace(" ", "").removeprefix("charset=").strip('"')
    if charset and charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaTypeError(content_type[:80], (JSON + _UTF8,))
    body = await request.body()
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadValueError("body", body[:40].decode(errors="replace"), f"JSON: {error}") from None
    if not isinstance(asked, dict):
        raise BadValueError("body", type(asked).__name__, "one JSON object; batches are not taken")
    return _make_request(request, asked)


def _make_request(request: Request, asked: dict[str, Any]) -> execute.Request:
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
    return execute.Request(query, operation, variables, _languages(request))


def _languages(request: Request) -> tuple[str, ...]:
    """Return the reader's languages, the preferred first, then the service's chain."""
    chain: tuple[str, ...] = request.app.state.service.settings.language_chain
    header = request.headers.get("accept-language")
    if not header:
        return chain
    wanted = sorted(read_qualities(header), key=lambda item: -item[1])
    return (*(tag for tag, quality in wanted if quality > 0 and tag != "*"), *chain)


# --- for people -------------------------------------------------------------------------------


async def _show_form(request: Request) -> Response:
    """Show the form; with a query, its answer below it."""
    language = request_language(request, LANGUAGES)
    query = request.query_params.get("query", "")
    variables = request.query_params.get("variables", "")
    answer: str | None = None
    if query.strip():
        found = await _answer(request, _read_query(request))
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
