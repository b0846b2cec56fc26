"""Builds the GraphQL schema from the model with Strawberry.

Floor 4. Interfaces follow the class hierarchy, objects are what a node can be, every many-valued
field to nodes is a Relay connection. The types are made anew for each model, in a module of their
own name space, since Strawberry's fields belong to the schema that they were built for. Reads are
executed by plans (`schema/plan.py`), so resolvers here only give a field its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import strawberry
from graphql import (
    GraphQLSchema,
    introspection_types,
    lexicographic_sort_schema,
    print_schema,
)
from strawberry.schema.config import StrawberryConfig

from graph.model import ClassShape, Field, FieldKind, Model
from schema.aggregate_types import make_aggregates, make_shared_aggregates
from schema.aside_types import make_asides
from schema.inputs import make_order, make_shared_inputs, make_where
from schema.making import MODULE, Arguments, Maker
from schema.mutation_types import make_mutation
from schema.naming import PYTHON, enum_value_name, is_interface, object_name, scalar_of
from schema.notice_types import make_subscription
from schema.sdl import read_sdl
from schema.search_types import ARGUMENTS, TEXT, add_search_types
from schema.shared_types import LANGUAGES, make_entity, make_records
from schema.validity import bounds_of

_SCALAR_TEXTS: Final = {
    "Date": "A day, as `YYYY-MM-DD`.",
    "DateTime": "A moment, in ISO 8601.",
    "URI": "An absolute IRI.",
}
_FORWARD: Final[Arguments] = {
    "first": ("Optional[int]", "How many at most; 50 when not given, 500 at most."),
    "after": ("Optional[str]", "The cursor after which to go on."),
}
_PAGE: Final[Arguments] = _FORWARD | {
    "last": ("Optional[int]", "How many at most, counted from the end."),
    "before": ("Optional[str]", "The cursor before which to end."),
}
_AS_OF: Final[Arguments] = {"asOf": ("Date", "The day that is asked about.")}


def build_schema(model: Model) -> GraphQLSchema:
    """Return the schema of a model.

    Cost
    ----
    About a second for 44 classes; done once at the start.
    """
    maker = Maker()
    query = _Builder(model, maker).build()
    # Strawberry has the introspection of all schemas in the process tell of its own inputs alone.
    kinds = introspection_types["__Type"].fields  # type: ignore[attr-defined]
    one_of = kinds["isOneOf"]
    built = strawberry.Schema(
        query=query,
        mutation=make_mutation(maker, model),
        subscription=make_subscription(maker, model),
        types=maker.objects,
        config=StrawberryConfig(auto_camel_case=False, scalar_map=maker.scalars),
    )
    kinds["isOneOf"] = one_of
    schema: GraphQLSchema = built._schema
    for name in maker.one_of:  # Strawberry checks it itself, and tells graphql-core nothing of it
        schema.type_map[name].is_one_of = True  # type: ignore[attr-defined]
    # Strawberry's resolvers stay behind: reads are plans, and what is not finds its own.
    return read_sdl(print_schema(lexicographic_sort_schema(schema)))


class _Builder:
    """Makes the types of one model with one maker."""

    def __init__(self, model: Model, maker: Maker) -> None:
        self.model = model
        self.maker = maker

    def build(self) -> type:
        """Make all types and return the root."""
        maker = self.maker
        for name, text in _SCALAR_TEXTS.items():
            maker.scalar(name, text)
        for name, literals in self.model.enum_values.items():
            values = {enum_value_name(literal): literal for literal in literals}
            maker.enum(name, values, self._enum_text(name))
        make_shared_inputs(maker, self.model)
        make_shared_aggregates(maker)
        make_records(maker)
        make_entity(maker)
        for shape in sorted(self.model.classes.values(), key=self._depth):
            self._class_types(shape)
        self._connection("Entity", {}, {})
        add_search_types(self.model, maker.names, MODULE, maker.make)
        return self._query()

    def _depth(self, shape: ClassShape) -> int:
        return len(self.model.ancestors[shape.iri])

    def _enum_text(self, name: str) -> str:
        owned = (f for shape in self.model.classes.values() for f in shape.own_fields)
        fields = sorted({f"`{field.name}`" for field in owned if field.enum_name == name})
        return f"What {' and '.join(fields)} can be."

    # --- what each class has ------------------------------------------------------------

    def _class_types(self, shape: ClassShape) -> None:
        maker = self.maker
        model = self.model
        parents = [model.classes[p].name for p in shape.parents] or ["Entity"]
        text = shape.comments["en"]
        fields = {f.name: self._class_field(f) for f in shape.own_fields if f.exposure == "public"}
        is_bounded = bounds_of(model, shape.iri) is not None
        if is_bounded and not any(bounds_of(model, p) is not None for p in shape.parents):
            fields["certainty"] = maker.field(
                "Optional[Certainty]",
                "How sure it is that it was valid; null if it was not.",
                _AS_OF,
            )
        if is_interface(model, shape):
            maker.make(shape.name, fields, text, parents, interface=True)
            if not shape.abstract:
                plain = f"{text} One that is of no narrower class."
                maker.objects.append(maker.make(shape.concrete_name, {}, plain, [shape.name]))
        else:
            maker.objects.append(maker.make(object_name(model, shape.iri), fields, text, parents))
        edge = {"certainty": "Optional[Certainty]"} if is_bounded else {}
        self._connection(shape.name, make_aggregates(maker, model, shape), edge)
        make_where(maker, model, shape)
        make_order(maker, model, shape)

    def _connection(
        self, name: str, aggregates: Mapping[str, Any], edge: Mapping[str, Any]
    ) -> None:
        """Make a page of nodes and its edges, with what they have besides."""
        maker = self.maker
        maker.make(
            f"{name}Edge",
            {"node": name, "cursor": "str", **edge},
            f"A {name} and its place in a connection.",
        )
        maker.make(
            f"{name}Connection",
            {
                "edges": f"List[{name}Edge]",
                "nodes": f"List[{name}]",
                "pageInfo": "PageInfo",
                "totalCount": "int",
                **aggregates,
            },
            f"A page of {name} nodes.",
        )

    def _arguments(self, iri: str) -> Arguments:
        """Return the arguments of a connection to nodes of a class."""
        name = self.model.classes[iri].name
        found = _PAGE | {
            "where": (f"Optional[{name}Where]", "Only those that fit."),
            "orderBy": (
                f"Optional[List[{name}Order]]",
                "Keys, the first one first; then the identifier.",
            ),
        }
        if bounds_of(self.model, iri) is not None:
            found["asOf"] = ("Optional[Date]", "Only those that may have been valid on that day.")
        return found

    def _class_field(self, field: Field) -> Any:
        maker = self.maker
        text, why = field.comments["en"], field.deprecated
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            target = self.model.classes[field.target].name
            if field.many:
                arguments = self._arguments(field.target)
                return maker.field(f"{target}Connection", text, arguments, why)
            return maker.field(_optional(target, field), text, None, why)
        if field.kind is FieldKind.TEXT:
            returns = "Optional[str]" if field.unique_language else "List[str]"
            return maker.field(returns, text, LANGUAGES, why)
        if field.kind is FieldKind.DATE:
            return maker.field("Optional[PartialDate]", text, None, why)
        scalar = scalar_of(field)
        python = PYTHON.get(scalar, scalar)
        returns = f"List[{python}]" if field.many else _optional(python, field)
        return maker.field(returns, text, None, why)

    def _query(self) -> type:
        maker = self.maker
        one: Arguments = {"id": ("ID", "The identifier: its IRI.")}
        fields: dict[str, Any] = {
            "node": maker.field("Optional[Node]", "Any node by its identifier.", one),
            "nodes": maker.field(
                "List[Optional[Node]]",
                "Nodes by their identifiers, in their order; null for what is none. 500 at most.",
                {"ids": ("List[ID]", "The identifiers: IRIs.")},
            ),
            "search": maker.field("SearchConnection", TEXT, ARGUMENTS | _FORWARD),
            "revision": maker.field("int", "The revision that this answer was read from."),
            **make_asides(maker),
        }
        for shape in self.model.classes.values():
            if shape.exposure != "public":
                continue
            fields[shape.field_name] = maker.field(
                f"Optional[{shape.name}]",
                f"One {shape.name} by its identifier.",
                one,
                shape.deprecated,
            )
            fields[shape.plural] = maker.field(
                f"{shape.name}Connection",
                f"All of class {shape.name}.",
                self._arguments(shape.iri),
                shape.deprecated,
            )
        return maker.make("Query", fields, "What can be asked.")


def _optional(python: str, field: Field) -> str:
    return python if field.required else f"Optional[{python}]"
