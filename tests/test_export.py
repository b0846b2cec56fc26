from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyoxigraph
import pytest
import rdflib
from hypothesis import HealthCheck, given, settings

from graph.curation.context import build_context, build_terms
from graph.curation.export import export
from graph.curation.formats import (
    JSON_LD,
    N_QUADS,
    N_TRIPLES,
    RDF_XML,
    TRIG,
    TURTLE,
    Format,
    Upload,
    read_own,
)
from graph.curation.gate import Gate
from graph.curation.normalise import normalise
from graph.curation.seeding import seed
from graph.errors import BadValueError, UnknownTermError
from graph.settings import Settings
from graph.store.dataset import Dataset
from graph.terms import RDF_TYPE, XSD, Quad, hash_dataset, write_literal
from tests.require import ROOT
from tests.samples import SETTINGS, base, model, snapshot_of
from tests.strategies import datasets

WITH_GRAPHS = (TRIG, N_QUADS, JSON_LD)
MERGED = (TURTLE, N_TRIPLES, RDF_XML)
S, G = "<https://e.org/s>", "<https://e.org/g>"
SKOS = "http://www.w3.org/2004/02/skos/core#"


def _written(quads: Sequence[Quad], format: Format) -> bytes:
    return b"".join(export(snapshot_of(tuple(quads)), format))


def _read(data: bytes, format: Format) -> set[Quad]:
    return set(normalise(read_own(Upload("x", format, data)), SETTINGS, "a:default").quads)


def _is_sayable(quad: Quad) -> bool:
    """Tell whether RDF/XML can say a quad: whether an export of it alone is not refused."""
    try:
        export(snapshot_of([quad]), RDF_XML)
    except BadValueError:
        return False
    return True


def _merge(quads: Iterable[Quad]) -> set[Quad]:
    return {(s, p, o, "<a:default>") for s, p, o, _ in quads}


# Values at odds with what their terms announce, names that cannot be shortened, odd schemes.
ODD: list[Quad] = [
    (S, f"<{SKOS}prefLabel>", '"no language"', G),
    (S, f"<{SKOS}prefLabel>", '"one"@en', G),
    (S, f"<{SKOS}prefLabel>", '"two"@en', G),
    (S, f"<{SKOS}prefLabel>", '"trois"@fr', G),
    (S, f"<{SKOS}prefLabel>", "<https://e.org/iri>", G),
    (S, "<http://www.w3.org/ns/org#member>", '"a text where a node should be"', G),
    (S, "<http://www.w3.org/ns/org#member>", '"a tag"@en', G),
    (S, "<https://w3id.org/rhizome/ontology#startedEarliest>", '"2020"', G),
    (S, "<https://w3id.org/rhizome/ontology#startedEarliest>", f'"2020-01-01"^^<{XSD}date>', G),
    (S, "<https://w3id.org/rhizome/ontology#rank>", f'"7"^^<{XSD}integer>', G),
    (S, "<https://w3id.org/rhizome/ontology#rank>", f'"-{2**70}"^^<{XSD}integer>', G),
    (S, "<https://w3id.org/rhizome/ontology#rank>", f'"0.5"^^<{XSD}decimal>', G),
    (S, "<https://w3id.org/rhizome/ontology#rank>", f'"true"^^<{XSD}boolean>', G),
    (S, "<https://w3id.org/rhizome/ontology#rank>", '"7"', G),
    (S, "<https://w3id.org/rhizome/ontology#rank>", "<role:x>", G),
    (S, "<schema:foo>", "<skos:bar>", "<rz:g>"),
    (S, RDF_TYPE, "<https://w3id.org/rhizome/ontology#Cluster>", G),
    (S, RDF_TYPE, "<https://e.org/Unknown>", G),
    (S, RDF_TYPE, '"odd"', G),
    ("<urn:uuid:1>", "<https://e.org/a.b>", "<https://e.org/a.b.>", G),
    (
        "<https://w3id.org/rhizome/id/site/-a>",
        "<https://e.org/p>",
        "<https://w3id.org/rhizome/id/>",
        G,
    ),
    ("<https://w3id.org/rhizome/id/é/b>", "<https://e.org/p/>", "<https://e.org/#>", G),
    ("<https://w3id.org/rhizome/id/a/b/c>", "<https://e.org/p>", "<https://e.org/@id>", G),
    (S, "<https://e.org/p>", write_literal('"""\\\n\t\r\u2028 </script> @prefix . ^^'), G),
    (S, "<https://e.org/p>", write_literal("@id"), G),
    (S, "<https://e.org/p>", '""', G),
]
# Predicates that end in no XML name.
UNNAMED = {"<https://e.org/a.b>", "<https://e.org/p/>"}


