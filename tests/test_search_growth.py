"""The search index over large commits, over texts that are gone, and while it is not there yet."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store import build, search
from graph.store.advance import advance
from graph.store.build import build_snapshot, step
from graph.store.commit import Change, Commit
from graph.store.dataset import Dataset
from graph.store.snapshot import Snapshot
from graph.terms import Quad
from tests.search_scan import scan
from tests.snapshots import ORGANISATIONS, SOURCES, commit_of
from tests.test_search import ALTERNATIVE, ANY, FORMER, NAME, built, en, find, organisation, queries


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


# --- large commits, which sort the version anew ---------------------------------------------------


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_FEW", 0)
    monkeypatch.setattr(build, "_BREAK_EVEN", 1_000_000)


def test_a_large_commit_is_found_and_so_are_the_commits_after_it(model: Model) -> None:
    many = [q for n in range(300) for q in organisation(n, (NAME, en(f"Plant {n}")))]
    many += [(s, p, o, source) for s, p, o, _ in many for source in SOURCES[1:5]]
    assert len(many) > 2_000  # by the thresholds as they are
    first = commit_of(many, (), None)
    second = commit_of(organisation(0, (FORMER, en("Garden"))), (), first)
    third = commit_of((), [q for q in many if q[0] not in ORGANISATIONS[:3]], second)
    versions = [built(build_snapshot(model))]
    for commit in (first, second, third):
        versions.append(step(versions[-1], commit))
    start, large = versions[:2]
    assert all(version.search is start.search for version in versions)
    assert [len(find(version, "plant", ANY)) for version in versions] == [0, 300, 300, 3]
    assert [len(find(version, "garden", ANY)) for version in versions] == [0, 0, 1, 1]
    assert [each.text for each in find(large, "plant 299", ANY)][:1] == ["Plant 299"]


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("seed", range(3))
def test_versions_that_large_commits_made_find_what_a_scan_of_each_finds(
    model: Model, seed: int
) -> None:
    random_ = random.Random(seed)
    words = ("Vegepolys", "Valley", "Végétal", "Agro", "cluster")
    held: set[Quad] = set()
    snapshot, last = built(build_snapshot(model)), None
    versions: list[tuple[Snapshot, set[Quad]]] = []
    for _ in range(8):
        added = {
            (s, p, o, random_.choice(SOURCES))
            for number in random_.sample(range(12), 4)
            for s, p, o, _ in organisation(
                number, (NAME, en(" ".join(random_.choices(words, k=2))))
            )
        }
        removed = set(random_.sample(sorted(held), random_.randrange(len(held) + 1))) - added
        last = commit_of(added - held, removed, last)
        snapshot, held = step(snapshot, last), (held - removed) | added
        versions.append((snapshot, held))
    for version, quads in versions:
        for text in queries(words, seed, 4):
            assert find(version, text) == scan(model, quads, text), (version.revision, text)


@pytest.mark.usefixtures("all_large")
def test_large_commits_before_and_while_the_index_is_built_are_in_it(model: Model) -> None:
    first = commit_of(organisation(0, (NAME, en("Before"))), (), None)
    later = commit_of(organisation(1, (NAME, en("Later"))), organisation(0), first)
    middle = step(build_snapshot(model), first)
    end = step(middle, later)
    middle.search.build(middle)  # as a thread does that was started before the later commit
    assert [each.text for each in find(end, "later", ANY)] == ["Later"]
    assert find(middle, "later", ANY) == []
    assert [each.text for each in find(middle, "before", ANY)] == ["Before"]


# --- texts that are stated no more ----------------------------------------------------------------


def renewed(snapshot: Snapshot) -> None:
    """Wait until the index that `renew` began is there."""
    heir = snapshot.search._heir
    assert heir is not None
    deadline = time.monotonic() + 60
    while not heir.is_ready:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("after", [advance, step])
def test_an_index_of_texts_mostly_gone_is_made_anew_and_old_versions_keep_theirs(
    model: Model, monkeypatch: pytest.MonkeyPatch, after: Callable[[Snapshot, Commit], Snapshot]
) -> None:
    monkeypatch.setattr(search, "_GONE", 100)
    if after is step:
        monkeypatch.setattr(build, "_FEW", 0)
        monkeypatch.setattr(build, "_BREAK_EVEN", 1_000_000)
    many = [q for n in range(300) for q in organisation(n, (NAME, en(f"Plant {n}")))]
    # More than the names that the ontology itself brings along.
    many += [(q[0], ALTERNATIVE, en(f"Garden {n}"), q[3]) for n, q in enumerate(3 * many)]
    first = commit_of(many, (), None)
    few = commit_of((), [q for q in many if q[0] not in ORGANISATIONS[:2]], first)
    more = commit_of(organisation(5, (NAME, en("Plant 5"))), (), few)
    last = commit_of(organisation(6, (NAME, en("Plant 6"))), organisation(5), more)
    start = built(build_snapshot(model))
    full = after(start, first)
    full.search.renew(full)
    assert full.search._heir is None
    fewer = after(full, few)
    entries = len(fewer.search)
    fewer.search.renew(fewer)
    at_once = after(fewer, more)  # whether the new index is there or not
    renewed(fewer)
    later = after(at_once, last)
    assert later.search is fewer.search._heir
    assert len(later.search) < entries / 2
    for version, count in ((start, 0), (full, 300), (fewer, 2), (at_once, 3), (later, 3)):
        assert len(find(version, "plant", ANY)) == count
    assert find(at_once, "plant 5", ANY)[0].text == "Plant 5"
    assert find(later, "plant 6", ANY)[0].text == "Plant 6"


def test_a_dataset_that_loses_most_texts_searches_the_rest_alone(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_GONE", 100)
    dataset = Dataset.open(Settings(store=tmp_path), model, with_store=False)
    dataset.snapshot.search.build(dataset.snapshot)
    texts = [(ALTERNATIVE, en(f"Garden {number}")) for number in range(8)]
    many = [q for n in range(300) for q in organisation(n, (NAME, en(f"Plant {n}")), *texts)]
    dataset.commit(Change(tuple(many), (), "test", "load", "a test"))
    entries = len(dataset.snapshot.search)
    dataset.commit(Change((), tuple(many[10:]), "test", "load", "a test"))
    removed = dataset.snapshot
    renewed(removed)
    assert [each.text for each in find(removed, "plant", ANY)] == ["Plant 0"]
    dataset.commit(Change(tuple(many[10:20]), (), "test", "load", "a test"))
    assert len(find(dataset.snapshot, "plant", ANY)) == 2
    assert len(find(removed, "plant", ANY)) == 1
    assert len(dataset.snapshot.search) <= entries - 298 * 9
    dataset.close()


def test_what_waits_for_the_index_is_kept_once(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_WAITING", 10)
    texts = [q for n in range(8) for q in organisation(n, (NAME, en(f"Plant {n}")))]
    snapshot, last = build_snapshot(model), None
    for _ in range(20):
        last = commit_of(texts, (), last)
        snapshot = advance(snapshot, last)
        last = commit_of((), texts, last)
        snapshot = advance(snapshot, last)
    assert len(snapshot.search._waiting) <= 3 * 2 * 8
    snapshot = built(advance(snapshot, commit_of(texts, (), last)))
    assert len(find(snapshot, "plant", ANY)) == 8
