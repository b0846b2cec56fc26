"""The centrality report over HTTP, in four formats and two languages.

Floor 5. What is measured and how it is rendered stands in `graph/analysis`; here parameters are
read, the work is done in a thread, and answers are kept by revision and parameters. The analysis
is imported when it is first needed: its libraries take as long to load as all else together, and
neither the start nor the other commands should wait for them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.errors import BadValueError
from web.conditional import answer_if_changed
from web.frame import CONTENT_SECURITY_POLICY, REVISION
from web.negotiation import request_format, request_language
from web.texts import LANGUAGES

if TYPE_CHECKING:
    from graph.analysis.projection import ProjectionParameters
    from graph.store.snapshot import Snapshot
    from web.service import Service

FORMATS: Final = {
    "html": "text/html",
    "md": "text/markdown",
    "json": "application/json",
    "csv": "text/csv",
}
SWITCHES: Final = {"inferred": "include_inferred", "disputed": "include_disputed"}
OTHERS: Final = ("projection", "lang", "format")
_KEPT: Final = 64
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def routes() -> list[Route]:
    """Return the routes of this module, with a cache of their own."""
    return [Route("/report", Reports().answer, methods=["GET"], name="report")]


class Reports:
    """The reports made so far, each under what it depends on; the last 64 are kept."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, asyncio.Task[bytes]] = OrderedDict()

    async def answer(self, request: Request) -> Response:
        """Centralities of the network with method and limits: HTML, Markdown, JSON or CSV."""
        service: Service = request.app.state.service
        parameters = read_parameters(request.query_params)
        language = request_language(request, LANGUAGES)
        name = request_format(request, FORMATS)
        snapshot, changed = service.dataset.snapshot, service.dataset.log.time
        key = f"{snapshot.revision}-{snapshot.dataset_hash:x}-{parameters!r}-{language}-{name}"
        make = partial(make_report, snapshot, parameters, language, name, changed)
        content = await self._get(key, make)
        headers = {
            REVISION: str(snapshot.revision),
            "Cache-Control": "no-cache",
            "Content-Language": language,
            "Vary": "Accept, Accept-Language",
            "Content-Disposition": f'inline; filename="report-{snapshot.revision}.{name}"',
        }
        if name == "html":
            headers["Content-Security-Policy"] = allow_styles(content.decode())
        etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
        response = partial(Response, content, headers=headers, media_type=FORMATS[name])
        return answer_if_changed(request, etag, response)

    async def _get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """Return a report, made once however many ask for it at the same time."""
        task = self._made.get(key)
        if task is None:
            task = asyncio.create_task(anyio.to_thread.run_sync(make))
            self._made[key] = task
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        try:
            return await asyncio.shield(task)
        except Exception:
            self._made.pop(key, None)
            raise


def make_report(
    snapshot: Snapshot, parameters: ProjectionParameters, language: str, name: str, changed: str
) -> bytes:
    """Return a rendered report; `changed` is the time of the snapshot's last commit."""
    from graph.analysis.render import render
    from graph.analysis.report import build_report

    return render(build_report(snapshot, parameters, language, changed), name)


def list_choices() -> dict[str, type[StrEnum]]:
    """Return the parameters of the projection by name, with the values that they take."""
    from graph.analysis.projection import Mode, Succession, Weighting

    return {"weighting": Weighting, "mode": Mode, "succession": Succession}


def load_analysis() -> None:
    """Import what reports need, so that the first one need not wait for it."""
    from graph.analysis import render, report

    del render, report


def read_parameters(query: Mapping[str, str]) -> ProjectionParameters:
    """Return the projection that a query string describes.

    Raises
    ------
    UnknownTermError
        No projection has the name.
    BadValueError
        A parameter has an unknown name or value: a report of something else than was asked
        would be wrong without a sign of it.
    """
    from graph.analysis.projection import find_projection

    parameters = find_projection(query.get("projection", "default"))
    choices = list_choices()
    changes: dict[str, object] = {}
    for name, value in query.items():
        if name in choices:
            changes[name] = _choose(name, value, choices[name])
        elif name in SWITCHES:
            changes[SWITCHES[name]] = _choose(name, value, _Switch) is _Switch.TRUE
        elif name not in OTHERS:
            known = ", ".join([*OTHERS, *choices, *SWITCHES])
            raise BadValueError("query parameter", name[:40], f"one of {known}")
    return replace(parameters, **changes) if changes else parameters  # type: ignore[arg-type]


def allow_styles(page: str) -> str:
    """Return the content security policy of a page that carries its own style sheet.

    The sheet is named by its digest, so that no other one is applied.
    """
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()) for s in _STYLE.findall(page)]
    sources = "".join(f" 'sha256-{digest.decode()}'" for digest in digests)
    return CONTENT_SECURITY_POLICY.replace("style-src 'self'", f"style-src 'self'{sources}")


class _Switch(StrEnum):
    TRUE = "true"
    FALSE = "false"


_Kind = TypeVar("_Kind", bound=StrEnum)


def _choose(name: str, value: str, kind: type[_Kind]) -> _Kind:
    try:
        return kind(value.lower())
    except ValueError:
        raise BadValueError(name, value[:40], f"one of {', '.join(kind)}") from None
