"""Visibility levels: what each holds, what a change is at each, and after a restart."""

from __future__ import annotations

import gc
import random
import shutil
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from graph.access import Level, Viewer
from graph.curation.changes import read_changes
from graph.curation.check import check_snapshot
from graph.curation.gate import Gate
from graph.curation.mutations import Mutations
from graph.errors import KeyReusedError, RevisionConflictError, ShapeViolationError
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.difference import find_difference
from graph.store.levels import find_moves, read_level
from graph.store.search import SearchIndex
from graph.store.snapshot import fork
from graph.terms import ENTITY, SKOS, XSD, Quad, write_literal
from graph.terms import RDF_TYPE as TYPE
from schema.readers import Readers
from tests.gates import open_gate, submit, violations
from tests.gates import refusal as refused
from tests.levelled import (
    SECRET,
    assert_sound,
    cluster,
    hidden,
    secrets_in,
    source,
    terms_of,
    visibility,
)
from tests.mutating import ask, create, delete, named, update, viewer
from tests.samples import base, iri, model, rz, snapshot_of

HIDDEN = iri("source/hidden")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    opened = open_gate(tmp_path / "store")
    submit(opened, base())
    yield opened
    opened.dataset.close()


def test_while_all_is_public_there_is_one_snapshot(gate: Gate) -> None:
    levels = gate.dataset.levels
    (view,) = levels.views
    assert view.level is Level.PUBLIC
    assert levels.whole is levels.public is view.snapshot
    assert all(levels.at(level) is view for level in Level)


@pytest.mark.parametrize("level", [Level.PARTNER, Level.RESTRICTED])
def test_a_graph_above_public_changes_nothing_below(gate: Gate, level: Level) -> None:
    before = gate.dataset.levels
    terms = terms_of(before.public)
    submit(gate, hidden(level))
    levels = gate.dataset.levels
    assert levels.revision == 2
    assert levels.at(Level.PUBLIC) is before.at(Level.PUBLIC), "not even a new version"
    assert terms_of(levels.public) == terms
    assert levels.at(level).snapshot.quad_count == before.whole.quad_count + len(hidden())
    assert secrets_in(terms_of(levels.whole))
    assert_sound(levels)
    for lower in Level:
        expected = levels.whole if lower >= level else levels.public
        assert levels.at(lower).snapshot is expected


def test_a_level_goes_with_its_last_graph(gate: Gate) -> None:
    submit(gate, hidden(Level.PARTNER))
    submit(gate, [*source("deep", Level.RESTRICTED), *cluster("deep", "deep", "Deep")])
    assert [v.level for v in gate.dataset.levels.views] == list(Level)
    assert_sound(gate.dataset.levels)
    submit(gate, (), hidden(Level.PARTNER))
    assert [v.level for v in gate.dataset.levels.views] == [Level.PUBLIC, Level.RESTRICTED]
    assert_sound(gate.dataset.levels)
    held = list(gate.dataset.snapshot.quads(iri("source/deep")))
    submit(gate, (), held)
    assert [v.level for v in gate.dataset.levels.views] == [Level.PUBLIC]
    assert gate.dataset.levels.public.revision == 1
    assert gate.dataset.revision == 5
    assert_sound(gate.dataset.levels)
    assert check_snapshot(gate.dataset).error is None


def test_what_is_hidden_leaves_nothing_below(gate: Gate) -> None:
    """A graph that was public: not a term of it stays, and its texts are found no more."""
    open_ = [q for q in hidden() if q != visibility("hidden", Level.PARTNER)]
    submit(gate, open_)
    assert secrets_in(terms_of(gate.dataset.levels.public))
    submit(gate, [visibility("hidden", Level.PARTNER)])
    levels = gate.dataset.levels
    assert levels.renewed == {Level.PUBLIC}
    assert not secrets_in(terms_of(levels.public))
    assert secrets_in(terms_of(levels.whole))
    assert_sound(levels)
    submit(gate, [visibility("hidden", Level.PUBLIC)], [visibility("hidden", Level.PARTNER)])
    assert [v.level for v in gate.dataset.levels.views] == [Level.PUBLIC]
    assert_sound(gate.dataset.levels)


