"""The command `export`: the dataset, a part of it, an earlier revision, or a package.

Floor 5. What it was given comes from the command line, through the control socket where a server
runs, so that all of it is checked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from graph.curation.excerpt import read_excerpt
from graph.curation.export import WRITTEN, export
from graph.curation.formats import Format
from graph.curation.replay import DUMPED, write_dump
from graph.errors import BadValueError, NotFoundError
from web.control import Piece
from web.delivery import pack
from web.packages import CUT, KINDS, NETWORKS, PROJECTION, Wish, read_package, writer_of
from web.terms import exports_at

if TYPE_CHECKING:
    from graph.store.dataset import Dataset
    from graph.store.levels import LevelView

#: Longest number of a revision.
_DIGITS = 15
#: What says which part is wanted, and which network.
_PART = ("entity", "depth")
_NETWORK = ("projection", "language")
_RDF = tuple(known.key for known in WRITTEN)
#: Which formats take an argument that the packages do not.
_TAKEN_BY = {
    "graph": (*_RDF, *CUT),
    **dict.fromkeys(_PART, (*_RDF, *CUT, *NETWORKS)),
    **dict.fromkeys(_NETWORK, NETWORKS),
}


def run_export(dataset: Dataset, view: LevelView, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Write out what a level sees, and say of which revision.

    Raises
    ------
    BadValueError
        An argument cannot be used, or not with the others.
    RhizomeError
        What the export met.
    """
    name = str(arguments["format"])
    revision = view.snapshot.revision
    if arguments.get("revision") is not None:
        pieces, revision = _dump(dataset, view, name, arguments)
        said = f"revision {revision}, made anew from the log"
    elif name in KINDS:
        pieces = _package(dataset, view, name, arguments)
        said = f"revision {revision}"
    else:
        pieces, said = _statements(dataset, view, name, arguments)
    for content in pack(pieces) if arguments.get("gzip") else pieces:
        yield Piece.out(content)
    yield Piece.say(said)


def _statements(
    dataset: Dataset, view: LevelView, name: str, arguments: Mapping[str, Any]
) -> tuple[Iterator[bytes], str]:
    _refuse(arguments, _NETWORK, f"with the format {name}", _TAKEN_BY)
    snapshot, settings = view.snapshot, dataset.settings
    excerpt = read_excerpt(
        arguments.get("graph"), arguments.get("entity"), arguments.get("depth"), settings
    )
    pieces = export(snapshot, _format(name, WRITTEN), excerpt, settings.export_statements)
    said = f"revision {snapshot.revision}"
    if excerpt.is_whole:
        said = f"{said}: {snapshot.quad_count} statements{_left_out(dataset, view)}"
    return pieces, said


def _dump(
    dataset: Dataset, view: LevelView, name: str, arguments: Mapping[str, Any]
) -> tuple[Iterator[bytes], int]:
    _refuse(arguments, ("graph", *_PART, *_NETWORK), "with --revision")
    asked, newest = str(arguments["revision"]), view.snapshot.revision
    format = _format(name, DUMPED)
    is_number = asked.isascii() and asked.isdigit() and len(asked) <= _DIGITS
    if not is_number or int(asked) < 1:
        raise BadValueError(
            "revision", asked[:40], f"a revision, a whole number from 1 to {newest}"
        )
    revision = int(asked)
    if revision > newest:
        raise NotFoundError(f"revision {revision} (the newest is {newest})")
    hidden = dataset.levels.hidden_from(view.level)
    write = partial(write_dump, dataset.settings, revision, format, hidden)
    return read_package(write), revision


def _package(
    dataset: Dataset, view: LevelView, name: str, arguments: Mapping[str, Any]
) -> Iterator[bytes]:
    refused: tuple[str, ...] = ("graph", *_PART, *_NETWORK)
    if name in NETWORKS:
        refused = ("graph",)
    elif name in CUT:
        refused = _NETWORK
    _refuse(arguments, refused, f"with the format {name}", _TAKEN_BY)
    projection = arguments.get("projection") or PROJECTION
    settings = dataset.settings
    excerpt = read_excerpt(
        arguments.get("graph"), arguments.get("entity"), arguments.get("depth"), settings
    )
    wish = Wish(name, str(projection), str(arguments.get("language") or "en"), excerpt)
    exports, limit = exports_at(settings, view.level), settings.export_statements
    return read_package(writer_of(wish, view.snapshot, view.time, exports, limit))


def _left_out(dataset: Dataset, view: LevelView) -> str:
    """Return what is to be said of statements that the level does not see."""
    more = dataset.snapshot.quad_count - view.snapshot.quad_count
    if not more:
        return ""
    name = view.level.name.lower()
    return f"; {more} statements are above the level {name}: --level restricted has all"


def _format(name: str, known: tuple[Format, ...]) -> Format:
    for each in known:
        if each.key == name:
            return each
    raise BadValueError("format", name[:40], f"one of {', '.join(each.key for each in known)} here")


def _refuse(
    arguments: Mapping[str, Any],
    names: tuple[str, ...],
    where: str,
    taken_by: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Refuse what would have no effect: the answer would be taken for another one.

    `taken_by` tells which formats take an argument.
    """
    for name in names:
        if arguments.get(name) is not None:
            formats = ", ".join((taken_by or {}).get(name, ()))
            remedy = f": it belongs to {formats}" if formats else ""
            given = str(arguments[name])[:200]
            raise BadValueError(name, given, f"to be given {where}{remedy}")
