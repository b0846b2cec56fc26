"""The tokens of a SPARQL text, beside the names and numbers that the engine reads."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyoxigraph as ox
import pytest

from graph.errors import RequestError
from graph.settings import Settings
from graph.store.guard import check_query
from graph.store.tokens import Token, read_token

STORE = ox.Store()
#: Where one character stands, in a text that is a query if names may have it there.
PLACES = {
    "variable, first": "SELECT * {{ VALUES ?{} {{ 1 }} }}",
    "variable": "SELECT * {{ VALUES ?x{}y {{ 1 }} }}",
    "prefix, first": "PREFIX {}:<x:y/> ASK {{}}",
    "prefix": "PREFIX x{}y:<x:y/> ASK {{}}",
    "prefix, last": "PREFIX x{}:<x:y/> ASK {{}}",
    "local name, first": "PREFIX e:<x:y/> ASK {{ e:{} e:p 1 }}",
    "local name": "PREFIX e:<x:y/> ASK {{ e:x{}y e:p 1 }}",
    "local name, last": "PREFIX e:<x:y/> ASK {{ e:x{} e:p 1 }}",
    "blank node, first": "ASK {{ _:{} <x:p> 1 }}",
    "blank node": "ASK {{ _:x{}y <x:p> 1 }}",
    "blank node, last": "ASK {{ _:x{} <x:p> 1 }}",
}
#: The engine takes no name with what is beyond U+FFFF, and no IRI with U+FFF0 to U+FFFD.
BEYOND = 0xFFF0


def tokens(text: str) -> list[Token]:
    found: list[Token] = []
    while token := read_token(text, found[-1].end if found else 0, is_after_operand=False):
        found.append(token)
    return found


def is_taken(text: str) -> bool:
    try:
        check_query(text, Settings())
    except RequestError:
        return False
    return True


def is_query(text: str) -> bool:
    try:
        STORE.query(text)
    except SyntaxError:
        return False
    return True


def sample() -> Iterator[int]:
    """Code points: all of the first blocks, the ends of ranges of the grammar, and every 97th."""
    ends = [0x1FFF, 0x200C, 0x203F, 0x2040, 0x2070, 0x218F, 0x2C00, 0x2FEF, 0x3001, 0xD7FF]
    ends += [0xE000, 0xF900, 0xFDCF, 0xFDF0, 0xFFEF, 0xFFFD, 0x10000, 0xEFFFF, 0xF0000, 0x10FFFF]
    near = {each + step for each in ends for step in range(-2, 3)}
    every = {*range(0x400), *range(0x900, 0x980), *range(0xE00, 0xE60), *range(0x400, 0x20000, 97)}
    for code in sorted(near | every):
        if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
            yield code


@pytest.mark.parametrize("place", PLACES)
def test_names_have_the_characters_that_the_engine_takes(place: str) -> None:
    wrong: list[str] = []
    for code in sample():
        text = PLACES[place].format(chr(code))
        is_read = is_query(text)
        is_named = any(chr(code) in token.text for token in tokens_or_none(text))
        if is_read and not is_taken(text):
            wrong.append(f"U+{code:04X} is refused")
        # What the engine reads as part of a name is part of the name here, and nothing else is.
        if code < BEYOND and code > 0x7F and is_named is not is_read:
            wrong.append(f"U+{code:04X} is read otherwise")
    assert not wrong


def tokens_or_none(text: str) -> list[Token]:
    try:
        return tokens(text)
    except RequestError:
        return []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ?नाम { VALUES ?नाम { 1 } }",
        "PREFIX ex: <x:y/> ASK { ex:ไทยกี่ ex:ही _:กี่ }",
        "PREFIX हिन्दी: <x:y/> ASK { हिन्दी:a हिन्दी: 1 }",
        "ASK { ?s ?p ?xe\u0301 }",
        "PREFIX a..b: <x:y/> ASK { a..b:x..y a..b: _:c.-.d.}",
        "PREFIX : <x:y/> ASK { ?s ?p true.:b ?p 1. }",
        "PREFIX e: <x:y/> ASK { ?s ?p e:.e:b ?p e:b\\.. }",
        "PREFIX e: <x:y/> ASK { FILTER(e:-1 = e:-e:b) }",
        "SELECT ?x { VALUES ?x { 1.e3 1.E-3 1e3 1.5e+3 .5e3 1.5 .5 1 } }",
        "PREFIX e: <x:y/> ASK { ?s ?p 1.e:a ?p 2.5.e:b ?p 1.e3.}",
    ],
)
def test_what_the_engine_reads_passes(text: str) -> None:
    assert is_query(text)
    check_query(text, Settings())


@pytest.mark.parametrize("length", [1, 199, 200, 201, 202, 203, 300, 2_000])
@pytest.mark.parametrize("letter", ["p", "ก", "p.p", "p-"])
def test_a_prefix_may_be_long(length: int, letter: str) -> None:
    prefix = (letter * length)[:length].rstrip(".") + "p"
    text = f"PREFIX {prefix}: <x:y/> ASK {{ {prefix}:x ?p {prefix}: . {prefix}:y ?p 1.{prefix}:z"
    text += " ?p 1 }"
    assert is_query(text)
    check_query(text, Settings())
    assert [token.text for token in tokens(f"{prefix}:x..")] == [f"{prefix}:x", ".", "."]
    assert tokens_or_none(f"{prefix}.:x")[:1] != [("name", f"{prefix}.:x", 0, len(prefix) + 3)]


def test_where_no_colon_follows_there_is_a_word() -> None:
    text = "true-" * 80
    assert [token.text for token in tokens(text)] == ["true", "-"] * 80
    with pytest.raises(RequestError, match="unexpected character"):
        tokens("é" * 300)


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("1.5e3.", ["1.5e3", "."]),
        ("1.e", ["1", ".", "e"]),
        ("1.e+a:b", ["1", ".", "e", "+", "a:b"]),
        ("1..2", ["1", ".", ".2"]),
        ("e:-x", ["e:", "-", "x"]),
        ("e:..x:y", ["e:", ".", ".", "x:y"]),
        (r"e:a\..", [r"e:a\.", "."]),
        ("_:a.b..", ["_:a.b", ".", "."]),
        ("?a-b", ["?a", "-", "b"]),
    ],
)
def test_where_a_token_ends(text: str, texts: list[str]) -> None:
    assert [token.text for token in tokens(text)] == texts


@pytest.mark.parametrize(
    "text",
    [
        "true." * 13_000,
        "true-" * 13_000,
        "a." * 32_000,
        "p" * 250 + ".",
        ("p" * 250 + ". ") * 250,
        "e:b" + "." * 60_000 + "b. ",
        ("e:b" + "." * 1_000) * 60,
        "1." * 32_000,
        "1.e" * 20_000,
    ],
)
def test_no_tokens_take_long(text: str) -> None:
    started = time.perf_counter()
    tokens(text)
    assert time.perf_counter() - started < 2
