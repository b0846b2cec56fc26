"""The ontology's own files, as they are read by the model.

Floor 5. Vocabulary, shapes, concept schemes, alignments and the JSON-LD context are served by
name, read once; nothing else of the folder can be reached.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.errors import NotFoundError
from web.conditional import answer_if_changed

FOLDER: Final = Path(__file__).parent.parent / "ontology"
MEDIA_TYPES: Final = {".ttl": "text/turtle", ".jsonld": "application/ld+json"}


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [Route("/ontology/{name}", serve_ontology, methods=["GET"])]


@cache
def ontology_files() -> dict[str, bytes]:
    """Return the files of the ontology by name."""
    found = sorted(path for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES)
    return {path.name: path.read_bytes() for path in found}


async def serve_ontology(request: Request) -> Response:
    """One file of the ontology: vocabulary, shapes, schemes (Turtle) or JSON-LD context."""
    name = request.path_params["name"]
    content = ontology_files().get(name)
    if content is None:
        raise NotFoundError(f"/ontology/{name[:80]}")
    media_type = MEDIA_TYPES[Path(name).suffix]

    def make() -> Response:
        return Response(content, headers={"Cache-Control": "no-cache"}, media_type=media_type)

    return answer_if_changed(request, f'"{hashlib.sha256(content).hexdigest()[:16]}"', make)
