"""A segment of the search index: some texts of some nodes, never changed once it is made.

Floor 1. An entry is one text of one property of one node. Entries are numbered in the order in
which hits of equal match are answered (role of the property, length of the text, IRI of the
node), so that a match is a set of entries, and its best are those with the lowest numbers. What
a segment finds may no longer be stated: `graph/store/search.py` asks the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from graph.store.search_entries import Entries, Key, Roles, Row, index_words, make_key
from graph.store.search_text import Match, SearchText
from graph.store.search_words import Numbers, SortedTexts, Vocabulary
from graph.store.term_table import SHIFT, TermTable

Mask = npt.NDArray[np.bool_]
#: Texts with more letters are not compared as a whole.
WHOLE_LETTERS: Final = 1_024
#: More than any number of edits; twice as much still fits into a byte.
_FAR: Final = 100
_NO_WORDS: Final = np.zeros(0, np.uint32)


class Filter(NamedTuple):
    """Which subjects and which pages of literals may be answered; None for all."""

    subjects: Mask | None = None
    pages: Mask | None = None


class Segment:
    """The entries as columns, in their order, and the words and whole texts that lead to them."""

    def __init__(self, rows: Iterable[Row], terms: TermTable, roles: Roles) -> None:
        entries = Entries(rows, terms, roles)
        self.terms = terms
        self.subjects, self.literals = entries.subjects, entries.literals
        self.properties, self.ranks = entries.properties, entries.ranks
        self.letters = entries.letters
        words, self.starts, self.postings = index_words(entries)
        self.vocabulary = Vocabulary(words)
        wholes = entries.wholes(roles, WHOLE_LETTERS)
        self.wholes = SortedTexts(map(entries.joined, wholes))
        self.whole_entries = np.array(wholes, np.uint32)
        # Which rows are here, in order, so that none comes in twice.
        packed = (self.subjects.astype(np.uint64) << np.uint64(32)) | self.literals
        self._known_order = np.argsort(packed).astype(np.uint32)
        self._known = packed[self._known_order]

    def __len__(self) -> int:
        return len(self.subjects)

    def row(self, entry: int) -> Row:
        """Return what an entry stands for."""
        columns = self.subjects, self.literals, self.properties
        return Row(*(int(column[entry]) for column in columns))

    def rows(self) -> Iterator[Row]:
        """Yield what all entries stand for."""
        columns = self.subjects.tolist(), self.literals.tolist(), self.properties.tolist()
        return map(Row, *columns)

    def key(self, entry: int) -> Key:
        """Return what decides the place of an entry among equal matches."""
        rank, letters = int(self.ranks[entry]), int(self.letters[entry])
        return make_key(self.row(entry), rank, letters, self.terms)

    def knows(self, row: Row) -> bool:
        """Tell whether a row has an entry here."""
        packed = np.uint64((row.subject << 32) | row.literal)
        start, end = np.searchsorted(self._known, packed), len(self._known)
        while start < end and self._known[start] == packed:
            if self.properties[self._known_order[start]] == row.prop:
                return True
            start += 1
        return False

    def postings_of(self, start: int, end: int) -> Numbers:
        """Return the entries that hold a word of a run of the vocabulary."""
        return self.postings[self.starts[start] : self.starts[end]]

    def postings_of_all(self, words: Numbers) -> Numbers:
        """Return the entries that hold one of some words of the vocabulary."""
        return self._spread(words)[0]

    def leading_to(self, words: Numbers, entries: Mask) -> Numbers:
        """Return which of some words of the vocabulary are held by one of some entries."""
        found, before = self._spread(words)
        leads: Mask = np.logical_or.reduceat(entries[found], before) if len(words) else words > 0
        return words[leads]

    def _spread(self, words: Numbers) -> tuple[Numbers, npt.NDArray[np.int64]]:
        """Return the entries that hold some words, and where those of each word begin."""
        starts = self.starts[words].astype(np.int64)
        counts = self.starts[words + 1] - starts
        before = np.cumsum(counts) - counts
        places = np.repeat(starts - before, counts) + np.arange(counts.sum())
        return np.asarray(self.postings[places], np.uint32), before


class Look:
    """One search in one segment: the entries of each match, each where it matches best."""

    def __init__(self, segment: Segment, search: SearchText, wanted: Filter) -> None:
        self.segment = segment
        self.search = search
        self.wanted = wanted
        self._seen = np.zeros(len(segment), np.bool_)
        self._edits: npt.NDArray[np.uint8] | None = None

    def entries(self, match: Match) -> list[int]:
        """Return the entries of a match in their order; the better matches are asked first."""
        mask = self._mask(match) & ~self._seen
        self._seen |= mask
        found = np.flatnonzero(mask)
        if self.wanted.subjects is not None:
            found = found[self.wanted.subjects[self.segment.subjects[found]]]
        if self.wanted.pages is not None:
            found = found[self.wanted.pages[self.segment.literals[found] >> SHIFT]]
        entries: list[int] = found.tolist()
        return entries

    def _mask(self, match: Match) -> Mask:
        if match <= Match.PREFIX:
            return self._whole(is_exact=match is Match.EXACT)
        if match is Match.WORDS:
            return self._all(self._words)
        if match is Match.BEGINNINGS:
            return self._all(self._beginnings)
        if self._edits is None:
            self._edits = self._distances()
        if match is Match.MORE_TYPOS:
            return (self._edits > 2) & (self._edits < _FAR)
        has_edits: Mask = self._edits == match - Match.BEGINNINGS
        return has_edits

    def _whole(self, *, is_exact: bool) -> Mask:
        segment, joined = self.segment, self.search.joined
        mask = np.zeros(len(segment), np.bool_)
        start, end = segment.wholes.beginning(joined)
        found = segment.whole_entries[start:end]
        mask[found[segment.letters[found] == len(joined)] if is_exact else found] = True
        return mask

    def _all(self, runs: Sequence[tuple[int, int]]) -> Mask:
        """Return the entries to which each of some runs of the vocabulary leads."""
        mask = np.ones(len(self.segment), np.bool_)
        for start, end in runs:
            own = np.zeros(len(self.segment), np.bool_)
            own[self.segment.postings_of(start, end)] = True
            mask &= own
        return mask

    @cached_property
    def _beginnings(self) -> list[tuple[int, int]]:
        """Where in the vocabulary the words that begin with each word of the search stand."""
        return [self.segment.vocabulary.beginning(word) for word in self.search.words]

    @cached_property
    def _words(self) -> list[tuple[int, int]]:
        """Where each word of the search itself stands: first among those that it begins."""
        words = zip(self.search.words, self._beginnings, strict=True)
        vocabulary = self.segment.vocabulary
        return [(a, a + (a < b and vocabulary[a] == word)) for word, (a, b) in words]

    def _distances(self) -> npt.NDArray[np.uint8]:
        """Return how many edits each entry is away: for each word the fewest, in all."""
        segment, vocabulary = self.segment, self.segment.vocabulary
        total = np.zeros(len(segment), np.uint8)
        parts = []
        for allowed, word, run in zip(
            self.search.edits, self.search.words, self._beginnings, strict=True
        ):
            near = vocabulary.candidates(word, allowed) if allowed else _NO_WORDS
            parts.append((run[1] - run[0] + len(near), allowed, word, run, near))
        # What few words can be tells soonest; of the others, only those that still matter.
        parts.sort(key=itemgetter(0))
        for _, allowed, word, run, near in parts:
            own = np.full(len(segment), _FAR, np.uint8)
            if allowed:
                alive = total < _FAR
                near = near if alive.all() else segment.leading_to(near, alive)
                for edits, numbers in reversed(list(vocabulary.distances(word, allowed, near))):
                    own[segment.postings_of_all(numbers)] = edits
            own[segment.postings_of(*run)] = 0
            total += own
            np.minimum(total, _FAR, out=total)
            if int(total.min(initial=_FAR)) == _FAR:
                break  # one word is nowhere
        return total
