"""The oracle of aggregates and groups: each measure and each group asked of each node anew."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

from graph.model import Field, FieldKind
from graph.terms import XSD, is_literal, read_literal
from schema.collation import LENGTH, collation_key
from schema.naming import enum_value_name, extreme_fields, number_fields, public_fields
from tests.naive_conditions import Entity, NaiveConditions, as_list

UNITS = {"DAY": 10, "MONTH": 7, "YEAR": 4, "DECADE": 3}
Key = tuple[str | None, str | None]


class NaiveAggregates(NaiveConditions):
    """Measures and groups over the oracle of conditions."""

    # --- measures ---------------------------------------------------------------------------

    def known(self, terms: list[str], field: Field, name: str) -> list[str]:
        """The texts of the known values, of a date the day that the measure looks at."""
        if field.kind is FieldKind.DATE:
            part = "earliest" if name == "min" else "latest"
            days = [(self.naive.date(term, field) or {}).get(part) for term in terms]
            return [day for day in days if day is not None]
        return [read_literal(value)[0] for term in terms for value in self.values(term, field)]

    def measure(self, terms: list[str], field: Field, name: str) -> Any:
        if name == "distinctCount":
            return len({value for term in terms for value in self.values(term, field)})
        found = self.known(terms, field, name)
        if not found:
            return None
        if name in ("sum", "average"):
            total = sum(map(Fraction, found), Fraction())
            return total / len(found) if name == "average" else total
        is_number = field.kind is not FieldKind.DATE and field.datatype != f"{XSD}date"
        values: list[Any] = [Fraction(text) for text in found] if is_number else found
        return min(values) if name == "min" else max(values)

    def answered(self, terms: list[str], field: Field, name: str) -> Any:
        found = self.measure(terms, field, name)
        if not isinstance(found, Fraction):
            return found
        whole = field.datatype in (f"{XSD}integer", f"{XSD}gYear")
        return int(found) if whole and name in ("min", "max") else float(found)

    def aggregates(self, terms: list[str], iri: str) -> dict[str, Any]:
        def of(name: str, fields: list[Field]) -> dict[str, Any]:
            return {field.name: self.answered(terms, field, name) for field in fields}

        every = public_fields(self.model, iri)
        return {
            "count": len(terms),
            "distinctCount": of(
                "distinctCount",
                [f for f in every if f.kind not in (FieldKind.TEXT, FieldKind.DATE)],
            ),
            **{n: of(n, number_fields(self.model, iri)) for n in ("sum", "average")},
            **{n: of(n, extreme_fields(self.model, iri)) for n in ("min", "max")},
        }

    def measure_fits(self, terms: list[str], iri: str, name: str, below: Any) -> bool:
        for key, operators in below.items():
            found = self.measure(terms, self.model.fields[iri][key], name)
            for operator, wanted in operators.items():
                if isinstance(found, Fraction):
                    wanted = self.exact_number(wanted)
                if operator == "isNull":
                    if (found is None) is not wanted:
                        return False
                elif found is None or not self.compared(operator, found, wanted):
                    return False
        return True

    def exact_number(self, wanted: Any) -> Any:
        if isinstance(wanted, list | tuple):
            return [self.exact_number(each) for each in wanted]
        return wanted if isinstance(wanted, bool) else Fraction(repr(wanted))

    # --- groups -----------------------------------------------------------------------------

    def shared(self, term: str, iri: str, asked: Any) -> list[Key]:
        """What a node has of a key: values, and the node that each is."""
        ((name, below),) = asked.items()
        if name == "id":
            return [(term[1:-1], term)]
        if name == "label":
            return [(self.cut(self.naive.label(term, {})), None)]
        if name == "types":
            names = [self.model.classes[each].name for each in self.naive.types(term)]
            return [(each, None) for each in names]
        field = self.model.fields[iri][name]
        if field.kind is FieldKind.DATE:
            day = (self.naive.date(term, field) or {}).get("earliest")
            return [self.day(day, below)]
        if field.kind is FieldKind.TEXT and field.unique_language:
            return [(self.cut(self.naive.text(term, field.path, True, None)), None)]
        found: dict[Key, None] = {}
        for value in self.values(term, field):
            if field.kind is FieldKind.ENTITY:
                found |= dict.fromkeys(self.shared(value, str(field.target), below))
            elif below in UNITS:
                found[self.day(read_literal(value)[0], below)] = None
            elif field.kind is FieldKind.ENUM:
                found[enum_value_name(read_literal(value)[0]), None] = None
            else:
                text = read_literal(value)[0] if is_literal(value) else value[1:-1]
                found[self.cut(text), None] = None
        return list(found) or [(None, None)]

    def cut(self, text: str | None) -> str | None:
        return None if text is None else text[:LENGTH]

    def day(self, day: str | None, unit: str) -> Key:
        if day is None:
            return None, None
        return day[: UNITS[unit]] + ("0" if unit == "DECADE" else ""), None

    def place(self, iri: str, asked: Any, key: Key) -> tuple[Any, ...]:
        """The place of a value among others: as its field compares them, the unknown last."""
        if key[0] is None:
            return (True,)
        ((name, below),) = asked.items()
        field = None if name in ("id", "label", "types") else self.model.fields[iri][name]
        if field is not None and field.kind is FieldKind.ENTITY:
            return self.place(str(field.target), below, key)
        if name == "label" or (
            field is not None
            and (field.kind is FieldKind.TEXT or field.datatype == f"{XSD}string")
            and field.kind not in (FieldKind.ENUM, FieldKind.DATE)
        ):
            return False, collation_key(key[0]), key[0]
        if field is None or field.kind in (FieldKind.DATE, FieldKind.IRI) or below in UNITS:
            return False, key[0]
        if field.kind is FieldKind.ENUM:
            return False, [enum_value_name(v) for v in field.enum_values].index(key[0])
        is_number = field.datatype in [f"{XSD}{n}" for n in ("integer", "decimal", "gYear")]
        return False, Fraction(key[0]) if is_number else key[0]

    def group_count(self, terms: list[str], iri: str, **arguments: Any) -> int:
        return len(self.kept_groups(terms, iri, **arguments))

    def kept_groups(
        self, terms: list[str], iri: str, by: Any, having: Any = None
    ) -> list[tuple[tuple[Key, ...], list[str]]]:
        found: dict[tuple[Key, ...], list[str]] = {}
        for term in terms:
            for keys in product(*[self.shared(term, iri, each) for each in as_list(by)]):
                found.setdefault(keys, []).append(term)
        return [(k, t) for k, t in found.items() if not having or self.list_fits(iri, t, having)]

    def groups(self, terms: list[str], iri: str, **arguments: Any) -> list[dict[str, Any]]:
        by = as_list(arguments["by"])
        kept = self.kept_groups(terms, iri, by, arguments.get("having"))
        kept.sort(key=lambda g: [self.place(iri, b, k) for b, k in zip(by, g[0], strict=True)])
        for each in reversed(as_list(arguments.get("orderBy") or [])):
            kept = self.by_measure(kept, iri, each)
        first, offset = arguments.get("first"), arguments.get("offset") or 0
        shown = kept[offset : offset + (50 if first is None else first)]
        return [
            {
                "keys": [{"value": v, "node": n and Entity(n)} for v, n in keys],
                "aggregates": self.aggregates(members, iri),
            }
            for keys, members in shown
        ]

    def by_measure(self, groups: list[Any], iri: str, asked: Any) -> list[Any]:
        ((name, below),) = asked.items()
        if name == "count":
            known = [(len(terms), (keys, terms)) for keys, terms in groups]
            direction, unknown = below, []
        else:
            ((key, direction),) = below.items()
            field = self.model.fields[iri][key]
            read = [(self.measure(terms, field, name), (keys, terms)) for keys, terms in groups]
            known = [pair for pair in read if pair[0] is not None]
            unknown = [group for value, group in read if value is None]
        known.sort(key=lambda pair: pair[0], reverse=direction.startswith("DESC"))
        ordered = [group for _, group in known]
        return unknown + ordered if direction.endswith("FIRST") else ordered + unknown
