"""The HTTP face of every error: problem+json of RFC 9457, or a page for people.

Floor 5. The one place where an error becomes an answer; endpoints raise and know nothing of it.
Starlette looks the handlers up along the class hierarchy, so one handler serves the whole tree.
"""

from __future__ import annotations

import inspect
import logging
import math
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from graph.errors import (
    AccessError,
    BadValueError,
    ForbiddenError,
    MethodNotAllowedError,
    NotAcceptableError,
    NotFoundError,
    RangeNotSatisfiableError,
    RhizomeError,
    UnauthenticatedError,
)
from web.negotiation import choose_media_type
from web.templating import render_page

PROBLEM_JSON: Final = "application/problem+json"
#: A problem's `type`: the page of errors has a line for each code, docs/errors.md a heading.
ERROR_BASE: Final = "https://w3id.org/rhizome/errors#"
INTERNAL: Final = "INTERNAL"

_logger = logging.getLogger("rhizome.web")


def describe_error(error: RhizomeError, store: Path | None = None) -> dict[str, object]:
    """Return the problem object of an error: RFC 9457's members, code, and the error's fields.

    Where the store's folder is given, texts say `<store>` instead: a path of the server is
    nothing that a client may learn.
    """
    members: dict[str, object] = {
        "type": f"{ERROR_BASE}{error.code}",
        "title": title_of(type(error)),
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }
    for name, value in error.details().items():
        members.setdefault(name, value)
    if store is not None and error.status >= 500:
        for name, value in members.items():
            if isinstance(value, str):
                members[name] = _hide_folder(value, store)
    return members


def describe_bug(reference: str) -> dict[str, object]:
    """Return the problem object of a bug: a reference into the log and nothing else."""
    return {
        "type": f"{ERROR_BASE}{INTERNAL}",
        "title": "Something went wrong inside the service.",
        "status": 500,
        "detail": f"this is a fault of the service, not of the request; reference {reference}",
        "code": INTERNAL,
        "reference": reference,
    }


def title_of(kind: type[RhizomeError]) -> str:
    """Return the summary of a class of errors, the same for every occurrence."""
    return (inspect.getdoc(kind) or kind.__name__).splitlines()[0]


def encode_problem(problem: Mapping[str, object]) -> bytes:
    """Return the JSON text of a problem object."""
    return orjson.dumps(dict(problem), default=str)


def problem_headers(error: RhizomeError) -> dict[str, str]:
    """Return the headers that an error's answer carries beside its type."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Language"}
    if isinstance(error, MethodNotAllowedError):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, AccessError):
        headers |= challenge(error)
    if isinstance(error, RangeNotSatisfiableError):
        headers["Content-Range"] = f"bytes */{error.size}"
    if error.status == 413:
        headers["Connection"] = "close"  # the rest of the body is not worth reading
    if error.retry:
        after_s = getattr(error, "retry_after_s", 1.0)
        headers["Retry-After"] = str(max(1, math.ceil(after_s)))
    return headers


def challenge(error: AccessError) -> dict[str, str]:
    """Return the header by which RFC 6750 says what token is needed, or nothing."""
    text = 'Bearer realm="rhizome"'
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": f'{text}, error="{error.error}"' if error.error else text}
    if isinstance(error, ForbiddenError) and error.scope:
        wanted = f'{text}, error="insufficient_scope", scope="{error.scope}"'
        return {"WWW-Authenticate": wanted}
    return {}


def answer_error(request: Request, error: RhizomeError) -> Response:
    """Return the answer to a request that ended in an error."""
    if error.status in (500, 507):  # damage, or no room: not for the client to mend
        fields = {"code": error.code, "path": request.url.path, "is": str(error)}
        _logger.error("a store fails", extra={"fields": fields})
    store = request.app.state.service.settings.store
    return _answer(request, describe_error(error, store), problem_headers(error))


def answer_bug(request: Request, bug: Exception) -> Response:
    """Return the answer to a request that met a bug; the trace goes to the log alone."""
    reference = uuid.uuid4().hex[:12]
    _logger.error(
        "bug",
        exc_info=bug,
        extra={"fields": {"reference": reference, "path": request.url.path}},
    )
    headers = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Language"}
    return _answer(request, describe_bug(reference), headers)


def translate_exception(request: Request, exception: HTTPException) -> RhizomeError:
    """Return the error of the tree that stands for one raised by Starlette."""
    match exception.status_code:
        case 404:
            return NotFoundError(request.url.path[:200])
        case 405:
            return MethodNotAllowedError(request.method, allowed_methods(request))
        case _:
            return BadValueError("request", exception.detail[:200], "one that can be read")


def allowed_methods(request: Request) -> tuple[str, ...]:
    """Return the methods that some route takes at the request's path, in order."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return tuple(sorted(methods))


def handlers() -> dict[Any, Callable[..., Any]]:
    """Return the exception handlers of the application."""
    return {
        RhizomeError: _on_error,
        HTTPException: _on_http_exception,
        ClientDisconnect: _on_disconnect,
    }


async def _on_error(request: Request, error: RhizomeError) -> Response:
    return answer_error(request, error)


async def _on_http_exception(request: Request, exception: HTTPException) -> Response:
    return answer_error(request, translate_exception(request, exception))


async def _on_disconnect(request: Request, error: ClientDisconnect) -> Response:
    """Nobody reads this; 499 marks it in the log, as other servers do."""
    return Response(status_code=499)


def _answer(request: Request, problem: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    status = int(problem["status"])
    if _is_for_people(request):
        return render_page(
            request,
            "error.html",
            {"problem": problem},
            status=status,
            headers=headers,
        )
    return Response(encode_problem(problem), status, headers, PROBLEM_JSON)


def _is_for_people(request: Request) -> bool:
    if getattr(request.app.state.service, "is_plain", False):
        return False  # a bare server has no pages
    offered = (PROBLEM_JSON, "application/json", "text/html")
    try:
        return choose_media_type(request.headers.get("accept"), offered) == "text/html"
    except NotAcceptableError:
        return False


def _hide_folder(text: str, folder: Path) -> str:
    for name in sorted({str(folder.resolve()), str(folder)}, key=len, reverse=True):
        text = text.replace(name, "<store>")
    return text
