"""One example document for each root field, made from the model.

Floor 4, for the reference of the API and the tests that run it: a new class has its examples by
being in the shapes. What no model can tell is asked of `known`: which node there is of a class.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from graph.curation.editing import EVIDENCE, SOURCE, writable_fields
from graph.model import ClassShape, Field, FieldKind, Model
from graph.terms import ENTITY
from schema.naming import enum_value_name, public_fields, scalar_of
from schema.notice_types import ANY, subscription_name, watched_classes

#: Gives the identifier of a node of a class, in a concept scheme if one is named; None without one.
Known = Callable[[str, str | None], str | None]

#: The source of the examples that write.
EXAMPLE_SOURCE: Final = f"{ENTITY}source/example-survey"
_QUOTE: Final = "What the page says, word for word."
_REPORT: Final = "violations { inputPath message }\nwarnings { inputPath message }"
#: What is shown of a class: fields of one value, a node, a list.
_VALUES_SHOWN, _NODES_SHOWN, _LISTS_SHOWN = 3, 1, 1
#: A value of each scalar; numbers are such as every shape takes.
_VALUES: Final[Mapping[str, Any]] = {
    "Boolean": True,
    "Int": 3,
    "Float": 12.5,
    "Date": "2026-11-20",
    "DateTime": "2026-11-20T12:00:00Z",
    "URI": "https://example.org/",
}


def query_examples(model: Model, known: Known) -> Iterator[tuple[str, str]]:
    """Yield each root field of a class's reads and its document."""
    for shape in model.classes.values():
        if shape.exposure != "public":
            continue
        iri = known(shape.iri, None) or f"{ENTITY}{shape.id_kind}/example"
        selection = "\n".join(["id", "label", *_shown(model, shape)])
        one = f"{shape.field_name}(id: {_quoted(iri)}) {_block(selection)}"
        yield shape.field_name, _block(one)
        page = "totalCount\nnodes { id label }\npageInfo { hasNextPage endCursor }"
        listed = f"{shape.plural}(first: 2, orderBy: [{{ label: ASC }}]) {_block(page)}"
        yield shape.plural, _block(listed)


def subscription_examples(model: Model) -> Iterator[tuple[str, str]]:
    """Yield each subscription and its document, which tells what there is since the beginning."""
    names = [ANY, *map(subscription_name, watched_classes(model))]
    for name in names:
        told = "kind\nfields\nsince\nrevision\nresume\nnode { id label }"
        yield name, "subscription " + _block(f"{name}(sinceRevision: 0) {_block(told)}")


def create_example(model: Model, shape: ClassShape, known: Known) -> str:
    """Return the document that creates one node of a class with what its shape asks for."""
    given = _input(model, shape, known)
    source = f'source: {{ id: "{EXAMPLE_SOURCE}", create: {{ title: "Our survey", kind: USER }} }}'
    arguments = "\n".join([source, f"input: {_object(given)}", "dryRun: true"])
    answer = _block(f"accepted\nid\n{_REPORT}")
    return _mutation(f"create{shape.name}", arguments, answer)


def update_example(model: Model, shape: ClassShape, iri: str, known: Known) -> str:
    """Return the document that states one field of a node anew."""
    given = _input(model, shape, known)
    changed = _changed(model, shape, given)
    arguments = "\n".join([*_named(shape, iri), f"input: {_object(changed)}", "dryRun: true"])
    answer = _block(f"accepted\n{_REPORT}")
    return _mutation(f"update{shape.name}", arguments, answer)


def delete_example(shape: ClassShape, iri: str) -> str:
    """Return the document that takes back what a source states of a node."""
    arguments = "\n".join([*_named(shape, iri), "dryRun: true"])
    answer = _block(f"accepted\n{_REPORT}\nstatedBy {{ id }}")
    return _mutation(f"delete{shape.name}", arguments, answer)


# --- what is read ---------------------------------------------------------------------------------


def _shown(model: Model, shape: ClassShape) -> Iterator[str]:
    """Yield selections of a few fields of a class, its own first."""
    own = {field.name for field in shape.own_fields}
    fields = sorted(public_fields(model, shape.iri), key=lambda f: f.name not in own)
    fields = [f for f in fields if f.deprecated is None and f.path != shape.label_path]
    nodes = [f for f in fields if f.kind is FieldKind.ENTITY]
    values = [f for f in fields if f.kind is not FieldKind.ENTITY]
    yield from map(_value_shown, values[:_VALUES_SHOWN])
    for field in [f for f in nodes if not f.many][:_NODES_SHOWN]:
        yield f"{field.name} {{ label }}"
    for field in [f for f in nodes if f.many][:_LISTS_SHOWN]:
        yield f"{field.name}(first: 2) {{ totalCount nodes {{ label }} }}"


def _value_shown(field: Field) -> str:
    return (
        f"{field.name} {{ text earliest latest }}" if field.kind is FieldKind.DATE else field.name
    )


# --- what is written ------------------------------------------------------------------------------


def _input(model: Model, shape: ClassShape, known: Known) -> dict[str, str]:
    """Return the values that a class must have and its name, as GraphQL texts by field."""
    fields = writable_fields(model, shape.iri).values()
    needed = [f for f in fields if not f.inverse and _is_given(f, shape)]
    return {f.name: _value(model, f, shape, known) for f in needed if f.deprecated is None}


def _is_given(field: Field, shape: ClassShape) -> bool:
    return field.required or field.path == shape.label_path or field.target == EVIDENCE


def _changed(model: Model, shape: ClassShape, given: Mapping[str, str]) -> Mapping[str, str]:
    """Return the value that an update gives: a text, else what was given."""
    fields = model.fields[shape.iri]
    for name in given:
        if fields[name].kind is FieldKind.TEXT:
            return {name: f'[{{ text: "Renamed {shape.labels["en"]}", lang: "en" }}]'}
    return dict(list(given.items())[-1:])


def _value(model: Model, field: Field, shape: ClassShape, known: Known) -> str:
    if field.target == EVIDENCE:
        return f'[{{ locator: "page 3", quote: "{_QUOTE}" }}]'
    if field.kind is FieldKind.ENTITY:
        assert field.target is not None
        iri = _quoted(known(field.target, field.scheme) or f"{ENTITY}thing/example")
        return f"[{iri}]" if field.many else iri
    name = f"Example {shape.labels['en']}"
    if field.kind is FieldKind.TEXT:
        return f'[{{ text: "{name}", lang: "en" }}]'
    if field.kind is FieldKind.DATE:
        return '"2026-11"'
    if field.kind is FieldKind.ENUM:
        text = enum_value_name(field.enum_values[0])
    else:
        text = json.dumps(_VALUES.get(scalar_of(field), name))
    return f"[{text}]" if field.many else text


def _named(shape: ClassShape, iri: str) -> list[str]:
    source = iri if shape.iri == SOURCE else EXAMPLE_SOURCE  # a source describes itself
    return [f'source: {{ id: "{source}" }}', f"id: {_quoted(iri)}"]


# --- how it is written ----------------------------------------------------------------------------


def _mutation(name: str, arguments: str, answer: str) -> str:
    return "mutation " + _block(f"{name}(\n{_indent(arguments)}\n) {answer}")


def _object(fields: Mapping[str, str]) -> str:
    inner = "\n".join(f"{name}: {text}" for name, text in fields.items())
    return _block(inner)


def _block(inner: str) -> str:
    return f"{{\n{_indent(inner)}\n}}"


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
