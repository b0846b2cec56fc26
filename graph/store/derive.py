"""Derives what a start needs from the log: the snapshot from its image, or all parts anew.

Floor 1. Where both the snapshot and the SPARQL store are lost, they are built side by side, each
from the log alone: the engine works while the snapshot's quads are read.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from graph.errors import StoreCorruptError
from graph.model import Model
from graph.store.build import build_snapshot, step
from graph.store.bulk import replay_log
from graph.store.follower import find_fault, is_in_step, log_behind
from graph.store.image import load_image
from graph.store.log import Log
from graph.store.oxigraph import OxigraphStore
from graph.store.snapshot import Snapshot

_log = logging.getLogger("rhizome.dataset")


def open_image(path: Path, model: Model, log: Log) -> tuple[Snapshot | None, int]:
    """Return the saved snapshot, caught up with the log, and the revision that was saved.

    None and -1 where no image can be used.

    Raises
    ------
    StoreCorruptError
        The log is behind the image: commits are missing from it.
    """
    try:
        snapshot = load_image(path, model)
    except StoreCorruptError as error:
        _log.warning("building the snapshot anew: %s", error)
        snapshot = None
    if snapshot is not None and snapshot.revision > log.revision:
        raise log_behind(log, "the snapshot's image", snapshot.revision)
    if snapshot is None or not is_in_step(snapshot, log):
        return None, -1
    image_revision = snapshot.revision
    for commit in log.commits(image_revision):
        snapshot = step(snapshot, commit)
    return snapshot, image_revision


def build_parts(model: Model, log: Log, store: OxigraphStore | None) -> Snapshot:
    """Return the snapshot of the log, and bring a store that cannot catch up to its revision.

    Raises
    ------
    StoreCorruptError
        The log is damaged, or behind the store.
    StoreFullError, StoreUnavailableError
        The store could not be written.
    """
    fault = None if store is None else find_fault(store, log)
    if store is None or fault is None:
        return build_snapshot(model, log.commits())
    _log.warning("building the SPARQL store anew: %s", fault)
    with ThreadPoolExecutor(1, "store") as pool:
        storing = pool.submit(
            store.rebuild_from, replay_log(log), log.revision, log.dataset_hash, log.quad_count
        )
        snapshot = build_snapshot(model, log.commits())
        storing.result()
    return snapshot
