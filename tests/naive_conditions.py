"""The oracle of conditions: which nodes fit.

It reads the dataset through the oracle of fields alone, and asks each condition of each node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from graph.model import Field, FieldKind, Model
from graph.terms import XSD, Quad, read_literal
from schema.collation import fold

NEGATIVE = ("ne", "notIn")


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def compare(name: str, found: Any, wanted: Any) -> bool:
    """Whether a known value meets one operator."""
    if name in ("startsWith", "contains"):
        text, part = fold(str(found)), fold(wanted)
        return text.startswith(part) if name == "startsWith" else part in text
    if isinstance(found, Decimal) and not isinstance(wanted, list | tuple):
        wanted = Decimal(repr(wanted))
    elif isinstance(found, Decimal):
        wanted = [Decimal(repr(each)) for each in wanted]
    met: dict[str, Callable[[], bool]] = {
        "eq": lambda: bool(found == wanted),
        "ne": lambda: bool(found != wanted),
        "in": lambda: found in as_list(wanted),
        "notIn": lambda: found not in as_list(wanted),
        "gt": lambda: bool(found > wanted),
        "gte": lambda: bool(found >= wanted),
        "lt": lambda: bool(found < wanted),
        "lte": lambda: bool(found <= wanted),
    }
    return met[name]()


@dataclass
class Entity:
    """A node under its static class, if it has one."""

    term: str
    static: str | None = None


class Fields(Protocol):
    """The oracle of fields, as far as lists ask it."""

    model: Model

    @property
    def order_of_languages(self) -> list[str]: ...
    def stated(self, term: str, predicate: str) -> list[Quad]: ...
    def nodes(self, term: str, field_: Field) -> list[str]: ...
    def scalar(self, field_: Field, value: str) -> Any: ...
    def date(self, term: str, field_: Field) -> Any: ...
    def text(self, term: str, path: str, unique: bool, lang: list[str] | None) -> Any: ...
    def label(self, term: str, arguments: dict[str, Any]) -> str | None: ...
    def label_path(self, term: str) -> str | None: ...
    def class_of(self, term: str) -> str: ...
    def is_a(self, term: str, iri: str) -> bool: ...
    def types(self, term: str) -> set[str]: ...
    def claims(
        self, term: str, fields: list[str] | None = None, contested: bool | None = None
    ) -> list[dict[str, Any]]: ...


class NaiveConditions:
    """Conditions over the oracle of fields."""

    def __init__(self, naive: Fields) -> None:
        self.naive = naive
        self.model = naive.model

    def certainty(self, term: str, iri: str, day: str) -> str | None:
        raise NotImplementedError  # stands in the oracle of time

    # --- conditions -----------------------------------------------------------------------

    def fits(self, term: str, iri: str, where: Any) -> bool:
        return all(self.holds(term, iri, name, below) for name, below in (where or {}).items())

    def holds(self, term: str, iri: str, name: str, below: Any) -> bool:
        if name == "and":
            return all(self.fits(term, iri, each) for each in as_list(below))
        if name == "or":
            return any(self.fits(term, iri, each) for each in as_list(below))
        if name == "not":
            return not self.fits(term, iri, below)
        if name == "isNull":
            return not below
        if name == "id":
            return all(compare(op, term[1:-1], wanted) for op, wanted in below.items())
        if name == "label":
            return self.texts_fit(self.label_texts(term), below)
        if name == "types":
            return any(
                self.naive.is_a(term, self.model.by_name[each].iri) for each in as_list(below)
            )
        if name == "contested":
            claims = self.naive.claims(term, [*as_list(below)] or None, True)
            return bool([c for c in claims if c["field"] in self.model.fields[iri]])
        if name == "asOf" and name not in self.model.fields[iri]:
            return self.certainty(term, iri, below) is not None
        field = self.model.fields[iri][name]
        if field.kind is FieldKind.DATE:
            return self.date_fits(self.naive.date(term, field), below)
        if field.kind is FieldKind.TEXT and field.unique_language:
            return self.texts_fit(self.answering(term, field.path), below)
        values = self.values(term, field)
        if field.many and field.kind is FieldKind.ENTITY:
            return self.list_fits(str(field.target), values, below)
        if field.many:
            return all(
                self.quantified(field, values, quantifier, inner)
                for quantifier, inner in (below or {"some": {}}).items()
            )
        if field.kind is FieldKind.ENTITY and values:
            return self.fits(values[0], str(field.target), below)
        if field.kind is FieldKind.ENTITY:
            return self.admits_unknown(below)
        return self.value_fits(field, values[0] if values else None, below)

    def list_fits(self, iri: str, terms: list[str], below: Any) -> bool:
        """Whether a list of nodes meets quantifiers and measures."""
        below = dict(below)
        within = below.pop("where", None)
        if within is not None:
            terms = [term for term in terms if self.fits(term, iri, within)]
        for name, inner in (below or {"some": {}}).items():
            if name == "count":
                met = self.count_fits(len(terms), inner)
            elif name in ("some", "every", "none"):
                met = self.quantify(name, [self.fits(term, iri, inner) for term in terms])
            else:
                met = self.measure_fits(terms, iri, name, inner)
            if not met:
                return False
        return True

    def measure_fits(self, terms: list[str], iri: str, name: str, below: Any) -> bool:
        raise NotImplementedError("the oracle of aggregates does this")

    def count_fits(self, count: int, below: Any) -> bool:
        return all(
            not wanted if op == "isNull" else compare(op, count, wanted)
            for op, wanted in below.items()
        )

    def compared(self, operator: str, found: Any, wanted: Any) -> bool:
        return compare(operator, found, wanted)

    def quantify(self, name: str, found: list[bool]) -> bool:
        return {"some": any(found), "every": all(found), "none": not any(found)}[name]

    def quantified(self, field: Field, values: list[str], name: str, below: Any) -> bool:
        if name == "count":
            return self.count_fits(len(values), below)
        lang = below.get("lang")
        if lang is not None:
            values = [v for v in values if self.in_language(read_literal(v)[2] or "", lang)]
        return self.quantify(name, [self.value_fits(field, value, below) for value in values])

    def values(self, term: str, field: Field) -> list[str]:
        """The values that answer: of a list all, else the one of the best source."""
        if field.many:
            return self.naive.nodes(term, field)
        return [q[2] for q in self.naive.stated(term, field.path)[:1]]

    def exact(self, field: Field, value: str) -> Any:
        """A value as conditions compare it: of a decimal all digits."""
        if field.datatype == f"{XSD}decimal":
            return Decimal(read_literal(value)[0])
        return self.naive.scalar(field, value)

    def value_fits(self, field: Field, value: str | None, below: Any) -> bool:
        for name, wanted in below.items():
            if name == "lang":
                continue
            if name == "isNull":
                if (value is None) is not wanted:
                    return False
            elif value is None or not compare(name, self.exact_text(field, value), wanted):
                return False
        return True

    def exact_text(self, field: Field, value: str) -> Any:
        return read_literal(value)[0] if field.kind is FieldKind.TEXT else self.exact(field, value)

    def texts_fit(self, texts: list[tuple[str, str]], below: Any) -> bool:
        lang = below.get("lang")
        found = [text for text, tag in texts if lang is None or self.in_language(tag, lang)]
        for name, wanted in below.items():
            if name == "lang":
                continue
            if name == "isNull":
                if (not found) is not wanted:
                    return False
                continue
            met = [compare(name, text, wanted) for text in found]
            if not found or not (all(met) if name in NEGATIVE else any(met)):
                return False
        return bool(found) or "isNull" in below

    def in_language(self, tag: str, ranges: Any) -> bool:
        return any(
            tag == each.lower() or tag.startswith(f"{each.lower()}-") for each in as_list(ranges)
        )

    def answering(self, term: str, path: str) -> list[tuple[str, str]]:
        """The texts that answer, one a language, with their languages."""
        best: dict[str, str] = {}
        for quad in self.naive.stated(term, path):
            text, _, tag = read_literal(quad[2])
            best.setdefault(tag or "", text)
        return [(text, tag) for tag, text in best.items()]

    def label_texts(self, term: str) -> list[tuple[str, str]]:
        path = self.naive.label_path(term)
        return [] if path is None else self.answering(term, path)

    def date_fits(self, date: Any, below: Any) -> bool:
        for name, inner in below.items():
            if name == "isNull":
                if (date is None) is not inner:
                    return False
                continue
            value = None if date is None else date[name]
            for operator, wanted in inner.items():
                if date is None or (operator == "isNull" and (value is None) is not wanted):
                    return False
                if operator != "isNull" and (value is None or not compare(operator, value, wanted)):
                    return False
        return True

    def admits_unknown(self, where: Any) -> bool:
        found = [
            below is True
            if name == "isNull"
            else all(self.admits_unknown(each) for each in as_list(below))
            if name == "and"
            else any(self.admits_unknown(each) for each in as_list(below))
            if name == "or"
            else False
            for name, below in where.items()
        ]
        return bool(found) and all(found)
