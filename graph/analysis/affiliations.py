"""Who takes part in what: actors, affiliations and parties read from a snapshot.

Floor 3. A layer is a kind of affiliation: joining a network, platform or organisation, signing a
memorandum, having a role in a project. Ties between actors are made in `projection.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from graph.analysis.reader import EURIO, ORG, Reader, read_instances
from graph.analysis.succession import find_successors
from graph.terms import RZ, read_literal

STATUS: Final = f"{RZ}status"
ORGANISATION: Final = f"{RZ}Organisation"
CLUSTER: Final = f"{RZ}Cluster"


class Layer(StrEnum):
    """A kind of affiliation, by the relation that makes it."""

    MEMBERSHIP = "membership"
    MEMORANDUM = "memorandum"
    PROJECT = "project"


class Status(StrEnum):
    """How far a relation is known, the surest first."""

    STATED = "stated"
    DISPUTED = "disputed"
    INFERRED = "inferred"


#: By layer: class of the relation, predicate to its party, predicate to what is joined.
RELATIONS: Final = {
    Layer.MEMBERSHIP: (f"{RZ}Membership", f"{ORG}member", f"{ORG}organization"),
    Layer.MEMORANDUM: (f"{RZ}Signature", f"{RZ}signatory", f"{RZ}agreement"),
    Layer.PROJECT: (f"{RZ}ProjectRole", f"{EURIO}isRoleOf", f"{EURIO}isInvolvedIn"),
}
_SURENESS: Final = {status: place for place, status in enumerate(Status)}


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation that counts, all nodes as N-Triples text.

    `actor` is who speaks for the party, `joined` what speaks for the thing joined: their final
    successors where those are counted in their place.
    """

    layer: Layer
    name: str
    party: str
    actor: str
    joined: str
    status: Status


@dataclass(frozen=True, slots=True)
class Affiliation:
    """What actors join: its IRI, its layer, and its parties in scope (indices of actors).

    `statuses` gives, party by party, the surest status of the relations that make it one.
    """

    iri: str
    layer: Layer
    parties: tuple[int, ...]
    statuses: tuple[Status, ...]


@dataclass(frozen=True, slots=True)
class Affiliations:
    """Actors by IRI and what they join, each once however many sources and relations say so.

    `folded` holds the pairs (predecessor, successor) of actors that were counted as one.
    """

    actors: tuple[str, ...]
    joined: tuple[Affiliation, ...]
    folded: tuple[tuple[str, str], ...]


def read_relations(
    reader: Reader,
    layers: Sequence[Layer],
    statuses: frozenset[Status],
    *,
    fold: bool,
    clusters_only: bool,
) -> Iterator[Relation]:
    """Yield every relation by which somebody joins something, layer by layer.

    Parameters
    ----------
    reader : Reader
        The snapshot; relations answer as one node, whatever the number of sources.
    layers : Sequence[Layer]
        The kinds of affiliation to read.
    statuses : frozenset[Status]
        Statuses of relations and change events to count. A relation without one (the gate lets
        none in) counts as inferred: nobody states it.
    fold : bool
        Count a predecessor's affiliations as its final successor's.
    clusters_only : bool
        Leave out organisations that are no clusters (judged after folding).

    """

    def status_of(relation: str) -> Status:
        term = reader.value(relation, STATUS)
        text = read_literal(term)[0] if term else Status.INFERRED
        return Status(text) if text in _SURENESS else Status.INFERRED

    scope = set(read_instances(reader, CLUSTER if clusters_only else ORGANISATION))
    successors = find_successors(reader, lambda e: status_of(e) in statuses) if fold else {}
    for layer in layers:
        relation_class, to_party, to_joined = RELATIONS[layer]
        for relation in read_instances(reader, relation_class):
            party, target = reader.value(relation, to_party), reader.value(relation, to_joined)
            status = status_of(relation)
            if party is None or target is None or status not in statuses:
                continue
            actor, target = successors.get(party, party), successors.get(target, target)
            if actor in scope and actor != target:
                yield Relation(layer, relation, party, actor, target, status)


def read_affiliations(
    reader: Reader,
    layers: Sequence[Layer],
    statuses: frozenset[Status],
    *,
    fold: bool,
    clusters_only: bool,
) -> Affiliations:
    """Return who joins what, by the relations that `read_relations` yields.

    Returns
    -------
    Affiliations
        Actors are the organisations with at least one affiliation, ordered by IRI; territories,
        networks and platforms are never actors. Affiliations are ordered by layer and IRI.
    """
    joined: dict[tuple[Layer, str], dict[str, Status]] = {}
    folded: set[tuple[str, str]] = set()
    for each in read_relations(reader, layers, statuses, fold=fold, clusters_only=clusters_only):
        if each.actor != each.party:
            folded.add((each.party[1:-1], each.actor[1:-1]))
        parties = joined.setdefault((each.layer, each.joined[1:-1]), {})
        surest = min(each.status, parties.get(each.actor, each.status), key=_SURENESS.__getitem__)
        parties[each.actor] = surest
    return _number(joined, tuple(sorted(folded)))


def _number(
    joined: dict[tuple[Layer, str], dict[str, Status]], folded: tuple[tuple[str, str], ...]
) -> Affiliations:
    """Return the same with actors as indices, everything in its order."""
    actors = sorted({actor[1:-1] for parties in joined.values() for actor in parties})
    index = {f"<{iri}>": place for place, iri in enumerate(actors)}
    order = list(Layer)
    result = []
    for layer, iri in sorted(joined, key=lambda key: (order.index(key[0]), key[1])):
        parties = sorted((index[a], status) for a, status in joined[layer, iri].items())
        result.append(
            Affiliation(iri, layer, tuple(p for p, _ in parties), tuple(s for _, s in parties))
        )
    return Affiliations(tuple(actors), tuple(result), folded)