@pytest.mark.parametrize("format", [*WITH_GRAPHS, *MERGED], ids=lambda f: f.key)
def test_odd_values_read_back(format: Format) -> None:
    left_out = {JSON_LD: {'"odd"'}, RDF_XML: UNNAMED}.get(format, set())
    quads = [quad for quad in ODD if not left_out & set(quad)]
    expected = set(quads) if format.is_dataset else _merge(quads)
    assert _read(_written(quads, format), format) == expected


@pytest.mark.parametrize("format", [*WITH_GRAPHS, *MERGED], ids=lambda f: f.key)
@given(quads=datasets)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_dataset_reads_back(format: Format, quads: frozenset[Quad]) -> None:
    if format is RDF_XML:
        quads = frozenset(quad for quad in quads if _is_sayable(quad))
    expected = set(quads) if format.is_dataset else _merge(quads)
    assert _read(_written(sorted(quads), format), format) == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rdflib warns of itself
@pytest.mark.parametrize("format", WITH_GRAPHS, ids=lambda f: f.key)
def test_rdflib_reads_the_same(format: Format) -> None:
    names = {"trig": "trig", "nq": "nquads", "jsonld": "json-ld"}
    exported, given_ = rdflib.Dataset(), rdflib.Dataset()
    exported.parse(data=_written(base(), format), format=names[format.key])
    given_.parse(data="".join(f"{' '.join(quad)} .\n" for quad in base()), format="nquads")
    assert set(exported.quads()) == set(given_.quads())
    assert len(set(exported.quads())) == len(base())


def test_an_empty_dataset_is_well_formed() -> None:
    for format in (*WITH_GRAPHS, *MERGED):
        assert _read(_written((), format), format) == set()
    assert json.loads(_written((), JSON_LD))["@graph"] == []


def test_lines_are_canonical_and_sorted() -> None:
    text = _written(base(), N_QUADS).decode()
    lines = text.splitlines(keepends=True)
    assert lines == sorted(f"{s} {p} {o} {g} .\n" for s, p, o, g in base())
    merged = _written(base(), N_TRIPLES).decode().splitlines(keepends=True)
    assert merged == sorted({f"{s} {p} {o} .\n" for s, p, o, _ in base()})


def test_two_exports_are_the_same_bytes_whatever_the_history() -> None:
    shuffled = sorted(base(), key=lambda quad: hash_dataset([quad]))
    for format in (*WITH_GRAPHS, *MERGED):
        assert _written(base(), format) == _written(shuffled, format)


def test_trig_reads_well() -> None:
    text = _written(base(), TRIG).decode()
    assert "@prefix organisation: <https://w3id.org/rhizome/id/organisation/> .\n" in text
    block = (
        "\n  organisation:a a rz:Cluster ;\n"
        '    skos:prefLabel "Pole Alpha"@en ;\n    rz:acronym "PA" .\n'
    )
    assert block in text
    assert text.count("{\n") == 2
    assert "rz:statedPartyCount 3 ;" in text


def test_json_ld_is_compacted_with_our_context() -> None:
    document: dict[str, Any] = json.loads(_written(base(), JSON_LD))
    assert document["@context"] == build_context(model())
    one, two = document["@graph"]
    assert one["@id"].endswith("source/one")
    nodes = {node["@id"].rpartition("/id/")[2]: node for node in one["@graph"]}
    assert nodes["organisation/a"] == {
        "@id": "https://w3id.org/rhizome/id/organisation/a",
        "@type": "Cluster",
        "prefLabel": {"en": "Pole A", "fr": "Pôle A"},
        "country": "http://publications.europa.eu/resource/authority/country/FRA",
    }
    assert nodes["memorandum/m"]["statedPartyCount"] == 3
    assert nodes["membership/a--n--member"]["startedEarliest"] == "2011-01-01"
    assert two["@id"].endswith("source/two")


