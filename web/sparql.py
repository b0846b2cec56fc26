"""SPARQL over HTTP: query and update of SPARQL 1.1 Protocol, and a form for people.

Floor 5. Checks the text, negotiates the format and answers what a worker returns. An answer begins
when it is sure of, or is broken off where it fails: it never looks like one that succeeded.
Without a query it describes itself (SPARQL 1.1 Service Description).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.access import anonymous
from graph.curation.formats import format_named
from graph.errors import BadValueError, RhizomeError, UnknownTermError
from graph.store.guard import Checked, check_query
from graph.store.prefixes import PREFIXES
from graph.store.query import Answer, Query
from web.access import CALLER, PRIVATE, VIEWER, viewer_of
from web.frame import MIN_REVISION, REVISION, read_revision
from web.kept_tables import Kept, Table, send_table
from web.limits import Caller, address_of
from web.negotiation import choose_media_type, request_language
from web.parts import PartsResponse, run_limited
from web.problems import problem_headers
from web.service_description import NAMESPACES, describe_service
from web.sparql_explain import explain_query, wants_explanation
from web.sparql_page import read_table, worked_questions
from web.sparql_request import Asked, read_request
from web.sparql_update import answer_update
from web.templating import render_page
from web.texts import LANGUAGES

if TYPE_CHECKING:
    from graph.store.pool import Pool
    from web.service import Sparql

PATH: Final = "/sparql"
METHODS: Final = ("GET", "HEAD", "POST")
VARY: Final = "Accept, Accept-Encoding"
TRUNCATED: Final = "Rhizome-Truncated"
HTML: Final = "text/html"
#: Media type by format, the default first; the others are names that clients also use.
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "json": ("application/sparql-results+json", "application/json"),
    "xml": ("application/sparql-results+xml", "application/xml", "text/xml"),
    "csv": ("text/csv",),
    "tsv": ("text/tab-separated-values",),
}
GRAPHS: Final[Mapping[str, tuple[str, ...]]] = {
    "turtle": ("text/turtle", "application/x-turtle"),
    "nt": ("application/n-triples",),
    "rdfxml": ("application/rdf+xml",),
    "jsonld": ("application/ld+json",),
    "trig": ("application/trig", "application/x-trig"),
    "nq": ("application/n-quads", "text/x-nquads"),
}
#: Triples without a graph are written alike in both.
_WRITTEN_AS: Final = {"trig": "turtle", "nq": "nt"}
#: Rows on a page; the formats for programs have them all.
PAGE_ROWS: Final = 500
#: Names of the formats on the page.
LABELS: Final = {
    "json": "JSON",
    "xml": "XML",
    "csv": "CSV",
    "tsv": "TSV",
    "turtle": "Turtle",
    "nt": "N-Triples",
    "rdfxml": "RDF/XML",
    "jsonld": "JSON-LD",
    "trig": "TriG",
    "nq": "N-Quads",
}
# A longer text is checked in a thread: 64 KiB of tokens take 80 ms.
_INLINE_CHARACTERS: Final = 4_000


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [Route(PATH, answer_sparql, methods=["GET", "POST"])]


async def answer_sparql(request: Request) -> Response:
    """Answer a SPARQL query or run an update; alone, describe the service or show the form."""
    service: Sparql = request.app.state.service
    asked = await read_request(request)
    is_page = not service.is_plain and _wants_page(request, asked)
    if asked is not None and asked.is_update:
        return await answer_update(request, asked)
    if asked is None and is_page:
        return _show(request, "")
    if asked is None:
        if request.method == "POST":
            raise BadValueError("query", "", "a SPARQL query; send one as `query`")
        return await _describe_service(request)
    if wants_explanation(request):
        viewer = viewer_of(request.scope, anonymous(service.settings))
        return await explain_query(request, viewer, asked.text, partial(_run, request, asked))
    if is_page:
        return await _answer_page(request, asked)
    return await _respond(request, await _answer(request, asked))


async def _respond(request: Request, table: Table) -> Response:
    answer, headers = table.answer, headers_of(request, table)
    if answer.rest is not None:
        return PartsResponse(answer.rest, answer.size, headers, table.media_type)
    return await send_table(request, table, headers)


def headers_of(request: Request, table: Table) -> dict[str, str]:
    """Return the headers of an answer."""
    kept = PRIVATE if VIEWER in request.scope else "no-cache"
    return {"Vary": VARY, "Cache-Control": kept, **_describe(table.answer)}


async def _run(request: Request, asked: Asked) -> Answer:
    return (await _answer(request, asked, is_whole=True, is_new=True)).answer


async def _describe_service(request: Request) -> Response:
    """Answer what the service is and can do, in an RDF format."""
    service: Sparql = request.app.state.service
    address = service.address_of(request)
    text = describe_service(address, service.settings, is_plain=service.is_plain)
    asked = Asked(text, (), (), format=request.query_params.get("format"))
    return await _respond(request, await _answer(request, asked, NAMESPACES))


@dataclass(frozen=True, slots=True)
class _Ready:
    """A query ready to be answered: as workers take it, where it may be kept, for which revision.

    `checked` is what the guard found in it, `media_type` what its answer is.
    """

    query: Query
    checked: Checked
    media_type: str
    kept: Kept
    least: int


async def _answer(
    request: Request,
    asked: Asked,
    prefixes: Mapping[str, str] = PREFIXES,
    *,
    is_page: bool = False,
    is_whole: bool = False,
    is_new: bool = False,
    named: str | None = None,
) -> Table:
    """Return the answer that is kept, or the workers'; `is_whole` has it in one piece.

    The format is `named`, or negotiated. `is_new` has it from the workers.
    """
    service: Sparql = request.app.state.service
    if len(asked.text) > _INLINE_CHARACTERS:
        checked = await anyio.to_thread.run_sync(check_query, asked.text, service.settings)
    else:
        checked = check_query(asked.text, service.settings)
    pool = await service.pool_for(viewer_of(request.scope, anonymous(service.settings)))
    ready = _prepare(
        request, asked, checked, pool, prefixes, is_page=is_page, is_whole=is_whole, named=named
    )
    if not is_new and (found := _look(request, pool, ready)) is not None:
        return found
    query, least = ready.query, ready.least
    answer = await run_limited(service.limiter, request, lambda: pool.query(query, least))
    table = Table(answer, ready.media_type)
    ready.kept.keep(table)
    return table


def look_at_once(request: Request, asked: Asked) -> tuple[Table, bool] | None:
    """Return a visitor's answer that is kept, or that takes no worker; None goes the usual way.

    Beside it stands whether it is kept for the next who asks.

    Raises
    ------
    RhizomeError
        What is wrong with it; the usual way tells that.
    """
    service: Sparql = request.app.state.service
    checked = check_query(asked.text, service.settings)
    if checked.form not in ("SELECT", "ASK") or _wants_page(request, asked):
        return None
    ready = _prepare(request, asked, checked, service.pool, PREFIXES)
    table = _look(request, service.pool, ready)
    return None if table is None else (table, ready.kept.find(ready.least) is table)


def _prepare(
    request: Request,
    asked: Asked,
    checked: Checked,
    pool: Pool,
    prefixes: Mapping[str, str],
    *,
    is_page: bool = False,
    is_whole: bool = False,
    named: str | None = None,
) -> _Ready:
    service: Sparql = request.app.state.service
    settings = service.settings
    formats = TABLES if checked.form in ("SELECT", "ASK") else GRAPHS
    format, media_type = next(iter(formats)), HTML
    if named is not None:
        format, media_type = named, formats[named][0]
    elif not is_page:
        format, media_type = _choose_format(request, asked, formats)
    viewer = viewer_of(request.scope, anonymous(settings))
    query = Query(
        text=asked.text,
        format=written_as(format),
        deadline_s=viewer.query_deadline_s,
        default_graphs=asked.default_graphs,
        named_graphs=asked.named_graphs,
        prologue=checked.prologue,
        from_graphs=checked.from_graphs,
        from_named_graphs=checked.from_named_graphs,
        rows_max=min(settings.sparql_rows, PAGE_ROWS) if is_page else settings.sparql_rows,
        base=service.base_of(request),
        prefixes=prefixes,
        in_parts=not (is_page or is_whole),
        streamed_rows=0 if is_page or viewer.is_anonymous else settings.sparql_token_rows,
        streamed_bytes=settings.sparql_token_bytes,
        is_cut=checked.is_cut,
        caller="anonymous" if viewer.is_anonymous else "token",
        origin=address_of(request),
        level=viewer.level,
    )
    seen = read_revision(request.headers.get(MIN_REVISION, "0"))
    kept = Kept(service.tables, pool, request, media_type, checked, query)
    return _Ready(query, checked, media_type, kept, max(seen, service.sparql_revision))


def _look(request: Request, pool: Pool, ready: _Ready) -> Table | None:
    """Return an answer that is kept, or found without a worker."""
    found = ready.kept.find(ready.least)
    standing = pool.standing
    if found is not None or standing is None or standing.revision < ready.least:
        return found
    answer = _match(request, ready.query, ready.checked, standing.revision)
    if answer is None:
        return None
    table = Table(answer, ready.media_type)
    ready.kept.keep(table)
    return table


def _match(request: Request, query: Query, checked: Checked, revision: int) -> Answer | None:
    """Return the answer to a short query, which takes query time as all do; None: ask a worker."""
    service: Sparql = request.app.state.service
    caller = Caller(address_of(request), CALLER in request.scope)
    service.limiter.require_time(caller)
    began = time.perf_counter()
    answer = service.match(query, checked, revision)
    service.limiter.charge(caller, time.perf_counter() - began)
    return answer


async def answer_text(request: Request, text: str, format: str) -> Table:
    """Return the answer to a query of ours in a format.

    It goes the way of everybody's queries: guard, limits, workers.
    """
    return await _answer(request, Asked(text, (), ()), named=format, is_whole=True)


def _describe(answer: Answer) -> dict[str, str]:
    headers = {REVISION: str(answer.revision)}
    if answer.is_truncated:
        headers[TRUNCATED] = "true"
    return headers


# --- formats ---------------------------------------------------------------------------------


def _wants_page(request: Request, asked: Asked | None) -> bool:
    """Tell whether a person asks: HTML liked best, and no format named."""
    if (asked.format is not None) if asked is not None else "format" in request.query_params:
        return False
    with contextlib.suppress(RhizomeError):  # whether anything is left to offer, the form tells
        return choose_media_type(request.headers.get("accept"), _OFFERED) == HTML
    return False


def _choose_format(
    request: Request, asked: Asked, formats: Mapping[str, tuple[str, ...]]
) -> tuple[str, str]:
    """Return the format of the answer and its media type: `format` if given, else by Accept."""
    named = asked.format
    if named is not None:
        name = named.lower()
        if formats is GRAPHS:
            with contextlib.suppress(UnknownTermError):
                name = format_named(name).key
        if name not in formats:
            raise BadValueError("format", named[:40], f"one of {', '.join(formats)} here")
        return name, formats[name][0]
    offered = _TABLE_TYPES if formats is TABLES else _GRAPH_TYPES
    chosen = choose_media_type(request.headers.get("accept"), offered)
    return next((name, chosen) for name, types in formats.items() if chosen in types)


def written_as(format: str) -> str:
    """Return the format by which the workers write one of ours."""
    return _WRITTEN_AS.get(format, format)


def media_types(formats: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return all media types; of each format the standard one comes before what others call it."""
    standard = tuple(types[0] for types in formats.values())
    return standard + tuple(other for types in formats.values() for other in types[1:])


