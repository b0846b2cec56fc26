"""How much long text one answer may hold.

Floor 1. Nodes are counted where they are answered, and most of their values are short; one literal
may have 64 KiB, and a page of thousands may name it again and again. Long texts are read out of a
mapped file, so each that an answer reads is memory of its own: it is counted there.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from graph.errors import QueryTooLargeError
from graph.store.term_table import LongTexts, Texts

LIMIT: Final = "graphql_answer_bytes"


class _Allowance(threading.local):
    """What the answer that a thread makes now may still read; None: as much as it likes."""

    limit: int | None = None
    spent: int = 0
    longest: int = 0


_allowance: Final = _Allowance()


def begin_answer(limit: int | None) -> None:
    """Begin to count the bytes of long texts that this thread reads for an answer."""
    _allowance.limit = limit
    _allowance.spent = _allowance.longest = 0


def longest_text() -> int:
    """Return how many bytes the longest text has that this thread read since the answer began.

    Texts that are not long count as none.
    """
    return _allowance.longest


class CountedTexts(Sequence[str]):
    """A page of long texts of which each reading is counted.

    Raises
    ------
    QueryTooLargeError
        What is read is over the limit of the answer.
    """

    __slots__ = ("_page",)

    def __init__(self, page: LongTexts) -> None:
        self._page = page

    def __getitem__(self, slot: int) -> str:  # type: ignore[override]
        read = self._page.raw(slot)
        _allowance.spent += len(read)
        _allowance.longest = max(_allowance.longest, len(read))
        if _allowance.limit is not None and _allowance.spent > _allowance.limit:
            raise QueryTooLargeError(LIMIT, _allowance.limit)
        return read.decode()

    def __len__(self) -> int:
        return len(self._page)


def counted(pages: Sequence[Texts]) -> list[list[str] | CountedTexts]:
    """Return pages of texts, those of long ones counted."""
    return [CountedTexts(page) if isinstance(page, LongTexts) else page for page in pages]
