"""How many instances each class has, for the home page and `/version`.

Floor 5. Counts are those of the snapshot, subclasses included, for classes that may have
instances; a superclass stands before its subclasses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.model import CONCEPT, CONCEPT_SCHEME

if TYPE_CHECKING:
    from graph.model import ClassShape, Model
    from graph.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ClassCount:
    """One class with the number of its instances; `depth` is 0 for the most general ones."""

    shape: ClassShape
    number: int
    depth: int


def count_classes(snapshot: Snapshot) -> list[ClassCount]:
    """Return the classes that have instances, in the order of the ontology.

    Concepts and concept schemes come with the software and are left out.
    """
    model = snapshot.model
    rows = []
    for iri, shape in model.classes.items():
        number = len(snapshot.instances(iri))
        if number and not shape.abstract and iri not in (CONCEPT, CONCEPT_SCHEME):
            rows.append(ClassCount(shape, number, _depth(model, iri)))
    return rows


def _depth(model: Model, iri: str) -> int:
    """How many superclasses stand above a class in the table."""
    above = model.ancestors[iri][1:]
    return sum(not model.classes[a].abstract and a not in (CONCEPT, CONCEPT_SCHEME) for a in above)
