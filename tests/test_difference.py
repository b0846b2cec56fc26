"""What differs between two versions is found, and the past is found again from the present."""

from __future__ import annotations

from itertools import pairwise

import pytest

from graph.store.advance import advance, rewind
from graph.store.build import build_snapshot
from graph.store.commit import Commit
from graph.store.difference import find_difference
from graph.store.snapshot import Snapshot
from graph.terms import Quad
from tests.samples import model
from tests.snapshots import Beginning, random_history

SEEDS = range(4)


def history(seed: int, length: int = 12) -> list[tuple[Commit, set[Quad], Snapshot]]:
    snapshot = build_snapshot(model())
    found = []
    for commit, held in random_history(model(), seed, length):
        snapshot = advance(snapshot, commit)
        found.append((commit, held, snapshot))
    return found


def subjects(quads: set[Quad]) -> dict[str, set[Quad]]:
    found: dict[str, set[Quad]] = {}
    for quad in quads:
        found.setdefault(quad[0], set()).add(quad)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_every_node_that_is_stated_otherwise_is_found(seed: int) -> None:
    versions = history(seed)
    for (_, held, old), (_, later, new) in pairwise(versions):
        a, b = subjects(held), subjects(later)
        differ = {s for s in a.keys() | b.keys() if a.get(s) != b.get(s)}
        found = {new.term_of(number) for number in find_difference(old, new).nodes}
        assert differ <= found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_that_answers_otherwise_by_the_order_of_sources_is_found(seed: int) -> None:
    for (_, before, old), (_, _, new) in pairwise(history(seed, 16)):
        found = find_difference(old, new).nodes
        for term, predicate in {(quad[0], quad[1][1:-1]) for quad in before}:
            if old.value(term, predicate) != new.value(term, predicate):
                assert new.number_of(term) in found, (term, predicate)


@pytest.mark.parametrize("seed", SEEDS)
def test_going_back_gives_the_version_that_was(seed: int) -> None:
    versions = history(seed)
    commits = [commit for commit, _, _ in versions]
    newest = versions[-1][2]
    search = newest.search
    for place, (commit, held, then) in enumerate(versions):
        past = rewind(newest, reversed(commits[place + 1 :]), commit)
        assert set(past.quads()) == held
        assert (past.revision, past.dataset_hash, past.quad_count) == (
            then.revision,
            then.dataset_hash,
            then.quad_count,
        )
        assert {c: list(n) for c, n in past.classes.items() if n} == {
            c: list(n) for c, n in then.classes.items() if n
        }
        assert past.search is search
    assert set(rewind(newest, reversed(commits), Beginning()).quads()) == set()
    assert set(newest.quads()) == versions[-1][1], "the newest one stays as it is"


def test_equal_versions_differ_in_nothing() -> None:
    newest = history(7)[-1][2]
    assert find_difference(newest, newest).nodes == {}
    again = build_snapshot(model(), [commit for commit, _, _ in history(7)])
    assert again.revision == newest.revision
