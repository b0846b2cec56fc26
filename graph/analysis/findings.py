"""What a report finds, as frozen values: the one thing that every format is rendered from.

Floor 3. Numbers, names and texts in one language together; nothing is left for a renderer to
compute, and nothing here knows where the values come from.
"""

from __future__ import annotations

from dataclasses import dataclass

from graph.analysis.projection import ProjectionParameters


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its paragraphs."""

    heading: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One node: what it is, and its value and rank by measure (in the order of the tables).

    A value that is not defined is None, and so is its rank.
    """

    iri: str
    name: str
    kind: str
    country: str
    component: int
    values: tuple[float | None, ...]
    ranks: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class MeasureTable:
    """One measure over all nodes.

    `order` holds the node numbers by rank, then name, undefined ones last. Where the values are
    estimated, `sources` of `sources_wanted` were used and `errors` holds the standard error of
    each node's value (of betweenness; empty for the others).
    """

    key: str
    label: str
    unit: str
    definition: str
    formula: str
    normalisation: str
    edges: str
    reference: str
    digits: int
    order: tuple[int, ...]
    sources: int | None = None
    sources_wanted: int | None = None
    errors: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerSize:
    """What one kind of affiliation adds.

    `linking` affiliations have two parties or more; `parties` counts participations, `pairs` the
    pairs of organisations that share at least one.
    """

    key: str
    label: str
    affiliations: int
    linking: int
    parties: int
    organisations: int
    pairs: int


@dataclass(frozen=True, slots=True)
class AffiliationRow:
    """One affiliation: parties in the network, and the counts that sources state."""

    iri: str
    name: str
    layer: str
    known: int
    stated: tuple[int, ...]

    @property
    def missing(self) -> int:
        """How many parties the highest stated count has beyond those known by name."""
        return max(max(self.stated, default=0) - self.known, 0)


@dataclass(frozen=True, slots=True)
class Separation:
    """An articulation point: sizes of the parts left without it, and who is cut off.

    `sizes` is largest first; `cut_off` are the node numbers outside the largest part, empty
    beyond the points of which `report.NAMED_CUTS` are named.
    """

    node: int
    sizes: tuple[int, ...]
    cut_off: tuple[int, ...]

    @property
    def lost(self) -> int:
        """Number of nodes cut off from the largest part."""
        return sum(self.sizes[1:])


@dataclass(frozen=True, slots=True)
class Bridge:
    """A tie that alone joins two sides; `side` is the number of nodes on the smaller one."""

    nodes: tuple[int, int]
    side: int


@dataclass(frozen=True, slots=True)
class Tie:
    """One tie: two node numbers, its weight, and the affiliations (numbers) that make it."""

    nodes: tuple[int, int]
    weight: float
    affiliations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """Figures of the whole network; shares and density in [0, 1]."""

    nodes: int
    organisations: int
    ties: int
    density: float
    components: int
    largest_component: int
    isolates: int

    @property
    def largest_share(self) -> float:
        """Share of all nodes in the largest component."""
        return self.largest_component / self.nodes if self.nodes else 0.0


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Participations by status, and who comes first when only stated ones count.

    `first` and `first_stated` hold the IRIs that share first place in betweenness (none when all
    are 0); `first_stated` is None when it was not computed, everything being stated or the network
    too large.
    """

    stated: int
    disputed: int
    inferred: int
    first: tuple[str, ...]
    first_stated: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a rendered report says, in one language."""

    title: str
    subtitle: str
    language: str
    revision: int
    dataset_hash: str
    ontology_version: str
    commit_time: str
    parameters: ProjectionParameters
    software: tuple[tuple[str, str], ...]
    network: Network
    layers: tuple[LayerSize, ...]
    uncertainty: Uncertainty
    folded: tuple[tuple[str, str], ...]
    folded_names: tuple[tuple[str, str], ...]
    summary: tuple[str, ...]
    measures: tuple[MeasureTable, ...]
    nodes: tuple[Node, ...]
    ties: tuple[Tie, ...]
    affiliations: tuple[AffiliationRow, ...]
    separations: tuple[Separation, ...]
    bridges: tuple[Bridge, ...]
    components: tuple[tuple[int, ...], ...]
    method: tuple[Section, ...]
    limits: tuple[str, ...]

    def place_of(self, key: str) -> int:
        """Return the place of a measure among `measures` and among the values of a node."""
        return next(place for place, table in enumerate(self.measures) if table.key == key)
