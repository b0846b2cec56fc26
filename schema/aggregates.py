"""What nodes are as a whole: sums, means, ends, distinct counts; and groups of them.

Floor 4. Values that are unknown count nowhere. Sums and means are exact until they are answered,
so that a condition on a sum never depends on the order of adding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np

from graph.model import Field, FieldKind
from graph.store.columns import OneColumn
from graph.store.term_table import NIL
from graph.terms import XSD
from schema import vectors
from schema.operators import value_key
from schema.plan import Part
from schema.values import One, Values
from schema.vectors import Batch, Dates, Numbers, read_many, read_one

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
        texts = self._texts(field, name)
        if name in SUMS:
            return lambda numbers: _total(texts(numbers), is_mean=name == "average")
        least: Callable[..., Any] = min if name == "min" else max
        key = extreme_key(field)
        return lambda numbers: least(texts(numbers), key=key, default=None)

    def _texts(self, field: Field, name: str) -> Callable[[Sequence[int]], list[str]]:
        one, text = self._one(field, name), self.values.text

        def read(numbers: Sequence[int]) -> list[str]:
            self.charge(len(numbers))
            return [text(value) for value in map(one, numbers) if value != NIL]

        if name in SUMS:
            return read
        column = self._column(field)

        def read_distinct(numbers: Sequence[int]) -> list[str]:
            """Ends are found among the distinct values alone."""
            if column is None or len(numbers) < vectors.LEAST:
                return read(numbers)
            self.charge(len(numbers))
            values = column(self._batch_of(numbers), name)
            firsts = np.sort(np.unique(values, return_index=True)[1])
            return [text(value) for value in values[firsts].tolist() if value != NIL]

        return read_distinct

    def _column(self, field: Field) -> Callable[[Batch, str], Numbers] | None:
        """Return what reads the one value of many nodes, where columns have it as such."""
        if field.kind is FieldKind.DATE:
            dates = Dates(self.values, field)
            return (
                (lambda batch, name: dates.read(batch)[_DAYS[name]]) if dates.are_single else None
            )
        column = self.values.column(field.path, inverse=field.inverse)
        if not isinstance(column, OneColumn):
            return None
        return lambda batch, name: read_one(column, batch)[0]

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
                if isinstance(column, OneColumn) and len(numbers) >= vectors.LEAST:
                    values = np.unique(read_one(column, self._batch_of(numbers))[0])
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


def _total(texts: list[str], *, is_mean: bool) -> Fraction | None:
    if not texts:
        return None
    total = sum(map(Fraction, texts), Fraction())
    return total / len(texts) if is_mean else total


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
