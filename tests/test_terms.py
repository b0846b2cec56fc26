from __future__ import annotations

import time

import pyoxigraph
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import BadValueError
from graph.terms import (
    HASH_MODULUS,
    LANG_STRING,
    XSD,
    Quad,
    fold_nfc,
    hash_dataset,
    hash_quad,
    is_blank,
    is_iri,
    is_literal,
    local_name,
    read_iri,
    read_literal,
    write_iri,
    write_literal,
)
from tests.strategies import datasets, languages, quads

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def _parse_object(term: str) -> pyoxigraph.NamedNode | pyoxigraph.Literal:
    (triple,) = pyoxigraph.parse(f"<a:s> <a:p> {term} .", format=pyoxigraph.RdfFormat.N_TRIPLES)
    assert isinstance(triple.object, pyoxigraph.NamedNode | pyoxigraph.Literal)
    return triple.object


@given(any_text, st.one_of(st.none(), languages))
def test_a_written_literal_is_the_literal_however_it_is_read(text: str, tag: str | None) -> None:
    """Injection safety: whatever the text holds, it is one literal and nothing else."""
    term = write_literal(text, language=tag)
    expected = LANG_STRING if tag else f"{XSD}string"
    assert read_literal(term) == (text, expected, tag)
    parsed = _parse_object(term)
    assert (parsed.value, str(parsed)) == (text, term)


@given(any_text)
def test_a_literal_cannot_leave_a_sparql_query(text: str) -> None:
    store = pyoxigraph.Store()
    solutions = store.query(f"SELECT (STR({write_literal(text)}) AS ?text) {{}}")
    assert isinstance(solutions, pyoxigraph.QuerySolutions)
    ((found,),) = solutions
    assert isinstance(found, pyoxigraph.Literal)
    assert found.value == text


@given(st.text(max_size=30))
def test_an_iri_is_written_only_if_every_parser_reads_it(text: str) -> None:
    for iri in (text, f"https://e.org/{text}"):
        try:
            term = write_iri(iri)
        except BadValueError:
            assert not is_iri(iri)
        else:
            assert read_iri(term) == iri
            lenient = pyoxigraph.parse(
                f"<a:s> <a:p> {term} .".encode(),
                format=pyoxigraph.RdfFormat.N_TRIPLES,
                lenient=True,
            )
            (triple,) = lenient
            assert str(triple.object) == term


@pytest.mark.parametrize(
    "iri",
    [
        "",
        "relative",
        "//e.org/x",
        "/path",
        "1a:x",
        "https://e.org/a b",
        "https://e.org/a>",
        "https://e.org/<a",
        'https://e.org/"',
        "https://e.org/{}",
        "https://e.org/a\\b",
        "https://e.org/a^b",
        "https://e.org/a`b",
        "https://e.org/a|b",
        "https://e.org/\n",
        "https://e.org/\x00",
        "https://e.org/\ud800",
        "http://e/a> } ; DROP ALL #",
    ],
)
def test_what_is_no_absolute_iri_is_refused(iri: str) -> None:
    with pytest.raises(BadValueError, match="IRI"):
        write_iri(iri)


@pytest.mark.parametrize("tag", ["", "e n", "en_GB", "en-", "-en", "abcdefghi", 'en" . <a:b>', "é"])
def test_bad_language_tags_are_refused(tag: str) -> None:
    with pytest.raises(BadValueError, match="language"):
        write_literal("x", language=tag)


def test_bad_datatypes_and_surrogates_are_refused() -> None:
    with pytest.raises(BadValueError):
        write_literal("a", "http://e/x> . <urn:i> <urn:j> <urn:k")
    with pytest.raises(BadValueError, match="Unicode"):
        write_literal("\udc00")


def test_string_is_the_datatype_that_is_not_written() -> None:
    assert write_literal("x", f"{XSD}string") == '"x"'
    assert write_literal("x", language="FR-be") == '"x"@fr-be'
    assert write_literal("1", f"{XSD}integer") == f'"1"^^<{XSD}integer>'


def test_control_characters_are_escaped_as_oxigraph_does() -> None:
    for code in (*range(0x20), 0x22, 0x5C, 0x7F):
        assert write_literal(chr(code)) == str(pyoxigraph.Literal(chr(code)))


@pytest.mark.parametrize(
    "term",
    ["", "x", '"', '"a"b"', '"a\nb"', '"a"^^', '"a"^^<a b>', '"a"@', "<a:b>", "_:b", '"a\\"'],
)
def test_what_is_no_literal_is_not_read(term: str) -> None:
    with pytest.raises(BadValueError, match="literal"):
        read_literal(term)


def test_all_escapes_are_read() -> None:
    assert read_literal('"\\t\\b\\n\\r\\f\\"\\\'\\\\\\u00E9\\U0001F331"')[0] == "\t\b\n\r\f\"'\\é🌱"


def test_long_literals_are_read_in_a_moment() -> None:
    for text in ("x" * 1_000_000, '"' * 1_000_000, "\\" * 500_001):
        began = time.process_time()
        assert read_literal(write_literal(text))[0] == text
        assert time.process_time() - began < 5  # about 0.5 s; what backtracks takes minutes
        with pytest.raises(BadValueError):
            read_literal(write_literal(text)[:-1])


def test_kinds_are_told_apart_by_their_first_character() -> None:
    assert [is_literal(t) for t in ('"x"', "<a:b>", "_:b")] == [True, False, False]
    assert [is_blank(t) for t in ('"_:x"', "<a:b>", "_:b")] == [False, False, True]
    for term in ('"x"', "_:b", "<a:b", "a:b>"):
        with pytest.raises(BadValueError):
            read_iri(term)


@given(quads)
def test_the_hash_of_a_quad_is_of_its_text(quad: Quad) -> None:
    assert 0 <= hash_quad(quad) < HASH_MODULUS
    assert hash_quad(quad) != hash_quad((*quad[:3], "<a:other>"))


@given(datasets, datasets)
def test_the_dataset_hash_is_a_sum(one: frozenset[Quad], two: frozenset[Quad]) -> None:
    apart = two - one
    together = hash_dataset(one | apart)
    assert together == (hash_dataset(one) + hash_dataset(apart)) % HASH_MODULUS
    assert (together == hash_dataset(one)) == (not apart)


def test_a_quad_counted_twice_does_not_cancel() -> None:
    quad = ("<a:s>", "<a:p>", '"o"', "<a:g>")
    assert hash_dataset([quad, quad]) not in (0, hash_dataset([quad]))
    assert hash_dataset([]) == 0


def test_small_things() -> None:
    assert fold_nfc("e\u0301") == "é"
    assert [local_name(i) for i in ("a#b", "a/b", "a/b/", "a#b#")] == ["b", "b", "b", "b"]
