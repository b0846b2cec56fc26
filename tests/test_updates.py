"""The guard of updates: what it reads of a text, and what it writes into one."""

from __future__ import annotations

import pyoxigraph as ox
import pytest

from graph.errors import BadValueError, QuerySyntaxError, QueryTooLargeError, RhizomeError
from graph.settings import Settings
from graph.store.parts import show_parts
from graph.store.updates import CheckedUpdate, check_update
from graph.terms import XSD

SETTINGS = Settings()
S = "https://e/source"


def check(text: str, source: str | None = S) -> CheckedUpdate:
    return check_update(text, SETTINGS, source=source)


def squeeze(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("INSERT DATA { <a> <b> 1 }", f"INSERT DATA {{ GRAPH <{S}> {{ <a> <b> 1 }} }}"),
        (
            "DELETE DATA { <a> <b> 1 GRAPH <g> { <c> <d> 2 } . <e> <f> [ <h> 3 ] }",
            f"DELETE DATA {{ GRAPH <{S}> {{ <a> <b> 1 }} GRAPH <g> {{ <c> <d> 2 }} . "
            f"GRAPH <{S}> {{ <e> <f> [ <h> 3 ] }} }}",
        ),
        (
            "DELETE { ?s ?p 1 } INSERT { ?s ?p 2 } WHERE { ?s ?p ?o }",
            f"DELETE {{ GRAPH <{S}> {{ ?s ?p 1 }} }} INSERT {{ GRAPH <{S}> {{ ?s ?p 2 }} }} "
            "WHERE { ?s ?p ?o }",
        ),
        (
            "DELETE { ?s ?p 1 } WHERE { GRAPH <r> { ?s ?p ?o } MINUS { GRAPH <k> { ?s ?p 1 } } }",
            f"DELETE {{ GRAPH <{S}> {{ ?s ?p 1 }} }} "
            "WHERE { GRAPH <r> { ?s ?p ?o } MINUS { GRAPH <k> { ?s ?p 1 } } }",
        ),
        (
            "DELETE { GRAPH <g> { ?s ?p 1 } } WHERE { ?s ?p ?o FILTER(?o > 1) }",
            "DELETE { GRAPH <g> { ?s ?p 1 } } WHERE { ?s ?p ?o FILTER(?o > 1) }",
        ),
        (
            "DELETE { } WHERE { GRAPH <r> { ?s ?p ?o } OPTIONAL { ?s ?q 2 } }",
            "DELETE { } WHERE { GRAPH <r> { ?s ?p ?o } OPTIONAL { ?s ?q 2 } }",
        ),
        ("DELETE WHERE { ?s ?p '}' }", f"DELETE WHERE {{ GRAPH <{S}> {{ ?s ?p '}}' }} }}"),
        (
            "WITH <g> DELETE { ?s ?p 1 } WHERE { ?s ?p ?o }",
            "WITH <g> DELETE { ?s ?p 1 } WHERE { ?s ?p ?o }",
        ),
        ("CLEAR DEFAULT", f"CLEAR GRAPH <{S}>"),
        (
            "ADD DEFAULT TO <g> ; MOVE <g> TO DEFAULT",
            f"ADD GRAPH <{S}> TO <g> ; MOVE <g> TO GRAPH <{S}>",
        ),
        ("INSERT DATA { } # <a> {", "INSERT DATA { } # <a> {"),
        ("LOAD SILENT <http://e/> INTO GRAPH <g>", "LOAD SILENT <about:invalid> INTO GRAPH <g>"),
    ],
)
def test_what_names_no_graph_goes_to_the_source(text: str, written: str) -> None:
    checked = check(text)
    assert squeeze(checked.text) == written
    assert squeeze(check(checked.text).text) == written


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        ("INSERT DATA { <a> <b> 1 }", True),
        ("INSERT DATA { GRAPH <g> { <a> <b> 1 } }", False),
        ("WITH <g> INSERT { ?s ?p 1 } WHERE { ?s ?p ?o }", False),
        ("CLEAR DEFAULT", True),
        ("COPY <a> TO <b>", False),
    ],
)
def test_writing_the_default_graph_is_noticed(text: str, writes: bool) -> None:
    assert check(text, None).writes_default is writes


