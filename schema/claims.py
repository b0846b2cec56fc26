"""Who says what: the sources of a node, and every value of its fields with its source.

Floor 4. What is answered here counts among the nodes that an operation may produce.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from graph.model import Field, FieldKind
from graph.store.columns import EMPTY
from graph.store.snapshot import SYSTEM, Snapshot
from graph.store.term_table import NIL, SHIFT
from schema.completeness import Completeness, completeness_of
from schema.languages import LanguageOrder, is_in_ranges
from schema.values import Values


class ClaimRecord(NamedTuple):
    """One claim, nodes as numbers."""

    field: str
    property: str
    value: str
    language: str | None
    node: int
    source: int
    answers: bool
    contested: bool


class Translation(NamedTuple):
    """One text of one field in one language."""

    field: str
    language: str
    text: str


class Witness:
    """Reads sources and claims; `count` is told of the nodes answered, and where."""

    def __init__(
        self,
        snapshot: Snapshot,
        type_of: Callable[[int], str | None],
        count: Callable[[int, str], None],
    ) -> None:
        self.snapshot = snapshot
        self.type_of = type_of
        self.count = count
        self.languages = snapshot.terms.languages
        self.ranks = snapshot.graphs_table.ranks

    def sources(self, number: int) -> list[int]:
        """Return the sources that state something of a node, the best ranked first."""
        graphs = {g for column in self.snapshot.forward.values() for _, g in column.pairs(number)}
        found = sorted(graphs - {SYSTEM}, key=self.ranks.__getitem__)
        self.count(len(found), "statedBy")
        return [self._source(graph) for graph in found]

    def claims(
        self, number: int, names: frozenset[str] | None, contested: bool | None
    ) -> list[ClaimRecord]:
        """Return every value of a node's fields with its source."""
        found = self.snapshot.class_of(number)
        fields = {} if found is None else self.snapshot.model.fields[found]
        records = [
            record
            for field in fields.values()
            if field.exposure == "public"
            if not field.inverse and (names is None or field.name in names)
            for record in self._field_claims(number, field)
            if contested is None or record.contested == contested
        ]
        self.count(len(records), "claims")
        return records

    def translations(
        self,
        number: int,
        names: frozenset[str] | None,
        ranges: Sequence[str] | None,
        order: LanguageOrder,
    ) -> list[Translation]:
        """Return the texts of a node in every language, by field, the reader's languages first.

        Of a field with one text a language, the text is that with which it answers.
        """
        found = self.snapshot.class_of(number)
        values, records = Values(self.snapshot), []
        for field in () if found is None else self.snapshot.model.fields[found].values():
            if field.kind is not FieldKind.TEXT or field.exposure != "public":
                continue
            if names is not None and field.name not in names:
                continue
            read = values.by_language(field) if field.unique_language else values.many(field)
            text = self.snapshot.answer_text
            texts = [(self.languages[value >> SHIFT], text(value)) for value in read(number)]
            texts.sort(key=lambda pair: (order[pair[0]], pair[1]))
            records += [
                Translation(field.name, language, text)
                for language, text in texts
                if ranges is None or is_in_ranges(language, ranges)
            ]
        self.count(len(records), "translations")
        return records

    def completeness(self, number: int) -> Completeness:
        """Return how much of what the shapes expect of a node is known."""
        return completeness_of(self.snapshot, number)

    def _field_claims(self, number: int, field: Field) -> list[ClaimRecord]:
        terms, text = self.snapshot.terms, self.snapshot.answer_text
        column = self.snapshot.forward.get(field.path, EMPTY)
        pairs = [pair for pair in column.pairs(number) if pair[1] != SYSTEM]
        pairs.sort(key=lambda pair: (self.ranks[pair[1]], terms.term(pair[0])))
        answering: dict[str, int] = {}
        values: dict[str, set[int]] = {}
        records: list[ClaimRecord] = []
        for value, _ in pairs:  # one answer a language, or one in all
            language = self.languages[value >> SHIFT]
            answering.setdefault(language, value)
            values.setdefault(language, set()).add(value)
        single = not field.many or field.unique_language
        for value, graph in pairs:
            language = self.languages[value >> SHIFT]
            records.append(
                ClaimRecord(
                    field.name,
                    field.path,
                    text(value),
                    language or None,
                    value if field.kind is FieldKind.ENTITY and self.type_of(value) else NIL,
                    self._source(graph),
                    not single or answering[language] == value,
                    single and len(values[language]) > 1,
                )
            )
        return records

    def _source(self, graph: int) -> int:
        return self.snapshot.terms.find(self.snapshot.graphs_table.terms[graph]) or NIL
