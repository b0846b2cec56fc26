"""Exports in the form of other tools: tables, sites, networks, the research object, a citation.

Floor 5. The same kinds for HTTP and for the command line. The analysis is imported when it is
first needed, since its libraries take long to load.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.curation.attribution import read_sources, write_attribution
from graph.curation.citation import CITATIONS, read_edition
from graph.curation.excerpt import WHOLE, Excerpt, cut_snapshot, read_excerpt
from graph.curation.export import WRITTEN
from graph.curation.geojson import MEDIA_TYPE, write_sites
from graph.curation.licences import read_licences
from graph.curation.table_export import write_tables
from graph.errors import BadValueError, NotFoundError
from web.access import VIEWER
from web.delivery import Parcel, deliver
from web.export_files import ExportFiles, FileWriter, pieces_to_file
from web.negotiation import refuse_unknown, request_format, request_language
from web.terms import ATTRIBUTION, exports_at, exports_for, write_licence_link
from web.texts import LANGUAGES

if TYPE_CHECKING:
    from graph.store.snapshot import Snapshot
    from web.service import Service

_READ: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of package: the suffix of its file, and its media type."""

    suffix: str
    media_type: str


#: What is made, by the name that the command line uses.
KINDS: Final[Mapping[str, Kind]] = {
    "tables": Kind(".tables.zip", "application/zip"),
    "geojson": Kind(".geojson", MEDIA_TYPE),
    "gexf": Kind(".gexf", "application/gexf+xml"),
    "graphml": Kind(".graphml", "application/graphml+xml"),
    "rocrate": Kind(".crate.zip", "application/zip"),
}
NETWORKS: Final = ("gexf", "graphml")
#: What is written of one graph, or of what lies around an entity, too.
CUT: Final = ("tables", "geojson")
_ALONE: Final = f"it belongs to /export, with the formats {', '.join(f.key for f in WRITTEN)}"
_CUT: Final = f"{_ALONE}, to /export/tables.zip and /export/sites.geojson"
_AROUND: Final = f"{_CUT}, and to /export/networks/NAME.gexf and .graphml"
#: Where the parameters belong that ask for a part, for who gives them to what is always whole.
PARTS: Final[Mapping[str, str]] = {"graph": _CUT, "entity": _AROUND, "depth": _AROUND}
#: Which projection and which language, where nothing is said.
PROJECTION: Final = "default"


@dataclass(frozen=True, slots=True)
class Wish:
    """What of a kind is wanted: of a network its projection, which part, and labels' language."""

    kind: str
    projection: str = PROJECTION
    language: str = LANGUAGES[0]
    excerpt: Excerpt = WHOLE


def writer_of(
    wish: Wish, snapshot: Snapshot, time: str, exports: str = "", limit: int = sys.maxsize
) -> FileWriter:
    """Return what writes a package of a version; `time` is that of its commit.

    `exports` is the public address of the exports, which a citation names; `limit` is the most
    statements that may lie around an entity.

    Raises
    ------
    BadValueError
        There is no such kind.
    UnknownTermError
        There is no such projection.
    """
    if wish.kind not in KINDS:
        raise BadValueError("format", wish.kind[:40], f"one of {', '.join(KINDS)}")
    if wish.kind in CUT:

        def write_part(path: Path) -> None:
            part = cut_snapshot(snapshot, wish.excerpt, limit)
            if wish.kind == "tables":
                write_tables(part, path)
            else:
                pieces_to_file(partial(write_sites, part))(path)

        return write_part
    if wish.kind == "rocrate":
        edition = read_edition(snapshot, time, exports)

        def write_crate(path: Path) -> None:
            from graph.analysis.package import write_crate

            write_crate(snapshot, edition, path)

        return write_crate
    from graph.analysis.projection import find_projection

    parameters = find_projection(wish.projection)

    def write_network(path: Path) -> None:
        from graph.analysis.network_files import write_network

        content = write_network(snapshot, parameters, wish.kind, wish.language, wish.excerpt)
        path.write_bytes(content)

    return write_network


def read_package(write: FileWriter) -> Iterator[bytes]:
    """Yield a package in pieces; it is written to a passing file first."""
    with tempfile.TemporaryDirectory(prefix="rhizome-export-") as folder:
        path = Path(folder) / "package"
        write(path)
        with path.open("rb") as file:
            while piece := file.read(_READ):
                yield piece


class ExportFilesOf:
    """The files on disk, which are known once a service is; one for all exports."""

    def __init__(self) -> None:
        self._files: ExportFiles | None = None

    def of(self, service: Service) -> ExportFiles:
        """Return the files of a service."""
        if self._files is None:
            self._files = ExportFiles(service.settings)
        return self._files


def routes(files: ExportFilesOf) -> list[Route]:
    """Return the routes of this module; the files on disk are those of the other exports."""
    packages = Packages(files)
    return [
        Route("/export/tables.zip", packages.answer_tables, methods=["GET"]),
        Route("/export/sites.geojson", packages.answer_sites, methods=["GET"]),
        Route("/export/crate.zip", packages.answer_crate, methods=["GET"]),
        Route("/export/networks/{name}", packages.answer_network, methods=["GET"]),
        Route("/export/citation", packages.answer_citation, methods=["GET"]),
        Route(ATTRIBUTION, packages.answer_attribution, methods=["GET"]),
    ]


