"""What the dataset holds, for programs: VoID and DCAT, counted for each revision.

Floor 5. Counts come from `graph/store/partitions.py`, once a revision; the description is written
in `web/dataset_description.py`. All is read from the snapshot of a visitor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.curation.formats import JSON_LD, N_TRIPLES, RDF_XML, TURTLE, Format
from graph.errors import BadValueError
from graph.store.partitions import Partitioner, Partitions
from graph.store.rdf_text import write_quads
from graph.terms import Quad
from web.conditional import answer_if_changed, matches
from web.dataset_description import PREFIXES, VOID_PAGE, Place, describe_as_dcat, describe_as_void
from web.frame import REVISION
from web.kept import Kept
from web.negotiation import choose_media_type, refuse_unknown
from web.reading import read_for

if TYPE_CHECKING:
    from graph.store.snapshot import Snapshot
    from web.service import Service

VOID: Final = "/.well-known/void"
DCAT: Final = "/.well-known/dcat"
FORMATS: Final = (TURTLE, JSON_LD, RDF_XML, N_TRIPLES)
_BY_MEDIA_TYPE: Final = {media: known for known in FORMATS for media in known.media_types}
#: Descriptions kept as they were written, by revision, address and format.
_KEPT: Final = 16

Describe = Callable[["Snapshot", Partitions, Place], list[Quad]]


def routes() -> list[Route]:
    """Return the routes of this module, with counts of their own."""
    described = Descriptions()
    return [
        Route(VOID, described.answer_void, methods=["GET"]),
        Route(DCAT, described.answer_dcat, methods=["GET"]),
        Route("/void", to_void, methods=["GET"]),
    ]


async def to_void(request: Request) -> Response:
    """Where the names of the VoID description lead: 303 to `/.well-known/void`."""
    service: Service = request.app.state.service
    place = service.address_of(request).removesuffix(VOID_PAGE) + VOID
    return Response(status_code=303, headers={"Location": _path_of(place)})


class Descriptions:
    """The descriptions of one application, each written once a revision."""

    def __init__(self) -> None:
        self.partitioner = Partitioner()
        self._counted: Kept[Partitions] = Kept(2)
        self._written: Kept[bytes] = Kept(_KEPT)

    async def answer_void(self, request: Request) -> Response:
        """The dataset in VoID: counts in all and by source, class and property; RDF by Accept."""
        return await self._answer(request, VOID, describe_as_void)

    async def answer_dcat(self, request: Request) -> Response:
        """The dataset in DCAT: distributions, services, licence and sources; RDF by Accept."""
        return await self._answer(request, DCAT, describe_as_dcat)

    async def _answer(self, request: Request, path: str, describe: Describe) -> Response:
        service: Service = request.app.state.service
        refuse_unknown(request.query_params, ("format",))
        known = _read_format(request)
        view, settings = service.public_view, service.settings
        snapshot = view.snapshot
        base = service.address_of(request).removesuffix(path)
        place = Place(base, settings.void_sources, view.time)
        state = f"{snapshot.revision}-{snapshot.dataset_hash:x}"
        key = f"{state}-{path}-{base}-{known.key}-{service.version}"
        tag = f'W/"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
        if matches(request.headers.get("if-none-match"), tag):
            return answer_if_changed(request, tag, Response)  # nothing need be counted
        make = partial(self._write, request, snapshot, state, describe, place, known)
        content = await self._written.get(key, make)
        headers = {
            REVISION: str(snapshot.revision),
            "Cache-Control": "no-cache",
            "Vary": "Accept",
        }
        response = partial(Response, content, headers=headers, media_type=known.media_type)
        return answer_if_changed(request, tag, response)

    async def _write(
        self,
        request: Request,
        snapshot: Snapshot,
        state: str,
        describe: Describe,
        place: Place,
        known: Format,
    ) -> bytes:
        """Return a description; who asks for it first is charged for it."""

        def count() -> Partitions:
            return self.partitioner.count(snapshot)

        counted = await self._counted.get(state, partial(read_for, request, count))

        def write() -> bytes:
            return write_quads(describe(snapshot, counted, place), known.key, PREFIXES)

        return await read_for(request, write)


def _read_format(request: Request) -> Format:
    asked = request.query_params.get("format")
    if asked is not None:
        for known in FORMATS:
            if asked.lower() in (known.key, *(suffix[1:] for suffix in known.suffixes)):
                return known
        raise BadValueError("format", asked[:40], f"one of {', '.join(f.key for f in FORMATS)}")
    return _BY_MEDIA_TYPE[choose_media_type(request.headers.get("accept"), tuple(_BY_MEDIA_TYPE))]


def _path_of(address: str) -> str:
    """The path of an address: the host is what anyone may have written."""
    return "/" + address.partition("://")[2].partition("/")[2]
