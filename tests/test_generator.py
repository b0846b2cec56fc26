"""Generated data: its size, its bytes, its validity, and what makes it like the domain."""

from __future__ import annotations

import hashlib
import io
from collections import Counter, defaultdict

import pytest

from bench.blocks import Overlap
from bench.draws import Draws
from bench.generator import Shape, generate, write_nquads
from graph.curation.check import check_shapes
from graph.curation.normalise import Normalised, normalise
from graph.curation.validate import Validator
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.terms import RZ, SKOS, Quad, read_literal
from tests.snapshots import commit_of

SMALL = Shape(10_000)


def bytes_of(shape: Shape) -> bytes:
    file = io.BytesIO()
    write_nquads(shape, file)
    return file.getvalue()


def partners(quads: list[Quad]) -> Counter[str]:
    return Counter(o for _, p, o, _ in quads if p.endswith("isRoleOf>"))


def test_draws_are_the_same_everywhere() -> None:
    draws = Draws(1, 2)
    assert [draws.below(1000) for _ in range(6)] == [102, 918, 205, 60, 503, 118]


def test_the_same_seed_gives_the_same_bytes() -> None:
    digest = hashlib.sha256(bytes_of(SMALL)).hexdigest()
    assert digest == hashlib.sha256(bytes_of(SMALL)).hexdigest()
    assert digest.startswith("d5c512317616af18")
    assert bytes_of(Shape(10_000, seed=1)) != bytes_of(SMALL)


@pytest.mark.parametrize("triples", [1, 2_000, 10_000, 33_333])
def test_the_size_is_what_was_asked(triples: int) -> None:
    count = len(list(generate(Shape(triples))))
    assert count >= triples
    assert count - triples <= 3 or triples < 2_000


@pytest.mark.parametrize("overlap", ["much", "little"])
def test_it_is_valid_against_the_shapes(overlap: Overlap) -> None:
    model = load_model()
    quads = list(generate(Shape(10_000, overlap)))
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    found = Counter((v.severity, v.path) for v in check_shapes(snapshot, Validator(model)))
    assert {path for severity, path in found if severity == "Violation"} == set()
    assert {path for severity, path in found if severity == "Warning"} == {
        f"<{RZ}signedText>",
        f"<{RZ}startedText>",
    }


def test_no_quad_comes_twice_and_each_is_kept_as_it_is() -> None:
    quads = list(generate(SMALL))
    assert len(quads) == len(set(quads))
    assert normalise(quads, Settings()) == Normalised(tuple(quads), ())


def test_entities_have_five_to_eight_triples() -> None:
    quads = list(generate(Shape(30_000)))
    assert 5 < len(quads) / len({q[0] for q in quads}) < 8


def test_a_source_speaks_of_some_hundred_subjects() -> None:
    subjects = defaultdict(set)
    for subject, _, _, graph in generate(Shape(30_000)):
        subjects[graph].add(subject)
    assert 200 < sum(map(len, subjects.values())) / len(subjects) < 350


def test_partners_overlap_much_or_little() -> None:
    much = partners(list(generate(Shape(100_000, "much"))))
    little = partners(list(generate(Shape(100_000, "little"))))
    assert abs(much.total() - little.total()) < 0.1 * little.total()
    assert len(much) < 0.6 * len(little)


def test_values_are_contested_and_ties_shared() -> None:
    countries = defaultdict(set)
    memberships = defaultdict(set)
    for subject, predicate, value, graph in generate(SMALL):
        if predicate == f"<{RZ}country>":
            countries[subject].add(value)
        if "/membership/" in subject:
            memberships[subject].add(graph)
    assert any(len(values) > 1 for values in countries.values())
    assert any(len(graphs) > 1 for graphs in memberships.values())


def test_names_stand_in_two_languages_and_quotes_are_long() -> None:
    quads = list(generate(SMALL))
    tags = {read_literal(o)[2] for _, p, o, _ in quads if p == f"<{SKOS}prefLabel>"}
    quotes = [read_literal(o)[0] for _, p, o, _ in quads if p == f"<{RZ}quote>"]
    assert {"en", "fr", "nl"} <= tags
    assert max(map(len, quotes)) <= 200
    assert 0.3 < sum(len(q.encode()) > 64 for q in quotes) / len(quotes) < 0.9
