"""Conditions as expressions of SPARQL.

Floor 4, beside `schema/equivalent.py`. Each condition becomes an expression that is true or false,
never an error, so that `not` means the same in both languages: what is looked at stands in EXISTS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final

from graph.model import Field, FieldKind, Model
from graph.terms import XSD, is_iri, write_iri, write_literal
from schema.filters import admits_unknown
from schema.naming import enum_value_name
from schema.operators import lexical, listed
from schema.validity import is_as_of
from schema.values import part_field

_COMPARISONS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_MEMBERSHIP: Final = {"eq": "IN", "in": "IN", "ne": "NOT IN", "notIn": "NOT IN"}
_LANGUAGE: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class Unsayable(Exception):
    """SPARQL has no words for it; the message says for what."""


class Conditions:
    """Writes the conditions of one query; names of variables are given once."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.numbers = count(1)

    def write(self, class_iri: str, where: Mapping[str, Any], name: str) -> str:
        """Return the expression that all conditions hold of the node in a variable.

        Raises
        ------
        Unsayable
            One cannot be said.
        """
        found = [self._condition(class_iri, key, below, name) for key, below in where.items()]
        return _all(found)

    def _condition(self, class_iri: str, key: str, below: Any, name: str) -> str:
        if key == "and":
            return _all([self.write(class_iri, each, name) for each in listed(below)])
        if key == "or":
            return _any([self.write(class_iri, each, name) for each in listed(below)])
        if key == "not":
            return f"!({self.write(class_iri, below, name)})"
        if key == "isNull":
            return "false" if below else "true"
        if key == "id":
            return _all([_identified(operator, value, name) for operator, value in below.items()])
        if key == "types":
            return self._types(listed(below), name)
        if key in ("label", "contested"):
            raise Unsayable(f"conditions on {key}")
        if is_as_of(self.model, class_iri, key):
            raise Unsayable(f"{key} in a condition")
        return self._field(self.model.fields[class_iri][key], below, name)

    def _types(self, names: Sequence[str], name: str) -> str:
        model, value = self.model, self._fresh()
        found = {iri for each in names for iri in model.descendants[model.by_name[each].iri]}
        terms = [write_iri(iri) for iri in sorted(found)]
        return f"EXISTS {{ ?{name} a ?{value} FILTER({_member('in', terms, value)}) }}"

    def _field(self, field: Field, below: Mapping[str, Any], name: str) -> str:
        if field.kind is FieldKind.ENTITY:
            return self._list(field, below, name) if field.many else self._link(field, below, name)
        if field.kind is FieldKind.DATE:
            return self._date(field, below, name)
        if field.kind is FieldKind.TEXT and field.unique_language:
            return self._texts(field, below, name)
        if field.many:
            return self._list(field, below, name)
        value = self._fresh()
        tie = _tie(field, name, value)
        return self._known(tie, self._tests(field, below, value), below)

    def _known(self, tie: str, tests: list[str], below: Mapping[str, Any]) -> str:
        """Return the expression of conditions on the one value that a pattern finds."""
        if below.get("isNull"):
            return "false" if tests else f"!EXISTS {{ {tie} }}"
        return f"EXISTS {{ {tie} FILTER({_all(tests)}) }}"

    def _link(self, field: Field, below: Mapping[str, Any], name: str) -> str:
        assert field.target is not None
        value = self._fresh()
        tie = _tie(field, name, value)
        found = f"EXISTS {{ {tie} FILTER({self.write(field.target, below, value)}) }}"
        return f"({found} || !EXISTS {{ {tie} }})" if admits_unknown(below) else found

    def _list(self, field: Field, below: Mapping[str, Any], name: str) -> str:
        asked = dict(below) or {"some": {}}
        within = asked.pop("where", None)
        found = []
        for key, inner in (asked or {"some": {}}).items():
            if key not in ("some", "every", "none"):
                raise Unsayable(f"{key} of a list in a condition")
            value = self._fresh()
            tests, scope = self._element(field, inner, value)
            if within is not None:
                assert field.target is not None
                scope.append(self.write(field.target, within, value))
            wanted = f"!({tests})" if key == "every" else tests
            tie = _tie(field, name, value)
            exists = f"EXISTS {{ {tie} FILTER({_all([*scope, wanted])}) }}"
            found.append(exists if key == "some" else f"!{exists}")
        return _all(found)

    def _element(self, field: Field, below: Mapping[str, Any], value: str) -> tuple[str, list[str]]:
        """Return the test of one element of a list, and which of them are looked at."""
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            return self.write(field.target, below, value), []
        if below.get("isNull"):
            return "false", []
        return _all(self._tests(field, below, value)), _ranges(below, value)

    def _texts(self, field: Field, below: Mapping[str, Any], name: str) -> str:
        value = self._fresh()
        tie, scope = _tie(field, name, value), _ranges(below, value)
        known = f"EXISTS {{ {tie} FILTER({_all(scope)}) }}"
        asked = {key: each for key, each in below.items() if key not in ("isNull", "lang")}
        if below.get("isNull"):
            return "false" if asked else f"!{known}"
        found = [known]
        for key, each in asked.items():
            if key in ("ne", "notIn"):
                test = self._tests(field, {"in": each}, value)
                found.append(f"!EXISTS {{ {tie} FILTER({_all([*scope, *test])}) }}")
            else:
                test = self._tests(field, {key: each}, value)
                found.append(f"EXISTS {{ {tie} FILTER({_all([*scope, *test])}) }}")
        return _all(found)

    def _date(self, field: Field, below: Mapping[str, Any], name: str) -> str:
        parts = {part: f"?{name} {write_iri(path)}" for part, path in field.parts.items()}
        known = _any([f"EXISTS {{ {tie} ?{self._fresh()} }}" for tie in parts.values()])
        asked = {key: inner for key, inner in below.items() if key != "isNull"}
        if below.get("isNull"):
            return "false" if asked else f"!({known})"
        found = [known]
        for part, inner in asked.items():
            value = self._fresh()
            tests = self._tests(part_field(field, part), inner, value)
            found.append(self._known(f"{parts[part]} ?{value} .", tests, inner))
        return _all(found)

    def _tests(self, field: Field, below: Mapping[str, Any], value: str) -> list[str]:
        return [
            _test(field, key, each, value)
            for key, each in below.items()
            if key not in ("isNull", "lang")
        ]

    def _fresh(self) -> str:
        return f"v{next(self.numbers)}"


