"""The guard before updates: which operations a text holds, what they write, what is refused.

Floor 1. Like the guard of queries it reads tokens, not grammar (`graph/store/operations.py`). What
the protocol says beside the text (graphs to read, the source to write into) becomes part of the
text here, since the engine takes it in no other way. Nothing is evaluated, and nothing is ever
fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graph.errors import BadValueError
from graph.settings import Settings
from graph.store.guard import list_limits
from graph.store.operations import NOWHERE, Edit, Operation, OperationReader
from graph.store.parts import Span, cut_parts
from graph.store.tokens import locate


@dataclass(frozen=True, slots=True)
class CheckedUpdate:
    """An update that may be tried: its text as the engine is to get it, and its operations.

    `pieces` are its operations on data, each as the INSERT DATA that it would be, and whether it
    is one; `graphs` are the terms of the graphs that may be written, by the prologue that they
    stand under, None where a variable names one. `parts` are what the engine reads of the text
    one after the other, where an operation after the first has a prologue (`cut_parts`); else none.
    """

    text: str
    operations: tuple[Operation, ...]
    pieces: tuple[tuple[str, bool], ...]
    graphs: tuple[tuple[str, tuple[str, ...]], ...] | None
    parts: list[list[Span]]

    @property
    def is_data(self) -> bool:
        """Whether it consists of INSERT DATA and DELETE DATA alone."""
        return all(operation.is_data for operation in self.operations)

    @property
    def writes_default(self) -> bool:
        """Whether it writes the default graph."""
        return any(each.writes_default for each in self.operations)

    @property
    def is_sweeping(self) -> bool:
        """Whether it clears graphs that it does not name."""
        return any(each.is_sweeping for each in self.operations)


def check_update(
    text: str,
    settings: Settings,
    using: Sequence[str] = (),
    using_named: Sequence[str] = (),
    source: str | None = None,
) -> CheckedUpdate:
    """Return what an update text is, if it may be tried.

    Parameters
    ----------
    text : str
    settings : Settings
        How long, deep and broad it may be.
    using, using_named : sequences of IRIs
        `using-graph-uri` and `using-named-graph-uri` of the protocol.
    source : IRI, optional
        Graph that is written where the text names none; None leaves the default graph.

    Raises
    ------
    QuerySyntaxError
        It is no update, not closed, uses SERVICE, a word or prefix that nobody knows, or one
        blank node's label in two INSERT DATA.
    BadValueError
        The protocol and the text both say which graphs are read.
    QueryTooLargeError, PayloadTooLargeError
        It is too deep, too broad or too long, or of too many operations.
    """
    reader = OperationReader(text, dict(list_limits(text, settings)))
    operations = tuple(reader.read())
    edits = reader.edits
    clauses = [f"USING <{iri}> " for iri in using]
    clauses += [f"USING NAMED <{iri}> " for iri in using_named]
    for operation in operations:
        own = [] if source is None else _add_source(text, operation, source)
        edits += _add_using(text, operation, "".join(clauses), own) if clauses else own
    pieces = tuple(
        (f"{each.prologue} INSERT DATA {_apply(text, edits, *each.block)}", "INSERT" in each.words)
        for each in operations
        if each.is_data and each.block is not None
    )
    parts = cut_parts(reader.begins, reader.late, len(text))
    moved = [[(_move(start, edits), _move(end, edits)) for start, end in part] for part in parts]
    graphs = _list_graphs(operations, source)
    return CheckedUpdate(_apply(text, edits), operations, pieces, graphs, moved)


def _add_using(text: str, operation: Operation, clauses: str, own: list[Edit]) -> list[Edit]:
    """Return the edits of an operation with the clauses: `own` alter what it writes alone."""
    if operation.has_dataset:
        place = locate(text, operation.start)
        expected = "left out, since the update has WITH or USING (line {}, column {})"
        raise BadValueError("using-graph-uri", "given", expected.format(*place))
    where = operation.where
    if where is None:
        return own
    if operation.is_short and operation.block is not None:
        template = _apply(text, own, *operation.block)
        return [(where, where, f"{template} {clauses}")]
    return [*own, (where, where, clauses)]


def _add_source(text: str, operation: Operation, source: str) -> list[Edit]:
    edits = [(start, end, f"GRAPH <{source}>") for start, end in operation.defaults]
    if "WITH" not in operation.words:
        for start, end in operation.loose:
            edits.append((start, end, f"GRAPH <{source}> {{ {text[start:end]} }}"))
    return edits


def _list_graphs(
    operations: Sequence[Operation], source: str | None
) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    if any(operation.is_open for operation in operations):
        return None
    named = [(each.prologue, tuple(each.graphs)) for each in operations if each.graphs]
    if source is not None:
        named.append(("", (f"<{source}>",)))
    return tuple(named)


def _apply(text: str, edits: list[Edit], start: int = 0, end: int | None = None) -> str:
    """Return the text between two places with the edits that fall there."""
    end = len(text) if end is None else end
    pieces: list[str] = []
    place = start
    for first, last, replacement in sorted(edits):
        if start <= first and last <= end:
            pieces += (text[place:first], replacement)
            place = last
    return "".join((*pieces, text[place:end]))


def _move(place: int, edits: list[Edit]) -> int:
    """Return where a place is after the edits; none of them goes over it."""
    before = (edit for edit in edits if edit[1] <= place)
    return place + sum(len(written) - (end - start) for start, end, written in before)


def refused_load(detail: str) -> bool:
    """Tell whether the engine's words say that LOAD had nowhere to load from."""
    return NOWHERE[1:-1] in detail
