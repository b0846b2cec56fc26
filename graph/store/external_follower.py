"""Keeps a SPARQL server of others in step with the log, and says whether it may be asked.

Floor 1. One thread feeds, compares and probes. A server that is behind is caught up, one that
differs is fed anew once; one that holds what is not ours is left alone. While it fails nobody is
sent to it (an open circuit): the thread tries again after pauses, and what works again is used
again, without a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from graph.errors import RhizomeError, StoreUnavailableError
from graph.settings import Settings
from graph.store.commit import Commit
from graph.store.external import ExternalStore
from graph.store.external_marker import Marker, is_ours, name_log
from graph.store.feed import Feed, MovedError
from graph.store.snapshot import Snapshot
from graph.store.stamp import Stamp

_logger = logging.getLogger("rhizome.external")

#: Statements of the graphs of a commit up to which these are counted after it.
_COUNTED: Final = 50_000
_COUNTED_GRAPHS: Final = 50
#: Pauses between attempts grow up to this, in seconds.
_PAUSE_MAX_S: Final = 30.0


class _Version(NamedTuple):
    """What the server is to hold: a revision of the dataset, and what its level sees of it."""

    revision: int
    snapshot: Snapshot


class _Holding(NamedTuple):
    """What the server holds, as a feed asks it of a store."""

    revision: int
    dataset_hash: int
    quad_count: int
    fault: str | None = None


class NotOursError(Exception):
    """The server holds what we must not touch; `str` says what, and what to do."""


class ExternalFollower:
    """The thread between log and server.

    `revision` is what the server holds, -1 before that is known; `fault` says why it cannot be
    asked, if so; `epoch` changes whenever its data is neither of one revision nor of another.

    Parameters
    ----------
    store : ExternalStore
    feed : Feed
        The commits and versions of the level that the server holds: the public one.
    stamp : callable
        Returns the stamp of the embedded store, which knows the number of merged triples.
    settings : Settings
    """

    def __init__(
        self,
        store: ExternalStore,
        feed: Feed,
        stamp: Callable[[], Stamp | None],
        settings: Settings,
    ) -> None:
        self.store = store
        self.revision = -1
        self.fault: str | None = "it was not reached yet"
        self.epoch = 0
        self.feeds = 0
        self.others: tuple[str, ...] = ()
        self._commits = feed
        self._log = feed.log
        self._stamp = stamp
        self._settings = settings
        self._changed = threading.Condition()
        self._listeners: list[Callable[[], None]] = []
        self._is_stopping = False
        self._is_suspect = False
        self._hold_reason: str | None = None
        self._is_compared = False
        self._fed_for_difference: float | None = None
        self._failures = 0
        self._told: str | None = None
        self._thread = threading.Thread(target=self._run, name="external", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    # --- for others -------------------------------------------------------------------------

    @property
    def retry_after_s(self) -> float:
        """Seconds until the next attempt, about."""
        return self._pause_s()

    def tell(self) -> None:
        """Say that there is a new commit."""
        with self._changed:
            self._changed.notify_all()

    def suspect(self) -> None:
        """Say that a query failed for a reason that may be the server's: it is looked into."""
        with self._changed:
            self._is_suspect = True
            self._changed.notify_all()

    def doubt(self, reason: str) -> None:
        """Let nobody ask, and what is being answered be nothing, until it was looked into."""
        with self._changed:
            self.epoch += 1
            self._is_suspect = True
            self.fault = reason
            self._changed.notify_all()

    def is_of(self, marker: Marker | None, revision: int) -> bool:
        """Tell whether a marker is that of our log, whole, at a revision or a later one."""
        return (
            marker is not None
            and marker.log == name_log(self._log)
            and marker.part is None
            and marker.revision >= revision
        )

    def hold(self, reason: str) -> None:
        """Let nobody ask, and what is being answered be nothing, until the server is in step.

        For what was hidden from its level: it is fed anew.
        """
        with self._changed:
            self.epoch += 1
            self._hold_reason = reason
            self._is_suspect = True
            self.fault = reason
            self._changed.notify_all()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a function, in the thread, whenever revision or fault change."""
        self._listeners.append(listener)

    def wait_for(self, revision: int, timeout_s: float) -> bool:
        """Tell whether the server holds at least a revision, and may be asked, within the time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.fault is None and self.revision >= revision, timeout_s
            )

    def close(self) -> None:
        """Stop following and let go of the server."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            # A server that hangs is not waited for: the thread ends with the process.
            self._thread.join(self._settings.sparql_probe_s + 1.0)
        self.store.close()

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_stopping:
            self._step()
            with self._changed:
                if self.fault is None:
                    self._changed.wait_for(self._has_work, self._settings.sparql_check_s)
                elif self._hold_reason is None:
                    self._changed.wait_for(lambda: self._is_stopping, self._pause_s())

    def _has_work(self) -> bool:
        return self._is_stopping or self._is_suspect or self._newest().revision > self.revision

    def _step(self) -> None:
        """Bring the server to the newest version, if it can be; else keep why not."""
        self._is_suspect = False
        try:
            self._follow()
        except NotOursError as error:
            self._fail(str(error))
        except (RhizomeError, OSError, ValueError) as error:
            self._fail(str(error))
        except Exception as error:  # a bug of ours must not end the thread unseen
            _logger.exception("following the SPARQL server failed")
            self._fail(f"following it failed: {type(error).__name__}")
        else:
            self._failures, self._told = 0, None

    def _fail(self, fault: str) -> None:
        self._failures += 1
        if fault != self._told:
            # Where the server stands is told here alone: the fault is told to everyone.
            _logger.error("SPARQL is not answered (%s): %s", self.store.place, fault)
            self._told = fault
        self._publish(self.revision, fault)

    def _pause_s(self) -> float:
        doubled = self._settings.sparql_retry_s * 2.0 ** min(self._failures - 1, 16)
        return max(0.05, min(_PAUSE_MAX_S, doubled))

    def _publish(self, revision: int, fault: str | None) -> None:
        with self._changed:
            fault = fault or self._hold_reason  # it came meanwhile
            if fault is None and self.fault is not None:
                _logger.info(
                    "the SPARQL server at %s holds revision %d", self.store.place, revision
                )
            self.revision, self.fault = revision, fault
            self._changed.notify_all()
        for listener in self._listeners:
            listener()

    # --- following --------------------------------------------------------------------------

    def _newest(self) -> _Version:
        revision, view = self._commits.view()
        return _Version(revision, view.snapshot)

    def _follow(self) -> None:
        hidden, self._hold_reason = self._hold_reason, None
        version = self._newest()
        marker, difference = self._judge(version.snapshot)
        if marker is None or hidden is not None:
            self._feed(version, difference)
            return
        new = self.store.marker_of(version.revision, version.snapshot, marker.log)
        if marker.revision < version.revision:
            try:
                commits = self._list_commits(marker, version.revision)
            except MovedError:
                self._feed(version, None)
                return
            touched = self.store.apply(marker, new, commits, version.snapshot, self._begin)
            if self._is_compared and not self._is_touch_right(version.snapshot, touched):
                self._is_compared = False
        if not self._is_compared and (wrong := self._compare(version)):
            self._feed(self._newest(), wrong)
            return
        self._publish(version.revision, None)

    def _list_commits(self, marker: Marker, last: int) -> list[Commit]:
        holding = _Holding(marker.revision, marker.dataset_hash, marker.quad_count)
        return [c for c in self._commits.commits(holding) if c.revision <= last]

    def _judge(self, snapshot: Snapshot) -> tuple[Marker | None, str | None]:
        """Return the marker to go on from, or None and why the server is to be fed.

        No reason is given where it was simply not fed yet, or not to the end.

        Raises
        ------
        NotOursError
            It holds data of others, or revisions that the log does not have.
        """
        markers = self.store.read_markers()
        name = name_log(self._log)
        if not markers:
            return None, self._look_for_data(snapshot)
        marker = markers[0]
        if len(markers) > 1 or marker is None:
            return None, "its marker cannot be read"
        if marker.log != name:
            raise NotOursError(
                "the SPARQL server holds the data of another Rhizome: give "
                "this one a server of its own, or empty that one"
            )
        if marker.revision > self._log.revision:
            raise NotOursError(
                f"the SPARQL server holds revision {marker.revision}, and "
                f"the log ends at {self._log.revision}: commits are missing; restore the log from "
                "a backup, or empty the server to accept the loss"
            )
        if marker.part is not None or marker.system_digest != self.store.system_digest:
            return None, None
        try:
            expected = self._commits.expected(marker.revision)
        except MovedError:
            return None, None
        if (marker.dataset_hash, marker.quad_count) != expected:
            return None, f"its dataset hash at revision {marker.revision} is not the log's"
        return marker, None

    def _look_for_data(self, snapshot: Snapshot) -> str | None:
        """Return what a server without marker holds of ours, in words; None for nothing.

        Raises
        ------
        NotOursError
            Its default graph, which we would write, holds what others put there.
        """
        known = {*self._log.writers, *(graph[1:-1] for graph in snapshot.graphs())}
        ours = [graph for graph in self.store.graph_counts() if is_ours(graph, known)]
        if ours:
            return "its marker is gone"
        if not self.store.merged_graph and (count := self.store.merged_count()):
            raise NotOursError(
                f"the SPARQL server holds {count} statements of others in "
                "its default graph: give Rhizome a server of its own, or set "
                "RHIZOME_SPARQL_MERGED=named where that graph is the union of all graphs"
            )
        return None

    def _feed(self, version: _Version, difference: str | None) -> None:
        """Feed the server anew; for a difference once, and not again for a while."""
        if difference is not None:
            last, now = self._fed_for_difference, time.monotonic()
            if last is not None and now - last < self._settings.sparql_refeed_s:
                raise StoreUnavailableError(
                    f"the SPARQL server differs from the log although it was fed anew: {difference}"
                )
            self._fed_for_difference = now
            _logger.warning("feeding the SPARQL server anew: %s", difference)
        self._begin()
        self.feeds += 1
        started = time.monotonic()
        snapshot = version.snapshot
        marker = self.store.marker_of(version.revision, snapshot, name_log(self._log))
        self.store.feed(marker, snapshot, tuple(self._log.writers))
        _logger.info(
            "fed the SPARQL server: revision %d, %d quads, %.1f s",
            marker.revision,
            snapshot.quad_count,
            time.monotonic() - started,
        )
        if wrong := self._compare(version):
            self._fed_for_difference = time.monotonic()
            raise StoreUnavailableError(
                f"the SPARQL server differs from the log although it was fed anew: {wrong}"
            )
        self._publish(marker.revision, None)

    def _begin(self) -> None:
        """Let nobody ask until the data is that of one revision again."""
        self.epoch += 1
        self._is_compared = False
        self._publish(self.revision, "it is being fed")

    def _compare(self, version: _Version) -> str | None:
        """Return how the counts differ from those of a version, in words, if they do."""
        stamp = self._stamp()
        merged = None
        if stamp is not None and stamp.revision == version.revision:
            merged = stamp.total - stamp.quad_count - len(self.store.system)
        written = tuple(self._log.writers)
        wrong, others = self.store.differences(version.snapshot, merged, written=written)
        if wrong:
            more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            return "; ".join(wrong[:3]) + more
        self.others, self._is_compared = tuple(others), True
        return None

    def _is_touch_right(self, snapshot: Snapshot, touched: set[str]) -> bool:
        """Tell whether the graphs of a change hold as many statements as they have to."""
        size = sum(snapshot.graph_count(f"<{graph}>") for graph in touched)
        if size > _COUNTED or len(touched) > _COUNTED_GRAPHS:
            return True
        wrong, _ = self.store.differences(snapshot, None, touched)
        return not wrong
