"""Reports as data: what is committed, what GraphQL and SPARQL see, and what it must not disturb."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.analysis.affiliations import Layer
from graph.analysis.committed import (
    LINKS,
    commit_report,
    report_graph,
    report_iri,
    state_report,
)
from graph.analysis.measures.registry import NODE_MEASURES
from graph.analysis.projection import (
    NAMED_PROJECTIONS,
    Mode,
    ProjectionParameters,
    Succession,
    Weighting,
    build_projection,
)
from graph.analysis.render_json import describe
from graph.analysis.report import build_report
from graph.curation.computed import REPORT, data_revision
from graph.curation.export import export
from graph.curation.formats import TRIG, Upload
from graph.curation.gate import Gate, Receipt
from graph.curation.mutations import Mutations
from graph.errors import BadValueError, ForbiddenError, ShapeViolationError
from graph.terms import ENTITY, RZ
from schema.mutation_types import mutation_names, writable_classes
from tests.gates import ONE, SOURCE, open_gate, submit
from tests.measuring import DEFAULT, NOW, gate, measure, without
from tests.mutating import A, delete, run
from tests.require import ROOT
from tests.samples import iri, model, read_trig, rz
from tests.seeded import serve

__all__ = ["gate"]  # a fixture


@pytest.fixture(scope="module")
def measured(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the seeds and the reports of all projections, none open."""
    folder = tmp_path_factory.mktemp("measured") / "store"
    shutil.copytree(seeded_store, folder)
    opened = open_gate(folder)
    for name in NAMED_PROJECTIONS:
        measure(opened, name)
    opened.dataset.close()
    return folder


@pytest.fixture(scope="module")
def client(measured: Path) -> Iterator[TestClient]:
    with serve(measured) as opened:
        yield opened


def ask_graphql(client: TestClient, query: str) -> Any:
    answer = client.post("/graphql", json={"query": query}).json()
    assert "errors" not in answer, answer
    return answer["data"]


# --- what is committed --------------------------------------------------------------------------


def test_the_lists_of_the_ontology_are_those_of_the_code() -> None:
    values = model().enum_values
    assert set(values["ProjectionName"]) == set(LINKS) == set(NAMED_PROJECTIONS)
    assert set(values["NetworkMeasure"]) == {measure.key for measure in NODE_MEASURES}
    assert set(values["Layer"]) == set(Layer)
    assert set(values["Weighting"]) == set(Weighting)
    assert set(values["NetworkMode"]) == set(Mode)
    assert set(values["Succession"]) == set(Succession)
    fields = model().fields[f"{RZ}Centrality"]
    assert {f"{m.key}{end}" for m in NODE_MEASURES for end in ("", "Rank")} <= set(fields)
    assert model().computed == {f"{RZ}Report", f"{RZ}Centrality"}


@pytest.mark.parametrize("name", NAMED_PROJECTIONS)
def test_fields_hold_the_numbers_of_the_json_report(
    client: TestClient, measured: Path, name: str
) -> None:
    report = json.loads(client.get(f"/report?format=json&projection={name}").text)
    parts = " ".join(f"{m.key} {m.key}Rank" for m in NODE_MEASURES)
    link = LINKS[name].removeprefix(RZ)
    query = f"{{ organisations(first: 500) {{ nodes {{ id {link} {{ component {parts} }} }} }} }}"
    nodes = ask_graphql(client, query)["organisations"]["nodes"]
    found = {node["id"]: node[link] for node in nodes if node[link]}
    wanted = {
        node["iri"]: {
            "component": node["component"],
            **node["values"],
            **{f"{key}Rank": rank for key, rank in node["ranks"].items()},
        }
        for node in report["nodes"]
    }
    assert found == wanted
    assert found


