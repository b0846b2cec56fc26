"""SHACL core constraints compiled into small functions, once per model.

Floor 2. A check looks at one value (or at the list of values) and answers yes or no; which nodes
are looked at, and in which graphs, is decided in `graph/curation/validate.py`. Values are
normalised before they come here, so a typed literal is known to be well formed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from graph.errors import OntologyError
from graph.model import Constraint, Model
from graph.terms import LANG_STRING, XSD, is_literal, read_literal, write_literal

SH: Final = "http://www.w3.org/ns/shacl#"
_NUMBERS: Final = frozenset({f"{XSD}integer", f"{XSD}decimal"})
_FLAGS: Final = {"i": re.IGNORECASE, "s": re.DOTALL, "m": re.MULTILINE, "x": re.VERBOSE}

#: Tells whether a value satisfies a constraint.
ValueCheck = Callable[[str], bool]
#: Returns what is wrong with the values of one graph (a count, a tag), or None.
ListCheck = Callable[[Sequence[str]], object]

#: Constraints on each value alone: they hold per named graph as they hold on the union.
OF_VALUES: Final = frozenset(
    {
        *("datatype", "nodeKind", "in", "pattern"),
        *("minLength", "maxLength", "minInclusive", "maxInclusive"),
    }
)
#: Constraints on the values of one named graph together.
OF_GRAPHS: Final = frozenset({"maxCount", "uniqueLang"})
#: Constraints on a node's values over all graphs.
OF_UNION: Final = frozenset({"minCount", "hasValue"})


def compile_value_check(constraint: Constraint) -> ValueCheck:
    """Return the check of a constraint out of `OF_VALUES`."""
    parameter = constraint.parameter
    match constraint.component:
        case "datatype":
            return _datatype(str(parameter))
        case "nodeKind":
            return _node_kind(str(parameter))
        case "in":
            return frozenset(_terms(constraint)).__contains__
        case "pattern":
            return _pattern(constraint)
        case "minLength":
            return lambda value: len(_text(value)) >= int(str(parameter))
        case "maxLength":
            return lambda value: len(_text(value)) <= int(str(parameter))
        case "minInclusive":
            return _bound(str(parameter), 1)
        case "maxInclusive":
            return _bound(str(parameter), -1)
    raise OntologyError(constraint.shape, f"sh:{constraint.component} cannot be checked")


def compile_served_checks(constraint: Constraint) -> list[tuple[Constraint, ValueCheck]]:
    """Return what a datatype asks beyond SHACL, so that every value kept can be served.

    GraphQL answers xsd:integer and xsd:gYear as Int, which has 32 bits and no time zone: what it
    could not answer is refused, always as a violation. Values of another datatype are left to
    the constraint itself.
    """
    if constraint.component != "datatype":
        return []
    implied: list[Constraint] = []
    given = replace(constraint, severity="Violation", messages={})
    if constraint.parameter == f"{XSD}integer":
        for component, bound in (("minInclusive", -(2**31)), ("maxInclusive", 2**31 - 1)):
            limit = write_literal(str(bound), f"{XSD}integer")
            implied.append(replace(given, component=component, parameter=limit))
    elif constraint.parameter == f"{XSD}gYear":
        implied.append(replace(given, component="pattern", parameter=("^[0-9]{4}$", "")))
    is_typed = compile_value_check(constraint)
    return [(each, _if_typed(is_typed, compile_value_check(each))) for each in implied]


def _if_typed(is_typed: ValueCheck, check: ValueCheck) -> ValueCheck:
    return lambda value: not is_typed(value) or check(value)


def compile_list_check(constraint: Constraint) -> ListCheck:
    """Return the check of a constraint out of `OF_GRAPHS` or `OF_UNION`."""
    parameter = constraint.parameter
    match constraint.component:
        case "maxCount":
            most = int(str(parameter))
            return lambda values: len(values) if len(values) > most else None
        case "minCount":
            least = int(str(parameter))
            return lambda values: len(values) if len(values) < least else None
        case "hasValue":
            return lambda values: None if parameter in values else "nothing"
        case "uniqueLang":
            return _repeated_language
    raise OntologyError(constraint.shape, f"sh:{constraint.component} cannot be checked")


def accepted_classes(constraint: Constraint, model: Model) -> frozenset[str]:
    """Return the classes whose instances satisfy `sh:class`."""
    wanted = str(constraint.parameter)
    return frozenset(model.descendants.get(wanted, (wanted,)))


def _datatype(datatype: str) -> ValueCheck:
    if datatype == LANG_STRING:
        return lambda value: value[0] == '"' and value[-1] not in '">'
    if datatype == f"{XSD}string":
        return lambda value: value[0] == '"' and value[-1] == '"'
    ending = f'"^^<{datatype}>'
    return lambda value: value[0] == '"' and value.endswith(ending)


def _node_kind(kind: str) -> ValueCheck:
    name = kind.removeprefix(SH)
    first = ("<" if "IRI" in name else "") + ('"' if "Literal" in name else "")
    return lambda value: value[0] in first


def _pattern(constraint: Constraint) -> ValueCheck:
    text, flags = _terms(constraint)
    compiled = re.compile(text, sum(_FLAGS[flag] for flag in flags))
    return lambda value: compiled.search(_text(value)) is not None


def _bound(limit: str, sign: int) -> ValueCheck:
    """Compare numbers by value and dates by their text; other pairs cannot be compared."""
    text, datatype, _ = read_literal(limit)
    number = Decimal(text) if datatype in _NUMBERS else None

    def check(value: str) -> bool:
        if not is_literal(value):
            return False
        given, kind, _ = read_literal(value)
        if number is not None:
            return kind in _NUMBERS and (Decimal(given) - number) * sign >= 0
        return kind == datatype and (given >= text if sign > 0 else given <= text)

    return check


def _repeated_language(values: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value[0] == '"' and value[-1] not in '">':
            tag = value.rpartition("@")[2]
            if tag in seen:
                return tag
            seen.add(tag)
    return None


def _terms(constraint: Constraint) -> tuple[str, ...]:
    assert isinstance(constraint.parameter, tuple)
    return constraint.parameter


def _text(value: str) -> str:
    return read_literal(value)[0] if is_literal(value) else value[1:-1]
