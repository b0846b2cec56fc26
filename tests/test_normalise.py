from __future__ import annotations

import random
import time
import unicodedata
from itertools import pairwise

import pyoxigraph
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graph.curation.lexical import CORE, LexicalError, canonical
from graph.curation.messages import MESSAGES, say
from graph.curation.normalise import Normalised, normalise, normalise_term
from graph.curation.skolem import GENID
from graph.errors import BadValueError
from graph.settings import Settings
from graph.terms import XSD, Quad, write_literal
from tests.strategies import datasets, iris, literals, texts

SETTINGS = Settings()
S, P, G = "<https://e.org/s>", "<https://e.org/p>", "<https://e.org/g>"


def _one(value: str) -> Normalised:
    return normalise([(S, P, value, G)], SETTINGS)


def _kept(value: str) -> str:
    return normalise_term(value, SETTINGS)


def _typed(value: str, name: str) -> str:
    return f'"{value}"^^<{XSD}{name}>'


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (("007", "integer"), ("7", "integer")),
        (("+7", "int"), ("7", "integer")),
        (("-0", "integer"), ("0", "integer")),
        (("255", "unsignedByte"), ("255", "integer")),
        (("0099999999999999999999999", "integer"), ("99999999999999999999999", "integer")),
        (("1.0", "decimal"), ("1", "decimal")),
        (("+.50", "decimal"), ("0.5", "decimal")),
        (("-0.0", "decimal"), ("0", "decimal")),
        (("-012.340", "decimal"), ("-12.34", "decimal")),
        (("5.", "decimal"), ("5", "decimal")),
        (("1.5E3", "double"), ("1500", "decimal")),
        (("0.1", "float"), ("0.1", "decimal")),
        (("2.5e-3", "double"), ("0.0025", "decimal")),
        (("1", "boolean"), ("true", "boolean")),
        (("0", "boolean"), ("false", "boolean")),
        (("2020-01-01+00:00", "date"), ("2020-01-01Z", "date")),
        (("2020-01-01-00:00", "date"), ("2020-01-01Z", "date")),
        (("2020-01-01+02:00", "date"), ("2020-01-01+02:00", "date")),
        (("2020-12-31T24:00:00", "dateTime"), ("2021-01-01T00:00:00", "dateTime")),
        (("2020-01-01T10:00:00.500Z", "dateTimeStamp"), ("2020-01-01T10:00:00.5Z", "dateTime")),
        (("2020-01-01T10:00:00.000+00:00", "dateTime"), ("2020-01-01T10:00:00Z", "dateTime")),
        (("2020+00:00", "gYear"), ("2020Z", "gYear")),
        (("fr", "language"), ("fr", "string")),
        (("https://e.org/ü", "anyURI"), ("https://e.org/ü", "anyURI")),
    ],
)
def test_literals_are_kept_in_one_form(given_: tuple[str, str], kept: tuple[str, str]) -> None:
    assert _kept(_typed(*given_)) == write_literal(kept[0], XSD + kept[1])


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("1e1000000000", "decimal"),
        ("1e1000000000", "double"),
        ("1e9999", "double"),
        ("NaN", "double"),
        ("INF", "float"),
        ("3.0", "integer"),
        (" 1 ", "integer"),
        ("", "integer"),
        (".", "decimal"),
        ("٣", "integer"),
        ("256", "unsignedByte"),
        ("-1", "nonNegativeInteger"),
        ("TRUE", "boolean"),
        ("2020-02-30", "date"),
        ("2020-13-01", "date"),
        ("0000-01-01", "date"),
        ("12020-01-01", "date"),
        ("2020-1-1", "date"),
        ("2020-01-01+15:00", "date"),
        ("December 2020", "date"),
        ("2020-01-01T10:00:60Z", "dateTime"),
        ("9999-12-31T24:00:00", "dateTime"),
        ("2020-01-01", "dateTime"),
        ("0000", "gYear"),
        ("20", "gYear"),
    ],
)
def test_what_is_no_value_of_its_datatype_is_refused(value: str, name: str) -> None:
    (violation,) = _one(_typed(value, name)).violations
    assert violation.constraint == "datatype"
    assert f"xsd:{name}" in violation.message
    assert (violation.focus_node, violation.path, violation.graph) == (S, P, G[1:-1])


@pytest.mark.parametrize("name", ["duration", "time", "gMonthDay", "hexBinary", "nothing"])
def test_other_datatypes_are_refused_with_the_known_ones(name: str) -> None:
    (violation,) = _one(_typed("x", name)).violations
    assert "xsd:date" in violation.message
    (violation,) = _one('"x"^^<https://e.org/datatype>').violations
    assert "https://e.org/datatype" in violation.message


