"""A few quads in any format read back as they were; a description holds what it promises."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from graph.curation.describe import describe, is_known
from graph.errors import NotAcceptableError
from graph.store.prefixes import PREFIXES
from graph.store.rdf_text import write_quads
from graph.store.snapshot import Snapshot
from graph.terms import ENTITY, RZ, Quad
from tests.rdf import READ, read

GRAPH = f"<{ENTITY}source/s>"
QUADS: list[Quad] = [
    (f"<{ENTITY}organisation/b>", f"<{RZ}acronym>", '"B \\"x\\"\\n"', GRAPH),
    (f"<{ENTITY}organisation/a>", f"<{RZ}founded>", '"a < b & c"@fr', GRAPH),
    (f"<{ENTITY}organisation/a>", f"<{RZ}founded>", '"a < b & c"@fr', f"<{ENTITY}source/t>"),
    (f"<{ENTITY}organisation/a>", f"<{RZ}member>", f"<{ENTITY}organisation/b>", GRAPH),
]


@pytest.mark.parametrize("format", READ)
def test_quads_read_back_as_they_were(format: str) -> None:
    written = write_quads(reversed(QUADS), format, PREFIXES)
    assert written == write_quads(QUADS, format, PREFIXES)
    is_dataset = format in ("trig", "nq")
    expected = {quad if is_dataset else (*quad[:3], "") for quad in QUADS}
    assert read(written, format) == expected


def test_only_prefixes_that_are_needed_are_declared() -> None:
    text = write_quads(QUADS, "turtle", PREFIXES).decode()
    assert "@prefix organisation: <https://w3id.org/rhizome/id/organisation/> ." in text
    assert "skos:" not in text


@pytest.mark.parametrize(
    "quad",
    [
        (QUADS[0][0], "<https://example.org/1>", '"x"', GRAPH),
        (QUADS[0][0], f"<{RZ}acronym>", '"\\u0001"', GRAPH),
    ],
)
def test_what_xml_cannot_say_is_told(quad: Quad) -> None:
    with pytest.raises(NotAcceptableError, match="RDF/XML") as caught:
        write_quads([quad], "rdfxml", PREFIXES)
    assert "text/turtle" in caught.value.offered
    assert write_quads([quad], "nt", PREFIXES)


@pytest.fixture
def snapshot(client: TestClient) -> Snapshot:
    found: Snapshot = client.app.state.service.public_snapshot  # type: ignore[attr-defined]
    return found


VEGEPOLYS = f"<{ENTITY}organisation/vegepolys-valley>"


def test_a_description_holds_all_that_is_said_of_a_thing(snapshot: Snapshot) -> None:
    found = describe(snapshot, VEGEPOLYS, 10_000)
    assert not found.is_cut
    quads = set(found.quads)
    assert set(snapshot.quads_of(VEGEPOLYS)) <= quads
    assert set(snapshot.quads_to(VEGEPOLYS)) <= quads
    titles = {s for s, p, _, _ in quads if p == "<http://purl.org/dc/terms/title>"}
    assert {g for _, _, _, g in snapshot.quads_of(VEGEPOLYS)} <= titles


def test_evidence_is_described_whole(snapshot: Snapshot) -> None:
    memorandum = f"<{ENTITY}memorandum/plant-intercluster-common>"
    quads = set(describe(snapshot, memorandum, 10_000).quads)
    evidence = snapshot.values(memorandum, f"{RZ}evidence")
    assert evidence
    for each in evidence:
        assert set(snapshot.quads_of(each)) <= quads


def test_a_description_is_cut_where_it_must_be(snapshot: Snapshot) -> None:
    whole = describe(snapshot, VEGEPOLYS, 10_000).quads
    found = describe(snapshot, VEGEPOLYS, 10)
    assert found.is_cut
    assert found.quads[:10] == whole[:10]


def test_what_nobody_speaks_of_is_not_known(snapshot: Snapshot) -> None:
    assert is_known(snapshot, VEGEPOLYS)
    assert is_known(snapshot, f"<{ENTITY}concept/sector--mushrooms>")
    assert not is_known(snapshot, f"<{ENTITY}organisation/nobody>")
    assert not is_known(snapshot, f"<{RZ}acronym>")
