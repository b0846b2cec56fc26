"""What `explain` says of patterns: never less than what the engine's store holds."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest

from graph.access import Level
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.store.matching import Beside
from graph.store.patterns import Pattern, estimate
from graph.store.snapshot import Snapshot
from graph.terms import RDF_TYPE, RZ
from schema.library import with_library
from tests.seeded import make_settings

#: Of the statements, so many are asked with their ends bound: one of each.
STEP = 5
Ends = tuple[str, str, str]


class Seeds:
    """The seeds in the snapshot, and how often the engine's store has what, by known ends."""

    def __init__(self, snapshot: Snapshot, store: ox.Store) -> None:
        self.snapshot = snapshot
        self.beside = Beside(snapshot.model)
        self.merged: Counter[Ends] = Counter()
        self.stated: Counter[Ends] = Counter()
        for quad in store:
            counts = self.merged if quad.graph_name == ox.DefaultGraph() else self.stated
            s, p, o = (str(term) for term in quad.triple)
            keys = {(s, p, o), (s, p, "?o"), ("?s", p, o), ("?s", p, "?o"), ("?s", "?p", "?o")}
            counts.update(keys)

    def estimate(self, *ends: str) -> int | None:
        subject, predicate, value = ends
        pattern = Pattern(subject, predicate, value, 1, 1)
        return estimate(pattern, {"rz": RZ, "r": "o/"}, self.snapshot, self.beside)


@pytest.fixture(scope="module")
def seeds(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeds]:
    folder = tmp_path_factory.mktemp("patterns") / "store"
    shutil.copytree(seeded_store, folder)
    settings = make_settings(folder)
    dataset = Dataset.open(settings, with_library(load_model(), settings))
    assert dataset.wait_for_store(dataset.revision, 60)
    follower = dataset.follower_of(Level.PUBLIC)
    assert follower is not None
    store = ox.Store.read_only(str(follower.checkpoint.path))
    yield Seeds(dataset.levels.at(Level.PUBLIC).snapshot, store)
    dataset.close()


def test_an_estimate_is_never_less_than_what_matches(seeds: Seeds) -> None:
    alone = [ends for ends in seeds.merged if ends[::2] == ("?s", "?o")]
    sample = [*alone, *sorted(seeds.merged)[::STEP]]
    wrong = [ends for ends in sample if (seeds.estimate(*ends) or 0) < seeds.merged[ends]]
    assert not wrong
    assert len(sample) > 1_000


def test_an_estimate_counts_what_each_source_states(seeds: Seeds) -> None:
    known = [ends for ends in sorted(seeds.stated) if ends[2][0] in "<?"]
    sample = [ends for ends in known if ends[::2] == ("?s", "?o")] + known[::STEP]
    wrong = [ends for ends in sample if seeds.estimate(*ends) != seeds.stated[ends]]
    assert not wrong


def test_the_ontology_counts(seeds: Seeds) -> None:
    executable = ("?s", RDF_TYPE, "<http://www.w3.org/ns/shacl#SPARQLExecutable>")
    assert seeds.estimate(*executable) == seeds.merged[executable] > 50
    assert (seeds.estimate("?s", "?p", "?o") or 0) >= seeds.merged["?s", "?p", "?o"]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (("?s", "<Cluster>", "?o"), None),
        (("?s", "r:Cluster", "?o"), None),
        (("?s", "<http://e/\\u0041>", "?o"), None),
        (("?s", "no:prefix", "?o"), None),
        (("?s", "a/a", "?o"), None),
        (("?s", "rz:nothing", "?o"), 0),
        (("?s", "a", "<http://e/nothing>"), 0),
    ],
)
def test_what_is_not_known_is_not_said(
    seeds: Seeds, ends: tuple[str, str, str], expected: int | None
) -> None:
    assert seeds.estimate(*ends) == expected


def test_an_end_that_only_the_engine_reads_is_open(seeds: Seeds) -> None:
    # Relative to BASE, or with escapes, it may be any.
    for value in ("<Cluster>", "rz:Clu\\-ster", "r:Cluster", "[…]", '"Cluster"', "_:b"):
        assert seeds.estimate("?s", "a", value) == seeds.estimate("?s", "a", "?o")
