"""The centrality report: every measure of the registry on a network taken from a snapshot.

Floor 3. `build_report` reads the snapshot, computes, and puts numbers, names and texts together
as one frozen `Report`; how it looks is the renderers' part.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from graph.analysis.affiliations import Affiliation, Layer, Status
from graph.analysis.findings import (
    AffiliationRow,
    Bridge,
    LayerSize,
    MeasureTable,
    Network,
    Node,
    Report,
    Separation,
    Tie,
    Uncertainty,
)
from graph.analysis.measures import cohesion, paths
from graph.analysis.measures.arrays import Floats, label_components
from graph.analysis.measures.ranking import rank
from graph.analysis.measures.registry import NODE_MEASURES, Measure
from graph.analysis.measures.shortest_paths import walk_shortest_paths
from graph.analysis.method import list_software, write_limits, write_method
from graph.analysis.projection import (
    Projection,
    ProjectionParameters,
    build_projection,
    restrict_to_stated,
)
from graph.analysis.reader import Reader, read_country, read_kind, read_name
from graph.analysis.summary import Facts, name_projection, write_summary
from graph.analysis.wording import MEASURE_PARTS, Wording
from graph.terms import RZ, read_literal

STATED_PARTIES: Final = f"{RZ}statedPartyCount"
#: Ties that the annex holds, strongest first; more would make the report unreadable.
TIES_MAX: Final = 2_000
#: Articulation points of which those cut off are named; of the others the sizes are given.
NAMED_CUTS: Final = 100


def build_report(
    snapshot: Reader, parameters: ProjectionParameters, language: str, commit_time: str
) -> Report:
    """Return the centrality report of a network taken from a snapshot.

    Parameters
    ----------
    snapshot : Reader
        The snapshot.
    parameters : ProjectionParameters
        How the network is taken; `find_projection` gives the named ones.
    language : str
        `en` or `fr`.
    commit_time : str
        When the snapshot's revision was committed, ISO 8601; empty when nothing is committed. No
        other time enters the report: the same input gives the same bytes.

    Raises
    ------
    BadValueError
        The language is not one of the two.

    Cost
    ----
    O(n m + n**2 log n) up to `shortest_paths.EXACT_VISITS`, O(m) with a large constant above.
    """
    wording = Wording(language)
    projection = build_projection(snapshot, parameters)
    values = [measure.compute(projection) for measure in NODE_MEASURES]
    nodes = _describe_nodes(snapshot, projection, values, language)
    tables = tuple(
        _tabulate(wording, projection, measure, place, nodes)
        for place, measure in enumerate(NODE_MEASURES)
    )
    parts = tuple(tuple(part.tolist()) for part in cohesion.components(projection))
    network = _count_network(projection, parts)
    affiliations = tuple(
        _describe_affiliation(snapshot, affiliation, language)
        for affiliation in projection.affiliations
    )
    separations, bridges = _describe_cuts(projection, nodes)
    uncertainty = _judge(snapshot, projection, values[0])
    layers = tuple(_size_layer(wording, projection, layer) for layer in parameters.layers)
    facts = Facts(network, layers, nodes, tables, separations, bridges, affiliations, uncertainty)
    folded_names = tuple(
        (read_name(snapshot, old, language), read_name(snapshot, new, language))
        for old, new in projection.folded
    )
    version = snapshot.model.version
    return Report(
        title=wording.say("title"),
        subtitle=wording.say(
            "subtitle",
            projection=name_projection(wording, parameters),
            revision=str(snapshot.revision),
        ),
        language=language,
        revision=snapshot.revision,
        dataset_hash=f"{snapshot.dataset_hash:064x}",
        ontology_version=version,
        commit_time=commit_time,
        parameters=parameters,
        software=list_software(),
        network=network,
        layers=layers,
        uncertainty=uncertainty,
        folded=projection.folded,
        folded_names=folded_names,
        summary=write_summary(wording, facts),
        measures=tables,
        nodes=nodes,
        ties=_list_ties(projection),
        affiliations=affiliations,
        separations=separations,
        bridges=bridges,
        components=parts,
        method=write_method(
            wording,
            parameters,
            snapshot.revision,
            f"{snapshot.dataset_hash:064x}",
            version,
            commit_time,
        ),
        limits=write_limits(wording),
    )


def _describe_nodes(
    snapshot: Reader, projection: Projection, values: list[Floats], language: str
) -> tuple[Node, ...]:
    ranks = [rank(column).tolist() for column in values]
    columns = [column.tolist() for column in values]
    labels = label_components(projection).tolist()
    return tuple(
        Node(
            iri=iri,
            name=read_name(snapshot, iri, language),
            kind=read_kind(snapshot, iri, language),
            country=read_country(snapshot, iri),
            component=labels[number] + 1,
            values=tuple(None if math.isnan(c[number]) else c[number] for c in columns),
            ranks=tuple(column[number] or None for column in ranks),
        )
        for number, iri in enumerate(projection.nodes)
    )


def _tabulate(
    wording: Wording,
    projection: Projection,
    measure: Measure,
    place: int,
    nodes: tuple[Node, ...],
) -> MeasureTable:
    last = len(nodes) + 1

    def key(number: int) -> tuple[int, str, str]:
        node = nodes[number]
        return node.ranks[place] or last, node.name.casefold(), node.iri

    sampled = measure.on_paths and not walk_shortest_paths(projection).exact
    sums = walk_shortest_paths(projection) if sampled else None
    errors: Floats = np.zeros(0)
    if sampled and measure.compute is paths.betweenness:
        errors = paths.betweenness_error(projection)
    return MeasureTable(
        key=measure.key,
        **{part: wording.measure(measure.key, part) for part in MEASURE_PARTS},
        reference=measure.reference_name,
        digits=measure.digits,
        order=tuple(sorted(range(len(nodes)), key=key)),
        sources=sums.sources if sums else None,
        sources_wanted=sums.sources_wanted if sums else None,
        errors=tuple(errors.tolist()),
    )


def _count_network(projection: Projection, parts: tuple[tuple[int, ...], ...]) -> Network:
    return Network(
        nodes=projection.node_count,
        organisations=int(projection.is_actor.sum()),
        ties=projection.tie_count,
        density=cohesion.density(projection),
        components=len(parts),
        largest_component=len(parts[0]) if parts else 0,
        isolates=sum(len(part) == 1 for part in parts),
    )


def _describe_affiliation(
    snapshot: Reader, affiliation: Affiliation, language: str
) -> AffiliationRow:
    stated: set[int] = set()
    if affiliation.layer is Layer.MEMORANDUM:
        terms = snapshot.values(f"<{affiliation.iri}>", STATED_PARTIES)
        stated = {int(read_literal(term)[0]) for term in terms}
    return AffiliationRow(
        iri=affiliation.iri,
        name=read_name(snapshot, affiliation.iri, language),
        layer=affiliation.layer,
        known=len(affiliation.parties),
        stated=tuple(sorted(stated)),
    )


def _describe_cuts(
    projection: Projection, nodes: tuple[Node, ...]
) -> tuple[tuple[Separation, ...], tuple[Bridge, ...]]:
    """Return articulation points, those that cut off most first, and bridges likewise."""
    cuts = cohesion.find_cuts(projection)

    def loss(place: int) -> tuple[int, str, int]:
        node = cuts.articulation_points[place]
        return -sum(cuts.sizes[place][1:]), nodes[node].name.casefold(), node

    separations = []
    for position, place in enumerate(sorted(range(len(cuts.sizes)), key=loss)):
        cut_off: list[int] = []
        if position < NAMED_CUTS:
            cut_off = [node for part in cuts.parts_of(place)[1:] for node in part.tolist()]
        node = cuts.articulation_points[place]
        separations.append(Separation(node, cuts.sizes[place], tuple(cut_off)))
    pairs = zip(cuts.bridges, cuts.bridge_sides, strict=True)
    bridges = sorted((Bridge(nodes=pair, side=side) for pair, side in pairs), key=_by_side)
    return tuple(separations), tuple(bridges)


def _by_side(bridge: Bridge) -> tuple[int, tuple[int, int]]:
    return -bridge.side, bridge.nodes


def _judge(snapshot: Reader, projection: Projection, connecting: Floats) -> Uncertainty:
    """Return how sure the participations are, and whether the first place hangs on it."""
    counts = dict.fromkeys(Status, 0)
    for affiliation in projection.affiliations:
        for status in affiliation.statuses:
            counts[status] += 1
    first_stated: tuple[str, ...] | None = None
    unsure = counts[Status.DISPUTED] + counts[Status.INFERRED] > 0
    if unsure and walk_shortest_paths(projection).exact:
        stated = build_projection(snapshot, restrict_to_stated(projection.parameters))
        first_stated = _find_first(stated, paths.betweenness(stated))
    return Uncertainty(
        stated=counts[Status.STATED],
        disputed=counts[Status.DISPUTED],
        inferred=counts[Status.INFERRED],
        first=_find_first(projection, connecting),
        first_stated=first_stated,
    )


def _find_first(projection: Projection, values: Floats) -> tuple[str, ...]:
    """Return the IRIs that share the first rank, none when all values are 0."""
    if not values.any():
        return ()
    return tuple(projection.nodes[node] for node in np.flatnonzero(rank(values) == 1))


def _size_layer(wording: Wording, projection: Projection, layer: Layer) -> LayerSize:
    joined = [a.parties for a in projection.affiliations if a.layer is layer]
    pairs = {(a, b) for parties in joined for i, a in enumerate(parties) for b in parties[i + 1 :]}
    return LayerSize(
        key=layer,
        label=wording.say(f"layer.{layer}"),
        affiliations=len(joined),
        linking=sum(len(parties) > 1 for parties in joined),
        parties=sum(map(len, joined)),
        organisations=len({party for parties in joined for party in parties}),
        pairs=len(pairs),
    )


def _list_ties(projection: Projection) -> tuple[Tie, ...]:
    """Return the ties of the annex, heaviest first, with the affiliations that make them."""
    ties = sorted(projection.ties(), key=lambda tie: (-tie[2], tie[0], tie[1]))[:TIES_MAX]
    joined: dict[int, set[int]] = {}
    for number, affiliation in enumerate(projection.affiliations):
        for party in projection.actors[list(affiliation.parties)].tolist():
            joined.setdefault(party, set()).add(number)
        joined.setdefault(projection.index.get(affiliation.iri, -1), set()).add(number)
    return tuple(
        Tie(nodes=(a, b), weight=weight, affiliations=tuple(sorted(joined[a] & joined[b])))
        for a, b, weight, _ in ties
    )