def test_a_report_says_what_was_computed_and_on_what(client: TestClient) -> None:
    query = """{ revision dataRevision reports(where: {projection: {eq: DEFAULT}}) { nodes {
        id title(lang: ["fr"]) layers weighting mode succession includesInferred includesDisputed
        clustersOnly revision generated datasetHash software measures nodeCount tieCount density
        componentCount largestComponent isolateCount sampledSources
        statedBy { id title kind } completeness { share } } } }"""
    data = ask_graphql(client, query)
    (report,) = data["reports"]["nodes"]
    described = json.loads(client.get("/report?format=json").text)
    assert (data["revision"], data["dataRevision"], report["revision"]) == (5, 1, 1)
    assert report["id"] == report_iri("default")
    assert report["title"] == "Centralités\u00a0: tous les liens"
    assert report["layers"] == ["MEMBERSHIP", "MEMORANDUM", "PROJECT"]
    assert (report["weighting"], report["mode"]) == ("NEWMAN", "ONE_MODE")
    assert report["succession"] == "FOLD"
    assert report["includesInferred"] is report["includesDisputed"] is True
    assert report["clustersOnly"] is False
    assert len(report["measures"]) == len(NODE_MEASURES)
    assert report["generated"] == "2026-11-22T12:30:00Z"
    assert len(report["datasetHash"]) == 64
    assert any(text.startswith("networkx ") for text in report["software"])
    network = described["network"]
    assert report["density"] == network["density"]
    counts = ("nodeCount", "tieCount", "componentCount", "largestComponent", "isolateCount")
    keys = ("nodes", "ties", "components", "largestComponent", "isolates")
    assert [report[c] for c in counts] == [network[k] for k in keys]
    assert report["sampledSources"] is None
    assert report["statedBy"] == [
        {"id": DEFAULT[1:-1], "title": "Centralities: all ties", "kind": "ANALYSIS"}
    ]
    assert report["completeness"]["share"] == 1


# --- fields like any other ----------------------------------------------------------------------


def test_organisations_are_ordered_and_filtered_by_measures(client: TestClient) -> None:
    query = """{
        ordered: organisations(first: 5, orderBy: [{centrality: {betweenness: DESC}}]) {
          nodes { centrality { betweenness betweennessRank } } }
        few: clusters(where: {centrality: {betweenness: {gt: 0.1}}}) {
          totalCount nodes { centrality { betweenness } } }
        core: organisations(where: {centralities: {some: {
            report: {projection: {eq: PROJECTS}}, coreNumberRank: {eq: 1}}}}) { totalCount }
        none: organisations(where: {centrality: {isNull: true}}) { totalCount }
        all: organisations { totalCount } }"""
    data = ask_graphql(client, query)
    values = [node["centrality"] for node in data["ordered"]["nodes"]]
    assert [v["betweennessRank"] for v in values] == [1, 2, 3, 4, 5]
    assert values == sorted(values, key=lambda v: -v["betweenness"])
    assert data["few"]["totalCount"] >= 1
    assert all(node["centrality"]["betweenness"] > 0.1 for node in data["few"]["nodes"])
    assert data["core"]["totalCount"] > 1
    report = json.loads(client.get("/report?format=json").text)
    measured_ones = data["all"]["totalCount"] - data["none"]["totalCount"]
    assert measured_ones == report["network"]["nodes"]


def test_measures_are_aggregated_and_grouped(client: TestClient) -> None:
    query = """{ centralities(where: {report: {projection: {eq: DEFAULT}}}) {
        aggregates { count max { betweenness } average { degree } sum { pageRank } }
        groups(by: [{organisation: {country: {id: VALUE}}}], orderBy: [{count: DESC}], first: 2) {
          keys { node { label(lang: ["en"]) } }
          aggregates { count average { betweenness } } } } }"""
    found = ask_graphql(client, query)["centralities"]
    report = json.loads(client.get("/report?format=json").text)
    values = [node["values"] for node in report["nodes"]]
    assert found["aggregates"]["count"] == len(values)
    assert found["aggregates"]["max"]["betweenness"] == max(v["betweenness"] for v in values)
    mean = sum(v["degree"] for v in values) / len(values)
    assert found["aggregates"]["average"]["degree"] == pytest.approx(mean)
    assert found["aggregates"]["sum"]["pageRank"] == pytest.approx(1)
    countries = {
        key["node"] and key["node"]["label"]: group["aggregates"]
        for group in found["groups"]
        for key in group["keys"]
    }
    assert set(countries) == {None, "France"}
    assert countries["France"]["average"]["betweenness"] > 0


