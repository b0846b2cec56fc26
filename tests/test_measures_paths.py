"""Shortest paths: which are equally long, long ones, and samples of them."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from graph.analysis.affiliations import Layer
from graph.analysis.measures import paths
from graph.analysis.measures.shortest_paths import SEED, sum_paths, walk_shortest_paths
from tests.networks import Joined, compute, organisation, project_graph, take, take_random

#: Two ways from o1 to o2 of length 1: their own tie (1/3 + 1/3 + 1/3), and two of weight 2.
EQUAL_WAYS: Joined = {
    (Layer.PROJECT, "p0"): ["o0", "o1", "o2", "o3"],
    (Layer.PROJECT, "p1"): ["o0", "o2"],
    (Layer.PROJECT, "p2"): ["o0", "o1", "o2", "o3"],
    (Layer.PROJECT, "p3"): ["o0", "o1"],
    (Layer.PROJECT, "p4"): ["o0", "o1", "o2", "o3"],
}


def test_equally_long_paths_tie_though_their_sums_are_rounded() -> None:
    projection = take(EQUAL_WAYS)
    found = compute("betweenness", projection)
    rounded = nx.betweenness_centrality(projection.to_networkx(exact=False), weight="distance")
    assert found == pytest.approx({"o0": 1 / 6, "o1": 0, "o2": 0, "o3": 0})
    assert rounded[organisation("o0")] != pytest.approx(found["o0"]), "floats tie: change the case"


def test_a_long_path_is_walked_layer_by_layer() -> None:
    projection = project_graph(nx.path_graph(400))
    between = paths.betweenness(projection)
    reference = nx.betweenness_centrality(nx.path_graph(400))
    assert sorted(between) == pytest.approx(sorted(reference.values()), abs=1e-12)


def test_large_components_are_sampled_with_a_stated_error() -> None:
    projection = take_random(400)
    exact = walk_shortest_paths(projection)
    sampled = sum_paths(projection, exact_visits=projection.weights.nnz * 120)
    assert exact.exact
    assert not sampled.exact
    assert sampled.sources == 120
    assert sampled.sources_wanted == exact.sources
    assert not exact.through_error.any()
    top = np.argsort(-exact.through)[:50]
    off = np.abs(sampled.through - exact.through)[top] / sampled.through_error[top]
    assert (off < 2).mean() > 0.8
    assert 0.3 < np.median(off) < 1.2  # 0.67 for a normal error: too large is wrong as well
    assert np.corrcoef(exact.through[top], sampled.through[top])[0, 1] > 0.8
    assert sampled.distance == pytest.approx(exact.distance, rel=0.1)
    assert sampled.inverse == pytest.approx(exact.inverse, rel=0.15)
    assert np.array_equal(sampled.reached, exact.reached)


def test_a_sample_is_that_of_networkx_from_the_same_sources() -> None:
    projection = take_random(100)
    sampled = sum_paths(projection, exact_visits=projection.weights.nnz * 70)
    drawn = np.sort(np.random.default_rng(SEED).choice(100, sampled.sources, replace=False))
    graph = projection.to_networkx()
    sums = dict.fromkeys(projection.nodes, 0.0)
    for source in drawn.tolist():
        part = nx.betweenness_centrality_subset(
            graph, [projection.nodes[source]], projection.nodes, weight="distance"
        )
        for iri, value in part.items():
            sums[iri] += 2 * float(value)
    others = np.array([sampled.sources - (n in drawn) for n in range(100)])
    expected = np.array(list(sums.values())) * 99 / others
    assert sampled.through == pytest.approx(expected, abs=1e-9)


def test_small_components_stay_exact_beside_a_sampled_one() -> None:
    graph = nx.path_graph(90)
    nx.add_path(graph, ["x1", "x2", "x3"])
    projection = project_graph(graph)
    exact, sampled = sum_paths(projection, 10**9), sum_paths(projection, 1_000)
    assert sampled.sources == 64 + 3
    place = projection.index[organisation("x2")]
    assert sampled.through[place] == exact.through[place] == 2
    assert sampled.through_error[place] == 0


def test_the_same_network_has_the_same_sample() -> None:
    projection = take_random(100)
    first, second = (sum_paths(projection, 60_000) for _ in range(2))
    assert first.through.tobytes() == second.through.tobytes()
