"""The question library over HTTP: a list, a page for each question, its answer as a file.

Floor 5. `/questions/NAME` shows and asks a question, with what it is about as parameters of the
address; a suffix takes the answer away. It is asked in `web/question_answers.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.access import Scope
from graph.curation.formats import JSON_LD, N_TRIPLES, RDF_XML, TURTLE
from graph.errors import AccessError, BadValueError, RhizomeError
from graph.terms import is_iri
from schema.question import Question
from schema.questions import load_questions
from schema.rows import Cell
from schema.tabulated import JSON, TABLES, find_question, find_table, write_json, write_table
from web.access import PRIVATE, VIEWER
from web.conditional import answer_if_changed, matches
from web.entity import Text
from web.entity_names import EntityNames
from web.frame import REVISION, SEEN
from web.negotiation import choose_media_type, refuse_unknown, request_language
from web.question_answers import Asked, Values, ask, require_scopes
from web.question_form import Entry, write_form
from web.sparql import PAGE_ROWS, TRUNCATED, answer_text
from web.templating import render_page
from web.texts import LANGUAGES
from web.texts_columns import column_word
from web.texts_values import enum_word

if TYPE_CHECKING:
    from web.service import Service

HTML: Final = "text/html"
#: Formats of an answer by suffix; the graphs only of questions whose answer is one.
SUFFIXES: Final = {"html": HTML, "json": JSON, **TABLES}
GRAPH_SUFFIXES: Final = {"ttl": TURTLE, "nt": N_TRIPLES, "rdf": RDF_XML, "jsonld": JSON_LD}
#: Formats of networks, which the exports write.
NETWORK_SUFFIXES: Final = {"graphml": "GraphML", "gexf": "GEXF"}
#: The question as text, filled in.
SOURCES: Final = {"rq": "application/sparql-query", "graphql": "application/graphql"}
_OTHERS: Final = ("lang", "table")


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [
        Route("/questions", list_questions, methods=["GET"]),
        Route("/questions/{name}", answer_question, methods=["GET"]),
    ]


async def list_questions(request: Request) -> Response:
    """The questions of the library, each with a link to its page (en, fr) or as JSON."""
    refuse_unknown(request.query_params, ("lang",))
    language = request_language(request, LANGUAGES)
    shown = [
        {
            "name": question.name,
            "number": question.number,
            "title": question.title[language],
            "text": " ".join(question.text[language].split()),
            "scopes": list(question.scopes),
        }
        for question in load_questions()
    ]
    if choose_media_type(request.headers.get("accept"), (HTML, JSON)) == JSON:
        headers = {"Vary": "Accept, Accept-Language", "Content-Language": language}
        return Response(orjson.dumps(shown), headers=headers, media_type=JSON)
    return render_page(request, "questions.html", {"questions": shown})


async def answer_question(request: Request) -> Response:
    """Ask a question: as a page (en, fr), or by suffix as csv, tsv, json, ttl; `rq` is its text."""
    name, _, suffix = request.path_params["name"].partition(".")
    language = request_language(request, LANGUAGES)
    question = find_question(name).read_in(language)
    given = {k: v for k, v in request.query_params.items() if k not in _OTHERS}
    refuse_unknown(request.query_params, [*_OTHERS, *question.variables])
    suffix = _read_suffix(request, question, suffix)
    if suffix == "html":
        # A form sends the fields that were emptied, too: there they mean the default.
        filled = {name: value for name, value in given.items() if value.strip()}
        return await _show(request, question, filled)
    values = question.read_values(given)
    place = find_table(question, request.query_params.get("table", "1"))
    if suffix in SOURCES:
        return _send_source(question, values, place, suffix)
    if suffix in GRAPH_SUFFIXES:
        return await _send_graph(request, question, values, suffix)
    if suffix in NETWORK_SUFFIXES:
        return _to_network(request, question, values, suffix, language)
    require_scopes(request, question)
    tag = _tag(request, question, values, suffix, place)
    if tag is not None and matches(request.headers.get("if-none-match"), tag):
        return answer_if_changed(request, tag, Response)  # nothing need be asked
    is_all = suffix == "json" and "table" not in request.query_params
    places = range(len(question.tables)) if is_all else [place]
    asked = await ask(request, question, values, places)
    revision = request.scope.get(SEEN)
    if suffix == "json":
        more = {"revision": revision, "truncated": asked.is_cut}
        content = write_json(question, values, asked.tables, **more)
    else:
        content = write_table(question.tables[place], asked.tables[place], suffix)
    headers = _headers(request, question, place, suffix, tag) | {"Content-Language": language}
    if asked.is_cut:
        headers[TRUNCATED] = "true"
    return Response(content, headers=headers, media_type=SUFFIXES[suffix])


def _read_suffix(request: Request, question: Question, suffix: str) -> str:
    """Return the suffix that an answer has: the one given, else by Accept."""
    known = [*SUFFIXES, *SOURCES, *(GRAPH_SUFFIXES if question.construct else ())]
    known += NETWORK_SUFFIXES if question.network else ()
    if suffix:
        if suffix.lower() not in known:
            raise BadValueError("suffix", suffix[:40], f"one of {', '.join(known)} here")
        return suffix.lower()
    graphs = {suffix: known.media_type for suffix, known in GRAPH_SUFFIXES.items()}
    by_suffix = SUFFIXES | (graphs if question.construct else {})
    chosen = choose_media_type(request.headers.get("accept"), tuple(by_suffix.values()))
    return next(each for each, media_type in by_suffix.items() if media_type == chosen)


def _send_source(question: Question, values: Values, place: int, suffix: str) -> Response:
    """Answer the text of the question itself, its parameters filled in as terms."""
    table = question.tables[place]
    text = question.graphql if suffix == "graphql" else question.sparql(table, values)
    if not text:
        raise BadValueError("suffix", suffix, f"possible: {table.without_sparql['en']}")
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Language"}
    return Response(text, headers=headers, media_type=SOURCES[suffix])


async def _send_graph(
    request: Request, question: Question, values: Values, suffix: str
) -> Response:
    """Answer the graph of a question."""
    service: Service = request.app.state.service
    question.require_known(values, service.view_for(request.scope).snapshot)
    text = question.graph(values)
    found = await answer_text(request, text, GRAPH_SUFFIXES[suffix].key)
    answer = found.answer
    headers = _headers(request, question, None, suffix, None)
    headers[REVISION] = str(answer.revision)
    if answer.is_truncated:
        headers[TRUNCATED] = "true"
    return Response(answer.body, headers=headers, media_type=found.media_type)


def _to_network(
    request: Request, question: Question, values: Values, suffix: str, language: str
) -> Response:
    """Answer where the network of a question can be had: 303 to the export of it."""
    service: Service = request.app.state.service
    question.require_known(values, service.view_for(request.scope).snapshot)
    place = urlsplit(service.settings.base_url).path.rstrip("/")
    place += _network_address(question, values, suffix, language)
    headers = {"Location": place, "Cache-Control": "no-cache", "Vary": "Accept-Language"}
    return Response(status_code=303, headers=headers)


def _network_address(question: Question, values: Values, suffix: str, language: str) -> str:
    query = urlencode({"entity": values[question.network], "lang": language})
    return f"/export/networks/default.{suffix}?{query}"


def _headers(
    request: Request, question: Question, place: int | None, suffix: str, tag: str | None
) -> dict[str, str]:
    is_part = place is not None and len(question.tables) > 1 and suffix in TABLES
    name = f"{question.name}-{place + 1}" if is_part and place is not None else question.name
    headers = {
        "Cache-Control": PRIVATE if VIEWER in request.scope else "no-cache",
        "Content-Disposition": f'inline; filename="{name}.{suffix}"',
        "Vary": "Accept, Accept-Language",
    }
    return headers if tag is None else {**headers, "ETag": tag}


def _tag(
    request: Request, question: Question, values: Values, suffix: str, place: int
) -> str | None:
    """Return the entity tag of an answer; none for who has a token."""
    if VIEWER in request.scope:
        return None
    service: Service = request.app.state.service
    snapshot = service.public_snapshot
    state = f"{service.version}-{snapshot.revision}-{snapshot.dataset_hash:x}"
    table = request.query_params.get("table", "")
    asked = [question.name, repr(sorted(values.items())), question.language]
    key = "\0".join([state, *asked, suffix, table])
    return f'W/"{hashlib.sha256(f"{key}{place}".encode()).hexdigest()[:32]}"'


# --- for people -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TableView:
    """One table of an answer as the page shows it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Text]]
    total: int
    sparql: str
    why: str
    files: Sequence[tuple[str, str]]


