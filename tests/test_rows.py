"""Paths into an answer, rows, and cells of both languages."""

from __future__ import annotations

from typing import Any

import pytest

from graph.errors import BadValueError
from graph.terms import XSD, write_literal
from schema.rows import Step, cell_of, flatten, read_path, sort_rows

ANSWER: dict[str, Any] = {
    "revision": 3,
    "networks": {
        "nodes": [
            {"id": "n", "founded": {"text": "2011"}, "members": {"nodes": [{"id": 1}, {"id": 2}]}},
            {"id": "o", "founded": None, "members": {"nodes": []}},
        ]
    },
    "names": ["one", "two"],
    "nothing": None,
}


def rows(*paths: str) -> list[tuple[object, ...]]:
    return list(flatten(ANSWER, [read_path(path) for path in paths]))


def test_a_path_is_read_step_by_step() -> None:
    assert read_path("a.b[].c[?]") == (
        Step("a"),
        Step("b", each=True),
        Step("c", each=True, keep=True),
    )


@pytest.mark.parametrize("text", ["", "a..b", "a[", "a[1]", "a.b c", "1a", "a[]?"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(BadValueError, match="field names"):
        read_path(text)


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["revision"], [(3,)]),
        (["nothing.below"], [(None,)]),
        (["nothing[].below"], []),
        (["nothing[?].below"], [(None,)]),
        (["names[]"], [("one",), ("two",)]),
        (["networks.nodes[].id", "revision"], [("n", 3), ("o", 3)]),
        (["networks.nodes[].founded.text"], [("2011",), (None,)]),
        (["networks.nodes[].id", "networks.nodes[].members.nodes[].id"], [("n", 1), ("n", 2)]),
        (
            ["networks.nodes[].members.nodes[?].id", "networks.nodes[].id"],
            [(1, "n"), (2, "n"), (None, "o")],
        ),
    ],
)
def test_rows_are_of_the_innermost_list(paths: list[str], found: list[tuple[object]]) -> None:
    assert rows(*paths) == found


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["networks.nodes[].id", "names[]"], "side by side"),
        (["networks.nodes[]"], "not a value"),
        (["names"], "not a value"),
        (["networks[].id"], "not a list"),
        (["revision.text"], "not a field of an object"),
    ],
)
def test_a_path_that_does_not_fit_is_refused(paths: list[str], message: str) -> None:
    with pytest.raises(BadValueError, match=message):
        rows(*paths)


@pytest.mark.parametrize(
    ("term", "cell"),
    [
        (None, None),
        ("<https://example.org/a>", "https://example.org/a"),
        (write_literal('a "b"', language="en"), 'a "b"'),
        (write_literal("12", f"{XSD}integer"), 12),
        (write_literal("9" * 30, f"{XSD}integer"), int("9" * 30)),
        (write_literal("12.0", f"{XSD}decimal"), 12),
        (write_literal("12.5", f"{XSD}decimal"), 12.5),
        (write_literal("true", f"{XSD}boolean"), True),
        (write_literal("false", f"{XSD}boolean"), False),
        (write_literal("2020-12-01", f"{XSD}date"), "2020-12-01"),
    ],
)
def test_a_term_becomes_the_cell_that_graphql_gives(term: str | None, cell: object) -> None:
    found = cell_of(term)
    assert found == cell
    assert type(found) is type(cell)


def test_a_whole_float_is_the_number() -> None:
    assert flatten({"value": 5.0}, [read_path("value")]) == [(5,)]


def test_unknown_cells_sort_first() -> None:
    assert sort_rows([("b", 1), (None, 2), ("a", None)]) == [(None, 2), ("a", None), ("b", 1)]