def test_lists_of_enumerated_values_are_asked_like_other_lists(client: TestClient) -> None:
    query = """{ memberships: reports(where: {layers: {some: {eq: MEMBERSHIP}}}) {
          nodes { projection } }
        one: reports(where: {layers: {count: {eq: 1}, none: {in: [PROJECT]}}}) {
          nodes { projection } }
        most: reports(first: 1, orderBy: [{layers: {count: DESC}}]) { nodes { projection } } }"""
    data = ask_graphql(client, query)
    names = {key: {n["projection"] for n in found["nodes"]} for key, found in data.items()}
    assert names == {
        "memberships": {"DEFAULT", "MEMBERSHIPS"},
        "one": {"AGREEMENTS", "MEMBERSHIPS"},
        "most": {"DEFAULT"},
    }


def test_sparql_sees_the_same_measures(client: TestClient) -> None:
    query = f"""PREFIX rz: <{RZ}> SELECT ?organisation ?value ?revision WHERE {{
        ?organisation rz:centrality ?place . ?place rz:betweenness ?value ;
          rz:inReport/rz:computedOnRevision ?revision }} ORDER BY ?organisation"""
    headers = {"Accept": "application/sparql-results+json"}
    answer = client.post("/sparql", data={"query": query}, headers=headers).json()
    rows = answer["results"]["bindings"]
    report = json.loads(client.get("/report?format=json").text)
    assert {row["organisation"]["value"]: float(row["value"]["value"]) for row in rows} == {
        node["iri"]: node["values"]["betweenness"] for node in report["nodes"]
    }
    assert {row["revision"]["value"] for row in rows} == {"1"}


# --- what it must not disturb -------------------------------------------------------------------


def test_committed_reports_do_not_change_what_is_measured(
    measured: Path, seeded_store: Path, tmp_path: Path
) -> None:
    for place, folder in (("before", seeded_store), ("after", measured)):
        shutil.copytree(folder, tmp_path / place, ignore=shutil.ignore_patterns("control"))
    gates = [open_gate(tmp_path / place) for place in ("before", "after")]
    before, after = (gate.dataset.snapshot for gate in gates)
    assert before.quad_count < after.quad_count
    for parameters in NAMED_PROJECTIONS.values():
        for mode in Mode:
            chosen = replace(parameters, mode=mode)
            one, other = build_projection(before, chosen), build_projection(after, chosen)
            assert one.nodes == other.nodes
            assert one.affiliations == other.affiliations
            assert list(one.ties()) == list(other.ties())
        one_said, other_said = (
            describe(build_report(each, parameters, "en", "")) for each in (before, after)
        )
        for key in ("revision", "datasetHash", "subtitle", "method"):
            assert one_said.pop(key) != other_said.pop(key)
        assert one_said == other_said
    for each in gates:
        each.dataset.close()


def test_an_export_with_reports_loads_into_the_same_dataset(gate: Gate, tmp_path: Path) -> None:
    measure(gate)
    written = b"".join(export(gate.dataset.snapshot, TRIG))
    other = open_gate(tmp_path / "other")
    other.load([Upload("all.trig", TRIG, written)])
    assert other.dataset.snapshot.dataset_hash == gate.dataset.snapshot.dataset_hash
    assert set(other.dataset.snapshot.quads()) == set(gate.dataset.snapshot.quads())
    other.dataset.close()


