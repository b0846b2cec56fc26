from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

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
from graph.analysis.projection import (
    NAMED_PROJECTIONS,
    Mode,
    Projection,
    ProjectionParameters,
    Succession,
    Weighting,
    build_projection,
)
from tests.networks import (
    BY_KEY,
    Joined,
    compute,
    pair_projects,
    seed_snapshot,
    snapshot_of,
    take,
    take_random,
)

SCALARS = ("degree", "strength", "betweenness", "closeness", "harmonic", "coreNumber")


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


@lru_cache(maxsize=32)
def take_seeds(parameters: ProjectionParameters) -> Projection:
    return build_projection(seed_snapshot(), parameters)


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
    compare(measure, take_seeds(parameters))


@pytest.mark.parametrize("measure", NODE_MEASURES, ids=lambda m: m.key)
def test_every_number_on_the_seeds_with_predecessors_kept(measure: Measure) -> None:
    parameters = ProjectionParameters(succession=Succession.KEEP)
    compare(measure, take_seeds(parameters))


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


@pytest.mark.parametrize("measure", NODE_MEASURES, ids=lambda m: m.key)
def test_a_network_beyond_the_dense_solver_and_one_batch(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.analysis.measures.shortest_paths.BATCH_VISITS", 20_000)
    projection = take_random(150)
    assert projection.weights.nnz * projection.node_count > 20_000
    compare(measure, projection)


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
    projection = take(pair_projects(nx.path_graph(4)))
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
