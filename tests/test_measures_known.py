"""Known answers of textbook networks, each taken through the whole chain from quads."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import pytest

from graph.analysis.affiliations import Layer
from graph.analysis.measures import cohesion
from graph.analysis.projection import Projection
from graph.terms import local_name
from tests.networks import Joined, compute, pair_projects, take


def take_graph(graph: nx.Graph[Any]) -> Projection:
    return take(pair_projects(graph))


@pytest.mark.parametrize("n", [2, 3, 7])
def test_complete_graph(n: int) -> None:
    projection = take_graph(nx.complete_graph(n))
    expected = {
        "degree": n - 1,
        "strength": n - 1,
        "betweenness": 0,
        "closeness": 1,
        "harmonic": n - 1,
        "eigenvector": 1 / math.sqrt(n),
        "pageRank": 1 / n,
        "coreNumber": n - 1,
    }
    for key, value in expected.items():
        assert list(compute(key, projection).values()) == pytest.approx([value] * n), key
    assert cohesion.density(projection) == 1
    assert cohesion.find_cuts(projection).articulation_points == ()


@pytest.mark.parametrize("n", [3, 4, 9])
def test_path(n: int) -> None:
    projection = take_graph(nx.path_graph(n))
    order = range(n)
    total = {i: sum(abs(i - j) for j in order) for i in order}
    expected: dict[str, list[float]] = {
        "degree": [1 if i in (0, n - 1) else 2 for i in order],
        "betweenness": [2 * i * (n - 1 - i) / ((n - 1) * (n - 2)) for i in order],
        "closeness": [(n - 1) / total[i] for i in order],
        "harmonic": [sum(1 / abs(i - j) for j in order if i != j) for i in order],
        "eigenvector": [
            math.sqrt(2 / (n + 1)) * math.sin(math.pi * (i + 1) / (n + 1)) for i in order
        ],
        "coreNumber": [1] * n,
    }
    for key, values in expected.items():
        assert list(compute(key, projection).values()) == pytest.approx(values), key
    cuts = cohesion.find_cuts(projection)
    assert cuts.articulation_points == tuple(range(1, n - 1))
    assert cuts.bridges == tuple((i, i + 1) for i in range(n - 1))
    assert cuts.bridge_sides == tuple(min(i + 1, n - 1 - i) for i in range(n - 1))
    assert cuts.sizes == tuple(tuple(sorted((i, n - 1 - i), reverse=True)) for i in range(1, n - 1))


@pytest.mark.parametrize("n", [4, 9])
def test_star(n: int) -> None:
    projection = take_graph(nx.star_graph(n - 1))
    hub_and_leaf: dict[str, tuple[float, float]] = {
        "degree": (n - 1, 1),
        "betweenness": (1, 0),
        "closeness": (1, (n - 1) / (2 * n - 3)),
        "harmonic": (n - 1, 1 + (n - 2) / 2),
        "eigenvector": (1 / math.sqrt(2), 1 / math.sqrt(2 * (n - 1))),
        "coreNumber": (1, 1),
    }
    for key, (hub, leaf) in hub_and_leaf.items():
        expected = [hub, *[leaf] * (n - 1)]
        assert list(compute(key, projection).values()) == pytest.approx(expected), key
    cuts = cohesion.find_cuts(projection)
    assert cuts.articulation_points == (0,)
    assert cuts.sizes == ((1,) * (n - 1),)
    assert [part.tolist() for part in cuts.parts_of(0)] == [[leaf] for leaf in range(1, n)]


def test_krackhardt_kite() -> None:
    # D. Krackhardt (1990): each measure has another winner. Nodes as networkx numbers them:
    # 3 Diane, 5 Fernando, 6 Garth, 7 Heather, 8 Ike.
    projection = take_graph(nx.krackhardt_kite_graph())
    degree, between = compute("degree", projection), compute("betweenness", projection)
    close = compute("closeness", projection)
    assert degree["3"] == 6 == max(degree.values())
    assert between["7"] == pytest.approx(14 / 36) == max(between.values())
    assert between["5"] == between["6"] == pytest.approx(8.3333333333 / 36)
    assert between["8"] == pytest.approx(8 / 36)
    assert close["5"] == close["6"] == pytest.approx(9 / 14) == max(close.values())
    assert compute("coreNumber", projection)["3"] == 3
    cuts = cohesion.find_cuts(projection)
    assert cuts.articulation_points == (7, 8)
    assert cuts.bridges == ((7, 8), (8, 9))


def test_florentine_families() -> None:
    # Padgett and Ansell (1993), marriages: 15 families with ties.
    projection = take_graph(nx.florentine_families_graph())
    between = compute("betweenness", projection)
    assert projection.node_count == 15
    assert projection.tie_count == 20
    assert between["Medici"] == pytest.approx(47.5 / 91)
    assert between["Guadagni"] == pytest.approx(0.2545787546)
    assert between["Albizzi"] == pytest.approx(0.2124542125)
    assert compute("degree", projection)["Medici"] == 6
    assert compute("closeness", projection)["Medici"] == pytest.approx(0.56)
    assert compute("eigenvector", projection)["Medici"] == pytest.approx(0.4303, abs=1e-4)
    points = {
        local_name(projection.nodes[n]) for n in cohesion.find_cuts(projection).articulation_points
    }
    assert points == {"Albizzi", "Guadagni", "Medici", "Salviati"}


def test_weights_make_distances() -> None:
    # a and b share two projects (weight 2, distance 1/2): the way from a to c through b is as
    # long as no other, and 1.5 in all.
    joined: Joined = {
        (Layer.PROJECT, "p"): ["a", "b"],
        (Layer.PROJECT, "q"): ["a", "b"],
        (Layer.PROJECT, "r"): ["b", "c"],
    }
    projection = take(joined)
    assert compute("strength", projection) == {"a": 2, "b": 3, "c": 1}
    assert compute("harmonic", projection)["a"] == pytest.approx(2 + 1 / 1.5)
    assert compute("closeness", projection)["a"] == pytest.approx(2 / (0.5 + 1.5))
    assert compute("betweenness", projection) == {"a": 0, "b": 1, "c": 0}
