"""The dataset as a change would leave it: a snapshot, some quads more and some fewer.

Floor 2. Nothing is copied: only the changed quads are held, by subject and by object, and every
question is put to the snapshot and corrected. Validation looks at the dataset through this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from graph.terms import RDF_TYPE, Quad, is_literal

#: The values of one node: predicate (N-Triples text) -> value -> the graphs that state it.
Node = Mapping[str, Mapping[str, list[str]]]
_TYPE_IRI: Final = RDF_TYPE[1:-1]
_NODES_KEPT: Final = 4_096
_NOTHING: Final[tuple[Quad, ...]] = ()


class Reads(Protocol):
    """What a view asks of a snapshot; system quads count as statements like any other."""

    def contains(self, quad: Quad) -> bool:
        """Tell whether a data quad stands in the dataset."""
        ...

    def quads_of(self, subject: str, graph: str | None = None) -> list[Quad]:
        """Return the quads that say something of a subject."""
        ...

    def quads_to(self, value: str) -> list[Quad]:
        """Return the quads that refer to a node."""
        ...

    def subjects(self, predicate: str, value: str) -> list[str]:
        """Return the nodes that have a value of a predicate (IRI without brackets)."""
        ...

    def subject_count(self, predicate: str, value: str) -> int:
        """Return how many statements of a predicate (IRI without brackets) have a node as value."""
        ...

    def values(self, subject: str, predicate: str) -> list[str]:
        """Return the distinct values of a predicate (IRI without brackets)."""
        ...

    def types_of(self, subject: str) -> tuple[str, ...]:
        """Return the classes of a node, IRIs without brackets."""
        ...

    def graph_count(self, graph: str) -> int:
        """Return how many data quads a graph holds."""
        ...

    def number_of(self, term: str) -> int | None:
        """Return the number of a term that the snapshot knows, or None."""
        ...


class View:
    """A snapshot with a change laid over it.

    `added` and `removed` are the effective change: quads that the snapshot lacks, and has.
    """

    def __init__(
        self, snapshot: Reads, added: Iterable[Quad] = (), removed: Iterable[Quad] = ()
    ) -> None:
        self.snapshot = snapshot
        wanted = dict.fromkeys(added)
        self.removed = {q for q in removed if q not in wanted and snapshot.contains(q)}
        self.added = {q: None for q in wanted if not snapshot.contains(q)}
        self._added_of = _group(self.added, 0)
        self._added_to = _group((q for q in self.added if not is_literal(q[2])), 2)
        self._added_ties = _ties(self._added_to)
        self._lessened = {q[:2] for q in self.removed}
        self._types: dict[str, frozenset[str]] = {}
        self._nodes: dict[str, Node] = {}
        self._asked = ("", False)

    @property
    def subjects(self) -> set[str]:
        """The subjects of the changed quads."""
        return {*self._added_of, *(q[0] for q in self.removed)}

    def graphs(self) -> dict[str, int]:
        """Return the graphs that the change touches, with the quads that each then holds."""
        changes: dict[str, int] = defaultdict(int)
        for quad in self.added:
            changes[quad[3]] += 1
        for quad in self.removed:
            changes[quad[3]] -= 1
        return {g: self.snapshot.graph_count(g) + change for g, change in sorted(changes.items())}

    def contains(self, quad: Quad) -> bool:
        """Tell whether a data quad stands there after the change."""
        return quad in self.added or (quad not in self.removed and self.snapshot.contains(quad))

    def quads_of(self, subject: str) -> list[Quad]:
        """Return the quads that say something of a node, system quads included."""
        before = self.snapshot.quads_of(subject)
        if self.removed:
            before = [quad for quad in before if quad not in self.removed]
        return [*before, *self._added_of.get(subject, _NOTHING)]

    def quads_to(self, node: str) -> list[Quad]:
        """Return the quads that refer to a node."""
        before = [quad for quad in self.snapshot.quads_to(node) if quad not in self.removed]
        return [*before, *self._added_to.get(node, _NOTHING)]

    def node(self, subject: str) -> Node:
        """Return the values of a node by predicate, each with the graphs that state it."""
        known = self._nodes.get(subject)
        if known is not None:
            return known
        values: dict[str, dict[str, list[str]]] = {}
        for _, predicate, value, graph in self.quads_of(subject):
            values.setdefault(predicate, {}).setdefault(value, []).append(graph)
        if len(self._nodes) >= _NODES_KEPT:
            self._nodes.clear()
        self._nodes[subject] = values
        return values

    def values(self, subject: str, predicate: str) -> list[str]:
        """Return the distinct values of a predicate (N-Triples text), over all graphs."""
        if (subject, predicate) in self._lessened:
            return list(self.node(subject).get(predicate, ()))
        before = self.snapshot.values(subject, predicate[1:-1])
        added = self._added_of.get(subject, _NOTHING)
        return list(dict.fromkeys((*before, *(q[2] for q in added if q[1] == predicate))))

    def referrers(self, predicate: str, node: str) -> list[str]:
        """Return the nodes that have `node` as a value of a predicate (N-Triples text), sorted."""
        more = self._added_ties.get((predicate, node), ())
        if not self._is_known(node):
            return sorted(more)
        before = self.snapshot.subjects(predicate[1:-1], node)
        if self.removed:
            before = [s for s in before if not self._is_gone(s, predicate, node)]
        return sorted({*before, *more})

    def referrer_count(self, predicate: str, node: str) -> int:
        """Return at most how many nodes have `node` as a value of a predicate, at little cost."""
        more = len(self._added_ties.get((predicate, node), ()))
        return more + self.snapshot.subject_count(predicate[1:-1], node)

    def types(self, node: str) -> frozenset[str]:
        """Return the classes of a node, IRIs without brackets."""
        known = self._types.get(node)
        if known is None:
            known = self._types[node] = frozenset(self._find_types(node))
        return known

    def types_before(self, node: str) -> frozenset[str]:
        """Return the classes that the node has without the change."""
        return frozenset(self.snapshot.types_of(node))

    def _find_types(self, node: str) -> Iterable[str]:
        return (term[1:-1] for term in self.values(node, RDF_TYPE) if not is_literal(term))

    def _is_known(self, node: str) -> bool:
        """Tell whether the snapshot may say anything of a node; asked often of the same node."""
        if node != self._asked[0]:
            self._asked = (node, self.snapshot.number_of(node) is not None)
        return self._asked[1]

    def _is_gone(self, subject: str, predicate: str, node: str) -> bool:
        """Tell whether no graph states a triple any more that the snapshot has."""
        return (subject, predicate) in self._lessened and node not in self.values(
            subject, predicate
        )


def _group(quads: Iterable[Quad], place: int) -> dict[str, list[Quad]]:
    grouped: dict[str, list[Quad]] = {}
    for quad in quads:
        grouped.setdefault(quad[place], []).append(quad)
    return grouped


def _ties(by_value: Mapping[str, Iterable[Quad]]) -> dict[tuple[str, str], set[str]]:
    """Return the subjects of quads by predicate and value."""
    grouped: dict[tuple[str, str], set[str]] = defaultdict(set)
    for value, quads in by_value.items():
        for subject, predicate, _, _ in quads:
            grouped[predicate, value].add(subject)
    return dict(grouped)
