"""JSON-LD is read whole or refused: no statement is left out without a word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graph.errors import ParseError
from graph.settings import Settings
from graph.store.reading import parse_rdf
from graph.terms import Quad

P = "http://e/p"


def read(document: dict[str, Any], base: str | None = None) -> list[Quad]:
    data = json.dumps(document).encode()
    return list(parse_rdf(data, "jsonld", base, Settings(), "a file"))


def with_context(document: dict[str, Any], **terms: Any) -> dict[str, Any]:
    return {"@context": terms, "@id": "http://e/x", **document}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"@id": "http://[bad/x", P: "v"}, "http://[bad/x"),
    ({"@id": "http://e/%zz", P: "v"}, "http://e/%zz"),
    ({"@id": "http://e/x", P: {"@id": "http://e/a b"}}, "http://e/a b"),
    ({"@id": "http://e/x", P: [{"@list": ["a", {"@id": "http://[bad"}]}]}, "http://[bad"),
    ({"@id": "http://e/x", P: {"@id": "http://e/y", P: {"@id": "http://e/<"}}}, "http://e/<"),
    ({"@id": "relative", P: "v"}, "relative"),
    ({"@id": "_:a b", P: "v"}, "a b"),
    ({"@id": "http://e/x", "@type": "http://[bad"}, "http://[bad"),
    ({"@id": "http://e/x", "@type": ["http://e/A", "http://e/%zz"]}, "http://e/%zz"),
    ({"@id": "http://e/x", P: {"@value": "v", "@type": "http://e/%zz"}}, "http://e/%zz"),
    ({"@id": "http://e/x", "http://e/%zz": "v"}, "http://e/%zz"),
    ({"@id": "http://e/g g", "@graph": [{"@id": "http://e/x", P: "v"}]}, "http://e/g g"),
    ({"@id": "http://e/x", P: {"@value": "v", "@language": "a"}}, "'a'"),
    ({"@id": "http://e/x", P: {"@value": "v", "@language": "en-a"}}, "'en-a'"),
    ({"@id": "http://e/x", P: {"@value": "v", "@language": "x y"}}, "'x y'"),
    (with_context({P: "v"}, **{"@language": "toolonglanguage"}), "toolonglanguage"),
    (with_context({"t": "v"}, t={"@id": P, "@language": "a"}), "'a'"),
    (with_context({"t": {"a": "v"}}, t={"@id": P, "@container": "@language"}), "'a'"),
    (with_context({"t": "http://[bad"}, t={"@id": P, "@type": "@id"}), "http://[bad"),
    (with_context({"p:a b": "v"}, p="http://e/"), "http://e/a b"),
    ({"@context": {"id": "@id"}, "id": "http://[bad", P: "v"}, "http://[bad"),
]


@pytest.mark.parametrize(("document", "value"), WRONG, ids=lambda x: x if type(x) is str else "")
def test_a_wrong_value_is_named_and_refused(document: dict[str, Any], value: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(document)
    assert caught.value.format == "jsonld"
    assert value in caught.value.detail


def test_what_is_right_is_read_as_before() -> None:
    document = with_context(
        {
            "e:p": [
                {"@value": "v", "@language": "EN-gb"},
                {"@value": "w", "@language": "en-a-bbb"},
                {"@id": "../q"},
                {"@id": "_:b0"},
                1,
                True,
                "x",
            ],
            "@type": "e:été",
        },
        e="http://e/",
    )
    quads = read(document, "http://e/d/f")
    values = {value for _, predicate, value, _ in quads if predicate == "<http://e/p>"}
    integer, boolean = (f"<http://www.w3.org/2001/XMLSchema#{n}>" for n in ("integer", "boolean"))
    assert {v for v in values if not v.startswith("_:")} == {
        '"v"@en-gb',
        '"w"@en-a-bbb',
        "<http://e/q>",
        f'"1"^^{integer}',
        f'"true"^^{boolean}',
        '"x"',
    }
    assert len(quads) == 8
    assert "<http://e/été>" in {value for _, _, value, _ in quads}


def test_a_property_without_a_meaning_is_left_out_as_the_standard_says() -> None:
    assert read({"@id": "http://e/x", "note": "v", P: "w"}) == [
        ("<http://e/x>", "<http://e/p>", '"w"', "")
    ]


def test_a_long_value_is_told_in_part() -> None:
    with pytest.raises(ParseError) as caught:
        read({"@id": "http://[" + "x" * 5_000, P: "v"})
    assert len(caught.value.detail) <= 300
