"""Reads the committed SDL, and keeps what it read beside the byte code, where it reads faster.

Floor 4. Reading the text takes half a second, which every start would wait for. What it says is
kept in the form of an introspection, which has no byte of program in it, and read in a fifth.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import graphql
import orjson
from graphql import (
    GraphQLError,
    GraphQLSchema,
    build_ast_schema,
    build_client_schema,
    introspection_from_schema,
    is_scalar_type,
    is_specified_scalar_type,
    parse,
    print_schema,
)
from graphql.pyutils import inspect as print_value

from graph.model import Model

#: The committed schema, from which clients are generated.
SDL: Final = Path(__file__).parent / "schema.graphql"


@lru_cache(maxsize=1)
def read_sdl(text: str) -> GraphQLSchema:
    """Return the schema that a text says.

    Cost
    ----
    Half a second for the committed one, and once a process; a tenth where it is kept.
    """
    with _without_collector():
        schema = _read_kept(text)
        if schema is None:
            schema = build_ast_schema(parse(text, no_location=True), assume_valid=True)
    for kind in schema.type_map.values():
        if is_scalar_type(kind) and not is_specified_scalar_type(kind):
            # The text of a schema cannot say what a scalar takes.
            reader = partial(read_text, kind.name)
            kind.parse_value = kind.coerce_input_value = reader  # type: ignore[method-assign]
    return schema


def keep_schema(path: Path = SDL) -> None:
    """Keep what the committed SDL says for the next start, unless it is kept; a second's work.

    Where nothing may be written, or no byte code, nothing is kept.
    """
    if sys.dont_write_bytecode:
        return
    text = path.read_text(encoding="utf-8")
    kept = kept_file()
    if _is_kept(text, kept):
        return
    beside = kept.with_name(f"{kept.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:  # before the work, which may be in vain
                file.write(_mark(text) + _introspect(text))
            beside.replace(kept)
        finally:
            beside.unlink(missing_ok=True)


def _introspect(text: str) -> bytes:
    schema = read_sdl(text)
    said = introspection_from_schema(schema, specified_by_url=True, input_value_deprecation=True)
    return orjson.dumps(said)


def kept_file() -> Path:
    """Return where the schema is kept: where Python keeps the byte code of this folder."""
    return Path(importlib.util.cache_from_source(str(SDL.with_suffix(".py")))).with_suffix(".json")


def _is_kept(text: str, kept: Path) -> bool:
    mark = _mark(text)
    with contextlib.suppress(OSError), kept.open("rb") as file:
        return file.read(len(mark)) == mark
    return False


def _read_kept(text: str) -> GraphQLSchema | None:
    """Return the schema as it was kept for a text, or None if it was not."""
    try:
        content = kept_file().read_bytes()
        mark = _mark(text)
        if not content.startswith(mark):
            return None
        return build_client_schema(orjson.loads(content[len(mark) :]), assume_valid=True)
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        GraphQLError,
    ):  # cut, or another's
        return None


def _mark(text: str) -> bytes:
    """Return what a kept schema begins with: of which text it is, and who read it."""
    read = f"graphql-core {graphql.version} {text}"
    return f"{hashlib.sha256(read.encode()).hexdigest()}\n".encode()


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Make many objects without the collector of garbage.

    It would walk the hundreds of thousands that are being made again and again, for a third of
    the time, and find none to free.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_text(name: str, value: object) -> str:
    """Return what a client sends for a scalar, which is text and nothing else."""
    if not isinstance(value, str):
        raise GraphQLError(f"{name} is text in quotes, not {print_value(value)}")
    return value


def print_sdl(model: Model, schema: GraphQLSchema) -> str:
    """Return the schema in the schema definition language, sorted, under the model's digest."""
    return f"{_first_line(model)}\n\n{print_schema(schema)}\n"


def is_current(model: Model, path: Path = SDL) -> bool:
    """Tell whether a file holds the schema of a model."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text.partition("\n")[0] == _first_line(model)


def _first_line(model: Model) -> str:
    return f"# Generated by `make docs` from the shapes of model {model.digest}"
