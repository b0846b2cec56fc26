"""Values of many nodes are the same however they are read: by pages, or node by node."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bench.generator import Shape, generate
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.columns import ManyColumn
from graph.store.snapshot import Snapshot
from schema.operators import TextTest
from schema.vectors import Batch, by_value, read_many
from tests.snapshots import commit_of


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return build_snapshot(load_model(), [commit_of(list(generate(Shape(6_000))), (), None)])


def read(column: ManyColumn, nodes: list[int], is_sparse: bool) -> list[tuple[int, ...]]:
    batch = Batch(nodes)
    batch.__dict__["is_sparse"] = is_sparse
    places, values, graphs = read_many(column, batch)
    assert [places.dtype, values.dtype, graphs.dtype] == [
        np.dtype(np.int64),
        *[np.dtype(np.uint32)] * 2,
    ]
    return list(zip(places.tolist(), values.tolist(), graphs.tolist(), strict=True))


def test_nodes_are_read_alike_one_by_one_and_by_pages(snapshot: Snapshot) -> None:
    draw, compared = random.Random(3), 0
    for columns in (snapshot.forward, snapshot.inverse):
        for column in columns.values():
            if not isinstance(column, ManyColumn):
                continue
            known = [page << 8 | slot for page in column.pages for slot in range(256)]
            for count in (1, 7, 200):
                nodes = [*draw.choices(known, k=count), 2**31]
                one_by_one = read(column, nodes, True)
                assert sorted(one_by_one) == sorted(read(column, nodes, False))
                compared += len(one_by_one)
    assert compared > 1_000


def test_few_nodes_of_many_pages_are_sparse() -> None:
    assert Batch([page << 8 for page in range(100)]).is_sparse
    assert not Batch(list(range(256))).is_sparse


def test_texts_are_judged_alike_together_and_one_by_one() -> None:
    texts = ["Plante", "PLANTES à fleurs", "x" * 1_000, "arbre"]
    charged: list[int] = []

    def make() -> TextTest:
        return TextTest(texts.__getitem__, lambda text: "plant" in text.lower(), charged.append)

    test = make()
    assert [test(at) for at in range(4)] == make().many(range(4)) == [True, True, False, False]
    assert charged == [15, 15]  # a long text weighs as much as several values
    assert [test(at) for at in range(4)] == test.many(range(4)) == [True, True, False, False]
    assert charged == [15, 15]  # once a request
    values = np.array([3, 0, 0, 1], np.uint32)
    assert by_value(make(), values).tolist() == [False, True, True, True]
