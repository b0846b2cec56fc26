"""The addresses that answers name and that are neither entities nor vocabulary.

Floor 5. A problem's `type`, the prefixes that an endpoint declares, the version of the ontology and
its alignments: who follows one of them finds what it means.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.errors import ConfigurationError, NotFoundError
from graph.errors.base import leaves
from graph.store.prefixes import PREFIXES
from graph.store.rdf_text import write_quads
from schema.library import describe_prefixes
from web.conditional import answer_if_changed
from web.negotiation import choose_media_type, refuse_unknown
from web.ontology import FORMATS
from web.problems import INTERNAL, title_of
from web.templating import render_page

if TYPE_CHECKING:
    from web.service import Service


#: Files of the ontology that are ontologies of their own.
_FILES: Final = ("shapes", "alignments")


class Told(NamedTuple):
    """What the page says of an error: its status is None where it ends a start."""

    code: str
    status: int | None
    title: str
    fields: tuple[str, ...]
    retry: bool


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [
        Route("/errors", show_errors, methods=["GET"]),
        Route("/prefixes", send_prefixes, methods=["GET"]),
        *(Route(f"/{name}", find_file, methods=["GET"]) for name in _FILES),
        Route("/ontology/{major:int}.{minor:int}.{patch:int}", find_version, methods=["GET"]),
    ]


async def show_errors(request: Request) -> Response:
    """What each code of an error means, as a page: the `type` of a problem leads to its line."""
    refuse_unknown(request.query_params, ("lang",))
    return render_page(request, "errors.html", {"errors": list_errors()})


@cache
def list_errors() -> tuple[Told, ...]:
    """Return all errors that have a code, by code."""
    found = [
        Told(
            leaf.code,
            None if issubclass(leaf, ConfigurationError) else leaf.status,
            title_of(leaf),
            tuple(field.name for field in fields(leaf)),
            leaf.retry,
        )
        for leaf in leaves()
    ]
    internal = "A fault of the service, not of the request; its reference finds it in the log."
    found.append(Told(INTERNAL, 500, internal, ("reference",), retry=False))
    return tuple(sorted(found))


async def send_prefixes(request: Request) -> Response:
    """The prefixes of the queries of the library, as RDF (SHACL, section 5.2.1)."""
    refuse_unknown(request.query_params, ())
    by_media_type = {media: known for known in FORMATS for media in known.media_types}
    chosen = choose_media_type(request.headers.get("accept"), tuple(by_media_type))
    content = write_quads(list(describe_prefixes(PREFIXES)), by_media_type[chosen].key, PREFIXES)

    def make() -> Response:
        headers = {"Cache-Control": "no-cache", "Vary": "Accept"}
        return Response(content, headers=headers, media_type=chosen)

    return answer_if_changed(request, f'"{hashlib.sha256(content).hexdigest()[:16]}"', make)


async def find_file(request: Request) -> Response:
    """Where the shapes, or the mappings to other vocabularies, stand: 303."""
    return _see(request, f"/ontology{request.url.path}.ttl")


async def find_version(request: Request) -> Response:
    """Where a version of the ontology stands: 303; there is the newest alone."""
    service: Service = request.app.state.service
    asked = "{major}.{minor}.{patch}".format(**request.path_params)
    if asked != service.model.version:
        raise NotFoundError(f"/ontology/{asked}", (f"/ontology/{service.model.version}",))
    return _see(request, "/ontology")


def _see(request: Request, path: str) -> Response:
    prefix = urlsplit(request.app.state.service.settings.base_url).path.rstrip("/")
    headers = {"Location": prefix + path, "Cache-Control": "no-cache"}
    return Response(status_code=303, headers=headers)
