"""The search index of a snapshot: names, former names, acronyms, descriptions, in all languages.

Floor 1. All versions of a snapshot share one index, as they share the term table, and it only
grows: a commit adds its texts before its version can be read, and removes none. Once as many were
removed as half of it holds, later versions share a new one. What a reader
finds is held against the reader's own version, statement by statement, so an answer is of one
revision, whichever commits come meanwhile: nothing that this version states is missing, and
nothing that it does not state passes. A match depends on query and text alone, not on how common
a word is, so stale entries change no order either. Each visibility level has its own snapshot and
with it its own term table and index: nothing of one can be found in another.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain
from typing import Final, NamedTuple, Protocol

import numpy as np

from graph.errors import StoreUnavailableError
from graph.model import Field, Model, SearchRole
from graph.store.columns import EMPTY, Column
from graph.store.search_entries import Roles, Row
from graph.store.search_segment import Filter, Look, Segment
from graph.store.search_text import Match, SearchText
from graph.store.term_table import SHIFT, TermTable

#: Segments of one size are merged when there are so many of them.
_MERGED: Final = 4
#: Rows that may wait for the index before those that came twice are left out; then twice as many.
_WAITING: Final = 65_536
#: Texts that commits remove before the index is worth making anew.
_GONE: Final = 4_096
#: Entries up to which a commit merges segments itself; more are merged in the background.
_MERGED_BY_COMMIT: Final = 1_024
_ROLES: Final = tuple(SearchRole)


class Version(Protocol):
    """What the index asks of a snapshot."""

    @property
    def revision(self) -> int:
        """The revision."""

    @property
    def terms(self) -> TermTable:
        """The term table, which all versions of a lineage share."""

    @property
    def forward(self) -> Mapping[str, Column]:
        """The column of each predicate."""

    def instances(self, class_iri: str) -> Sequence[int]:
        """Return the nodes of a class and its subclasses."""

    def class_of(self, number: int) -> str | None:
        """Return the class that names a node."""


class Place(NamedTuple):
    """What hits are ordered by; `order` is the text by which nodes are ordered."""

    match: int
    rank: int
    letters: int
    order: str


class Hit(NamedTuple):
    """A node with its best matching text.

    `subject` and `literal` are numbers of the term table, `score` is in (0, 1].
    """

    subject: int
    field: Field
    literal: int
    match: Match
    score: float
    place: Place


class SearchIndex:
    """The texts of one lineage of snapshots.

    Until `build` has run it only remembers what commits add. One thread adds at a time (commits
    are decided one after the other), any number may search.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.properties = tuple(model.searched)
        self._numbers = {predicate: at for at, predicate in enumerate(self.properties)}
        ranks = tuple(_ROLES.index(role) for role in model.searched.values())
        self._roles = Roles(ranks, _ROLES.index(SearchRole.DESCRIPTION))
        self._fields = _fields_of(model)
        # Replaced as a whole, so that a reader in another thread holds one list of segments.
        self._segments: tuple[Segment, ...] | None = None
        self._waiting = array("I")  # subject, literal, property of rows, one after the other
        self._waiting_max = _WAITING
        self._since = 0
        self._gone = 0  # texts that commits removed: at least as many as entries stated no more
        self._heir: SearchIndex | None = None
        self._lock = threading.Lock()
        self._building = threading.Lock()

    @property
    def is_ready(self) -> bool:
        """Whether it was built."""
        return self._segments is not None

    def __len__(self) -> int:
        """Return how many entries there are, with those of texts that are stated no more."""
        return sum(map(len, self._segments or ()))

    def copy(self) -> SearchIndex:
        """Return an index of the same texts for another lineage, which goes on by itself.

        One that is not built yet has to be built for each.
        """
        copied = SearchIndex(self._model)
        with self._lock:
            copied._segments, copied._since, copied._gone = self._segments, self._since, self._gone
        return copied

    # --- growing --------------------------------------------------------------------------

    def build(self, snapshot: Version) -> None:
        """Read the texts of a snapshot, unless that was done; for a thread of its own.

        Cost
        ----
        About 15 microseconds a text. Other threads run meanwhile.
        """
        with self._building:
            if self._segments is not None:
                return
            first = Segment(self._rows(snapshot), snapshot.terms, self._roles)
            with self._lock:
                columns = (self._waiting[at::3] for at in range(3))
                waiting = dict.fromkeys(map(Row, *columns))
                rows = [row for row in waiting if not first.knows(row)]
                late = Segment(rows, snapshot.terms, self._roles)
                self._since = snapshot.revision
                self._segments = (first, late) if len(late) else (first,)
                self._waiting = array("I")

    def renew(self, snapshot: Version) -> None:
        """Begin an index of what is still stated, in the background, once half of this may not be.

        `snapshot` is the newest version, and recorded: of one that is undone the removals would
        be missing. The versions before it keep this index.
        """
        if self._heir is not None or not self.is_ready:
            return
        if self._gone >= _GONE and 2 * self._gone >= len(self):
            self._heir = SearchIndex(self._model)
            target = self._heir.build
            threading.Thread(target=target, args=(snapshot,), name="search", daemon=True).start()

    def follow(
        self, snapshot: Version, stated: Sequence[tuple[int, str, int]], gone: int
    ) -> SearchIndex:
        """Take what a commit adds, and return the index of the version that it makes.

        Parameters
        ----------
        snapshot : Version
            The version before.
        stated : sequence of (int, str, int)
            Subject, searched predicate and value of what it adds.
        gone : int
            How many statements of searched predicates it removes.
        """
        self.add(snapshot, stated)
        self._gone += gone
        if self._heir is None:
            return self
        newest = self._heir.follow(snapshot, stated, gone)
        return newest if self._heir.is_ready else self

    def add(self, snapshot: Version, stated: Iterable[tuple[int, str, int]]) -> None:
        """Take the texts that a commit adds: subject, searched predicate, value.

        `snapshot` is a version of the lineage; it gives the term table.
        """
        rows = [Row(subject, value, self._numbers[p]) for subject, p, value in stated]
        if not rows:
            return
        with self._lock:
            segments = self._segments
            if segments is None:
                self._wait(rows)
                return
            fresh = [row for row in dict.fromkeys(rows) if not any(s.knows(row) for s in segments)]
            if fresh:
                added = Segment(fresh, snapshot.terms, self._roles)
                self._segments = self._merge_small((*segments, added), snapshot)

    def _wait(self, rows: Iterable[Row]) -> None:
        """Keep rows until the index is built: at most twice as many as are distinct, or 65,536."""
        self._waiting.extend(chain.from_iterable(rows))
        if len(self._waiting) > 3 * self._waiting_max:
            held = np.unique(np.frombuffer(self._waiting, np.uint32).reshape(-1, 3), axis=0)
            self._waiting = array("I", held.tobytes())
            self._waiting_max = max(_WAITING, 2 * len(held))

    def _merge_small(self, segments: tuple[Segment, ...], snapshot: Version) -> tuple[Segment, ...]:
        """Merge the last segments while there are many of one size."""
        while len(tail := segments[-_MERGED:]) == _MERGED:
            size = sum(map(len, tail))
            if len(tail[0]) > _MERGED * len(tail[-1]) or size > _MERGED_BY_COMMIT:
                break
            segments = (*segments[:-_MERGED], self._merged(tail, snapshot))
        if len(segments) > 2 * _MERGED and not self._building.locked():
            target = self._merge_large
            threading.Thread(target=target, args=(snapshot,), name="search", daemon=True).start()
        return segments

    def _merge_large(self, snapshot: Version) -> None:
        """Merge all but the first segment, and that one too when it is not much larger."""
        with self._building:
            segments = self._segments or ()
            small = segments[1:]
            if sum(map(len, small)) * _MERGED > sum(map(len, segments[:1])):
                small = segments
            if len(small) < _MERGED:
                return
            merged = self._merged(small, snapshot)
            with self._lock:  # commits may have added segments meanwhile
                now = self._segments or ()
                kept = now[: len(segments) - len(small)]
                tail = [s for s in now[len(kept) :] if s not in small]
                self._segments = (*kept, merged, *tail)

    def _merged(self, segments: Sequence[Segment], snapshot: Version) -> Segment:
        rows = (row for segment in segments for row in segment.rows())
        return Segment(rows, snapshot.terms, self._roles)

    def _rows(self, snapshot: Version) -> Iterator[Row]:
        for predicate, number in self._numbers.items():
            last = None
            for subject, value, _ in snapshot.forward.get(predicate, EMPTY).statements():
                if (subject, value) != last:  # several sources may state it
                    last = subject, value
                    yield Row(subject, value, number)

    # --- searching ------------------------------------------------------------------------

    def search(
        self,
        snapshot: Version,
        search: SearchText,
        classes: Sequence[str] | None = None,
        languages: Sequence[str] | None = None,
    ) -> Iterator[Hit]:
        """Yield the nodes with a text that fits, the best first, each once; lazily.

        Parameters
        ----------
        snapshot : Version
            The reader's version, of this lineage; hits are of its revision.
        search : SearchText
            What is searched for.
        classes : sequence of str, optional
            IRIs; only nodes of one of these or of a subclass.
        languages : sequence of str, optional
            Only texts in one of these (`fr` takes `fr-ca`), and those without a language.

        Raises
        ------
        StoreUnavailableError
            The index is being built; try again.
        """
        heir = self._heir
        if heir is not None and heir.is_ready and snapshot.revision >= heir._since:
            return heir.search(snapshot, search, classes, languages)
        segments = self._segments
        if segments is None or snapshot.revision < self._since:
            raise StoreUnavailableError("the search index is being built: try again in a moment")
        wanted = Filter(_of_classes(snapshot, classes), _in_languages(snapshot, languages))
        looks = [Look(segment, search, wanted) for segment in segments if len(segment)]
        return self._hits(snapshot, search, looks)

    def _hits(self, snapshot: Version, search: SearchText, looks: Sequence[Look]) -> Iterator[Hit]:
        seen: set[int] = set()
        for match in Match:
            for segment, entry in _in_order(looks, match):
                subject = int(segment.subjects[entry])
                if subject in seen:
                    continue
                hit = self._hit(snapshot, segment, entry, match, len(search.joined))
                if hit is not None:
                    seen.add(subject)
                    yield hit

    def _hit(
        self, snapshot: Version, segment: Segment, entry: int, match: Match, letters: int
    ) -> Hit | None:
        """Return the hit of an entry, or None when this version does not state it."""
        row = segment.row(entry)
        predicate = self.properties[row.prop]
        column = snapshot.forward.get(predicate, EMPTY)
        if all(value != row.literal for value, _ in column.pairs(row.subject)):
            return None
        class_iri = snapshot.class_of(row.subject)
        field = self._fields.get((class_iri or "", predicate))
        if field is None:
            return None
        rank, own = self._roles.ranks[row.prop], int(segment.letters[entry])
        step = match * len(_ROLES) + rank
        score = 1 - (step + 1 - min(1.0, letters / own)) / (len(Match) * len(_ROLES))
        place = Place(int(match), rank, own, snapshot.terms.order(row.subject))
        return Hit(row.subject, field, row.literal, match, score, place)


