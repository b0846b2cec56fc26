"""The queries that run, for administrators: listed, and stopped.

Floor 5. For tokens with the scope `admin`, over HTTP, and for who may use the control socket of
the store. Neither tells names or tokens of others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.access import Level, Scope, anonymous
from graph.curation.mutations import require_scope
from graph.errors import BadValueError, StoreUnavailableError
from web.access import PRIVATE, viewer_of
from web.control import Piece

if TYPE_CHECKING:
    from graph.store.pool import Pool
    from web.service import Sparql

PATH: Final = "/sparql/queries"


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [
        Route(PATH, list_queries, methods=["GET"]),
        Route(f"{PATH}/{{id}}", stop_query, methods=["DELETE"]),
    ]


async def list_queries(request: Request) -> Response:
    """The SPARQL queries that run: lane, since, caller, text; a token with the scope `admin`."""
    service, level = _admitted(request)
    return _answer({"queries": service.pool.running.list(level)})


async def stop_query(request: Request) -> Response:
    """Stop a SPARQL query that runs (503 `QUERY_STOPPED` for who asked it); scope `admin`."""
    service, level = _admitted(request)
    stopped = service.pool.running.stop(request.path_params["id"], level)
    return _answer({"stopped": stopped})


def _admitted(request: Request) -> tuple[Sparql, Level]:
    """Return the service to an administrator, and what that one sees.

    Raises
    ------
    UnauthenticatedError, ForbiddenError
        The token lacks the scope `admin`.
    """
    service: Sparql = request.app.state.service
    viewer = viewer_of(request.scope, anonymous(service.settings))
    require_scope(viewer, Scope.ADMIN)
    return service, viewer.level


def _answer(found: dict[str, Any]) -> Response:
    headers = {"Cache-Control": PRIVATE}
    return Response(orjson.dumps(found), headers=headers, media_type="application/json")


# --- commands ---------------------------------------------------------------------------------


def _list(pool: Pool, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """List the queries that run, or write them as JSON, one a line."""
    found = pool.in_loop(pool.running.list)
    for query in found:
        line = json.dumps(query) if arguments.get("json") else _line(query)
        yield Piece.out(f"{line}\n".encode())
    yield Piece.say(f"{len(found)} queries run")


def _kill(pool: Pool, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Stop a query."""
    name = str(arguments.get("id") or "")
    if not name:
        raise BadValueError("ID", "", "the identifier of a query, see `queries`")
    stopped = pool.in_loop(lambda: pool.running.stop(name))
    yield Piece.say(f"stopped {_line(stopped)}")


def _line(query: Mapping[str, Any]) -> str:
    return (
        f"{query['id']:6} {query['lane']:8} {query['seconds']:8.1f} s  {query['caller']:10} "
        f"{query['text']}"
    )


QUERY_COMMANDS: Final[Mapping[str, Callable[[Pool, Mapping[str, Any]], Iterator[Piece]]]] = {
    "queries": _list,
    "queries kill": _kill,
}


def refuse_without_server() -> NoReturn:
    """Say that no server runs whose queries could be told.

    Raises
    ------
    StoreUnavailableError
    """
    raise StoreUnavailableError("no server runs on this store: there are no queries")
