"""What the schema tells of itself: a text for each argument and input field, and deprecations."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
)

from graph.errors import OntologyError
from graph.shapes import FOLDER, load_model
from schema.loading import load_schema
from schema.reference import classes_page
from schema.sdl import print_sdl
from schema.types import build_schema

WHY = "Since 2026-12-01: use `altNames`. It goes away on 2027-12-01."


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return load_schema(load_model())


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Every argument and input field, and what is told of it."""
    for name, kind in schema.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(kind, GraphQLInputObjectType):
            for key, each in kind.fields.items():
                yield f"{name}.{key}", each.description
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for key, field in kind.fields.items():
                for argument, given in field.args.items():
                    yield f"{name}.{key}({argument}:)", given.description


def test_every_argument_and_input_field_is_described(schema: GraphQLSchema) -> None:
    told = dict(described(schema))
    assert len(told) > 5_000
    assert [place for place, text in told.items() if not text] == []
    wrong = [(place, text) for place, text in told.items() if text and text[-1] not in ".:"]
    assert wrong == []


def test_every_type_and_root_field_is_described(schema: GraphQLSchema) -> None:
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    for name, kind in schema.type_map.items():
        assert kind.description, name
    for root in (schema.query_type, schema.mutation_type):
        assert [name for name, field in root.fields.items() if not field.description] == []


def test_reading_the_schema_leaves_the_collector_of_garbage_as_it_was() -> None:
    for enabled in (False, True):
        (gc.enable if enabled else gc.disable)()
        load_schema(load_model())
        assert gc.isenabled() is enabled


# --- what is deprecated in the shapes -------------------------------------------------------------


@pytest.fixture
def ontology(tmp_path: Path) -> Path:
    folder = tmp_path / "ontology"
    shutil.copytree(FOLDER, folder)
    return folder


def deprecate(folder: Path, name: str, why: str) -> None:
    """Deprecate the shape that has a name in GraphQL; the first of that name."""
    path = folder / "shapes.ttl"
    line = f'    rz:graphqlName "{name}" ;\n'
    text = path.read_text(encoding="utf-8")
    assert line in text
    path.write_text(text.replace(line, f'{line}    rz:deprecated "{why}" ;\n', 1), encoding="utf-8")


def test_what_the_shapes_deprecate_is_deprecated_in_the_schema(ontology: Path) -> None:
    deprecate(ontology, "acronym", WHY)
    deprecate(ontology, "Figure", WHY)
    model = load_model(ontology)
    schema = build_schema(model)

    def fields(name: str) -> dict[str, Any]:
        kind = schema.type_map[name]
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType)
        return dict(kind.fields)

    for name in ("Actor", "Cluster", "ClusterWhere", "ClusterOrder", "ClusterGroupKey"):
        assert fields(name)["acronym"].deprecation_reason == WHY, name
        assert fields(name)["name"].deprecation_reason is None
    assert fields("ClusterInput")["acronym"].deprecation_reason == WHY
    for root, name in (("Query", "figure"), ("Query", "figures"), ("Mutation", "createFigure")):
        assert fields(root)[name].deprecation_reason == WHY
    for name in ("updateFigure", "deleteFigure"):
        assert fields("Mutation")[name].deprecation_reason == WHY
    assert fields("Mutation")["createCluster"].deprecation_reason is None
    assert f'@deprecated(reason: "{WHY}")' in print_sdl(model, schema)
    assert classes_page(model).count(f"**Deprecated:** {WHY}") == 2


def test_a_deprecation_without_a_reason_stops_the_start(ontology: Path) -> None:
    deprecate(ontology, "acronym", " ")
    with pytest.raises(OntologyError, match="what to use instead"):
        load_model(ontology)


def test_nothing_is_deprecated_without_being_told_of_in_the_changelog(
    schema: GraphQLSchema, root: Path
) -> None:
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    for shape in load_model().classes.values():
        for name, why in [
            (shape.name, shape.deprecated),
            *((field.name, field.deprecated) for field in shape.own_fields),
        ]:
            assert why is None or f"`{name}`" in changelog.partition("### Deprecated")[2], name