numbers = st.from_regex(r"[+-]?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
times = st.one_of(
    st.datetimes().map(lambda t: t.isoformat()),
    st.builds(
        lambda t, z: t.isoformat(timespec="milliseconds") + z,
        st.datetimes(),
        st.sampled_from(["Z", "+00:00", "-00:00", "+14:00", "-03:30"]),
    ),
)
days = st.builds(
    lambda d, z: d.isoformat() + z, st.dates(), st.sampled_from(["", "Z", "+00:00", "-05:00"])
)


@given(
    st.one_of(numbers, times, days, st.sampled_from(["true", "0", "2020", "2020+00:00"])),
    st.sampled_from([*CORE, "int", "double", "float", "long", "dateTimeStamp"]),
)
def test_the_kept_form_is_what_oxigraph_stores(value: str, name: str) -> None:
    try:
        kept, datatype = canonical(value, XSD + name)
    except LexicalError:
        return
    assert canonical(kept, datatype) == (kept, datatype)
    store = pyoxigraph.Store()
    node = pyoxigraph.NamedNode("https://e.org/s")
    literal = pyoxigraph.Literal(kept, datatype=pyoxigraph.NamedNode(datatype))
    store.add(pyoxigraph.Quad(node, node, literal))
    (stored,) = store
    assert str(stored.object) == write_literal(kept, datatype)


@given(st.one_of(literals, iris))
def test_written_terms_are_read_by_oxigraph_as_they_are(term: str) -> None:
    kept = _kept(term)
    (quad,) = pyoxigraph.parse(f"{S} {P} {kept} {G} .", format=pyoxigraph.RdfFormat.N_QUADS)
    assert str(quad.object) == kept
    assert _kept(kept) == kept


@given(texts)
def test_any_text_is_kept_in_a_form_that_stays(text: str) -> None:
    kept = _kept(write_literal(text))
    assert _kept(kept) == kept


@given(datasets)
def test_what_is_kept_is_kept_again_as_it_is(quads: frozenset[Quad]) -> None:
    once = normalise(quads, SETTINGS)
    assert once.violations == ()
    assert normalise(once.quads, SETTINGS).quads == once.quads


def test_texts_are_composed_and_tags_lower_case() -> None:
    assert _kept('"cafe\u0301"@FR-be') == '"café"@fr-be'
    assert _kept("<https://e.org/cafe\u0301>") == "<https://e.org/café>"
    assert _kept('"tab\there"') == '"tab\\there"'


@pytest.mark.parametrize("code", [0x00, 0x07, 0x0B, 0x1B, 0x7F, 0xFFFE])
def test_control_characters_are_refused(code: int) -> None:
    (violation,) = _one(write_literal(f"a{chr(code)}b")).violations
    assert violation.message == say("controlCharacter", code=f"{code:04X}")


def test_half_of_a_surrogate_pair_is_refused() -> None:
    for value in ('"\ud800"', '"a\\uD800"'):
        (violation,) = _one(value).violations
        assert violation.message == say("surrogate")
    (violation,) = _one("<https://e.org/\udfff>").violations
    assert violation.constraint == "nodeKind"


def test_long_terms_are_refused_and_shown_short() -> None:
    assert _one(write_literal("é" * 32_768)).violations == ()
    (violation,) = _one(write_literal("é" * 32_769)).violations
    assert violation.constraint == "maxLength"
    assert "65538" in violation.message
    assert violation.value is not None
    assert len(violation.value) < 250
    (violation,) = _one(f"<https://e.org/{'x' * 2_048}>").violations
    assert "2062 bytes" in violation.message
    (violation,) = _one(_typed("9" * 65, "integer")).violations
    assert "65 characters" in violation.message


@pytest.mark.parametrize(
    ("term", "key"),
    [
        ("<no-scheme>", "relativeIri"),
        ("<>", "relativeIri"),
        ("<https://e.org/a b>", "relativeIri"),
        ('"x"@en--ltr', "unknownTerm"),
        ("<<( <a:b> <a:c> <a:d> )>>", "unknownTerm"),
    ],
)
def test_odd_terms_are_refused(term: str, key: str) -> None:
    assert [v.message for v in _one(term).violations] == [say(key)]


def test_bad_tags_and_schemes_are_named() -> None:
    (violation,) = _one('"x"@abcdefghijk').violations
    assert "'abcdefghijk'" in violation.message
    (violation,) = _one("<JavaScript:alert(1)>").violations
    assert "javascript:" in violation.message
    with pytest.raises(BadValueError, match="javascript"):
        _kept("<javascript:alert(1)>")


@pytest.mark.parametrize("scheme", ["javascript", "JavaScript", "data", "vbscript", "file", "blob"])
def test_addresses_as_literals_are_checked_as_iris_are(scheme: str) -> None:
    datatype = f"{XSD}anyURI"
    (violation,) = _one(write_literal(f"{scheme}:alert(1)", datatype)).violations
    assert violation.constraint == "datatype"
    assert violation.message == say("iriScheme", scheme=scheme.lower())
    for wrong in ("", "page.html", "//e.org/a", "https://e.org/a b", " https://e.org/", "a"):
        (violation,) = _one(write_literal(wrong, datatype)).violations
        assert violation.message == say("relativeIri")
    long = "https://e.org/" + "a" * SETTINGS.iri_bytes
    (violation,) = _one(write_literal(long, datatype)).violations
    assert violation.constraint == "maxLength"
    kept = write_literal("https://e.org/a?b=%20#c", datatype)
    assert _kept(kept) == kept


def test_each_place_takes_its_kind_of_term() -> None:
    quads: list[Quad] = [('"s"', P, S, G), (S, "_:p", S, G), (S, P, S, "_:g"), (S, P, S, G)]
    result = normalise(quads, SETTINGS, language="fr")
    assert result.quads == ((S, P, S, G),)
    assert [v.message for v in result.violations] == [
        say("relativeIri", "fr"),
        say("predicateIri", "fr"),
        say("graphIri", "fr"),
    ]


def test_statements_without_a_graph_need_a_source() -> None:
    (violation,) = normalise([(S, P, S, "")], SETTINGS).violations
    assert "--graph" in violation.message
    assert normalise([(S, P, S, "")], SETTINGS, graph="https://e.org/g").quads == ((S, P, S, G),)


def test_named_graphs_of_a_file_stay_when_a_source_is_given() -> None:
    kept = normalise([(S, P, S, G), (S, P, P, "")], SETTINGS, graph="https://e.org/h").quads
    assert kept == ((S, P, S, G), (S, P, P, "<https://e.org/h>"))


def test_every_message_is_in_both_languages_with_the_same_fields() -> None:
    import string

    for key, (english, french) in MESSAGES.items():
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(text) if name}
            for text in (english, french)
        ]
        assert fields[0] == fields[1], key
        assert english != french, key


