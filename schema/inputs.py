"""What a connection may be asked: conditions and orders, as GraphQL inputs of each class.

Floor 4. Each kind of value has the operators that make sense for it; each class one input for
conditions and one for orders, which refer to those of the classes it is tied to.
"""

from __future__ import annotations

from typing import Final

from graph.model import ClassShape, Field, FieldKind, Model
from schema.aggregate_types import list_order, make_measure_inputs
from schema.making import Arguments, Maker
from schema.naming import PYTHON, by_label, deprecated_fields, public_fields, scalar_of
from schema.validity import AS_OF, bounds_of

#: Keys of a class's conditions that are no fields of the class.
RESERVED: Final = frozenset({"and", "or", "not", "isNull", "contested", "id", "label", "types"})

_EQUALITY: Final = ("eq", "ne", "in", "notIn", "isNull")
_COMPARISON: Final = (*_EQUALITY, "gt", "gte", "lt", "lte")
_TEXT: Final = (*_EQUALITY, "startsWith", "contains")
#: Operators of each scalar.
OPERATORS: Final = {
    "ID": ("eq", "ne", "in", "notIn"),
    "Boolean": ("eq", "ne", "isNull"),
    "String": _TEXT,
    "URI": _TEXT,
    "Int": _COMPARISON,
    "Float": _COMPARISON,
    "Date": _COMPARISON,
    "DateTime": _COMPARISON,
}
_LISTED: Final = frozenset({"in", "notIn"})
_OPERATOR_TEXTS: Final = {
    "eq": "Equal to this.",
    "ne": "Known, and other than this.",
    "in": "One of these.",
    "notIn": "Known, and none of these.",
    "gt": "Greater than this.",
    "gte": "Greater than or equal to this.",
    "lt": "Less than this.",
    "lte": "Less than or equal to this.",
    "startsWith": "Begins with this; case and accents do not count.",
    "contains": "Holds this; case and accents do not count.",
    "isNull": "Whether it is unknown.",
}
_QUANTIFIERS: Final = {
    "some": "At least one fits; `{}` asks for any.",
    "every": "Each one fits; true where there is none.",
    "none": "No one fits; `{}` asks that there be none.",
}
SORT_ORDERS: Final = {
    "ASC": "smallest first, unknown last",
    "DESC": "greatest first, unknown last",
    "ASC_NULLS_FIRST": "unknown first, then the smallest",
    "DESC_NULLS_FIRST": "unknown first, then the greatest",
}


def make_shared_inputs(maker: Maker, model: Model) -> None:
    """Make the conditions of single values, and the direction of an order."""
    for scalar, operators in OPERATORS.items():
        python = PYTHON.get(scalar, scalar)
        text = f"Conditions on a {scalar}, all to hold; what is unknown meets none but `isNull`."
        maker.input(f"{scalar}Filter", _operators(operators, python), text)
        _list_filter(maker, scalar, f"{scalar}Filter")
    for name in model.enum_values:
        text = f"Conditions on a {name}, all to hold; what is unknown meets none but `isNull`."
        maker.input(f"{name}Filter", _operators(_EQUALITY, name), text)
    for name in sorted(_listed_enums(model)):
        _list_filter(maker, name, f"{name}Filter")
    languages = ("List[str]", "Only texts in these languages; all when not given.")
    maker.input(
        "TextFilter",
        _operators(_TEXT, "str") | {"lang": languages},
        "Conditions on a text, each by itself: in one of its languages `eq`, `in`, `startsWith` "
        "and `contains`, in all `ne` and `notIn`.",
    )
    _list_filter(maker, "Text", "TextFilter")
    part = "Conditions on the {} day that the date may mean."
    maker.input(
        "PartialDateFilter",
        {
            "text": ("StringFilter", "Conditions on the text of the source (EDTF)."),
            "earliest": ("DateFilter", part.format("earliest")),
            "latest": ("DateFilter", part.format("latest")),
            "isNull": ("bool", _OPERATOR_TEXTS["isNull"]),
        },
        "Conditions on a date as a source gives it, all to hold; an unknown date meets none but "
        "`isNull`, not even those on its parts. `latest: {lt: D}` is certainly before D, "
        "`earliest: {lt: D}` possibly.",
    )
    maker.enum("SortOrder", {name: name for name in SORT_ORDERS}, _sort_text())
    parts: Arguments = {
        which: ("SortOrder", f"By the {which} day that the date may mean.")
        for which in ("earliest", "latest")
    }
    maker.input("PartialDateOrder", parts, "By which day of a date.", one_of=True)
    count = {"count": ("SortOrder", "By how many there are.")}
    maker.input("ListOrder", count, "By what a list is as a whole.", one_of=True)


