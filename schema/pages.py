"""Pages of connections: which nodes fit, in which order, and which of them are shown.

Floor 4. A page is bound once a request; generated code asks here only where a list cannot be
taken as it is.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from graph.store.snapshot import Snapshot
from schema.cursors import Cursor, write_cursor
from schema.masking import Chosen
from schema.ordering import Ordering

#: Nodes shown, how many fit in all, and whether there are more behind and before.
Cut = tuple[Sequence[int], int, bool, bool]
#: Nodes of a class that are passed over in the time that one node alone takes.
_SCANNED: Final = 100


class Page(NamedTuple):
    """The bound arguments of a connection; `whole` when the list may be taken as it is.

    `size` is how many nodes are shown, from the end when `backwards`; `counted` tells that what
    fits has to be known in whole; `mark` says what its cursors belong to; `certainty`
    tells how sure it is that a node was valid on the day asked for. Of a list that stands
    `ordered` nothing is sorted; nobody asks what follows the page unless one looks `ahead`.
    """

    size: int
    backwards: bool = False
    after: Cursor | None = None
    before: Cursor | None = None
    where: Chosen | None = None
    candidates: frozenset[int] | None = None
    order: Ordering | None = None
    counted: bool = True
    mark: str = ""
    whole: bool = False
    certainty: Callable[[int], str | None] | None = None
    ordered: bool = False
    ahead: bool = True


class Pager:
    """Cuts pages out of lists of nodes; `charge` is told of every node that is looked at."""

    def __init__(self, snapshot: Snapshot, charge: Callable[[int], None]) -> None:
        self.snapshot = snapshot
        self.charge = charge

    def instances(self, class_iri: str, page: Page) -> Any:
        """Return the nodes of a class among which a page is cut."""
        if page.candidates is None:
            return self.snapshot.instances(class_iri)
        instances, candidates = self.snapshot.instances(class_iri), page.candidates
        if len(instances) < _SCANNED * len(candidates):
            known = np.asarray(instances, np.uint32)
            wanted = np.fromiter(candidates, np.uint32, len(candidates))
            kept = known[np.isin(known, wanted, kind="table")]
            return array("I", kept.tobytes())
        is_a = self.snapshot.is_a
        found = [number for number in page.candidates if is_a(number, class_iri)]
        return array("I", sorted(found, key=self.snapshot.terms.order))

    def cut(self, values: Any, page: Page) -> Cut:
        """Return the nodes of a page, how many fit in all, and if more are on each side."""
        stands = page.order is None or page.ordered
        if stands and page.where is not None and not (page.counted or page.backwards):
            return self._first_that_fit(values, page, page.where)
        return self.show(self.arrange(values, page), page)

    def arrange(self, values: Any, page: Page) -> Any:
        """Return the nodes that fit, in the order of the page."""
        if page.where is not None:
            found = page.candidates
            if found is not None:
                values = [value for value in values if value in found]
            values = page.where.select(values)
        if page.order is not None and not page.ordered:
            self.charge(len(values) * len(page.order.keys))
            values = page.order.sort(values)
        return values

    def show(self, values: Any, page: Page) -> Cut:
        """Return the page of nodes that fit and stand in order."""
        total = len(values)
        start, end = self._bounds(values, page)
        if page.backwards:
            start = max(start, end - page.size)
        else:
            end = min(end, start + page.size)
        return values[start:end], total, end < total, start > 0

    def _first_that_fit(self, values: Any, page: Page, where: Chosen) -> Cut:
        """Return a page for which nobody asks how many fit: looking ends when it is full."""
        if page.candidates is not None:
            values = [value for value in values if value in page.candidates]
        start, end = self._bounds(values, page)
        if not page.ahead:
            found = where.first(values[start:end], page.size)
            return found, len(found), False, False
        found = where.first(values[start:end], page.size + 1)
        more = len(found) > page.size or bool(where.first(values[end:], 1))
        return found[: page.size], len(found), more, False

    def _bounds(self, values: Any, page: Page) -> tuple[int, int]:
        """Return where a page may begin and must end."""
        start = 0 if page.after is None else self._position(values, page, page.after, after=True)
        end = len(values)
        if page.before is not None:
            end = max(start, self._position(values, page, page.before, after=False))
        return start, end

    def _position(self, values: Any, page: Page, cursor: Cursor, *, after: bool) -> int:
        if page.order is not None:
            return page.order.position(cursor, values, after=after)
        bisect = bisect_right if after else bisect_left
        return bisect(values, cursor.identifier, key=self.snapshot.terms.order)

    def cursor(self, number: int, page: Page) -> str:
        """Return the cursor of a node on a page."""
        keys = [] if page.order is None else page.order.keys_of(number)
        return write_cursor(self.snapshot.terms.text(number), keys, page.mark)

    def certainty(self, number: int, page: Page) -> str | None:
        """Return how sure it is that a node was valid on the day of the page, if it has one."""
        return None if page.certainty is None else page.certainty(number)
