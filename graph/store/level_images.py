"""The images of all levels, saved together and trusted only together.

Floor 1. `image` holds the highest level, which the log vouches for; with it stands what each level
below must be, hash and count. An image of a lower level that is anything else is not read: the
level is built from the whole.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from graph.access import Level
from graph.errors import StoreCorruptError
from graph.model import Model
from graph.store.image import load_image, load_noted, pack_image, write_image
from graph.store.levels import Levels, LevelView, below, follow_commit, levels_of
from graph.store.log import Log, log_behind
from graph.store.snapshot import Snapshot

_log = logging.getLogger("rhizome.dataset")

NAME: Final = "image"


def pack_levels(levels: Levels) -> dict[str, list[bytes]]:
    """Return the pieces of each image by file name, the highest level's last.

    No term may be added meanwhile.
    """
    *lower, top = levels.views
    images = {f"{NAME}-{view.level.name.lower()}": pack_image(view.snapshot) for view in lower}
    views = {view.level.name.lower(): _describe(view) for view in levels.views}
    sealed = {graph: level.name.lower() for graph, level in levels.sealed.items()}
    note = {"revision": levels.revision, "views": views, "sealed": sealed}
    return {**images, NAME: pack_image(top.snapshot, note)}


def write_levels(images: Mapping[str, list[bytes]], folder: Path) -> None:
    """Write images, and delete those of levels that there no longer are."""
    for name, pieces in images.items():
        write_image(pieces, folder / name)
    for path in folder.glob(f"{NAME}-*"):
        if path.name not in images:
            path.unlink(missing_ok=True)


def drop_images(folder: Path) -> None:
    """Delete all images, so that the next start builds from the log."""
    for path in (folder / NAME, *folder.glob(f"{NAME}-*")):
        path.unlink(missing_ok=True)


def open_images(folder: Path, model: Model, log: Log) -> tuple[Levels | None, int]:
    """Return the saved version, caught up with the log, and the revision that was saved.

    None and -1 where no image can be used.

    Raises
    ------
    StoreCorruptError
        The log is behind the image: commits are missing from it.
    """
    try:
        whole, note = load_noted(folder / NAME, model)
    except StoreCorruptError as error:
        _log.warning("building the snapshot anew: %s", error)
        return None, -1
    if whole is None:
        return None, -1
    revision = noted_revision(whole, note)
    if revision > log.revision:
        raise log_behind(log, "the snapshot's image", revision)
    if not note or not log.states(revision, whole.dataset_hash, whole.quad_count):
        return None, -1
    levels = _read(folder, whole, revision, note)
    for commit in log.commits(revision):
        levels = follow_commit(levels, commit)
    return levels, revision


def noted_revision(whole: Snapshot, note: Mapping[str, Any]) -> int:
    """Return the revision of the dataset at which an image was saved."""
    return int(note.get("revision", whole.revision))


def split(whole: Snapshot, log: Log, sealed: Mapping[str, Level] | None = None) -> Levels:
    """Return the version of the log's end, of which `whole` is the highest level.

    `sealed` gives the graphs that are gone, with their levels. What changed a level last is read
    from the headers by the levels of today.
    """
    above = levels_of(whole)
    present = sorted({Level.PUBLIC, *above.values()})
    times: dict[Level, str] = dict.fromkeys(present, "")
    latest: dict[Level, dict[str, int]] = {level: {} for level in present}
    known = {**(sealed or {}), **above}
    if known:
        for header in log.headers():
            levels = (known.get(f"<{graph}>", Level.PUBLIC) for graph in header.graphs)
            lowest = min(levels, default=Level.PUBLIC)
            for level in present:
                if level >= lowest:
                    times[level] = header.time
                    latest[level][header.activity] = header.revision
    else:
        times[Level.PUBLIC], latest[Level.PUBLIC] = log.time, dict(log.latest)
    views = []
    for level in present:
        snapshot = whole if level == present[-1] else below(whole, above, level)
        revision = max(latest[level].values(), default=0)
        snapshot = replace(snapshot, revision=revision)
        views.append(LevelView(level, snapshot, times[level], latest[level]))
    return Levels(log.revision, tuple(views), above, sealed=sealed or {})


def _read(folder: Path, whole: Snapshot, revision: int, note: Mapping[str, Any]) -> Levels:
    """Return the version that images hold together."""
    above, noted = levels_of(whole), note["views"]
    views: list[LevelView] = []
    for name, known in noted.items():
        level = Level[name.upper()]
        is_top = len(views) == len(noted) - 1
        snapshot = whole if is_top else _read_lower(folder, whole, above, level, known)
        views.append(LevelView(level, snapshot, known["time"], known["latest"]))
    sealed = {graph: Level[name.upper()] for graph, name in note["sealed"].items()}
    return Levels(revision, tuple(views), above, sealed=sealed)


def _read_lower(
    folder: Path,
    whole: Snapshot,
    above: Mapping[str, Level],
    level: Level,
    known: Mapping[str, Any],
) -> Snapshot:
    path = folder / f"{NAME}-{level.name.lower()}"
    try:
        snapshot = load_image(path, whole.model)
    except (StoreCorruptError, OSError) as error:
        _log.warning("building the level %s anew: %s", level.name.lower(), error)
        snapshot = None
    if snapshot is not None and _identify(snapshot) == {k: known[k] for k in _IDENTITY}:
        return snapshot
    return replace(below(whole, above, level), revision=known["revision"])


_IDENTITY: Final = ("revision", "hash", "count")


def _identify(snapshot: Snapshot) -> dict[str, Any]:
    values = snapshot.revision, f"{snapshot.dataset_hash:064x}", snapshot.quad_count
    return dict(zip(_IDENTITY, values, strict=True))


def _describe(view: LevelView) -> dict[str, Any]:
    return {**_identify(view.snapshot), "time": view.time, "latest": dict(view.latest)}
