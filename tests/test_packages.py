"""What other tools read: tables, sites, networks, the research object, the citation."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from graph.analysis.network_files import write_network
from graph.analysis.package import MANIFEST, METADATA, write_crate
from graph.analysis.projection import (
    NAMED_PROJECTIONS,
    Mode,
    ProjectionParameters,
    build_projection,
)
from graph.curation.archive import Archive
from graph.curation.attribution import read_sources
from graph.curation.citation import Edition, cite, read_edition, write_bibtex, write_cff
from graph.curation.excerpt import Excerpt
from graph.curation.export import export
from graph.curation.formats import N_QUADS
from graph.curation.geojson import write_sites
from graph.curation.licences import COMPILATION
from graph.curation.table_export import write_tables
from graph.errors import NotFoundError, UnknownTermError
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.store.snapshot import Snapshot
from tests.require import ROOT
from tests.samples import snapshot_of
from tests.seeded import make_settings

G = "<https://e.org/g>"
RZ = "https://w3id.org/rhizome/ontology#"
ENTITY = "https://w3id.org/rhizome/id/"
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
LABEL = "<http://www.w3.org/2004/02/skos/core#prefLabel>"


@pytest.fixture(scope="module")
def seeds(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, Edition]:
    """The seeds, and how they are cited."""
    folder = tmp_path_factory.mktemp("packages") / "store"
    shutil.copytree(seeded_store, folder)
    dataset = Dataset.open(make_settings(folder), load_model(), with_store=False)
    edition = read_edition(dataset.snapshot, dataset.log.time)
    dataset.close()
    return dataset.snapshot, edition


def _same_twice(write: Callable[[Path], None], folder: Path) -> zipfile.ZipFile:
    """Write a zip file twice, and return it when both are the same bytes."""
    for name in ("one", "two"):
        write(folder / name)
    assert (folder / "one").read_bytes() == (folder / "two").read_bytes()
    return zipfile.ZipFile(folder / "one")


# --- tables ------------------------------------------------------------------------------------


def _table(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(f"data/{name}.csv").decode(), newline="")))


@pytest.fixture(scope="module")
def tables(
    seeds: tuple[Snapshot, Edition], tmp_path_factory: pytest.TempPathFactory
) -> zipfile.ZipFile:
    return _same_twice(lambda path: write_tables(seeds[0], path), tmp_path_factory.mktemp("t"))


@pytest.fixture(scope="module")
def package(tables: zipfile.ZipFile) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(tables.read("datapackage.json"))
    return described


def test_every_entity_has_its_row_in_one_table(
    tables: zipfile.ZipFile, package: dict[str, Any], seeds: tuple[Snapshot, Edition]
) -> None:
    snapshot = seeds[0]
    rows = [
        row["id"]
        for each in package["resources"]
        for row in _table(tables, Path(each["path"]).stem)
    ]
    typed = {quad[0][1:-1] for quad in snapshot.quads() if quad[1] == TYPE}
    assert len(rows) == len(set(rows))
    assert typed <= set(rows)


def test_the_description_fits_the_files(tables: zipfile.ZipFile, package: dict[str, Any]) -> None:
    assert {each["path"] for each in package["resources"]} | {"datapackage.json"} == set(
        tables.namelist()
    )
    for each in package["resources"]:
        content = tables.read(each["path"])
        assert each["bytes"] == len(content)
        assert each["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        head = content.decode().splitlines()[0].split(",")
        assert [field["name"] for field in each["schema"]["fields"]] == head
        assert re.fullmatch(r"[a-z0-9._/-]+", each["name"])
        assert each["titles"].keys() >= {"en", "fr"}
        for field in each["schema"]["fields"]:
            assert field["titles"].keys() >= {"en", "fr"}, field


_READERS: dict[str, Callable[[str], object]] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": {"true": True, "false": False}.__getitem__,
    "array": json.loads,
    "date": lambda text: re.fullmatch(r"\d{4}-\d\d-\d\d", text) or pytest.fail(text),
    "datetime": lambda text: re.match(r"\d{4}-\d\d-\d\dT", text) or pytest.fail(text),
    "year": int,
}


def test_every_cell_is_of_its_type_and_every_key_leads_to_a_row(
    tables: zipfile.ZipFile, package: dict[str, Any]
) -> None:
    by_name = {
        each["name"]: _table(tables, Path(each["path"]).stem) for each in package["resources"]
    }
    keys = 0
    for each in package["resources"]:
        rows, schema = by_name[each["name"]], each["schema"]
        for field in schema["fields"]:
            allowed = field.get("constraints", {}).get("enum")
            for cell in filter(None, (row[field["name"]] for row in rows)):
                _READERS[field["type"]](cell)
                assert allowed is None or cell in allowed
        for key in schema.get("foreignKeys", ()):
            keys += 1
            target = key["reference"]["resource"] or each["name"]
            there = {row["id"] for row in by_name[target]}
            cells = {row[key["fields"]] for row in rows} - {""}
            assert cells <= there
            assert cells
    assert keys > 10


def test_a_column_that_leads_to_several_tables_names_them(
    tables: zipfile.ZipFile, package: dict[str, Any]
) -> None:
    described = {each["name"]: each["schema"] for each in package["resources"]}
    member = next(f for f in described["membership"]["fields"] if f["name"] == "member")
    assert {"cluster", "company"} <= set(member["leadsTo"])
    homes = {
        row["id"]: each["name"]
        for each in package["resources"]
        for row in _table(tables, Path(each["path"]).stem)
    }
    found = {homes[row["member"]] for row in _table(tables, "Membership")}
    assert member["leadsTo"] == sorted(found)
    for texts in (member["description"], *member["descriptions"].values()):
        assert all(name in texts for name in found)
    keys = [key["fields"] for key in described["membership"]["foreignKeys"]]
    assert "member" not in keys


def test_texts_stand_in_a_column_of_their_language(tables: zipfile.ZipFile) -> None:
    clusters = {row["id"]: row for row in _table(tables, "Cluster")}
    row = clusters[f"{ENTITY}organisation/agri-sud-ouest-innovation"]
    assert row["name_fr"] == "Agri Sud-Ouest Innovation"
    assert row["name_en"] == ""
    assert (row["founded"], row["founded_earliest"]) == ("2007", "2007-01-01")
    assert json.loads(row["sources"])


def test_the_answering_value_is_that_of_the_source_that_ranks_first(tmp_path: Path) -> None:
    one, low = f"<{ENTITY}organisation/x>", "<https://e.org/low>"
    quads = []
    for graph, text in ((G, "=first"), (low, "second")):
        quads += [
            (one, TYPE, f"<{RZ}Cluster>", graph),
            (one, LABEL, f'"{text}"@en', graph),
            (one, f"<{RZ}acronym>", f'"{text}"', graph),
        ]
    rank = '"5"^^<http://www.w3.org/2001/XMLSchema#integer>'
    quads.append((G, f"<{RZ}rank>", rank, G))
    write_tables(snapshot_of(quads), tmp_path / "x")
    (row,) = _table(zipfile.ZipFile(tmp_path / "x"), "Cluster")
    assert row["name_en"] == "'=first"  # no spreadsheet takes it for a formula
    assert row["acronym"] == "'=first"
    assert json.loads(row["sources"]) == sorted([G[1:-1], low[1:-1]])


def test_an_empty_dataset_has_the_concepts_alone(tmp_path: Path) -> None:
    write_tables(snapshot_of(()), tmp_path / "x")
    names = set(zipfile.ZipFile(tmp_path / "x").namelist())
    assert names <= {"data/Concept.csv", "data/ConceptScheme.csv", "datapackage.json"}


def test_licences_and_sources_are_told(
    package: dict[str, Any], seeds: tuple[Snapshot, Edition]
) -> None:
    assert package["licenses"][0]["name"] == "CC-BY-4.0"
    assert [each["iri"] for each in package["sources"]] == [
        graph[1:-1] for graph in seeds[0].graphs()
    ]
    assert all(each["title"] and each["path"] for each in package["sources"])
    gazetteer = next(each for each in package["sources"] if "gazetteer" in each["iri"])
    assert gazetteer["license"] == package["licenses"][0]
    assert any(each.get("publisher") for each in package["sources"])
    assert package["version"] == f"{seeds[0].revision}.0.0"


# --- sites and networks ------------------------------------------------------------------------


def test_sites_are_points_with_their_organisations(seeds: tuple[Snapshot, Edition]) -> None:
    snapshot = seeds[0]
    collection = json.loads(b"".join(write_sites(snapshot)))
    assert collection["type"] == "FeatureCollection"
    assert len(collection["features"]) == len(snapshot.instances(f"{RZ}Site")) > 20
    placed = [each for each in collection["features"] if each["geometry"] is not None]
    assert placed
    for each in placed:
        longitude, latitude = each["geometry"]["coordinates"]
        assert -25 < longitude < 45, each["id"]  # most of Europe: not the other way round
        assert 33 < latitude < 72, each["id"]
    toulouse = next(each for each in placed if "auzeville" in each["id"])
    (organisation,) = toulouse["properties"]["organisations"]
    assert organisation["name"]["fr"] == "Agri Sud-Ouest Innovation"


def test_a_site_without_coordinates_is_told_without_geometry() -> None:
    quads = [(f"<{ENTITY}site/x>", TYPE, f"<{RZ}Site>", G)]
    (feature,) = json.loads(b"".join(write_sites(snapshot_of(quads))))["features"]
    assert feature["geometry"] is None
    assert json.loads(b"".join(write_sites(snapshot_of(()))))["features"] == []


@pytest.mark.parametrize("format", ["gexf", "graphml"])
@pytest.mark.parametrize(
    "parameters",
    [*NAMED_PROJECTIONS.values(), ProjectionParameters(mode=Mode.TWO_MODE)],
    ids=lambda parameters: f"{parameters.name}-{parameters.mode}",
)
def test_networkx_reads_the_same_network(
    seeds: tuple[Snapshot, Edition], parameters: ProjectionParameters, format: str
) -> None:
    snapshot = seeds[0]
    content = write_network(snapshot, parameters, format)
    assert content == write_network(snapshot, parameters, format)
    file = io.BytesIO(content)
    read: nx.Graph[str] = nx.read_gexf(file) if format == "gexf" else nx.read_graphml(file)
    projection = build_projection(snapshot, parameters)
    assert list(read.nodes) == list(projection.nodes)
    expected = {
        frozenset((projection.nodes[a], projection.nodes[b])): (weight, length)
        for a, b, weight, length in projection.ties()
    }
    found = {
        frozenset((a, b)): (data["weight"], data["distance"])
        for a, b, data in read.edges(data=True)
    }
    assert found == expected
    assert all(data["label"] for _, data in read.nodes(data=True))


def _read_around(
    snapshot: Snapshot, entity: str, depth: int, network: str = "default"
) -> nx.Graph[str]:
    excerpt = Excerpt(entity=f"{ENTITY}{entity}", depth=depth)
    parameters = NAMED_PROJECTIONS[network]
    content = write_network(snapshot, parameters, "graphml", excerpt=excerpt)
    read: nx.Graph[str] = nx.read_graphml(io.BytesIO(content))
    return read


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_around_an_organisation_lies_its_ego_network(
    seeds: tuple[Snapshot, Edition], depth: int
) -> None:
    snapshot = seeds[0]
    whole = build_projection(snapshot, NAMED_PROJECTIONS["default"]).to_networkx(exact=False)
    node = f"{ENTITY}organisation/femac"
    read = _read_around(snapshot, "organisation/femac", depth)
    expected = nx.ego_graph(whole, node, radius=depth)
    assert set(read.nodes) == set(expected.nodes)
    assert {frozenset(e) for e in read.edges} == {frozenset(e) for e in expected.edges}
    assert (read.graph["entity"], read.graph["depth"]) == (node, depth)


def test_around_a_network_lie_those_who_join_it(seeds: tuple[Snapshot, Edition]) -> None:
    snapshot = seeds[0]
    projection = build_projection(snapshot, NAMED_PROJECTIONS["default"])
    iri = f"{ENTITY}network/plant-intercluster"
    (joined,) = (each.parties for each in projection.affiliations if each.iri == iri)
    read = _read_around(snapshot, "network/plant-intercluster", 1)
    assert set(read.nodes) == {projection.nodes[projection.actors[at]] for at in joined}
    assert nx.density(read) == 1  # all who join one thing are tied by it
    assert set(_read_around(snapshot, "network/plant-intercluster", 2)) > set(read)


def test_a_merged_organisation_is_found_as_its_successor(seeds: tuple[Snapshot, Edition]) -> None:
    successor = _read_around(seeds[0], "organisation/vegepolys-valley", 1)
    former = _read_around(seeds[0], "organisation/vegepolys", 1)
    assert set(former) == set(successor)


def test_around_what_is_not_in_the_network_there_is_nothing(
    seeds: tuple[Snapshot, Edition],
) -> None:
    with pytest.raises(NotFoundError, match="in the network agreements"):
        _read_around(seeds[0], "network/plant-intercluster", 1, "agreements")


def test_labels_are_in_the_language_asked_for(seeds: tuple[Snapshot, Edition]) -> None:
    default = NAMED_PROJECTIONS["default"]
    contents = {tag: write_network(seeds[0], default, "gexf", tag) for tag in ("en", "fr")}
    assert contents["en"] != contents["fr"]


def test_other_network_formats_are_unknown(seeds: tuple[Snapshot, Edition]) -> None:
    with pytest.raises(UnknownTermError, match="gexf, graphml"):
        write_network(seeds[0], NAMED_PROJECTIONS["default"], "pajek")


# --- the research object -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def crate(
    seeds: tuple[Snapshot, Edition], tmp_path_factory: pytest.TempPathFactory
) -> zipfile.ZipFile:
    return _same_twice(lambda path: write_crate(*seeds, path), tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="module")
def described(crate: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    """The entities of the metadata by identifier."""
    document = json.loads(crate.read(METADATA))
    assert document["@context"] == "https://w3id.org/ro/crate/1.2/context"
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(entities) == len(document["@graph"])
    return entities


def test_the_metadata_is_flat_and_describes_the_root(described: dict[str, dict[str, Any]]) -> None:
    descriptor, root = described[METADATA], described["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.2"}
    assert root["@type"] == "Dataset"
    assert root["name"]
    assert root["description"]
    assert re.match(r"\d{4}-\d\d-\d\dT", root["datePublished"])
    assert root["license"]["@id"] in described
    for entity in described.values():
        for value in entity.values():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):  # a reference, and to something that is described
                    assert each.keys() == {"@id"}
                    assert each["@id"] in described or each["@id"].startswith(
                        "https://w3id.org/ro/"
                    )


def test_every_file_is_described_and_is_what_its_checksums_say(
    crate: zipfile.ZipFile, described: dict[str, dict[str, Any]]
) -> None:
    files = {name for name, entity in described.items() if entity["@type"] == "File"}
    assert files == set(crate.namelist()) - {METADATA}
    assert {each["@id"] for each in described["./"]["hasPart"]} == files
    lines = [line.split("  ") for line in crate.read(MANIFEST).decode().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums.keys() == files - {MANIFEST} | {METADATA}
    assert "sha256" not in described[MANIFEST]  # each would hold the other's
    for name in sums:
        content = crate.read(name)
        digest = hashlib.sha256(content).hexdigest()
        assert sums[name] == digest
        if name != METADATA:
            assert int(described[name]["contentSize"]) == len(content)
            assert described[name]["sha256"] == digest


def test_it_holds_what_is_needed_to_read_check_and_cite(
    crate: zipfile.ZipFile, described: dict[str, Any], seeds: tuple[Snapshot, Edition]
) -> None:
    snapshot, edition = seeds
    assert crate.read("data/rhizome.nq") == b"".join(export(snapshot, N_QUADS))
    for folder in ("ontology", "seeds/questions"):
        inside = folder.removeprefix("seeds/")
        for path in (ROOT / folder).iterdir():
            assert crate.read(f"{inside}/{path.name}") == path.read_bytes()
    report = json.loads(crate.read("report/centrality.json"))
    assert str(edition.revision) in json.dumps(report)
    assert crate.read("CITATION.cff").decode() == write_cff(edition)
    assert described["#dataset-hash"]["value"] == edition.dataset_hash
    attribution = crate.read("ATTRIBUTION.md").decode()
    sources = read_sources(snapshot)
    assert len(sources) == len(snapshot.graphs())
    assert all(source.iri in attribution and source.title in attribution for source in sources)
    assert {each["@id"] for each in described["./"]["isBasedOn"]} == {s.iri for s in sources}


def test_a_crate_names_the_permanent_address_of_its_revision(
    seeds: tuple[Snapshot, Edition], tmp_path: Path
) -> None:
    snapshot, edition = seeds
    known = replace(edition, exports="https://data.example/r/export")
    crate = _same_twice(lambda path: write_crate(snapshot, known, path), tmp_path)
    dump = f"https://data.example/r/export/revisions/{edition.revision}.nq"
    for name in ("CITATION.cff", "CITATION.bib", "README.md", METADATA):
        assert dump in crate.read(name).decode()


def test_an_archive_has_no_clock(tmp_path: Path) -> None:
    with Archive(tmp_path / "x") as archive:
        entry = archive.add("a", [b"1", b"2"])
    assert (entry.size, entry.sha256) == (2, hashlib.sha256(b"12").hexdigest())
    (info,) = zipfile.ZipFile(tmp_path / "x").infolist()
    assert info.date_time == (1980, 1, 1, 0, 0, 0)
    assert info.external_attr >> 16 == 0o644


# --- the citation ------------------------------------------------------------------------------


def test_a_citation_names_the_revision_and_its_hash() -> None:
    edition = Edition(7, "ab" * 32, "2026-11-28T10:00:00.000000Z", 5, (COMPILATION,))
    for text in (cite(edition), write_cff(edition), write_bibtex(edition)):
        assert "7" in text
        assert "ab" * 32 in text
        assert "2026" in text
    assert cite(edition).startswith("Rhizome contributors (2026). Rhizome: a knowledge graph")
    assert "{{Rhizome contributors}}" in write_bibtex(edition)


def test_data_that_nothing_was_written_to_is_cited_too() -> None:
    edition = read_edition(snapshot_of(()), "")
    assert edition.quad_count == 0
    assert cite(edition)
