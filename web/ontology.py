"""The ontology: a page of its classes and properties, the same as RDF, and its own files.

Floor 5. The page is made from the model, as GraphQL and the shapes are; the RDF is the vocabulary
as it stands in `ontology/rhizome.ttl`. Files are served by name, read once; nothing else of the
folder can be reached.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.curation.formats import JSON_LD, N_TRIPLES, RDF_XML, TURTLE
from graph.errors import BadValueError, NotFoundError
from graph.model import ONTOLOGY_GRAPH
from graph.store.prefixes import PREFIXES
from graph.store.rdf_text import read_turtle, write_quads
from web.conditional import answer_if_changed
from web.negotiation import choose_media_type, refuse_unknown, request_language
from web.ontology_page import KINDS, describe_ontology
from web.templating import render_page
from web.texts import LANGUAGES, read_text

if TYPE_CHECKING:
    from web.service import Service

FOLDER: Final = Path(__file__).parent.parent / "ontology"
MEDIA_TYPES: Final = {".ttl": "text/turtle", ".jsonld": "application/ld+json"}
#: The vocabulary itself; shapes, schemes and alignments stand beside it.
VOCABULARY: Final = "rhizome.ttl"
#: The formats of the vocabulary, the default for programs first.
FORMATS: Final = (TURTLE, JSON_LD, RDF_XML, N_TRIPLES)
HTML: Final = "text/html"
_SUFFIXES: Final = {suffix[1:]: known for known in FORMATS for suffix in known.suffixes}
_BY_MEDIA_TYPE: Final = {media: known for known in FORMATS for media in known.media_types}


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [
        Route("/ontology", show_ontology, methods=["GET"]),
        Route("/ontology.{suffix}", show_ontology, methods=["GET"]),
        Route("/ontology/{name}", serve_ontology, methods=["GET"]),
    ]


@cache
def ontology_files() -> dict[str, bytes]:
    """Return the files of the ontology by name."""
    found = sorted(path for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES)
    return {path.name: path.read_bytes() for path in found}


async def show_ontology(request: Request) -> Response:
    """Classes and properties as a page (en, fr), or the vocabulary as RDF, by suffix or Accept."""
    service: Service = request.app.state.service
    refuse_unknown(request.query_params, ("lang",))
    suffix = request.path_params.get("suffix")
    if suffix is None:
        accept = request.headers.get("accept")
        known = _BY_MEDIA_TYPE.get(choose_media_type(accept, (HTML, *_BY_MEDIA_TYPE)))
    elif suffix == "html":
        known = None
    elif suffix in _SUFFIXES:
        known = _SUFFIXES[suffix]
    else:
        raise BadValueError("suffix", suffix[:40], f"one of html {' '.join(_SUFFIXES)}")
    prefix = urlsplit(service.settings.base_url).path.rstrip("/")
    headers = {"Link": _links(prefix), "Vary": "Accept, Accept-Language"}
    if known is not None:
        content = vocabulary_as(known.key)
        headers |= {"Content-Location": f"{prefix}/ontology{known.suffixes[0]}"}
        headers |= {"Cache-Control": "no-cache"}
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'

        def send() -> Response:
            return Response(content, headers=headers, media_type=known.media_type)

        return answer_if_changed(request, tag, send)
    language = request_language(request, LANGUAGES)
    model = service.model
    tag = f'W/"ontology-{service.version}-{model.digest[:16]}-{language}"'

    def make() -> Response:
        context = {
            "about": describe_ontology(model, language),
            "formats": [(f.label, f"/ontology{f.suffixes[0]}", f.media_type) for f in FORMATS],
            "files": list(ontology_files()),
            "iri": ONTOLOGY_GRAPH,
            "kinds": {name: read_text(key, language) for name, key in KINDS.items()},
        }
        return render_page(request, "ontology.html", context, headers=headers)

    return answer_if_changed(request, tag, make)


async def serve_ontology(request: Request) -> Response:
    """One file of the ontology: vocabulary, shapes, schemes (Turtle) or JSON-LD context."""
    name = request.path_params["name"]
    content = ontology_files().get(name)
    if content is None:
        raise NotFoundError(
            f"/ontology/{name[:80]}", tuple(f"/ontology/{each}" for each in ontology_files())
        )
    media_type = MEDIA_TYPES[Path(name).suffix]

    def make() -> Response:
        return Response(content, headers={"Cache-Control": "no-cache"}, media_type=media_type)

    return answer_if_changed(request, f'"{hashlib.sha256(content).hexdigest()[:16]}"', make)


@cache
def vocabulary_as(format: str) -> bytes:
    """Return the vocabulary in a format; as Turtle it is the file itself."""
    content = ontology_files()[VOCABULARY]
    return content if format == TURTLE.key else write_quads(read_turtle(content), format, PREFIXES)


def _links(prefix: str) -> str:
    links = [f'<{prefix}/ontology.html>; rel="alternate"; type="{HTML}"']
    for known in FORMATS:
        place = f"{prefix}/ontology{known.suffixes[0]}"
        links.append(f'<{place}>; rel="alternate"; type="{known.media_type}"')
    return ", ".join([*links, f'<{ONTOLOGY_GRAPH}>; rel="describes"'])
