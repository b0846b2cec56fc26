from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.analysis.affiliations import Layer
from graph.analysis.measures import cohesion, paths, spectral, ties
from graph.analysis.measures.arrays import Floats, gather_arcs, list_members
from graph.analysis.measures.ranking import rank
from graph.analysis.measures.registry import (
    NETWORK_MEASURES,
    NODE_MEASURES,
    Measure,
    measure_table,
    write_measures_page,
)
from graph.analysis.measures.shortest_paths import sum_paths, walk_shortest_paths
from graph.analysis.projection import (
    NAMED_PROJECTIONS,
    Mode,
    Projection,
    ProjectionParameters,
    Succession,
    Weighting,
    build_projection,
)
from graph.terms import local_name
from tests.networks import (
    Joined,
    organisation,
    pair_projects,
    project_graph,
    seed_snapshot,
    snapshot_joining,
    snapshot_of,
)

BY_KEY = {measure.key: measure for measure in NODE_MEASURES}
SCALARS = ("degree", "strength", "betweenness", "closeness", "harmonic", "coreNumber")


def take(joined: Joined, **changes: Any) -> Projection:
    return build_projection(snapshot_joining(joined), replace(ProjectionParameters(), **changes))


def take_graph(graph: nx.Graph[Any]) -> Projection:
    """Take the graph through the whole chain: quads, snapshot, affiliations, projection."""
    return take(pair_projects(graph))


def compute(key: str, projection: Projection) -> dict[str, float]:
    values = BY_KEY[key].compute(projection)
    return {local_name(iri): v for iri, v in zip(projection.nodes, values, strict=True)}


# --- known answers, before any data of ours ----------------------------------------------------


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


# --- edges of the definitions ------------------------------------------------------------------


def test_an_empty_network_has_empty_answers() -> None:
    projection = build_projection(snapshot_of([]), ProjectionParameters())
    for measure in NODE_MEASURES:
        assert measure.compute(projection).shape == (0,)
    assert cohesion.components(projection) == []
    assert cohesion.density(projection) == 0
    assert cohesion.find_cuts(projection).bridges == ()


def test_isolates_have_zero_and_no_eigenvector() -> None:
    projection = take({(Layer.PROJECT, "p"): ["a"], (Layer.PROJECT, "q"): ["b"]})
    for key in SCALARS:
        assert list(compute(key, projection).values()) == [0, 0], key
    assert list(compute("pageRank", projection).values()) == pytest.approx([0.5, 0.5])
    assert all(math.isnan(v) for v in compute("eigenvector", projection).values())
    assert [part.tolist() for part in cohesion.components(projection)] == [[0], [1]]


def test_two_nodes_have_no_betweenness() -> None:
    assert compute("betweenness", take({(Layer.PROJECT, "p"): ["a", "b"]})) == {"a": 0, "b": 0}


def test_closeness_counts_the_share_in_reach() -> None:
    joined: Joined = {(Layer.PROJECT, "p"): ["a", "b"], (Layer.PROJECT, "q"): ["c", "d", "e"]}
    close = compute("closeness", take(joined, weighting=Weighting.UNIT))
    assert close["a"] == pytest.approx(1 * 1 / 4)
    assert close["c"] == pytest.approx(1 * 2 / 4)


def test_of_equal_largest_components_the_first_has_the_eigenvector() -> None:
    joined: Joined = {(Layer.PROJECT, "p"): ["b", "d"], (Layer.PROJECT, "q"): ["a", "c"]}
    values = compute("eigenvector", take(joined))
    assert [name for name, value in values.items() if not math.isnan(value)] == ["a", "c"]


def test_density_in_two_modes() -> None:
    joined: Joined = {(Layer.PROJECT, "p"): ["a", "b"], (Layer.PROJECT, "q"): ["a"]}
    assert cohesion.density(take(joined, mode=Mode.TWO_MODE)) == pytest.approx(3 / 4)


# --- the same as networkx ----------------------------------------------------------------------


def compare(measure: Measure, projection: Projection, tolerance: float = 1e-9) -> None:
    reference = measure.reference(projection.to_networkx())
    for iri, value in zip(projection.nodes, measure.compute(projection), strict=True):
        if iri in reference:
            assert float(value) == pytest.approx(float(reference[iri]), abs=tolerance), iri
        else:
            assert math.isnan(value), iri


