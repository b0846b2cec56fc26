"""How much of what the shapes expect of a node is known.

Floor 4. Expected is what a shape asks for with a minimum, as a violation or as a warning: what is
required is always known, so that the share says how far a node is described.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from graph.model import Field, Model
from graph.store.snapshot import Snapshot
from schema.naming import public_fields


class Completeness(NamedTuple):
    """The share of expected fields that are known, in [0, 1], and which are and are not."""

    share: float
    known: list[str]
    missing: list[str]


def expected_fields(model: Model, iri: str) -> list[Field]:
    """Return the fields that the shapes of a class expect, inherited ones included."""
    asked = {
        (constraint.path, constraint.inverse)
        for constraint in model.constraints
        if constraint.component == "minCount"
        and constraint.parameter != 0
        and constraint.target in model.ancestors[iri]
    }
    return [
        field
        for field in public_fields(model, iri)
        if any((path, field.inverse) in asked for path in field.predicates)
    ]


def completeness_of(snapshot: Snapshot, number: int) -> Completeness:
    """Return the completeness of a node; where nothing is expected, it is complete."""
    iri = snapshot.class_of(number)
    known: list[str] = []
    missing: list[str] = []
    for field in () if iri is None else _expected(_Keyed(snapshot.model), iri):
        columns = snapshot.inverse if field.inverse else snapshot.forward
        found = any(p in columns and columns[p].count(number) for p in field.predicates)
        (known if found else missing).append(field.name)
    expected = len(known) + len(missing)
    return Completeness(len(known) / expected if expected else 1.0, known, missing)


class _Keyed:
    """A model that can be a key: by its digest."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __hash__(self) -> int:
        return hash(self.model.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and other.model.digest == self.model.digest


@lru_cache(maxsize=256)
def _expected(keyed: _Keyed, iri: str) -> tuple[Field, ...]:
    return tuple(expected_fields(keyed.model, iri))
