"""The schema does not break clients of the latest release."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema

from graph.errors import BadValueError
from graph.shapes import load_model
from schema import evolution
from schema.evolution import broken_by, broken_since_release, keep_release, latest_release
from schema.loading import load_schema
from schema.sdl import SDL
from web.service import VERSION

BEFORE = """
type Query { a(x: Int = 1): String! b: Int e: E }
enum E { ONE TWO }
input I { x: Int }
"""


@pytest.fixture(scope="module")
def today() -> GraphQLSchema:
    return load_schema(load_model())


def test_the_schema_of_this_version_is_kept() -> None:
    kept = latest_release()
    assert kept is not None
    assert kept.stem == VERSION


def test_what_was_released_still_works(today: GraphQLSchema) -> None:
    assert broken_since_release(today) == []


@pytest.mark.parametrize(
    ("now", "released", "told"),
    [
        ("  acronym: String\n", "  acronym: String!\n", "Cluster.acronym changed type"),
        ("  revision: Int!\n", "  revision: Int!\n  gone: Int\n", "Query.gone was removed"),
        ("  clusters(\n", "  clusters(old: Int\n", "Query.clusters(old:) was removed"),
        ("input ListOrder @oneOf {", "input ListOrder @oneOf {\n gone: SortOrder", "gone was rem"),
        ("    first: Int\n", "    first: Int = 50\n", "(first:) defaultValue was removed"),
        ("\n  VALUE\n", "\n  VALUE\n  OLD\n", "OLD was removed"),
    ],
)
def test_what_breaks_clients_of_a_release_would_fail_the_test(
    today: GraphQLSchema, tmp_path: Path, now: str, released: str, told: str
) -> None:
    text = SDL.read_text(encoding="utf-8")
    assert now in text
    keep_release("0.3.0", text.replace(now, released), tmp_path)
    found = broken_since_release(today, tmp_path)
    assert any(told in each for each in found), found


def test_a_release_is_kept_as_it_is_and_once(today: GraphQLSchema, tmp_path: Path) -> None:
    text = SDL.read_text(encoding="utf-8")
    path = keep_release("0.3.0", text, tmp_path)
    assert path.read_text(encoding="utf-8") == text
    assert broken_since_release(today, tmp_path) == []
    for version in ("0.3.0", "0.2.9"):
        with pytest.raises(BadValueError, match=r"later than 0\.3\.0"):
            keep_release(version, text, tmp_path)
    for version in ("", "0.3", "v0.4.0", "0.4.0.1", "00.4.0", "../0.4.0"):
        with pytest.raises(BadValueError, match="three numbers"):
            keep_release(version, text, tmp_path)
    assert keep_release("0.10.0", text, tmp_path).exists()


def test_the_command_keeps_the_committed_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evolution.keep_release, "__defaults__", (tmp_path,))
    monkeypatch.setattr(evolution.broken_since_release, "__defaults__", (tmp_path,))
    assert evolution.main(["0.3.0"]) == 0
    assert capsys.readouterr().out == "schema/released/0.3.0.graphql\n"
    assert (tmp_path / "0.3.0.graphql").read_bytes() == SDL.read_bytes()
    assert evolution.main(["0.3.0"]) == 2
    assert "later than 0.3.0" in capsys.readouterr().err


def test_the_command_keeps_no_schema_of_other_shapes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evolution, "is_current", lambda model: False)
    assert evolution.main(["99.0.0"]) == 4
    assert "make docs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("b: Int", "", "Query.b was removed"),
        ("a(x: Int = 1): String!", "a(x: Int = 1): String", "Query.a changed type"),
        ("x: Int = 1", "x: Int = 2", "defaultValue"),
        ("x: Int = 1", "x: Int!", "changed type"),
        ("ONE TWO", "ONE", "TWO was removed"),
        ("input I { x: Int }", "input I { x: Int y: Int! }", "required"),
    ],
)
def test_what_breaks_clients_is_told(old: str, new: str, told: str) -> None:
    found = broken_by(BEFORE, build_schema(BEFORE.replace(old, new)))
    assert any(told in each for each in found), found


def test_additions_break_nobody() -> None:
    today = BEFORE.replace("b: Int", "b: Int c: Int").replace("ONE TWO", "ONE TWO THREE")
    today = today.replace("x: Int = 1", "x: Int = 1, y: Int").replace(
        "{ x: Int }", "{ x: Int z: Int }"
    )
    assert broken_by(BEFORE, build_schema(today)) == []


def test_the_latest_release_is_found_by_its_numbers(tmp_path: Path) -> None:
    assert latest_release(tmp_path) is None
    for version in ("0.3.0", "0.10.0", "0.9.1"):
        (tmp_path / f"{version}.graphql").write_text(BEFORE, encoding="utf-8")
    found = latest_release(tmp_path)
    assert found is not None
    assert found.stem == "0.10.0"