def test_graphs_that_are_written_are_listed_with_their_prologue() -> None:
    text = """PREFIX e: <x:> WITH e:w DELETE { GRAPH <g> { ?s ?p ?o } } USING <u>
        WHERE { GRAPH <r> { ?s ?p ?o } } ; CLEAR GRAPH <c>"""
    graphs = check(text, None).graphs
    assert graphs is not None
    assert [(squeeze(prologue), terms) for prologue, terms in graphs] == [
        ("PREFIX e: <x:>", ("e:w", "<g>")),
        ("PREFIX e: <x:>", ("<c>",)),
    ]
    assert check("INSERT { GRAPH ?g { ?s ?p 1 } } WHERE { ?s ?p ?g }").graphs is None


@pytest.mark.parametrize("silent", ["", "SILENT "])
def test_clearing_all_keeps_the_graphs(silent: str) -> None:
    store = ox.Store()
    store.update("INSERT DATA { <x:a> <x:b> 1 GRAPH <x:g> { <x:a> <x:b> 1 } }")
    store.update(check(f"CLEAR {silent}ALL ; INSERT DATA {{ }}", None).text)
    assert (len(store), list(store.named_graphs())) == (0, [ox.NamedNode("x:g")])
    assert check(f"DROP {silent}ALL", None).text == f"DROP {silent}ALL"
    assert check("CLEAR ALL").is_sweeping


def test_the_protocols_graphs_become_using() -> None:
    text = "DELETE WHERE { ?s ?p 1 } ; INSERT { ?s ?p 2 } WHERE { ?s ?p 1 } ; CLEAR <g>"
    checked = check_update(text, SETTINGS, ["x:g"], ["x:h"])
    using = "USING <x:g> USING NAMED <x:h>"
    assert squeeze(checked.text) == (
        f"DELETE {{ ?s ?p 1 }} {using} WHERE {{ ?s ?p 1 }} ; "
        f"INSERT {{ ?s ?p 2 }} {using} WHERE {{ ?s ?p 1 }} ; CLEAR <g>"
    )
    for text in (
        "WITH <g> DELETE { ?s ?p 1 } WHERE { ?s ?p 1 }",
        "DELETE { ?s ?p 1 } USING <g> WHERE { ?s ?p 1 }",
    ):
        with pytest.raises(BadValueError):
            check_update(text, SETTINGS, ["x:g"])


def test_the_protocols_graphs_are_read_and_the_source_is_written() -> None:
    short = "DELETE WHERE { ?s ?p 1 . GRAPH <g> { ?s ?p 2 } }"
    long = "DELETE { ?s ?p 1 } WHERE { ?s ?p 1 MINUS { ?s ?p 2 } }"
    checked = check_update(f"{short} ; {long}", SETTINGS, ["x:g"], source=S)
    assert squeeze(checked.text) == (
        f"DELETE {{ GRAPH <{S}> {{ ?s ?p 1 . }} GRAPH <g> {{ ?s ?p 2 }} }} "
        "USING <x:g> WHERE { ?s ?p 1 . GRAPH <g> { ?s ?p 2 } } ; "
        f"DELETE {{ GRAPH <{S}> {{ ?s ?p 1 }} }} "
        "USING <x:g> WHERE { ?s ?p 1 MINUS { ?s ?p 2 } }"
    )


@pytest.mark.parametrize(
    ("text", "using", "left"),
    [
        ("WHERE { GRAPH <x:s> { ?s <x:name> ?n } MINUS { GRAPH <x:k> { ?s <x:keep> 1 } } }", (), 1),
        ("WHERE { ?s <x:name> ?n FILTER NOT EXISTS { ?s <x:keep> 1 } }", ("x:s", "x:k"), 1),
        ("WHERE { ?s <x:name> ?n MINUS { ?s <x:keep> 1 } }", ("x:s",), 0),
        (
            "WHERE { GRAPH <x:s> { ?s <x:name> ?n } FILTER NOT EXISTS "
            "{ GRAPH <x:k> { ?s <x:keep> 1 } } }",
            (),
            1,
        ),
        (
            "WHERE { GRAPH <x:s> { ?s <x:name> ?n } OPTIONAL { GRAPH <x:k> { ?s <x:keep> ?k } } "
            "FILTER(!BOUND(?k)) }",
            (),
            1,
        ),
        (None, (), 0),
        (None, ("x:s",), 0),
        (None, ("x:k",), 2),
    ],
)
def test_what_is_deleted_from_the_source(
    text: str | None, using: tuple[str, ...], left: int
) -> None:
    store = ox.Store()
    store.update(
        'INSERT DATA { GRAPH <x:s> { <x:a> <x:name> "a" . <x:b> <x:name> "b" } '
        "GRAPH <x:k> { <x:a> <x:keep> 1 } }"
    )
    template = "{ ?s <x:name> ?n }"
    update = f"DELETE WHERE {template}" if text is None else f"DELETE {template} {text}"
    store.update(check_update(update, SETTINGS, using, source="x:s").text)
    kept = [quad.subject.value for quad in store if quad.predicate.value == "x:name"]
    assert sorted(kept) == ["x:a", "x:b"][:left]


