"""What the operators of conditions mean for single values: equal, greater, beginning with.

Floor 4. A value is judged by its number and once a request; what a condition is compared with is
read here, too, and refused when it is no value of the kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import isfinite
from typing import Any, Final

from graph.errors import BadValueError
from graph.model import Field, FieldKind
from graph.store.snapshot import Snapshot
from graph.terms import XSD, is_iri, write_literal
from schema.collation import fold
from schema.naming import enum_value_name

#: Tells of a value's number whether it fits.
Test = Callable[[int], bool]

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Characters of a text that cost as much to look at as a value.
_CHARACTERS: Final = 64
#: Texts that are held at once while many are judged.
_AT_ONCE: Final = 1_024
#: Operators that say that there must not be such a value; in texts, in any language.
NEGATIVE: Final = frozenset({"ne", "notIn"})
_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def value_key(datatype: str | None) -> Callable[[str], Any]:
    """Return how the literals of a datatype become what can be compared."""
    if datatype == f"{XSD}integer":
        return int
    if datatype == f"{XSD}gYear":
        return lambda text: int(text[:4])  # a zone may follow
    if datatype == f"{XSD}decimal":
        return Decimal
    if datatype == f"{XSD}double":
        return float
    if datatype == f"{XSD}dateTime":
        return _moment
    return (lambda text: text[:10]) if datatype == f"{XSD}date" else str


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def number_test(
    operators: Mapping[str, Any], place: str, read: Callable[[Any], Any] = int
) -> Callable[[Any], bool]:
    """Return the test of a computed value, such as how many there are; None where it is unknown.

    `read` makes what a condition is compared with comparable.

    Raises
    ------
    BadValueError
        No operator is given, or a null value.
    """
    asked = given(operators, place)
    if not asked:
        raise BadValueError(place, "{}", "a condition such as {gte: 3}")
    tests = [_number_test(name, value, read) for name, value in asked.items()]
    return lambda number: all(test(number) for test in tests)


def _number_test(name: str, value: Any, read: Callable[[Any], Any]) -> Callable[[Any], bool]:
    if name == "isNull":
        return lambda number: (number is None) is value
    if name in ("in", "notIn", "eq", "ne"):
        values = {read(each) for each in listed(value)}
        positive = name in ("in", "eq")
        return lambda number: number is not None and (number in values) is positive
    compare, bound = _ORDERS[name], read(value)
    return lambda number: number is not None and compare(number, bound)


def exact(value: Any, place: str) -> Fraction:
    """Return a number of a document as an exact one, as it was written.

    Raises
    ------
    BadValueError
        It is too great for a number of 64 bits.
    """
    return Fraction(repr(_finite(value, place)))


def _finite(value: Any, place: str) -> Any:
    if isinstance(value, float) and not isfinite(value):
        raise BadValueError(place, str(value), "a number below 1.8e308")
    return value


class Operators:
    """The operators over the values of one snapshot; `charge` is told of long texts searched."""

    def __init__(
        self, snapshot: Snapshot, text: Callable[[int], str], charge: Callable[[int], None]
    ) -> None:
        self.snapshot = snapshot
        self.text = text
        self.charge = charge

    def test(self, field: Field, name: str, value: Any) -> Test:
        """Return the test of one operator on the number of a value of a field.

        Raises
        ------
        BadValueError
            The value cannot be compared with those of the field.
        """
        place = f"where.{field.name}.{name}"
        if name in ("eq", "in"):
            return self.matches(field, listed(value), place).__contains__
        if name in NEGATIVE:
            matches = self.matches(field, listed(value), place)
            return lambda number: number not in matches
        return TextTest(self.text, self._text_test(field, name, value, place), self.charge)

    def matches(self, field: Field, values: Iterable[Any], place: str) -> set[int]:
        """Return the numbers of the terms that equal one of the values."""
        terms = (term for value in values for term in self._terms(field, value, place))
        found = map(self.snapshot.terms.find, terms)
        return {number for number in found if number is not None}

    def _text_test(self, field: Field, name: str, value: Any, place: str) -> Callable[[str], bool]:
        if name in ("startsWith", "contains"):
            wanted = fold(value)
            if name == "startsWith":
                return lambda text: fold(text).startswith(wanted)
            return lambda text: wanted in (text.lower() if text.isascii() else fold(text))
        key, compare = value_key(field.datatype), _ORDERS[name]
        bound = key(lexical(value, field.datatype, place))
        return lambda text: compare(key(text), bound)

    @cached_property
    def _languages(self) -> tuple[str, ...]:
        """The languages of the texts of the snapshot, which has thousands of pages."""
        return tuple({kind[2] for kind in self.snapshot.terms.kinds if kind[2]})

    def _terms(self, field: Field, value: Any, place: str) -> list[str]:
        if value is None:
            raise BadValueError(place, "null", "a value: what is unknown is asked for by isNull")
        if field.kind is FieldKind.ENUM:
            # A constant of the document is the enum's name, a coerced variable its literal.
            fits = (v for v in field.enum_values if value in (v, enum_value_name(v)))
            return [write_literal(v) for v in fits]
        if field.kind in (FieldKind.IRI, FieldKind.ENTITY):
            return [f"<{value}>"] if is_iri(value) else []
        if field.kind is FieldKind.TEXT:
            # The name for people may be an acronym, which is in no language.
            tagged = [write_literal(value, language=tag) for tag in self._languages]
            return [write_literal(value), *tagged]
        return [write_literal(lexical(value, field.datatype, place), field.datatype)]


class TextTest:
    """Tells by the text of a value whether it fits; each is judged once a request."""

    def __init__(
        self,
        text: Callable[[int], str],
        fits: Callable[[str], bool],
        charge: Callable[[int], None],
    ) -> None:
        self._text = text
        self._fits = fits
        self._charge = charge
        self._judged: dict[int, bool] = {}

    def __call__(self, number: int) -> bool:
        """Tell of one value whether it fits."""
        found = self._judged.get(number)
        return self.many([number])[0] if found is None else found

    def many(self, numbers: Sequence[int]) -> list[bool]:
        """Tell of each of some values, all different, whether it fits."""
        judged = self._judged
        fresh = [number for number in numbers if number not in judged]
        for start in range(0, len(fresh), _AT_ONCE):
            some = fresh[start : start + _AT_ONCE]
            texts = list(map(self._text, some))
            lengths = sum([len(text) // _CHARACTERS for text in texts if len(text) > _CHARACTERS])
            if lengths:
                self._charge(lengths)
            judged.update(zip(some, map(self._fits, texts), strict=True))
        return [judged[number] for number in numbers]


def given(conditions: Any, place: str = "where") -> Mapping[str, Any]:
    """Return the conditions that were given; a null one is refused, not passed over.

    Raises
    ------
    BadValueError
        One is null.
    """
    for name, value in conditions.items():
        if value is None:
            raise BadValueError(f"{place}.{name}", "null", "a condition: leave it out instead")
    found: Mapping[str, Any] = conditions
    return found


def listed(value: Any) -> tuple[Any, ...]:
    """Return a list argument, for which GraphQL also takes a single value."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def lexical(value: Any, datatype: str | None, place: str) -> str:
    """Return the canonical lexical form of a GraphQL value.

    Raises
    ------
    BadValueError
        It is no day or moment where one is asked for, or too great a number.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    _finite(value, place)
    if datatype == f"{XSD}decimal":
        digits = format(Decimal(repr(value)), "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if datatype == f"{XSD}date" and not _is_day(value):
        raise BadValueError(place, value[:40], "a day as YYYY-MM-DD")
    if datatype == f"{XSD}dateTime":
        try:
            _moment(value)
        except ValueError:
            raise BadValueError(place, value[:40], "a moment in ISO 8601") from None
    return str(value)


def _is_day(text: str) -> bool:
    """Tell whether a text is a day of the calendar."""
    try:
        return _DAY.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False
