from __future__ import annotations

import pytest

from graph.model import Model
from graph.shapes import load_model
from graph.store import build
from graph.store.advance import advance
from graph.store.build import build_snapshot, step
from graph.store.columns import OneColumn, empty_many, insert_many
from graph.store.snapshot import TYPE, Snapshot
from graph.store.term_table import NIL, TermTable
from graph.terms import ENTITY, RZ, SKOS, Quad, write_literal
from tests.snapshots import (
    FOUNDED,
    MEMBERSHIPS,
    ORGANISATIONS,
    SOURCES,
    answering,
    commit_of,
    random_history,
)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


def state(snapshot: Snapshot) -> dict[str, object]:
    """Return all that a reader can see, without numbers."""
    term = snapshot.terms.term
    return {
        "quads": sorted(snapshot.quads()),
        "graphs": [(g, snapshot.graph_count(g)) for g in snapshot.graphs()],
        "order": sorted(snapshot.graphs(), key=snapshot.source_order),
        "classes": {
            iri: [term(n) for n in numbers]
            for iri, numbers in snapshot.classes.items()
            if len(numbers)
        },
        "answers": {
            (term(subject), predicate): snapshot.value(term(subject), predicate)
            for predicate, column in snapshot.forward.items()
            for subject, _, _ in column.statements()
        },
        "inverse": {
            (predicate, term(value)): [term(n) for n in column.values(value)]
            for predicate, column in snapshot.inverse.items()
            for number in column.pages
            for value in range(number << 8, (number << 8) + 256)
            if len(column.values(value))
        },
        "lists": {
            (predicate, term(subject)): [term(n) for n in column.values(subject)]
            for predicate, column in snapshot.forward.items()
            if not hasattr(column, "contested")
            for subject, _, _ in column.statements()
        },
    }


@pytest.mark.parametrize("seed", range(4))
def test_an_advanced_snapshot_equals_one_built_anew(model: Model, seed: int) -> None:
    advanced, commits = build_snapshot(model), []
    for commit, held in random_history(model, seed, 12):
        commits.append(commit)
        advanced = advance(advanced, commit)
        assert set(advanced.quads()) == held
    assert state(advanced) == state(build_snapshot(model, commits))


def test_of_values_that_begin_alike_the_same_answers_however_it_was_built(model: Model) -> None:
    """One source states both, which other shapes may have allowed: the page and its pairs agree."""
    member, source = "http://www.w3.org/ns/org#member", SOURCES[0]
    subject, short, long = (
        MEMBERSHIPS[0],
        f"<{ENTITY}organisation/o1>",
        f"<{ENTITY}organisation/o16>",
    )
    quads = [(subject, f"<{member}>", value, source) for value in (long, short)]
    built = build_snapshot(model, [commit_of(quads, (), None)])
    first = commit_of(quads[:1], (), None)
    advanced = advance(build_snapshot(model, [first]), commit_of(quads[1:], (), first))
    for snapshot in (built, advanced):
        column, number = snapshot.forward[member], snapshot.number_of(subject)
        assert isinstance(column, OneColumn)
        assert number is not None
        assert column.value(number) == column.pairs(number)[0][0] == snapshot.number_of(short)
        assert {value for value, _ in column.pairs(number)} == {
            snapshot.number_of(term) for term in (short, long)
        }


