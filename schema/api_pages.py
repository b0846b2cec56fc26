"""The reference of the GraphQL API for people who build on it: the first page and one a class.

Floor 4, beside `schema/reference.py`, which writes the ontology's pages. Everything is read off the
model and the schema; the examples come with their answers, since nothing here knows of data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from graphql import GraphQLObjectType, GraphQLSchema, get_named_type

from graph.model import ClassShape, Model
from schema.api_types import (
    NOTE,
    class_link,
    fields_of,
    input_rows,
    own_arguments,
    told,
    write_table,
)
from schema.mutation_types import input_name, mutation_names
from schema.naming import is_interface, object_types
from schema.notice_types import subscription_name, watched_classes

#: Examples that are of no root field of their own, by heading.
TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "Lists": ("where", "order", "pages", "aggregates", "groups"),
    "Time, sources, languages, plans": ("time", "claims", "languages", "explain"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """An example with its answer on the seeds, both as they are shown; `text` says what it is."""

    document: str
    answer: str
    text: str = ""


def class_page(model: Model, schema: GraphQLSchema, shape: ClassShape, shown: _Examples) -> str:
    """Return the page of a class: its fields, how it is asked, how it is written."""
    return "\n\n".join(_class(model, schema, shape, shown)) + "\n"


def index_page(model: Model, schema: GraphQLSchema, shown: _Examples, head: str) -> str:
    """Return the first page: `head`, the root fields, and the examples that are written by hand."""
    return "\n\n".join(_index(model, schema, shown, head)) + "\n"


_Examples = Mapping[str, Shown]


# --- a class --------------------------------------------------------------------------------------


def _class(
    model: Model, schema: GraphQLSchema, shape: ClassShape, shown: _Examples
) -> Iterator[str]:
    yield f"# {shape.name}"
    yield NOTE
    yield shape.comments["en"]
    if shape.deprecated is not None:
        yield f"**Deprecated:** {shape.deprecated}"
    yield _kind(model, shape)
    yield "## Fields"
    yield (
        "Those of every node, such as `label`, `claims` and `completeness`, stand on the page of "
        "[types](types.md#entity). A condition and an order of the same name belong to the input "
        "types named at the head of their columns; [lists](README.md#lists) says how they are used."
    )
    yield _field_table(schema, shape, {each.name for each in model.classes.values()})
    yield "## Ask"
    for name in (shape.field_name, shape.plural):
        yield from _root_field(schema.query_type, name, shown)
    if shape in watched_classes(model):
        yield "## Watch"
        yield from _root_field(schema.subscription_type, subscription_name(shape), shown)
    names = [name for name, (_, of) in mutation_names(model).items() if of.iri == shape.iri]
    if names:
        yield "## Write"
        yield write_table(input_rows(schema, input_name(shape)), "input field", "type", "meaning")
        for name in names:
            yield from _root_field(schema.mutation_type, name, shown)


def _kind(model: Model, shape: ClassShape) -> str:
    if not is_interface(model, shape):
        kind = "An object type."
    else:
        of = ", ".join(
            f"[`{name}`]({model.classes[iri].name}.md)"
            for name, iri in object_types(model, shape.iri).items()
        )
        kind = f"An interface; its nodes are of {of}."
    parents = ", ".join(class_link(model.classes[iri].name) for iri in shape.parents)
    return f"{kind} It has the fields of {parents}, too." if parents else kind


def _field_table(schema: GraphQLSchema, shape: ClassShape, classes: set[str]) -> str:
    entity = fields_of(schema, "Entity")
    conditions, orders = (
        fields_of(schema, f"{shape.name}Where"),
        fields_of(schema, f"{shape.name}Order"),
    )
    rows = []
    for name, field in fields_of(schema, shape.name).items():
        if name in entity:
            continue
        link = get_named_type(field.type).name.removesuffix("Connection")
        kind = f"`{field.type}`"
        rows.append(
            (
                f"`{name}`{own_arguments(field)}",
                f"[{kind}]({link}.md)" if link in classes else kind,
                f"`{conditions[name].type}`" if name in conditions else "",
                f"`{orders[name].type}`" if name in orders else "",
                told(field),
            )
        )
    head = ("field", "type", f"`{shape.name}Where`", f"`{shape.name}Order`", "meaning")
    return write_table(rows, *head)


# --- root fields and their examples ---------------------------------------------------------------


def _root_field(root: GraphQLObjectType | None, name: str, shown: _Examples) -> Iterator[str]:
    assert root is not None
    field = root.fields[name]
    yield f"### {name}"
    yield told(field)
    yield write_table(
        [(f"`{key}`", f"`{each.type}`", told(each)) for key, each in field.args.items()],
        *("argument", "type", "meaning"),
    )
    yield f"Answers `{field.type}`."
    yield from _example(shown[name])


def _example(shown: Shown) -> Iterator[str]:
    if shown.text:
        yield shown.text
    yield f"```graphql\n{shown.document.strip()}\n```"
    yield f"```json\n{shown.answer.strip()}\n```"


def _index(model: Model, schema: GraphQLSchema, shown: _Examples, head: str) -> Iterator[str]:
    yield head.replace("\n", f"\n\n{NOTE}\n", 1).strip()
    assert schema.query_type is not None
    owned, mutations = _root_fields_of_classes(model), mutation_names(model)
    for title, root in (
        ("Query", schema.query_type),
        ("Mutation", schema.mutation_type),
        ("Subscription", schema.subscription_type),
    ):
        if root is None:
            continue
        yield f"## {title}"
        alone = [name for name in root.fields if name not in owned]
        for name in alone:
            yield from _root_field(root, name, shown)
        if title == "Query":
            yield from _topics(shown)
    yield "## Classes"
    yield write_table(
        [
            (
                class_link(shape.name),
                f"`{shape.field_name}`, `{shape.plural}`",
                ", ".join(
                    f"`{name}`"
                    for name, of in owned.items()
                    if of == shape.name and name in mutations
                ),
                shape.comments["en"],
            )
            for shape in model.classes.values()
        ],
        *("class", "asked by", "written by", "what it is"),
    )


def _topics(shown: _Examples) -> Iterator[str]:
    """Yield the examples that are of no root field of their own."""
    for heading, names in TOPICS.items():
        yield f"## {heading}"
        for name in names:
            yield f"### {name.replace('-', ' ').capitalize()}"
            yield from _example(shown[name])


def _root_fields_of_classes(model: Model) -> dict[str, str]:
    """Return the name of the class that each root field is of."""
    found = {name: of.name for name, (_, of) in mutation_names(model).items()}
    for shape in model.classes.values():
        found |= {shape.field_name: shape.name, shape.plural: shape.name}
    return found | {subscription_name(shape): shape.name for shape in watched_classes(model)}
