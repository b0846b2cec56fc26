"""The snapshot: an immutable in-memory version of the dataset at a revision.

Floor 1. It answers GraphQL and feeds analysis, validation and export. A commit makes a new
version that shares all untouched pages with the one before (`graph/store/advance.py`), so a
reader keeps the version it began with. The system graph (labels and concept schemes) stands in
it beside the data, outside hash, count and export.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from graph.model import ONTOLOGY_GRAPH, Model
from graph.store.allowance import counted
from graph.store.columns import EMPTY, Column, ManyColumn, OneColumn
from graph.store.search import SearchIndex
from graph.store.term_table import MASK, NIL, SHIFT, TermTable
from graph.terms import RDF, Quad

TYPE: Final = f"{RDF}type"
#: Number of the system graph; data graphs follow.
SYSTEM: Final = 0


@dataclass(frozen=True, slots=True)
class Graphs:
    """The named graphs of one version, by number.

    `terms` is N-Triples text, `born` the revision that first wrote to the graph, `counts` its
    quads, `ranks` its place in the order by which sources answer (DESIGN's rule 2: rank of the
    source, date of retrieval, revision, IRI; 0 answers first).
    """

    terms: Sequence[str]
    born: Sequence[int]
    counts: Sequence[int]
    ranks: Sequence[int]


@dataclass(frozen=True)
class Snapshot:
    """One version of the dataset, for any number of readers.

    `forward` and `inverse` map a predicate's IRI to its column; `classes` maps a class's IRI to
    the numbers of its instances, subclasses included, in the order of their IRIs. `terms` and
    `search` are shared with all versions before and after. Public methods take and give N-Triples
    texts, except where a name says `number`.
    """

    model: Model
    revision: int
    dataset_hash: int
    quad_count: int
    terms: TermTable
    graphs_table: Graphs
    graph_numbers: Mapping[str, int]
    forward: Mapping[str, Column]
    inverse: Mapping[str, ManyColumn]
    classes: Mapping[str, array[int]]
    search: SearchIndex

    # --- by term, for validation, export and analysis ------------------------------------

    def contains(self, quad: Quad) -> bool:
        """Tell whether a data quad stands in the dataset."""
        subject, predicate, value, graph = quad
        number = self.graph_numbers.get(graph)
        return number is not None and any(
            g == number for g in self._graphs_of(subject, predicate[1:-1], value)
        )

    def graphs_of(self, subject: str, predicate: str, value: str) -> list[str]:
        """Return the graphs that state a triple; `predicate` is an IRI without brackets."""
        return [self.graphs_table.terms[g] for g in self._graphs_of(subject, predicate, value)]

    def graphs(self) -> list[str]:
        """Return the data graphs that hold statements, in the order of their IRIs."""
        table = self.graphs_table
        return sorted(
            table.terms[n] for n in range(SYSTEM + 1, len(table.terms)) if table.counts[n]
        )

    def graph_count(self, graph: str) -> int:
        """Return how many quads a graph holds."""
        number = self.graph_numbers.get(graph)
        return 0 if number is None else self.graphs_table.counts[number]

    def source_order(self, graph: str) -> int:
        """Return the place of a graph in the order by which sources answer, 0 first."""
        number = self.graph_numbers.get(graph)
        return len(self.graphs_table.ranks) if number is None else self.graphs_table.ranks[number]

    def quads(self, graph: str | None = None) -> Iterator[Quad]:
        """Yield the data quads, of one graph or all, in no promised order."""
        wanted = None if graph is None else self.graph_numbers.get(graph, -1)
        term, graphs = self.terms.term, self.graphs_table.terms
        for predicate, column in self.forward.items():
            name, last, subject_term = f"<{predicate}>", NIL, ""
            for subject, value, number in column.statements():
                if number == SYSTEM or (wanted is not None and number != wanted):
                    continue
                if subject != last:
                    last, subject_term = subject, term(subject)
                yield subject_term, name, term(value), graphs[number]

    def quads_of(self, subject: str, graph: str | None = None) -> list[Quad]:
        """Return the quads that say something of a subject, system quads included."""
        number = self.terms.find(subject)
        if number is None:
            return []
        term, graphs = self.terms.term, self.graphs_table.terms
        page = number >> SHIFT  # most predicates have no page for the nodes of a kind
        found = [
            (subject, f"<{predicate}>", term(value), graphs[g])
            for predicate, column in self.forward.items()
            if page in column.pages
            for value, g in column.pairs(number)
        ]
        return found if graph is None else [quad for quad in found if quad[3] == graph]

    def quads_to(self, value: str) -> list[Quad]:
        """Return the quads that refer to a node, system quads included."""
        number = self.terms.find(value)
        if number is None:
            return []
        term, graphs = self.terms.term, self.graphs_table.terms
        page = number >> SHIFT
        return [
            (term(subject), f"<{predicate}>", value, graphs[g])
            for predicate, column in self.inverse.items()
            if page in column.pages
            for subject in column.values(number)
            for v, g in self.forward[predicate].pairs(subject)
            if v == number
        ]

    def value(self, subject: str, predicate: str) -> str | None:
        """Return the answering value of a predicate, or None when nothing is known."""
        number = self.terms.find(subject)
        column = self.forward.get(predicate)
        if number is None or column is None:
            return None
        if isinstance(column, OneColumn):
            answer = column.value(number)
            return None if answer == NIL else self.terms.term(answer)
        values = column.values(number)
        return self.terms.term(values[0]) if values else None

    def values(self, subject: str, predicate: str) -> list[str]:
        """Return the distinct values of a predicate over all sources, in their order."""
        number = self.terms.find(subject)
        column = self.forward.get(predicate)
        if number is None or column is None:
            return []
        found = dict.fromkeys(value for value, _ in column.pairs(number))
        return sorted(map(self.terms.term, found))

    def subjects(self, predicate: str, value: str) -> list[str]:
        """Return the nodes that have a value, in the order of their IRIs."""
        number = self.terms.find(value)
        if number is None:
            return []
        if self.terms.is_long(number):  # long texts are not indexed: they are read, not sought
            column = self.forward.get(predicate, EMPTY)
            found = {s for s, v, _ in column.statements() if v == number}
            return [self.terms.term(s) for s in sorted(found, key=self.terms.order)]
        return [self.terms.term(s) for s in self.inverse.get(predicate, EMPTY).values(number)]

    def subject_count(self, predicate: str, value: str) -> int:
        """Return how many statements have a node as value: cheap, and never less than `subjects`.

        A node that several sources tie may count more than once.
        """
        number = self.terms.find(value)
        return 0 if number is None else self.inverse.get(predicate, EMPTY).count(number)

    def types_of(self, subject: str) -> tuple[str, ...]:
        """Return the classes that the sources give a node, IRIs without brackets."""
        return tuple(term[1:-1] for term in self.values(subject, TYPE))

    # --- by number, for plans and projections ---------------------------------------------

    def number_of(self, term: str) -> int | None:
        """Return the number of a term that this version knows, or None."""
        return self.terms.find(term)

    def term_of(self, number: int) -> str:
        """Return the N-Triples text of a numbered term."""
        return self.terms.term(number)

    def instances(self, class_iri: str) -> Sequence[int]:
        """Return the numbers of a class's instances, subclasses included, ordered by IRI."""
        return self.classes.get(class_iri, array("I"))

    def class_of(self, number: int, classes: Container[str] | None = None) -> str | None:
        """Return the class that names a node: the most specific of its types, of `classes` if any.

        A node without a type, or with none of these, has none.
        """
        page = self._types.pages.get(number >> SHIFT)
        if page is None:
            return None
        slot = number & MASK
        known = self.class_numbers
        best: tuple[int, str] | None = None
        for value in page.values[page.offsets[slot] : page.offsets[slot + 1]]:
            found = known.get(value)
            if found is None or (classes is not None and found[1] not in classes):
                continue
            if best is None or found < best:
                best = found
        return None if best is None else best[1]

    def answer(self, column: Column, number: int) -> int:
        """Return the number of the one value that answers in any column, or NIL."""
        if isinstance(column, OneColumn):
            return column.value(number)
        pairs = column.pairs(number)
        if not pairs:
            return NIL
        ranks, term = self.graphs_table.ranks, self.terms.term
        return min(pairs, key=lambda pair: (ranks[pair[1]], term(pair[0])))[0]

    def is_a(self, number: int, class_iri: str) -> bool:
        """Tell whether a numbered node is of a class or of a subclass."""
        return self.class_of(number, self.model.descendants[class_iri]) is not None

    @cached_property
    def _types(self) -> ManyColumn:
        column = self.forward.get(TYPE, EMPTY)
        assert isinstance(column, ManyColumn)  # rdf:type is no field, so no field says single
        return column

    @cached_property
    def class_numbers(self) -> Mapping[int, tuple[int, str]]:
        """Rank and IRI of the model's classes, by the number of the class's term."""
        found = {self.terms.find(f"<{iri}>"): (rank, iri) for iri, rank in self.model.order.items()}
        return {number: rank for number, rank in found.items() if number is not None}

    @cached_property
    def answer_texts(self) -> Sequence[Sequence[str]]:
        """The texts of terms by page, as answers read them: long ones are counted."""
        return counted(self.terms.texts)

    def answer_text(self, number: int) -> str:
        """Return an IRI without brackets, or the value of a literal, as answers read it."""
        page = number >> SHIFT
        return self.terms.prefixes[page] + self.answer_texts[page][number & MASK]

    @cached_property
    def page_languages(self) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
        """The languages of texts ("" of other terms), and the place of that of each page."""
        known: dict[str, int] = {}
        places = [known.setdefault(tag, len(known)) for tag in self.terms.languages]
        return tuple(known), np.array(places, np.int64)

    @cached_property
    def source_ranks(self) -> npt.NDArray[np.int64]:
        """The place of each graph in the order by which sources answer, by its number."""
        return np.array(self.graphs_table.ranks, np.int64)

    def fanout(self, predicate: str, *, inverse: bool) -> int:
        """Return a bound of the number of values that one node has in a column."""
        column = (self.inverse if inverse else self.forward).get(predicate, EMPTY)
        return column.fanout if isinstance(column, ManyColumn) else 1

    def _graphs_of(self, subject: str, predicate: str, value: str) -> list[int]:
        column = self.forward.get(predicate)
        number, wanted = self.terms.find(subject), self.terms.find(value)
        if column is None or number is None or wanted is None:
            return []
        return [g for v, g in column.pairs(number) if v == wanted]


def empty_graphs() -> Graphs:
    """Return the table that holds the system graph alone."""
    return Graphs((f"<{ONTOLOGY_GRAPH}>",), (0,), (0,), (1 << 30,))


def fork(snapshot: Snapshot) -> Snapshot:
    """Return the same version as the first of a lineage of its own.

    Pages are shared, since no version changes them. What later versions add to terms and texts is
    theirs alone: neither lineage ever sees the other's.
    """
    return replace(snapshot, terms=snapshot.terms.copy(), search=snapshot.search.copy())
