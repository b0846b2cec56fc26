"""The dataset as far as the one who asks may read it, streamed in the format that he wants.

Floor 5. What is written stands in `graph/curation/export.py`; here it is negotiated, tagged and
named. The snapshot is taken once, so that an export is one revision however long it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from graph.curation.export import export
from graph.curation.formats import JSON_LD, N_QUADS, N_TRIPLES, TRIG, TURTLE, Format
from graph.errors import BadValueError
from web.access import VIEWER, kept_by
from web.conditional import answer_if_changed
from web.frame import REVISION
from web.negotiation import choose_media_type, refuse_unknown

if TYPE_CHECKING:
    from web.service import Service

#: The formats that are written, the default first; the last two merge all sources.
FORMATS: Final = (TRIG, N_QUADS, JSON_LD, TURTLE, N_TRIPLES)


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [Route("/export", export_dataset, methods=["GET"])]


async def export_dataset(request: Request) -> Response:
    """The whole dataset as TriG, N-Quads or JSON-LD, or merged as Turtle or N-Triples."""
    service: Service = request.app.state.service
    refuse_unknown(request.query_params, ("format",))
    chosen = read_format(request)
    snapshot = service.view_for(request.scope).snapshot
    is_private = VIEWER in request.scope
    etag = f'"{snapshot.dataset_hash:064x}-{snapshot.revision}-{chosen.key}"'
    name = f"rhizome-{snapshot.revision}{chosen.suffixes[0]}"
    headers = {
        REVISION: str(snapshot.revision),
        "Cache-Control": kept_by(request.scope),
        "Vary": "Accept",
        "Content-Disposition": f'attachment; filename="{name}"',
    }

    def make() -> Response:
        if request.method == "HEAD":  # the whole need not be written to be thrown away
            return Response(headers=headers, media_type=chosen.media_type)
        content = export(snapshot, chosen)
        return StreamingResponse(content, headers=headers, media_type=chosen.media_type)

    return make() if is_private else answer_if_changed(request, etag, make)


def read_format(request: Request) -> Format:
    """Return the format that `?format=` names, or else the Accept header likes best.

    Raises
    ------
    BadValueError
        `?format=` names none of those that are written.
    NotAcceptableError
        The Accept header takes none of them.
    """
    asked = request.query_params.get("format")
    if asked is not None:
        for known in FORMATS:
            if asked.lower() in (known.key, *(suffix[1:] for suffix in known.suffixes)):
                return known
        raise BadValueError("format", asked[:40], f"one of {', '.join(f.key for f in FORMATS)}")
    offered = {media_type: known for known in FORMATS for media_type in known.media_types}
    return offered[choose_media_type(request.headers.get("accept"), tuple(offered))]
