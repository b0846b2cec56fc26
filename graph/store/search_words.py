"""Sorted texts in flat arrays: looked up whole, by beginning, and with typos.

Floor 1. A list of 100,000 strings takes 6 MB and a look at each of them 50 ms; flat arrays take a
third and let numpy look at all in a millisecond. Nothing here knows what the texts stand for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from graph.store.search_text import WORD_LETTERS

Numbers = npt.NDArray[np.uint32]
#: Above every folded text with the same beginning: no letter has this number.
_LAST: Final = "\U0010ffff"
#: Sorted at once: longer runs would hold the interpreter's lock, and with it all requests.
_RUN: Final = 4_096
#: Words whose letters are spread out at once while their signatures are made.
_CHUNK: Final = 16_384
_ONE: Final = np.uint64(1)
_NONE: Final = np.uint64(0)
Item = TypeVar("Item")


def sort_gently(items: Sequence[Item], key: Callable[[Item], Any] | None = None) -> list[Item]:
    """Return items in order, letting other threads run meanwhile."""
    sortable: Sequence[Any] = items
    if len(items) <= _RUN:
        return sorted(sortable, key=key)
    runs = [sorted(sortable[at : at + _RUN], key=key) for at in range(0, len(items), _RUN)]
    return list(merge(*runs, key=key))


class SortedTexts(Sequence[str]):
    """Texts in order, as one run of UTF-8 and the place where each begins."""

    __slots__ = ("_bytes", "_starts")

    def __init__(self, texts: Iterable[str]) -> None:
        starts = array("I", [0])
        parts = bytearray()
        for text in texts:
            parts += text.encode()
            starts.append(len(parts))
        self._bytes = bytes(parts)
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, at: int) -> str:  # type: ignore[override]
        return self._bytes[self._starts[at] : self._starts[at + 1]].decode()

    def place(self, text: str) -> int | None:
        """Return where a text stands, the first time if it does so several times, or None."""
        at = bisect_left(self, text)
        return at if at < len(self) and self[at] == text else None

    def beginning(self, text: str) -> tuple[int, int]:
        """Return where the texts that begin with this one start and end."""
        return bisect_left(self, text), bisect_left(self, text + _LAST)


class Vocabulary(SortedTexts):
    """Distinct words in order, which can be asked for those that a typo is away from.

    Beside its text each word has its letters as numbers and a signature: 32 bits for the letters
    that occur, and 32 for those that occur twice. An alphabet's letters have bits of their own;
    those of different alphabets share them.
    """

    __slots__ = ("_absent", "_letters", "_places")

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(words)
        self._letters: Numbers = np.frombuffer(
            b"".join(word.encode("utf-32-le") for word in words), np.uint32
        )
        self._places = np.zeros(len(words) + 1, np.uint32)
        np.cumsum(np.fromiter(map(len, words), np.uint32, len(words)), out=self._places[1:])
        self._absent = np.zeros(len(words), np.uint64)  # signatures, turned over
        for start in range(0, len(words), _CHUNK):
            numbers = np.arange(start, min(start + _CHUNK, len(words)), dtype=np.uint32)
            letters = self._spread(numbers, WORD_LETTERS)
            self._absent[start : start + len(numbers)] = ~_signatures(letters)

    def near(self, pattern: str, edits: int) -> Iterator[tuple[int, Numbers]]:
        """Yield a number of edits, from 0 up, and the words with a beginning that far away."""
        return self.distances(pattern, edits, self.candidates(pattern, edits))

    def candidates(self, pattern: str, edits: int) -> Numbers:
        """Return the words that hold enough of the letters to be so many edits away.

        Cost
        ----
        One pass over 8 bytes a word.
        """
        letters = np.frombuffer(pattern.encode("utf-32-le"), np.uint32)
        missing = np.bitwise_count(_signatures(letters[None, :])[0] & self._absent)
        # An edit takes at most one letter out of the pattern.
        numbers = np.flatnonzero(missing <= edits).astype(np.uint32)
        lengths = self._places[numbers + 1] - self._places[numbers]
        found: Numbers = numbers[lengths + edits >= len(pattern)]
        return found

    def distances(
        self, pattern: str, edits: int, numbers: Numbers
    ) -> Iterator[tuple[int, Numbers]]:
        """Yield a number of edits, from 0 up, and which of some words begin that far away."""
        letters = np.frombuffer(pattern.encode("utf-32-le"), np.uint32)
        spread = self._spread(numbers, min(len(pattern) + edits, WORD_LETTERS))
        if edits == 1 and len(pattern) > 3 and len(numbers):
            halved = _half_agrees(letters, spread)
            numbers, spread = numbers[halved], spread[halved]
        distances = _edit_distances(letters, spread)
        for distance in range(edits + 1):
            yield distance, numbers[distances == distance]

    def _spread(self, numbers: Numbers, width: int) -> Numbers:
        """Return the first letters of words as a matrix, 0 where a word has ended."""
        starts, ends = self._places[numbers], self._places[numbers + 1]
        width = min(width, int((ends - starts).max(initial=0)))
        places = starts[:, None] + np.arange(width, dtype=np.uint32)
        inside = places < ends[:, None]
        places[~inside] = 0
        spread = np.asarray(self._letters[places], np.uint32)
        spread[~inside] = 0
        return spread


def _signatures(words: Numbers) -> npt.NDArray[np.uint64]:
    """Return for each row of letters the bits of those that occur, and that occur twice."""
    once = np.zeros(len(words), np.uint64)
    twice = np.zeros(len(words), np.uint64)
    for letters in np.ascontiguousarray(words.T):
        bits = np.where(letters > 0, _ONE << (letters % 32).astype(np.uint64), _NONE)
        twice |= once & bits
        once |= bits
    return once | (twice << np.uint64(32))


def _half_agrees(pattern: Numbers, words: Numbers) -> npt.NDArray[np.bool_]:
    """Tell which words may be one edit away: the edit leaves one half of the pattern whole.

    Looked at are the first letter, and the second of the other half, which an edit moves by one
    place at most. Both are off the middle, where an exchange touches both halves.
    """
    agrees: npt.NDArray[np.bool_] = words[:, 0] == pattern[0]
    at = len(pattern) // 2 + 1
    for place in range(at - 1, min(at + 2, words.shape[1])):
        agrees |= words[:, place] == pattern[at]
    return agrees


def _edit_distances(pattern: Numbers, words: Numbers) -> npt.NDArray[np.int16]:
    """Return the fewest edits by which a pattern becomes a beginning of each word.

    All words at once, a column of the distance matrix in two numbers of 64 bits a word. `words`
    is a matrix of letters; a row that has ended goes on with 0, which is no letter and cannot
    bring the distance down.

    Source
    ------
    H. Hyyrö, A bit-vector algorithm for computing Levenshtein and Damerau edit distances,
    Nordic Journal of Computing 10 (2003); optimal string alignment.
    """
    masks = np.zeros(words.shape, np.uint64)
    for at, letter in enumerate(pattern):
        masks[words == letter] |= _ONE << np.uint64(at)
    last = _ONE << np.uint64(len(pattern) - 1)
    rises = np.full(len(words), ~_NONE)
    falls = np.zeros(len(words), np.uint64)
    diagonal = np.zeros(len(words), np.uint64)
    mask_before = np.zeros(len(words), np.uint64)
    score = np.full(len(words), len(pattern), np.int16)
    best = score.copy()
    for mask in np.ascontiguousarray(masks.T):
        exchanged = ((~diagonal & mask) << _ONE) & mask_before
        diagonal = (((mask & rises) + rises) ^ rises) | mask | falls | exchanged
        up = falls | ~(diagonal | rises)
        down = diagonal & rises
        score += ((up & last) != 0).astype(np.int16) - ((down & last) != 0).astype(np.int16)
        np.minimum(best, score, out=best)
        up = (up << _ONE) | _ONE
        rises = (down << _ONE) | ~(diagonal | up)
        falls = up & diagonal
        mask_before = mask
    return best
