"""Verifies a store from end to end: log, snapshot, SPARQL store, shapes.

Floor 2. Everything is read and compared with what the log states; nothing is written. What the
findings mean for an exit code or an answer is the caller's part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from graph.curation.validate import Validator
from graph.curation.view import View
from graph.errors import RhizomeError, StoreCorruptError, Violation
from graph.store.log import Log
from graph.store.oxigraph import OxigraphStore
from graph.terms import HASH_MODULUS, hash_quad

if TYPE_CHECKING:
    from graph.store.dataset import Dataset
    from graph.store.snapshot import Snapshot

#: Scans of a store that is written to meanwhile; then it is left unjudged.
_TRIES: Final = 3
#: Quads between two pauses: about a millisecond of work.
_STRIDE: Final = 256


def _go_on() -> None:
    """Take no pause."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one part after reading all of it; `error` says what is wrong, if it is."""

    part: str
    text: str
    error: RhizomeError | None = None
    warnings: tuple[Violation, ...] = ()


def check_log(folder: Path) -> Finding:
    """Return whether the chain, every payload and every stated dataset hash of a log are right.

    Cost: about 12 s a million quads; memory stays bounded.
    """
    place = str(folder)
    try:
        log = Log.open(folder)
        total, count, quads = 0, 0, 0
        for header in log.headers():
            for is_added, quad in log.quads(header):
                total += hash_quad(quad) if is_added else -hash_quad(quad)
                count += 1 if is_added else -1
                quads += 1
            if (header.dataset_hash, header.quad_count) != (total % HASH_MODULUS, count):
                detail = f"record {header.revision} states another dataset hash than its quads give"
                raise StoreCorruptError(place, detail)
    except RhizomeError as error:
        return Finding("log", "cannot be trusted", error)
    torn = "".join(f"; not yet cut: {text}" for text in log.torn)
    return Finding("log", f"{log.revision} commits, {quads} changes, {count} quads{torn}")


def check_snapshot(dataset: Dataset, pause: Callable[[], None] = _go_on) -> Finding:
    """Return whether the snapshot's quads are those whose hash the log states.

    `pause` is called every few hundred quads: a service lets its requests in between.
    """
    snapshot = dataset.snapshot
    total, count = 0, 0
    for quad in snapshot.quads():
        total += hash_quad(quad)
        count += 1
        if not count % _STRIDE:
            pause()
    found = (total % HASH_MODULUS, count)
    text = f"revision {snapshot.revision}, {count} quads, dataset hash {found[0]:064x}"
    if found != _stated_hash(dataset.log, snapshot.revision):
        detail = f"its {count} quads have another dataset hash than the log states"
        return Finding("snapshot", text, StoreCorruptError("snapshot", detail))
    return Finding("snapshot", text)


def check_store(store: OxigraphStore) -> Finding:
    """Return whether the SPARQL store holds what its stamp says, index by index."""
    place = str(store.folder)
    for _ in range(_TRIES):
        if store.fault is not None:
            return Finding("store", "cannot be used", StoreCorruptError(place, store.fault))
        stamp = store.stamp()
        try:
            faults = store.verify(is_deep=True).faults(stamp)
        except RhizomeError as error:
            return Finding("store", "cannot be read", error)
        if store.stamp() == stamp:
            text = f"revision {stamp.revision}, {stamp.quad_count} quads, {stamp.total} statements"
            wrong = StoreCorruptError(place, "; ".join(faults)) if faults else None
            return Finding("store", text, wrong)
    return Finding("store", "is written to all the time: not judged")


def check_shapes(snapshot: Snapshot, validator: Validator) -> Iterator[Violation]:
    """Yield every violation and warning of the whole dataset, violations first."""
    subjects = {quad[0] for quad in snapshot.quads()}
    yield from validator.validate_nodes(View(snapshot), subjects)


def _stated_hash(log: Log, revision: int) -> tuple[int, int]:
    """Dataset hash and quad count that the log states of a revision."""
    header = next(iter(log.headers(revision - 1)), None) if revision else None
    return (header.dataset_hash, header.quad_count) if header else (0, 0)
