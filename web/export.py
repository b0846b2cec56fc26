"""Exports: what the one who asks may read, or a part of it, in the format that is wanted.

Floor 5. What is written stands in `graph/curation/` and `graph/analysis/`; here it is negotiated,
tagged and named. The snapshot is taken once, so that an export is one revision however long it
takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.curation.excerpt import read_excerpt
from graph.curation.export import FRAMED, WRITTEN, export
from graph.curation.formats import RDF_XML, Format
from graph.curation.replay import DUMPED, write_dump
from graph.errors import BadValueError, NotFoundError
from web import packages
from web.access import VIEWER, viewer_of
from web.delivery import Parcel, deliver
from web.negotiation import choose_media_type, refuse_unknown
from web.packages import ExportFilesOf
from web.terms import write_licence_link

if TYPE_CHECKING:
    from graph.store.log import Log
    from graph.store.snapshot import Snapshot
    from web.service import Service

#: The formats that are written, the default first; those without graphs merge all sources.
FORMATS: Final = WRITTEN
PARAMETERS: Final = ("format", "graph", "entity", "depth")
_REVISION_DIGITS: Final = 15


def routes() -> list[Route]:
    """Return the routes of this module, with files of their own."""
    files = ExportFilesOf()
    exports = Exports(files)
    return [
        *packages.routes(files),
        Route("/export", exports.answer_export, methods=["GET"]),
        Route("/export/revisions/{name}", exports.answer_revision, methods=["GET"]),
    ]


class Exports:
    """The endpoints, which share the files that exports leave on disk."""

    def __init__(self, files: ExportFilesOf) -> None:
        self._files = files

    async def answer_export(self, request: Request) -> Response:
        """The dataset, one graph, or what lies around an entity, in any RDF format."""
        service: Service = request.app.state.service
        query = request.query_params
        refuse_unknown(query, PARAMETERS)
        chosen = read_format(request)
        excerpt = read_excerpt(
            query.get("graph"), query.get("entity"), query.get("depth"), service.settings
        )
        snapshot = service.view_for(request.scope).snapshot
        tag = tag_of(snapshot, chosen.key)
        if chosen not in DUMPED:  # prefixes and names are the ontology's, the form the program's
            made_by = f"{service.model.digest} {service.version}"
            tag = f"{tag}-{hashlib.sha256(made_by.encode()).hexdigest()[:16]}"
        if not excerpt.is_whole:
            tag = f"{tag}-{hashlib.sha256(repr(excerpt).encode()).hexdigest()[:32]}"
        part = "" if excerpt.is_whole else "-part"
        parcel = Parcel(
            name=f"rhizome-{snapshot.revision}{part}{chosen.suffixes[0]}",
            media_type=chosen.media_type,
            tag=tag,
            revision=snapshot.revision,
            make=partial(export, snapshot, chosen, excerpt, service.settings.export_statements),
            link=write_licence_link(service.settings, snapshot),
            is_private=VIEWER in request.scope,
            is_sure=excerpt.is_whole and chosen not in (RDF_XML, FRAMED),
        )
        return await deliver(request, parcel, self._files.of(service))

    async def answer_revision(self, request: Request) -> Response:
        """The dump of a revision, `{n}.nq` or `{n}.nt`: the same bytes whenever it is asked for."""
        service: Service = request.app.state.service
        refuse_unknown(request.query_params, (), packages.PARTS)
        revision, chosen = read_dump_name(request.path_params["name"])
        snapshot = service.view_for(request.scope).snapshot
        if revision > snapshot.revision:
            raise NotFoundError(f"revision {revision} (the newest is {snapshot.revision})")
        is_newest = revision == snapshot.revision
        level = viewer_of(request.scope, service.visitor).level
        hidden = service.dataset.levels.hidden_from(level)
        if is_newest:
            tag = tag_of(snapshot, chosen.key)
        else:
            tag = tag_of_dump(service.dataset.log, revision, hidden, chosen.key)
        dump = partial(write_dump, service.settings, revision, chosen, hidden)
        parcel = Parcel(
            name=f"rhizome-{revision}{chosen.suffixes[0]}",
            media_type=chosen.media_type,
            tag=tag,
            revision=revision,
            make=partial(export, snapshot, chosen) if is_newest else _nothing,
            link=write_licence_link(service.settings, snapshot if is_newest else None),
            write=None if is_newest else dump,
            vary="",
            is_private=VIEWER in request.scope,
            is_sure=True,
        )
        return await deliver(request, parcel, self._files.of(service))


def tag_of(snapshot: Snapshot, kind: str) -> str:
    """Return the tag of what is made from a version: what it holds, its number, and the kind."""
    return f"{snapshot.dataset_hash:064x}-{snapshot.revision}-{kind}"


def tag_of_dump(log: Log, revision: int, hidden: frozenset[str], kind: str) -> str:
    """Return the tag of an old revision's dump: that of the export then, if nothing is hidden."""
    header = next(log.headers(revision - 1))
    state = f"{header.dataset_hash:064x}"
    if hidden:
        state = hashlib.sha256(f"{state} {sorted(hidden)}".encode()).hexdigest()
    return f"{state}-{revision}-{kind}"


def _nothing() -> Iterator[bytes]:
    return iter(())


def read_dump_name(name: str) -> tuple[int, Format]:
    """Return revision and format of a dump's name, `12.nq`.

    Raises
    ------
    BadValueError
        The name is not of that form, or the revision is none.
    """
    number, _, suffix = name.partition(".")
    formats = {known.suffixes[0][1:]: known for known in DUMPED}
    if suffix not in formats:
        endings = " or ".join(f".{ending}" for ending in formats)
        raise BadValueError("revision", name[:40], f"a revision with {endings}, as 1.nq")
    is_number = number.isascii() and number.isdigit() and len(number) <= _REVISION_DIGITS
    if not is_number or int(number) < 1 or number.startswith("0"):
        raise BadValueError("revision", number[:40], "a revision, a whole number from 1")
    return int(number), formats[suffix]


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
    offered = {
        media_type: known
        for known in FORMATS
        if known is not FRAMED  # it has the media type of the other JSON-LD
        for media_type in known.media_types
    }
    return offered[choose_media_type(request.headers.get("accept"), tuple(offered))]
