"""The oracle of lists: in which order nodes that fit stand, and which are on a page."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

from graph.model import FieldKind
from graph.terms import XSD, read_literal
from schema.collation import LENGTH, collation_key
from schema.cursors import make_mark
from tests.naive_aggregates import NaiveAggregates
from tests.naive_conditions import Entity, as_list
from tests.naive_time import NaiveTime


class NaiveLists(NaiveAggregates, NaiveTime):
    """Conditions, orders and pages over the oracle of fields."""

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
            return self.of_list(self.naive.nodes(term, field), str(field.target), below)
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
            cut = values[0][1:-1][:LENGTH]
            return cut, cut, below
        text = read_literal(values[0])[0]
        if field.kind is FieldKind.ENUM:
            return text, field.enum_values.index(text), below
        if field.datatype == f"{XSD}string":
            return self.of_text(text, below)
        if field.datatype == f"{XSD}anyURI":
            return text[:LENGTH], text[:LENGTH], below
        found = self.exact(field, values[0])
        return text, found, below

    def of_list(self, terms: list[str], iri: str, asked: Any) -> tuple[Any, Any, str]:
        ((name, below),) = asked.items()
        if name == "count":
            return len(terms), len(terms), below
        ((key, direction),) = below.items()
        field = self.model.fields[iri][key]
        found = self.measure(terms, field, name)
        if found is None:
            return None, None, direction
        if name in ("sum", "average") or not isinstance(found, Fraction):
            return str(found), found, direction
        texts = self.known(terms, field, name)
        return next(text for text in texts if Fraction(text) == found), found, direction

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
        keys = [self.raw(term, iri, each)[0] for each in asked]
        text = json.dumps([*keys, term[1:-1]], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(f"2:{mark}:{text}".encode()).decode()

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
        asOf: str | None = None,
    ) -> dict[str, Any]:
        asked = [] if orderBy is None else as_list(orderBy)
        sure = {t: self.certainty(t, iri, asOf) for t in terms} if asOf is not None else {}
        valid = [term for term in terms if asOf is None or sure[term] is not None]
        fitting = self.ordered([t for t in valid if self.fits(t, iri, where)], iri, asked)
        languages = self.naive.order_of_languages if asked else ()
        is_plain = not where and not asked and asOf is None
        parts = [iri] if is_plain else [iri, where or None, asked, languages, asOf]
        mark = make_mark(*parts)
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
            "aggregates": lambda info: self.aggregates(fitting, iri),
            "groups": lambda info, **arguments: self.groups(fitting, iri, **arguments),
            "groupCount": lambda info, **arguments: self.group_count(fitting, iri, **arguments),
            "nodes": nodes,
            "edges": [
                {"node": n, "cursor": c, "certainty": sure.get(n.term)}
                for n, c in zip(nodes, shown, strict=True)
            ],
            "pageInfo": {
                "hasNextPage": end < len(fitting),
                "hasPreviousPage": start > 0,
                "startCursor": shown[0] if shown else None,
                "endCursor": shown[-1] if shown else None,
            },
        }
