"""What is read as one basic graph pattern, and what is left to the engine."""

from __future__ import annotations

import pyoxigraph as ox
import pytest

from graph.errors import RhizomeError
from graph.settings import Settings
from graph.store.basic import Basic, Count, read_basic
from graph.store.guard import check_query

TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
EX = "PREFIX ex: <https://example.org/>\nPREFIX : <https://example.org/own/>\n"


def read(text: str) -> Basic | None:
    return read_basic(text, check_query(text, Settings()).prologue)


def patterns(text: str) -> tuple[tuple[str, str, str], ...]:
    basic = read(EX + text)
    assert basic is not None
    return basic.patterns


def test_names_lists_and_the_word_a_are_read_as_sparql_means_them() -> None:
    text = "SELECT ?s { ?s a ex:C ; ex:p :x , 'y' ; ; ex:q <urn:z>. $s ?p \"w\"@en . }"
    assert patterns(text) == (
        ("?s", TYPE, "<https://example.org/C>"),
        ("?s", "<https://example.org/p>", "<https://example.org/own/x>"),
        ("?s", "<https://example.org/p>", '"y"'),
        ("?s", "<https://example.org/q>", "<urn:z>"),
        ("?s", "?p", '"w"@en'),
    )


def test_the_form_says_what_is_asked() -> None:
    assert read("select distinct ?b $a where { ?a <urn:p> ?b }") == Basic(
        ("b", "a"), True, (("?a", "<urn:p>", "?b"),)
    )
    everything = read("SELECT * { ?b <urn:p> ?a . ?a ?c ?b }")
    assert everything is not None
    assert everything.variables == ("b", "a", "c")
    asked = read("ASK { ?a <urn:p> 'it' }")
    assert asked is not None
    assert asked.variables is None


def test_counts_and_groups_are_read_in_the_order_in_which_they_are_asked() -> None:
    text = "SELECT (count(*) as ?all) ?s (COUNT(DISTINCT ?o) AS ?n) { ?s <urn:p> ?o } group by $s"
    assert read(text) == Basic(
        ("all", "s", "n"),
        False,
        (("?s", "<urn:p>", "?o"),),
        (Count("all", None, False), Count("n", "?o", True)),
        ("?s",),
    )
    everything = read("SELECT (COUNT(?o) AS ?n) { ?s <urn:p> ?o }")
    assert everything is not None
    assert everything.groups == ()


