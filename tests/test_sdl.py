"""The committed schema is kept beside the byte code, and read from there only while it fits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLSchema,
    find_breaking_changes,
    graphql_sync,
    parse,
    print_schema,
    validate,
)

from graph.shapes import load_model
from schema import sdl
from schema.sdl import SDL, keep_schema, read_sdl
from schema.types import build_schema

TEXT = SDL.read_text(encoding="utf-8")
#: A schema that is read in no time.
SMALL = 'type Query {\n  """How many."""\n  count(of: [ID!]! = ["a"]): Int\n}'


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that keeps the schema, in a folder of its own that is not there yet."""
    path = tmp_path / "cache" / "schema.json"
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sdl, "kept_file", lambda: path)
    read_sdl.cache_clear()
    yield path
    read_sdl.cache_clear()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.graphql"
    path.write_text(SMALL, encoding="utf-8")
    return path


def _read(text: str = TEXT) -> GraphQLSchema:
    read_sdl.cache_clear()
    return read_sdl(text)


def _forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse_nothing(*_: object, **__: object) -> None:
        raise AssertionError("the text was parsed, though what it says is kept")

    monkeypatch.setattr(sdl, "parse", parse_nothing)


def test_what_is_kept_is_the_schema_of_the_text(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = _read()
    keep_schema()
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    _forbid_parsing(monkeypatch)
    read = _read()
    assert read is not parsed
    assert print_schema(read) == print_schema(parsed)
    assert not find_breaking_changes(parsed, read)
    assert not find_breaking_changes(read, parsed)


def test_what_is_kept_finds_the_same_mistakes(kept: Path) -> None:
    parsed = _read()
    keep_schema()
    read = _read()
    for document in (
        "{ clusters(first: 2, where: {foundingDate: {gte: 2010}}) { nodes { id } } }",
        '{ clusters(where: {foundingDate: {gte: "2010-01-01"}}) { nodes { id } } }',
        "{ clusters(orderBy: [{id: UPWARDS}]) { nodes { id } } }",
        '{ search(text: "x", source: 1) { nodes { id } } }',
        "{ node { id } }",
    ):
        said = [[each.message for each in validate(s, parse(document))] for s in (parsed, read)]
        assert said[0] == said[1], document


def test_another_text_is_read_anew_and_then_kept(kept: Path, small: Path) -> None:
    keep_schema(small)
    first = kept.read_bytes()
    other = "type Query {\n  b: Int\n}"
    assert print_schema(_read(other)) == other
    assert kept.read_bytes() == first
    small.write_text(other, encoding="utf-8")
    keep_schema(small)
    assert kept.read_bytes() != first
    assert print_schema(_read(other)) == other
    assert print_schema(_read(SMALL)) == SMALL


def test_what_is_kept_is_not_written_again(kept: Path, small: Path) -> None:
    keep_schema(small)
    before = kept.stat()
    keep_schema(small)
    assert kept.stat().st_mtime_ns == before.st_mtime_ns
    assert kept.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:64],
        lambda content: content[: len(content) // 2],
        lambda content: content[:65] + b"[]",
        lambda content: content[:65] + b'{"__schema": {"types": [7]}}',
        lambda content: content[:65] + b"\xff\xfe",
    ],
)
def test_a_spoilt_file_is_passed_over(
    kept: Path, small: Path, spoil: Callable[[bytes], bytes]
) -> None:
    keep_schema(small)
    kept.write_bytes(spoil(kept.read_bytes()))
    assert print_schema(_read(SMALL)) == SMALL


def test_nothing_is_kept_where_no_byte_code_is(
    kept: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    keep_schema(small)
    assert not kept.exists()


def test_a_folder_that_cannot_be_written_costs_nothing(
    kept: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.parent.write_text("a file where the folder would be")
    with monkeypatch.context() as patch:
        patch.setattr(sdl, "_introspect", lambda text: pytest.fail("work in vain"))
        keep_schema(small)
    assert kept.parent.read_text() == "a file where the folder would be"
    assert print_schema(_read(SMALL)) == SMALL


def test_it_is_kept_where_python_keeps_byte_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sdl.kept_file().parent == SDL.parent / "__pycache__"
    monkeypatch.setattr(sys, "pycache_prefix", "/elsewhere")
    assert str(sdl.kept_file()).startswith("/elsewhere/")


def test_introspection_tells_of_one_of_whatever_was_made_in_the_process(kept: Path) -> None:
    build_schema(load_model())
    found = graphql_sync(_read(), '{ __type(name: "ClusterOrder") { isOneOf } }')
    assert found.data == {"__type": {"isOneOf": True}}