def test_operations_on_data_are_told_one_by_one() -> None:
    checked = check(
        "PREFIX e: <x:> INSERT DATA { e:a e:b 1 } ; DELETE DATA { GRAPH e:g { e:a e:b 1 } }"
    )
    assert checked.is_data
    assert [(squeeze(text), is_added) for text, is_added in checked.pieces] == [
        (f"PREFIX e: <x:> INSERT DATA {{ GRAPH <{S}> {{ e:a e:b 1 }} }}", True),
        ("PREFIX e: <x:> INSERT DATA { GRAPH e:g { e:a e:b 1 } }", False),
    ]
    assert not check("CLEAR GRAPH <g>").is_data


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * { ?s ?p ?o }", "an update begins with"),
        ("<a> <b> <c>", None),
        ("INSERT DATA { <a> <b> 'c }", "not closed"),
        ("INSERT DATA { <a> <b> 1", "not closed"),
        ("INSERT DATA { e:a <b> 1 }", "prefix `e:`"),
        ("INSERT { ?s ?p 1 } WHERE { SERVICE <x:s> { ?s ?p ?o } }", "SERVICE is refused"),
        ("INSERT { ?s ?p 1 } WHERE { ?s ?p ?o } NONSENSE", "unknown word"),
        ("CLEAR GRAPH <g> }", "closes nothing"),
        ("INSERT { ?s ?p 1 } WHERE { " + "{ " * 65, "sparql_nesting"),
        ("INSERT { ?s ?p 1 } WHERE { " + "?s ?p ?o . " * 41 + "}", "sparql_patterns"),
        ("INSERT { ?s ?p 1 } WHERE { FILTER(" + "1+" * 501 + "1) }", "sparql_operators"),
        ("INSERT DATA { } ; " * 101, "sparql_operations at line 1, column 1801: at most 100"),
        ("PREFIX e: <x:> CLEAR <g> ; " * 101, "sparql_operations"),
    ],
)
def test_what_may_not_be_tried_is_refused(text: str, said: str | None) -> None:
    if said is None:
        check(text)  # the engine says what is wrong
        return
    with pytest.raises(RhizomeError, match=said):
        check(text)


def test_the_limit_of_operations_is_a_setting() -> None:
    assert len(check("INSERT DATA { } ; " * 100).operations) == 100
    text = "CLEAR <g> ; CLEAR <h> ;"
    assert len(check_update(text, Settings(sparql_operations=2)).operations) == 2
    with pytest.raises(QueryTooLargeError, match="sparql_operations"):
        check_update(text, Settings(sparql_operations=1))


def test_many_triples_are_data_and_no_pattern() -> None:
    triples = "<a> <b> 1 . " * 1_000
    assert check(f"INSERT DATA {{ {triples} GRAPH <g> {{ {triples} }} }}").is_data
    assert check("").operations == ()
    with pytest.raises(QuerySyntaxError):
        check(f"INSERT DATA {{ {triples} <a> }}")


# --- a prologue before each operation -----------------------------------------------------------