class Packages:
    """The endpoints."""

    def __init__(self, files: ExportFilesOf) -> None:
        self._files = files

    async def answer_tables(self, request: Request) -> Response:
        """One CSV table a class, with a Frictionless `datapackage.json`, as a zip."""
        return await self._deliver_part(request, "tables")

    async def answer_sites(self, request: Request) -> Response:
        """The sites with their organisations, as GeoJSON."""
        return await self._deliver_part(request, "geojson")

    async def answer_crate(self, request: Request) -> Response:
        """All that is needed to read, check and cite the data, as an RO-Crate in a zip."""
        refuse_unknown(request.query_params, (), PARTS)
        return await self._deliver(request, Wish("rocrate"))

    async def answer_network(self, request: Request) -> Response:
        """A network as `{projection}.gexf` or `{projection}.graphml`, or a part of it."""
        service: Service = request.app.state.service
        query = request.query_params
        refuse_unknown(query, ("lang", "entity", "depth"), PARTS)
        name, _, kind = request.path_params["name"].rpartition(".")
        if kind not in NETWORKS:
            raise NotFoundError(f"network {request.path_params['name'][:60]} (.gexf or .graphml)")
        language = request_language(request, LANGUAGES)
        excerpt = read_excerpt(None, query.get("entity"), query.get("depth"), service.settings)
        wish = Wish(kind, name, language, excerpt)
        return await self._deliver(request, wish, "Accept-Language")

    async def answer_citation(self, request: Request) -> Response:
        """How this revision is cited: a sentence, CITATION.cff or BibTeX."""
        service: Service = request.app.state.service
        refuse_unknown(request.query_params, ("format",), PARTS)
        chosen = request_format(request, {name: kind[0] for name, kind in CITATIONS.items()})
        media_type, suffix, write = CITATIONS[chosen]
        view = service.view_for(request.scope)
        snapshot, exports = view.snapshot, exports_for(request, view.level)
        edition = read_edition(snapshot, view.time, exports)
        made_of = f"{exports} {service.version}"
        made_by = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        parcel = Parcel(
            name=f"rhizome-{snapshot.revision}{suffix}",
            media_type=media_type,
            tag=f"{edition.dataset_hash}-{snapshot.revision}-cite-{chosen}-{made_by}",
            revision=snapshot.revision,
            make=lambda: iter([write(edition).encode()]),
            link=write_licence_link(service.settings, snapshot),
            is_private=VIEWER in request.scope,
            is_sure=True,
        )
        return await deliver(request, parcel, self._files.of(service))

    async def answer_attribution(self, request: Request) -> Response:
        """Each source with its address, publisher and licence, and the licences of the whole."""
        service: Service = request.app.state.service
        refuse_unknown(request.query_params, (), PARTS)
        snapshot = service.view_for(request.scope).snapshot

        def make() -> Iterator[bytes]:
            licences, sources = read_licences(snapshot), read_sources(snapshot)
            return iter([write_attribution(sources, licences, snapshot.revision).encode()])

        made_by = hashlib.sha256(service.version.encode()).hexdigest()[:16]
        parcel = Parcel(
            name=f"rhizome-{snapshot.revision}-attribution.md",
            media_type="text/markdown",
            tag=f"{snapshot.dataset_hash:064x}-{snapshot.revision}-attribution-{made_by}",
            revision=snapshot.revision,
            make=make,
            link=write_licence_link(service.settings, snapshot),
            vary="",
            is_private=VIEWER in request.scope,
            is_sure=True,
        )
        return await deliver(request, parcel, self._files.of(service))

    async def _deliver_part(self, request: Request, kind: str) -> Response:
        """Deliver the whole, one graph, or what lies around an entity."""
        service: Service = request.app.state.service
        query = request.query_params
        refuse_unknown(query, ("graph", "entity", "depth"), PARTS)
        excerpt = read_excerpt(
            query.get("graph"), query.get("entity"), query.get("depth"), service.settings
        )
        return await self._deliver(request, Wish(kind, excerpt=excerpt))

    async def _deliver(self, request: Request, wish: Wish, vary: str = "") -> Response:
        service: Service = request.app.state.service
        view = service.view_for(request.scope)
        snapshot, exports = view.snapshot, exports_at(service.settings, view.level)
        limit = service.settings.export_statements
        write = writer_of(wish, snapshot, view.time, exports, limit)
        kind = KINDS[wish.kind]
        made_of = f"{wish!r} {service.model.digest} {service.version} {exports}"
        part = hashlib.sha256(made_of.encode()).hexdigest()[:32]
        name = "" if wish.projection == PROJECTION else f"-{wish.projection}"
        name = name if wish.excerpt.is_whole else f"{name}-part"
        parcel = Parcel(
            name=f"rhizome-{snapshot.revision}{name}{kind.suffix}",
            media_type=kind.media_type,
            tag=f"{snapshot.dataset_hash:064x}-{snapshot.revision}-{part}",
            revision=snapshot.revision,
            make=partial(read_package, write),
            link=write_licence_link(service.settings, snapshot),
            write=write,
            vary=vary,
            is_private=VIEWER in request.scope,
            is_sure=wish.excerpt.is_whole,
        )
        return await deliver(request, parcel, self._files.of(service))
