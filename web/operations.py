"""For those who run the service: is it alive, is it ready, which version answers.

Floor 5. `/health` says that the process answers, `/ready` that data can be asked for, `/version`
what exactly is being served, so that an answer can be cited and two servers be compared.
"""

from __future__ import annotations

import platform
import time
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.errors import StoreUnavailableError
from web.counts import count_classes

if TYPE_CHECKING:
    from web.service import Service

_HEADERS = {"Cache-Control": "no-store"}


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [*probes(), Route("/version", version, methods=["GET"])]


def probes() -> list[Route]:
    """Return the routes that every profile has."""
    return [
        Route("/health", health, methods=["GET"]),
        Route("/ready", ready, methods=["GET"]),
    ]


async def health(request: Request) -> Response:
    """Whether the process answers: always 200, also while the store opens."""
    return _json({"status": "ok"})


async def ready(request: Request) -> Response:
    """Whether data can be asked for: 200 or 503; of a replica also how it stands to its writer."""
    service: Service = request.app.state.service
    if not service.is_ready:
        raise StoreUnavailableError(f"not ready: {service.stage}")
    if not service.pool.is_ready:
        raise StoreUnavailableError("not ready: no query worker answers")
    answer: dict[str, object] = {"status": "ready", "revision": service.revision}
    if not service.is_plain and (following := service.following) is not None:
        standing = following.standing()
        if following.is_stale:
            raise StoreUnavailableError(
                f"not ready: {standing.state}, not current since {standing.current or 'the start'}"
            )
        answer["replica"] = standing.write()
    return _json(answer)


async def version(request: Request) -> Response:
    """Version, ontology, revision, dataset hash and counts of what is served, as JSON."""
    service: Service = request.app.state.service
    answer: dict[str, object] = {
        "name": "rhizome",
        "version": service.version,
        "python": platform.python_version(),
        "ontology": {"version": service.model.version, "digest": service.model.digest},
        "status": service.stage,
        "uptimeSeconds": round(time.monotonic() - service.started, 1),
    }
    if service.is_ready:
        view = service.public_view
        snapshot = view.snapshot
        answer |= {
            "revision": snapshot.revision,
            "changed": view.time or None,
            "datasetHash": f"{snapshot.dataset_hash:064x}",
            "quads": snapshot.quad_count,
            "sources": len(snapshot.graphs()),
            "fault": service.dataset.fault,
            "counts": {row.shape.name: row.number for row in count_classes(snapshot)},
        }
    return _json(answer)


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), headers=_HEADERS, media_type="application/json")
