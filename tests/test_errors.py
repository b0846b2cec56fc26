from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from typing import Any

import orjson
import pytest

from graph.errors import (
    AccessError,
    ConfigurationError,
    DataError,
    ParseError,
    RequestError,
    RhizomeError,
    ShapeViolationError,
    StoreError,
    Violation,
    leaves,
)
from schema.faults import error_entry
from web.problems import describe_error, encode_problem

LEAVES = tuple(leaves())
FAMILIES: dict[type[RhizomeError], int] = {
    RequestError: 2,
    AccessError: 3,
    DataError: 4,
    StoreError: 5,
    ConfigurationError: 6,
}
VIOLATION = Violation("<a:s>", "<a:p>", '"v"', "minCount", "Violation", "needs a value", "a:g")

#: A value of each kind of field.
VALUES: dict[str, Any] = {
    "str": "text",
    "int": 7,
    "float": 2.5,
    "tuple[str, ...]": ("one", "two"),
    "tuple[Violation, ...]": (VIOLATION, VIOLATION),
}


def _make(leaf: type[RhizomeError], *, whole: bool) -> RhizomeError:
    """An error with all fields, or only those that it needs."""
    given = {}
    for each in fields(leaf):
        if whole or (each.default is MISSING and each.default_factory is MISSING):
            given[each.name] = VALUES[str(each.type).removesuffix(" | None")]
    if leaf is ShapeViolationError:
        given["violations"] = (VIOLATION, VIOLATION)
    return leaf(**given)


def _cases() -> list[Any]:
    return [
        pytest.param(leaf, whole, id=f"{leaf.__name__}-{'all' if whole else 'needed'}")
        for leaf in LEAVES
        for whole in (True, False)
    ]


def test_codes_are_unique_and_stable_in_form() -> None:
    codes = [leaf.code for leaf in LEAVES]
    assert len(codes) == len(set(codes)) > 20
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code) for code in codes)


def test_every_class_with_a_code_is_a_leaf_of_one_family() -> None:
    for leaf in LEAVES:
        families = [family for family in FAMILIES if issubclass(leaf, family)]
        assert len(families) == 1, leaf
        assert leaf.exit_code == FAMILIES[families[0]]
        assert leaf.__name__.endswith("Error")
        assert not [child for child in leaf.__subclasses__() if not child.code]


def test_status_and_family_agree() -> None:
    for leaf in LEAVES:
        expected = (
            range(400, 500)
            if issubclass(leaf, (RequestError, AccessError, DataError))
            else (range(500, 600))
        )
        assert leaf.status in expected, leaf
    assert all(
        leaf.status in (503, 504, 507) for leaf in LEAVES if leaf.retry and leaf.status >= 500
    )


@pytest.mark.parametrize(("leaf", "whole"), _cases())
def test_the_message_is_written_from_the_fields(leaf: type[RhizomeError], whole: bool) -> None:
    error = _make(leaf, whole=whole)
    assert error.message == str(error) == error.args[0]
    assert "None" not in error.message
    assert not error.message.endswith((" ", ":"))
    for name, value in error.details().items():
        assert getattr(error, name) == value


@pytest.mark.parametrize(("leaf", "whole"), _cases())
def test_every_leaf_has_its_three_faces(leaf: type[RhizomeError], whole: bool) -> None:
    error = _make(leaf, whole=whole)
    problem = json.loads(encode_problem(describe_error(error)))
    assert (problem["status"], problem["code"], problem["detail"]) == (
        error.status,
        error.code,
        error.message,
    )
    entry = error_entry(error)
    assert (entry["message"], entry["extensions"]["code"]) == (error.message, error.code)
    assert orjson.dumps(entry)
    assert 2 <= error.exit_code <= 6


def test_a_class_without_a_code_cannot_speak() -> None:
    with pytest.raises(NotImplementedError):
        RhizomeError()


def test_violations_are_counted_and_the_first_is_shown() -> None:
    one = ShapeViolationError((VIOLATION,))
    assert one.message == "<a:s> <a:p>: needs a value"
    many = ShapeViolationError((VIOLATION,) * 3)
    assert many.message == "<a:s> <a:p>: needs a value (and 2 more)"
    pathless = Violation("<a:s>", None, None, "sparql", "Violation", "is odd")
    assert ShapeViolationError((pathless,)).message == "<a:s>: is odd"


def test_a_place_is_told_as_far_as_it_is_known() -> None:
    assert str(ParseError("a.ttl", "Turtle", "bad")) == "a.ttl (Turtle): bad"
    assert str(ParseError("a.ttl", "Turtle", "bad", 3)).endswith("bad (line 3)")
    assert str(ParseError("a.ttl", "Turtle", "bad", 3, 7)).endswith("bad (line 3, column 7)")