_TABLE_TYPES: Final = media_types(TABLES)
_GRAPH_TYPES: Final = media_types(GRAPHS)
_OFFERED: Final = (*_TABLE_TYPES, *_GRAPH_TYPES, HTML)


# --- for people -------------------------------------------------------------------------------


async def _answer_page(request: Request, asked: Asked) -> Response:
    """Show the form with the answer below it, or with what is wrong."""
    try:
        answer = (await _answer(request, asked, is_page=True)).answer
    except RhizomeError as error:
        return _show(request, asked.text, error=error)
    return _show(request, asked.text, answer=answer)


def _show(
    request: Request,
    text: str,
    *,
    answer: Answer | None = None,
    error: RhizomeError | None = None,
) -> Response:
    language = request_language(request, LANGUAGES)
    context: dict[str, Any] = {
        "query": text,
        "error": error,
        "answer": answer,
        "table": None,
        "graph": None,
        "questions": worked_questions(language),
        "prefixes": PREFIXES,
        "formats": {},
    }
    if answer is not None and answer.body.startswith(b"{"):
        context["table"] = read_table(answer.body)
        context["formats"] = {name: LABELS[name] for name in TABLES}
    elif answer is not None:
        context["graph"] = answer.body.decode()
        context["formats"] = {name: LABELS[name] for name in GRAPHS}
    headers = {} if answer is None else _describe(answer)
    if error is not None:
        headers |= problem_headers(error)
    status = 200 if error is None else error.status
    return render_page(request, "sparql.html", context, status=status, headers=headers)
