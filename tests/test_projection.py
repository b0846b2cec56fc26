from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.analysis.affiliations import RELATIONS, Layer, Status
from graph.analysis.projection import (
    NAMED_PROJECTIONS,
    Mode,
    Projection,
    ProjectionParameters,
    Succession,
    Weighting,
    build_projection,
    find_projection,
    restrict_to_stated,
)
from graph.analysis.reader import EURIO, ORG, read_country, read_kind, read_name
from graph.analysis.report import STATED_PARTIES
from graph.analysis.succession import CHANGE_EVENT, ORIGINAL, RESULTING
from graph.errors import BadValueError, UnknownTermError
from graph.terms import ENTITY, RZ, local_name
from tests.networks import (
    OTHER_SOURCE,
    SOURCE,
    Joined,
    change_quads,
    join_quads,
    named,
    organisation,
    rank_quads,
    seed_snapshot,
    snapshot_joining,
    snapshot_of,
    the_model,
    typed,
)

DEFAULT = ProjectionParameters()


def project(joined: Joined, **changes: Any) -> Projection:
    return build_projection(snapshot_joining(joined), replace(DEFAULT, **changes))


def weights_of(projection: Projection) -> dict[str, float]:
    names = [local_name(iri) for iri in projection.nodes]
    return {f"{names[a]}-{names[b]}": weight for a, b, weight, _ in projection.ties()}


MIXED: Joined = {
    (Layer.PROJECT, "small"): ["a", "b"],
    (Layer.PROJECT, "large"): ["a", "b", "c"],
    (Layer.MEMORANDUM, "memo"): ["b", "c", "d", "e"],
    (Layer.MEMBERSHIP, "net"): ["f"],
}


def test_newman_gives_each_pair_one_over_k_minus_one_and_adds_up() -> None:
    weights = weights_of(project(MIXED))
    assert weights == pytest.approx(
        {
            "a-b": 1.5,
            "a-c": 0.5,
            "b-c": 0.5 + 1 / 3,
            "b-d": 1 / 3,
            "b-e": 1 / 3,
            "c-d": 1 / 3,
            "c-e": 1 / 3,
            "d-e": 1 / 3,
        }
    )


def test_unit_gives_every_tie_one() -> None:
    assert set(weights_of(project(MIXED, weighting=Weighting.UNIT)).values()) == {1.0}


def test_nodes_are_those_with_an_affiliation_isolates_included() -> None:
    projection = project(MIXED)
    assert [local_name(iri) for iri in projection.nodes] == list("abcdef")
    assert projection.tie_count == 8
    assert projection.weights[[5]].nnz == 0


@pytest.mark.parametrize(
    ("layers", "nodes"),
    [
        ((Layer.PROJECT,), "abc"),
        ((Layer.MEMORANDUM,), "bcde"),
        ((Layer.MEMBERSHIP,), "f"),
        ((Layer.MEMORANDUM, Layer.PROJECT), "abcde"),
    ],
)
def test_layers_are_explicit(layers: tuple[Layer, ...], nodes: str) -> None:
    assert "".join(local_name(iri) for iri in project(MIXED, layers=layers).nodes) == nodes


def test_layers_have_one_order_and_no_repeats() -> None:
    given_ = (Layer.PROJECT, Layer.MEMBERSHIP, Layer.PROJECT)
    assert ProjectionParameters(layers=given_).layers == (Layer.MEMBERSHIP, Layer.PROJECT)


def test_no_layer_at_all_is_refused() -> None:
    with pytest.raises(BadValueError, match="membership, memorandum, project"):
        ProjectionParameters(layers=())


def test_named_projections_and_their_suggestions() -> None:
    assert list(NAMED_PROJECTIONS) == ["default", "memberships", "agreements", "projects"]
    with pytest.raises(UnknownTermError, match="default, memberships, agreements, projects"):
        find_projection("friends")


def test_two_modes_tie_parties_to_affiliations() -> None:
    projection = project(MIXED, mode=Mode.TWO_MODE)
    names = [local_name(iri) for iri in projection.nodes]
    assert list(projection.nodes) == sorted(projection.nodes)
    actors = {n for n, is_actor in zip(names, projection.is_actor, strict=True) if is_actor}
    assert actors == set("abcdef")
    weights = {frozenset(pair.split("-")): w for pair, w in weights_of(projection).items()}
    assert weights[frozenset(("a", "small"))] == 1.0
    assert weights[frozenset(("a", "large"))] == 0.5
    assert weights[frozenset(("e", "memo"))] == pytest.approx(1 / 3)
    assert weights[frozenset(("f", "net"))] == 1.0
    assert projection.tie_count == 10
    assert set(project(MIXED, mode=Mode.TWO_MODE, weighting=Weighting.UNIT).weights.data) == {1.0}


