"""The term table: each term's number, and each number's term.

Floor 1. Append-only and shared by all versions of a snapshot. Numbers are given so that a page of
256 holds terms that look alike: IRIs of one prefix, or literals of one datatype or language. So
the prefix, datatype or language stands once a page, and columns of a class fill whole pages.
Literals over 64 bytes live in a mapped file: they are read rarely and would fill the memory.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from graph.terms import (
    ENTITY,
    LANG_STRING,
    is_literal,
    needs_escapes,
    read_literal,
    write_literal,
)

PAGE: Final = 256
SHIFT: Final = 8
MASK: Final = PAGE - 1
#: The number that stands for "no value" in a column; never given to a term.
NIL: Final = 0
LONG_TEXT_BYTES: Final = 64
#: New terms after which the sorted index is made anew instead of growing the overlay.
_COMPACT_AT: Final = 50_000

#: What the terms of a page share: ("iri", prefix) or ("literal", datatype, language, is long).
PageKind = tuple[str, str, str, bool]


def _iri_kind(prefix: str) -> PageKind:
    return ("iri", prefix, "", False)


class LongTexts(Sequence[str]):
    """One page of long literals: a slice of the mapped image, or bytes until it is saved."""

    __slots__ = ("_blob", "_ends", "_new")

    def __init__(self, blob: memoryview, ends: Sequence[int]) -> None:
        self._blob = blob
        self._ends = array("I", ends)
        self._new: list[bytes] = []

    def append(self, text: str) -> None:
        """Add one text to the page."""
        self._new.append(text.encode())

    def copy(self) -> LongTexts:
        """Return a page of the same texts that grows by itself."""
        copied = LongTexts(self._blob, self._ends)
        copied._new = self._new[:]
        return copied

    def raw(self, slot: int) -> bytes:
        """Return the UTF-8 bytes of one text."""
        kept = len(self._ends)
        if slot >= kept:
            return self._new[slot - kept]
        start = self._ends[slot - 1] if slot else 0
        return bytes(self._blob[start : self._ends[slot]])

    def __getitem__(self, slot: int) -> str:  # type: ignore[override]
        return self.raw(slot).decode()

    def __len__(self) -> int:
        return len(self._ends) + len(self._new)


Texts = list[str] | LongTexts


class TermTable:
    """Terms by number and numbers by term.

    `texts[n >> 8][n & 255]` is the local part of an IRI or the value of a literal; `kinds[n >> 8]`
    says what the page holds; `prefixes[n >> 8]` is what precedes an IRI's local part.
    """

    def __init__(self) -> None:
        self.kinds: list[PageKind] = [_iri_kind("urn:x-none:")]
        self.texts: list[Texts] = [["nil"]]
        self.prefixes: list[str] = ["urn:x-none:"]
        self.languages: list[str] = [""]
        # What stands before and after each text of a page, and whether it may need escapes.
        self.frames: list[tuple[str, str, bool]] = [_frame(self.kinds[0])]
        #: What a floor above keeps of the texts of each page, by its number.
        self.kept: dict[int, Any] = {}
        self._open: dict[PageKind, int] = {}
        # Sorted hashes and their numbers, replaced together: readers in other threads see one pair.
        self._index: tuple[array[int], array[int]] = (array("Q"), array("I"))
        self._overlay: dict[str, int] = {}
        # One thread adds terms; another may copy the table meanwhile.
        self._growing = threading.Lock()

    def __len__(self) -> int:
        """Return how many terms have a number."""
        return sum(map(len, self.texts)) - 1

    def copy(self) -> TermTable:
        """Return a table that grows by itself from here; another thread may add terms meanwhile.

        Full pages are shared, and so is the index; a page that may still grow is copied.
        """
        copied = TermTable()
        with self._growing:
            copied.kinds, copied.prefixes = self.kinds[:], self.prefixes[:]
            copied.languages, copied.texts = self.languages[:], self.texts[:]
            for page in self._open.values():
                copied.texts[page] = self.texts[page].copy()
            copied._open = dict(self._open)
            copied._index, copied._overlay = self._index, dict(self._overlay)
        return copied

    def find(self, term: str) -> int | None:
        """Return the number of a term given as N-Triples text, or None."""
        number = self._overlay.get(term)
        if number is not None:
            return number
        hashes, numbers = self._index
        digest = _hash(term)
        at = bisect_left(hashes, digest)
        while at < len(hashes) and hashes[at] == digest:
            candidate = numbers[at]
            if self.term(candidate) == term:
                return candidate
            at += 1
        return None

    def add(self, term: str) -> int:
        """Return the number of a term, giving it one when it is new."""
        number = self.find(term)
        if number is None:
            with self._growing:
                number = self._give(term)
                self._overlay[term] = number
        return number

    def term(self, number: int) -> str:
        """Return the N-Triples text of a numbered term."""
        page = number >> SHIFT
        text = self.texts[page][number & MASK]
        kind = self.kinds[page]
        if kind[0] == "iri":
            return f"<{kind[1]}{text}>"
        return write_literal(text, kind[1], kind[2] or None)

    def terms(self, numbers: Iterable[int]) -> list[str]:
        """Return the N-Triples texts of numbered terms: many at once, in a third of the time."""
        frames, texts, found = self.frames, self.texts, []
        for number in numbers:
            page = number >> SHIFT
            before, after, is_literal = frames[page]
            text = texts[page][number & MASK]
            if is_literal and needs_escapes(text):
                found.append(self.term(number))
            else:
                found.append(before + text + after)
        return found

    def order(self, number: int) -> str:
        """Return the text by which lists are ordered: the term, an IRI without its closing `>`.

        With it `meeting-10` would come before `meeting-1`.
        """
        return self.term(number).removesuffix(">")

    def text(self, number: int) -> str:
        """Return an IRI without brackets, or the value of a literal."""
        page = number >> SHIFT
        return self.prefixes[page] + self.texts[page][number & MASK]

    def is_long(self, number: int) -> bool:
        """Tell whether a term is a literal kept in the mapped file."""
        return self.kinds[number >> SHIFT][3]

    def all(self) -> Iterator[tuple[int, str]]:
        """Yield every number with its term."""
        for page, texts in enumerate(self.texts):
            for slot in range(len(texts)):
                number = (page << SHIFT) | slot
                if number != NIL:
                    yield number, self.term(number)

    def compact(self, *, force: bool = False) -> None:
        """Move new terms from the overlay into the sorted index when there are many."""
        if not self._overlay or (len(self._overlay) < _COMPACT_AT and not force):
            return
        hashes = np.fromiter(map(_hash, self._overlay), np.uint64, len(self._overlay))
        numbers = np.fromiter(self._overlay.values(), np.uint32, len(self._overlay))
        hashes = np.concatenate([np.frombuffer(self._index[0], np.uint64), hashes])
        numbers = np.concatenate([np.frombuffer(self._index[1], np.uint32), numbers])
        self.set_index(hashes, numbers)

    def set_index(self, hashes: np.ndarray, numbers: np.ndarray) -> None:
        """Take over an index of all terms: their 64-bit hashes and numbers, in any order."""
        order = np.argsort(hashes, kind="stable")
        sorted_hashes, sorted_numbers = array("Q"), array("I")
        sorted_hashes.frombytes(np.ascontiguousarray(hashes[order]).tobytes())
        sorted_numbers.frombytes(np.ascontiguousarray(numbers[order]).tobytes())
        with self._growing:
            self._index = sorted_hashes, sorted_numbers
            self._overlay = {}  # only now: until here its terms are found in it

    def take_index(self, hashes: array[int], numbers: array[int]) -> None:
        """Take over a saved index: sorted hashes and their numbers."""
        self._index = hashes, numbers

    def index(self) -> tuple[array[int], array[int]]:
        """Return the sorted hashes and their numbers, with every term in them."""
        self.compact(force=True)
        return self._index

    def add_page(self, kind: PageKind, texts: Texts) -> None:
        """Append a page that was saved; the page may be filled further."""
        self._open[kind] = len(self.kinds)
        self.frames.append(_frame(kind))
        self.kinds.append(kind)
        self.texts.append(texts)
        self.prefixes.append(kind[1] if kind[0] == "iri" else "")
        self.languages.append(kind[2])

    def _give(self, term: str) -> int:
        kind, text = _split(term)
        page = self._open.get(kind)
        if page is None or len(self.texts[page]) == PAGE:
            self.add_page(kind, LongTexts(memoryview(b""), ()) if kind[3] else [])
            page = len(self.kinds) - 1
        texts = self.texts[page]
        texts.append(text)
        return (page << SHIFT) | (len(texts) - 1)


def _frame(kind: PageKind) -> tuple[str, str, bool]:
    """Return what precedes and follows the texts of a page, and whether they are literals."""
    if kind[0] == "iri":
        return f"<{kind[1]}", ">", False
    return '"', write_literal("", kind[1], kind[2] or None)[1:], True


def _split(term: str) -> tuple[PageKind, str]:
    """Return the kind of page where a term belongs and its text there."""
    if is_literal(term):
        value, datatype, language = read_literal(term)
        is_long = len(value) > LONG_TEXT_BYTES or (
            not value.isascii() and len(value.encode()) > LONG_TEXT_BYTES
        )
        if language is not None:
            return ("literal", LANG_STRING, language, is_long), value
        return ("literal", datatype, "", is_long), value
    iri = term[1:-1]
    # Only our own kinds repeat enough to fill pages; the rest shares the pages without prefix.
    if iri.startswith(ENTITY):
        cut = iri.find("/", len(ENTITY)) + 1
        if cut:
            return _iri_kind(iri[:cut]), iri[cut:]
    return _iri_kind(""), iri


def _hash(term: str) -> int:
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=8).digest(), "little")
