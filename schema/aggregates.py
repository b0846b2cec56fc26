"""What nodes are as a whole: sums, means, ends, distinct counts; and groups of them.

Floor 4. Values that are unknown count nowhere. Sums and means are exact until they are answered,
so that a condition on a sum never depends on the order of adding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np

from graph.model import Field, FieldKind
from graph.store.term_table import NIL
from graph.terms import XSD
from schema import vectors
from schema.operators import value_key
from schema.plan import Part
from schema.values import One, Values
from schema.vectors import Batch, Dates, Numbers, read_answers, read_many

#: From nodes to one value as text or number, or None where nothing is known.
Measure = Callable[[Sequence[int]], Any]

SUMS: Final = frozenset({"sum", "average"})
_DAYS: Final = {"min": 1, "max": 2}


class Measures:
    """Measures over the values of one snapshot; `charge` is told of every value looked at."""

    def __init__(self, values: Values, charge: Callable[[int], None]) -> None:
        self.values = values
        self.charge = charge
        self._batch: tuple[Sequence[int], Batch] = ((), Batch(()))

    def _batch_of(self, numbers: Sequence[int]) -> Batch:
        """Return a list as a batch: the measures of one list share it."""
        if self._batch[0] is not numbers:
            self._batch = numbers, Batch(numbers)
        return self._batch[1]

    def measure(self, field: Field, name: str) -> Measure:
        """Return a measure of a field: exact numbers of sums, texts of ends, a count."""
        if name == "distinctCount":
            return self._distinct(field)
        if name in SUMS:
            counted = self._counted(field)
            return lambda numbers: _total(counted(numbers), is_mean=name == "average")
        texts = self._texts(field, name)
        least: Callable[..., Any] = min if name == "min" else max
        key = extreme_key(field)
        return lambda numbers: least(texts(numbers), key=key, default=None)

    def _counted(self, field: Field) -> Callable[[Sequence[int]], list[tuple[str, int]]]:
        """Return how values are read as text, each with how often it stands there."""
        one, text, column = self.values.one(field), self.values.text, self._column(field)

        def read(numbers: Sequence[int]) -> list[tuple[str, int]]:
            self.charge(len(numbers))
            if column is None or len(numbers) < vectors.LEAST:
                return [(text(value), 1) for value in map(one, numbers) if value != NIL]
            found = np.unique(column(self._batch_of(numbers), "sum"), return_counts=True)
            values, times = (each.tolist() for each in found)
            counts = zip(values, times, strict=True)
            return [(text(value), count) for value, count in counts if value != NIL]

        return read

    def _texts(self, field: Field, name: str) -> Callable[[Sequence[int]], list[str]]:
        """Return how values are read as text, of long lists each distinct one once."""
        one, text, column = self._one(field, name), self.values.text, self._column(field)

        def read(numbers: Sequence[int]) -> list[str]:
            self.charge(len(numbers))
            if column is None or len(numbers) < vectors.LEAST:
                return [text(value) for value in map(one, numbers) if value != NIL]
            values = column(self._batch_of(numbers), name)
            firsts = np.sort(np.unique(values, return_index=True)[1])
            return [text(value) for value in values[firsts].tolist() if value != NIL]

        return read

    def _column(self, field: Field) -> Callable[[Batch, str], Numbers] | None:
        """Return what reads the one value of many nodes at once, if that is possible."""
        if field.kind is FieldKind.DATE:
            dates = Dates(self.values, field)
            return (
                (lambda batch, name: dates.read(batch)[_DAYS[name]]) if dates.are_single else None
            )
        column = self.values.column(field.path, inverse=field.inverse)
        return lambda batch, name: read_answers(self.values, column, batch)

    def _one(self, field: Field, name: str) -> One:
        if field.kind is not FieldKind.DATE:
            return self.values.one(field)
        find, at = self.values.date(field), _DAYS[name]
        return lambda number: NIL if (parts := find(number)) is None else parts[at]

    def _distinct(self, field: Field) -> Measure:
        column = self.values.column(field.path, inverse=field.inverse)
        if not field.many:
            one = self.values.one(field)

            def count_single(numbers: Sequence[int]) -> int:
                self.charge(len(numbers))
                if len(numbers) >= vectors.LEAST:
                    found = read_answers(self.values, column, self._batch_of(numbers))
                    values = np.unique(found)
                    return int(np.count_nonzero(values != NIL))
                return len(set(map(one, numbers)) - {NIL})

            return count_single
        many = self.values.many(field)

        def count(numbers: Sequence[int]) -> int:
            if len(numbers) >= vectors.LEAST:
                _, tied, _ = read_many(column, self._batch_of(numbers))
                self.charge(len(numbers) + len(tied))
                return len(np.unique(tied))
            found: set[int] = set()
            for number in numbers:
                values = many(number)
                self.charge(1 + len(values))
                found.update(values)
            return len(found)

        return count


def _total(counted: list[tuple[str, int]], *, is_mean: bool) -> Fraction | None:
    if not counted:
        return None
    total = exact_sum(counted)
    return total / sum(count for _, count in counted) if is_mean else total


def exact_sum(counted: Iterable[tuple[str, int]]) -> Fraction:
    """Return the sum of numbers as text, each so many times, without rounding.

    Whole numbers are added for each count of decimals: a fraction for each text takes ten times
    as long.

    Examples
    --------
    >>> exact_sum([("0.1", 10), ("-2", 1), ("1.5E0", 2)])
    Fraction(2, 1)
    """
    by_scale, total = defaultdict[int, int](int), Fraction()
    for text, count in counted:
        whole, _, part = text.partition(".")
        try:
            by_scale[len(part)] += count * int(whole + part)
        except ValueError:  # with an exponent
            total += count * Fraction(text)
    return total + sum(Fraction(found, 10**scale) for scale, found in by_scale.items())


def extreme_key(field: Field) -> Callable[[str], Any]:
    """Return how the ends of a field are compared, given as text."""
    return value_key(f"{XSD}date" if field.kind is FieldKind.DATE else field.datatype)


class Summaries:
    """Makes the answers of `aggregates`; `integer` writes a number as GraphQL's Int."""

    def __init__(self, measures: Measures, integer: Callable[[str], int | None]) -> None:
        self.measures = measures
        self.integer = integer

    def make(
        self, fields: Mapping[str, Field], parts: Sequence[Part]
    ) -> Callable[[Sequence[int]], dict[str, Any]]:
        """Return what makes the answer of one `aggregates` of a document, given the nodes."""
        makers = [(part.key, self._entry(fields, part)) for part in parts]
        return lambda numbers: {key: make(numbers) for key, make in makers}

    def _entry(self, fields: Mapping[str, Field], part: Part) -> Measure:
        if part.name.startswith(":"):
            return _constant(part.name[1:])
        if part.name == "count":
            return len
        entries = [(below.key, self._value(fields, part.name, below)) for below in part.parts]
        return lambda numbers: {key: value(numbers) for key, value in entries}

    def _value(self, fields: Mapping[str, Field], name: str, part: Part) -> Measure:
        if part.name.startswith(":"):
            return _constant(part.name[1:])
        field = fields[part.name]
        measure, write = self.measures.measure(field, name), self._writer(field, name)

        def value(numbers: Sequence[int]) -> Any:
            found = measure(numbers)
            return None if found is None else write(found)

        return value

    def _writer(self, field: Field, name: str) -> Callable[[Any], Any]:
        """Return how a known measure is written into an answer."""
        if name == "distinctCount":
            return int
        if name in SUMS:
            return float
        if field.kind is FieldKind.DATE or field.datatype == f"{XSD}date":
            return str
        if field.datatype == f"{XSD}gYear":
            return lambda text: int(text[:4])  # a zone may follow
        return self.integer if field.datatype == f"{XSD}integer" else float


def _constant(value: str) -> Measure:
    return lambda numbers: value
