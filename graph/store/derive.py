"""Derives what a start needs from the log: the snapshot from its image, or all parts anew.

Floor 1. Where both the snapshot and the SPARQL store are lost, they are built side by side, each
from the log alone: the engine works while the snapshot's quads are read.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from graph.model import Model
from graph.store.build import build_snapshot
from graph.store.bulk import replay_log
from graph.store.feed import FAR_BEHIND
from graph.store.level_images import split
from graph.store.levels import Levels, Seals
from graph.store.log import Log, log_behind
from graph.store.oxigraph import OxigraphStore

_log = logging.getLogger("rhizome.dataset")


def build_parts(model: Model, log: Log, store: OxigraphStore | None) -> Levels:
    """Return the version of the log's end, and bring a store that cannot be used to its revision.

    The store is given all: where that is not public, its stamp is not that of the public level,
    and whoever follows it builds it anew before anything is answered.

    Raises
    ------
    StoreCorruptError
        The log is damaged, or behind the store.
    StoreFullError, StoreUnavailableError
        The store could not be written.
    """
    if store is not None and store.revision > log.revision and store.fault is None:
        raise log_behind(log, "the SPARQL store", store.revision)
    fault = None if store is None else _find_fault(store, log)
    seals = Seals()
    if store is None or fault is None:
        snapshot = build_snapshot(model, seals.watch(log.commits()))
        return split(snapshot, log, seals.of(snapshot))
    _log.warning("building the SPARQL store anew: %s", fault)
    with ThreadPoolExecutor(1, "store") as pool:
        storing = pool.submit(
            store.rebuild_from, replay_log(log), log.revision, log.dataset_hash, log.quad_count
        )
        snapshot = build_snapshot(model, seals.watch(log.commits()))
        storing.result()
    return split(snapshot, log, seals.of(snapshot))


def _find_fault(store: OxigraphStore, log: Log) -> str | None:
    """Return why a store surely has to be built anew, in words."""
    if store.fault is not None:
        return store.fault
    if log.quad_count - store.quad_count > FAR_BEHIND:
        return f"it is far behind, at revision {store.revision}"
    return None
