"""Matches a basic graph pattern with the snapshot: a short query answered where it is asked.

Floor 1. A worker's answer to a look-up of microseconds costs two changes of process, ten times
that. Here the patterns are joined in turn, each from what is bound already, within so many steps;
what would take more, or touches what the snapshot does not hold, is not answered here, and the
engine takes it from the start (decision 0034).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from graph.model import Model
from graph.store.basic import Basic, Triple
from graph.store.build import system_quads
from graph.store.columns import EMPTY, ManyColumn
from graph.store.counting import Row, count_column, count_rows, read_cell
from graph.store.snapshot import Snapshot
from graph.store.term_table import SHIFT
from graph.terms import XSD

#: Looking for all predicates of a node reads so many columns in the time of a step.
_COLUMNS_A_STEP: Final = 8
_STRING: Final = f"{XSD}string"
_INTEGER: Final = f"{XSD}integer"
#: Larger answers are the workers' too, who send them in parts.
CHARACTERS: Final = 256 * 1024
_CELLS: Final = 4_000
#: What stands around a value: names of keys, quotes, brackets.
_AROUND: Final = 60


class _ElsewhereError(Exception):
    """The answer needs more steps, or what only the engine's store holds."""


class Beside:
    """What the engine's store holds and the snapshot does not, as keys of look-ups.

    That is the part of the ontology that no class of the model has. Keys are a predicate with a
    subject or a value, or one of them alone, as N-Triples texts; a look-up that meets one is the
    engine's. `system_count` is how many statements of the ontology the store holds in all.
    """

    def __init__(self, model: Model) -> None:
        lacking = set(model.system_quads) - set(system_quads(model))
        self.forward = {(p, s) for s, p, _, _ in lacking}
        self.inverse = {(p, o) for _, p, o, _ in lacking}
        self.subjects = {s for s, _, _, _ in lacking}
        self.predicates = {p for _, p, _, _ in lacking}
        self.objects = {o for _, _, o, _ in lacking}
        self.pairs: dict[str, list[tuple[str, str]]] = {}
        for s, p, o, _ in sorted(lacking):
            self.pairs.setdefault(p, []).append((s, o))
        self.system_count = len(set(model.system_quads))

    def count(self, predicate: str, subject: str | None, value: str | None) -> int:
        """Return how many of these statements there are; None stands for any end."""
        pairs = self.pairs.get(predicate, ())
        return sum(subject in (None, s) and value in (None, o) for s, o in pairs)


class Matched(NamedTuple):
    """An answer as SPARQL Query Results JSON, and how many rows it has."""

    body: bytes
    rows: int


def match(basic: Basic, snapshot: Snapshot, beside: Beside, steps_max: int) -> Matched | None:
    """Return the answer to a query, or None where it is the engine's to give.

    Parameters
    ----------
    basic : Basic
    snapshot : Snapshot
    beside : Beside
        Of the snapshot's model.
    steps_max : int
        Look-ups and values looked at, about half a microsecond each.
    """
    try:
        found = _Search(basic, snapshot, beside, steps_max)
        names = found.names
        if basic.groups is None:
            rows = found.run()
        else:
            rows = found.count()
            names = [*basic.groups, *(f"?{each.name}" for each in basic.counts)]
        if basic.variables is None:
            return Matched(orjson.dumps({"head": {}, "boolean": bool(rows)}), 1)
        return _write(basic, rows, names, snapshot)
    except _ElsewhereError:
        return None