def test_lengths_are_one_over_weight_and_whole_where_they_are_whole() -> None:
    parties = [f"o{number:02}" for number in range(50)]
    projection = project({(Layer.MEMORANDUM, "m"): parties})
    assert 1 / (1 / 49) != 49.0  # which is why
    assert set(projection.lengths.data) == {49.0}


def test_statuses_are_filtered() -> None:
    joined: Joined = {
        (Layer.PROJECT, "p"): ["a", ("b", "inferred"), ("c", "disputed")],
        (Layer.PROJECT, "q"): ["a", "d"],
    }
    assert set(weights_of(project(joined))) == {"a-b", "a-c", "a-d", "b-c"}
    assert set(weights_of(project(joined, include_inferred=False))) == {"a-c", "a-d"}
    assert set(weights_of(project(joined, include_disputed=False))) == {"a-b", "a-d"}
    stated = build_projection(snapshot_joining(joined), restrict_to_stated(DEFAULT))
    assert set(weights_of(stated)) == {"a-d"}
    assert stated.parameters.statuses == {Status.STATED}


def test_the_surest_of_several_relations_counts() -> None:
    quads = join_quads({(Layer.MEMBERSHIP, "n"): [("a", "inferred"), "b"]})
    second = f"<{ENTITY}membership/n--a--founder>"
    for _, predicate, value, graph in [q for q in quads if q[0] == f"<{ENTITY}membership/n--a>"]:
        quads.append((second, predicate, value.replace("inferred", "disputed"), graph))
    (affiliation,) = build_projection(snapshot_of(quads), DEFAULT).affiliations
    assert affiliation.statuses == (Status.DISPUTED, Status.STATED)


def test_a_relation_without_status_counts_as_inferred() -> None:
    quads = [q for q in join_quads({(Layer.PROJECT, "p"): ["a", "b"]}) if "status" not in q[1]]
    (affiliation,) = build_projection(snapshot_of(quads), DEFAULT).affiliations
    assert affiliation.statuses == (Status.INFERRED, Status.INFERRED)


def test_a_relation_of_several_sources_counts_once_with_the_answering_status() -> None:
    joined: Joined = {(Layer.PROJECT, "p"): [("a", "inferred"), "b"]}
    quads = [
        *join_quads(joined),
        *join_quads({(Layer.PROJECT, "p"): ["a", "b"]}, OTHER_SOURCE),
        *rank_quads(SOURCE, 30),
        *rank_quads(OTHER_SOURCE, 10),
    ]
    projection = build_projection(snapshot_of(quads), DEFAULT)
    assert weights_of(projection) == {"a-b": 1.0}
    assert projection.affiliations[0].statuses == (Status.INFERRED, Status.STATED)


def test_only_organisations_are_nodes() -> None:
    quads = join_quads({(Layer.MEMBERSHIP, "n"): ["a", "b", "c"]})
    region = [q for q in quads if q[0] == f"<{organisation('c')}>"]
    quads = [q for q in quads if q not in region]
    quads.append(typed(organisation("c"), "Territory"))
    assert set(weights_of(build_projection(snapshot_of(quads), DEFAULT))) == {"a-b"}


def test_clusters_alone_when_asked() -> None:
    quads = join_quads({(Layer.MEMBERSHIP, "n"): ["a", "b", "c"]})
    quads = [q for q in quads if q != typed(organisation("c"), "Cluster")]
    quads.append(typed(organisation("c"), "Company"))
    snapshot = snapshot_of(quads)
    assert weights_of(build_projection(snapshot, DEFAULT))["a-b"] == 0.5
    only = build_projection(snapshot, replace(DEFAULT, clusters_only=True))
    assert weights_of(only) == {"a-b": 1.0}


def test_an_organisation_that_is_joined_is_no_party_itself() -> None:
    quads = join_quads({(Layer.PROJECT, "p"): ["a", "b"]})
    member = f"<{ENTITY}membership/a--b>"
    relation, to_party, to_joined = RELATIONS[Layer.MEMBERSHIP]
    quads += [
        (member, "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>", f"<{relation}>", SOURCE),
        (member, f"<{to_party}>", f"<{organisation('a')}>", SOURCE),
        (member, f"<{to_joined}>", f"<{organisation('b')}>", SOURCE),
    ]
    snapshot = snapshot_of(quads)
    assert weights_of(build_projection(snapshot, DEFAULT)) == {"a-b": 1.0}
    two = build_projection(snapshot, replace(DEFAULT, mode=Mode.TWO_MODE))
    assert weights_of(two)["a-b"] == 1.0
    assert two.is_actor[two.index[organisation("b")]]