@pytest.mark.parametrize("measure", NODE_MEASURES, ids=lambda m: m.key)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("weighting", Weighting)
@pytest.mark.parametrize("name", NAMED_PROJECTIONS)
def test_every_number_on_the_seeds_is_that_of_networkx(
    name: str, weighting: Weighting, mode: Mode, measure: Measure
) -> None:
    parameters = replace(NAMED_PROJECTIONS[name], weighting=weighting, mode=mode)
    compare(measure, build_projection(seed_snapshot(), parameters))


@pytest.mark.parametrize("measure", NODE_MEASURES, ids=lambda m: m.key)
def test_every_number_on_the_seeds_with_predecessors_kept(measure: Measure) -> None:
    parameters = ProjectionParameters(succession=Succession.KEEP)
    compare(measure, build_projection(seed_snapshot(), parameters))


affiliations = st.lists(
    st.sets(st.integers(0, 11), min_size=1, max_size=6), min_size=1, max_size=14
)


def join_sets(sets: Sequence[set[int]]) -> Joined:
    return {
        (Layer.PROJECT, f"p{n:02}"): [f"o{party:02}" for party in sorted(parties)]
        for n, parties in enumerate(sets)
    }


@given(affiliations, st.sampled_from(Mode), st.sampled_from(Weighting))
def test_any_network_gives_the_numbers_of_networkx(
    sets: list[set[int]], mode: Mode, weighting: Weighting
) -> None:
    projection = take(join_sets(sets), mode=mode, weighting=weighting)
    for measure in NODE_MEASURES:
        if measure.key != "eigenvector":  # whose reference converges too slowly on some
            compare(measure, projection)


@given(affiliations, st.sampled_from(Mode))
def test_the_eigenvector_is_one(sets: list[set[int]], mode: Mode) -> None:
    projection = take(join_sets(sets), mode=mode)
    values = spectral.eigenvector(projection)
    inside = ~np.isnan(values)
    if projection.tie_count == 0:
        assert not inside.any()
        return
    part = projection.weights[np.flatnonzero(inside)][:, np.flatnonzero(inside)].toarray()
    x = values[inside]
    assert x.min() > 0
    assert np.linalg.norm(x) == pytest.approx(1)
    largest = x @ part @ x
    assert np.abs(part @ x - largest * x).max() < 1e-12 * max(largest, 1)
    assert largest == pytest.approx(np.linalg.eigvalsh(part).max())


@given(affiliations, st.sampled_from(Mode))
def test_components_cuts_and_density_are_those_of_networkx(
    sets: list[set[int]], mode: Mode
) -> None:
    projection = take(join_sets(sets), mode=mode)
    graph = projection.to_networkx(exact=False)
    order = {iri: number for number, iri in enumerate(projection.nodes)}
    expected = sorted(
        (sorted(order[iri] for iri in part) for part in nx.connected_components(graph)),
        key=lambda part: (-len(part), part),
    )
    assert [part.tolist() for part in cohesion.components(projection)] == expected
    cuts = cohesion.find_cuts(projection)
    points = sorted(order[iri] for iri in nx.articulation_points(graph))
    assert list(cuts.articulation_points) == points
    for place, point in enumerate(points):
        around = nx.node_connected_component(graph, projection.nodes[point])
        left = graph.subgraph(around - {projection.nodes[point]})
        parts = sorted(
            (sorted(order[iri] for iri in part) for part in nx.connected_components(left)),
            key=lambda part: (-len(part), part),
        )
        assert [part.tolist() for part in cuts.parts_of(place)] == parts
        assert list(cuts.sizes[place]) == [len(part) for part in parts]
    ends = [(order[edge[0]], order[edge[1]]) for edge in nx.bridges(graph)]
    bridges = {(min(pair), max(pair)) for pair in ends}
    assert set(cuts.bridges) == bridges
    if mode is Mode.ONE_MODE:
        assert cohesion.density(projection) == pytest.approx(nx.density(graph))
    elif projection.node_count > projection.is_actor.sum():
        actors = set(np.array(projection.nodes)[projection.is_actor].tolist())
        assert cohesion.density(projection) == nx.bipartite.density(graph, actors)


def random_network(nodes: int, seed: int = 7) -> Projection:
    rng = np.random.default_rng(seed)
    joined = {
        (Layer.PROJECT, f"p{number}"): [
            f"o{party}" for party in rng.choice(nodes, rng.integers(2, 8), replace=False)
        ]
        for number in range(nodes)
    }
    return take(joined)


