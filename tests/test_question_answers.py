"""Answers of the question library, checked by hand against the sources."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
from starlette.testclient import TestClient

from graph.store.prefixes import PREFIXES
from graph.terms import ENTITY
from tests.questioning import BY_NUMBER, ORGANISATION, Asker, ask_service, asker
from tests.writing import http

__all__ = ["asker", "http"]  # fixtures

COMMON = f"{ENTITY}memorandum/plant-intercluster-common"
#: The ten that CTA's page names, and nobody else.
SIGNATORIES = [
    "agri-sud-ouest-innovation",
    "agrocluster-ribatejo",
    "biovegen",
    "clust-er-agrifood",
    "cta",
    "femac",
    "greenport-west-holland",
    "ind-agro-pol",
    "innov-alliance",
    "vegepolys-valley",
]


#: Whose label of the fifth phase of the French policy of poles is in the seeds.
PHASE_V = ["valorial", "vegepolys-valley"]


def test_twelve_and_ten_are_stated_and_ten_are_known(asker: Asker) -> None:
    signatures, evidence, counts, known = asker.sparql_rows(BY_NUMBER[2])
    assert [row[0] for row in signatures] == [ORGANISATION + name for name in SIGNATORIES]
    assert {row[2:] for row in signatures} == {("2020-12", "2020-12-01", "2020-12-31", "STATED")}
    assert {row[0] for row in evidence} == {row[0] for row in signatures}
    assert all(row[3] or row[4] for row in evidence)  # a quote or a place in the page
    assert {(row[0], str(row[1]).removeprefix(f"{ENTITY}source/")) for row in counts} == {
        ("12", "vegepolys-valley-networks"),
        ("10", "eccp-plant-intercluster"),
        ("10", "cta-joins-plant-intercluster"),
        ("10", "greenport-review-2020-on-the-map"),
    }
    assert known == [(10,)]


def test_unimos_and_the_danes_are_inferred_members_without_signature(asker: Asker) -> None:
    _, _, statuses, _ = asker.graphql_rows(BY_NUMBER[1])
    for name in ("unimos", "food-bio-cluster-denmark"):
        membership = f"{ENTITY}membership/{name}--plant-intercluster--member"
        assert {row[1] for row in statuses if row[0] == membership} == {"inferred"}
        assert name not in SIGNATORIES


def test_no_end_of_a_memorandum_is_made_up(asker: Asker) -> None:
    own, inherited, unnamed = asker.graphql_rows(BY_NUMBER[3])
    assert {row[0] for row in own} == {COMMON}
    assert {row[1] for row in inherited} == {
        f"{ENTITY}memorandum/vegepolys-greenport-west-holland-2019"
    }
    assert {row[-1] for row in (*own, *inherited, *unnamed)} == {None}
    assert unnamed


def test_shared_projects_of_predecessors_count(asker: Asker) -> None:
    (members,) = asker.graphql_rows(BY_NUMBER[6])
    # FEMAC and AgroCluster Ribatejo shared NATUREEF with VEGEPOLYS, before the merger.
    assert [str(row[0]).removeprefix(ORGANISATION) for row in members] == [
        "agri-sud-ouest-innovation",
        "biovegen",
        "food-bio-cluster-denmark",
        "ind-agro-pol",
        "innov-alliance",
        "qualitropic",
    ]


def test_meetings_of_unknown_year_have_no_edition(asker: Asker) -> None:
    meetings = asker.graphql_rows(BY_NUMBER[10])[0]
    editions = {str(row[0]).rpartition("meeting-")[2]: row[2] for row in meetings}
    assert editions.pop("marseille") is editions.pop("argentina") is None
    assert {int(key): value for key, value in editions.items()} == {
        number: number for number in (1, 2, 5, 6, 7, 8, 9, 10, 11)
    }


def test_nothing_is_said_of_labels_without_an_end(asker: Asker) -> None:
    certainly, possibly, unknown = asker.graphql_rows(BY_NUMBER[12])
    phase_v = {f"{ENTITY}label-award/{n}--pole-de-competitivite--2023" for n in PHASE_V}
    assert ({row[0] for row in certainly}, possibly) == (phase_v, [])
    assert len(unknown) > 10
    sooner = {**BY_NUMBER[12].variables, "deadline": "2026-12-01"}
    question = dataclasses.replace(BY_NUMBER[12], variables=sooner)
    certainly, possibly, still = asker.graphql_rows(question)
    assert (certainly, {row[0] for row in possibly}) == ([], phase_v)
    assert still == unknown


def test_no_consortium_is_made_up(asker: Asker) -> None:
    from_meetings, said, from_networks = asker.graphql_rows(BY_NUMBER[21])
    assert from_meetings == []
    assert any("names none" in str(row[1]) and row[2] == "STATED" for row in said)
    assert {str(row[1]) for row in from_networks} == {"TRACK", "Regions 4Food"}


def test_sources_differ_on_the_lead_of_a_partnership(asker: Asker) -> None:
    regions, counts = asker.graphql_rows(BY_NUMBER[26])
    network = f"{ENTITY}network/consumer-involvement"
    leads = {str(r[0]).rpartition("/")[2] for r in regions if r[2] == network and r[3] == "lead"}
    assert leads == {"food-valley", "gelderland", "ostergotland"}
    of_data = {row[2] for row in counts if str(row[0]).endswith("/traceability-and-big-data")}
    assert of_data == {22, 24}


def test_members_are_in_eight_countries_of_europe(asker: Asker) -> None:
    absent = {row[1] for row in asker.graphql_rows(BY_NUMBER[31])[0]}
    present = {"FR", "ES", "PT", "IT", "NL", "RO", "DK", "PL"}
    assert not absent & present
    assert len(absent) + len(present) == 32


def test_no_partner_of_another_continent_is_made_up(asker: Asker) -> None:
    memoranda, unnamed, figures, others = asker.graphql_rows(BY_NUMBER[33])
    assert (memoranda, len(unnamed), [row[2] for row in figures]) == ([], 1, [4])
    assert {row[1] for row in others} == {"CL", "MA", "MX"}


def test_a_text_with_other_signs_denotes_the_organisation(asker: Asker) -> None:
    candidates, _, meant = asker.graphql_rows(BY_NUMBER[46])
    assert candidates[0][0] == f"{ORGANISATION}ind-agro-pol"
    assert [row[2] for row in candidates].count("EXACT") == 1
    assert meant == [(f"{ORGANISATION}ind-agro-pol",)]
    old = dataclasses.replace(BY_NUMBER[46], variables={"text": "terralia"})
    successors = asker.graphql_rows(old)[1]
    assert (f"{ORGANISATION}terralia", f"{ORGANISATION}innov-alliance") in successors


def test_a_batch_is_checked_and_not_recorded(http: TestClient) -> None:
    before = http.get("/version").json()["revision"]
    question = BY_NUMBER[50]
    data = question.ask(partial(ask_service, http, *question.scopes))
    accepted, wrong, _ = (table.answer_rows(data) for table in question.tables)
    assert accepted == [(False,)]
    assert {row[1] for row in wrong} == {"pattern", "minCount", "class"}
    assert http.get("/version").json()["revision"] == before


@pytest.mark.parametrize(("number", "code"), [(47, "UNAUTHENTICATED"), (50, "UNAUTHENTICATED")])
def test_without_a_token_these_are_refused(http: TestClient, number: int, code: str) -> None:
    question = BY_NUMBER[number]
    body = {"query": question.graphql, "variables": dict(question.variables)}
    (error,) = http.post("/graphql", json=body).json()["errors"]
    assert error["extensions"]["code"] == code


def test_an_old_short_name_leads_to_its_successors(asker: Asker) -> None:
    by_acronym = asker.graphql_rows(BY_NUMBER[14])[2]
    assert by_acronym == [
        (f"{ORGANISATION}peifl", f"{ORGANISATION}terralia", f"{ORGANISATION}innov-alliance")
    ]


def test_no_membership_lacks_evidence(asker: Asker) -> None:
    without_start, without_evidence = asker.sparql_rows(BY_NUMBER[15])
    assert len(without_start) >= 10
    assert without_evidence == []


def test_the_disputed_count_is_among_the_disputed_statements(asker: Asker) -> None:
    rows = asker.sparql_rows(BY_NUMBER[38])[1]
    values = [row[2] for row in rows if row[0] == COMMON and str(row[1]).endswith("PartyCount")]
    assert sorted(map(str, values)) == ["10", "10", "10", "12"]


def test_every_concept_has_both_labels_and_every_value_a_notation(asker: Asker) -> None:
    concepts = asker.graphql_rows(BY_NUMBER[49])[1]
    assert all(row[3] and row[4] for row in concepts)
    own = [row for row in concepts if "/concept-scheme/" in str(row[0])]
    assert all(row[2] for row in own)
    assert len(own) > 300


def test_the_graph_around_a_network_has_its_members_and_signatories(asker: Asker) -> None:
    nodes, memberships, signatures, sources = asker.sparql_rows(BY_NUMBER[42])
    assert {row[1] for row in memberships} == {row[0] for row in nodes}
    assert {row[1] for row in signatures} == {ORGANISATION + name for name in SIGNATORIES}
    assert {row[2] for row in signatures} == {COMMON}
    assert all(row[1] for row in sources)


def test_the_endpoint_offers_what_the_lists_hold(asker: Asker) -> None:
    (counts,), classes, sources, ((queries, prefixes),) = asker.sparql_rows(BY_NUMBER[53])
    by_name = dict(zip(BY_NUMBER[53].tables[0].columns, counts, strict=True))
    assert by_name["sources"] == len(sources) == len(asker.identifiers("Source"))
    stated = {str(row[0]).rpartition("#")[2]: row[1] for row in classes}
    assert by_name["clusters"] == stated["Cluster"] == len(asker.identifiers("Cluster"))
    assert isinstance(queries, int)
    assert queries > 60
    assert prefixes == len(PREFIXES)
