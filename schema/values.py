"""The values with which fields answer, node by node, for conditions, orders and aggregates.

Floor 4. Each method takes a field once and returns a function from a node's number to numbers of
values, so that what has to be looked up in the model is looked up once a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graph.model import Field, FieldKind, Model
from graph.store.columns import EMPTY, Column, OneColumn
from graph.store.snapshot import SYSTEM, Snapshot
from graph.store.term_table import MASK, NIL, SHIFT
from graph.terms import XSD
from schema.languages import LanguageOrder

#: From a node's number to that of its value, or NIL.
One = Callable[[int], int]
#: From a node's number to those of its distinct values.
Many = Callable[[int], Sequence[int]]
#: A date as one source gives it: numbers of text, earliest and latest day, NIL where not given.
DateParts = tuple[int, ...]


class Values:
    """The answering values of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.model: Model = snapshot.model
        self.texts = snapshot.terms.texts
        self.languages = snapshot.terms.languages
        self.ranks = snapshot.graphs_table.ranks

    def column(self, predicate: str, *, inverse: bool = False) -> Column:
        """Return a column, or an empty one."""
        columns: Mapping[str, Column] = self.snapshot.inverse if inverse else self.snapshot.forward
        return columns.get(predicate, EMPTY)

    def text(self, value: int) -> str:
        """Return the text of a literal."""
        text: str = self.texts[value >> SHIFT][value & MASK]
        return text

    def one(self, field: Field) -> One:
        """Return how the one value of a field is found."""
        column = self.column(field.path, inverse=field.inverse)
        if isinstance(column, OneColumn):
            return column.value
        answer = self.snapshot.answer
        return lambda number: answer(column, number)

    def many(self, field: Field) -> Many:
        """Return how all values of a field are found, in the order of their terms."""
        column = self.column(field.path, inverse=field.inverse)
        if isinstance(column, OneColumn):
            one = column.value
            return lambda number: (value,) if (value := one(number)) != NIL else ()
        return column.values

    def by_language(self, field: Field) -> Many:
        """Return how the texts of a field are found: of each language that of the best source."""
        column = self.column(field.path)
        return lambda number: self._by_language(column, number)

    def labels(self) -> Many:
        """Return how the names for people of any node are found, one a language."""
        return lambda number: self._by_language(self._label_column(number), number)

    def best(self, field: Field, order: LanguageOrder) -> One:
        """Return how the text of a field in the best language is found."""
        column = self.column(field.path)
        return lambda number: self.best_text(column, number, order)

    def best_label(self, order: LanguageOrder) -> One:
        """Return how the name for people of any node is found."""
        return lambda number: self.best_text(self._label_column(number), number, order)

    def best_text(self, column: Column, number: int, order: LanguageOrder) -> int:
        """Return the text in the best language; of one language, that of the best source."""
        if isinstance(column, OneColumn):
            return column.value(number)
        page = column.pages.get(number >> SHIFT)
        if page is None:
            return NIL
        start, end = page.offsets[number & MASK], page.offsets[(number & MASK) + 1]
        if end - start <= 1:
            return page.values[start] if end > start else NIL
        chosen, best, best_rank = NIL, (0, ""), 0
        for value, graph in zip(page.values[start:end], page.graphs[start:end], strict=True):
            place = order[self.languages[value >> SHIFT]]
            rank = self.ranks[graph]
            if chosen == NIL or place < best or (place == best and rank < best_rank):
                chosen, best, best_rank = value, place, rank
        return chosen

    def date(self, field: Field) -> Callable[[int], DateParts | None]:
        """Return how a date is found, as one source gives it."""
        columns = [self.column(field.parts[part]) for part in ("text", "earliest", "latest")]
        single = [column for column in columns if isinstance(column, OneColumn)]
        if len(single) < len(columns):
            return lambda number: self.date_parts(number, columns)
        texts, firsts, lasts = (column.pages for column in single)
        contested = {number for column in single for number in column.contested}

        def read(number: int) -> DateParts | None:
            page, at = number >> SHIFT, number & MASK
            text = texts.get(page)
            if number in contested or text is None or text.values[at] == NIL:
                return self.date_parts(number, columns)
            graph, first, last = text.graphs[at], firsts.get(page), lasts.get(page)
            return (
                text.values[at],
                first.values[at] if first is not None and first.graphs[at] == graph else NIL,
                last.values[at] if last is not None and last.graphs[at] == graph else NIL,
            )

        return read

    def date_parts(self, number: int, columns: Sequence[Column]) -> DateParts | None:
        """Return text, earliest and latest day as one source gives them, or None."""
        found = [column.pairs(number) for column in columns]
        graph = next((pairs[0][1] for pairs in found if pairs), None)
        if graph is None:
            return None
        return tuple(next((v for v, g in pairs if g == graph), NIL) for pairs in found)

    def is_contested(self, field: Field) -> Callable[[int], bool]:
        """Return how one sees that sources differ about a field that has one value."""
        if field.inverse or (field.many and not field.unique_language):
            return lambda number: False
        column = self.column(field.path)
        contested: Any = column.contested if isinstance(column, OneColumn) else None

        def differs(number: int) -> bool:
            if contested is not None and number not in contested:
                return False
            answers: dict[str, int] = {}
            for value, graph in column.pairs(number):
                language = self.languages[value >> SHIFT]
                if graph != SYSTEM and answers.setdefault(language, value) != value:
                    return True
            return False

        return differs

    def _label_column(self, number: int) -> Column:
        path = self.model.label_paths.get(self.snapshot.class_of(number) or "")
        return EMPTY if path is None else self.column(path)

    def _by_language(self, column: Column, number: int) -> Sequence[int]:
        if isinstance(column, OneColumn):
            value = column.value(number)
            return () if value == NIL else (value,)
        page = column.pages.get(number >> SHIFT)
        if page is None:
            return ()
        start, end = page.offsets[number & MASK], page.offsets[(number & MASK) + 1]
        found = page.values[start:end]
        if end - start <= 1:
            return found
        best: dict[str, tuple[int, int]] = {}
        for value, graph in zip(found, page.graphs[start:end], strict=True):
            language, rank = self.languages[value >> SHIFT], self.ranks[graph]
            if language not in best or rank < best[language][0]:
                best[language] = rank, value
        return [value for _, value in best.values()]


def is_text(field: Field) -> bool:
    """Tell whether a field holds text, one in each language."""
    return field.kind is FieldKind.TEXT and field.unique_language


def label_field(class_iri: str) -> Field:
    """Return the name for people as if it were a field of a class."""
    return _field("label", class_iri, FieldKind.TEXT, None)


def part_field(date: Field, part: str) -> Field:
    """Return one part of a date as if it were a field of its class."""
    datatype = f"{XSD}string" if part == "text" else f"{XSD}date"
    return _field(f"{date.name}.{part}", date.owner, FieldKind.LITERAL, datatype)


def _field(name: str, owner: str, kind: FieldKind, datatype: str | None) -> Field:
    return Field(
        name=name,
        owner=owner,
        path="",
        inverse=False,
        kind=kind,
        datatype=datatype,
        target=None,
        scheme=None,
        enum_name=None,
        enum_values=(),
        min_count=0,
        max_count=1,
        labels={},
        comments={},
        order=0,
        unique_language=kind is FieldKind.TEXT,
    )
