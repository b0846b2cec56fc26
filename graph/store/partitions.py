"""How many statements, things, classes and properties a version holds, in all and by source.

Floor 1. Counted page by page, and what was counted of a page is kept as long as the page lives: a
commit copies the pages that it touches, so a new version costs what changed, not the whole.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from graph.store.columns import Many, One, OneColumn
from graph.store.snapshot import SYSTEM, TYPE, Snapshot
from graph.store.term_table import NIL, PAGE, SHIFT


@dataclass(frozen=True, slots=True)
class Partitions:
    """The counts of one version.

    `triples` counts each triple once, however many sources state it; `quads` by source. `entities`
    are the things that data gives a class, `subjects` all that something is stated of. Of
    `classes` (as stated, without superclasses) and `properties` the keys are IRIs;
    `class_properties` counts triples by the class that names the subject, "" for none, and
    property. `by_source` holds the counts of each graph (N-Triples text).
    """

    revision: int
    quads: int
    triples: int
    entities: int
    subjects: int
    classes: Mapping[str, int]
    properties: Mapping[str, int]
    class_properties: Mapping[tuple[str, str], int]
    by_source: Mapping[str, SourcePartition]


@dataclass(frozen=True, slots=True)
class SourcePartition:
    """The counts of one source."""

    quads: int
    classes: Mapping[str, int]
    properties: Mapping[str, int]


@dataclass(slots=True)
class _PageCounts:
    """What one page of one property holds, data alone.

    `occupied` has a bit for each subject. Of rdf:type `classes` counts the things of each class
    (by number), each once, and `types` those of each class and graph.
    """

    page: One | Many
    namer: Many | None
    triples: int = 0
    occupied: int = 0
    quads: Counter[int] = field(default_factory=Counter)
    by_class: Counter[str] = field(default_factory=Counter)
    classes: Counter[int] = field(default_factory=Counter)
    types: Counter[tuple[int, int]] = field(default_factory=Counter)


class Partitioner:
    """Counts versions of one lineage, the next one quickly. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], _PageCounts] = {}
        self._lock = threading.Lock()
        self.pages_read = 0

    def count(self, snapshot: Snapshot) -> Partitions:
        """Return the counts of a version.

        Cost: about a microsecond a statement of the pages that are new since the last call, and a
        few a page. `pages_read` grows by the number of those pages.
        """
        with self._lock:
            return self._count(snapshot)

    def _count(self, snapshot: Snapshot) -> Partitions:
        fresh: dict[tuple[str, int], _PageCounts] = {}
        types = snapshot.forward.get(TYPE)
        namers: Mapping[int, Many] = {} if types is None else types.pages  # type: ignore[assignment]
        total = _Total(snapshot)
        for predicate, column in snapshot.forward.items():
            extras = _Extras(column, snapshot) if isinstance(column, OneColumn) else None
            for number, page in column.pages.items():
                namer = namers.get(number)
                known = self._kept.get((predicate, number))
                if known is None or known.page is not page or known.namer is not namer:
                    known = _count_page(snapshot, predicate, number, page, namer)
                    self.pages_read += 1
                fresh[predicate, number] = known
                total.add(predicate, number, known)
            if extras is not None:
                total.add_extras(predicate, extras)
        self._kept = fresh
        return total.partitions()


class _Extras:
    """What a single-valued column holds beside its pages: where sources differ."""

    def __init__(self, column: OneColumn, snapshot: Snapshot) -> None:
        self.triples = 0
        self.quads: Counter[int] = Counter()
        self.by_class: Counter[str] = Counter()
        for subject, pairs in column.contested.items():
            answered = pairs[0][0]
            more = {v for v, g in pairs if g != SYSTEM} - {answered}
            self.triples += len(more)
            self.quads.update(g for _, g in pairs[1:] if g != SYSTEM)
            if more:
                self.by_class[snapshot.class_of(subject) or ""] += len(more)


class _Total:
    """Adds up the counts of pages."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.triples = 0
        self.entities = 0
        self.occupied: dict[int, int] = {}
        self.classes: Counter[int] = Counter()
        self.properties: Counter[str] = Counter()
        self.class_properties: Counter[tuple[str, str]] = Counter()
        self.quads: dict[str, Counter[int]] = {}
        self.types: Counter[tuple[int, int]] = Counter()

    def add(self, predicate: str, number: int, counts: _PageCounts) -> None:
        self.triples += counts.triples
        self.properties[predicate] += counts.triples
        self.occupied[number] = self.occupied.get(number, 0) | counts.occupied
        self.quads.setdefault(predicate, Counter()).update(counts.quads)
        for class_iri, triples in counts.by_class.items():
            self.class_properties[class_iri, predicate] += triples
        if predicate == TYPE:
            self.entities += counts.occupied.bit_count()
            self.types.update(counts.types)
            self.classes.update(counts.classes)

    def add_extras(self, predicate: str, extras: _Extras) -> None:
        self.triples += extras.triples
        self.properties[predicate] += extras.triples
        self.quads.setdefault(predicate, Counter()).update(extras.quads)
        for class_iri, triples in extras.by_class.items():
            self.class_properties[class_iri, predicate] += triples

    def partitions(self) -> Partitions:
        snapshot = self.snapshot
        text = snapshot.terms.text
        by_graph: dict[int, tuple[dict[str, int], dict[str, int]]] = {}
        for (class_number, graph), count in self.types.items():
            by_graph.setdefault(graph, ({}, {}))[0][text(class_number)] = count
        for predicate, quads in self.quads.items():
            for graph, count in quads.items():
                if count:
                    by_graph.setdefault(graph, ({}, {}))[1][predicate] = count
        table = snapshot.graphs_table
        return Partitions(
            revision=snapshot.revision,
            quads=snapshot.quad_count,
            triples=self.triples,
            entities=self.entities,
            subjects=sum(bits.bit_count() for bits in self.occupied.values()),
            classes={text(number): count for number, count in self.classes.items()},
            properties={p: n for p, n in self.properties.items() if n},
            class_properties={key: n for key, n in self.class_properties.items() if n},
            by_source={
                table.terms[graph]: SourcePartition(table.counts[graph], *found)
                for graph, found in sorted(by_graph.items(), key=lambda item: table.terms[item[0]])
            },
        )


def _count_page(
    snapshot: Snapshot, predicate: str, number: int, page: One | Many, namer: Many | None
) -> _PageCounts:
    counts = _PageCounts(page, namer)
    first = number << SHIFT
    for slot in range(PAGE):
        values = _values(page, slot)
        if not values:
            continue
        distinct = {value for value, _ in values}
        counts.triples += len(distinct)
        counts.occupied |= 1 << slot
        counts.quads.update(graph for _, graph in values)
        counts.by_class[snapshot.class_of(first | slot) or ""] += len(distinct)
        if predicate == TYPE:
            counts.classes.update(distinct)
            counts.types.update(values)
    return counts


def _values(page: One | Many, slot: int) -> list[tuple[int, int]]:
    """Return what data states in a slot: value and graph; of a single value the one that answers.

    Where the answering value is the system's, there is no other: data never states its nodes.
    """
    if isinstance(page, One):
        value, graph = page.values[slot], page.graphs[slot]
        return [] if value == NIL or graph == SYSTEM else [(value, graph)]
    start, end = page.offsets[slot], page.offsets[slot + 1]
    found = zip(page.values[start:end], page.graphs[start:end], strict=True)
    return [pair for pair in found if pair[1] != SYSTEM]
