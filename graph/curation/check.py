"""Verifies a store from end to end: log, image, snapshot, SPARQL store, shapes.

Floor 2. Everything is read and compared with what the log states; nothing is written. What the
findings mean for an exit code or an answer is the caller's part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from graph.access import Level
from graph.curation.validate import Validator
from graph.curation.view import View
from graph.errors import RhizomeError, StoreCorruptError, StoreUnavailableError, Violation
from graph.store.build import build_snapshot, step
from graph.store.external import ExternalStore
from graph.store.external_contents import compare_contents
from graph.store.external_marker import Marker, name_log
from graph.store.feed import Feed, MovedError
from graph.store.image import load_noted
from graph.store.level_images import noted_revision
from graph.store.level_stores import store_folder
from graph.store.live import scan_live
from graph.store.log import Log, log_behind
from graph.store.reading import scan_checkpoint
from graph.terms import HASH_MODULUS, Quad, hash_quad

if TYPE_CHECKING:
    from graph.model import Model
    from graph.settings import Settings
    from graph.store.dataset import Dataset
    from graph.store.levels import Levels
    from graph.store.snapshot import Snapshot
    from graph.store.stamp import Stamp

#: Checkpoints that are tried while newer ones come; then the store is left unjudged.
_TRIES: Final = 3
#: Differences of a SPARQL server that are written out.
_SHOWN: Final = 5
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
    levels = dataset.levels
    found: dict[Level, tuple[int, int]] = {view.level: (0, 0) for view in levels.views}
    for at, quad in enumerate(levels.whole.quads(), 1):
        digest = hash_quad(quad)
        for level, (total, count) in found.items():
            if levels.is_seen(quad[3], level):
                found[level] = (total + digest, count + 1)
        if not at % _STRIDE:
            pause()
    for view in levels.views[:-1]:
        if not _holds(view.snapshot, found[view.level], pause):
            detail = f"the level {view.level.name.lower()} holds something else than its graphs"
            return Finding("snapshot", "levels differ", StoreCorruptError("snapshot", detail))
    total, count = found[levels.views[-1].level]
    stated = (total % HASH_MODULUS, count)
    text = f"revision {levels.revision}, {count} quads, dataset hash {stated[0]:064x}"
    if len(levels.views) > 1:
        names = ", ".join(view.level.name.lower() for view in levels.views)
        text = f"{text}, levels {names}"
    if stated != _stated_hash(dataset.log, levels.revision):
        detail = f"its {count} quads have another dataset hash than the log states"
        return Finding("snapshot", text, StoreCorruptError("snapshot", detail))
    return Finding("snapshot", text)


def _holds(snapshot: Snapshot, wanted: tuple[int, int], pause: Callable[[], None]) -> bool:
    """Tell whether a lower level states of itself, and holds, what it should."""
    total, count = 0, 0
    for quad in snapshot.quads():
        total += hash_quad(quad)
        count += 1
        if not count % _STRIDE:
            pause()
    found = (total % HASH_MODULUS, count)
    stated = (snapshot.dataset_hash, snapshot.quad_count)
    return found == stated == (wanted[0] % HASH_MODULUS, wanted[1])


def check_image(path: Path, model: Model, log: Log) -> tuple[Finding, Snapshot]:
    """Return whether the saved image is what the log says, and the snapshot of the log's revision.

    The snapshot is built from the log alone where the image cannot be used; nothing is saved.
    """
    finding, snapshot, revision = _read_image(path, model, log)
    if snapshot is None or finding.error is not None:
        return finding, build_snapshot(model, log.commits())
    for commit in log.commits(revision):
        snapshot = step(snapshot, commit)
    return finding, snapshot


def _read_image(path: Path, model: Model, log: Log) -> tuple[Finding, Snapshot | None, int]:
    if not path.exists():
        return Finding("image", "not saved yet; closing the store does"), None, 0
    try:
        snapshot, note = load_noted(path, model)
    except StoreCorruptError as error:
        return Finding("image", "cannot be used", error), None, 0
    except OSError as error:
        unavailable = StoreUnavailableError(f"{path} cannot be read: {error}")
        return Finding("image", "cannot be read", unavailable), None, 0
    if snapshot is None:
        return Finding("image", "empty or of another model; the next start builds it anew"), None, 0
    revision = noted_revision(snapshot, note)
    text = f"revision {revision}, {snapshot.quad_count} quads"
    wrong: StoreCorruptError | None = None
    if revision > log.revision:
        wrong = log_behind(log, "the snapshot's image", revision)
    elif not log.states(revision, snapshot.dataset_hash, snapshot.quad_count):
        detail = f"the log states another dataset hash of revision {revision}"
        wrong = StoreCorruptError(str(path), detail)
    return Finding("image", text, wrong), snapshot, revision


def check_stores(dataset: Dataset) -> list[Finding]:
    """Return whether each level's SPARQL store holds what its stamp and the log say."""

    def newest() -> Levels:
        return dataset.levels

    log, folder = dataset.log, dataset.folder
    return [
        check_store(store_folder(folder, view.level), Feed(log, newest, view.level))
        for view in dataset.levels.views
    ]


