"""Types of aggregates and groups: what a list is as a whole, and how it may be asked for that.

Floor 4. Every connection has `aggregates` over all nodes that fit, the page apart, and `groups`
of them by fields of their own or of nodes they are tied to. The same measures serve as conditions
(`projectRoles: {sum: {euContribution: {gt: 100000}}}`), as orders, and as `having` of groups.
"""

from __future__ import annotations

from typing import Any, Final

from graph.model import ClassShape, Field, FieldKind, Model
from schema.making import Arguments, Maker
from schema.naming import (
    PYTHON,
    by_label,
    deprecated_fields,
    extreme_fields,
    number_fields,
    public_fields,
    scalar_of,
)

#: Measures of numbers, and of numbers and days.
SUMS: Final = ("sum", "average")
EXTREMES: Final = ("min", "max")
_TEXTS: Final = {
    "sum": "The sum of the known values; null where none is known.",
    "average": "The mean of the known values; null where none is known.",
    "min": "The least of the known values; of a date the earliest day.",
    "max": "The greatest of the known values; of a date the latest day.",
}
_UNITS: Final = {
    "DECADE": "the first year of its ten",
    "YEAR": "its year",
    "MONTH": "its year and month",
    "DAY": "the day",
}
_BY: Final = "List[{}GroupKey]"


def make_shared_aggregates(maker: Maker) -> None:
    """Make what groups of all classes share."""
    maker.enum("GroupUnit", {"VALUE": "VALUE"}, "Each value is a group.")
    told = "; ".join(f"{name}: {text}" for name, text in _UNITS.items())
    units = {name: name for name in _UNITS}
    maker.enum("DateUnit", units, f"Which part of a day is a group; of a date the earliest. {told}")
    maker.make(
        "GroupKey",
        {"value": "Optional[str]", "node": "Optional[Entity]"},
        "What the nodes of a group share: a value, or null where it is unknown; the node itself "
        "where they are grouped by one.",
    )


def make_aggregates(maker: Maker, model: Model, shape: ClassShape) -> dict[str, Any]:
    """Make the aggregates of a class; return the fields that they give its connection."""
    name = shape.name
    fields: dict[str, Any] = {"count": "int"}
    # A field may be called `from`, which no attribute without a resolver can be.
    counted = {
        f.name: maker.field("int") for f in public_fields(model, shape.iri) if _is_counted(f)
    }
    if counted:
        text = f"How many distinct values the fields of {name} nodes have."
        maker.make(f"{name}DistinctCounts", counted, text)
        fields["distinctCount"] = f"{name}DistinctCounts"
    numbers = {f.name: "Optional[float]" for f in number_fields(model, shape.iri)}
    if numbers:
        maker.make(f"{name}Numbers", numbers, f"Numbers out of the fields of {name} nodes.")
        fields |= {m: maker.field(f"{name}Numbers", _TEXTS[m]) for m in SUMS}
    extremes = {f.name: f"Optional[{_extreme(f)}]" for f in extreme_fields(model, shape.iri)}
    if extremes:
        maker.make(f"{name}Extremes", extremes, f"Ends of the fields of {name} nodes.")
        fields |= {m: maker.field(f"{name}Extremes", _TEXTS[m]) for m in EXTREMES}
    maker.make(f"{name}Aggregates", fields, f"What {name} nodes are as a whole.")
    maker.make(
        f"{name}Group",
        {"keys": "List[GroupKey]", "aggregates": f"{name}Aggregates"},
        f"Nodes of class {name} that share their keys, and what they are as a whole.",
    )
    _group_key(maker, model, shape)
    divided: Arguments = {
        "by": (_BY.format(name), "What they share, one key a group; of a list each value."),
        "having": (f"Optional[{name}ListFilter]", "Only groups for which this holds."),
    }
    arguments = divided | {
        "orderBy": (f"Optional[List[{list_order(model, shape.iri)}]]", "Then by their keys."),
        "first": ("Optional[int]", "How many at most; 50 when not given, 500 at most."),
        "offset": (
            "Optional[int]",
            "How many to pass over first, to read on; none when not given.",
        ),
    }
    text = "All that fit, in groups by what they share. A node with several values is in several."
    total = "How many groups there are, however many `groups` shows."
    return {
        "aggregates": maker.field(f"{name}Aggregates", "What all that fit are as a whole."),
        "groups": maker.field(f"List[{name}Group]", text, arguments),
        "groupCount": maker.field("int", total, divided),
    }


def make_measure_inputs(maker: Maker, model: Model, shape: ClassShape) -> Arguments:
    """Make conditions and orders by the measures of a class; return what its list filter gains."""
    name = shape.name
    gained: Arguments = {}
    orders: Arguments = {"count": ("SortOrder", "By how many there are.")}
    for suffix, measures, fields in (
        ("Numbers", SUMS, number_fields(model, shape.iri)),
        ("Extremes", EXTREMES, extreme_fields(model, shape.iri)),
    ):
        if not fields:
            continue
        kinds = {f.name: "FloatFilter" if suffix == "Numbers" else _filter(f) for f in fields}
        told = {f.name: by_label(f) for f in fields}
        text = f"Conditions on measures of {name} nodes, all to hold."
        maker.input(f"{name}{suffix}Filter", {f: (k, told[f]) for f, k in kinds.items()}, text)
        text = f"One measure by which lists of {name} are ordered."
        order: Arguments = {f: ("SortOrder", told[f]) for f in kinds}
        maker.input(f"{name}{suffix}Order", order, text, one_of=True)
        gained |= {m: (f"{name}{suffix}Filter", _TEXTS[m]) for m in measures}
        orders |= {m: (f"{name}{suffix}Order", _TEXTS[m]) for m in measures}
    if gained:
        text = f"By what a list of {name} is as a whole."
        maker.input(f"{name}ListOrder", orders, text, one_of=True)
    return gained


def list_order(model: Model, iri: str) -> str:
    """Return the name of the input that orders by lists of a class."""
    has_measures = bool(extreme_fields(model, iri))
    return f"{model.classes[iri].name}ListOrder" if has_measures else "ListOrder"


def _group_key(maker: Maker, model: Model, shape: ClassShape) -> None:
    keys: Arguments = {
        "id": ("GroupUnit", "Each node is a group."),
        "label": ("GroupUnit", "By the name for people."),
        "types": ("GroupUnit", "By the classes that sources give it."),
    }
    for field in public_fields(model, shape.iri):
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            keys[field.name] = (f"{model.classes[field.target].name}GroupKey", by_label(field))
        else:
            keys[field.name] = ("DateUnit" if _is_day(field) else "GroupUnit", by_label(field))
    text = f"One key by which {shape.name} nodes are grouped."
    maker.input(
        f"{shape.name}GroupKey",
        keys,
        text,
        one_of=True,
        deprecated=deprecated_fields(model, shape.iri),
    )


def _is_counted(field: Field) -> bool:
    return field.kind not in (FieldKind.TEXT, FieldKind.DATE)


def _is_day(field: Field) -> bool:
    return field.kind is FieldKind.DATE or scalar_of(field) == "Date"


def _extreme(field: Field) -> str:
    scalar = "Date" if field.kind is FieldKind.DATE else scalar_of(field)
    return PYTHON.get(scalar, scalar)


def _filter(field: Field) -> str:
    return "DateFilter" if field.kind is FieldKind.DATE else f"{scalar_of(field)}Filter"