class _Search:
    """The join of one query's patterns; `names` are the variables of a row, in order."""

    def __init__(self, basic: Basic, snapshot: Snapshot, beside: Beside, steps_max: int) -> None:
        self.names: list[str] = []
        self._snapshot = snapshot
        self._beside = beside
        self._left = steps_max
        self._basic = basic
        self._patterns = list(basic.patterns)
        self._constants: dict[str, int] = {}
        for pattern in basic.patterns:
            self._check(pattern)

    def run(self) -> list[Row]:
        """Return all rows."""
        rows: list[Row] = [()]
        while self._patterns and rows:
            pattern = min(self._patterns, key=self._weight)
            self._patterns.remove(pattern)
            rows = self._join(rows, pattern)
        return rows

    def count(self) -> list[Row]:
        """Return a row for each group: the values that it is known by, then its counts."""
        subject, predicate, value = self._patterns[0]
        if subject[0] == value[0] == "?" != predicate[0]:
            pairs = self._beside.pairs.get(predicate, ())
            found = count_column(self._basic, self._snapshot, pairs, self._spend)
            if found is not None:
                return found
        return count_rows(self._basic, self.run(), self.names)

    # --- patterns -----------------------------------------------------------------------------

    def _check(self, pattern: Triple) -> None:
        """Note the numbers of a pattern's terms; what the snapshot does not know is not here."""
        subject, predicate, value = pattern
        for term in (subject, value):
            if term[0] != "?" and term not in self._constants:
                number = self._snapshot.terms.find(term)
                if number is None:
                    raise _ElsewhereError
                self._constants[term] = number
        if predicate[0] != "?":
            if predicate[1:-1] not in self._snapshot.forward:
                raise _ElsewhereError
        elif sum(part == predicate for each in self._patterns for part in each) > 1:
            raise _ElsewhereError  # a predicate is no number to join with
        if subject == value:
            raise _ElsewhereError

    def _weight(self, pattern: Triple) -> tuple[int, int]:
        """Return what a pattern costs next: how it is bound, and how much there is."""
        subject, predicate, value = pattern
        is_from, is_to = self._is_bound(subject), self._is_bound(value)
        if is_from and is_to:
            return 0, 0
        if predicate[0] == "?":
            return 3, 0
        if is_from:
            return 1, 0
        if not is_to:
            return 4, 0
        number = self._constants.get(value)
        if number is None:
            return 2, 0
        return 2, self._snapshot.inverse.get(predicate[1:-1], EMPTY).count(number)

    def _is_bound(self, term: str) -> bool:
        return term[0] != "?" or term in self.names

    # --- joining ------------------------------------------------------------------------------

    def _join(self, rows: Iterable[Row], pattern: Triple) -> list[Row]:
        """Return the rows that fit a pattern too, with the values of its new variables."""
        subject, predicate, value = pattern
        is_from, is_to = self._is_bound(subject), self._is_bound(value)
        if not (is_from or is_to):
            raise _ElsewhereError
        source, target = self._place(subject), self._place(value)
        found: list[Row] = []
        for row in rows:
            start = source if isinstance(source, int) else row[source[0]] if source else None
            end = target if isinstance(target, int) else row[target[0]] if target else None
            if isinstance(start, str) or isinstance(end, str):
                raise _ElsewhereError  # bound as a predicate
            for name, values in self._values(predicate, start, end):
                new: Row = row if name is None else (*row, name)
                if start is not None and end is not None:
                    if end in values:
                        found.append(new)
                else:
                    found += [(*new, each) for each in values]
        if predicate[0] == "?":
            self.names.append(predicate)
        if not is_from:
            self.names.append(subject)
        if not is_to:
            self.names.append(value)
        return found

    def _place(self, term: str) -> int | tuple[int] | None:
        """Return a constant's number, the place of a variable in the rows, or None: unbound."""
        if term[0] != "?":
            return self._constants[term]
        return (self.names.index(term),) if term in self.names else None

    def _values(
        self, predicate: str, start: int | None, end: int | None
    ) -> Iterable[tuple[str | None, Sequence[int]]]:
        """Yield the values of a node, or the nodes of a value, for each predicate that fits."""
        is_inverse = start is None
        known = end if start is None else start
        assert known is not None
        kind, _, _, is_long = self._snapshot.terms.kinds[known >> SHIFT]
        if is_inverse and is_long:
            raise _ElsewhereError  # long texts are not indexed
        if kind == "literal" and not is_inverse:
            self._spend(1)
            return  # nothing is said of a literal; and a long one is not made for nothing
        if predicate[0] != "?":
            yield None, self._look_up(predicate, known, is_inverse)
            return
        columns = self._snapshot.inverse if is_inverse else self._snapshot.forward
        self._spend(len(columns) // _COLUMNS_A_STEP)
        term, beside = self._snapshot.terms.term(known), self._beside
        if term in (beside.objects if is_inverse else beside.subjects):
            raise _ElsewhereError
        page = known >> SHIFT
        for iri, column in columns.items():
            if page in column.pages:
                name = f"<{iri}>"
                yield name, self._look_up(name, known, is_inverse)

    def _look_up(self, predicate: str, number: int, is_inverse: bool) -> Sequence[int]:
        """Return the distinct values of a node, or the nodes that have a value."""
        snapshot, beside = self._snapshot, self._beside
        if predicate in beside.predicates:
            keys = beside.inverse if is_inverse else beside.forward
            if (predicate, snapshot.terms.term(number)) in keys:
                raise _ElsewhereError
        if is_inverse:
            column = snapshot.inverse.get(predicate[1:-1], EMPTY)
            self._spend(1 + column.count(number))
            return column.values(number)
        forward = snapshot.forward[predicate[1:-1]]
        self._spend(1 + forward.count(number))
        if isinstance(forward, ManyColumn):
            return forward.values(number)
        return list(dict.fromkeys(value for value, _ in forward.pairs(number)))

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _ElsewhereError


# --- the answer ---------------------------------------------------------------------------------


def _write(basic: Basic, rows: list[Row], names: list[str], snapshot: Snapshot) -> Matched:
    assert basic.variables is not None
    places = [(name, names.index(f"?{name}")) for name in basic.variables if f"?{name}" in names]
    if len(rows) * len(places) > _CELLS:
        raise _ElsewhereError
    shown = [tuple(row[at] for _, at in places) for row in rows]
    if basic.is_distinct:
        shown = list(dict.fromkeys(shown))
    terms: dict[int | str, dict[str, str]] = {}
    bindings: list[dict[str, Any]] = []
    left = CHARACTERS
    for row in shown:
        binding = {}
        for (name, _), value in zip(places, row, strict=True):
            term = terms.get(value)
            if term is None:
                term = terms[value] = _describe(value, snapshot)
            binding[name] = term
            left -= len(name) + sum(map(len, term.values())) + _AROUND
        if left < 0:
            raise _ElsewhereError
        bindings.append(binding)
    head = {"vars": list(basic.variables)}
    body = orjson.dumps({"head": head, "results": {"bindings": bindings}})
    return Matched(body, len(bindings))


def _describe(value: int | str, snapshot: Snapshot) -> dict[str, str]:
    """Return a term as SPARQL Query Results JSON has it."""
    if isinstance(value, str):
        if value[0] != "<":
            raise _ElsewhereError  # a literal that only the engine's store holds
        return {"type": "uri", "value": value[1:-1]}
    if value < 0:
        return {"type": "literal", "value": str(read_cell(value)), "datatype": _INTEGER}
    kind, datatype, language, _ = snapshot.terms.kinds[value >> SHIFT]
    text = snapshot.terms.text(value)
    if kind == "iri":
        return {"type": "uri", "value": text}
    if language:
        return {"type": "literal", "value": text, "xml:lang": language}
    if datatype == _STRING:
        return {"type": "literal", "value": text}
    return {"type": "literal", "value": text, "datatype": datatype}
