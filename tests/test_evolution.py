"""The schema does not break clients of the latest release."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import build_schema

from graph.shapes import load_model
from schema.evolution import broken_by, latest_release
from schema.types import load_schema

BEFORE = """
type Query { a(x: Int = 1): String! b: Int e: E }
enum E { ONE TWO }
input I { x: Int }
"""


def test_what_was_released_still_works() -> None:
    release = latest_release()
    schema = load_schema(load_model())
    released = None if release is None else release.read_text(encoding="utf-8")
    assert released is None or broken_by(released, schema) == []


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
