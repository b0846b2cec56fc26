"""Reads an entity off a snapshot for its page: facts with sources, ties, what is not known.

Floor 5. Nothing here knows of requests. What is read is bounded: of each field so many values as
one page of it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from graph.model import CONCEPT, Field, FieldKind, Labels
from graph.store.columns import EMPTY
from graph.store.snapshot import SYSTEM, Snapshot
from graph.store.term_table import NIL, SHIFT
from graph.terms import RZ, XSD
from schema.completeness import completeness_of, expected_fields
from schema.naming import public_fields
from web.entity import (
    GROUPS,
    Detail,
    EntityView,
    Facts,
    Shown,
    SourceEntry,
    SourceMark,
    Text,
    page_of,
    short_name,
)
from web.entity_names import EVIDENCE, FIGURE, NUMBERS, STATUS, WEB, EntityNames
from web.texts_values import value_word

#: Fields of a tie, or of evidence, that are told beside it, and values of each.
_DETAILS: Final = 8
_DETAIL_VALUES: Final = 3
#: Longer texts of a detail are cut: they stand whole on the page of their own.
_DETAIL_CHARACTERS: Final = 280


class EntityReader:
    """Reads one entity for its page, in a language.

    `values_max` bounds the values of each field; `only` names the one field to show, from the
    value at `start` (counted from 0); without it all fields are shown from their first.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        languages: tuple[str, ...],
        values_max: int,
        only: str = "",
        start: int = 0,
    ) -> None:
        self.snapshot = snapshot
        self.model = snapshot.model
        self.names = EntityNames(snapshot, languages)
        self.language = languages[0]
        self.values_max = values_max
        self.only, self.start = only, start
        self.order, self.values = self.names.order, self.names.values
        self.ranks = snapshot.graphs_table.ranks
        self._sources: dict[int, SourceMark] = {}

    def read(self, iri: str) -> EntityView:
        """Return what is shown of a node that `is_known`."""
        number = self.snapshot.number_of(f"<{iri}>")
        assert number is not None
        class_iri = self.snapshot.class_of(number)
        fields = [] if class_iri is None else public_fields(self.model, class_iri)
        fields = sorted(fields, key=lambda each: (each.order, each.name))
        groups: dict[str, list[Facts]] = {name: [] for name in GROUPS}
        for each in fields:
            if (facts := self._facts(number, each)) is not None:
                groups[_group(each)].append(facts)
        groups["others"] += self._others(number, fields)
        found = {name: each for name, each in groups.items() if each}
        complete = completeness_of(self.snapshot, number)
        named = {} if class_iri is None else self.model.fields[class_iri]
        expected = 0 if class_iri is None else len(expected_fields(self.model, class_iri))
        shape = None if class_iri is None else self.model.classes[class_iri]
        return EntityView(
            iri=iri,
            title=self.names.name(number),
            class_label="" if shape is None else self.names.say(shape.labels),
            class_name="" if shape is None else shape.iri,
            description=self._description(number, fields),
            groups=found,
            differing=[facts for each in found.values() for facts in each if facts.differs],
            missing=[self.names.say(named[name].labels) for name in complete.missing],
            expected=expected,
            sources=[self._entry(graph, mark) for graph, mark in self._sources.items()],
            statements=self.snapshot.graph_count(f"<{iri}>"),
        )

    # --- fields -----------------------------------------------------------------------------

    def _facts(self, number: int, each: Field) -> Facts | None:
        if self.only and each.name != self.only:
            return None
        if each.inverse:
            return self._incoming(number, each.name, each.path, each.labels, each.comments)
        rows = self._rows(number, each)
        total = len(rows)
        if not total:
            return None
        start = self.start if self.only else 0
        single = not each.many or each.unique_language
        differs = single and any(not answers for _, _, answers in rows)
        shown = [
            self._shown(number, each, value, graphs, answers=answers)
            for value, graphs, answers in rows[start : start + self.values_max]
        ]
        return Facts(
            each.name,
            self.names.say(each.labels),
            self.names.say(each.comments),
            each.path,
            tuple(shown),
            total,
            start + 1,
            differs,
        )

    def _rows(self, number: int, each: Field) -> list[tuple[int, list[int], bool]]:
        """Return the distinct values of a field, each with its graphs and whether it answers."""
        column = self.snapshot.forward.get(each.path, EMPTY)
        graphs: dict[int, list[int]] = {}
        for value, graph in column.pairs(number):
            graphs.setdefault(value, []).append(graph)
        languages, term = self.snapshot.terms.languages, self.snapshot.terms.term

        def best(value: int) -> int:
            return min(self.ranks[graph] for graph in graphs[value])

        answering: dict[str, int] = {}
        if not each.many or each.unique_language:
            for value in sorted(graphs, key=lambda v: (best(v), term(v))):
                answering.setdefault(languages[value >> SHIFT], value)
        rows = []
        for value, stated in graphs.items():
            tag = languages[value >> SHIFT]
            answers = answering.get(tag, value) == value
            key = (self.order[tag], not answers, best(value) if answering else 0, term(value))
            rows.append((key, (value, sorted(stated, key=self.ranks.__getitem__), answers)))
        return [row for _, row in sorted(rows, key=lambda pair: pair[0])]

    def _shown(
        self, number: int, each: Field, value: int, graphs: Sequence[int], *, answers: bool
    ) -> Shown:
        marks = self._marks(graphs)
        if each.kind is FieldKind.ENTITY:
            texts = (self.names.name(value, linked=True),)
            details = () if not self._is_evidenced(value) else self._details(value, number)
            return Shown(texts, marks, answers, details=details)
        note = self._span(number, each, graphs[0]) if each.kind is FieldKind.DATE else ""
        return Shown((self._literal(each, value),), marks, answers, note)

    def _literal(self, each: Field, value: int) -> Text:
        """Return a value that is no node of ours: text, number, enum, or a link to elsewhere."""
        terms = self.snapshot.terms
        text = terms.text(value)
        if each.kind is FieldKind.ENUM:
            return Text(value_word(text, self.language) or text)
        if each.datatype in NUMBERS:
            return Text(self.names.number(text))
        tag = terms.languages[value >> SHIFT]
        is_link = each.kind is FieldKind.IRI or each.datatype == f"{XSD}anyURI"
        if is_link and text.startswith(WEB):
            return Text(text, "", text, True)
        return Text(text, "" if tag == self.language else tag)

    def _span(self, number: int, each: Field, graph: int) -> str:
        """Return which days a date can mean, where that is more than its text says."""
        days = []
        for part in ("earliest", "latest"):
            column = self.snapshot.forward.get(each.parts[part], EMPTY)
            found = next((v for v, g in column.pairs(number) if g == graph), NIL)
            days.append("" if found == NIL else self.values.text(found))
        first, last = days
        return f"{first} – {last}" if first and last and first != last else ""

    # --- what refers to the entity ------------------------------------------------------------

    def _incoming(
        self, number: int, key: str, predicate: str, labels: Labels, comments: Labels
    ) -> Facts | None:
        subjects = self.snapshot.inverse.get(predicate, EMPTY).values(number)
        if not len(subjects):
            return None
        start = self.start if self.only else 0
        shown = []
        for subject in subjects[start : start + self.values_max]:
            column = self.snapshot.forward[predicate]
            graphs = {graph for value, graph in column.pairs(subject) if value == number}
            marks = self._marks(sorted(graphs, key=self.ranks.__getitem__))
            others = self._participants(subject, number)
            texts = tuple(others) or (self.names.name(subject, linked=True),)
            shown.append(Shown(texts, marks, details=self._details(subject, number)))
        label, description = self.names.say(labels), self.names.say(comments)
        total = len(subjects)
        return Facts(key, label, description, predicate, tuple(shown), total, start + 1, False)

    def _others(self, number: int, fields: Sequence[Field]) -> Iterator[Facts]:
        """Yield what refers to the entity by predicates that none of its fields reads."""
        known = {each.path for each in fields if each.inverse}
        page = number >> SHIFT
        for predicate, column in sorted(self.snapshot.inverse.items()):
            if page in column.pages and predicate not in known and column.count(number):
                key = f"of-{short_name(predicate)}"
                if self.only in ("", key):
                    labels = self.model.labels.get(predicate, {"": short_name(predicate)})
                    facts = self._incoming(number, key, predicate, labels, {})
                    if facts is not None:
                        yield facts

    def _participants(self, tie: int, here: int) -> list[Text]:
        """Return the entities that identify a tie, the one whose page this is left out."""
        class_iri = self.snapshot.class_of(tie)
        shape = None if class_iri is None else self.model.classes[class_iri]
        if shape is None or not shape.relation:
            return []
        found = []
        for path in shape.identity:
            if (other := self.names.one(path, tie)) != NIL and other != here:
                is_node = self.snapshot.terms.kinds[other >> SHIFT][0] == "iri"
                if is_node and not self.snapshot.is_a(other, CONCEPT):
                    found.append(self.names.name(other, linked=True))
        return found

    def _details(self, node: int, here: int) -> tuple[Detail, ...]:
        """Return what is told of a tie beside whom it ties: role, dates, status, evidence."""
        class_iri = self.snapshot.class_of(node)
        if class_iri is None:
            return ()
        shape = self.model.classes[class_iri]
        named = {self.model.label_paths.get(class_iri)}
        named.update(p for p in shape.identity if not self._is_concept_path(p, node))
        if class_iri not in self.model.label_paths and not shape.relation:
            named.update(each.path for each in self.names.naming_fields(class_iri))
        details: list[Detail] = []
        for each in self.names.forward(class_iri):
            if each.path in named or len(details) == _DETAILS:
                continue
            is_evidence = each.path == EVIDENCE
            rows = self._rows(node, each)[: 1 if each.kind is FieldKind.TEXT else _DETAIL_VALUES]
            texts = [self._detail(each, value) for value, _, _ in rows if value != here]
            if texts:
                details.append(Detail(self.names.say(each.labels), tuple(texts), is_evidence))
        if shape.relation:
            iri = self.snapshot.terms.text(node)
            details.append(Detail("", (Text(self.names.say(shape.labels), "", page_of(iri)),)))
        return tuple(sorted(details, key=lambda detail: detail.is_folded))

    def _detail(self, each: Field, value: int) -> Text:
        if each.kind is FieldKind.ENTITY:
            return self.names.name(value, linked=True)
        found = self._literal(each, value)
        if len(found.text) <= _DETAIL_CHARACTERS or found.href:
            return found
        return Text(found.text[:_DETAIL_CHARACTERS].rsplit(" ", 1)[0] + " …", found.language)

    def _is_concept_path(self, path: str, node: int) -> bool:
        value = self.names.one(path, node)
        return value != NIL and self.snapshot.is_a(value, CONCEPT)

    def _is_evidenced(self, node: int) -> bool:
        """Whether a value is no more than what is told of it: evidence, a figure, a tie."""
        class_iri = self.snapshot.class_of(node)
        return class_iri is not None and class_iri not in self.model.label_paths

    # --- names and sources --------------------------------------------------------------------

    def _description(self, number: int, fields: Sequence[Field]) -> Text | None:
        each = next((f for f in fields if f.name == "description"), None)
        value = NIL if each is None else self.values.best(each, self.order)(number)
        if each is None or value == NIL:
            return None
        return self._literal(each, value)

    def _marks(self, graphs: Sequence[int]) -> tuple[SourceMark, ...]:
        """Return the marks of sources, each numbered at its first mention; none for the system."""
        found = []
        for graph in dict.fromkeys(graphs):
            if graph == SYSTEM:
                continue
            if graph not in self._sources:
                title = self._title(graph)
                self._sources[graph] = SourceMark(len(self._sources) + 1, title)
            found.append(self._sources[graph])
        return tuple(found)

    def _title(self, graph: int) -> str:
        term = self.snapshot.graphs_table.terms[graph]
        number = self.snapshot.number_of(term)
        return short_name(term[1:-1]) if number is None else self.names.name(number).text

    def _entry(self, graph: int, mark: SourceMark) -> SourceEntry:
        term = self.snapshot.graphs_table.terms[graph]
        url = self._text_of(term, "https://schema.org/url")
        return SourceEntry(
            mark.number,
            mark.title,
            page_of(term[1:-1]),
            self._text_of(term, f"{RZ}publisherName"),
            url if url.startswith(WEB) else "",
            self._text_of(term, "http://purl.org/dc/terms/dateAccepted"),
        )

    def _text_of(self, node: str, path: str) -> str:
        number = self.snapshot.number_of(node)
        value = NIL if number is None else self.names.one(path, number)
        return "" if value == NIL else self.snapshot.terms.text(value)


def _group(each: Field) -> str:
    """Return under which heading a field stands."""
    if each.path in (STATUS, EVIDENCE):
        return "grounds"
    if each.target == FIGURE:
        return "figures"
    if each.inverse:
        return "ties"
    return "names" if each.kind is FieldKind.TEXT or each.name == "acronym" else "facts"
