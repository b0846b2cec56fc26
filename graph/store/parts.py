"""The parts of an update that the engine is given one after the other.

Floor 1. Standard library only, since it runs in workers. SPARQL has a prologue before every
operation; the engine reads one before the first alone. So each run of operations under one
prologue is a part: the whole text with all else blank, so that errors keep their places.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Final

#: Where something begins and ends in a text.
Span = tuple[int, int]

_INK: Final = re.compile(r"[^\r\n]")


def cut_parts(begins: Sequence[Span], late: Collection[int], end: int) -> list[list[Span]]:
    """Return of each part what it shows of the text; none where one part is the whole.

    Parameters
    ----------
    begins : sequence of (int, int)
        Of each operation, where its prologue begins, and where it does itself.
    late : collection of int
        The operations after the first whose prologue declares something, from 0.
    end : int
        Where the text ends.

    Cost: O(n * m) for n operations and m of them with a prologue.
    """
    parts: list[list[Span]] = []
    if not late:
        return parts
    declared: list[Span] = []
    for number, ((start, begin), (stop, _)) in enumerate(pairwise([*begins, (end, end)])):
        if number == 0 or number in late:
            declared.append((start, begin))
            parts.append([*declared])
        parts[-1].append((begin, stop))
    return parts


def show_parts(text: str, parts: Sequence[Sequence[Span]]) -> list[str]:
    """Return the texts of an update that the engine is to read, one after the other."""
    return [_show(text, spans) for spans in parts] or [text]


def _show(text: str, spans: Sequence[Span]) -> str:
    pieces: list[str] = []
    place = 0
    for start, end in spans:
        pieces += (_INK.sub(" ", text[place:start]), text[start:end])
        place = end
    return "".join((*pieces, _INK.sub(" ", text[place:])))