def check_store(folder: Path, feed: Feed) -> Finding:
    """Return whether a SPARQL store holds what its stamp says, and the log of its revision.

    It is read as it lies there, and nothing is changed or mended; nobody may write to it
    meanwhile. A revision behind the log is no fault, since the next start catches up.
    """
    try:
        found = scan_live(folder)
    except StoreCorruptError as error:
        return Finding(_name(feed), "cannot be used", error)
    if found is None:
        return Finding(_name(feed), "not built yet; the next start does")
    stamp, scan = found
    faults = scan.faults(stamp) + _differences(stamp, feed)
    text = f"revision {stamp.revision}, {stamp.quad_count} quads, {stamp.total} statements"
    wrong = StoreCorruptError(str(folder), "; ".join(faults)) if faults else None
    return Finding(_name(feed), text, wrong)


def check_checkpoint(dataset: Dataset, level: Level = Level.PUBLIC) -> Finding | None:
    """Return whether the checkpoint that queries are answered from is sound, or None without one.

    It is read by a process of its own, so that a service goes on meanwhile.
    """
    for _ in range(_TRIES):
        follower = dataset.follower_of(level)
        if follower is None:
            return None
        checkpoint, name = follower.checkpoint, _name(follower.feed)
        faults = _differences(follower.store.stamp(), follower.feed)
        try:
            faults += scan_checkpoint(checkpoint.path, is_deep=True)
        except RhizomeError as error:
            if follower.checkpoint != checkpoint:  # a newer one came, and this one was deleted
                continue
            return Finding(name, "cannot be read", error)
        text = f"checkpoint of revision {checkpoint.revision}"
        wrong = StoreCorruptError(str(checkpoint.path), "; ".join(faults)) if faults else None
        return Finding(name, text, wrong)
    return Finding("store", "is written to all the time: not judged")


def check_external(
    settings: Settings, dataset: Dataset, system: Iterable[Quad], *, is_deep: bool
) -> Finding:
    """Return whether the SPARQL server of the settings holds the newest version.

    Its marker and its counts are compared; with `is_deep` it is read whole, graph by graph.

    Raises
    ------
    SettingError
        A setting of the server cannot be used.
    """
    feed = Feed(dataset.log, lambda: dataset.levels, Level.PUBLIC)
    revision, view = feed.view()
    store = ExternalStore(settings, system)
    try:
        expected = store.marker_of(revision, view.snapshot, name_log(dataset.log))
        markers = store.read_markers()
        held = markers[0] if len(markers) == 1 else None
        if held is not None and _is_behind(held, expected, feed):
            return Finding("external", f"at revision {held.revision}, behind: it is caught up")
        if markers != [expected]:
            detail = f"its marker is not that of revision {revision} of this log"
            return Finding("external", store.place, StoreCorruptError(store.place, detail))
        wrong, _ = store.differences(view.snapshot, None, written=dataset.log.writers)
        text = f"revision {revision}, counts"
        if is_deep and not wrong:
            found = compare_contents(store, view.snapshot, settings.sparql_feed_s)
            wrong, text = [difference.text for difference in found], f"{text} and contents"
    except StoreUnavailableError as error:
        return Finding("external", "cannot be read", error)
    finally:
        store.close()
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        detail = "; ".join(wrong[:_SHOWN]) + more
        return Finding("external", text, StoreCorruptError(store.place, detail))
    return Finding("external", f"{text} at {store.place}")


def check_shapes(snapshot: Snapshot, validator: Validator) -> Iterator[Violation]:
    """Yield every violation and warning of the whole dataset, violations first."""
    subjects = {quad[0] for quad in snapshot.quads()}
    yield from validator.validate_nodes(View(snapshot), subjects)


def _name(feed: Feed) -> str:
    level = feed.level
    return "store" if level is Level.PUBLIC else f"store-{level.name.lower()}"


def _is_behind(held: Marker, expected: Marker, feed: Feed) -> bool:
    """Tell whether a server holds an earlier revision of the same log, whole."""
    same = (held.log, held.system_digest) == (expected.log, expected.system_digest)
    if not same or held.part is not None or held.revision >= expected.revision:
        return False
    try:
        return (held.dataset_hash, held.quad_count) == feed.expected(held.revision)
    except MovedError:  # it is fed anew
        return True


def _differences(stamp: Stamp, feed: Feed) -> tuple[str, ...]:
    """What a store's stamp says otherwise than the log does of the same revision."""
    log = feed.log
    if stamp.revision > log.revision:
        return (f"it holds revision {stamp.revision}, the log ends at {log.revision}",)
    try:
        expected = feed.expected(stamp.revision)
    except MovedError:  # it is behind, and is built anew
        return ()
    if (stamp.dataset_hash, stamp.quad_count) != expected:
        return (f"the log states another dataset hash of revision {stamp.revision}",)
    return ()


def _stated_hash(log: Log, revision: int) -> tuple[int, int]:
    """Dataset hash and quad count that the log states of a revision."""
    header = next(iter(log.headers(revision - 1)), None) if revision else None
    return (header.dataset_hash, header.quad_count) if header else (0, 0)
