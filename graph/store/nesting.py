"""How deep RDF text is nested, found in one quick pass before a parser sees it.

Floor 1. Standard library only, since it runs in workers. Parsers take seconds to minutes over
20,000 nested nodes; honest data nests a handful.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

# What can hold a bracket without nesting comes first: strings, IRIs, comments. Their ends are
# optional and nothing is tried twice, so that a text full of open quotes takes no longer.
_TURTLE: Final = re.compile(
    rb'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?'
    rb"|'''(?:[^'\\]|\\.|'(?!''))*+(?:''')?"
    rb'|"(?:[^"\\\n\r]|\\.)*+"?'
    rb"|'(?:[^'\\\n\r]|\\.)*+'?"
    rb"|<<"
    rb"|<[^<>\"{}|^`\x00-\x20]*+>?"
    rb"|#[^\n\r]*+"
    rb"|\\."
    rb"|([\[({])|([\])}])",
    re.DOTALL,
)
_JSON: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a text is nested too deeply, or cannot be read at all (`detail`)."""

    line: int
    column: int
    detail: str | None = None


def find_fault(data: bytes, format: str, levels_max: int) -> Fault | None:
    """Return the first place that is nested more than so many levels; None where there is none.

    Parameters
    ----------
    data : bytes
    format : str
        `turtle`, `trig`, `nt`, `nq`, `jsonld` or `rdfxml`.
    levels_max : int
        Brackets, or elements of RDF/XML, that may be open at once.
    """
    return _FINDERS[format](data, levels_max)


def _find_in_brackets(pattern: re.Pattern[bytes], data: bytes, levels_max: int) -> Fault | None:
    level = 0
    for token in pattern.finditer(data):
        kind = token.lastindex
        if kind == 1:
            level += 1
            if level > levels_max:
                return _fault_at(data, token.start())
        elif kind == 2:
            level = max(0, level - 1)
    return None


def _find_in_xml(data: bytes, levels_max: int) -> Fault | None:
    # Each level of RDF is two elements: the node and the property that leads to it.
    elements_max = 2 * levels_max + 1
    level = 0
    parser = expat.ParserCreate()

    def enter(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal level
        level += 1
        if level > elements_max:
            raise _TooDeepError(parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)

    def leave(_name: str) -> None:
        nonlocal level
        level -= 1

    parser.StartElementHandler = enter
    parser.EndElementHandler = leave
    try:
        parser.Parse(data, True)
    except _TooDeepError as error:
        return Fault(*error.args)
    except expat.ExpatError as error:
        return Fault(error.lineno, error.offset + 1, expat.ErrorString(error.code))
    return None


def _fault_at(data: bytes, place: int) -> Fault:
    line_start = data.rfind(b"\n", 0, place) + 1
    column = len(data[line_start:place].decode("utf-8", "replace")) + 1
    return Fault(data.count(b"\n", 0, place) + 1, column)


class _TooDeepError(Exception):
    """Ends a parse of XML, with line and column."""


_FINDERS: Final[Mapping[str, Callable[[bytes, int], Fault | None]]] = {
    "turtle": lambda data, levels: _find_in_brackets(_TURTLE, data, levels),
    "trig": lambda data, levels: _find_in_brackets(_TURTLE, data, levels),
    "nt": lambda _data, _levels: None,
    "nq": lambda _data, _levels: None,
    "jsonld": lambda data, levels: _find_in_brackets(_JSON, data, levels),
    "rdfxml": _find_in_xml,
}