# --- the next report ----------------------------------------------------------------------------


def test_a_newer_report_takes_the_place_of_the_last(gate: Gate) -> None:
    assert measure(gate).revision == 2
    assert data_revision(gate.dataset.log.latest) == 1
    role = read_trig(
        "source:two { project-role:p--c a rz:ProjectRole ; eurio:isInvolvedIn project:p ; "
        'eurio:isRoleOf organisation:c ; eurio:roleLabel "participant" ; rz:status "stated" ; '
        "rz:evidence evidence:two-1 . }"
    )
    submit(gate, role)
    assert data_revision(gate.dataset.log.latest) == 3  # the report on revision 1 is old by now
    receipt = measure(gate)
    assert receipt.revision == 4
    snapshot = gate.dataset.snapshot
    assert snapshot.values(f"<{report_iri('default')}>", f"{RZ}computedOnRevision") == [
        '"3"^^<http://www.w3.org/2001/XMLSchema#integer>'
    ]
    stated = set(snapshot.quads(DEFAULT))
    found = snapshot.instances(f"{RZ}Centrality")
    assert [snapshot.term_of(n) for n in found] == [
        iri(f"centrality/default--{name}") for name in "abc"
    ]
    submit(gate, (), role)
    measure(gate)
    assert len(set(gate.dataset.snapshot.quads(DEFAULT))) < len(stated)
    assert len(gate.dataset.snapshot.instances(f"{RZ}Centrality")) == 2


def test_nothing_is_recorded_while_the_last_report_is_as_good(gate: Gate) -> None:
    measure(gate)
    measure(gate, "projects")
    assert measure(gate) == Receipt(3, 0, 0)
    submit(gate, [(iri("organisation/b"), rz("acronym"), '"B2"', ONE)], [
        (iri("organisation/b"), rz("acronym"), '"B"', ONE)
    ])  # fmt: skip
    again = measure(gate)  # the same network, but it is now known of a later revision
    assert (again.revision, again.added, again.removed) == (5, 3, 3)


def test_the_log_says_that_a_report_was_committed(gate: Gate) -> None:
    measure(gate, "agreements")
    header = next(gate.dataset.log.headers(1))
    assert (header.activity, header.agent) == (REPORT, "tests")
    assert header.message == "report agreements on revision 1"
    assert header.graphs == (report_graph("agreements")[1:-1],)


# --- what is refused ----------------------------------------------------------------------------


def test_nothing_to_measure_is_no_report(tmp_path: Path) -> None:
    gate = open_gate(tmp_path / "store")
    with pytest.raises(BadValueError, match="a store that holds data"):
        measure(gate)
    assert gate.dataset.log.revision == 0
    gate.dataset.close()


def test_a_network_without_organisations_has_a_report_that_says_so(tmp_path: Path) -> None:
    gate = open_gate(tmp_path / "store")
    submit(gate, read_trig(SOURCE))
    assert measure(gate, "projects").added > 0
    snapshot = gate.dataset.snapshot
    report = f"<{report_iri('projects')}>"
    assert snapshot.value(report, f"{RZ}nodeCount") == (
        '"0"^^<http://www.w3.org/2001/XMLSchema#integer>'
    )
    assert len(snapshot.instances(f"{RZ}Centrality")) == 0
    gate.dataset.close()


@pytest.mark.parametrize(
    "changes",
    [{"weighting": Weighting.UNIT}, {"mode": Mode.TWO_MODE}, {"name": "mine"}, {"name": "x" * 99}],
)
def test_only_named_projections_as_they_are_named_are_committed(
    gate: Gate, changes: dict[str, Any]
) -> None:
    snapshot = gate.dataset.snapshot
    report = build_report(
        snapshot, replace(ProjectionParameters(), **changes), "en", "2026-01-01T00:00Z"
    )
    with pytest.raises(BadValueError, match="default, memberships, agreements, projects"):
        commit_report(gate, report, agent="tests", now=NOW)
    assert gate.dataset.log.revision == 1


