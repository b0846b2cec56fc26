"""Rows of a GraphQL answer and rows of SPARQL solutions, made comparable.

Floor 4. A question of the library (`schema/questions.py`) is asked in both languages; here nested
data and RDF terms become the same plain cells. Nothing here asks anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.errors import BadValueError
from graph.terms import XSD, is_literal, read_iri, read_literal

Cell = str | int | float | bool | None
Row = tuple[Cell, ...]

_STEP: Final = re.compile(r"^([_A-Za-z][_0-9A-Za-z]*)(\[\??\])?$")
_FRACTIONS: Final = (f"{XSD}decimal", f"{XSD}double")


@dataclass(frozen=True, slots=True)
class Step:
    """One field of a path; `each` goes through a list, `keep` makes an empty list one null."""

    name: str
    each: bool = False
    keep: bool = False


Path = tuple[Step, ...]


def read_path(text: str) -> Path:
    """Return the steps of a path such as `memoranda.nodes[].signatures.nodes[?].id`.

    `[]` makes a row of each item; `[?]` does so too and keeps a row of nulls for an empty list,
    as OPTIONAL does in SPARQL.

    Raises
    ------
    BadValueError
        A step is no field name, or has another ending.
    """
    steps = []
    for part in text.split("."):
        match = _STEP.match(part)
        if match is None:
            raise BadValueError("path", text, "field names with [] or [?], joined by dots")
        steps.append(Step(match[1], match[2] is not None, match[2] == "[?]"))
    return tuple(steps)


def spine(paths: Sequence[Path]) -> Path:
    """Return the longest list-prefix of the paths: what the rows are of.

    Raises
    ------
    BadValueError
        Two paths go through different lists: their rows would be every pairing.
    """
    longest: Path = ()
    for path in paths:
        prefix = _list_prefix(path)
        shorter, longer = sorted((prefix, longest), key=len)
        if longer[: len(shorter)] != shorter:
            names = " and ".join(_write(p) for p in (longest, prefix))
            raise BadValueError(
                "paths", names, "one list inside the other: they stand side by side"
            )
        longest = longer
    return longest


def flatten(data: Mapping[str, Any], paths: Sequence[Path]) -> list[Row]:
    """Return the rows of a GraphQL answer, one cell a path, in the order of the answer.

    Parameters
    ----------
    data : mapping
        The `data` of the answer.
    paths : sequence of Path
        Those that go through lists go through the same ones.

    Raises
    ------
    BadValueError
        A path does not fit the answer, or ends at something that is no value.

    Examples
    --------
    >>> answer = {"signatures": {"nodes": [{"id": "a"}, {"id": "b"}]}, "revision": 1}
    >>> flatten(answer, [read_path("signatures.nodes[].id"), read_path("revision")])
    [('a', 1), ('b', 1)]
    """
    contexts: list[tuple[Any, ...]] = [(data,)]
    names: list[str] = []
    for step in spine(paths):
        names.append(step.name)
        if step.each:
            contexts = [
                (*context, item)
                for context in contexts
                for item in _items(_walk(context[-1], names), step)
            ]
            names = []
    cells = [(sum(step.each for step in path), _tail(path)) for path in paths]
    return [
        tuple(_cell(_walk(context[level], tail), tail) for level, tail in cells)
        for context in contexts
    ]


def cell_of(term: str | None) -> Cell:
    """Return the cell of a term in N-Triples text: numbers and booleans as such, IRIs as text.

    Examples
    --------
    >>> cell_of('"12.0"^^<http://www.w3.org/2001/XMLSchema#decimal>')
    12
    """
    if term is None:
        return None
    if not is_literal(term):
        return read_iri(term)
    value, datatype, _ = read_literal(term)
    if datatype == f"{XSD}integer":
        return int(value)
    if datatype in _FRACTIONS:
        return _number(float(value))
    return value == "true" if datatype == f"{XSD}boolean" else value


def sort_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in an order of their own, unknown cells first."""
    return sorted(rows, key=lambda row: ["" if cell is None else str(cell) for cell in row])


def _list_prefix(path: Path) -> Path:
    last = max((at for at, step in enumerate(path) if step.each), default=-1)
    return path[: last + 1]


def _tail(path: Path) -> list[str]:
    return [step.name for step in path[len(_list_prefix(path)) :]]


def _write(path: Path) -> str:
    return ".".join(f"{s.name}{('[?]' if s.keep else '[]') if s.each else ''}" for s in path)


def _walk(value: Any, names: Sequence[str]) -> Any:
    """Return what stands below; a null on the way makes it null, as does an absent fragment."""
    for name in names:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise BadValueError("path", name, "a field of an object: there is none above it")
        value = value.get(name)
    return value


def _items(value: Any, step: Step) -> Sequence[Any]:
    if value is not None and not isinstance(value, list):
        raise BadValueError("path", f"{step.name}[]", "a list: leave out the brackets")
    return value or ([None] if step.keep else [])


def _cell(value: Any, tail: Sequence[str]) -> Cell:
    if isinstance(value, Mapping | list):
        raise BadValueError("path", ".".join(tail), "a value: name a field below, or add []")
    if isinstance(value, float):
        return _number(value)
    found: Cell = value
    return found


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value
