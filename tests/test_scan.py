"""What is counted in a text is what a parser finds in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
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
from schema.scan import FREE, Counts, count_text
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
        *opened(parse(text)),
    )


def opened(document: DocumentNode) -> tuple[int, int, int]:
    """Root fields, those that describe the schema, and depth: of the operation with most."""
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }

    def roots(selection: SelectionSetNode, seen: set[str]) -> Iterator[str]:
        for node in selection.selections:
            if isinstance(node, FieldNode):
                yield node.name.value
            elif isinstance(node, InlineFragmentNode):
                yield from roots(node.selection_set, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                if node.name.value in fragments:
                    yield from roots(fragments[node.name.value].selection_set, seen)

    def depth(selection: SelectionSetNode, within: frozenset[str]) -> int:
        deepest = 0
        for node in selection.selections:
            below = 0
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in fragments and name not in within:
                    below = depth(fragments[name].selection_set, within | {name})
            elif isinstance(node, InlineFragmentNode):
                below = depth(node.selection_set, within)
            elif isinstance(node, FieldNode):
                name = node.name.value
                if node.selection_set is not None and not name.startswith("__"):
                    below = (name not in FREE) + depth(node.selection_set, within)
            deepest = max(deepest, below)
        return deepest

    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    fields = [list(roots(each.selection_set, set())) for each in operations]
    described = [sum(name in ("__schema", "__type") for name in each) for each in fields]
    return (
        max(map(len, fields), default=0),
        max(described, default=0),
        max((depth(each.selection_set, frozenset()) for each in operations), default=0),
    )


def has_circle(document: DocumentNode) -> bool:
    """Tell whether a fragment stands in itself: validation refuses that, and its depth is none."""
    spreads = {
        d.name.value: {n.name.value for n in nodes(d) if isinstance(n, FragmentSpreadNode)}
        for d in document.definitions
        if isinstance(d, FragmentDefinitionNode)
    }
    for name in spreads:
        reached, left = set[str](), [name]
        while left:
            new = spreads.get(left.pop(), set()) - reached
            reached |= new
            left += new
        if name in reached:
            return True
    return False


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
        "query query { query { fragment } } fragment query on fragment { query { on { query } } }",
        "{ ...A } fragment A on X { a ...B ...B b: __schema { c { d } } } fragment B on X { e f }",
        "{ a { ...A } } fragment A on X { b { c: d(e: 1) @f { ...B } } } "
        "fragment B on X { g { h } }",
        '{ __type(a: "A") { b { c } } ... { __schema { a } ... @b { c { nodes { d } } } } }',
        "query A { a } query B { a b { c } } mutation { d } subscription S @x { e { f { g } } }",
        "{ a { nodes { b { edges { node { c { pageInfo { d } } } } } } } ...Nowhere }",
        "query Q($f: A = {a: {b: c}}) { a { ... on B { c { d } } ... on E @g(h: {i: 1}) { j } } }",
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
    if has_circle(parse(text)):
        counts, expected = counts._replace(depth=0), expected._replace(depth=0)
    assert counts == expected


@given(st.data())
def test_fragments_are_opened_as_the_parser_does(draw: st.DataObject) -> None:
    """Fragments name later ones only, so that there is no circle."""
    names = "ABCD"
    field = st.sampled_from(
        ["a", "b: c", "nodes", "x: edges", "__typename", "__schema", "d(e: {f: 1})"]
    )

    def selection(later: str, levels: int) -> str:
        parts = []
        for _ in range(draw.draw(st.integers(1, 3))):
            kind = draw.draw(st.integers(0, 3))
            if kind == 0 and later:
                parts.append("..." + draw.draw(st.sampled_from(later)))
            elif kind == 1 and levels:
                parts.append(f"... on T {{ {selection(later, levels - 1)} }}")
            elif kind == 2 and levels:
                parts.append(f"{draw.draw(field)} {{ {selection(later, levels - 1)} }}")
            else:
                parts.append(draw.draw(field))
        return " ".join(parts)

    texts = [f"query Q{n} {{ {selection(names, 3)} }}" for n in range(2)]
    texts += [
        f"fragment {name} on T {{ {selection(names[at + 1 :], 2)} }}"
        for at, name in enumerate(names)
    ]
    text = " ".join(draw.draw(st.permutations(texts)))
    assert count_text(text, 100_000) == parsed(text)


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
