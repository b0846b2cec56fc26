"""A network taken from a snapshot: definition, arrays, and the same as a networkx graph.

Floor 3. A `Projection` is the network under analysis (`Network` is a class of the ontology).
How it was made is part of it; what is computed on it stands in `measures/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from itertools import combinations, product
from typing import Any, Final

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.analysis.affiliations import Affiliation, Layer, Status, read_affiliations
from graph.analysis.reader import Reader
from graph.errors import BadValueError, UnknownTermError

#: Distances this near to a whole number (relative) are whole: 1/(1/49) must be 49.
WHOLE: Final = 1e-13


class Weighting(StrEnum):
    """What an affiliation of k parties gives to each pair of them."""

    NEWMAN = "newman"  # 1 / (k - 1)
    UNIT = "unit"  # 1 for a pair, however many affiliations it shares


class Mode(StrEnum):
    """What the nodes are."""

    ONE_MODE = "one-mode"  # actors, tied where they share an affiliation
    TWO_MODE = "two-mode"  # actors and affiliations, tied where an actor takes part


class Succession(StrEnum):
    """What becomes of organisations that were renamed or merged."""

    FOLD = "fold"  # counted as their final successor, where there is exactly one
    KEEP = "keep"  # nodes of their own


@dataclass(frozen=True, slots=True)
class ProjectionParameters:
    """How a network is taken from a snapshot; equal parameters and revision give equal bytes.

    `name` is that of the named projection that the parameters come from. Relations of all three
    statuses count unless `include_inferred` or `include_disputed` is false. Ended relations count:
    without a date of reference all times do.
    """

    name: str = "default"
    layers: tuple[Layer, ...] = tuple(Layer)
    weighting: Weighting = Weighting.NEWMAN
    mode: Mode = Mode.ONE_MODE
    include_inferred: bool = True
    include_disputed: bool = True
    succession: Succession = Succession.FOLD
    clusters_only: bool = False

    def __post_init__(self) -> None:
        """Put the layers in their order, once each; refuse an empty choice."""
        ordered = tuple(layer for layer in Layer if layer in self.layers)
        if not ordered:
            raise BadValueError(
                "layers", ", ".join(self.layers), f"one or more of {', '.join(Layer)}"
            )
        object.__setattr__(self, "layers", ordered)

    @property
    def statuses(self) -> frozenset[Status]:
        """The statuses of the relations that count."""
        left_out = {Status.INFERRED: self.include_inferred, Status.DISPUTED: self.include_disputed}
        return frozenset(status for status in Status if left_out.get(status, True))


NAMED_PROJECTIONS: Final = {
    parameters.name: parameters
    for parameters in (
        ProjectionParameters(),
        ProjectionParameters("memberships", (Layer.MEMBERSHIP,)),
        ProjectionParameters("agreements", (Layer.MEMORANDUM,)),
        ProjectionParameters("projects", (Layer.PROJECT,)),
    )
}


def find_projection(name: str) -> ProjectionParameters:
    """Return the parameters of a named projection.

    Raises
    ------
    UnknownTermError
        No projection has this name.
    """
    if name not in NAMED_PROJECTIONS:
        raise UnknownTermError("projection", name, tuple(NAMED_PROJECTIONS))
    return NAMED_PROJECTIONS[name]


@dataclass(frozen=True, eq=False)
class Projection:
    """The network under analysis: n nodes, m ties, undirected, no loops.

    `nodes` is in the order of the IRIs; `is_actor` tells organisations from affiliations (all true
    in one mode). `affiliations` holds the parties as indices of `actors` (node numbers of the
    organisations). `weights` is the symmetric CSR matrix of tie weights, `lengths` has its pattern
    and holds 1 / weight: what shortest paths add up. `memo` keeps what several measures share.
    """

    parameters: ProjectionParameters
    revision: int
    nodes: tuple[str, ...]
    is_actor: NDArray[np.bool_]
    actors: NDArray[np.int64]
    affiliations: tuple[Affiliation, ...]
    folded: tuple[tuple[str, str], ...]
    weights: sp.csr_array[Any]
    lengths: sp.csr_array[Any]
    memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def node_count(self) -> int:
        """Number of nodes, n."""
        return len(self.nodes)

    @property
    def tie_count(self) -> int:
        """Number of ties, m."""
        return int(self.weights.nnz) // 2

    @cached_property
    def index(self) -> dict[str, int]:
        """Node numbers by IRI."""
        return {iri: number for number, iri in enumerate(self.nodes)}

    def ties(self) -> Iterator[tuple[int, int, float, float]]:
        """Yield each tie once: two node numbers, the lower first, its weight and its length."""
        rows = np.repeat(np.arange(self.node_count), np.diff(self.weights.indptr))
        upper = rows < self.weights.indices
        columns = (rows, self.weights.indices, self.weights.data, self.lengths.data)
        yield from zip(*(column[upper].tolist() for column in columns), strict=True)

    def to_networkx(self, *, exact: bool = True) -> nx.Graph[str]:
        """Return the same network as a networkx graph, nodes in the same order.

        Each edge carries `weight` and `distance` (1 / weight). The distance is a `Fraction`:
        networkx then compares path lengths without rounding, and two paths tie exactly when they
        are equally long. Without `exact` it is a float, for what cannot write fractions.
        """
        graph: nx.Graph[str] = nx.Graph()
        graph.add_nodes_from(self.nodes)
        fractions = self._exact_lengths() if exact else {}
        for a, b, weight, length in self.ties():
            distance = fractions[a, b] if exact else length
            graph.add_edge(self.nodes[a], self.nodes[b], weight=weight, distance=distance)
        return graph

    def _exact_lengths(self) -> dict[tuple[int, int], Fraction]:
        """Return the distance of each tie (lower number first) without rounding."""
        two_mode = self.parameters.mode is Mode.TWO_MODE
        weights: dict[tuple[int, int], Fraction] = {}
        for affiliation in self.affiliations:
            parties = self.actors[list(affiliation.parties)].tolist()
            other = self.index[affiliation.iri] if two_mode else -1
            share = Fraction(1, max(len(parties) - 1, 1))
            for a, b in product(parties, [other]) if two_mode else combinations(parties, 2):
                pair = min(a, b), max(a, b)
                weights[pair] = weights.get(pair, Fraction(0)) + share
        if self.parameters.weighting is Weighting.UNIT:
            return dict.fromkeys(weights, Fraction(1))
        return {pair: 1 / weight for pair, weight in weights.items()}


def build_projection(snapshot: Reader, parameters: ProjectionParameters) -> Projection:
    """Return the network that the parameters take from a snapshot.

    Two actors are tied where they share an affiliation; with Newman's weighting an affiliation of
    k known parties in scope gives 1 / (k - 1) to each pair, so that a large memorandum does not
    drown a project of three, and the weights of a pair add up over its affiliations. In two mode
    the tie of a party to an affiliation weighs 1 / max(k - 1, 1). Unit weighting gives 1 to every
    tie. What is joined is no party itself, unless another relation says so.

    Parameters
    ----------
    snapshot : Reader
        The snapshot; its answered values count, each relation once over all sources.
    parameters : ProjectionParameters
        Layers, weighting, mode, statuses, succession, scope.

    Returns
    -------
    Projection
        Nodes are those with at least one affiliation in the chosen layers: an organisation
        whose affiliations have no other known party is an isolate, one without any is no node.

    Cost
    ----
    O(relations) reads and O(sum of k squared) for the ties.

    Source
    ------
    M. E. J. Newman, Scientific collaboration networks II, Physical Review E 64, 016132 (2001).
    """
    read = read_affiliations(
        snapshot,
        parameters.layers,
        parameters.statuses,
        fold=parameters.succession is Succession.FOLD,
        clusters_only=parameters.clusters_only,
    )
    incidence = _build_incidence(len(read.actors), read.joined)
    if parameters.mode is Mode.TWO_MODE:
        nodes, is_actor, weights = _tie_two_modes(read.actors, read.joined, incidence, parameters)
    else:
        nodes, is_actor = read.actors, np.ones(len(read.actors), dtype=np.bool_)
        weights = _tie_one_mode(incidence, parameters)
    return Projection(
        parameters=parameters,
        revision=snapshot.revision,
        nodes=nodes,
        is_actor=is_actor,
        actors=np.flatnonzero(is_actor),
        affiliations=read.joined,
        folded=read.folded,
        weights=weights,
        lengths=_invert(weights),
    )


def restrict_to_stated(parameters: ProjectionParameters) -> ProjectionParameters:
    """Return the same parameters with stated relations alone."""
    return replace(parameters, include_inferred=False, include_disputed=False)


def _build_incidence(actors: int, joined: tuple[Affiliation, ...]) -> sp.csr_array[Any]:
    """Return the actor x affiliation matrix of ones."""
    rows = [party for affiliation in joined for party in affiliation.parties]
    columns = np.repeat(np.arange(len(joined)), [len(a.parties) for a in joined])
    return sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(actors, len(joined)))


def _tie_one_mode(incidence: sp.csr_array[Any], parameters: ProjectionParameters) -> Any:
    """Return the symmetric matrix of weights between actors."""
    sizes = np.asarray(incidence.sum(axis=0)).ravel()
    shares = np.divide(1.0, sizes - 1, out=np.zeros_like(sizes), where=sizes > 1)
    shared = sp.coo_array(incidence @ sp.diags_array(shares) @ incidence.T)
    between = shared.row != shared.col
    pairs = shared.row[between], shared.col[between]
    return _sort(shared.data[between], *pairs, incidence.shape[0], parameters.weighting)


def _tie_two_modes(
    actors: tuple[str, ...],
    joined: tuple[Affiliation, ...],
    incidence: sp.csr_array[Any],
    parameters: ProjectionParameters,
) -> tuple[tuple[str, ...], NDArray[np.bool_], Any]:
    """Return nodes, which of them are actors, and the matrix of weights."""
    members = set(actors)
    nodes = tuple(sorted(members | {a.iri for a in joined}))
    index = {iri: number for number, iri in enumerate(nodes)}
    is_actor = np.fromiter((iri in members for iri in nodes), dtype=np.bool_, count=len(nodes))
    pairs = sp.coo_array(incidence)
    rows = np.array([index[iri] for iri in actors], dtype=np.int64)[pairs.row]
    columns = np.array([index[a.iri] for a in joined], dtype=np.int64)[pairs.col]
    sizes = np.array([len(a.parties) for a in joined], dtype=np.float64)[pairs.col]
    data = 1.0 / np.maximum(sizes - 1, 1)
    both = np.concatenate((rows, columns)), np.concatenate((columns, rows))
    weights = _sort(np.concatenate((data, data)), *both, len(nodes), parameters.weighting)
    return nodes, is_actor, weights


def _sort(data: Any, rows: Any, columns: Any, count: int, weighting: Weighting) -> Any:
    """Return a CSR matrix with sorted indices, so that equal networks have equal bytes."""
    matrix = sp.csr_array((data, (rows, columns)), shape=(count, count))
    matrix.sum_duplicates()
    matrix.sort_indices()
    if weighting is Weighting.UNIT:
        matrix.data = np.ones_like(matrix.data)
    return matrix


def _invert(weights: sp.csr_array[Any]) -> Any:
    """Return the lengths 1 / weight; what rounding has moved off a whole number is put back."""
    lengths = weights.copy()
    lengths.data = 1.0 / weights.data
    whole = np.rint(lengths.data)
    near = np.abs(lengths.data - whole) <= WHOLE * lengths.data
    lengths.data = np.where(near, whole, lengths.data)
    return lengths