def test_any_sequence_of_changes_leaves_every_level_sound(gate: Gate, tmp_path: Path) -> None:
    draw = random.Random(4)
    names = ["x", "y", "z"]
    levels: dict[str, Level | None] = dict.fromkeys(names)
    for step in range(40):
        name = draw.choice(names)
        graph, old = iri(f"source/{name}"), levels[name]
        new = draw.choice([None, *Level])
        held = list(gate.dataset.snapshot.quads(graph))
        if new is None:
            submit(gate, (), held)
        else:
            wanted = {*source(name, new), *cluster(f"{name}{step}", name, f"{SECRET} {step}")}
            if old is not None and draw.random() < 0.5:
                wanted |= {q for q in held if "ontology#visibility" not in q[1]}
            submit(gate, wanted, set(held) - wanted)
        levels[name] = new
        assert_sound(gate.dataset.levels)
        if step % 10 == 9:
            assert check_snapshot(gate.dataset).error is None
            gate.dataset.save_image()
            copy = tmp_path / f"copy{step}"
            shutil.copytree(gate.settings.store, copy)
            for folder in (copy, _without_images(copy, tmp_path / f"bare{step}")):
                again = open_gate(folder).dataset
                assert_sound(again.levels)
                assert again.revision == gate.dataset.revision
                now, then = again.levels.views, gate.dataset.levels.views
                assert [v.level for v in now] == [v.level for v in then]
                again.close()


def _without_images(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("image*"))
    return to


@pytest.mark.parametrize("name", ["image", "image-public"])
@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "other"])
def test_a_damaged_image_of_a_level_is_built_anew(
    gate: Gate, tmp_path: Path, name: str, damage: str
) -> None:
    submit(gate, hidden())
    gate.dataset.save_image()
    folder = tmp_path / "copy"
    shutil.copytree(gate.settings.store, folder)
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "other":  # the image of another level, whole and sound by itself
        other = folder / ("image" if name == "image-public" else "image-public")
        shutil.copy(other, path)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    again = open_gate(folder).dataset
    assert_sound(again.levels)
    assert not secrets_in(terms_of(again.levels.public))
    assert again.levels.public.revision == 1
    assert check_snapshot(again).error is None
    again.close()


def test_a_restart_keeps_what_readers_of_the_public_level_see_of_it(gate: Gate) -> None:
    submit(gate, hidden())
    view, folder = gate.dataset.levels.at(Level.PUBLIC), gate.settings.store
    gate.dataset.close()
    for expected in ("image", "log"):
        if expected == "log":
            (folder / "image").unlink()
        again = Dataset.open(gate.settings, model(), with_store=False)
        found = again.levels.at(Level.PUBLIC)
        assert (found.time, found.latest) == (view.time, view.latest), expected
        assert found.snapshot.revision == view.snapshot.revision == 1
        again.log.close()


def test_the_history_of_what_is_gone_stays_what_it_was(gate: Gate) -> None:
    """Also after a restart, from the image and from the log."""
    submit(gate, hidden())
    submit(gate, (), hidden())
    assert gate.dataset.levels.level_of(HIDDEN) is Level.PARTNER
    gate.dataset.close()

    def told(opened: Gate) -> list[int]:
        levels = opened.dataset.levels

        def sees(graph: str) -> bool:
            return levels.is_seen(f"<{graph}>", Level.PUBLIC)

        given = opened.dataset.log, levels.public, 0, 10
        page = read_changes(*given, entities_max=100, statements_max=1_000, sees=sees)
        return [change.revision for change in page.items]

    for gone in (None, "image"):
        if gone is not None:
            (gate.settings.store / gone).unlink()
        again = open_gate(gate.settings.store)
        levels = again.dataset.levels
        assert levels.level_of(HIDDEN) is Level.PARTNER, gone
        assert levels.public.revision == 1, gone
        assert told(again) == [1], gone
        again.dataset.log.close()
    again = open_gate(gate.settings.store)
    submit(again, hidden(Level.PUBLIC))
    assert again.dataset.levels.level_of(HIDDEN) is Level.PUBLIC
    again.dataset.close()


def test_readers_keep_nothing_of_a_level_from_which_something_was_hidden(gate: Gate) -> None:
    readers = Readers(8, lambda: gate.dataset.levels)
    submit(gate, [*source("more"), *cluster("more", "more", "More")])
    before = weakref.ref(gate.dataset.levels.public.terms)
    readers.find(lambda _: lambda _: dict, gate.dataset.levels.public)
    submit(gate, [visibility("more", Level.PARTNER)])
    readers.find(lambda _: lambda _: dict, gate.dataset.levels.public)
    gc.collect()
    assert before() is None