def test_a_comment_and_a_prologue_of_its_own_do_no_harm() -> None:
    text = "# ex: is another\nPREFIX ex: <urn:a:> # here\nSELECT ?s { ?s ex:p ?o # }\n }"
    basic = read(text)
    assert basic is not None
    assert basic.patterns == (("?s", "<urn:a:p>", "?o"),)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ?s { ?s <urn:p> ?o } LIMIT 1",
        "SELECT ?s { ?s <urn:p> ?o } ORDER BY ?s",
        "SELECT ?s { ?s <urn:p> ?o FILTER(?o > 1) }",
        "SELECT ?s { ?s <urn:p> ?o OPTIONAL { ?s <urn:q> ?r } }",
        "SELECT ?s { { ?s <urn:p> ?o } }",
        "SELECT ?s { ?s <urn:p>/<urn:q> ?o }",
        "SELECT ?s { ?s ^<urn:p> ?o }",
        "SELECT ?s { ?s <urn:p>+ ?o }",
        "SELECT ?s { ?s <urn:p> 1 }",
        "SELECT ?s { ?s <urn:p> true }",
        'SELECT ?s { ?s <urn:p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> }',
        'SELECT ?s { ?s <urn:p> "a\\tb" }',
        'SELECT ?s { ?s <urn:p> """a""" }',
        'SELECT ?s { ?s <urn:p> "a"@EN }',
        "SELECT ?s { ?s <urn:p> _:b }",
        "SELECT ?s { ?s <urn:p> [] }",
        "SELECT ?s { ?s <urn:p> (1) }",
        "SELECT ?s { ?s <urn:\\u0070> ?o }",
        "SELECT (?o AS ?s) { ?x <urn:p> ?o }",
        "SELECT REDUCED ?s { ?s <urn:p> ?o }",
        "SELECT ?s FROM <urn:g> { ?s <urn:p> ?o }",
        "SELECT ?s { GRAPH <urn:g> { ?s <urn:p> ?o } }",
        "SELECT ?s ?s { ?s <urn:p> ?o }",
        "BASE <urn:b> SELECT ?s { ?s <urn:p> ?o }",
        "SELECT ?s { }",
        "SELECT * { }",
        "CONSTRUCT { ?s <urn:p> ?o } { ?s <urn:p> ?o }",
        "DESCRIBE <urn:a>",
        "SELECT (SUM(?o) AS ?n) { ?s <urn:p> ?o }",
        "SELECT (COUNT(?o + 1) AS ?n) { ?s <urn:p> ?o }",
        "SELECT (COUNT(?o) + 1 AS ?n) { ?s <urn:p> ?o }",
        "SELECT (COUNT(?x) AS ?n) { ?s <urn:p> ?o }",
        "SELECT ?s (COUNT(?o) AS ?n) { ?s <urn:p> ?o } GROUP BY ?s ?x",
        "SELECT (COUNT(*) AS ?n) { ?s <urn:p> ?o } GROUP BY (STR(?s) AS ?t)",
        "SELECT (COUNT(*) AS ?n) { ?s <urn:p> ?o } GROUP BY STR(?s)",
        "SELECT (COUNT(*) AS ?n) { ?s <urn:p> ?o } GROUP BY ?s HAVING(COUNT(*) > 1)",
        "SELECT (COUNT(*) AS ?n) { ?s <urn:p> ?o } GROUP BY ?s ORDER BY ?n",
    ],
)
def test_what_is_more_than_a_basic_graph_pattern_is_left_to_the_engine(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ?s { ?s <urn:p> ?o",
        "SELECT ?s { ?s <urn:p> ?o } }",
        "SELECT ?s { ?s <urn:p> ?o ?x }",
        "SELECT ?s { ?s <urn:p> ?o . . }",
        "SELECT ?s { ?s <urn:p> ; }",
        "SELECT ?s { ?s <urn:p> ?o , }",
        "SELECT ?s { 'x' <urn:p> ?s }",
        "SELECT ?s { ?s 'p' ?o }",
        "SELECT ?s { ?s a a }",
        "SELECT { ?s <urn:p> ?o }",
        "SELECT ?s, ?o { ?s <urn:p> ?o }",
        "SELECT ?s WHERE WHERE { ?s <urn:p> ?o }",
        "SELECT ?s { ?s A ?o }",
        "PREFIX ex <urn:a> SELECT ?s { ?s <urn:p> ?o }",
        "PREFIX ex: <urn:a> <urn:b> SELECT ?s { ?s ex:p ?o }",
        "SELECT ?s { ?s <urn:p> 'a'@en-GB }",
        "SELECT ?s { ?s ex:p ?o }",
        "SELECT ?s { ?s <urn:p> '\ud800' }",
        "SELECT ?s (COUNT(?o) AS ?n) { ?s <urn:p> ?o }",
        "SELECT ?o (COUNT(*) AS ?n) { ?s <urn:p> ?o } GROUP BY ?s",
        "SELECT (COUNT(?s) AS ?o) { ?s <urn:p> ?o }",
        "SELECT (COUNT(?s) AS ?n) (COUNT(?o) AS ?n) { ?s <urn:p> ?o }",
        "SELECT (COUNT(?s)) { ?s <urn:p> ?o }",
        "SELECT (COUNT() AS ?n) { ?s <urn:p> ?o }",
        "SELECT * { ?s <urn:p> ?o } GROUP BY ?s",
        "SELECT ?s { ?s <urn:p> ?o } GROUP BY",
        "ASK { ?s <urn:p> ?o } GROUP BY ?s",
    ],
)
def test_of_what_is_wrong_nothing_is_said_here(text: str) -> None:
    try:
        prologue = check_query(text, Settings()).prologue
    except RhizomeError:
        prologue = ""  # the guard says it already
    assert read_basic(text, prologue) is None


@pytest.mark.parametrize("namespace", ["rel", "", "http://[x", "http://a/%zz"])
def test_what_the_engine_takes_for_no_iri_is_left_to_it(namespace: str) -> None:
    """It reads prefixes that are of no use, too, and refuses the query for one."""
    prologue = f"PREFIX a: <urn:a:> PREFIX z: <{namespace}> "
    with pytest.raises(SyntaxError):
        ox.Store().query(f"{prologue}SELECT * {{ a:s a:p ?x }}")
    assert read_basic(f"{prologue}SELECT * {{ a:s a:p ?x }}", prologue) is None


@pytest.mark.parametrize(
    ("prologue", "pattern"),
    [
        ("PREFIX a: <urn:a:>\n" * 90, "?s <urn:p> ?o"),
        ("", "?s <urn:p> ?o" + ";" * 250),
        ("", "?s <urn:p> ?o # " + "x" * 4_000 + "\n"),
    ],
)
def test_what_takes_long_to_read_is_left_to_the_engine(prologue: str, pattern: str) -> None:
    assert read_basic(f"{prologue}SELECT * {{ {pattern} }}", prologue) is None