# --- succession --------------------------------------------------------------------------------

HISTORY: Joined = {
    (Layer.PROJECT, "before"): ["old", "x"],
    (Layer.PROJECT, "after"): ["new", "y"],
}


def nodes_after(*changes: tuple[str, list[str], list[str]], joined: Joined = HISTORY) -> str:
    quads = join_quads(joined)
    for change in changes:
        quads += change_quads(*change)
        for key in change[1] + change[2]:
            quads.append(typed(organisation(key), "Cluster"))
    projection = build_projection(snapshot_of(quads), DEFAULT)
    return " ".join(local_name(iri) for iri in projection.nodes)


def test_a_predecessor_counts_as_its_successor() -> None:
    quads = join_quads(HISTORY) + change_quads("merger", ["old", "other"], ["new"])
    snapshot = snapshot_of([*quads, typed(organisation("other"), "Cluster")])
    folded = build_projection(snapshot, DEFAULT)
    assert weights_of(folded) == {"new-x": 1.0, "new-y": 1.0}
    assert folded.folded == ((organisation("old"), organisation("new")),)
    kept = build_projection(snapshot, replace(DEFAULT, succession=Succession.KEEP))
    assert weights_of(kept) == {"old-x": 1.0, "new-y": 1.0}
    assert kept.folded == ()


def test_a_chain_is_followed_to_its_end() -> None:
    chain = ("1", ["old"], ["middle"]), ("2", ["middle"], ["new"])
    assert nodes_after(*chain) == "new x y"


def test_two_ways_to_one_end_are_one_successor() -> None:
    ways = ("1", ["old"], ["middle"]), ("2", ["old"], ["new"]), ("3", ["middle"], ["new"])
    assert nodes_after(*ways) == "new x y"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([("1", ["old"], ["new", "third"])], id="split"),
        pytest.param([("1", ["old"], [])], id="dissolution"),
        pytest.param([("1", ["old"], ["new"]), ("2", ["old"], ["third"])], id="two ends"),
        pytest.param([("1", ["old"], ["new"]), ("2", ["new"], ["old"])], id="circle"),
        pytest.param([("1", ["old"], ["old"])], id="itself"),
    ],
)
def test_no_single_successor_no_folding(changes: list[tuple[str, list[str], list[str]]]) -> None:
    assert nodes_after(*changes) == "new old x y"


def test_a_circle_with_a_way_out_ends_there() -> None:
    changes = ("1", ["old"], ["twin"]), ("2", ["twin"], ["old"]), ("3", ["twin"], ["new"])
    assert nodes_after(*changes) == "new x y"


def test_who_takes_over_goes_on_by_itself() -> None:
    assert nodes_after(("1", ["old", "new"], ["new"])) == "new x y"


def test_predecessor_and_successor_in_one_affiliation_count_once() -> None:
    joined: Joined = {(Layer.PROJECT, "p"): ["old", "new", "x"]}
    quads = join_quads(joined) + change_quads("1", ["old"], ["new"])
    assert weights_of(build_projection(snapshot_of(quads), DEFAULT)) == {"new-x": 1.0}


def test_an_inferred_change_is_left_out_with_inferred_relations() -> None:
    changes = [
        (s, p, '"inferred"' if p == f"<{RZ}status>" else o, g)
        for s, p, o, g in change_quads("1", ["old"], ["new"])
    ]
    snapshot = snapshot_of(join_quads(HISTORY) + changes)
    assert build_projection(snapshot, DEFAULT).node_count == 3
    assert build_projection(snapshot, replace(DEFAULT, include_inferred=False)).node_count == 4


# --- names -------------------------------------------------------------------------------------


def test_names_fall_back_from_language_to_language() -> None:
    iri = organisation("a")
    snapshot = snapshot_of([named(iri, "Pôle", "fr"), named(iri, "Haufen", "de")])
    assert read_name(snapshot, iri, "fr") == "Pôle"
    assert read_name(snapshot, iri, "en") == "Pôle"
    assert read_name(snapshot, organisation("unnamed"), "en") == "unnamed"