def test_a_level_that_is_built_anew_before_it_was_indexed_can_be_searched(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(gate, hidden())
    submit(gate, [*source("more"), *cluster("more", "more", "More")])
    with monkeypatch.context() as patched:
        patched.setattr(SearchIndex, "build", lambda *_: None)  # it is under way
        gate.dataset.index_texts()
    submit(gate, [visibility("more", Level.PARTNER)])
    public = gate.dataset.levels.public
    deadline = time.monotonic() + 20
    while not public.search.is_ready:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_lineages_do_not_see_each_others_terms() -> None:

    first = snapshot_of(base())
    second = fork(first)
    assert second.terms.find(iri("organisation/a")) == first.terms.find(iri("organisation/a"))
    number = second.terms.add(f'"{SECRET}"@en')
    assert first.terms.find(f'"{SECRET}"@en') is None
    assert second.terms.term(number) == f'"{SECRET}"@en'
    long = f'"{SECRET * 20}"'
    first.terms.add(long)
    assert second.terms.find(long) is None


def test_versions_of_two_lineages_are_compared_by_what_they_state(gate: Gate) -> None:
    open_ = [q for q in hidden() if q != visibility("hidden", Level.PARTNER)]
    submit(gate, open_)
    before = gate.dataset.levels.public
    submit(gate, [visibility("hidden", Level.PARTNER)])
    after = gate.dataset.levels.public
    assert before.terms is not after.terms
    found = find_difference(before, after)
    names = {found.after.terms.term(number) for number in found.nodes}
    assert {iri(f"organisation/{SECRET}"), iri("organisation/a"), HIDDEN} <= names
    assert iri("organisation/b") not in names
    assert not secrets_in(terms_of(after)), "comparing leaves nothing behind"


def test_a_source_speaks_for_its_own_graph_alone(gate: Gate) -> None:
    graph = iri("source/hidden")
    stranger = (iri("source/one"), *visibility("hidden", Level.RESTRICTED)[1:3], graph)
    submit(gate, [*source("hidden"), stranger])
    assert [v.level for v in gate.dataset.levels.views] == [Level.PUBLIC]


def test_a_value_that_is_no_level_hides() -> None:
    assert read_level(['"publik"']) is Level.RESTRICTED
    assert read_level(['"public"', '"partner"']) is Level.PARTNER
    assert read_level([]) is Level.PUBLIC


def test_an_unknown_level_is_refused(gate: Gate) -> None:
    quad = (HIDDEN, visibility("hidden", Level.PARTNER)[1], '"secret"', HIDDEN)
    (violation,) = violations(refused(gate, ShapeViolationError, [*source("hidden"), quad]))
    assert violation.constraint == "in"


# --- what must hold at each level (rule 1) --------------------------------------------------------


def test_a_public_statement_may_not_rest_on_what_is_hidden(gate: Gate) -> None:
    """The public level would have a tie to a node without class, where the field is never null."""
    submit(gate, hidden())
    membership, graph = iri("membership/s--n--member"), iri("source/open")
    text = _membership(membership, iri(f"organisation/{SECRET}"), graph)
    found = violations(refused(gate, ShapeViolationError, [*source("open"), *text]))
    assert {v.constraint for v in found} == {"class"}
    submit(gate, [*source("open", Level.PARTNER), *text])
    assert_sound(gate.dataset.levels)


def test_hiding_what_public_statements_rest_on_is_refused(gate: Gate) -> None:
    submit(gate, [*source("begin"), *cluster("q", "begin", "Q")])
    graph = iri("source/open")
    text = _membership(iri("membership/q--n--member"), iri("organisation/q"), graph)
    submit(gate, [*source("open"), *text])
    found = violations(refused(gate, ShapeViolationError, [visibility("begin", Level.PARTNER)]))
    assert {v.constraint for v in found} == {"class"}


def _membership(node: str, member: str, graph: str) -> list[Quad]:
    evidence = iri("evidence/open-1")
    org = "http://www.w3.org/ns/org#"

    return [
        (node, TYPE, rz("Membership"), graph),
        (node, f"<{org}member>", member, graph),
        (node, f"<{org}organization>", iri("network/n"), graph),
        (node, f"<{org}role>", iri("concept/role--member"), graph),
        (node, rz("status"), '"stated"', graph),
        (node, rz("evidence"), evidence, graph),
        (evidence, TYPE, rz("Evidence"), graph),
        (evidence, "<http://www.w3.org/ns/prov#hadPrimarySource>", graph, graph),
        (evidence, rz("quote"), '"It joined."', graph),
    ]


def test_moves_are_told_by_the_commit_alone(gate: Gate) -> None:
    submit(gate, hidden())
    submit(gate, [visibility("hidden", Level.PUBLIC)], [visibility("hidden", Level.PARTNER)])
    submit(gate, (), hidden(Level.PUBLIC))
    begun, moved, gone = list(gate.dataset.log.commits(1))
    assert find_moves(begun) == find_moves(gone) == {}
    assert find_moves(moved) == {HIDDEN: (Level.PARTNER, Level.PUBLIC)}


# --- writers --------------------------------------------------------------------------------------


def _asker(level: Level) -> Viewer:
    return replace(viewer("me"), level=level)


def _leaning(gate: Gate) -> str:
    """A cluster of the source `mine`, which a membership above rests on; its IRI."""
    mutations = Mutations(gate)
    made = mutations.run(ask(create("Cluster", named("Q"))), _asker(Level.PUBLIC))
    assert made.ids[0] is not None
    graph = iri("source/leaning")
    tie = _membership(iri("membership/q--n--member"), f"<{made.ids[0]}>", graph)
    submit(gate, [*source("leaning", Level.RESTRICTED), *tie])
    return made.ids[0]


@pytest.mark.parametrize("level", Level)
def test_what_something_above_rests_on_stays_and_nothing_is_told_of_it(
    gate: Gate, level: Level
) -> None:
    node = _leaning(gate)
    before = gate.dataset.revision
    outcome = Mutations(gate).run(ask(delete(node, "Cluster")), _asker(level))
    assert not outcome.accepted
    assert gate.dataset.revision == before
    told = [(v.violation.constraint, v.violation.focus_node) for v in outcome.violations]
    if level is Level.RESTRICTED:
        assert ("class", iri("membership/q--n--member")) in told
    else:
        assert told == [("visibility", "")]
        assert "leaning" not in repr(outcome)


def test_what_a_rule_counts_is_told_by_level(gate: Gate) -> None:
    """A memorandum states three parties; how many are known depends on who may read what."""

    def signed(name: str, signatory: str, level: Level | None = None) -> list[Quad]:
        graph, node = iri(f"source/{name}"), iri(f"signature/m--{name}")
        return [
            *source(name, level),
            (node, TYPE, rz("Signature"), graph),
            (node, rz("agreement"), iri("memorandum/m"), graph),
            (node, rz("signatory"), iri(signatory), graph),
            (node, rz("status"), '"stated"', graph),
            (node, rz("evidence"), iri("evidence/one-1"), graph),
        ]

    def told(level: Level) -> str:
        change = Change((), (), "me", "edit", "why")
        graph, node = iri("source/mine"), iri("memorandum/m")
        quads = [
            *source("mine"),
            (node, TYPE, rz("MemorandumOfUnderstanding"), graph),
            (node, rz("statedPartyCount"), write_literal("7", f"{XSD}integer"), graph),
        ]
        return repr(gate.settle(change, lambda _: (quads, ()), dry_run=True, level=level).warnings)

    before = told(Level.PUBLIC)
    node = cluster(SECRET, "hidden", SECRET)
    submit(gate, [*signed("hidden", f"organisation/{SECRET}", Level.PARTNER), *node])
    assert told(Level.PUBLIC) == before
    assert told(Level.PARTNER) != before


def test_a_mutation_of_a_public_source_repeats_nothing_that_is_hidden(gate: Gate) -> None:
    """Ends and dates of a relation are restated from what others say: of the same level only."""
    graph = iri("source/hidden")
    tie = _membership(iri("membership/b--n--member"), iri("organisation/b"), graph)
    submit(gate, [*source("hidden", Level.PARTNER), *tie])
    act = update("Membership", f"{ENTITY}membership/b--n--member", {"status": "disputed"})
    outcome = Mutations(gate).run(ask(act), _asker(Level.PARTNER))
    assert {v.violation.constraint for v in outcome.violations} == {"exists"}
    begin = {"title": "Mine", "kind": "user", "visibility": "partner"}
    outcome = Mutations(gate).run(ask(act, begin=begin), _asker(Level.PARTNER))
    assert outcome.accepted, outcome.violations
    assert_sound(gate.dataset.levels)


def test_a_key_of_one_level_is_not_answered_to_another(gate: Gate) -> None:
    mutations = Mutations(gate)
    begin = {"title": "Mine", "kind": "user", "visibility": "partner"}
    asked = ask(create("Cluster", named("Q")), begin=begin, key="key-of-eight")
    assert mutations.run(asked, _asker(Level.PARTNER)).accepted
    assert mutations.run(asked, _asker(Level.PARTNER)).repeated
    with pytest.raises(KeyReusedError):
        mutations.run(asked, _asker(Level.PUBLIC))


def test_a_conflict_is_told_of_what_the_writer_may_read(gate: Gate) -> None:
    mutations = Mutations(gate)
    made = mutations.run(ask(create("Cluster", named("Q"))), _asker(Level.PUBLIC)).ids[0]
    seen = gate.dataset.revision
    alias = (f"<{made}>", f"<{SKOS}altLabel>", f'"{SECRET}"@en', iri("source/hidden"))
    submit(gate, [*source("hidden", Level.PARTNER), alias])
    act = ask(update("Cluster", str(made), named("R")), if_revision=seen, dry_run=True)
    assert mutations.run(act, _asker(Level.PUBLIC)).accepted
    with pytest.raises(RevisionConflictError):
        mutations.run(act, _asker(Level.PARTNER))
