"""What is counted in a text is what a parser finds in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from graphql import (
    FieldNode,
    GraphQLSyntaxError,
    Node,
    SelectionSetNode,
    Source,
    TokenKind,
    parse,
)
from graphql.language import Lexer
from hypothesis import given
from hypothesis import strategies as st

from graph.shapes import load_model
from schema.loading import load_schema
from schema.scan import Counts, count_text
from tests.documents import Documents

_PIECES = (
    *("{", "}", "(", ")", "[", "]", ":", "@", "...", "!", "$", "|", "=", "&", "?", ",", "\n"),
    *("a", "_b", "on", "fragment", "query", "x1", "1", "-2.5e+3", "#", '"', '"""', "\\", '\\"""'),
    *('"t"', '"a\\"b"', '"""c"d"""', "# {\n", "\N{BYTE ORDER MARK}", "é", '""'),
)


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for key in node.keys:
        below = getattr(node, key, None)
        for each in below if isinstance(below, list | tuple) else (below,):
            if isinstance(each, Node):
                yield from nodes(each)


def parsed(text: str) -> Counts:
    """The counts by graphql-core."""
    lexer, tokens = Lexer(Source(text)), 0
    while (token := lexer.advance()).kind is not TokenKind.EOF:
        tokens += token.kind is not TokenKind.COMMENT
    found = list(nodes(parse(text)))
    fields = [node for node in found if isinstance(node, FieldNode)]
    sets = [node for node in found if isinstance(node, SelectionSetNode)]
    keys = [
        Counter((f.alias or f.name).value for f in each.selections if isinstance(f, FieldNode))
        for each in sets
    ]
    return Counts(
        tokens,
        sum(field.alias is not None for field in fields),
        sum(len(getattr(node, "directives", None) or ()) for node in found),
        max((count for each in keys for count in each.values()), default=0),
        nesting(parse(text)),
    )


def nesting(node: Node) -> int:
    own = isinstance(node, SelectionSetNode)
    below = (getattr(node, key, None) for key in node.keys)
    nested = [each for one in below for each in (one if isinstance(one, list | tuple) else (one,))]
    return own + max((nesting(each) for each in nested if isinstance(each, Node)), default=0)


@pytest.mark.parametrize("seed", range(4))
def test_drawn_documents(seed: int) -> None:
    schema = load_schema(load_model())
    documents = Documents(schema, seed, ["urn:x"], ["some text", "quoted @ {"])
    for _ in range(60):
        text = documents.draw()
        assert count_text(text, 100_000) == parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        "query Q($a: [Int!]! = [1] @d, $b: I = {c: 1}) @e(f: $a) { g: h(i: {j: [$a]}) @l m m }",
        'fragment F on T @a { ... @b { on: on ...G ...on U { fragment } } } { ...F a(b: "}{@") }',
        '{ a(b: """ " \\""" } @ """) # } @ a: b\n c: d }',
        '{ a(b: "") b(c: "\\\\") c(d: """""") }',
        "\N{BYTE ORDER MARK}{,a,,b:\tc\r\n}",
        "subscription { _: __typename }",
        "{ a(x: [1-2-3 1e5-2 -1.5e-3-4 0-0]) }",
    ],
)
def test_odd_documents(text: str) -> None:
    assert count_text(text, 100_000) == parsed(text)


@given(st.lists(st.sampled_from(_PIECES), max_size=40))
def test_whatever_can_be_parsed_is_counted_alike(pieces: list[str]) -> None:
    text = " ".join(pieces)
    counts = count_text(text, 100_000)
    try:
        expected = parsed(text)
    except GraphQLSyntaxError:
        return
    assert counts == expected


def test_a_long_text_is_not_read_to_its_end() -> None:
    assert count_text("{" + "a: b " * 100_000, 2_000).tokens == 2_001
    assert count_text('"' + "\\" * 200_000, 2_000).tokens <= 2_001
    assert count_text('"""' + '\\"""' * 100_000, 2_000).tokens <= 2_001


@pytest.mark.parametrize(
    "piece", ['\\"', '"\\', '""\\"', '\\"""', '"', "\\", '""', '"a', "-1e", "1e+", "#", '"\n']
)
@pytest.mark.parametrize("first", ["", '"', '"""', "{", "-", "#"])
def test_no_text_is_looked_at_again_and_again(first: str, piece: str) -> None:
    """A megabyte takes some hundredths of a second; a square of it would take hours."""
    count_text(first + piece * 250_000, 10**9)
