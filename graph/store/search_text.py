"""How texts are folded into words, and where the words of a query stand in a text.

Floor 1. Search compares folded words: without case, accents and marks, letters such as ø, ß and œ
written as those that a keyboard has. What stands here knows texts alone, no index and no dataset.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final, NamedTuple

from graph.errors import BadValueError, QueryTooLargeError

#: Letters of a word that are looked at; a 64-bit number holds one bit for each.
WORD_LETTERS: Final = 64
#: What an excerpt of a long text shows, in characters, and how many of them before the match.
EXCERPT: Final = 240
_BEFORE: Final = 60
#: Letters that Unicode does not take apart, as they are typed without them.
_PLAIN: Final = {
    **{"ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ŧ": "t", "ŋ": "n"},
    **{"œ": "oe", "æ": "ae", "þ": "th", "ĸ": "k", "ƒ": "f", "ə": "e"},
}
# Virama and kana voicing are part of the letter, not an accent on it.
_KEPT_CLASSES: Final = frozenset({0, 8, 9})
_VARIATIONS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x34F, 0x350))


class _Folding(dict[int, str]):
    """What each character becomes: letters of a word, nothing, or the space between words."""

    def __missing__(self, code: int) -> str:
        folded = "".join(map(_fold_character, _take_apart(chr(code))))
        if code < 0x3000:  # the alphabets; who sends all of Unicode does not fill the memory
            self[code] = folded
        return folded


def _take_apart(character: str) -> str:
    folded = unicodedata.normalize("NFKD", character).casefold()
    return unicodedata.normalize("NFKD", folded)


def _fold_character(character: str) -> str:
    if character.isalnum():
        return _PLAIN.get(character, character)
    category = unicodedata.category(character)
    if category in ("Mn", "Mc") and unicodedata.combining(character) in _KEPT_CLASSES:
        return "" if any(ord(character) in each for each in _VARIATIONS) else character
    # Format characters are direction marks, joiners and soft hyphens: they part no words.
    return "" if category in ("Mn", "Mc", "Cf") else " "


_FOLDING: Final = _Folding()


def fold_words(text: str) -> list[str]:
    """Return the folded words of a text, in their order.

    Examples
    --------
    >>> fold_words("Pôle Végépolys, Straße Østre—Œuvre")
    ['pole', 'vegepolys', 'strasse', 'ostre', 'oeuvre']
    """
    words = text.translate(_FOLDING).split()
    if any(len(word) > WORD_LETTERS for word in words):
        return [word[:WORD_LETTERS] for word in words]
    return words


class Match(IntEnum):
    """How a text fits a query, the best first; a description is never more than `WORDS`."""

    EXACT = 0  # the whole text, spaces and signs apart
    PREFIX = 1  # the text begins with the query
    WORDS = 2  # each word of the query is a word of the text
    BEGINNINGS = 3  # each word of the query begins a word of the text
    ONE_TYPO = 4  # the same with one edit in all: a letter more, less, other, or two exchanged
    TWO_TYPOS = 5
    MORE_TYPOS = 6


def edits_allowed(word: str, *, is_alone: bool = False) -> int:
    """Return how many edits a word of a query may be away from what it finds.

    Numbers must be right, since every year is one edit from another, and so must words of three
    letters that stand alone: they are acronyms.
    """
    if len(word) < 3 + is_alone or any(letter.isdigit() for letter in word):
        return 0
    return 1 if len(word) < 8 else 2


@dataclass(frozen=True)
class SearchText:
    """What is searched for, read from a text; `words` are distinct, in their order."""

    words: tuple[str, ...]
    #: All words together, so that `Ind.Agro.Pol` and `IndAgroPol` are the same.
    joined: str

    @classmethod
    def read(cls, text: str, letters_max: int, words_max: int, place: str = "text") -> SearchText:
        """Return the folded text; `place` is named when it cannot be used.

        Raises
        ------
        QueryTooLargeError
            It has more characters or words than are allowed.
        BadValueError
            It has neither letter nor digit.
        """
        if len(text) > letters_max:
            raise QueryTooLargeError("search_letters", letters_max, len(text), place)
        words = fold_words(text)
        if not words:
            expected = "a text with at least one letter or digit"
            raise BadValueError(place, text[:40], expected)
        distinct = tuple(dict.fromkeys(words))
        if len(distinct) > words_max:
            raise QueryTooLargeError("search_words", words_max, len(distinct), place)
        return cls(distinct, "".join(words))

    @cached_property
    def edits(self) -> tuple[int, ...]:
        """How many edits each word allows."""
        is_alone = len(self.words) == 1
        return tuple(edits_allowed(word, is_alone=is_alone) for word in self.words)


class Piece(NamedTuple):
    """A part of a text, and whether the query matched it."""

    text: str
    matched: bool


def cut_pieces(search: SearchText, text: str, match: Match) -> list[Piece]:
    """Return a text in pieces, matched or not; a long text as an excerpt around the first match.

    The pieces hold the text as it is: whoever shows them escapes them as any other text.
    """
    ranges = _ranges(search, text, match)
    start, end = 0, len(text)
    if end > EXCERPT:
        first = ranges[0][0] if ranges else 0
        start = 0 if first <= _BEFORE else text.rfind(" ", first - _BEFORE, first) + 1
        start = start or max(0, first - _BEFORE)
        end = min(end, start + EXCERPT)
    pieces: list[Piece] = []
    if start > 0:
        pieces.append(Piece("…", False))
    at = start
    for begin, stop in ranges:
        if begin >= end or stop <= start:
            continue
        if begin > at:
            pieces.append(Piece(text[at:begin], False))
        at = min(stop, end)
        pieces.append(Piece(text[begin:at], True))
    rest = text[at:end] + ("…" if end < len(text) else "")
    return [*pieces, Piece(rest, False)] if rest else pieces


def count_edits(pattern: str, word: str) -> int:
    """Return the fewest edits by which a pattern becomes a beginning of a word.

    An edit inserts, deletes or replaces a letter, or exchanges two neighbours (optimal string
    alignment).
    """
    before: list[int] = []
    row = list(range(len(pattern) + 1))  # distances of the pattern's beginnings to no letter
    best = row[-1]
    for at, letter in enumerate(word[: len(pattern) + 2]):
        above, before, row = before, row, [at + 1]
        for i, own in enumerate(pattern):
            cost = min(row[i] + 1, before[i + 1] + 1, before[i] + (own != letter))
            if above and i and own == word[at - 1] and pattern[i - 1] == letter:
                cost = min(cost, above[i - 1] + 1)
            row.append(cost)
        best = min(best, row[-1])
    return best


def _ranges(search: SearchText, text: str, match: Match) -> list[tuple[int, int]]:
    """Return the places in a text that match, as start and end, in order and apart."""
    words = _locate(text)
    if match <= Match.PREFIX:
        places = [place for _, word_places in words for place in word_places]
        last = min(len(search.joined), len(places))
        return [(places[0], _with_marks(text, places[last - 1] + 1))] if last else []
    found: dict[int, int] = {}
    for pattern, allowed in zip(search.words, search.edits, strict=True):
        for at, letters in _matching(pattern, allowed, words):
            found[at] = max(found.get(at, 0), letters)
    ranges: list[tuple[int, int]] = []
    last = 0
    for at in sorted(found):
        places = words[at][1]
        begin, end = places[0], _with_marks(text, places[found[at] - 1] + 1)
        if end > last:  # one character may hold two words, as a fraction does
            ranges.append((max(begin, last), end))
            last = end
    return ranges


def _matching(
    pattern: str, allowed: int, words: Sequence[tuple[str, list[int]]]
) -> Iterable[tuple[int, int]]:
    """Yield the places of the words nearest to a pattern, with how many letters match."""
    begun = [at for at, (word, _) in enumerate(words) if word.startswith(pattern)]
    if begun:
        whole = [at for at in begun if words[at][0] == pattern]
        yield from ((at, len(pattern)) for at in whole or begun)
    elif allowed:
        edits = [count_edits(pattern, word) for word, _ in words]
        fewest = min(edits, default=allowed + 1)
        if fewest <= allowed:
            yield from ((at, len(words[at][0])) for at, e in enumerate(edits) if e == fewest)


def _locate(text: str) -> list[tuple[str, list[int]]]:
    """Return the folded words of a text, each with the place in the text of each letter."""
    words: list[tuple[str, list[int]]] = []
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(f"{text} "):
        for letter in _FOLDING[ord(character)]:
            if not letter.isspace():
                if len(letters) < WORD_LETTERS:
                    letters.append(letter)
                    places.append(place)
            elif letters:
                words.append(("".join(letters), places))
                letters, places = [], []
    return words


def _with_marks(text: str, end: int) -> int:
    """Return the end of a range, moved behind marks that belong to its last letter."""
    while end < len(text) and not _FOLDING[ord(text[end])]:
        end += 1
    return end