_PIECES = (
    "[", "]", ":", "/", "?", "#", "@", "%", "%4", "%41", "::1", "1.2.3.4", "v1.a", "port", "80",
    "e.org", "a", "..", "//", "'", "\u00e9", "\ue000", "\u00ad", "\U000e0001",
)  # fmt: skip


@given(
    st.lists(
        st.sampled_from(_PIECES),
        max_size=6,
    ).map("".join),
    st.sampled_from(["http://", "https://e.org", "https://", "urn:", "x:/", "a", ""]),
)
@example("[bad", "http://")
@example(":port/", "https://e.org")
def test_only_iris_that_the_sparql_store_reads_are_kept(tail: str, start: str) -> None:
    iri = f"{start}{tail}"
    result = normalise([(f"<{iri}>", P, f"<{iri}>", f"<{iri}>")], SETTINGS)
    try:
        pyoxigraph.NamedNode(unicodedata.normalize("NFC", iri))
    except ValueError:
        assert not result.quads
        assert {v.constraint for v in result.violations} == {"nodeKind"}
        return
    ((subject, predicate, value, graph),) = result.quads
    line = f"{subject} {predicate} {value} {graph} .".encode()
    (quad,) = pyoxigraph.parse(line, format=pyoxigraph.RdfFormat.N_QUADS)
    assert str(quad.subject) == subject


# --- blank nodes -------------------------------------------------------------------------------


def _graph_of(text: str) -> list[Quad]:
    parsed = pyoxigraph.parse(text, format=pyoxigraph.RdfFormat.TURTLE)
    return [(str(q.subject), str(q.predicate), str(q.object), "") for q in parsed]


def _named(text: str, graph: str = "https://e.org/g") -> frozenset[Quad]:
    result = normalise(_graph_of(text), SETTINGS, graph=graph)
    assert result.violations == ()
    assert not any("_:" in term for quad in result.quads for term in quad)
    return frozenset(result.quads)


EVIDENCE = (
    '@prefix : <https://e.org/> . :a :evidence [ :source :s ; :quote "q" ; :in [ :page 3 ] ] .'
)


def test_the_same_text_read_again_gives_the_same_nodes() -> None:
    once, again = _named(EVIDENCE), _named(EVIDENCE)
    assert once == again
    assert sum(GENID in quad[0] for quad in once) == 4


