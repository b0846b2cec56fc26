"""How deep RDF text is nested, found before a parser sees it."""

from __future__ import annotations

import time

import pytest

from graph.store.nesting import Fault, find_fault


def depth_fault(data: str, format: str, levels: int = 3) -> Fault | None:
    return find_fault(data.encode(), format, levels)


@pytest.mark.parametrize("format", ["turtle", "trig"])
@pytest.mark.parametrize(
    "data",
    [
        "<http://e/a> <http://e/b> [ <http://e/c> ( [ ] ) ] .",
        "<http://e/a> <http://e/b> '[[[[[' , \"((((((\" .",
        "<http://e/a> <http://e/b> '''[[[\n[[[''' .",
        '<http://e/a> <http://e/b> """((( " "" ((""" .',
        "# [[[[[[\n<http://e/a((((((> <http://e/b> [ ], [ ], [ ], [ ], [ ] .",
        "@prefix ex: <http://e/> . ex:a\\(\\(\\(\\( ex:b '\\'[[[[[' .",
        "]]]]]] [ [ [ ] ] ]",
    ],
)
def test_what_only_looks_deep_is_not(format: str, data: str) -> None:
    assert depth_fault(data, format) is None


def test_the_place_of_the_bracket_too_many_is_told() -> None:
    assert depth_fault("# é\n<http://e/é> <http://e/b>\n  [ ( [ (", "turtle") == Fault(3, 9)
    assert depth_fault('{"é": [{\n "a": [', "jsonld") == Fault(2, 7)
    assert depth_fault("<a>\n" + "<b><c>" * 3 + "\n <d/>", "rdfxml") == Fault(3, 2)


def test_json_strings_hold_brackets_without_nesting() -> None:
    assert depth_fault('{"a": "[[[[[[{{{{", "b\\"[[[[": [1]}', "jsonld") is None


def test_lines_cannot_nest() -> None:
    assert depth_fault("[[[[[[[[", "nt") is None
    assert depth_fault("[[[[[[[[", "nq") is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("<a><b></a>", "mismatched tag"),
        ("<a>", "no element found"),
        ("", "no element found"),
        ("<a>&nobody;</a>", "undefined entity"),
    ],
)
def test_xml_that_is_not_well_formed_is_told_with_its_place(data: str, words: str) -> None:
    fault = depth_fault(data, "rdfxml")
    assert fault is not None
    assert fault.detail == words
    assert fault.line == 1


def test_an_entity_bomb_is_refused() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 50}">{entities}]><a>&e9;</a>'
    fault = depth_fault(bomb, "rdfxml")
    assert fault is not None
    assert fault.detail is not None
    assert "amplification" in fault.detail


@pytest.mark.parametrize("format", ["turtle", "jsonld", "rdfxml"])
@pytest.mark.parametrize(
    "piece",
    ["[", "(", '"', "'", '"""', "'''", '"\\', "<", "<<", "\\", "#", '"""\\"', "<a>", "<!--"],
)
def test_no_text_takes_long(format: str, piece: str) -> None:
    started = time.perf_counter()
    depth_fault(piece * (1_000_000 // len(piece)), format, 10**9)
    assert time.perf_counter() - started < 20
