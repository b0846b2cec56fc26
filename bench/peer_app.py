"""Serves a peer, as a good user would: uvicorn with uvloop and httptools, no access log.

`python -m bench.peer_app rdflib DATA` serves `/default` and `/cached`; `static FOLDER` answers
the bytes of the files in a folder. The address is printed once it listens.
"""

from __future__ import annotations

import importlib
import logging
import socket
import sys
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache


class _Endpoint(GraphQL[Any, Any]):
    """Strawberry's own endpoint with a peer's context."""

    make_context: Any = None

    async def get_context(self, request: Any, response: Any) -> Any:
        return self.make_context() if self.make_context is not None else None


class _FastEndpoint(_Endpoint):
    """The same with orjson, which who adds caches adds, too."""

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


def make_peer(name: str, data: Path) -> Starlette:
    """Return the application of a peer, its data loaded."""
    module = importlib.import_module(f"bench.peer_{name}")
    module.load(data)
    parser, validation = ParserCache(), ValidationCache()
    cached = module.make_schema([lambda: parser, lambda: validation])
    endpoints = {
        "/default": _Endpoint(module.make_schema([]), graphql_ide=None),
        "/cached": _FastEndpoint(cached, graphql_ide=None),
    }
    for endpoint in endpoints.values():
        endpoint.make_context = getattr(module, "make_context", None)
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in endpoints.items()])


def make_static(folder: Path) -> Starlette:
    """Return an application that answers the bytes of files by their names."""

    def serve(content: bytes) -> Any:
        async def answer(request: Request) -> Response:
            await request.body()
            return Response(content, media_type="application/json")

        return answer

    routes = [
        Route(f"/{path.stem}", serve(path.read_bytes()), methods=["POST"])
        for path in sorted(folder.glob("*.json"))
    ]
    return Starlette(routes=routes)


def main() -> None:
    """Serve until killed."""
    kind, place = sys.argv[1], Path(sys.argv[2])
    app = make_static(place) if kind == "static" else make_peer(kind, place)
    listener = socket.create_server(("127.0.0.1", 0))
    logging.disable(logging.INFO)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
