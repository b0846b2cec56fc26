"""The entries of a search segment while it is made: read, put in order, and told with their words.

Floor 1. A text takes a few bytes here beside its folded letters. As objects, one for each key and
word, what is searched took more memory while it was read than the rest of the snapshot together,
and left holes in it that stayed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from graph.store.search_text import fold_words
from graph.store.search_words import Numbers, sort_gently
from graph.store.term_table import SHIFT, TermTable

#: How much of a text decides the order of texts of one node that are equally long.
_COMPARED: Final = 200


class Row(NamedTuple):
    """One text of a node: numbers of subject and literal in the term table, of the property."""

    subject: int
    literal: int
    prop: int


#: What decides the order of equal matches: role, letters, IRI, language, text, property.
Key = tuple[int, int, str, str, str, int]


@dataclass(frozen=True, slots=True)
class Roles:
    """The searched properties: the rank of each one's role, 0 the best.

    `descriptions` is the rank of descriptions, which are not compared as a whole.
    """

    ranks: tuple[int, ...]
    descriptions: int


class Entries:
    """Rows whose text has words, as columns in the order of their keys."""

    def __init__(self, rows: Iterable[Row], terms: TermTable, roles: Roles) -> None:
        columns = array("I"), array("I"), array("B"), array("B"), array("I")
        ends, folded = array("Q", [0]), bytearray()
        for row in rows:
            words = fold_words(terms.text(row.literal))
            if words:
                cells = (*row, roles.ranks[row.prop], sum(map(len, words)))
                for column, cell in zip(columns, cells, strict=True):
                    column.append(cell)
                folded += " ".join(words).encode()
                ends.append(len(folded))
        self._folded, self._ends = folded, ends
        self.subjects, self.literals, self.properties, self.ranks, self.letters = (
            np.array(column) for column in columns
        )
        self._order = order = self._sorted(terms)
        self.subjects, self.literals = self.subjects[order], self.literals[order]
        self.properties, self.ranks = self.properties[order], self.ranks[order]
        self.letters = self.letters[order]

    def __len__(self) -> int:
        return len(self.subjects)

    def words(self, at: int) -> list[str]:
        """Return the folded words of an entry, in their order."""
        read = int(self._order[at])
        return self._folded[self._ends[read] : self._ends[read + 1]].decode().split(" ")

    def joined(self, at: int) -> str:
        """Return the words of an entry, together."""
        return "".join(self.words(at))

    def wholes(self, roles: Roles, letters_max: int) -> list[int]:
        """Return the entries that are compared as a whole, in the order of their words together."""
        compared = (self.ranks != roles.descriptions) & (self.letters <= letters_max)
        return sort_gently(np.flatnonzero(compared).tolist(), self.joined)

    def _sorted(self, terms: TermTable) -> npt.NDArray[np.int64]:
        """Return the places of all rows in the order of their keys.

        Numbers decide most of it; texts are read only of those that they leave equal.
        """
        order = np.lexsort((self.letters, self.ranks))
        ranks, letters = self.ranks[order], self.letters[order]
        differs = (ranks[1:] != ranks[:-1]) | (letters[1:] != letters[:-1])
        bounds = [0, *(np.flatnonzero(differs) + 1).tolist(), len(order)]
        key = partial(self._key_of_read, terms)
        for start, end in pairwise(bounds):
            if end - start > 1:
                order[start:end] = sort_gently(order[start:end].tolist(), key)
        return order

    def _key_of_read(self, terms: TermTable, read: int) -> tuple[Key, Row]:
        columns = self.subjects, self.literals, self.properties
        row = Row(*(int(column[read]) for column in columns))
        return make_key(row, int(self.ranks[read]), int(self.letters[read]), terms), row


def make_key(row: Row, rank: int, letters: int, terms: TermTable) -> Key:
    """Return what decides the place of an entry among equal matches."""
    language = terms.languages[row.literal >> SHIFT]
    text = terms.text(row.literal)[:_COMPARED]
    return rank, letters, terms.order(row.subject), language, text, row.prop


def index_words(entries: Entries) -> tuple[list[str], Numbers, Numbers]:
    """Return the words in order, where the entries of each start, and the entries of all words."""
    numbers: dict[str, int] = {}
    words, holders = array("I"), array("I")
    for at in range(len(entries)):
        for word in dict.fromkeys(entries.words(at)):
            words.append(numbers.setdefault(word, len(numbers)))
            holders.append(at)
    ordered = sort_gently(list(numbers))
    place = np.empty(len(ordered), np.uint64)
    place[[numbers[word] for word in ordered]] = np.arange(len(ordered), dtype=np.uint64)
    placed = place[np.frombuffer(words, np.uint32)] if words else np.empty(0, np.uint64)
    pairs = np.sort((placed << np.uint64(32)) | np.frombuffer(holders, np.uint32))
    starts = np.searchsorted(pairs >> np.uint64(32), np.arange(len(ordered) + 1))
    postings = (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return ordered, starts.astype(np.uint32), postings
