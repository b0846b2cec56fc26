"""Gives the GraphQL schema of a model: the committed one, or one that is made for the model.

Floor 4. Making one takes Strawberry, whose import alone a start with the committed one is spared.
"""

from __future__ import annotations

from pathlib import Path

from graphql import GraphQLSchema

from graph.model import Model
from schema.sdl import SDL, is_current, read_sdl


def load_schema(model: Model, path: Path = SDL) -> GraphQLSchema:
    """Return the schema of a model for reads: from the SDL file when that is of this model.

    A test says that both are the same schema.
    """
    if is_current(model, path):
        return read_sdl(path.read_text(encoding="utf-8"))
    from schema.types import build_schema

    return build_schema(model)
