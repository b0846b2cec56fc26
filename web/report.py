"""The centrality report over HTTP, in four formats and two languages.

Floor 5. What is measured and how it is rendered stands in `graph/analysis`; here parameters are
read, and the work is done in a thread, one report at a time. What was measured is kept by
revision, parameters and language, and what was rendered by its format, too. The analysis is
imported when it is first needed: its libraries take as long to load as all else together, and
neither the start nor the other commands should wait for them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.errors import BadValueError
from web.access import VIEWER, kept_by
from web.conditional import answer_if_changed, matches
from web.frame import CONTENT_SECURITY_POLICY, REVISION
from web.kept import Kept
from web.negotiation import refuse_unknown, request_format, request_language
from web.texts import LANGUAGES

if TYPE_CHECKING:
    from graph.analysis.findings import Report
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
#: Reports kept as they were measured (the larger part of the work and of the memory), and as bytes.
_MEASURED_KEPT: Final = 8
_RENDERED_KEPT: Final = 64
#: Reports that are worked on at a time; others wait, so that one core stays for all else.
_AT_ONCE: Final = 1
_Kind = TypeVar("_Kind", bound=StrEnum)
_Made = TypeVar("_Made")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def routes() -> list[Route]:
    """Return the routes of this module, with a cache of their own."""
    return [Route("/report", Reports().answer, methods=["GET"], name="report")]


class Reports:
    """The reports made so far, as they were measured and as they were rendered."""

    def __init__(self) -> None:
        self._measured: Kept[Report] = Kept(_MEASURED_KEPT)
        self._rendered: Kept[bytes] = Kept(_RENDERED_KEPT)
        self._turn = anyio.CapacityLimiter(_AT_ONCE)

    async def answer(self, request: Request) -> Response:
        """Centralities of the network with method and limits: HTML, Markdown, JSON or CSV."""
        service: Service = request.app.state.service
        parameters = read_parameters(request.query_params)
        language = request_language(request, LANGUAGES)
        name = request_format(request, FORMATS)
        view = service.view_for(request.scope)
        snapshot, changed = view.snapshot, view.time
        is_private = VIEWER in request.scope
        key = f"{snapshot.revision}-{snapshot.dataset_hash:x}-{parameters!r}-{language}-{name}"
        etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
        if not is_private and matches(request.headers.get("if-none-match"), etag):
            return answer_if_changed(request, etag, Response)  # nothing need be measured
        measure = partial(measure_report, snapshot, parameters, language, changed)
        content = await self._rendered.get(key, partial(self._render, measure, key, name))
        headers = {
            REVISION: str(snapshot.revision),
            "Cache-Control": kept_by(request.scope),
            "Content-Language": language,
            "Vary": "Accept, Accept-Language",
            "Content-Disposition": f'inline; filename="report-{snapshot.revision}.{name}"',
        }
        if name == "html":
            headers["Content-Security-Policy"] = allow_styles(content.decode())
        response = partial(Response, content, headers=headers, media_type=FORMATS[name])
        return response() if is_private else answer_if_changed(request, etag, response)

    async def _render(self, measure: Callable[[], Report], key: str, name: str) -> bytes:
        """Return a report as bytes, measured anew only if no other format of it was asked for."""
        whole = key.removesuffix(f"-{name}")
        report = await self._measured.get(whole, partial(self._work, measure))
        return await self._work(partial(render_report, report, name))

    async def _work(self, make: Callable[[], _Made]) -> _Made:
        """Run in a thread, when it is its turn."""
        return await anyio.to_thread.run_sync(make, limiter=self._turn)


def measure_report(
    snapshot: Snapshot, parameters: ProjectionParameters, language: str, changed: str
) -> Report:
    """Return a report to be rendered; `changed` is the time of the snapshot's last commit."""
    from graph.analysis.report import build_report

    return build_report(snapshot, parameters, language, changed)


def render_report(report: Report, name: str) -> bytes:
    """Return a report as the bytes of a format."""
    from graph.analysis.render import render

    return render(report, name)


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
    refuse_unknown(query, [*OTHERS, *choices, *SWITCHES])
    changes: dict[str, object] = {}
    for name, value in query.items():
        if name in choices:
            changes[name] = _choose(name, value, choices[name])
        elif name in SWITCHES:
            changes[SWITCHES[name]] = _choose(name, value, _Switch) is _Switch.TRUE
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


def _choose(name: str, value: str, kind: type[_Kind]) -> _Kind:
    try:
        return kind(value.lower())
    except ValueError:
        raise BadValueError(name, value[:40], f"one of {', '.join(kind)}") from None
