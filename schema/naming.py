"""GraphQL names derived from the model: types, inputs, enum values.

Floor 4. Class and field names stand in the shapes; what is built on them (connections, edges,
filters, enum values) is named here and nowhere else, so that a name never depends on its place.
"""

from __future__ import annotations

import re

from graph.model import ClassShape, Field, FieldKind, Model
from graph.terms import XSD

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")

#: GraphQL scalar of each core datatype.
SCALARS = {
    f"{XSD}string": "String",
    f"{XSD}integer": "Int",
    f"{XSD}decimal": "Float",
    f"{XSD}double": "Float",
    f"{XSD}boolean": "Boolean",
    f"{XSD}date": "Date",
    f"{XSD}dateTime": "DateTime",
    f"{XSD}anyURI": "URI",
    f"{XSD}gYear": "Int",
}
#: Python's name of each GraphQL scalar that has one.
PYTHON = {"String": "str", "Int": "int", "Float": "float", "Boolean": "bool"}
_NUMBERS = frozenset({f"{XSD}integer", f"{XSD}decimal", f"{XSD}double"})
_ORDERED = _NUMBERS | {f"{XSD}gYear", f"{XSD}date"}


def enum_value_name(literal: str) -> str:
    """Return the name of an enum value.

    Examples
    --------
    >>> enum_value_name("associatedPartner")
    'ASSOCIATED_PARTNER'
    """
    return "_".join(part for part in _WORD.split(literal) if part).upper()


def is_interface(model: Model, shape: ClassShape) -> bool:
    """Tell whether a class is an interface: abstract, or with subclasses."""
    return shape.abstract or len(model.descendants[shape.iri]) > 1


def object_name(model: Model, iri: str) -> str:
    """Return the name of the object type for a node whose most specific class is this one."""
    shape = model.classes[iri]
    return shape.concrete_name if is_interface(model, shape) else shape.name


def object_types(model: Model, iri: str) -> dict[str, str]:
    """Return the object types that a value of a class may have: name and class IRI."""
    return {
        object_name(model, each): each
        for each in model.descendants[iri]
        if not model.classes[each].abstract
    }


def scalar_of(field: Field) -> str:
    """Return the scalar or enum of a field with literal values."""
    if field.kind is FieldKind.ENUM:
        assert field.enum_name is not None
        return field.enum_name
    if field.kind is FieldKind.TEXT:
        return "String"
    if field.kind is FieldKind.IRI:
        return "URI"
    assert field.datatype is not None
    return SCALARS[field.datatype]


def public_fields(model: Model, iri: str) -> list[Field]:
    """Return the fields of a class that the API shows, inherited ones included."""
    return [field for field in model.fields[iri].values() if field.exposure == "public"]


def by_label(field: Field) -> str:
    """Return what it is to order or group by a field, in a few words.

    Examples
    --------
    >>> from graph.shapes import load_model
    >>> model = load_model()
    >>> by_label(model.fields[model.by_name["Cluster"].iri]["legalForm"])
    'By legal form.'
    """
    return f"By {field.labels['en']}."


def deprecated_fields(model: Model, iri: str) -> dict[str, str]:
    """Return why the deprecated fields of a class should no longer be used, by their names."""
    return {f.name: f.deprecated for f in public_fields(model, iri) if f.deprecated is not None}


def number_fields(model: Model, iri: str) -> list[Field]:
    """Return the fields of a class that hold one number, which can be summed."""
    return [f for f in public_fields(model, iri) if f.datatype in _NUMBERS and not f.many]


def extreme_fields(model: Model, iri: str) -> list[Field]:
    """Return the fields of a class that hold one number, year, day or date."""
    return [
        f
        for f in public_fields(model, iri)
        if f.kind is FieldKind.DATE or (f.datatype in _ORDERED and not f.many)
    ]