def test_every_predicate_has_one_term() -> None:
    terms = build_terms(model())
    forward = {p for c in model().classes.values() for f in c.own_fields for p in f.predicates}
    inverse_only = forward - terms.keys()
    assert inverse_only == set()
    names = [term.name for term in terms.values()]
    assert len(names) == len(set(names))
    assert not {name for name in names if ":" in name or name.startswith("@")}


@pytest.mark.generated
def test_the_committed_context_is_current(assert_current: Any) -> None:
    document = {"@context": build_context(model())}
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"
    assert_current(ROOT / "ontology" / "context.jsonld", text)


def test_formats_that_are_not_written_are_named() -> None:
    unknown = Format("hdt", "HDT", ("application/vnd.hdt",), (".hdt",), False)
    with pytest.raises(UnknownTermError, match="trig"):
        export(snapshot_of(()), unknown)


def test_pieces_are_neither_tiny_nor_huge() -> None:
    quads = [
        (f"<https://e.org/{n:05}>", "<https://e.org/p>", f'"{"x" * 90}{n}"', G)
        for n in range(3_000)
    ]
    pieces = list(export(snapshot_of(quads), N_QUADS))
    assert len(pieces) > 3
    assert all(60_000 < len(piece) < 200_000 for piece in pieces[:-1])


def test_what_rdf_xml_cannot_say_is_refused_before_the_first_byte() -> None:
    for quad in (
        (S, "<https://e.org/p/>", '"x"', G),
        (S, "<https://e.org/p>", write_literal("a\x01b"), G),
    ):
        with pytest.raises(BadValueError, match="ask for turtle"):
            export(snapshot_of([quad]), RDF_XML)
    line_break = (S, "<https://e.org/p>", write_literal('a\r\nb <&> "c"'), G)
    assert _read(_written([line_break], RDF_XML), RDF_XML) == _merge([line_break])


def test_lines_of_a_subject_with_many_statements_stay_together() -> None:
    quads = [
        (f"<https://e.org/{n}>", "<https://e.org/p>", f'"{m}"', f"<https://e.org/g{m % 3}>")
        for n in (7, 10, 1)
        for m in range(1_500)
    ]
    lines = _written(quads, N_QUADS).decode().splitlines()
    assert lines == sorted(f"{' '.join(quad)} ." for quad in quads)
    assert _read(_written(quads, TRIG), TRIG) == set(quads)
    assert _written(quads, TRIG).count(b" {\n") == 3


# --- there and back ------------------------------------------------------------------------------


def _canonical(quads: Iterable[Quad]) -> str:
    lines = "".join(f"{' '.join(quad)} .\n" for quad in quads)
    dataset = pyoxigraph.Dataset(pyoxigraph.parse(lines, format=pyoxigraph.RdfFormat.N_QUADS))
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    return "".join(sorted(f"{quad} .\n" for quad in dataset))


@pytest.mark.parametrize("format", WITH_GRAPHS, ids=lambda f: f.key)
def test_an_export_loaded_into_an_empty_store_is_the_same_dataset(
    tmp_path: Path, format: Format
) -> None:
    gates = []
    for name in ("one", "two"):
        own = Settings(store=tmp_path / name)
        gates.append(Gate(Dataset.open(own, model(), with_store=False), model(), own))
    first, second = gates
    seed(first, ROOT / "seeds")
    path = tmp_path / f"export{format.suffixes[0]}.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.writelines(export(first.dataset.snapshot, format))
    second.load([path])
    before, after = first.dataset.snapshot, second.dataset.snapshot
    assert before.quad_count > 5_000
    assert (before.dataset_hash, before.quad_count) == (after.dataset_hash, after.quad_count)
    assert _canonical(before.quads()) == _canonical(after.quads())
    for gate in gates:
        gate.dataset.close()
