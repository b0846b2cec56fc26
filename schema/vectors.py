"""Values of many nodes at once, read out of the pages of columns as arrays.

Floor 4. A list of ten thousand nodes is judged or put in order in some steps of arrays instead of
ten thousand calls. Numbers are those of the snapshot; NIL stands for what is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from graph.model import Field
from graph.store.columns import Column, OneColumn
from graph.store.snapshot import TYPE
from graph.store.term_table import MASK, NIL, SHIFT
from schema.languages import LanguageOrder
from schema.values import Values

Numbers = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]
_PARTS = ("text", "earliest", "latest")
#: Shorter lists are looked at node by node.
LEAST = 64
#: Nodes of a page from which on arrays read it sooner.
_DENSE = 20
#: Places in a list, or ranks.
Places = npt.NDArray[np.int64]


class Batch:
    """Nodes that are looked at together, of shape (n,), and which of them lie on which page."""

    def __init__(self, nodes: Sequence[int] | Numbers) -> None:
        self.nodes: Numbers = np.asarray(nodes, np.uint32)

    def __len__(self) -> int:
        """Return how many nodes there are."""
        return len(self.nodes)

    @cached_property
    def pages(self) -> list[tuple[int, Places, Places]]:
        """Number of each page, the places of its nodes in the batch, and their slots."""
        pages = (self.nodes >> SHIFT).astype(np.int64)
        order = np.argsort(pages, kind="stable")
        ends = np.flatnonzero(np.diff(pages[order])) + 1
        slots = (self.nodes & MASK).astype(np.int64)
        return [(int(pages[at[0]]), at, slots[at]) for at in np.split(order, ends) if len(at)]

    @cached_property
    def is_sparse(self) -> bool:
        """Whether few nodes lie on each page, so that they are read sooner one by one."""
        return len(self) < _DENSE * len(np.unique(self.nodes >> SHIFT))


def read_one(column: OneColumn, batch: Batch) -> tuple[Numbers, Numbers]:
    """Return the answering value of each node and the graph that states it."""
    values, graphs = np.zeros(len(batch), np.uint32), np.zeros(len(batch), np.uint32)
    for number, places, slots in batch.pages:
        page = column.pages.get(number)
        if page is not None:
            values[places] = np.frombuffer(page.values, np.uint32)[slots]
            graphs[places] = np.frombuffer(page.graphs, page.graphs.typecode)[slots]
    return values, graphs


def read_answers(values: Values, column: Column, batch: Batch) -> Numbers:
    """Return the one value that answers for each node, in any column."""
    if isinstance(column, OneColumn):
        return read_one(column, batch)[0]
    places, numbers, _ = read_many(column, batch)
    found = np.zeros(len(batch), np.uint32)
    found[places] = numbers
    for place in np.flatnonzero(np.bincount(places, minlength=len(batch)) > 1).tolist():
        found[place] = values.snapshot.answer(column, int(batch.nodes[place]))
    return found


def read_many(column: Column, batch: Batch) -> tuple[Places, Numbers, Numbers]:
    """Return all values of the nodes, each with the place of its node and, if known, its graph.

    A value stands once for each graph that states it.
    """
    if isinstance(column, OneColumn):
        values, graphs = read_one(column, batch)
        known = np.flatnonzero(values != NIL)
        return known, values[known], graphs[known]
    if batch.is_sparse:
        return _read_nodes(column, batch)
    found = list(_read_pages(column, batch))
    if not found:
        empty = np.zeros(0, np.uint32)
        return np.zeros(0, np.int64), empty, empty
    places, numbers, sources = zip(*found, strict=True)
    return np.concatenate(places), np.concatenate(numbers), np.concatenate(sources)


def read_distinct(column: Column, batch: Batch) -> tuple[Places, Numbers]:
    """Return the distinct values of the nodes, each with the place of its node."""
    places, values, _ = read_many(column, batch)
    if isinstance(column, OneColumn):
        return places, values
    if not any(page.repeats for number, _, _ in batch.pages if (page := column.pages.get(number))):
        return places, values
    pairs = np.unique((places.astype(np.uint64) << np.uint64(32)) | values.astype(np.uint64))
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(
        np.uint32
    )


def read_best(values: Values, column: Column, order: LanguageOrder, batch: Batch) -> Numbers:
    """Return the text of each node in the best language; of one language, the best source's."""
    places, numbers, graphs = read_many(column, batch)
    tags, of_page = values.snapshot.page_languages
    rank = {tag: at for at, tag in enumerate(sorted(tags, key=order.__getitem__))}
    languages = np.array([rank[tag] for tag in tags], np.int64)[of_page[numbers >> SHIFT]]
    sources = values.snapshot.source_ranks[graphs]
    chosen = np.lexsort((sources, languages, places))[::-1]
    found = np.zeros(len(batch), np.uint32)
    found[places[chosen]] = numbers[chosen]  # of several for one place the last is kept, the best
    return found


