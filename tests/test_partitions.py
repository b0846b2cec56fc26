"""What is counted page by page is what a scan counts, and a commit costs what it changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from starlette.testclient import TestClient

from graph.model import Model
from graph.shapes import load_model
from graph.store.build import build_snapshot, step
from graph.store.partitions import Partitioner, Partitions
from graph.store.snapshot import Snapshot
from graph.terms import ENTITY, RDF_TYPE, RZ, Quad
from tests.snapshots import commit_of

SOURCES = [f"<{ENTITY}source/{name}>" for name in "abc"]


def scan(snapshot: Snapshot) -> Partitions:
    """The same counts, from all quads one by one."""
    quads = set(snapshot.quads())
    triples = {quad[:3] for quad in quads}
    by_source: dict[str, tuple[Counter[str], Counter[str]]] = {}
    for subject, predicate, value, graph in quads:
        classes, properties = by_source.setdefault(graph, (Counter(), Counter()))
        properties[predicate[1:-1]] += 1
        if predicate == RDF_TYPE:
            classes[value[1:-1]] += 1
        del subject
    named = {s: snapshot.class_of(snapshot.number_of(s) or 0) or "" for s, _, _ in triples}
    found = Partitioner().count(snapshot)
    typed = [(s, o[1:-1]) for s, p, o in triples if p == RDF_TYPE]
    return Partitions(
        revision=snapshot.revision,
        quads=len(quads),
        triples=len(triples),
        entities=len({s for s, _ in typed}),
        subjects=len({s for s, _, _ in triples}),
        classes=Counter(c for _, c in typed),
        properties=Counter(p[1:-1] for _, p, _ in triples),
        class_properties=Counter((named[s], p[1:-1]) for s, p, _ in triples),
        by_source={
            graph: type(found.by_source[graph])(properties.total(), classes, properties)
            for graph, (classes, properties) in sorted(by_source.items())
        },
    )


def say(name: str, source: str, *more: tuple[str, str]) -> Iterable[Quad]:
    node = f"<{ENTITY}organisation/{name}>"
    yield node, RDF_TYPE, f"<{RZ}Cluster>", source
    for predicate, value in more:
        yield node, f"<{RZ}{predicate}>", value, source


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


def test_the_seeds_are_counted_as_a_scan_counts_them(client: TestClient) -> None:
    snapshot = client.app.state.service.public_snapshot  # type: ignore[attr-defined]
    assert Partitioner().count(snapshot) == scan(snapshot)


def test_counts_follow_each_commit(model: Model) -> None:
    a, b, c = SOURCES
    first = [*say("x", a, ("acronym", '"X"')), *say("y", a, ("sector", f"<{ENTITY}concept/s>"))]
    second = [*say("x", b, ("acronym", '"Z"')), *say("z", b), *say("y", c)]
    partitioner = Partitioner()
    snapshot = build_snapshot(model)
    before = None
    for added, removed in (
        (first, ()),
        (second, ()),  # sources differ on the acronym of x, and b and c repeat what a states
        ((), [first[1]]),  # now b alone answers
        ((), second),
        ((), [first[0], *first[2:]]),
    ):
        before = commit_of(added, removed, before)
        snapshot = step(snapshot, before)
        counted = partitioner.count(snapshot)
        assert counted == scan(snapshot)
    assert (counted.quads, counted.triples, counted.by_source) == (0, 0, {})


def test_only_pages_that_a_commit_touched_are_read_again(model: Model) -> None:
    a, b, _ = SOURCES
    many = [quad for n in range(2_000) for quad in say(f"n{n}", a, ("acronym", f'"{n}"'))]
    commit = commit_of(many, (), None)
    snapshot = step(build_snapshot(model), commit)
    partitioner = Partitioner()
    partitioner.count(snapshot)
    all_pages = partitioner.pages_read
    snapshot = step(snapshot, commit_of(list(say("n7", b, ("acronym", '"N7"'))), (), commit))
    counted = partitioner.count(snapshot)
    # One page of types and one of acronyms; the class of its things names both.
    assert 0 < partitioner.pages_read - all_pages <= 4 < all_pages
    assert counted.by_source[b].quads == 2
