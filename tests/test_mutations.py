"""Acts on entities, as one commit of one source: what is written, below GraphQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.curation.editing import RANK, takes_relations, writable_fields
from graph.curation.gate import Gate
from graph.curation.mutations import Mutations
from graph.curation.naming import find_relation, name_relation, slugify
from graph.curation.view import View
from graph.settings import Settings
from graph.store.dataset import Dataset
from graph.terms import ENTITY
from tests.gates import state, submit
from tests.mutating import (
    JOINED,
    MINE,
    ROLE,
    A,
    B,
    create,
    delete,
    gate,
    mutations,
    named,
    places,
    run,
    stated,
    update,
)
from tests.samples import base, model

__all__ = ["gate", "mutations"]  # fixtures


# --- what is written ----------------------------------------------------------------------------


def test_a_create_states_class_and_fields_in_its_source_alone(
    gate: Gate, mutations: Mutations
) -> None:
    outcome = run(mutations, create("Cluster", {**named("Pôle Neuf", "fr"), "founded": "2019-06"}))
    assert (outcome.accepted, outcome.revision, outcome.violations) == (True, 2, ())
    assert outcome.ids == (f"{ENTITY}organisation/pole-neuf",)
    kept = stated(gate, outcome.ids[0] or "")
    assert kept["prefLabel"] == {'"Pôle Neuf"@fr'}
    assert kept["foundedText"] == {'"2019-06"'}
    assert kept["foundedLatest"] == {'"2019-06-30"^^<http://www.w3.org/2001/XMLSchema#date>'}
    (commit,) = gate.dataset.log.commits(1)
    assert {quad[3] for quad in commit.added} == {f"<{MINE}>"}
    assert (commit.agent, commit.activity, commit.source) == ("me", "mutation", MINE)
    assert commit.message == "create 1"


def test_every_kind_of_value_becomes_its_literal(gate: Gate, mutations: Mutations) -> None:
    site = create("Site", {"latitude": 47.5, "longitude": -1e-7, "kind": "seat"}, None)
    figure = {
        "statedPartyCount": 7,
        **named("Pact"),
        "status": "stated",
        "evidence": [{"quote": "q"}],
    }
    outcome = run(mutations, site, create("Memorandum", figure))
    assert outcome.accepted, outcome.violations
    kept = stated(gate, outcome.ids[0] or "")
    decimal = "^^<http://www.w3.org/2001/XMLSchema#decimal>"
    assert kept["lat"] == {f'"47.5"{decimal}'}
    assert kept["long"] == {f'"-0.0000001"{decimal}'}
    assert kept["siteKind"] == {'"seat"'}
    count = stated(gate, outcome.ids[1] or "")["statedPartyCount"]
    assert count == {'"7"^^<http://www.w3.org/2001/XMLSchema#integer>'}


def test_an_update_replaces_given_fields_takes_null_back_and_leaves_others(
    gate: Gate, mutations: Mutations
) -> None:
    values = {**named("One"), "acronym": "O", "founded": "2019", "homepage": "https://e.org/"}
    (iri,) = run(mutations, create("Cluster", values)).ids
    assert iri is not None
    outcome = run(mutations, update("Cluster", iri, {"acronym": "OO", "founded": None}))
    assert outcome.accepted
    kept = stated(gate, iri)
    assert kept["acronym"] == {'"OO"'}
    assert not {"foundedText", "foundedEarliest", "foundedLatest"} & set(kept)
    assert kept["prefLabel"] == {'"One"@en'}
    assert "url" in kept


def test_an_update_that_changes_nothing_makes_no_revision(mutations: Mutations) -> None:
    (iri,) = run(mutations, create("Cluster", named("One"))).ids
    again = run(mutations, update("Cluster", iri or "", named("One")))
    assert (again.accepted, again.revision) == (True, 2)


def test_what_another_source_states_is_corrected_in_one_s_own(
    gate: Gate, mutations: Mutations
) -> None:
    before = stated(gate, A, f"{ENTITY}source/one")
    assert run(mutations, update("Cluster", A, {"acronym": "AA"})).accepted
    assert stated(gate, A, f"{ENTITY}source/one") == before
    assert set(stated(gate, A)) == {"type", "acronym"}


def test_relations_are_created_with_their_end_and_evidence(
    gate: Gate, mutations: Mutations
) -> None:
    outcome = run(mutations, update("Company", B, {"memberships": [JOINED]}))
    assert outcome.accepted, outcome.violations
    relation = f"{ENTITY}membership/b--n--member"
    kept = stated(gate, relation)
    assert kept["member"] == {f"<{B}>"}
    assert kept["role"] == {f"<{ROLE}>"}
    (evidence,) = kept["evidence"]
    assert stated(gate, evidence[1:-1])["quote"] == {'"B joined."'}
    assert stated(gate, evidence[1:-1])["hadPrimarySource"] == {f"<{MINE}>"}
    again = run(mutations, update("Company", B, {"memberships": [{**JOINED, "started": "2020"}]}))
    assert again.accepted, again.violations
    assert stated(gate, relation)["startedText"] == {'"2020"'}
    assert stated(gate, relation)["evidence"] == {evidence}


def test_rule_3_sources_share_a_relation(gate: Gate, mutations: Mutations) -> None:
    values = {"member": A, **JOINED, "status": "disputed"}
    outcome = run(mutations, create("Membership", values))
    assert outcome.ids == (f"{ENTITY}membership/a--n--member",)
    assert stated(gate, outcome.ids[0] or "")["status"] == {'"disputed"'}
    assert len(gate.dataset.snapshot.subjects("http://www.w3.org/ns/org#member", f"<{A}>")) == 1


def test_rule_3_an_update_of_anothers_relation_repeats_who_takes_part(
    gate: Gate, mutations: Mutations
) -> None:
    relation = f"{ENTITY}membership/a--n--member"
    assert run(mutations, update("Membership", relation, {"ended": "2024"})).accepted
    kept = stated(gate, relation)
    assert kept["member"] == {f"<{A}>"}
    assert {"type", "organization", "role", "endedText"} <= set(kept)


def test_a_relation_that_stands_under_another_name_is_found(
    gate: Gate, mutations: Mutations
) -> None:
    odd = f"<{ENTITY}membership/an-odd-name>"
    one = f"<{ENTITY}source/one>"
    first = f"<{ENTITY}membership/a--n--member>"
    old = [quad for quad in base() if quad[0] == first]
    submit(gate, [(odd, *quad[1:3], one) for quad in old], old)
    outcome = run(mutations, create("Membership", {"member": A, **JOINED}))
    assert outcome.ids == (odd[1:-1],)


def test_names_alike_do_not_make_two_relations_one(gate: Gate, mutations: Mutations) -> None:
    other = f"{ENTITY}platform/a"
    acts = (
        create("Platform", named("A"), other),
        create("Membership", {"member": other, **JOINED}),
    )
    outcome = run(mutations, *acts)
    assert outcome.accepted, outcome.violations
    assert (outcome.ids[1] or "").startswith(f"{ENTITY}membership/a--n--member--")


def test_a_batch_is_one_commit_and_sees_its_own_acts(gate: Gate, mutations: Mutations) -> None:
    new = f"{ENTITY}organisation/new"
    outcome = run(
        mutations,
        create("Cluster", named("New"), new),
        update("Cluster", new, {"acronym": "NEW"}),
        create("Membership", {"member": new, **JOINED}),
    )
    assert outcome.accepted, outcome.violations
    assert gate.dataset.log.revision == 2
    assert stated(gate, new)["acronym"] == {'"NEW"'}
    failing = run(mutations, update("Cluster", new, {"acronym": "X"}), delete(f"{ENTITY}x/y"))
    assert not failing.accepted
    assert stated(gate, new)["acronym"] == {'"NEW"'}


# --- deletion -----------------------------------------------------------------------------------


def test_a_deletion_takes_back_one_source_s_statements_and_lone_evidence(
    gate: Gate, mutations: Mutations
) -> None:
    relation = f"{ENTITY}membership/b--n--member"
    run(mutations, update("Company", B, {"memberships": [JOINED]}))
    (evidence,) = stated(gate, relation)["evidence"]
    run(mutations, create("Signature", {"agreement": f"{ENTITY}memorandum/m", "signatory": A,
        "status": "stated", "evidence": [{"id": evidence[1:-1]}]}))  # fmt: skip
    assert run(mutations, delete(relation)).accepted
    assert stated(gate, relation) == {}
    assert stated(gate, evidence[1:-1]), "a signature rests on it"
    assert run(mutations, delete(f"{ENTITY}signature/m--a", "Signature")).accepted
    assert stated(gate, evidence[1:-1]) == {}
    assert stated(gate, f"{ENTITY}signature/m--a", f"{ENTITY}source/one")


def test_rule_5_the_last_class_stays_while_others_refer_to_it(
    gate: Gate, mutations: Mutations
) -> None:
    (iri,) = run(mutations, create("Cluster", {**named("New"), "memberships": [JOINED]})).ids
    before = state(gate)
    outcome = run(mutations, delete(iri or ""))
    assert places(outcome) == {("id", "class")}
    assert "membership/new--n--member" in outcome.violations[0].violation.message
    assert state(gate) == before
    both = (delete(iri or ""), delete(f"{ENTITY}membership/new--n--member"))
    assert run(mutations, *both).accepted
    assert stated(gate, iri or "") == {}


def test_what_others_state_too_may_go_from_one_source(gate: Gate, mutations: Mutations) -> None:
    run(mutations, update("Cluster", A, {"acronym": "AA"}))
    assert run(mutations, delete(A, "Cluster")).accepted
    assert stated(gate, A) == {}
    again = run(mutations, delete(A, "Cluster"))
    assert places(again) == {("id", "exists")}


# --- the model ----------------------------------------------------------------------------------


def test_every_public_field_can_be_given_but_what_only_curators_set() -> None:
    for iri, fields in model().fields.items():
        writable = writable_fields(model(), iri)
        for name, field in fields.items():
            is_relation = takes_relations(model(), field)
            expected = field.exposure == "public" and (not field.inverse or is_relation)
            expected &= field.path != RANK and field.target not in model().computed
            assert (name in writable) == expected, (iri, name)


def test_the_seeds_relations_have_the_names_that_follow_from_them(seeded_store: Path) -> None:
    dataset = Dataset.open(Settings(store=seeded_store), model(), with_store=False)
    snapshot, view = dataset.snapshot, View(dataset.snapshot)
    looked = same = 0
    for shape in model().classes.values():
        for number in snapshot.instances(shape.iri) if shape.relation else ():
            node = snapshot.term_of(number)
            participants = [snapshot.value(node, path) for path in shape.identity]
            assert find_relation(view, model(), shape, participants) == node[1:-1]
            same += name_relation(shape, participants) == node[1:-1]
            looked += 1
    assert looked > 200
    assert same / looked > 0.9


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Pôle Européen d'Innovation", "pole-europeen-d-innovation"),
        ("  A -- B  ", "a-b"),
        ("植物", ""),
        ("../../etc/passwd", "etc-passwd"),
        ("x" * 200, "x" * 80),
    ],
)
def test_slugs(text: str, slug: str) -> None:
    assert slugify(text) == slug


def test_what_has_no_name_in_latin_letters_is_named_by_its_content(mutations: Mutations) -> None:
    act = create("Cluster", named("植物", "zh"))
    (iri,) = run(mutations, act, dry_run=True).ids
    assert iri == run(mutations, act).ids[0]
    assert iri is not None
    assert len(iri.rpartition("/")[2]) == 12
