"""A SPARQL server of others as a derived store: read, changed and fed over SPARQL 1.1 Protocol.

Floor 1. The server gets each change as one update that also exchanges its marker; when nobody
knows what became of an update, the marker tells. When to feed and when to give up is the
follower's part; queries of clients go another way (`external_pool`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import Final

from graph.errors import SettingError, StoreUnavailableError
from graph.settings import Settings, variable_name
from graph.store.commit import Commit
from graph.store.effect import Triple, balance_commits
from graph.store.external_answers import TABLE_ACCEPT, UnreadableError
from graph.store.external_marker import (
    MERGED_GRAPH,
    Marker,
    is_ours,
    marker_query,
    read_marker,
    split,
    write_beginning,
    write_change,
    write_dropping,
)
from graph.store.external_requests import Requests, read_rows
from graph.store.results import AnswerTooLargeError
from graph.store.snapshot import Snapshot
from graph.store.sparql_client import Greeting, Pairs, Reply
from graph.store.stamp import digest_quads
from graph.terms import Quad

_STAMPS: Final = "https://w3id.org/rhizome/stamp/"
#: Pauses before an update is tried again whose marker says that it was not done, in seconds.
_AGAIN_S: Final = (0.2, 1.0, 3.0)
#: The places of merged triples, the default first.
PLACES: Final = ("default", "named")


class ExternalStore:
    """The server of the settings; used from one thread at a time.

    `place` is what messages call it, `merged_graph` where merged triples stand: the empty text
    for the default graph. `graph_counts` returns what each graph holds.

    Raises
    ------
    SettingError
        A setting of the server cannot be used.
    """

    def __init__(self, settings: Settings, system_quads: Iterable[Quad]) -> None:
        self.requests = Requests(settings)
        if settings.sparql_merged not in PLACES:
            expected = " or ".join(PLACES)
            name = variable_name("sparql_merged")
            raise SettingError(name, settings.sparql_merged[:80], expected)
        if settings.sparql_feed_statements < 1:
            name = variable_name("sparql_feed_statements")
            raise SettingError(name, "0", "a number of at least 1")
        self.merged_graph = MERGED_GRAPH if settings.sparql_merged == "named" else ""
        self.place = self.requests.place
        self.system = frozenset(system_quads)
        self.system_digest = digest_quads(self.system)
        self._settings = settings
        self._system_triples = frozenset(quad[:3] for quad in self.system)

    def close(self) -> None:
        """Let go of the connections."""
        self.requests.client.close()

    # --- reading ----------------------------------------------------------------------------

    def read_markers(self) -> list[Marker | None]:
        """Return the markers that the server holds; None for one that is not ours to read.

        Raises
        ------
        StoreUnavailableError
            It does not answer, or not with a table.
        """
        found = self.requests.select(marker_query(), self._settings.sparql_probe_s)
        return [read_marker(row["m"]) for row in found if "m" in row]

    def greeting(self, judge: Callable[[list[Marker | None] | None], None]) -> Greeting:
        """Return the question for the markers, for new connections; None stands for no table."""

        def read(reply: Reply) -> None:
            try:
                rows = read_rows(reply)
            except (UnreadableError, AnswerTooLargeError):
                judge(None)
            else:
                judge([read_marker(row["m"]) for row in rows if "m" in row])

        form = Pairs((("query", marker_query()),))
        return Greeting(self.requests.query_address, form, TABLE_ACCEPT, read)

    def graph_counts(self, graphs: Collection[str] | None = None) -> dict[str, int]:
        """Return how many statements each named graph holds, of all or of some, by IRI.

        Raises
        ------
        StoreUnavailableError
            It does not answer, or not with a table of numbers.
        """
        pattern = "GRAPH ?g { ?s ?p ?o }"
        if graphs is not None:
            pattern = f"VALUES ?g {{ {' '.join(f'<{g}>' for g in graphs)} }} {pattern}"
        text = f"SELECT ?g (COUNT(*) AS ?n) WHERE {{ {pattern} }} GROUP BY ?g"
        rows = self.requests.select(text, self._settings.sparql_feed_s)
        try:
            return {row["g"]: int(row["n"]) for row in rows if "g" in row}
        except (KeyError, ValueError):
            raise self.requests.unavailable("it counts in no numbers") from None

    def merged_count(self) -> int:
        """Return how many merged triples the server holds."""
        pattern = "?s ?p ?o"
        if self.merged_graph:
            pattern = f"GRAPH <{self.merged_graph}> {{ {pattern} }}"
        rows = self.requests.select(
            f"SELECT (COUNT(*) AS ?n) WHERE {{ {pattern} }}", self._settings.sparql_feed_s
        )
        try:
            return int(rows[0]["n"])
        except (IndexError, KeyError, ValueError):
            raise self.requests.unavailable("it counts in no numbers") from None

    def differences(
        self,
        snapshot: Snapshot,
        merged: int | None,
        graphs: Collection[str] | None = None,
        written: Iterable[str] = (),
    ) -> tuple[list[str], list[str]]:
        """Return what the counts say against a version, in words, and the graphs of others there.

        Parameters
        ----------
        snapshot : Snapshot
        merged : int or None
            How many merged triples there have to be; None leaves them uncounted.
        graphs : collection of IRIs, optional
            Only these are counted.
        written : iterable of IRIs
            The graphs that the log ever wrote: they are ours, wherever they are named.
        """
        found = self.graph_counts(graphs)
        names = [g[1:-1] for g in snapshot.graphs()] if graphs is None else list(graphs)
        expected = {name: snapshot.graph_count(f"<{name}>") for name in names}
        if graphs is None:
            for quad in self.system:
                expected[quad[3][1:-1]] = expected.get(quad[3][1:-1], 0) + 1
        wrong = [
            f"graph {name} holds {found.get(name, 0)} statements, {count} in the log"
            for name, count in expected.items()
            if found.get(name, 0) != count
        ]
        others = []
        if graphs is None:
            known = set(expected)
            extra = [name for name in found if name not in known]
            known.update(written)
            stale = [g for g in extra if is_ours(g, known) and not g.startswith(_STAMPS)]
            others = [g for g in extra if not is_ours(g, known)]
            wrong += [f"graph {name} is not in the log" for name in stale]
        if merged is not None and (count := self.merged_count()) != merged:
            wrong.append(f"{count} merged triples, {merged} expected")
        return wrong, others

    # --- changing ---------------------------------------------------------------------------

    def apply(
        self,
        old: Marker,
        new: Marker,
        commits: Iterable[Commit],
        snapshot: Snapshot,
        begun: Callable[[], None],
    ) -> set[str]:
        """Bring the server from one marker to another; return the graphs that changed, by IRI.

        Parameters
        ----------
        old, new : Marker
            What it holds now, and is to hold.
        commits : iterable of Commit
            All of them between the two.
        snapshot : Snapshot
            The version that `new` is of.
        begun : callable
            Called before a change that takes several updates: until it ends the server holds
            neither the one nor the other.

        Raises
        ------
        StoreUnavailableError
            It was not done, or nobody knows.
        """
        added, removed = balance_commits(commits)
        entering = {quad[:3] for quad in added}
        gone = {quad[:3] for quad in removed} - entering
        leaving = [triple for triple in gone if not self._is_stated(triple, snapshot)]
        touched = {quad[3][1:-1] for quad in chain(added, removed)}
        size = self._settings.sparql_feed_statements
        if 2 * len(added) + len(removed) + len(leaving) <= size:
            text = write_change(old, new, added, removed, (entering, leaving), self.merged_graph)
            self._change(text, old, new)
            return touched
        begun()
        marker = self._begin_part(old, new)
        for piece in split(removed, size):
            marker = self._put(marker, (), piece, ((), ()))
        for start in range(0, len(leaving), size):
            marker = self._put(marker, (), (), ((), leaving[start : start + size]))
        marker = self._insert(marker, added)
        self._end_part(marker)
        return touched

    def feed(self, new: Marker, snapshot: Snapshot, written: Iterable[str]) -> None:
        """Give the server everything anew: the version that a marker is of.

        Graphs of ours are dropped first, graphs of others left alone. `written` are those that the
        log ever wrote (IRIs): what is not public any more is to be dropped, too.

        Raises
        ------
        StoreUnavailableError
            It was not done to the end.
        """
        marker = new.next_part
        self.requests.update(write_beginning(marker))
        self._expect(marker)
        known = {*written, *(graph[1:-1] for graph in snapshot.graphs())}
        for graph in self.graph_counts():
            if is_ours(graph, known) and not graph.startswith(_STAMPS):
                self.requests.update(write_dropping(graph))
        self.requests.update(write_dropping(self.merged_graph))
        if self.merged_count():
            raise self.requests.unavailable("it keeps statements that were to be dropped")
        marker = self._insert(marker, chain(self.system, snapshot.quads()))
        self._end_part(marker)

    def marker_of(self, revision: int, snapshot: Snapshot, log: str) -> Marker:
        """Return the marker of a version: a level's snapshot at a revision of the dataset."""
        return Marker(
            log,
            revision,
            snapshot.dataset_hash,
            snapshot.quad_count,
            self.system_digest,
        )

    def _is_stated(self, triple: Triple, snapshot: Snapshot) -> bool:
        subject, predicate, value = triple
        return triple in self._system_triples or bool(
            snapshot.graphs_of(subject, predicate[1:-1], value)
        )

    def _begin_part(self, old: Marker, new: Marker) -> Marker:
        part = new.next_part
        self._change(write_change(old, part, (), (), ((), ()), self.merged_graph), old, part)
        return part

    def _insert(self, marker: Marker, quads: Iterable[Quad]) -> Marker:
        """Put quads and their merged triples, piece by piece; a server keeps each triple once."""
        for piece in split(quads, max(1, self._settings.sparql_feed_statements // 2)):
            marker = self._put(marker, piece, (), ({quad[:3] for quad in piece}, ()))
        return marker

    def _put(
        self,
        marker: Marker,
        added: Collection[Quad],
        removed: Collection[Quad],
        merged: tuple[Collection[Triple], Collection[Triple]],
    ) -> Marker:
        new = marker.next_part
        text = write_change(marker, new, added, removed, merged, self.merged_graph)
        self._change(text, marker, new)
        return new

    def _end_part(self, marker: Marker) -> None:
        text = write_change(marker, marker.whole, (), (), ((), ()), self.merged_graph)
        self._change(text, marker, marker.whole)

    def _change(self, text: str, old: Marker, new: Marker) -> None:
        """Send an update until the marker says that it was done.

        The marker is read before it is sent again, and an update that comes too late finds
        another marker than it expects: nothing is ever done twice.

        Raises
        ------
        StoreUnavailableError
            It was not done, or the marker is neither the old nor the new one.
        """
        for pause_s in (*_AGAIN_S, None):
            failure: StoreUnavailableError | None = None
            try:
                self.requests.update(text)
            except StoreUnavailableError as error:
                failure = error
            markers = self.read_markers()
            if markers == [new]:
                return
            if markers != [old]:
                raise self.requests.unavailable(
                    "its marker is neither that before a change nor after it"
                )
            if failure is not None and pause_s is None:
                raise failure
            if pause_s is None:
                break
            time.sleep(pause_s)
        raise self.requests.unavailable("it says that it took a change, and did not")

    def _expect(self, marker: Marker) -> None:
        if self.read_markers() != [marker]:
            raise self.requests.unavailable("it does not keep the marker that it was given")