@pytest.mark.parametrize("seed", range(4))
def test_a_version_sorted_anew_equals_an_advanced_one(
    model: Model, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_FEW", 30)  # some commits are larger, some are not
    monkeypatch.setattr(build, "_BREAK_EVEN", 2)
    advanced = stepped = build_snapshot(model)
    versions = []
    for commit, held in random_history(model, seed, 12):
        advanced, stepped = advance(advanced, commit), step(stepped, commit)
        assert set(stepped.quads()) == held
        versions.append((stepped, state(stepped)))
    assert state(stepped) == state(advanced)
    quads = {(s, v, g) for rows in stepped.forward[FOUNDED].rows() for s, v, g in rows.tolist()}
    assert quads == set(stepped.forward[FOUNDED].statements())
    for version, seen in versions:  # readers keep theirs, though terms are shared
        assert version.terms is stepped.terms
        assert state(version) == seen


def test_each_version_answers_as_the_plain_set_of_quads_does(model: Model) -> None:
    snapshot = build_snapshot(model)
    births: dict[str, int] = {}
    for commit, held in random_history(model, 7, 15):
        snapshot = advance(snapshot, commit)
        for graph in {quad[3] for quad in commit.removed} - {quad[3] for quad in held}:
            births.pop(graph, None)
        for graph in {quad[3] for quad in held}:
            births.setdefault(graph, commit.revision)
        for subject in ORGANISATIONS[:120]:
            assert snapshot.value(subject, FOUNDED) == answering(held, births, subject, FOUNDED)
            names = {o for s, p, o, _ in held if s == subject and p == f"<{SKOS}prefLabel>"}
            assert snapshot.values(subject, f"{SKOS}prefLabel") == sorted(names)
            found = {s for s, p, o, _ in held if o == subject}
            in_order = sorted(found, key=lambda term: term[1:-1])
            assert snapshot.subjects("http://www.w3.org/ns/org#member", subject) == in_order
        clusters = {s for s, p, o, _ in held if p == f"<{TYPE}>"}
        assert [snapshot.term_of(n) for n in snapshot.instances(f"{RZ}Organisation")] == sorted(
            clusters, key=lambda term: term[1:-1]
        )


def test_a_reader_keeps_the_version_it_began_with(model: Model) -> None:
    snapshot, versions = build_snapshot(model), []
    for commit, _ in random_history(model, 3, 10):
        snapshot = advance(snapshot, commit)
        versions.append((snapshot, state(snapshot)))
    for version, seen in versions:
        assert state(version) == seen


def test_quads_of_and_to_a_node(model: Model) -> None:
    quads: list[Quad] = [
        (MEMBERSHIPS[0], "<http://www.w3.org/ns/org#member>", ORGANISATIONS[0], SOURCES[0]),
        (MEMBERSHIPS[0], "<http://www.w3.org/ns/org#member>", ORGANISATIONS[0], SOURCES[1]),
        (ORGANISATIONS[0], f"<{SKOS}prefLabel>", '"x"@en', SOURCES[1]),
    ]
    snapshot = advance(build_snapshot(model), commit_of(quads, (), None))
    assert sorted(snapshot.quads_to(ORGANISATIONS[0])) == sorted(quads[:2])
    assert snapshot.quads_of(ORGANISATIONS[0]) == [quads[2]]
    assert snapshot.quads_of(ORGANISATIONS[0], SOURCES[0]) == []
    assert snapshot.contains(quads[1])
    assert not snapshot.contains((*quads[2][:3], SOURCES[0]))
    assert snapshot.graphs_of(*[quads[0][0], quads[0][1][1:-1], quads[0][2]]) == list(SOURCES[:2])


def test_a_hub_page_does_not_wrap_at_65536_values() -> None:
    page = empty_many()
    for value in range(1, 65_600):
        page = insert_many(page, 3, (value, 0), lambda n: f"{n:08}", inverse=True)
    page = insert_many(page, 5, (9, 0), lambda n: f"{n:08}", inverse=True)
    assert page.offsets[4] - page.offsets[3] == 65_599
    assert list(page.values[page.offsets[5] : page.offsets[6]]) == [9]
    assert page.offsets[256] == 65_600


def test_a_hub_is_whole_in_bulk_and_after_a_commit(model: Model) -> None:
    sector = f"<{ENTITY}sector/hub>"
    subjects = [f"<{ENTITY}organisation/h{number:06}>" for number in range(66_000)]
    quads = [(s, f"<{RZ}sector>", sector, SOURCES[0]) for s in subjects]
    first = commit_of(quads[:-1], (), None)
    built = build_snapshot(model, [first])
    advanced = advance(built, commit_of(quads[-1:], (), first))
    assert built.subjects(f"{RZ}sector", sector) == subjects[:-1]
    assert advanced.subjects(f"{RZ}sector", sector) == subjects
    assert advanced.fanout(f"{RZ}sector", inverse=True) == 66_000


def test_terms_keep_their_number_and_text() -> None:
    table = TermTable()
    terms = [
        f"<{ENTITY}organisation/a>",
        "<https://example.org/x>",
        '"plain"',
        '"fran\\u00E7ais"@fr',
        write_literal("l" * 100),
        write_literal("é" * 40, language="fr"),
        '"2020-01-01"^^<http://www.w3.org/2001/XMLSchema#date>',
    ]
    numbers = [table.add(term) for term in terms]
    assert NIL not in numbers
    assert [table.add(term) for term in terms] == numbers
    table.compact(force=True)
    assert [table.find(term) for term in terms[:3]] == numbers[:3]
    assert table.term(numbers[3]) == '"français"@fr'
    assert table.text(numbers[5]) == "é" * 40
    assert [table.is_long(n) for n in numbers] == [False] * 4 + [True, True, False]
    assert table.find("<https://example.org/never>") is None


def test_system_quads_answer_but_are_no_data(model: Model) -> None:
    snapshot = build_snapshot(model)
    assert list(snapshot.quads()) == []
    assert snapshot.graphs() == []
    assert len(snapshot.instances(f"{SKOS}Concept")) > 50