async def _show(request: Request, question: Question, given: Mapping[str, str]) -> Response:
    """Show the question, the form of its parameters, and the answer or what is wrong."""
    error: RhizomeError | None = None
    asked, values = None, dict(question.variables)
    try:
        values = question.read_values(given)
        if Scope.WRITE not in question.scopes:
            asked = await ask(request, question, values, range(len(question.tables)))
    except RhizomeError as met:
        error = met
    context = _context(request, question, values, asked) | {"error": error}
    needs_token = isinstance(error, AccessError)
    context["needs_token"] = needs_token
    headers = {"Cache-Control": PRIVATE} if VIEWER in request.scope else {}
    status = 200 if error is None or needs_token else error.status
    return render_page(request, "question.html", context, status=status, headers=headers)


def _context(
    request: Request,
    question: Question,
    values: Mapping[str, Any],
    asked: Asked | None,
) -> dict[str, Any]:
    service: Service = request.app.state.service
    language = question.language
    snapshot = service.public_snapshot
    names = EntityNames(snapshot, (language, *service.languages))
    changed = {k: v for k, v in values.items() if v != question.variables[k]}
    address = f"/questions/{question.name}"
    query = urlencode({**changed, "lang": language})
    entries: list[Entry] = write_form(question, values, names, service.settings.question_choices)
    tables = [
        TableView(
            title=table.title[language],
            columns=[column_word(name, language) for name in table.columns],
            rows=[
                [
                    _cell(cell, names, is_enum=name in table.enums)
                    for name, cell in zip(table.columns, row, strict=True)
                ]
                for row in (asked.tables[place] if asked else ())[:PAGE_ROWS]
            ],
            total=len(asked.tables[place]) if asked else 0,
            sparql=question.sparql(table, values) if table.sparql else "",
            why=table.without_sparql.get(language, ""),
            files=[
                (suffix.upper(), f"{address}.{suffix}?{query}&table={place + 1}")
                for suffix in TABLES
            ],
        )
        for place, table in enumerate(question.tables)
    ]
    graphs = GRAPH_SUFFIXES.items() if question.construct else ()
    networks = NETWORK_SUFFIXES.items() if question.network else ()
    return {
        "question": question,
        "title": question.title[language],
        "text": question.text[language],
        "entries": entries,
        "tables": tables,
        "is_asked": asked is not None,
        "is_cut": asked is not None and asked.is_cut,
        "graphql": question.graphql,
        "variables": orjson.dumps(
            question.document_variables(values), option=orjson.OPT_INDENT_2
        ).decode(),
        "json": f"{address}.json?{query}",
        "graphs": [
            *((f.label, f"{address}.{each}?{query}") for each, f in graphs),
            *((name, f"{address}.{each}?{query}") for each, name in networks),
        ],
        "rows_max": PAGE_ROWS,
        "is_write": Scope.WRITE in question.scopes,
    }


def _cell(cell: Cell, names: EntityNames, *, is_enum: bool) -> Text:
    """Return a cell as the page shows it: an entity by its name, linked to its page."""
    if is_enum and isinstance(cell, str):
        return Text(enum_word(cell, names.language))
    if isinstance(cell, str) and is_iri(cell):
        number = names.snapshot.number_of(f"<{cell}>")
        if number is not None and names.snapshot.class_of(number) is not None:
            return names.name(number, linked=True)
        if cell.startswith(("https://", "http://")):
            return Text(cell, "", cell, True)
    if cell is None:
        return Text("")
    return Text(("true" if cell else "false") if isinstance(cell, bool) else str(cell))
