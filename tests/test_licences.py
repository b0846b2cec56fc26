"""No place claims one licence for all where a source states another: each names all of them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pyoxigraph
import pytest
from starlette.testclient import TestClient

from graph.analysis.network_files import write_network
from graph.analysis.package import METADATA, write_crate
from graph.analysis.projection import ProjectionParameters
from graph.curation.attribution import read_sources, write_attribution
from graph.curation.citation import read_edition, write_cff, write_text
from graph.curation.excerpt import Excerpt
from graph.curation.geojson import write_sites
from graph.curation.licences import (
    COMPILATION,
    Licence,
    name_licence,
    read_licences,
    write_licences,
)
from graph.curation.table_export import write_tables
from graph.store.snapshot import Snapshot
from graph.terms import RDF_TYPE, RZ, XSD, Quad
from tests.questioning import BY_NUMBER
from tests.rdf import read
from tests.samples import base, iri, snapshot_of
from tests.writing import Client, http

__all__ = ["http"]  # fixture

DCT = "http://purl.org/dc/terms/"
OTHER = "https://creativecommons.org/licenses/by-nc-sa/4.0/"
SOURCE = iri("source/two")


def _fields(cff: str) -> dict[str, str]:
    """Return the fields of a CITATION.cff that stand on one line."""
    lines = [line.split(": ", 1) for line in cff.splitlines() if not line.startswith(" ")]
    return {name: value.strip('"') for name, value in (line for line in lines if len(line) == 2)}


def _with(*licences: str, source: str = SOURCE, more: Sequence[Quad] = ()) -> Snapshot:
    stated = [(source, f"<{DCT}license>", f"<{licence}>", SOURCE) for licence in licences]
    return snapshot_of([*base(), *stated, *more])


@pytest.mark.parametrize(
    ("address", "spdx", "title"),
    [
        (COMPILATION.iri, "CC-BY-4.0", "CC BY 4.0"),
        (OTHER, "CC-BY-NC-SA-4.0", "CC BY-NC-SA 4.0"),
        ("http://creativecommons.org/licenses/by/4.0", "CC-BY-4.0", "CC BY 4.0"),
        (
            "https://creativecommons.org/licenses/by-nd/3.0/legalcode",
            "CC-BY-ND-3.0",
            "CC BY-ND 3.0",
        ),
        ("https://creativecommons.org/licenses/by/3.0/fr/", "", ""),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/deed.fr", "CC0-1.0", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/legalcode", "CC0-1.0", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/fr/", "", ""),
        ("https://creativecommons.org/licenses/by/4.0/deed.pt_BR", "CC-BY-4.0", "CC BY 4.0"),
        ("https://opendatacommons.org/licenses/odbl/1-0/", "ODbL-1.0", "ODbL-1.0"),
        ("https://spdx.org/licenses/cc-by-4.0", "CC-BY-4.0", "CC BY 4.0"),
        ("https://SPDX.org/licenses/odbl-1.0.HTML", "ODbL-1.0", "ODbL-1.0"),
        ("https://spdx.org/licenses/etalab-2.0.html", "etalab-2.0", "etalab-2.0"),
        ("https://e.org/terms", "", ""),
    ],
)
def test_a_licence_has_the_name_that_people_know(address: str, spdx: str, title: str) -> None:
    licence = name_licence(address)
    assert (licence.spdx, licence.title) == (spdx, title or address)


def test_the_licence_of_the_compilation_comes_first_then_those_of_sources() -> None:
    own = Licence(COMPILATION.iri, "CC-BY-4.0")
    other = Licence(OTHER, "CC-BY-NC-SA-4.0")
    assert read_licences(snapshot_of(())) == (own,)
    assert read_licences(snapshot_of(base())) == (own,)
    assert read_licences(_with("http://creativecommons.org/licenses/by/4.0/deed.fr")) == (own,)
    assert read_licences(_with(OTHER)) == (own, other)
    terms = Licence("https://e.org/terms", "")
    assert read_licences(_with(OTHER, terms.iri)) == (own, other, terms)
    assert read_licences(_with(OTHER, source=iri("project/p"))) == (own,)  # no source
    spdx = _with("https://spdx.org/licenses/ETALAB-2.0", "https://spdx.org/licenses/etalab-2.0")
    assert len(read_licences(spdx)) == 2


def test_a_source_states_no_licence_of_another() -> None:
    one = iri("source/one")
    third = (one, f"<{DCT}license>", "<https://e.org/third-party-licence>", SOURCE)
    trusted = (SOURCE, f"<{RZ}sourceRank>", f'"90"^^<{XSD}integer>', SOURCE)
    for snapshot in (_with(more=[third]), _with(more=[third, trusted])):
        assert read_licences(snapshot) == (COMPILATION,)
        assert [source.licence for source in read_sources(snapshot)] == ["", ""]
    own = (one, f"<{DCT}license>", f"<{OTHER}>", one)
    both = _with(more=[third, trusted, own])
    assert [licence.iri for licence in read_licences(both)] == [COMPILATION.iri, OTHER]
    assert [source.licence for source in read_sources(both)] == [OTHER, ""]


def test_a_graph_has_the_licences_that_sources_state_of_themselves() -> None:
    one, terms = iri("source/one"), f"<{DCT}license>"
    third = (one, terms, "<https://e.org/third-party-licence>", SOURCE)
    quads = [*base(), third, (one, terms, f"<{OTHER}>", one)]
    store = pyoxigraph.Store()
    for part in (quads, [(*quad[:3], "") for quad in quads]):
        text = "".join(f"{' '.join(quad)} .\n" for quad in part)
        store.load(text.encode(), format=pyoxigraph.RdfFormat.N_QUADS)
    graph = store.query(BY_NUMBER[42].graph({"network": iri("network/n")[1:-1]}))
    assert isinstance(graph, pyoxigraph.QueryTriples)
    stated = {str(triple.object) for triple in graph if str(triple.predicate) == terms}
    assert stated == {f"<{COMPILATION.iri}>", f"<{OTHER}>"}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_phrase_names_every_licence(language: str) -> None:
    assert write_licences((COMPILATION,), language) == f"CC BY 4.0 ({COMPILATION.iri})"
    licences = (COMPILATION, name_licence(OTHER), name_licence("https://e.org/terms"))
    said = write_licences(licences, language)
    assert said.endswith(f"CC BY-NC-SA 4.0 ({OTHER}), https://e.org/terms")


def test_a_citation_claims_no_licence_for_all() -> None:
    one = read_edition(snapshot_of(base()), "")
    assert _fields(write_cff(one))["license"] == "CC-BY-4.0"
    assert write_text(one).endswith(f"\nLicence: CC BY 4.0 ({COMPILATION.iri}).\n")
    several = read_edition(_with(OTHER), "", "https://data.example/export")
    described = _fields(write_cff(several))
    assert "license" not in described  # a list would be a choice
    assert described["license-url"] == "https://data.example/export/attribution"
    for text in (described["message"], write_text(several)):
        assert COMPILATION.iri in text
        assert OTHER in text


def test_a_crate_names_every_licence_wherever_it_names_one(tmp_path: Path) -> None:
    snapshot = _with(OTHER)
    write_crate(snapshot, read_edition(snapshot, ""), tmp_path / "x")
    crate = zipfile.ZipFile(tmp_path / "x")
    entities = {each["@id"]: each for each in json.loads(crate.read(METADATA))["@graph"]}
    assert entities["./"]["license"] == [{"@id": COMPILATION.iri}, {"@id": OTHER}]
    assert entities["./"]["usageInfo"] == {"@id": "ATTRIBUTION.md"}
    assert entities[OTHER]["name"] == "CC BY-NC-SA 4.0"
    for name in ("README.md", "ATTRIBUTION.md", "data/LICENSE", "CITATION.cff"):
        text = crate.read(name).decode()
        assert OTHER in text, name
        assert COMPILATION.iri in text, name
    assert "rhizome.nq" in crate.read("data/LICENSE").decode()


def test_tables_name_every_licence_and_the_one_of_each_source(tmp_path: Path) -> None:
    write_tables(_with(OTHER), tmp_path / "x")
    package = json.loads(zipfile.ZipFile(tmp_path / "x").read("datapackage.json"))
    assert [each["path"] for each in package["licenses"]] == [COMPILATION.iri, OTHER]
    assert [each["name"] for each in package["licenses"]] == ["CC-BY-4.0", "CC-BY-NC-SA-4.0"]
    one, two = package["sources"]
    assert two["license"] == package["licenses"][1]
    assert one["path"] == one["iri"]  # it has no other address
    assert "license" not in one


def test_the_attribution_says_what_each_source_states() -> None:
    snapshot = _with(OTHER)
    text = write_attribution(read_sources(snapshot), read_licences(snapshot), 1)
    assert f"licence of the source: {OTHER}" in text
    assert "licence of the source: not stated" in text
    assert f"CC BY-NC-SA 4.0 ({OTHER})" in text.partition("\n## ")[0]


def test_sites_name_every_licence_and_their_sources() -> None:
    site = [(iri("site/x"), RDF_TYPE, f"<{RZ}Site>", SOURCE)]
    collection = json.loads(b"".join(write_sites(_with(OTHER, more=site))))
    assert [each["path"] for each in collection["licenses"]] == [COMPILATION.iri, OTHER]
    assert OTHER in collection["rights"]
    (source,) = collection["sources"]
    assert (source["iri"], source["title"]) == (SOURCE[1:-1], "Second page")
    assert source["license"]["path"] == OTHER


def test_networks_name_every_licence_and_the_sources_of_their_ties() -> None:
    parameters = ProjectionParameters()
    snapshot = _with(OTHER)
    graph = nx.read_graphml(io.BytesIO(write_network(snapshot, parameters, "graphml"))).graph
    assert graph["license"].split() == [COMPILATION.iri, OTHER]
    assert OTHER in graph["rights"]
    assert graph["source"].split() == [iri("source/one")[1:-1]]  # of the memorandum: a pair
    meta = ElementTree.fromstring(write_network(snapshot, parameters, "gexf")).find("{*}meta")
    assert meta is not None
    assert meta.findtext("{*}creator") == "Rhizome contributors"
    description = meta.findtext("{*}description") or ""
    for told in (COMPILATION.iri, OTHER, iri("source/one")[1:-1], "revision 1"):
        assert told in description
    assert meta.attrib == {}  # no clock


def test_a_source_of_no_tie_of_a_part_is_not_named() -> None:
    parameters = ProjectionParameters()
    whole = nx.read_graphml(io.BytesIO(write_network(_with(), parameters, "graphml")))
    excerpt = Excerpt(entity=iri("organisation/a")[1:-1], depth=0)
    content = write_network(_with(), parameters, "graphml", excerpt=excerpt)
    part = nx.read_graphml(io.BytesIO(content))
    assert whole.graph["source"]
    assert (len(part), part.graph["source"]) == (1, "")


# --- over HTTP --------------------------------------------------------------------------------

EXPORTS = (
    "/export",
    "/export?format=nq",
    "/export/revisions/1.nq",
    "/export/tables.zip",
    "/export/sites.geojson",
    "/export/networks/default.gexf",
    "/export/citation",
    "/export/attribution",
)


@pytest.mark.parametrize("path", EXPORTS)
def test_every_export_names_its_licence_in_the_head(client: TestClient, path: str) -> None:
    for response in (client.get(path), client.head(path)):
        assert response.headers["link"] == f'<{COMPILATION.iri}>; rel="license"'


FOOTS = {"en": "CC BY 4.0 and others", "fr": "CC BY 4.0 et autres"}


def _feet(http: TestClient) -> Iterator[tuple[str, str]]:
    for path, language in product(("/", "/questions", "/sparql", "/nowhere"), FOOTS):
        page = http.get(f"{path}?lang={language}", headers={"Accept": "text/html"}).text
        yield language, page.rpartition("<footer")[2]


def test_the_foot_of_a_page_names_the_one_licence(client: TestClient) -> None:
    assert all("<span>CC BY 4.0</span>" in foot for _, foot in _feet(client))


def test_a_source_with_another_licence_is_heard_everywhere(http: TestClient) -> None:
    writer = Client(http, "other-terms")
    writer.source["create"]["licence"] = OTHER
    written = writer.create({"name": [{"text": "New", "lang": "en"}]})
    assert written["accepted"], written
    for path in EXPORTS:
        link = http.head(path).headers["link"]
        assert link == '</export/attribution>; rel="license"', path
    assert OTHER in http.get("/export/attribution").text
    assert OTHER in http.get("/export/citation").text
    assert _fields(http.get("/export/citation?format=cff").text)["license-url"] == (
        "http://testserver/export/attribution"
    )
    crate = zipfile.ZipFile(io.BytesIO(http.get("/export/crate.zip").content))
    assert OTHER in crate.read("README.md").decode()
    for path in ("/.well-known/void", "/.well-known/dcat"):
        _check_description(http, path)
    for language, foot in _feet(http):
        assert f'<a href="/export/attribution">{FOOTS[language]}</a>' in foot


def _check_description(http: TestClient, path: str) -> None:
    """Check that all that is described but the catalogue has both licences, sources their own."""
    found: dict[str, list[str]] = {}
    for subject, predicate, value, _ in read(http.get(f"{path}?format=nt").content, "nt"):
        if predicate == f"<{DCT}license>":
            found.setdefault(subject, []).append(value)
    source = iri("source/other-terms")
    assert found.pop(source, None) == ([f"<{OTHER}>"] if path.endswith("void") else None)
    found.pop(iri("source/geonames-gazetteer"), None)
    found.pop("<https://w3id.org/rhizome/void#catalog>", None)
    assert found
    for subject, licences in found.items():
        assert sorted(licences) == [f"<{OTHER}>", f"<{COMPILATION.iri}>"], subject