def _test(field: Field, operator: str, given: Any, value: str) -> str:
    if operator in ("startsWith", "contains"):
        raise Unsayable("texts without case and accents")
    place = f"where.{field.name}.{operator}"
    if operator in _MEMBERSHIP:
        return _member(operator, [t for each in listed(given) for t in _terms(field, each)], value)
    text = lexical(given, field.datatype, place)
    sign = _COMPARISONS[operator]
    if field.datatype == f"{XSD}date":
        return f'SUBSTR(STR(?{value}), 1, 10) {sign} "{text[:10]}"'
    if field.datatype == f"{XSD}gYear":
        return f"<{XSD}integer>(SUBSTR(STR(?{value}), 1, 4)) {sign} {int(text[:4])}"
    return f"?{value} {sign} {write_literal(text, field.datatype)}"


def _member(operator: str, terms: list[str], value: str) -> str:
    """Return whether a value is one of some terms; texts are compared whatever their language."""
    is_in = _MEMBERSHIP[operator] == "IN"
    if not terms:
        return "false" if is_in else "true"
    subject = f"STR(?{value})" if terms[0].startswith("STR ") else f"?{value}"
    written = ", ".join(term.removeprefix("STR ") for term in terms)
    return f"{subject} {_MEMBERSHIP[operator]} ({written})"


def _terms(field: Field, given: Any) -> list[str]:
    if field.kind is FieldKind.ENUM:
        fits = (v for v in field.enum_values if given in (v, enum_value_name(v)))
        return [write_literal(v) for v in fits]
    if field.kind in (FieldKind.IRI, FieldKind.ENTITY):
        return [write_iri(given)] if is_iri(given) else []
    if field.kind is FieldKind.TEXT:
        return [f"STR {write_literal(given)}"]
    return [write_literal(lexical(given, field.datatype, field.name), field.datatype)]


def _identified(operator: str, given: Any, name: str) -> str:
    iris = [write_iri(str(each)) for each in listed(given) if is_iri(str(each))]
    return _member(operator, iris, name)


def _ranges(below: Mapping[str, Any], value: str) -> list[str]:
    """Return the test that a text is in one of the languages asked for, if any are."""
    if below.get("lang") is None:
        return []
    tags = [tag.lower() for tag in map(str, listed(below["lang"]))]
    kept = [tag for tag in tags if tag and set(tag) <= _LANGUAGE]
    return [_any([f'LANGMATCHES(LANG(?{value}), "{tag}")' for tag in kept])]


def _tie(field: Field, name: str, value: str) -> str:
    subject, found = (value, name) if field.inverse else (name, value)
    return f"?{subject} {write_iri(field.path)} ?{found} ."


def _all(tests: list[str]) -> str:
    kept = [test for test in tests if test != "true"]
    return " && ".join(f"({test})" for test in kept) if kept else "true"


def _any(tests: list[str]) -> str:
    return " || ".join(f"({test})" for test in tests) if tests else "false"
