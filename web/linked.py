"""Linked data: each IRI of ours resolves by path, to a page for people or to data.

Floor 5. `/id/...` answers 303 (a thing is no document): to `/page/...` or `/data/...`, by Accept
or by a suffix. What a page shows is read in `web/entity_reader.py`, what the data holds in
`graph/curation/describe.py`. All is read from the snapshot of a visitor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.curation.describe import describe, is_known
from graph.curation.formats import JSON_LD, N_QUADS, N_TRIPLES, RDF_XML, TRIG, TURTLE
from graph.curation.jsonld import write_description
from graph.errors import (
    BadValueError,
    NotFoundError,
    QueryTooLargeError,
    StoreUnavailableError,
)
from graph.store.prefixes import PREFIXES
from graph.store.rdf_text import write_quads
from graph.store.search_text import SearchText
from graph.terms import ENTITY, is_iri
from web.entity import GROUPS, data_of, page_of
from web.entity_reader import EntityReader
from web.frame import REVISION
from web.negotiation import choose_media_type, refuse_unknown, request_language
from web.ontology_page import anchor_of
from web.reading import answer_read
from web.sparql import TRUNCATED
from web.templating import render_page
from web.texts import LANGUAGES, read_text, write_date

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.snapshot import Snapshot
    from web.service import Service

#: The formats of the data, in the order in which they are offered. JSON-LD, TriG and N-Quads keep
#: the sources.
FORMATS: Final = (TURTLE, JSON_LD, RDF_XML, N_TRIPLES, TRIG, N_QUADS)
HTML: Final = "text/html"
HTML_SUFFIX: Final = ".html"
#: Format by suffix; a page has one of its own.
SUFFIXES: Final = {suffix: known for known in FORMATS for suffix in known.suffixes}
_MEDIA_TYPES: Final = {
    **{media: known for known in FORMATS for media in known.media_types},
    # What many clients ask for by default: JSON-LD is JSON, and RDF/XML is XML.
    "application/json": JSON_LD,
    "application/xml": RDF_XML,
}
#: Characters of what was asked that an error repeats, and names that it suggests.
_TOLD: Final = 200
_SUGGESTED: Final = 3


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [
        Route("/id/{path:path}", resolve, methods=["GET"]),
        Route("/page/{path:path}", show_entity, methods=["GET"]),
        Route("/page", show_entity, methods=["GET"]),
        Route("/data/{path:path}", send_data, methods=["GET"]),
        Route("/data", send_data, methods=["GET"]),
    ]


async def resolve(request: Request) -> Response:
    """Where a thing is described: 303 to its page or its data, by suffix or Accept."""
    service: Service = request.app.state.service
    refuse_unknown(request.query_params, ("lang",))
    iri, suffix = _find(request, service.public_snapshot, service.settings)
    if suffix:
        place = page_of(iri) if suffix == HTML_SUFFIX else data_of(iri, suffix)
    else:
        offered = (HTML, *_MEDIA_TYPES)
        chosen = choose_media_type(request.headers.get("accept"), offered)
        known = _MEDIA_TYPES.get(chosen)
        place = page_of(iri) if known is None else data_of(iri, known.suffixes[0])
    prefix = _prefix(service.settings)
    query = request.url.query if place.startswith("/page/") else ""
    headers = {
        "Location": prefix + place + (f"?{query}" if query else ""),
        "Link": write_links(prefix, iri),
        "Vary": "Accept",
        "Cache-Control": "no-cache",
    }
    return Response(status_code=303, headers=headers)


async def show_entity(request: Request) -> Response:
    """All that is known of a thing, with its sources, as a page (en, fr); by path or `?iri=`."""
    service: Service = request.app.state.service
    query = request.query_params
    refuse_unknown(query, ("lang", "field", "start", *_iri_parameter(request)))
    language = request_language(request, LANGUAGES)
    snapshot, settings = service.public_snapshot, service.settings
    iri, _ = _find(request, snapshot, settings, suffixes=False)
    only, start = query.get("field", ""), _read_start(query.get("start", "1"))
    reader = EntityReader(
        snapshot, (language, *service.languages), settings.entity_values, only, start - 1
    )
    state = f"{service.version}-{snapshot.revision}-{snapshot.dataset_hash:x}"
    etag = _tag("page", state, language, iri, only, start)

    def make() -> Response:
        view = reader.read(iri)
        if only and not any(facts.shown for each in view.groups.values() for facts in each):
            raise NotFoundError(f"{iri}: no value of a field {only[:40]!r}")
        context = {
            "view": view,
            "only": only,
            "size": settings.entity_values,
            "here": page_of(iri),
            "formats": [(f.label, data_of(iri, f.suffixes[0]), f.media_type) for f in FORMATS],
            "is_source": view.statements > 0,
            "graph": f"/graphs/{iri.removeprefix(ENTITY)}",
            "describe": f"DESCRIBE <{iri}>",
            "group_titles": {name: read_text(key, language) for name, key in GROUPS.items()},
            "date": partial(write_date, language=language),
            "anchor_of": anchor_of,
        }
        headers = {"Link": write_links(_prefix(settings), iri, described=True)}
        return render_page(request, "entity.html", context, headers=headers)

    return await answer_read(request, etag, make)


async def send_data(request: Request) -> Response:
    """What is said of a thing in an RDF format, by suffix: ttl, jsonld, rdf, nt, trig, nq."""
    service: Service = request.app.state.service
    refuse_unknown(request.query_params, _iri_parameter(request, "format"))
    snapshot, settings = service.public_snapshot, service.settings
    is_path = "path" in request.path_params
    iri, suffix = _find(request, snapshot, settings, wholes=not is_path, suffixes=is_path)
    if not is_path:
        suffix = f".{request.query_params.get('format', 'ttl').lower()}"
    known = SUFFIXES.get(suffix)
    if known is None:
        raise BadValueError("suffix", suffix[:40], f"one of {' '.join(SUFFIXES)}")
    etag = _tag("data", snapshot.revision, f"{snapshot.dataset_hash:x}", iri, known.key)

    def make() -> Response:
        found = describe(snapshot, f"<{iri}>", settings.entity_statements)
        headers = {
            REVISION: str(snapshot.revision),
            "Cache-Control": "no-cache",
            "Link": write_links(_prefix(settings), iri, described=True),
        }
        if found.is_cut:
            headers[TRUNCATED] = "true"
        if known is JSON_LD:
            content = write_description(snapshot.model, found.quads)
        else:
            content = write_quads(found.quads, known.key, PREFIXES)
        return Response(content, headers=headers, media_type=known.media_type)

    return await answer_read(request, etag, make)


def write_links(prefix: str, iri: str, *, described: bool = False) -> str:
    """Return the Link header of a thing: its page and its data in each format (RFC 8288).

    `described` is for an answer that is itself a description: then it says of what.
    """
    links = [f'<{prefix}{page_of(iri)}>; rel="alternate"; type="{HTML}"']
    for known in FORMATS:
        place = prefix + data_of(iri, known.suffixes[0])
        links.append(f'<{place}>; rel="alternate"; type="{known.media_type}"')
    if described:
        target = iri if iri.isascii() else prefix + page_of(iri)
        links.append(f'<{target}>; rel="describes"')
        links.append(f'<{prefix}{page_of(iri)}>; rel="canonical"')
    else:
        links.append(f'<{prefix}{page_of(iri)}>; rel="describedby"; type="{HTML}"')
    return ", ".join(links)


# --- which thing ------------------------------------------------------------------------------


def _find(
    request: Request,
    snapshot: Snapshot,
    settings: Settings,
    *,
    wholes: bool = True,
    suffixes: bool = True,
) -> tuple[str, str]:
    """Return the IRI of a thing that is known, and the suffix after it, empty if none.

    An IRI that is known as a whole is that thing, also where it ends like a suffix; `wholes` and
    `suffixes` say what may stand there.

    Raises
    ------
    NotFoundError
        Nothing is known of it; with things that are called alike.
    """
    for iri in _candidates(request, settings):
        if wholes and is_known(snapshot, f"<{iri}>"):
            return iri, ""
        if suffixes:
            for suffix in (HTML_SUFFIX, *SUFFIXES):
                stem = iri.removesuffix(suffix)
                if stem != iri and is_known(snapshot, f"<{stem}>"):
                    return stem, suffix
    asked = request.query_params.get("iri") or request.url.path
    raise NotFoundError(asked[:_TOLD], tuple(_suggest(snapshot, settings, asked)))


def _candidates(request: Request, settings: Settings) -> Iterator[str]:
    """Yield the IRIs that a request may mean: its path as sent, and with %-escapes read."""
    if "path" not in request.path_params:
        iri = request.query_params.get("iri", "")
        if not is_iri(iri):
            raise BadValueError("iri", iri[:_TOLD], "an absolute IRI")
        texts = [iri]
    else:
        decoded = request.path_params["path"]
        # Not of the request's URL, where a `#` or `?` that was escaped ends the path.
        before = request.scope["path"].removesuffix(decoded)
        raw = request.scope.get("raw_path", b"").decode("ascii", "replace")
        texts = [ENTITY + decoded]
        if "%" in raw and raw.startswith(before):
            texts.insert(0, ENTITY + raw[len(before) :])
    for text in texts:
        if len(text.encode(errors="replace")) <= settings.iri_bytes and is_iri(text):
            yield text


def _suggest(snapshot: Snapshot, settings: Settings, asked: str) -> Iterator[str]:
    """Yield the IRIs of things whose names are like the end of what was asked."""
    end = asked.rstrip("/").rpartition("/")[2].replace("-", " ")[: settings.search_letters]
    for suffix in (HTML_SUFFIX, *SUFFIXES):
        end = end.removesuffix(suffix)
    try:
        text = SearchText.read(end, settings.search_letters, settings.search_words)
        for hit in islice(snapshot.search.search(snapshot, text), _SUGGESTED):
            yield snapshot.terms.text(hit.subject)
    except (BadValueError, QueryTooLargeError, StoreUnavailableError):
        return  # nothing to search for, or the index is not built yet


def _iri_parameter(request: Request, *more: str) -> tuple[str, ...]:
    """Return the parameters that say which thing, where the path does not."""
    return () if "path" in request.path_params else ("iri", *more)


def _read_start(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 9 and int(text) > 0):
        raise BadValueError("start", text[:40], "the number of a value, counted from 1")
    return int(text)


def _prefix(settings: Settings) -> str:
    return urlsplit(settings.base_url).path.rstrip("/")


def _tag(*parts: object) -> str:
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
    return f'W/"{digest}"'
