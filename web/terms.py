"""On which terms an export may be used, as a header; and where the exports are.

Floor 5. The rule is in `graph/curation/licences.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from graph.access import Level
from graph.curation.licences import read_licences
from graph.settings import Settings

if TYPE_CHECKING:
    from graph.store.snapshot import Snapshot
    from web.service import Service

EXPORTS: Final = "/export"
#: The list of sources, each with its licence.
ATTRIBUTION: Final = f"{EXPORTS}/attribution"


def exports_at(settings: Settings, level: Level) -> str:
    """Return the public address of the exports, empty where none is set.

    Nor has a level above the public one any: others would find other statements there.
    """
    is_known = bool(settings.base_url) and level is Level.PUBLIC
    return settings.base_url.rstrip("/") + EXPORTS if is_known else ""


def exports_for(request: Request, level: Level) -> str:
    """Return the address of the exports as who asks knows it, empty above the public level."""
    service: Service = request.app.state.service
    base = service.address_of(request).removesuffix(request.url.path)
    return base + EXPORTS if level is Level.PUBLIC else ""


def write_licence_link(settings: Settings, snapshot: Snapshot | None) -> str:
    """Return the Link header of an export (RFC 8288): the licence, of several the list of sources.

    Several links of this kind would be a choice (RFC 4946). Of a version that is not at hand
    (None) nobody knows without reading the log, so the list is named, too.
    """
    licences = () if snapshot is None else read_licences(snapshot)
    if len(licences) == 1:
        return f'<{licences[0].iri}>; rel="license"'
    return f'<{urlsplit(settings.base_url).path.rstrip("/")}{ATTRIBUTION}>; rel="license"'