@pytest.mark.parametrize("measure", NODE_MEASURES, ids=lambda m: m.key)
def test_a_network_beyond_the_dense_solver_and_one_batch(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.analysis.measures.shortest_paths.BATCH_VISITS", 20_000)
    projection = random_network(150)
    assert projection.weights.nnz * projection.node_count > 20_000
    compare(measure, projection)


def test_a_long_path_is_walked_layer_by_layer() -> None:
    projection = project_graph(nx.path_graph(400))
    between = paths.betweenness(projection)
    reference = nx.betweenness_centrality(nx.path_graph(400))
    assert sorted(between) == pytest.approx(sorted(reference.values()), abs=1e-12)


# --- ties of length ----------------------------------------------------------------------------

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


# --- sampling ----------------------------------------------------------------------------------


def test_large_components_are_sampled_with_a_stated_error() -> None:
    projection = random_network(400)
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
    projection = random_network(100)
    sampled = sum_paths(projection, exact_visits=projection.weights.nnz * 70)
    drawn = np.sort(np.random.default_rng(20_201_201).choice(100, sampled.sources, replace=False))
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
    projection = random_network(100)
    first, second = (sum_paths(projection, 60_000) for _ in range(2))
    assert first.through.tobytes() == second.through.tobytes()


# --- ranks, arrays, registry -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "ranks"),
    [
        ([], []),
        ([3, 1, 2], [1, 3, 2]),
        ([1, 2, 2, 0], [3, 1, 1, 4]),
        ([5, 5, 5], [1, 1, 1]),
        ([0.1 + 0.2, 0.3, 0.3 * (1 + 1e-9)], [2, 2, 1]),
        ([1e-18, 0, 1], [2, 2, 1]),
        ([math.nan, 1, math.nan], [0, 1, 0]),
        ([math.nan], [0]),
    ],
)
def test_equal_values_share_a_rank(values: list[float], ranks: list[int]) -> None:
    assert rank(np.array(values, dtype=np.float64)).tolist() == ranks


@given(st.lists(st.integers(0, 5)))
def test_a_rank_is_one_more_than_the_number_above(values: list[int]) -> None:
    found = rank(np.array(values, dtype=np.float64)).tolist()
    assert found == [1 + sum(other > value for other in values) for value in values]


def test_arcs_are_gathered_in_order() -> None:
    starts = np.array([0, 2, 2, 5])
    arcs, counts = gather_arcs(starts, np.array([2, 0, 1]))
    assert arcs.tolist() == [2, 3, 4, 0, 1]
    assert counts.tolist() == [3, 2, 0]
    assert list_members(np.array([], dtype=np.int64)) == []


def test_answers_are_not_shared_between_callers() -> None:
    projection = take_graph(nx.path_graph(4))
    first = paths.harmonic(projection)
    first[:] = -1
    assert (paths.harmonic(projection) > 0).all()


def test_every_measure_is_registered_once_with_texts_and_a_source() -> None:
    rows = measure_table()
    keys = [measure.key for measure in (*NODE_MEASURES, *NETWORK_MEASURES)]
    assert [row.key for row in rows] == keys == list(dict.fromkeys(keys))
    for row in rows:
        assert row.reference.startswith("networkx.")
        assert all(text for texts in row.texts.values() for text in texts.values())
    with_literature = {row.key for row in rows if row.literature}
    assert {measure.key for measure in NODE_MEASURES} <= with_literature


def test_the_page_of_measures_has_a_heading_for_each() -> None:
    page = write_measures_page()
    for row in measure_table():
        assert f"## {row.texts['en']['label']}\n" in page
        assert f"`{row.function}`" in page
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


@settings(max_examples=20)
@given(affiliations)
def test_degree_and_strength_add_up_to_the_ties(sets: list[set[int]]) -> None:
    projection = take(join_sets(sets))
    assert ties.degree(projection).sum() == 2 * projection.tie_count
    linking = [parties for parties in sets if len(parties) > 1]
    total: Floats = ties.strength(projection)
    assert total.sum() == pytest.approx(sum(map(len, linking)))


def test_references_name_what_they_call() -> None:
    path = nx.relabel_nodes(nx.path_graph(3), str)
    assert BY_KEY["degree"].reference(path) == {"0": 1, "1": 2, "2": 1}
