"""Which nodes can fit a condition at all, found by the snapshot's inverse columns.

Floor 4. Where an equality can be looked up, the nodes to check come from the index instead of
from the whole class. What is found here is a bound: each node is still checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from graph.model import Field, FieldKind
from graph.store.columns import EMPTY, Column, OneColumn
from graph.store.snapshot import Snapshot
from graph.terms import is_iri
from schema.filters import admits_unknown
from schema.operators import Operators, given, listed
from schema.vectors import LEAST, Batch, read_many

#: Operators that an index can look up.
_LOOKED_UP = ("eq", "in")


class Candidates:
    """Looks conditions up; finds nothing where more than `most` nodes would have to be gathered."""

    def __init__(self, operators: Operators, charge: Callable[[int], None], most: int) -> None:
        self.operators = operators
        self.snapshot: Snapshot = operators.snapshot
        self.charge = charge
        self.limit = self.most = most

    def seek(self, class_iri: str, where: Any, nodes: int) -> set[int] | None:
        """Return what `find` does, or None where it is not less than the nodes to look at."""
        self.most = min(self.limit, nodes)
        return self.find(class_iri, where)

    def find(self, class_iri: str, where: Any) -> set[int] | None:
        """Return nodes among which all that fit are, or None when no index helps enough."""
        best: set[int] | None = None
        for name, below in given(where).items():
            found = self._find(class_iri, name, below)
            if found is not None and (best is None or len(found) < len(best)):
                best = found
        return best

    def _find(self, class_iri: str, name: str, below: Any) -> set[int] | None:
        if name == "id":
            return self._identified(below)
        if name == "types":
            return self._instances(listed(below))
        if name == "and":
            return self._least(self.find(class_iri, each) for each in listed(below))
        if name == "or":
            return self._union(class_iri, listed(below))
        field = self.snapshot.model.fields[class_iri].get(name)
        if field is None or field.kind is FieldKind.DATE:
            return None
        inner = below
        if field.listed:
            inner = given(below).get("some") if below else None
        if inner is None:
            return None
        values = self._values(field, inner)
        if values is None:
            return None
        if field.kind is not FieldKind.ENTITY and any(map(self.snapshot.terms.is_long, values)):
            return None
        return self._subjects(field, values)

    def _values(self, field: Field, below: Any) -> set[int] | None:
        """Return values of which one must be there, or None when that cannot be said."""
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            return None if admits_unknown(below) else self.find(field.target, below)
        for name in _LOOKED_UP:
            if name in given(below, f"where.{field.name}"):
                place = f"where.{field.name}.{name}"
                return self.operators.matches(field, listed(below[name]), place)
        return None

    def _subjects(self, field: Field, values: set[int]) -> set[int] | None:
        back: Mapping[str, Column] = (
            self.snapshot.forward if field.inverse else self.snapshot.inverse
        )
        column = back.get(field.path, EMPTY)
        if sum(map(column.count, values)) > self.most:
            return None
        if len(values) < LEAST:
            found = {subject for value in values for subject in entries(column, value)}
        else:
            _, subjects, _ = read_many(column, Batch(list(values)))
            found = set(np.unique(subjects).tolist())
            if isinstance(column, OneColumn):  # read is what answers, meant what any source says
                for value in values & column.contested.keys():
                    found.update(entries(column, value))
        self.charge(len(found))
        return found

    def _identified(self, below: Any) -> set[int] | None:
        asked = given(below)
        for name in _LOOKED_UP:
            if name in asked:
                iris = (f"<{each}>" for each in listed(asked[name]) if is_iri(str(each)))
                return {n for n in map(self.snapshot.terms.find, iris) if n is not None}
        return None

    def _instances(self, names: Iterable[str]) -> set[int] | None:
        model, found = self.snapshot.model, set[int]()
        for name in names:
            instances = self.snapshot.instances(model.by_name[name].iri)
            if len(found) + len(instances) > self.most:
                return None
            found.update(instances)
        self.charge(len(found))
        return found

    def _union(self, class_iri: str, parts: Iterable[Any]) -> set[int] | None:
        found: set[int] = set()
        for part in parts:
            some = self.find(class_iri, part)
            if some is None or len(found) + len(some) > self.most:
                return None
            found |= some
        return found

    def _least(self, found: Iterable[set[int] | None]) -> set[int] | None:
        known = [each for each in found if each is not None]
        return min(known, key=len) if known else None


def entries(column: Column, number: int) -> Iterable[int]:
    """Return the values of a node in any column, forward or inverse."""
    if isinstance(column, OneColumn):
        return (value for value, _ in column.pairs(number))
    return column.values(number)