def test_other_statements_do_not_change_a_blank_node() -> None:
    more = EVIDENCE + ' :b :evidence [ :source :s ; :quote "r" ] . :a :p 1 .'
    assert _named(EVIDENCE) < _named(more)


def test_blank_nodes_differ_by_graph_and_by_content() -> None:
    here, there = _named(EVIDENCE), _named(EVIDENCE, "https://e.org/other")
    other = _named(EVIDENCE.replace('"q"', '"r"'))
    nodes = [{q[0] for q in quads if GENID in q[0]} for quads in (here, there, other)]
    assert all(a.isdisjoint(b) for a, b in pairwise([*nodes, nodes[0]]))


def test_a_node_in_two_graphs_stays_one() -> None:
    text = '_:a <a:p> "1" <a:g> . _:a <a:p> "2" <a:h> .'
    parsed = pyoxigraph.parse(text.replace(" . ", " .\n"), format=pyoxigraph.RdfFormat.N_QUADS)
    quads = [(str(q.subject), str(q.predicate), str(q.object), str(q.graph_name)) for q in parsed]
    assert len({q[0] for q in normalise(quads, SETTINGS).quads}) == 1


@pytest.mark.parametrize(
    "text",
    [
        ":s :p [ :v 1 ] , [ :v 1 ] , [ :v 1 ] .",
        ":s :p [ :q [ :v 1 ] , [ :v 1 ] ] .",
        ":s :list ( 1 1 1 1 1 1 1 ) .",
        "_:a :p _:b . _:b :p _:c . _:c :p _:a .",
        "_:a :p _:a , _:b . _:b :p _:b , _:a .",
        " ".join(f"_:n{a} :p _:n{b} ." for a in range(9) for b in range(9) if a != b),
        ":s :p " + " , ".join("[ :q [ :v 1 ] , [ :v 2 ] ]" for _ in range(12)) + " .",
    ],
)
def test_no_two_nodes_become_one_and_labels_do_not_matter(text: str) -> None:
    prefix = "@prefix : <https://e.org/> . "
    quads = _graph_of(prefix + text)
    blank = sorted({term for quad in quads for term in quad if term.startswith("_:")})
    named = _named(prefix + text)
    assert len({t for q in named for t in q if GENID in t}) == len(blank)
    shuffled = list(blank)
    random.Random(3).shuffle(shuffled)
    other = dict(zip(blank, shuffled, strict=True))
    relabelled = [tuple(other.get(t, t) for t in quad) for quad in quads]
    random.Random(4).shuffle(relabelled)
    again = normalise(relabelled, SETTINGS, graph="https://e.org/g")  # type: ignore[arg-type]
    assert frozenset(again.quads) == named


def test_the_named_graph_is_the_graph_that_was_written() -> None:
    text = "@prefix : <https://e.org/> . :s :p [ :q [ :v 1 ] , [ :v 1 ] ; :r ( 1 2 [] ) ] ."
    before = pyoxigraph.Dataset(
        pyoxigraph.Quad(t.subject, t.predicate, t.object)
        for t in pyoxigraph.parse(text, format=pyoxigraph.RdfFormat.TURTLE)
    )
    back = "\n".join(
        " ".join(f"_:{t[1:-1].rpartition('/')[2]}" if GENID in t else t for t in quad[:3]) + " ."
        for quad in _named(text)
    )
    after = pyoxigraph.Dataset(
        pyoxigraph.Quad(t.subject, t.predicate, t.object)
        for t in pyoxigraph.parse(back, format=pyoxigraph.RdfFormat.N_TRIPLES)
    )
    for dataset in (before, after):
        dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    assert before == after


def test_work_on_entangled_nodes_is_bounded() -> None:
    n = 20_000
    chain: list[Quad] = [(f"_:b{i}", P, f"_:b{i + 1}", G) for i in range(n)]
    began = time.process_time()
    result = normalise([*chain, (S, P, '"kept"', G)], SETTINGS)
    assert time.process_time() - began < 20
    assert result.quads == ((S, P, '"kept"', G),)
    (violation,) = result.violations
    assert violation.message == say("entangled")
    assert violation.focus_node.startswith("_:b")


def test_many_small_blank_nodes_are_named_quickly() -> None:
    quads: list[Quad] = []
    for i in range(20_000):
        quads += [(S, P, f"_:b{i}", G), (f"_:b{i}", P, f'"{i}"', G)]
    began = time.process_time()
    result = normalise(quads, SETTINGS)
    assert time.process_time() - began < 15
    assert result.violations == ()
    assert len({q[2] for q in result.quads if GENID in q[2]}) == 20_000
