"""When what a node states was valid: its bounds, and what may be said of one day.

Floor 4. A bound that nobody states makes a node possible, never certain; a day outside the bounds
that are known leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from graph.model import FieldKind, Model
from graph.store.term_table import NIL
from schema.values import DateParts, Values

#: Fields, one below the other, that lead from a node to a date.
Route = tuple[str, ...]
Bounds = tuple[Route, Route]

#: The argument, and the condition, that names the day that is asked about.
AS_OF: Final = "asOf"
CERTAIN: Final = "CERTAIN"
POSSIBLE: Final = "POSSIBLE"
_NOTHING: Final[DateParts] = (NIL, NIL, NIL)
#: Fields that begin and end the validity of whatever has both.
_PAIRS: Final = (("started", "ended"), ("validFrom", "validUntil"), ("founded", "dissolved"))
#: Relations whose bounds stand wholly or partly with what they tie to.
_ROUTES: Final[dict[str, Bounds]] = {
    "Signature": (("signed",), ("agreement", "validUntil")),
    "ProjectRole": (("project", "started"), ("project", "ended")),
}


def is_as_of(model: Model, iri: str, name: str) -> bool:
    """Tell whether a condition on nodes of a class asks for a day, and not for a field."""
    return name == AS_OF and AS_OF not in model.fields[iri]


def bounds_of(model: Model, iri: str) -> Bounds | None:
    """Return where the bounds of a class's validity stand, or None if it has none."""
    fields = model.fields[iri]
    found = _ROUTES.get(model.classes[iri].name)
    if found is not None:
        return found
    for start, end in _PAIRS:
        if all(name in fields and fields[name].kind is FieldKind.DATE for name in (start, end)):
            return (start,), (end,)
    return None


class Validity:
    """Judges validity on the snapshot of one request."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def certainty(self, class_iri: str, day: str) -> Callable[[int], str | None]:
        """Return what tells of a node whether it is certainly, possibly or not valid on a day."""
        bounds = bounds_of(self.values.model, class_iri)
        assert bounds is not None  # the schema gives the argument to no other class
        find_start, find_end = (self._date(class_iri, route) for route in bounds)
        text = self.values.text
        judged: dict[int, str | None] = {}

        def judge(number: int) -> str | None:
            _, begun_first, begun_last = find_start(number)
            _, ended_first, ended_last = find_end(number)
            if begun_first != NIL and text(begun_first)[:10] > day:
                return None
            if ended_last != NIL and text(ended_last)[:10] < day:
                return None
            has_begun = begun_last != NIL and text(begun_last)[:10] <= day
            goes_on = ended_first != NIL and text(ended_first)[:10] >= day
            return CERTAIN if has_begun and goes_on else POSSIBLE

        def certainty(number: int) -> str | None:
            if number not in judged:
                judged[number] = judge(number)
            return judged[number]

        return certainty

    def _date(self, class_iri: str, route: Route) -> Callable[[int], DateParts]:
        field = self.values.model.fields[class_iri][route[0]]
        if len(route) == 1:
            find = self.values.date(field)
            return lambda number: find(number) or _NOTHING
        assert field.target is not None
        one, below = self.values.one(field), self._date(field.target, route[1:])
        return lambda number: _NOTHING if (value := one(number)) == NIL else below(value)