def make_where(maker: Maker, model: Model, shape: ClassShape) -> None:
    """Make the conditions on a class and on a list of it."""
    name = f"{shape.name}Where"
    conditions: Arguments = {
        "and": (f"List[{name}]", "All of these hold."),
        "or": (f"List[{name}]", "At least one of these holds."),
        "not": (name, "This does not hold, which includes what is unknown."),
        "isNull": ("bool", "Of a linked node: whether none is known."),
        "contested": (
            "List[str]",
            "Sources differ about one of these fields; about any when the list is empty.",
        ),
        "id": ("IDFilter", "Conditions on the identifier, an IRI."),
        "label": ("TextFilter", "Conditions on the name for people."),
        "types": ("List[ClassName]", "Of one of these classes or of their subclasses."),
    }
    if bounds_of(model, shape.iri) is not None:
        conditions[AS_OF] = ("Date", "May have been valid on this day.")
    for field in public_fields(model, shape.iri):
        conditions[field.name] = (_condition(model, field), field.comments["en"])
    text = f"Conditions on a {shape.name}, all to hold."
    maker.input(name, conditions, text, deprecated=deprecated_fields(model, shape.iri))
    gained: Arguments = {"where": (name, "Look only at those that fit.")}
    gained |= make_measure_inputs(maker, model, shape)
    _list_filter(maker, shape.name, name, gained)


def make_order(maker: Maker, model: Model, shape: ClassShape) -> None:
    """Make the orders of a class: by one of its fields, or by one of a node it is tied to."""
    orders: Arguments = {
        "id": ("SortOrder", "By the identifier, an IRI."),
        "label": ("SortOrder", "By the name for people."),
    }
    for field in public_fields(model, shape.iri):
        orders[field.name] = (_order(model, field), by_label(field))
    maker.input(
        f"{shape.name}Order",
        orders,
        f"One key by which {shape.name} nodes are ordered.",
        one_of=True,
        deprecated=deprecated_fields(model, shape.iri),
    )


def _listed_enums(model: Model) -> set[str]:
    """Return the names of the enums of which a field holds several values."""
    fields = [field for shape in model.classes.values() for field in shape.own_fields]
    return {field.enum_name for field in fields if field.enum_name is not None and field.listed}


def _operators(operators: tuple[str, ...], python: str) -> Arguments:
    found: Arguments = {}
    for name in operators:
        kind = "bool" if name == "isNull" else f"List[{python}]" if name in _LISTED else python
        found[name] = (kind, _OPERATOR_TEXTS[name])
    return found


def _list_filter(maker: Maker, name: str, below: str, gained: Arguments | None = None) -> None:
    fields: Arguments = {key: (below, text) for key, text in _QUANTIFIERS.items()}
    fields["count"] = ("IntFilter", "Conditions on how many there are.")
    text = f"Conditions on a list of {name}, all to hold."
    maker.input(f"{name}ListFilter", fields | (gained or {}), text)


def _condition(model: Model, field: Field) -> str:
    if field.kind is FieldKind.ENTITY:
        assert field.target is not None
        target = model.classes[field.target].name
        return f"{target}ListFilter" if field.many else f"{target}Where"
    if field.kind is FieldKind.DATE:
        return "PartialDateFilter"
    scalar = "Text" if field.kind is FieldKind.TEXT else scalar_of(field)
    return f"{scalar}ListFilter" if field.listed else f"{scalar}Filter"


def _order(model: Model, field: Field) -> str:
    if field.kind is FieldKind.ENTITY:
        assert field.target is not None
        if field.many:
            return list_order(model, field.target)
        return f"{model.classes[field.target].name}Order"
    if field.listed:
        return "ListOrder"
    return "PartialDateOrder" if field.kind is FieldKind.DATE else "SortOrder"


def _sort_text() -> str:
    told = "; ".join(f"{name}: {text}" for name, text in SORT_ORDERS.items())
    return f"Direction of an order. {told}. Texts follow their letters, whatever case and accents."
