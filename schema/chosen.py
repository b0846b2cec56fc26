"""Which text of a node answers in an order of languages: looked up once a snapshot.

Floor 4. Most texts have several languages, and a page of organisations names the same ones again
and again. What was chosen is kept as the number of a term, four bytes a node, not as text.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from graph.store.columns import EMPTY, Many, ManyColumn
from graph.store.term_table import MASK, NIL, PAGE, SHIFT
from schema.languages import KEPT_CHARACTERS, LanguageOrder

if TYPE_CHECKING:
    from graph.store.snapshot import Snapshot

#: In a page of choices: nobody looked yet, and there is no text. No text has these numbers.
_UNKNOWN: Final = bytes(4 * PAGE)
ABSENT: Final = 1
#: Predicates and orders of languages for which choices are kept.
_KEPT_MAX: Final = 8


class Chosen(dict[int, "array[int]"]):
    """The choices of one predicate in one order: a page of numbers for each page of nodes."""

    def __init__(self, snapshot: Snapshot, predicate: str, order: LanguageOrder) -> None:
        super().__init__()
        column = snapshot.forward.get(predicate, EMPTY)
        assert isinstance(column, ManyColumn)
        self._pages = column.pages
        self._order = order
        self._texts = snapshot.answer_texts
        self._languages = snapshot.terms.languages
        self._ranks = snapshot.graphs_table.ranks

    def __missing__(self, page: int) -> array[int]:
        """Begin a page."""
        made = self[page] = array("I", _UNKNOWN)
        return made

    def choose(self, page: int, slot: int) -> str | None:
        """Return the text of a node of which nobody has asked yet, and keep which it is."""
        number = self._choose(page, slot)
        self[page][slot] = number or ABSENT
        return self._texts[number >> SHIFT][number & MASK] if number else None

    def _choose(self, number: int, slot: int) -> int:
        page = self._pages.get(number)
        if page is None:
            return NIL
        return choose(page, slot, self._order, self._languages, self._ranks)


def choose(
    page: Many,
    slot: int,
    order: LanguageOrder,
    languages: Mapping[int, str] | Sequence[str],
    ranks: Sequence[int],
) -> int:
    """Return the text in the best language, of one language the best source's; NIL if none."""
    chosen, best = NIL, None
    for at in range(page.offsets[slot], page.offsets[slot + 1]):
        value = page.values[at]
        place = order[languages[value >> SHIFT]], ranks[page.graphs[at]]
        if best is None or place < best:
            chosen, best = value, place
    return chosen


class ChosenTexts:
    """The choices that are kept for one snapshot, at most `kept_max` of predicate and order."""

    def __init__(self, snapshot: Snapshot, kept_max: int = _KEPT_MAX) -> None:
        self._snapshot = snapshot
        self._kept_max = kept_max
        self._kept: dict[tuple[str, tuple[str, ...]], Chosen] = {}

    def of(self, predicate: str, order: LanguageOrder) -> Chosen:
        """Return the choices of a predicate in an order; the oldest make place for new ones."""
        key = predicate, order.wanted
        found = self._kept.get(key)
        if found is None:
            found = Chosen(self._snapshot, predicate, order)
            if sum(map(len, order.wanted)) <= KEPT_CHARACTERS:
                for oldest in list(self._kept)[: 1 - self._kept_max]:
                    self._kept.pop(oldest, None)
                self._kept[key] = found
        return found
