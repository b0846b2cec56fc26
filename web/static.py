"""Style sheet and pictures: read once, named by their content, cached for good.

Floor 5. The few files of `web/static/` are held in memory under the names they have, so that no
request touches the file system; a link carries the digest, so that a new version is fetched.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.errors import NotFoundError

FOLDER: Final = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file: its bytes, media type and digest."""

    content: bytes
    media_type: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """Return the static files by name."""
    result = {}
    for path in sorted(FOLDER.iterdir()):
        content = path.read_bytes()
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        digest = hashlib.sha256(content).hexdigest()[:16]
        result[path.name] = Asset(content, media_type, digest)
    return result


def static_link(name: str) -> str:
    """Return the path of a static file with its digest."""
    return f"/static/{name}?v={assets()[name].digest}"


def routes() -> list[Route]:
    """Return the route of the static files."""
    return [Route("/static/{name}", serve_static, methods=["GET"])]


async def serve_static(request: Request) -> Response:
    """Style sheet, icon and scripts of the pages."""
    name = request.path_params["name"]
    asset = assets().get(name)
    if asset is None:
        raise NotFoundError(f"/static/{name[:80]}")
    etag = f'"{asset.digest}"'
    fresh = request.query_params.get("v") == asset.digest
    headers = {
        "ETag": etag,
        "Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
