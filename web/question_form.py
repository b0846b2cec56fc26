"""The form of a question: a field for each parameter, with the entities that it can be about.

Floor 5. Choices are read off a snapshot and bounded; where there are too many, one writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.model import CONCEPT
from graph.terms import SKOS
from schema.question import Kind, Parameter, Question
from web.entity_names import EntityNames

_IN_SCHEME: Final = f"{SKOS}inScheme"
#: The type of an input by the kind of its parameter.
_TYPES: Final = {Kind.DATE: "date", Kind.INTEGER: "number"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One entity that can be chosen."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of the form; without `choices` it is an input of a `type`."""

    name: str
    label: str
    value: str
    type: str
    choices: Sequence[Choice]


def write_form(
    question: Question, values: Mapping[str, Any], names: EntityNames, choices_max: int
) -> list[Entry]:
    """Return the fields of a question's form, in the language of the names."""
    return [
        Entry(
            each.name,
            each.title[names.language],
            str(values[each.name]),
            _TYPES.get(each.kind, "text"),
            _choices(each, str(values[each.name]), names, choices_max),
        )
        for each in question.parameters
    ]


def _choices(each: Parameter, value: str, names: EntityNames, most: int) -> list[Choice]:
    """Return the entities of the parameter's class, by name; of concepts those of one scheme."""
    shape = names.model.by_name.get(each.of)
    if shape is None:
        return []
    snapshot = names.snapshot
    numbers = list(snapshot.instances(shape.iri))
    if shape.iri == CONCEPT:
        schemes = snapshot.values(f"<{each.default}>", _IN_SCHEME)
        found = [snapshot.subjects(_IN_SCHEME, scheme) for scheme in schemes]
        known = {snapshot.number_of(term) for terms in found for term in terms}
        numbers = [number for number in numbers if number in known]
    if len(numbers) > most:
        return []
    chosen = {snapshot.terms.text(number): names.name(number).text for number in numbers}
    chosen.setdefault(value, value)
    ordered = sorted(chosen.items(), key=lambda pair: (pair[1].casefold(), pair[0]))
    return [Choice(iri, label) for iri, label in ordered]