def label_places(values: Values, batch: Batch) -> Iterator[tuple[str, Places]]:
    """Yield the predicates of names for people, each with the places of nodes that it names.

    A node goes by its most specific class; the predicate is empty for those without a name.
    """
    snapshot = values.snapshot
    ranked = sorted(snapshot.class_numbers.items(), key=lambda item: item[1])
    ranks = {number: at for at, (number, _) in enumerate(ranked)}
    places, types, _ = read_many(values.column(TYPE), batch)
    best = np.full(len(batch), len(ranked), np.int64)
    distinct, at = np.unique(types, return_inverse=True)
    found = np.array([ranks.get(each, len(ranked)) for each in distinct.tolist()], np.int64)
    np.minimum.at(best, places, found[at] if len(found) else found)
    for rank in np.unique(best).tolist():
        named = None if rank == len(ranked) else ranked[rank][1][1]
        yield values.model.label_paths.get(named or "", ""), np.flatnonzero(best == rank)


def read_labels(values: Values, order: LanguageOrder, batch: Batch) -> Numbers:
    """Return the name for people of each node, of whatever class it is."""
    labels = np.zeros(len(batch), np.uint32)
    for path, named in label_places(values, batch):
        if path:
            column = values.column(path)
            labels[named] = read_best(values, column, order, Batch(batch.nodes[named]))
    return labels


def _read_nodes(column: Any, batch: Batch) -> tuple[Places, Numbers, Numbers]:
    """Return what `read_many` does, node by node."""
    places, values, graphs = list[int](), list[int](), list[int]()
    pages = column.pages
    for place, number in enumerate(batch.nodes.tolist()):
        page = pages.get(number >> SHIFT)
        if page is None:
            continue
        slot = number & MASK
        start, end = page.offsets[slot], page.offsets[slot + 1]
        if start == end:
            continue
        if end - start == 1:
            places.append(place)
            values.append(page.values[start])
            graphs.append(page.graphs[start] if len(page.graphs) else 0)
        else:
            places += [place] * (end - start)
            values += page.values[start:end]
            graphs += page.graphs[start:end] if len(page.graphs) else [0] * (end - start)
    return np.array(places, np.int64), np.array(values, np.uint32), np.array(graphs, np.uint32)


def _read_pages(column: Any, batch: Batch) -> Iterator[tuple[Places, Numbers, Numbers]]:
    for number, places, slots in batch.pages:
        page = column.pages.get(number)
        if page is None or not len(page.values):
            continue
        offsets = np.frombuffer(page.offsets, page.offsets.typecode).astype(np.int64)
        starts = offsets[slots]
        counts = offsets[slots + 1] - starts
        at = spans(starts, counts)
        values = np.frombuffer(page.values, np.uint32)[at]
        graphs = np.zeros(len(at), np.uint32)
        if len(page.graphs):
            graphs = np.frombuffer(page.graphs, page.graphs.typecode)[at].astype(np.uint32)
        yield np.repeat(places, counts), values, graphs


def spans(starts: Places, counts: Places) -> Places:
    """Return the places of spans, one after the other: from each start so many.

    Examples
    --------
    >>> spans(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))


def by_value(test: Callable[[int], bool], values: Numbers) -> Mask:
    """Return which values fit, each distinct one judged once."""
    wanted = getattr(test, "__self__", None)
    if isinstance(wanted, set):  # an equality: the numbers of what it equals
        return np.isin(values, np.fromiter(wanted, np.uint32, len(wanted)))
    distinct, places = np.unique(values, return_inverse=True)
    many = getattr(test, "many", None)  # a test of texts, which reads them together
    found = map(test, distinct.tolist()) if many is None else many(distinct.tolist())
    return np.fromiter(found, np.bool_, len(distinct))[places]


def any_at(places: Places, count: int) -> Mask:
    """Return for each of `count` places whether it is among some."""
    found = np.zeros(count, np.bool_)
    found[places] = True
    return found


class Dates:
    """A date of many nodes: numbers of text, earliest and latest day as one source gives them."""

    def __init__(self, values: Values, field: Field) -> None:
        self.columns = [values.column(field.parts[part]) for part in _PARTS]
        self.find = values.date(field)

    @property
    def are_single(self) -> bool:
        """Whether the columns have one value a node, or none at all."""
        return all(isinstance(column, OneColumn) or not column.pages for column in self.columns)

    def read(self, batch: Batch) -> list[Numbers]:
        """Return the three parts, NIL where the source that answers gives none."""
        values, graphs = [], []
        for column in self.columns:
            found = read_one(column, batch) if isinstance(column, OneColumn) else None
            empty = np.zeros(len(batch), np.uint32)
            values.append(empty if found is None else found[0])
            graphs.append(empty if found is None else found[1])
        known = [part != NIL for part in values]
        answers = np.select(known, graphs, default=0)
        parts = [
            np.where(has & (graph == answers), part, np.uint32(NIL))
            for has, graph, part in zip(known, graphs, values, strict=True)
        ]
        for place in self._contested(batch).tolist():
            exact = self.find(int(batch.nodes[place])) or (NIL, NIL, NIL)
            for part, value in zip(parts, exact, strict=True):
                part[place] = value
        return parts

    def _contested(self, batch: Batch) -> Places:
        return np.flatnonzero(np.isin(batch.nodes, self._odd))

    @cached_property
    def _odd(self) -> Numbers:
        """The nodes about which sources differ."""
        held = [column.contested for column in self.columns if isinstance(column, OneColumn)]
        odd = {number for contested in held for number in contested}
        return np.fromiter(odd, np.uint32, len(odd))
