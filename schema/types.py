"""Builds the GraphQL schema from the model with Strawberry.

Floor 4. Interfaces follow the class hierarchy, objects are what a node can be, every many-valued
field to nodes is a Relay connection. The types are made anew for each model, in a module of their
own name space, since Strawberry's fields belong to the schema that they were built for. Reads are
executed by plans (`schema/plan.py`), so resolvers here only give a field its arguments.
"""

from __future__ import annotations

import enum
import inspect
import sys
import types
from collections.abc import Iterable
from typing import Any, Final, NewType

import strawberry
from graphql import GraphQLSchema, lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig
from strawberry.types.unset import UNSET

from graph.model import ClassShape, Field, FieldKind, Model
from schema.naming import (
    enum_value_name,
    is_interface,
    object_name,
    public_fields,
    scalar_of,
)

MODULE: Final = "schema.generated"
_PYTHON: Final = {"String": "str", "Int": "int", "Float": "float", "Boolean": "bool"}
_SCALAR_TEXTS: Final = {
    "Date": "A day, as `YYYY-MM-DD`.",
    "DateTime": "A moment, in ISO 8601.",
    "URI": "An absolute IRI.",
}

Arguments = dict[str, tuple[str, str]]
_PAGE: Final[Arguments] = {
    "first": ("Optional[int]", "How many at most; 50 when not given, 500 at most."),
    "after": ("Optional[str]", "The cursor after which to go on."),
}
_LANGUAGES: Final[Arguments] = {
    "lang": ("Optional[List[str]]", "Languages in order of preference; then the request's.")
}


def build_schema(model: Model) -> GraphQLSchema:
    """Return the schema of a model.

    Cost
    ----
    About half a second for 44 classes; done once at the start.
    """
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    names = vars(module)
    names.update(
        Optional=__import__("typing").Optional, List=list, ID=strawberry.ID, strawberry=strawberry
    )
    builder = _Builder(model, names)
    query = builder.build()
    built = strawberry.Schema(
        query=query,
        types=builder.objects,
        config=StrawberryConfig(auto_camel_case=False, scalar_map=builder.scalars),
    )
    schema: GraphQLSchema = built._schema
    return lexicographic_sort_schema(schema)


def print_sdl(schema: GraphQLSchema) -> str:
    """Return the schema in the schema definition language, sorted by name."""
    return print_schema(schema) + "\n"