def run(text: str, source: str | None = None) -> list[str]:
    """What the parts of an update leave in a store, one line a quad."""
    store = ox.Store()
    checked = check_update(text, SETTINGS, source=source)
    for part in show_parts(checked.text, checked.parts):
        store.update(part)
    return sorted(str(quad).replace(f"^^<{XSD}integer>", "") for quad in store)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            "PREFIX s: <x:> INSERT DATA {s:a s:b 1} ; PREFIX t: <y:> INSERT DATA {t:a s:b 2}",
            ['<x:a> <x:b> "1"', '<y:a> <x:b> "2"'],
        ),
        (
            "PREFIX s: <x:> INSERT DATA {s:a s:b 1, 2, 3} ; DELETE DATA {s:a s:b 2} ; "
            "PREFIX s: <y:> INSERT DATA {s:a s:b 1} ; INSERT DATA {s:a s:b 2} ; "
            "PREFIX t: <x:> DELETE DATA {t:a t:b 3 . s:a s:b 2}",
            ['<x:a> <x:b> "1"', '<y:a> <y:b> "1"'],
        ),
        (
            "BASE <http://a/x/> INSERT DATA {<a> <b> 1} ; BASE <http://c/> INSERT DATA {<a> <b> 1}"
            " ; BASE <d/> PREFIX s: <e/> INSERT DATA {<a> <b> 1} ;"
            " BASE <http://f/> INSERT DATA {<a> s:a 1}",
            [
                '<http://a/x/a> <http://a/x/b> "1"',
                '<http://c/a> <http://c/b> "1"',
                '<http://c/d/a> <http://c/d/b> "1"',
                '<http://f/a> <http://c/d/e/a> "1"',
            ],
        ),
        (
            "INSERT DATA {<x:a> <x:b> 1} ; # PREFIX s: <y:>\nPREFIX s: <x:> # ;\r"
            "INSERT {s:c s:b ?x} WHERE {s:a s:b ?x} ; PREFIX t: <y:> ;",
            None,
        ),
        (
            "INSERT DATA {<x:a> <x:b> ';'} ; VERSION '1.2' PREFIX s: <x:>\n"
            "INSERT {s:c s:b ?x} WHERE {s:a s:b ?x} ; PREFIX t: <y:> # the end",
            ['<x:a> <x:b> ";"', '<x:c> <x:b> ";"'],
        ),
        ("PREFIX s: <x:>", []),
    ],
)
def test_each_operation_has_a_prologue(text: str, written: list[str] | None) -> None:
    if written is None:
        with pytest.raises(QuerySyntaxError, match="an update begins with"):
            run(text)
    else:
        assert run(text) == written


def test_one_prologue_is_one_part() -> None:
    assert check("PREFIX s: <x:> INSERT DATA {s:a s:b 1} ; CLEAR <g> ; ").parts == []
    assert len(check("CLEAR <g> ; BASE <x:> CLEAR <h> ; CLEAR <i> ; BASE <y:>").parts) == 3


def test_parts_stand_where_the_text_has_them() -> None:
    text = "CLEAR DEFAULT ;\n PREFIX s: <x:> INSERT DATA { s:a\n s:b 1 } ; \n"
    text += "PREFIX s: <y:>\nADD <g> TO <h>"
    checked = check(text)
    parts = show_parts(checked.text, checked.parts)
    assert [squeeze(part) for part in parts] == [
        f"CLEAR GRAPH <{S}> ;",
        f"PREFIX s: <x:> INSERT DATA {{ GRAPH <{S}> {{ s:a s:b 1 }} }} ;",
        "PREFIX s: <x:> PREFIX s: <y:> ADD <g> TO <h>",
    ]
    lines = checked.text.split("\n")
    for part in parts:
        for line, shown in zip(lines, part.split("\n"), strict=True):
            assert all(there in (" ", here) for here, there in zip(line, shown, strict=True))


def test_what_a_later_prologue_declares_holds_no_earlier() -> None:
    with pytest.raises(QuerySyntaxError, match="prefix `t:`"):
        check("INSERT DATA {t:a t:b 1} ; PREFIX t: <y:> INSERT DATA {t:a t:b 1}")


def test_the_pieces_and_graphs_have_the_prologue_that_holds() -> None:
    text = "PREFIX s: <x:> INSERT DATA {GRAPH s:g {s:a s:b 1}} ; PREFIX s: <y:> "
    checked = check(f"{text} INSERT DATA {{GRAPH s:g {{s:a s:b 1}}}}", None)
    assert [squeeze(prologue) for prologue, _ in checked.graphs or ()] == [
        "PREFIX s: <x:>",
        "PREFIX s: <x:> PREFIX s: <y:>",
    ]
    found = []
    for piece, _ in checked.pieces:
        store = ox.Store()
        store.update(piece)
        found += [quad.subject.value for quad in store]
    assert found == ["x:a", "y:a"]


@pytest.mark.parametrize("late", ["", "PREFIX s: <x:>"])
def test_a_blank_node_is_of_one_insert_data(late: str) -> None:
    text = f"INSERT DATA {{_:a <x:b> 1, _:a}} ; {late} INSERT DATA {{<x:a> <x:b> _:a}}"
    with pytest.raises(QuerySyntaxError, match="another label"):
        check(text)
    with pytest.raises(SyntaxError):
        ox.Store().update(text.replace(late, ""))
    apart = f"INSERT DATA {{_:a <x:b> 1}} ; {late} INSERT {{<x:a> <x:b> _:a}} WHERE {{}}"
    assert len(run(apart)) == 2