def test_a_report_on_what_is_gone_by_now_is_refused(gate: Gate) -> None:
    snapshot, time = gate.dataset.snapshot, gate.dataset.log.time
    report = build_report(snapshot, ProjectionParameters(), "en", time)
    submit(gate, (), without("b"))
    with pytest.raises(ShapeViolationError):
        commit_report(gate, report, agent="tests", now=NOW)
    assert gate.dataset.snapshot.graph_count(DEFAULT) == 0


def test_an_organisation_of_another_site_has_a_place_with_a_name_of_ours(gate: Gate) -> None:
    report = build_report(gate.dataset.snapshot, ProjectionParameters(), "en", "2026-01-01T00:00Z")
    foreign = replace(report.nodes[0], iri="https://example.org/a?b=c#d")
    odd = replace(report.nodes[0], iri=f"{ENTITY}organisation/a/b")
    quads = list(state_report(replace(report, nodes=(foreign, odd)), NOW))
    places = {q[2] for q in quads if q[1] == f"<{LINKS['default']}>"}
    assert len(places) == 2
    assert all(place.startswith(f"<{ENTITY}centrality/default--") for place in places)


def test_tiny_numbers_are_written_without_an_exponent(gate: Gate) -> None:
    report = build_report(gate.dataset.snapshot, ProjectionParameters(), "en", "2026-01-01T00:00Z")
    node = replace(report.nodes[0], values=tuple(1.25e-17 for _ in report.nodes[0].values))
    quads = list(state_report(replace(report, nodes=(node,)), NOW))
    (value,) = (q[2] for q in quads if q[1] == f"<{RZ}betweenness>")
    assert value.startswith('"0.000000000000000012"^^')


# --- the page ------------------------------------------------------------------------------------


def test_the_examples_of_the_page_answer_what_it_says(client: TestClient) -> None:
    page = (ROOT / "docs" / "reports-as-data.md").read_text(encoding="utf-8")
    ordered, grouped, state = re.findall(r"```graphql\n(.*?)```", page, re.DOTALL)
    nodes = ask_graphql(client, ordered)["organisations"]["nodes"]
    assert nodes[0]["label"] == "VEGEPOLYS VALLEY"
    assert nodes[0]["centrality"]["betweennessRank"] == 1
    assert all(node["centrality"]["degree"] >= 10 for node in nodes)
    assert len(ask_graphql(client, grouped)["centralities"]["groups"]) > 5
    data = ask_graphql(client, state)
    assert [r["revision"] >= data["dataRevision"] for r in data["reports"]["nodes"]] == [True] * 4
    (sparql,) = re.findall(r"```sparql\n(.*?)```", page, re.DOTALL)
    headers = {"Accept": "application/sparql-results+json"}
    answer = client.post("/sparql", data={"query": sparql}, headers=headers).json()
    values = [float(row["betweenness"]["value"]) for row in answer["results"]["bindings"]]
    assert values[0] == nodes[0]["centrality"]["betweenness"]
    assert values == sorted(values, reverse=True)


# --- nobody writes it by hand -------------------------------------------------------------------


def test_no_mutation_writes_computed_classes_or_fields() -> None:
    assert not {"Report", "Centrality"} & {shape.name for shape in writable_classes(model())}
    assert not [name for name in mutation_names(model()) if "Report" in name or "Central" in name]
    sdl = (ROOT / "schema" / "schema.graphql").read_text()
    start = sdl.index("input ClusterInput {")
    assert "entrality" not in sdl[start : sdl.index("\n}", start)]


def test_a_token_cannot_write_into_a_report(gate: Gate) -> None:
    measure(gate)
    with pytest.raises(ForbiddenError, match="which another began"):
        run(Mutations(gate), delete(A), source=DEFAULT[1:-1])
