"""The SPARQL 1.1 Graph Store HTTP Protocol: a graph is read, replaced, added to or taken away.

Floor 5. A graph is named by `?graph=IRI` or `?default`, or by the path below `/graphs/`. Who may
write, and what, is said where writing is done.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.access import Level, Viewer, anonymous
from graph.curation.formats import FORMATS, Format, format_of_media_type
from graph.errors import (
    BadValueError,
    PayloadTooLargeError,
    QueryTooLargeError,
    UnsupportedMediaTypeError,
)
from graph.store.prefixes import PREFIXES
from graph.store.query import ANSWER_BYTES, Query, RdfText
from graph.store.writes import Held, Written
from graph.terms import is_iri
from web.access import PRIVATE, VIEWER, viewer_of
from web.conditional import matches
from web.frame import MIN_REVISION, REVISION, read_revision
from web.limits import GRAPHS_PATH
from web.negotiation import UTF_8, choose_media_type, read_content_type
from web.parts import PartsResponse, run_limited
from web.sparql import GRAPHS, media_types, written_as
from web.sparql_update import let_be_seen

if TYPE_CHECKING:
    from web.service import Sparql

_MULTIPART: Final = "multipart/form-data"
_PARTS_MAX: Final = 100
#: What RFC 2046 lets a boundary be.
_BOUNDARY: Final = re.compile(r"[A-Za-z0-9'()+_,\-./:=? ]{0,69}[A-Za-z0-9'()+_,\-./:=?]")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_ALL: Final = 2**31
#: The revision in an entity tag of a graph.
_TAG: Final = re.compile(r'(?<!W/)"([0-9]{1,15})-[a-z-]+"')
_TAGS_CHARACTERS: Final = 4_000


def routes() -> list[Route]:
    """Return the routes of this module."""
    reading, writing = ["GET", "HEAD"], ["PUT", "POST", "DELETE"]
    return [
        Route(path, endpoint, methods=methods)
        for path in (GRAPHS_PATH, f"{GRAPHS_PATH}/{{name:path}}")
        for endpoint, methods in ((read_graph, reading), (write_graph, writing))
    ]


async def read_graph(request: Request) -> Response:
    """One graph, whole, in any RDF format (Graph Store Protocol)."""
    service: Sparql = request.app.state.service
    graph = _require_name(request)
    media_type = choose_media_type(request.headers.get("accept"), media_types(GRAPHS))
    format = next(name for name, types in GRAPHS.items() if media_type in types)
    viewer = viewer_of(request.scope, anonymous(service.settings))
    pool = await service.pool_for(viewer)
    query = Query(
        text=graph or "",
        format=written_as(format),
        deadline_s=viewer.query_deadline_s,
        rows_max=_ALL,
        prefixes=PREFIXES,
        is_graph=True,
        in_parts=True,
        caller="anonymous" if viewer.is_anonymous else "token",
        level=viewer.level,
    )
    seen = read_revision(request.headers.get(MIN_REVISION, "0"))
    least = max(seen, service.sparql_revision)
    answer = await run_limited(service.limiter, request, lambda: pool.query(query, least))
    if answer.is_truncated:
        if answer.rest is not None:
            await answer.rest.close()
        place = f"the graph; {service.larger_graphs}"
        raise PayloadTooLargeError("bytes of an answer", ANSWER_BYTES, place=place)
    headers = {
        "Vary": "Accept",
        "Cache-Control": PRIVATE if VIEWER in request.scope else "no-cache",
        REVISION: str(answer.revision),
    }
    changed = service.changed_revision(viewer)
    if changed is not None:
        headers["ETag"] = _write_tag(min(answer.revision, changed), format, viewer)
    if matches(request.headers.get("if-none-match"), headers.get("ETag", "")):
        if answer.rest is not None:
            await answer.rest.close()
        return Response(status_code=304, headers=headers)
    if answer.rest is not None:
        return PartsResponse(answer.rest, answer.size, headers, media_type)
    return Response(answer.body, headers=headers, media_type=media_type)


def _write_tag(revision: int, format: str, viewer: Viewer) -> str:
    """Return the tag of a graph as a viewer reads it: who sees more holds something else.

    It names the last revision that changed anything that the viewer sees, and so tells of nothing
    that is hidden.
    """
    level = "" if viewer.level is Level.PUBLIC else f"-{viewer.level.name.lower()}"
    return f'"{revision}-{format}{level}"'


async def write_graph(request: Request) -> Response:
    """Replace a graph (PUT), add to it (POST) or take it away (DELETE), as one change."""
    service: Sparql = request.app.state.service
    viewer = viewer_of(request.scope, anonymous(service.settings))
    service.writes.admit(viewer)
    name, is_new = _read_name(request), False
    if name is None and request.method == "POST" and service.base_of(request) is not None:
        address = service.address_of(request)
        name, is_new = f"{address}/{secrets.token_urlsafe(12)}", True
    graph = _require_name(request) if name is None else name or None
    held = _read_held(request)
    if request.method == "DELETE":
        work = partial(service.writes.drop, graph, viewer, held)
    else:
        work = partial(_put, request, await request.body(), graph, viewer, held)
    async with service.limiter.query(request):
        written: Written = await anyio.to_thread.run_sync(work)
    await let_be_seen(service, viewer, written.revision)
    headers = {REVISION: str(written.revision), "Cache-Control": "no-store"}
    if is_new and graph is not None:
        headers["Location"] = graph
    return Response(status_code=204 if written.existed else 201, headers=headers)


def _put(
    request: Request, body: bytes, graph: str | None, viewer: Viewer, held: Held | None
) -> Written:
    """Read a body and write what it says; not for the event loop."""
    service: Sparql = request.app.state.service
    texts, base = _read_texts(request, body), graph or service.base_of(request)
    is_replaced = request.method == "PUT"
    return service.writes.put(graph, texts, base, viewer, is_replaced=is_replaced, held=held)


def _read_held(request: Request) -> Held | None:
    """Return what the client takes the graph to be (RFC 9110 sections 13.1.1 and 13.1.2).

    A tag names the revision at which a graph was read. Of several the newest counts: a graph that
    is still as it was at an older one has not changed since the newest either.
    """
    asked, absent = request.headers.get("if-match"), request.headers.get("if-none-match")
    if asked is not None and absent is not None:
        raise BadValueError("If-None-Match", absent[:40], "none beside If-Match")
    if absent is not None:
        if absent.strip() != "*":
            raise BadValueError("If-None-Match", absent[:40], "`*`, to write what is not there")
        return Held("If-None-Match: *", exists=False)
    if asked is None:
        return None
    condition = f"If-Match: {asked[:80]}"
    if asked.strip() == "*":
        return Held(condition, exists=True)
    # What no answer had as its tag belongs to no revision.
    revisions = map(int, _TAG.findall(asked[:_TAGS_CHARACTERS]))
    return Held(condition, max(revisions, default=_ALL), exists=True)


def _require_name(request: Request) -> str | None:
    """Return the IRI of the graph that is asked, None for the default graph."""
    name = _read_name(request)
    if name is None:
        raise BadValueError("graph", "", "`?default`, `?graph=` and an IRI, or a path below it")
    return name or None


def _read_name(request: Request) -> str | None:
    """Return the IRI of a graph, the empty text for the default graph, None where none is named.

    Raises
    ------
    BadValueError
        It is named twice, or by what is no absolute IRI.
    """
    service: Sparql = request.app.state.service
    asked = request.query_params.multi_items()
    names = [value for key, value in asked if key == "graph"]
    defaults = [value for key, value in asked if key == "default"]
    unknown = [key for key, _ in asked if key not in ("graph", "default")]
    if unknown:
        raise BadValueError("query parameter", unknown[0][:40], "`graph` or `default`")
    path = request.path_params.get("name")
    if len(names) + len(defaults) + (path is not None) > 1:
        raise BadValueError("graph", "two", "one graph, by `graph`, by `default` or by the path")
    if defaults:
        return ""
    if path is not None:
        names = [service.graph_at(request, path)]
    if names and not is_iri(names[0]):
        raise BadValueError("graph", names[0][:200], "an absolute IRI")
    return names[0] if names else None


def _read_texts(request: Request, body: bytes) -> list[RdfText]:
    """Return the RDF of a body: one text, or the parts of a form with files.

    Raises
    ------
    UnsupportedMediaTypeError
        It is no RDF, or packed.
    BadValueError, QueryTooLargeError
        It is no whole form, or one of too many parts.
    """
    packed = request.headers.get("content-encoding", "identity")
    if packed.lower() != "identity":
        raise UnsupportedMediaTypeError(f"Content-Encoding: {packed[:80]}", ("identity",))
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != _MULTIPART:
        return [_read_text(content_type, body)]
    parts = list(_split_form(body, _read_boundary(content_type)))
    if not parts:
        raise BadValueError("body", "", "a form with at least one part")
    return [_read_part(part) for part in parts]


def _read_boundary(content_type: str) -> bytes:
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_boundary("")
    if not _BOUNDARY.fullmatch(boundary):
        expected = f"{_MULTIPART} with a boundary of 1 to 70 characters"
        raise BadValueError("Content-Type", content_type[:200], expected)
    return boundary.encode("ascii")


def _split_form(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Yield the parts of a form, each from the end of the line of its boundary.

    Parts are never looked into for parts of their own, so that the cost is one pass.
    """
    line = re.compile(rb"(?:\A|\n)--" + re.escape(boundary) + rb"(--)?[ \t]*+(?=\r?\n|\Z)")
    start = None
    for count, found in enumerate(line.finditer(body)):
        if start is not None:
            yield body[start : found.start()].removesuffix(b"\r")
        if found[1]:
            return
        if count == _PARTS_MAX:
            raise QueryTooLargeError("parts of a form", _PARTS_MAX)
        start = found.end()
    if start is not None:
        raise BadValueError("body", "a part", "a form that ends with its boundary and `--`")


def _read_part(part: bytes) -> RdfText:
    end = _HEAD_END.search(part)
    head, content = (part, b"") if end is None else (part[: end.start()], part[end.end() :])
    message = BytesHeaderParser().parsebytes(head.lstrip(b"\r\n"))
    content_type = str(message.get("content-type", ""))
    message.set_payload(content.decode("ascii", "surrogateescape"))
    data = message.get_payload(decode=True)
    return _read_text(content_type, data if isinstance(data, bytes) else b"")


def _read_text(content_type: str, data: bytes) -> RdfText:
    format: Format = format_of_media_type(content_type[:200])
    _, charsets = read_content_type(content_type)
    if not charsets <= UTF_8 | {"us-ascii"}:  # which is UTF-8, too
        accepted = tuple(known.media_type for known in FORMATS)
        raise UnsupportedMediaTypeError(content_type[:200], accepted)
    return RdfText(format.key, data)
