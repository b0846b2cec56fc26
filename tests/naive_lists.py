"""The oracle of lists: which nodes fit, in which order, and which are on a page.

It reads the dataset through the oracle of fields alone, and asks each condition of each node.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from decimal import Decimal
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from graph.model import Field, FieldKind
from graph.terms import XSD, read_literal
from schema.collation import LENGTH, collation_key, fold
from schema.cursors import make_mark

if TYPE_CHECKING:
    from tests.naive import Naive

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
    return bool(
        {
            "eq": lambda: found == wanted,
            "ne": lambda: found != wanted,
            "in": lambda: found in as_list(wanted),
            "notIn": lambda: found not in as_list(wanted),
            "gt": lambda: found > wanted,
            "gte": lambda: found >= wanted,
            "lt": lambda: found < wanted,
            "lte": lambda: found <= wanted,
        }[name]()
    )


class NaiveLists:
    """Conditions, orders and pages over the oracle of fields."""

    def __init__(self, naive: Naive) -> None:
        self.naive = naive
        self.model = naive.model

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
        if name == "contested":
            claims = self.naive.claims(term, [*as_list(below)] or None, True)
            return bool([c for c in claims if c["field"] in self.model.fields[iri]])
        field = self.model.fields[iri][name]
        if field.kind is FieldKind.DATE:
            return self.date_fits(self.naive.date(term, field), below)
        if field.kind is FieldKind.TEXT and field.unique_language:
            return self.texts_fit(self.answering(term, field.path), below)
        values = self.values(term, field)
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

    def quantified(self, field: Field, values: list[str], name: str, below: Any) -> bool:
        if name == "count":
            return all(
                not wanted if op == "isNull" else compare(op, len(values), wanted)
                for op, wanted in below.items()
            )
        lang = below.get("lang") if field.kind is not FieldKind.ENTITY else None
        if lang is not None:
            values = [v for v in values if self.in_language(read_literal(v)[2] or "", lang)]
        if field.kind is FieldKind.ENTITY:
            found = [self.fits(value, str(field.target), below) for value in values]
        else:
            found = [self.value_fits(field, value, below) for value in values]
        return {"some": any(found), "every": all(found), "none": not any(found)}[name]

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

    # --- orders -----------------------------------------------------------------------------

    def raw(self, term: str, iri: str, asked: Any) -> tuple[Any, Any, str]:
        """What a cursor holds of a key, what is compared, and the direction."""
        ((name, below),) = asked.items()
        if name == "id":
            return term[1:-1], term[1:-1], below
        if name == "label":
            text = self.naive.label(term, {})
            return self.of_text(text, below)
        field = self.model.fields[iri][name]
        if field.listed:
            ((_, direction),) = below.items()
            count = len(self.naive.nodes(term, field))
            return count, count, direction
        if field.kind is FieldKind.DATE:
            ((part, direction),) = below.items()
            value = (self.naive.date(term, field) or {}).get(part)
            return value, value, direction
        if field.kind is FieldKind.TEXT:
            return self.of_text(self.naive.text(term, field.path, True, None), below)
        values = self.values(term, field)
        if field.kind is FieldKind.ENTITY:
            if values:
                return self.raw(values[0], str(field.target), below)
            return None, None, self.direction(below)
        if not values:
            return None, None, below
        if field.kind is FieldKind.IRI:
            return values[0][1:-1], values[0][1:-1], below
        text = read_literal(values[0])[0]
        if field.kind is FieldKind.ENUM:
            return text, field.enum_values.index(text), below
        if field.datatype == f"{XSD}string":
            return self.of_text(text, below)
        found = self.exact(field, values[0])
        return text, found, below

    def of_text(self, text: str | None, direction: str) -> tuple[Any, Any, str]:
        cut = None if text is None else text[:LENGTH]
        return cut, None if cut is None else collation_key(cut), direction

    def direction(self, below: Any) -> str:
        while not isinstance(below, str):
            ((_, below),) = below.items()
        return below

    def ordered(self, terms: list[str], iri: str, asked: list[Any]) -> list[str]:
        keys = {term: [self.raw(term, iri, each) for each in asked] for term in terms}

        def place(one: str, other: str) -> int:
            for (_, a, direction), (_, b, _) in zip(keys[one], keys[other], strict=True):
                if a == b:
                    continue
                if a is None or b is None:
                    return -1 if (a is None) == direction.endswith("NULLS_FIRST") else 1
                return -1 if (a < b) != direction.startswith("DESC") else 1
            return 0

        return sorted(terms, key=cmp_to_key(place))

    # --- pages ------------------------------------------------------------------------------

    def cursor(self, term: str, iri: str, mark: str, asked: list[Any]) -> str:
        held = f"1:{term[1:-1]}"
        if mark:
            keys = [self.raw(term, iri, each)[0] for each in asked]
            text = json.dumps([*keys, term[1:-1]], ensure_ascii=False, separators=(",", ":"))
            held = f"2:{mark}:{text}"
        return base64.urlsafe_b64encode(held.encode()).decode()

    def connection(
        self,
        terms: Iterable[str],
        iri: str,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        where: Any = None,
        orderBy: Any = None,
    ) -> dict[str, Any]:
        from tests.naive import Entity

        asked = [] if orderBy is None else as_list(orderBy)
        fitting = self.ordered([t for t in terms if self.fits(t, iri, where)], iri, asked)
        languages = self.naive.order_of_languages if asked else ()
        mark = make_mark(iri, where or None, tuple(asked), languages) if where or asked else ""
        cursors = [self.cursor(term, iri, mark, asked) for term in fitting]
        start = cursors.index(after) + 1 if after else 0
        end = cursors.index(before) if before else len(fitting)
        if last is not None:
            start = max(start, end - last)
        else:
            end = min(end, start + (50 if first is None else first))
        end = max(start, end)
        nodes = [Entity(term, iri) for term in fitting[start:end]]
        shown = cursors[start:end]
        return {
            "totalCount": len(fitting),
            "nodes": nodes,
            "edges": [{"node": n, "cursor": c} for n, c in zip(nodes, shown, strict=True)],
            "pageInfo": {
                "hasNextPage": end < len(fitting),
                "hasPreviousPage": start > 0,
                "startCursor": shown[0] if shown else None,
                "endCursor": shown[-1] if shown else None,
            },
        }