def _fields_of(model: Model) -> dict[tuple[str, str], Field]:
    """Return the searched fields by class and property, those that everybody may see."""
    return {
        (iri, field.path): field
        for iri, fields in model.fields.items()
        for field in fields.values()
        if field.search_role is not None and field.exposure == "public"
    }


def _in_order(looks: Sequence[Look], match: Match) -> Iterator[tuple[Segment, int]]:
    """Yield the entries of all segments for one match, in one order."""
    if len(looks) == 1:
        segment = looks[0].segment
        return ((segment, entry) for entry in looks[0].entries(match))
    runs = [
        [(look.segment, entry) for entry in entries]
        for look in looks
        if (entries := look.entries(match))
    ]
    if len(runs) == 1:
        return iter(runs[0])
    return merge(*runs, key=lambda each: each[0].key(each[1]))


def _of_classes(snapshot: Version, classes: Sequence[str] | None) -> np.ndarray | None:
    if classes is None:
        return None
    mask = np.zeros(len(snapshot.terms.texts) << SHIFT, np.bool_)
    for iri in classes:
        mask[np.asarray(snapshot.instances(iri), np.uint32)] = True
    return mask


def _in_languages(snapshot: Version, languages: Sequence[str] | None) -> np.ndarray | None:
    if languages is None:
        return None
    tags = tuple(tag.lower() for tag in languages)
    ranges = tuple(f"{tag}-" for tag in tags)
    held = list(snapshot.terms.languages)
    fits = {tag: not tag or tag in tags or tag.startswith(ranges) for tag in set(held)}
    return np.fromiter((fits[tag] for tag in held), np.bool_, len(held))
