"""Who may write which source, and what is said of input that cannot be taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graph.access import Scope, anonymous
from graph.curation.edtf import EXAMPLES
from graph.curation.gate import Gate
from graph.curation.mutations import Mutation, Mutations
from graph.curation.seeding import seed
from graph.errors import (
    ForbiddenError,
    UnauthenticatedError,
)
from graph.settings import Settings
from graph.store.access_tokens import Tokens
from graph.store.dataset import Dataset
from graph.terms import ENTITY
from tests.gates import open_gate, state, write_seeds
from tests.mutating import (
    FOUNDER,
    JOINED,
    MINE,
    ROLE,
    A,
    B,
    N,
    create,
    gate,
    mutations,
    named,
    places,
    run,
    stated,
    update,
    viewer,
)
from tests.samples import BASE, model

__all__ = ["gate", "mutations"]  # fixtures


# --- whose source it is -------------------------------------------------------------------------


def test_a_new_source_is_begun_in_the_same_change(gate: Gate, mutations: Mutations) -> None:
    begin = {"title": "Mine", "url": "https://e.org/", "retrievedOn": "2026-11-01"}
    assert run(mutations, create("Cluster", named("New")), begin=begin).accepted
    kept = stated(gate, MINE)
    assert kept["title"] == {'"Mine"'}
    assert kept["sourceKind"] == {'"user"'}
    other = run(mutations, create("Cluster", named("Other")), begin={"title": "Renamed"})
    assert other.accepted
    assert stated(gate, MINE)["title"] == {'"Mine"'}


def test_without_a_source_nothing_is_written(gate: Gate, mutations: Mutations) -> None:
    before = state(gate)
    outcome = run(mutations, create("Cluster", named("New")), begin=None)
    assert places(outcome) == {("source.id", "exists")}
    untitled = run(mutations, create("Cluster", named("New")), begin={})
    assert places(untitled) == {("source.create.title", "minCount")}
    for iri in ("", "mine", "https://e.org/a b", "<x>", f"{ENTITY}organisation/a"):
        assert not run(mutations, create("Cluster", named("New")), source=iri).accepted
    assert state(gate) == before


@pytest.mark.parametrize(
    "graph", ["https://w3id.org/rhizome/ontology", "https://w3id.org/rhizome/stamp/x"]
)
def test_the_ontology_and_the_store_s_own_graphs_are_no_source(
    gate: Gate, mutations: Mutations, graph: str
) -> None:
    before = state(gate)
    assert not run(mutations, create("Cluster", named("New")), source=graph).accepted
    assert state(gate) == before


def test_rule_5_seeds_are_read_only(tmp_path: Path) -> None:
    gate = open_gate(tmp_path / "seeded")
    seed(gate, write_seeds(tmp_path, BASE))
    source = f"{ENTITY}source/one"
    outcome = run(Mutations(gate), update("Cluster", A, {"acronym": "X"}), source=source)
    assert places(outcome) == {("source.id", "graph")}
    assert "source of your own" in outcome.violations[0].violation.message
    gate.dataset.close()


def test_a_source_belongs_to_the_name_that_began_it(gate: Gate, mutations: Mutations) -> None:
    act = create("Cluster", named("New"))
    loaded = f"{ENTITY}source/two"
    with pytest.raises(ForbiddenError, match="another began"):
        run(mutations, act, source=loaded)
    trusted = viewer("me", sources=(loaded,))
    assert run(mutations, act, source=loaded, who=trusted).accepted
    run(mutations, create("Cluster", named("Mine")))
    with pytest.raises(ForbiddenError):
        run(mutations, create("Cluster", named("Theirs")), who=viewer("you"))
    assert run(mutations, create("Cluster", named("Ours")), who=viewer("me")).accepted


def test_nothing_is_kept_of_sources_that_nobody_began(mutations: Mutations) -> None:
    for number in range(3):
        outcome = run(mutations, create("Cluster", {"acronym": 7}), source=f"{MINE}-{number}")
        assert not outcome.accepted
    run(mutations, create("Cluster", named("Mine")))
    assert mutations.owners._begun == {}


def test_ownership_outlives_a_restart(gate: Gate, mutations: Mutations) -> None:
    run(mutations, create("Cluster", named("Mine")))
    gate.dataset.close()
    again = Gate(Dataset.open(gate.settings, model(), with_store=False), model(), gate.settings)
    with pytest.raises(ForbiddenError):
        run(Mutations(again), create("Cluster", named("Theirs")), who=viewer("you"))
    again.dataset.close()


def test_who_may_not_write_is_told_so(mutations: Mutations) -> None:
    act = create("Cluster", named("New"))
    with pytest.raises(UnauthenticatedError, match="scope write"):
        run(mutations, act, who=anonymous(Settings()))
    with pytest.raises(ForbiddenError) as caught:
        run(mutations, act, who=viewer("me", Scope.EXPLAIN, Scope.CHANGES))
    assert caught.value.scope == "write"


# --- what is wrong, and where -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "place", "constraint"),
    [
        ({"acronym": 7}, "acronym", "datatype"),
        ({"acronym": None, "homepage": "no address"}, "homepage", "datatype"),
        ({"homepage": "javascript:alert(1)"}, "homepage", "datatype"),
        ({"homepage": ["https://e.org/"]}, "homepage", "maxCount"),
        ({"founded": "soon"}, "founded", "pattern"),
        ({"founded": 2019}, "founded", "datatype"),
        ({"founded": {}}, "founded", "datatype"),
        ({"name": [{"text": "Z", "lang": "en"}, {"text": "b", "lang": "e n"}]}, "name.1.lang",
         "datatype"),
        ({"name": [{"text": "Z\x00", "lang": "en"}]}, "name.0.text", "datatype"),
        ({"name": [{"text": "\ud800", "lang": "en"}]}, "name.0.text", "pattern"),
        ({"name": [{"text": "Z", "lang": "en"}, {"text": "b", "lang": "EN"}]}, "name",
         "uniqueLang"),
        ({"name": [{"text": " \n", "lang": "en"}]}, "name.0.text", "minLength"),
        ({"acronym": ""}, "acronym", "minLength"),
        ({"country": N}, "country", "class"),
        ({"country": "France"}, "country", "nodeKind"),
        ({"sameAs": ["https://e.org/", "x> <y"]}, "sameAs.1", "nodeKind"),
        ({"acronym": "x" * 81}, "acronym", "maxLength"),
        ({"acronym": "x" * 70_000}, "acronym", "datatype"),
        ({"memberships": [{**JOINED, "member": B}]}, "memberships.0.member", "identity"),
        ({"memberships": [JOINED, {"role": ROLE}]}, "memberships.1.memberOf", "minCount"),
        ({"memberships": [{**JOINED, "memberOf": A + "x"}]}, "memberships.0.memberOf", "class"),
        ({"memberships": [{**JOINED, "evidence": []}]}, "memberships.0.evidence", "minCount"),
        ({"memberships": [{**JOINED, "status": "sure"}]}, "memberships.0.status", "in"),
        ({"memberships": [{**JOINED, "evidence": [{"quote": "q" * 201}]}]},
         "memberships.0.evidence.0.quote", "maxLength"),
        ({"memberships": [{**JOINED, "evidence": [{"id": "x"}]}]},
         "memberships.0.evidence.0.id", "nodeKind"),
        ({"memberships": [{**JOINED, "started": "never"}]}, "memberships.0.started", "pattern"),
    ],
)  # fmt: skip
def test_a_violation_names_its_place_in_the_input(
    gate: Gate, mutations: Mutations, values: dict[str, Any], place: str, constraint: str
) -> None:
    before = state(gate)
    outcome = run(mutations, create("Cluster", values))
    assert not outcome.accepted
    assert (f"input.{place}", constraint) in places(outcome)
    assert all(each.violation.message for each in outcome.violations)
    assert state(gate) == before


@pytest.mark.parametrize(
    "iri",
    [
        "", "x", "https://e.org/a b", f"{ENTITY}network/x", f"{ENTITY}organisation/",
        f"{ENTITY}organisation/a/b", f"{ENTITY}organisation/a?b", "urn:x:y",
        "https://w3id.org/rhizome/ontology#Cluster", "javascript:alert(1)",
        "http://[bad", "https://example.org:port/", "https://e.org/%zz",
    ],
)  # fmt: skip
def test_a_new_thing_cannot_have_any_name(mutations: Mutations, iri: str) -> None:
    outcome = run(mutations, create("Cluster", named("New"), iri))
    assert places(outcome) == {("id", "nodeKind")}


def test_identifiers_and_sources_are_kept_as_all_iris_are(gate: Gate, mutations: Mutations) -> None:
    given, kept = "https://e.org/e\u0301", "https://e.org/\u00e9"
    assert run(mutations, create("Cluster", named("New"), given), source=f"{given}-s").accepted
    assert stated(gate, kept, f"{kept}-s")
    assert mutations.run(Mutation(f"{given}-s", (update("Cluster", given, {}),)), viewer()).accepted
    assert not gate.dataset.snapshot.quads_of(f"<{given}>")
    assert gate.dataset.log.authors[f"{kept}-s"] == viewer().name
    before = state(gate)
    long = "https://e.org/" + "a" * gate.settings.iri_bytes
    outcome = run(mutations, create("Cluster", named("New"), long))
    assert places(outcome) == {("id", "nodeKind")}
    assert places(run(mutations, source=long)) == {("source.id", "nodeKind")}
    for wrong in ("http://[bad", "https://example.org:port/", "x"):
        assert places(run(mutations, source=wrong)) == {("source.id", "nodeKind")}
        same = run(mutations, create("Cluster", {**named("New"), "sameAs": [wrong]}))
        assert places(same) == {("input.sameAs.0", "nodeKind")}
    assert state(gate) == before


def test_an_act_that_is_repeated_names_its_identifier_as_kept(
    gate: Gate, mutations: Mutations
) -> None:
    act = create("Cluster", named("New"), "https://e.org/e\u0301")
    first = run(mutations, act, key="key-of-eight")
    again = run(Mutations(gate), act, key="key-of-eight")
    assert again.repeated
    assert again.ids == first.ids == ("https://e.org/\u00e9",)


def test_a_token_that_was_revoked_meanwhile_writes_nothing(gate: Gate) -> None:
    tokens = Tokens.open(gate.settings)
    text, token = tokens.create(["write"], name="bob")
    who = tokens.authenticate(text)
    mutations = Mutations(gate, tokens.recheck)
    assert run(mutations, create("Cluster", named("One")), who=who).accepted
    tokens.revoke(token.id)
    before = state(gate)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        run(mutations, create("Cluster", named("Two")), who=who)
    assert state(gate) == before


def test_one_batch_holds_relations_whose_names_are_alike(gate: Gate, mutations: Mutations) -> None:
    sites = ("https://a.example/x", "https://b.example/x")
    acts = [create("Cluster", {**named(iri), "memberships": [JOINED]}, iri) for iri in sites]
    assert run(mutations, *acts).accepted
    for iri in sites:
        found = gate.dataset.snapshot.quads_to(f"<{iri}>")
        assert len([quad for quad in found if "member" in quad[1]]) == 1


def test_what_is_there_is_not_created_again(mutations: Mutations) -> None:
    assert places(run(mutations, create("Cluster", named("X"), A))) == {("id", "unique")}
    assert places(run(mutations, create("Cluster", named("A")))) == {("id", "unique")}
    first = create("Membership", {"member": B, **JOINED})
    assert run(mutations, first).accepted
    assert places(run(mutations, first)) == {("id", "unique")}
    wrong = create("Membership", {"member": B, **JOINED, "role": FOUNDER}, f"{ENTITY}membership/x")
    assert places(run(mutations, wrong)) == {("id", "identity")}


def test_what_is_not_there_or_of_another_class_is_not_updated(mutations: Mutations) -> None:
    for iri in (f"{ENTITY}organisation/nobody", N, "", "x y"):
        assert places(run(mutations, update("Cluster", iri, {}))) == {("id", "exists")}
    relation = f"{ENTITY}membership/a--n--member"
    changed = run(mutations, update("Membership", relation, {"member": B}))
    assert ("input.member", "identity") in places(changed)


def test_messages_are_in_the_language_asked_for(mutations: Mutations) -> None:
    act = create("Cluster", {"founded": "bientôt", "acronym": 7})
    outcome = run(mutations, act, language="fr")
    messages = {each.violation.message for each in outcome.violations}
    assert f"n'est pas une date EDTF, comme {EXAMPLES}" in messages


def test_warnings_lead_to_the_field_that_is_missing(mutations: Mutations) -> None:
    outcome = run(mutations, create("Cluster", named("New")))
    assert ("input", "country") in {warning.place for warning in outcome.warnings}
