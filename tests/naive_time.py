"""The oracle of validity, completeness and translations, over the oracle of fields."""

from __future__ import annotations

from typing import Any

from graph.model import FieldKind
from graph.terms import read_literal
from schema.validity import bounds_of
from tests.naive_conditions import NaiveConditions, as_list


class NaiveTime(NaiveConditions):
    """What is valid on a day, and what is known of a node."""

    def bound(self, term: str, iri: str, route: tuple[str, ...]) -> tuple[str | None, str | None]:
        field = self.model.fields[iri][route[0]]
        if len(route) > 1:
            values = self.values(term, field)
            return self.bound(values[0], str(field.target), route[1:]) if values else (None, None)
        date = self.naive.date(term, field) or {}
        return date.get("earliest"), date.get("latest")

    def certainty(self, term: str, iri: str, day: str) -> str | None:
        bounds = bounds_of(self.model, iri)
        assert bounds is not None
        (begun_first, begun_last), (ended_first, ended_last) = (
            self.bound(term, iri, route) for route in bounds
        )
        if (begun_first and begun_first > day) or (ended_last and ended_last < day):
            return None
        known = begun_last and begun_last <= day and ended_first and ended_first >= day
        return "CERTAIN" if known else "POSSIBLE"

    def translations(self, term: str, fields: Any = None, lang: Any = None) -> list[dict[str, Any]]:
        order = self.naive.order_of_languages

        def place(pair: tuple[str, str]) -> tuple[Any, ...]:
            near = [pair[1], pair[1].split("-")[0]]
            found = next((order.index(tag) for tag in near if tag in order), len(order))
            return found, pair[1], pair[0]

        records = []
        for field in self.model.fields[self.naive.class_of(term)].values():
            if field.kind is not FieldKind.TEXT or (
                fields is not None and field.name not in fields
            ):
                continue
            texts = self.answering(term, field.path)
            if not field.unique_language:
                found = [read_literal(value) for value in self.values(term, field)]
                texts = [(text, tag or "") for text, _, tag in found]
            records += [
                {"field": field.name, "language": tag, "text": text}
                for text, tag in sorted(texts, key=place)
                if lang is None or self.in_language(tag, as_list(lang))
            ]
        return records

    def completeness(self, term: str) -> dict[str, Any]:
        iri = self.naive.class_of(term)
        targets = self.model.ancestors[iri]
        known: list[str] = []
        missing: list[str] = []
        for field in self.model.fields[iri].values():
            expected = [
                c
                for c in self.model.constraints
                if c.component == "minCount"
                and c.target in targets
                and c.path in field.predicates
                and c.inverse == field.inverse
            ]
            if not expected:
                continue
            has_value = any(self.naive.nodes(term, field)) or any(
                self.naive.stated(term, path) for path in field.predicates if not field.inverse
            )
            (known if has_value else missing).append(field.name)
        count = len(known) + len(missing)
        return {"share": len(known) / count if count else 1.0, "known": known, "missing": missing}