def test_of_two_names_that_of_the_higher_source_answers() -> None:
    iri = organisation("a")
    names = [named(iri, "Zed"), named(iri, "Abc", graph=OTHER_SOURCE)]
    ranks = [*rank_quads(SOURCE, 30), *rank_quads(OTHER_SOURCE, 10)]
    assert read_name(snapshot_of(names), iri, "en") == "Abc"  # by the IRI of the source
    assert read_name(snapshot_of([*names, *ranks]), iri, "en") == "Zed"
    other = [*rank_quads(SOURCE, 10), *rank_quads(OTHER_SOURCE, 30)]
    assert read_name(snapshot_of([*names, *other]), iri, "en") == "Abc"


def test_kind_and_country_are_read() -> None:
    iri = organisation("a")
    country = "<http://publications.europa.eu/resource/authority/country/FRA>"
    quads = [typed(iri, "Cluster"), typed(iri, "Organisation")]
    snapshot = snapshot_of([*quads, (f"<{iri}>", f"<{RZ}country>", country, SOURCE)])
    assert read_kind(snapshot, iri, "fr") == "pôle"
    assert read_country(snapshot, iri) == "FRA"
    assert read_kind(snapshot, organisation("b"), "en") == read_country(snapshot, "x:b") == ""


# --- against the ontology, against networkx, and again -----------------------------------------


def test_every_predicate_and_class_is_of_the_ontology() -> None:
    model = the_model()
    for relation, *paths in RELATIONS.values():
        fields = model.fields[relation]
        assert {f.path for f in fields.values()} >= {*paths, f"{RZ}status"}
    assert {ORIGINAL, RESULTING} <= {f.path for f in model.fields[CHANGE_EVENT].values()}
    assert STATED_PARTIES in model.predicates
    assert f"{RZ}country" in model.predicates
    assert f"{EURIO}title" in model.predicates
    assert f"{ORG}member" in model.predicates


affiliations = st.lists(
    st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=6), min_size=1, max_size=9
)


def join_sets(sets: list[set[str]]) -> Joined:
    return {(Layer.PROJECT, f"p{n}"): sorted(parties) for n, parties in enumerate(sets)}


@given(affiliations)
def test_newman_equals_the_bipartite_projection_of_networkx(sets: list[set[str]]) -> None:
    two: nx.Graph[str] = nx.Graph()
    for number, parties in enumerate(sets):
        two.add_edges_from((f"p{number}", party) for party in parties)
    actors = sorted(set().union(*sets))
    expected = nx.bipartite.collaboration_weighted_projected_graph(two, actors)
    found = project(join_sets(sets))
    assert [local_name(iri) for iri in found.nodes] == actors
    assert weights_of(found) == pytest.approx(
        {"-".join(sorted((a, b))): data["weight"] for a, b, data in expected.edges(data=True)}
    )


@given(affiliations, st.sampled_from(Mode), st.sampled_from(Weighting))
def test_exact_lengths_are_the_lengths(
    sets: list[set[str]], mode: Mode, weighting: Weighting
) -> None:
    projection = project(join_sets(sets), mode=mode, weighting=weighting)
    exact, rounded = projection.to_networkx(), projection.to_networkx(exact=False)
    assert list(exact) == list(rounded) == list(projection.nodes)
    assert set(exact.edges) == set(rounded.edges)
    for a, b, edge in exact.edges(data=True):
        distance = edge["distance"]
        assert isinstance(distance, Fraction)
        assert float(distance) == pytest.approx(rounded[a][b]["distance"], rel=1e-15)
        assert float(1 / distance) == pytest.approx(edge["weight"], rel=1e-15)


def test_the_same_input_gives_the_same_arrays() -> None:
    first, second = project(MIXED), project(dict(reversed(list(MIXED.items()))))
    assert first.nodes == second.nodes
    assert first.affiliations == second.affiliations
    for a, b in ((first.weights, second.weights), (first.lengths, second.lengths)):
        assert a.data.tobytes() == b.data.tobytes()
        assert np.array_equal(a.indices, b.indices)
        assert np.array_equal(a.indptr, b.indptr)


def test_an_empty_dataset_gives_an_empty_network() -> None:
    for mode in Mode:
        projection = build_projection(snapshot_of([]), replace(DEFAULT, mode=mode))
        assert (projection.node_count, projection.tie_count) == (0, 0)
        assert list(projection.to_networkx()) == []


def test_the_seeds_fold_vegepolys_into_vegepolys_valley() -> None:
    projection = build_projection(seed_snapshot(), DEFAULT)
    assert (organisation("vegepolys"), organisation("vegepolys-valley")) in projection.folded
    assert organisation("vegepolys") not in projection.nodes