class _Builder:
    """Makes the types of one model in one name space."""

    def __init__(self, model: Model, names: dict[str, Any]) -> None:
        self.model = model
        self.names = names
        self.objects: list[type] = []
        self.scalars: dict[object, Any] = {}

    def build(self) -> type:
        """Make all types and return the root."""
        self._scalars()
        self._enums()
        self._shared_types()
        for shape in sorted(self.model.classes.values(), key=self._depth):
            self._class_types(shape)
        self._connection("Entity")
        return self._query()

    def _depth(self, shape: ClassShape) -> int:
        return len(self.model.ancestors[shape.iri])

    # --- making ------------------------------------------------------------------------

    def _field(self, returns: str, text: str, arguments: Arguments | None = None) -> Any:
        """Return a field with arguments, whose answer the plan gives."""

        def planned(self: Any, **_: Any) -> Any:
            raise NotImplementedError("reads are executed by plans")

        chosen = arguments or {}
        parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        annotations: dict[str, Any] = {"return": returns}
        for name, (annotation, _text) in chosen.items():
            parameters.append(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    annotation=annotation,
                    default=UNSET if annotation.startswith("Optional") else inspect._empty,
                )
            )
            annotations[name] = annotation
        planned.__signature__ = inspect.Signature(parameters, return_annotation=returns)  # type: ignore[attr-defined]
        planned.__annotations__ = annotations
        planned.__module__ = MODULE
        return strawberry.field(resolver=planned, description=text)

    def _make(
        self,
        name: str,
        fields: dict[str, Any],
        text: str,
        bases: Iterable[str] = (),
        *,
        interface: bool = False,
    ) -> type:
        """Make an object type or interface; plain strings are annotations without arguments."""
        made = types.new_class(name, tuple(self.names[base] for base in bases))
        made.__module__ = MODULE
        made.__annotations__ = {k: v for k, v in fields.items() if isinstance(v, str)}
        for key, value in fields.items():
            if not isinstance(value, str):
                setattr(made, key, value)
        kind = strawberry.interface if interface else strawberry.type
        self.names[name] = kind(made, name=name, description=text)
        return self.names[name]  # type: ignore[no-any-return]

    def _input(self, name: str, fields: dict[str, str], text: str) -> None:
        made = types.new_class(name)
        made.__module__ = MODULE
        # A field may be called `from`, which no Python name can be.
        made.__annotations__ = {f"{key}_": f"Optional[{value}]" for key, value in fields.items()}
        for key in fields:
            setattr(made, f"{key}_", strawberry.field(name=key, default=UNSET))
        self.names[name] = strawberry.input(made, name=name, description=text)

    # --- what every schema has ----------------------------------------------------------

    def _scalars(self) -> None:
        for name, text in _SCALAR_TEXTS.items():
            kind = NewType(name, str)  # type: ignore[misc]
            self.names[name] = kind
            self.scalars[kind] = strawberry.scalar(
                name=name, description=text, serialize=str, parse_value=str
            )
        for name, python in (*_PYTHON.items(), *((s, s) for s in _SCALAR_TEXTS), ("ID", "ID")):
            self._input(f"{name}Filter", {"eq": python}, f"Condition on a {name}.")
            self._input(
                f"{name}ListFilter", {"some": f"{name}Filter"}, f"Condition on a list of {name}."
            )

    def _enums(self) -> None:
        for name, literals in self.model.enum_values.items():
            values = {enum_value_name(literal): literal for literal in literals}
            made = enum.Enum(name, values, module=MODULE)  # type: ignore[misc]
            self.names[name] = strawberry.enum(made, name=name)
            self._input(f"{name}Filter", {"eq": name}, f"Condition on a {name}.")

    def _shared_types(self) -> None:
        optional = "Optional[str]"
        self._make(
            "PageInfo",
            {
                "hasNextPage": "bool",
                "hasPreviousPage": "bool",
                "startCursor": optional,
                "endCursor": optional,
            },
            "Where a page of a connection begins and ends.",
        )
        self._make(
            "PartialDate",
            {"text": optional, "earliest": "Optional[Date]", "latest": "Optional[Date]"},
            "A date as a source gives it: its text (EDTF), the earliest and the latest day.",
        )
        self._make("Node", {"id": "ID"}, "Anything with an identifier.", interface=True)
        self._make(
            "Entity",
            {
                "label": self._field(
                    optional, "Name for people, in the best language.", _LANGUAGES
                ),
                "types": self._field("List[str]", "Names of the classes that sources give it."),
                "claims": self._field(
                    "List[Claim]",
                    "Every value of the single-valued and text fields, with the source of each.",
                    {
                        "fields": ("Optional[List[str]]", "Only these fields."),
                        "contested": ("Optional[bool]", "Only fields where sources differ."),
                    },
                ),
                "statedBy": self._field(
                    "List[Source]", "The sources that state something of it, best rank first."
                ),
            },
            "A node of the graph, with what the sources say of it.",
            ("Node",),
            interface=True,
        )
        self._make(
            "Claim",
            {
                "field": "str",
                "property": "URI",
                "value": "str",
                "language": optional,
                "node": "Optional[Entity]",
                "source": "Source",
                "answers": "bool",
                "contested": "bool",
            },
            "One value of one field as one source states it. `answers` marks the value with which "
            "the field answers; `contested` that sources differ.",
        )

    # --- what each class has ------------------------------------------------------------

    def _class_types(self, shape: ClassShape) -> None:
        model = self.model
        parents = [model.classes[p].name for p in shape.parents] or ["Entity"]
        text = shape.comments["en"]
        fields = {f.name: self._class_field(f) for f in shape.own_fields if f.exposure == "public"}
        if is_interface(model, shape):
            self._make(shape.name, fields, text, parents, interface=True)
            if not shape.abstract:
                plain = f"{text} One that is of no narrower class."
                self.objects.append(self._make(shape.concrete_name, {}, plain, [shape.name]))
        else:
            self.objects.append(self._make(object_name(model, shape.iri), fields, text, parents))
        self._connection(shape.name)
        self._where(shape)

    def _connection(self, name: str) -> None:
        self._make(
            f"{name}Edge",
            {"node": name, "cursor": "str"},
            f"A {name} and its place in a connection.",
        )
        self._make(
            f"{name}Connection",
            {
                "edges": f"List[{name}Edge]",
                "nodes": f"List[{name}]",
                "pageInfo": "PageInfo",
                "totalCount": "int",
            },
            f"A page of {name} nodes, ordered by identifier.",
        )

    def _class_field(self, field: Field) -> Any:
        text = field.comments["en"]
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            target = self.model.classes[field.target].name
            if field.many:
                arguments = _PAGE | {"where": (f"Optional[{target}Where]", "Only those that fit.")}
                return self._field(f"{target}Connection", text, arguments)
            return self._field(_optional(target, field), text)
        if field.kind is FieldKind.TEXT:
            returns = "Optional[str]" if field.unique_language else "List[str]"
            return self._field(returns, text, _LANGUAGES)
        if field.kind is FieldKind.DATE:
            return self._field("Optional[PartialDate]", text)
        scalar = scalar_of(field)
        python = _PYTHON.get(scalar, scalar)
        return self._field(f"List[{python}]" if field.many else _optional(python, field), text)

    def _where(self, shape: ClassShape) -> None:
        conditions = {"id": "IDFilter"}
        for field in public_fields(self.model, shape.iri):
            condition = self._condition(field)
            if condition:
                conditions[field.name] = condition
        self._input(f"{shape.name}Where", conditions, f"Conditions on a {shape.name}, all to hold.")
        self._input(
            f"{shape.name}ListFilter",
            {"some": f"{shape.name}Where"},
            f"Condition on a list of {shape.name}.",
        )

    def _condition(self, field: Field) -> str | None:
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            target = self.model.classes[field.target].name
            return f"{target}ListFilter" if field.many else f"{target}Where"
        if field.kind is FieldKind.DATE:
            return None
        scalar = scalar_of(field)
        return f"{scalar}ListFilter" if field.listed else f"{scalar}Filter"

    def _query(self) -> type:
        one: Arguments = {"id": ("ID", "The identifier: its IRI.")}
        fields: dict[str, Any] = {
            "node": self._field("Optional[Node]", "Any node by its identifier.", one),
            "revision": self._field("int", "The revision that this answer was read from."),
        }
        for shape in self.model.classes.values():
            if shape.exposure != "public":
                continue
            fields[shape.field_name] = self._field(
                f"Optional[{shape.name}]", f"One {shape.name} by its identifier.", one
            )
            arguments = _PAGE | {
                "where": (f"Optional[{shape.name}Where]", "Only those for which this holds.")
            }
            fields[shape.plural] = self._field(
                f"{shape.name}Connection", f"All of class {shape.name}.", arguments
            )
        return self._make("Query", fields, "What can be asked.")


def _optional(python: str, field: Field) -> str:
    return python if field.required else f"Optional[{python}]"
