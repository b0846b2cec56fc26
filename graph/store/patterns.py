"""The triple patterns of a SPARQL text, with how many statements each may match.

Floor 1. For `explain`: the text has passed the guard. It reads tokens like the guard does, and
counts in the snapshot what can be counted in bulk: no plan is made here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from graph.settings import Settings
from graph.store.breadth import Breadth
from graph.store.columns import Column, OneColumn
from graph.store.guard import list_limits
from graph.store.matching import Beside
from graph.store.snapshot import TYPE, Snapshot
from graph.store.term_table import NIL
from graph.store.tokens import Token, locate, read_token

_SUBJECT, _VERB, _OBJECT = range(3)
_NESTED: Final = "[…]"
# Others, or with escapes, stand for what only the engine makes of them.
_ABSOLUTE: Final = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*:[^\\]*>")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One triple pattern: its terms as the text has them, its place, and whether it is a path."""

    subject: str
    predicate: str
    object: str
    line: int
    column: int

    @property
    def is_path(self) -> bool:
        """Whether the predicate is a property path."""
        first = read_token(self.predicate, 0, is_after_operand=False)
        return first is None or first.end != len(self.predicate)

    @property
    def text(self) -> str:
        """The pattern as one reads it."""
        return f"{self.subject} {self.predicate} {self.object}"


@dataclass(slots=True)
class _Triple:
    """What is known of the triple at hand in one bracket."""

    subject: str = _NESTED
    verb_from: int = 0
    verb: str = ""


@dataclass(slots=True)
class _Reader(Breadth):
    """A count of the text that keeps the patterns it passes, too."""

    found: list[Pattern] = field(default_factory=list)
    triples: dict[int, _Triple] = field(default_factory=dict)
    closed_from: int = 0

    def _put_term(self, top: object, token: Token) -> None:
        bracket = self.brackets[-1]
        if not self._awaits_values and self._holds_triples(bracket):
            self._note(id(bracket), bracket.kind, bracket.state, token)
        Breadth._put_term(self, bracket, token)

    def _note(self, key: int, kind: str, state: int, token: Token) -> None:
        triple = self.triples.setdefault(key, _Triple())
        text = _NESTED if token.text in ("]", ")", ")>>", ">>") else token.text
        if state == _OBJECT:
            if triple.verb_from:
                start = triple.verb_from
                end = self.closed_from if text == _NESTED else token.start
                triple.verb, triple.verb_from = self.text[start:end].strip(), 0
            if kind != "template":
                line, column = locate(self.text, token.start)
                self.found.append(Pattern(triple.subject, triple.verb, text, line, column))
        elif state == _VERB:
            triple.verb_from = triple.verb_from or token.start
        else:
            triple.subject, triple.verb_from = text, 0

    def _take_sign(self, top: object, token: Token) -> None:
        bracket = self.brackets[-1]
        if token.text in ("^", "!"):
            self._begin_path(token)
        Breadth._take_sign(self, bracket, token)

    def _open(self, top: object, token: Token) -> None:
        bracket = self.brackets[-1] if self.brackets else None
        if token.text == "(":
            self._begin_path(token)
        Breadth._open(self, bracket, token)

    def _close(self, top: object, token: Token) -> None:
        bracket = self.brackets[-1] if self.brackets else None
        if bracket is not None:
            self.closed_from = bracket.token.start
        Breadth._close(self, bracket, token)

    def _begin_path(self, token: Token) -> None:
        """Note that a property path begins with a sign, if the token stands for a predicate."""
        bracket = self.brackets[-1] if self.brackets else None
        if bracket is not None and self._holds_triples(bracket) and bracket.state == _VERB:
            triple = self.triples.setdefault(id(bracket), _Triple())
            triple.verb_from = triple.verb_from or token.start


def find_patterns(text: str, settings: Settings) -> list[Pattern]:
    """Return the triple patterns of a query that the guard lets pass, in their order."""
    reader = _Reader(text, dict(list_limits(text, settings)))
    place, is_begun = 0, False
    while True:
        token = read_token(text, place, is_after_operand=reader.is_after_operand)
        if token is None:
            return reader.found
        place = token.end
        is_begun = is_begun or token.text.upper() in ("SELECT", "ASK", "CONSTRUCT", "DESCRIBE")
        if is_begun:
            reader.take(token)


def read_prefixes(prologue: str) -> dict[str, str]:
    """Return the namespaces that a prologue declares, by prefix."""
    found: dict[str, str] = {}
    place, before = 0, ""
    while (token := read_token(prologue, place, is_after_operand=False)) is not None:
        if token.kind == "iri" and before.endswith(":"):
            found[before[:-1]] = token.text[1:-1]
        place, before = token.end, token.text
    return found


def estimate(
    pattern: Pattern, prefixes: Mapping[str, str], snapshot: Snapshot, beside: Beside
) -> int | None:
    """Return how many statements match a pattern by itself, at the most.

    None where that is not known without reading: paths, and patterns without a known predicate.
    What several sources state counts for each, and the part of the ontology that only the
    engine's store holds (`beside`) counts too.

    Cost: O(statements of the predicate) where the value is bound, in bulk.
    """
    predicate = _resolve(pattern.predicate, prefixes)
    if pattern.predicate == "a":
        predicate = f"<{TYPE}>"
    if pattern.is_path or predicate is None:
        is_variable = pattern.predicate[:1] in ("?", "$")
        return snapshot.quad_count + beside.system_count if is_variable else None
    subject, value = (_resolve(term, prefixes) for term in (pattern.subject, pattern.object))
    column = snapshot.forward.get(predicate[1:-1])
    counted = 0 if column is None else _count(column, snapshot, subject, value)
    return counted + beside.count(predicate, subject, value)


def _count(column: Column, snapshot: Snapshot, subject: str | None, value: str | None) -> int:
    """Return how many statements of a column have the ends that are known."""
    target = None if value is None else snapshot.number_of(value)
    if value is not None and target is None:
        return 0
    if subject is not None:
        source = snapshot.number_of(subject)
        pairs = () if source is None else column.pairs(source)
        return sum(target is None or each == target for each, _ in pairs)
    if target is not None:
        return sum(int(np.count_nonzero(rows[:, 1] == target)) for rows in column.rows())
    if isinstance(column, OneColumn):
        pages = (np.frombuffer(page.values, np.uint32) for page in column.pages.values())
        more = sum(len(pairs) - 1 for pairs in column.contested.values())
        return more + sum(int(np.count_nonzero(values != NIL)) for values in pages)
    return sum(page.offsets[-1] for page in column.pages.values())


def _resolve(term: str, prefixes: Mapping[str, str]) -> str | None:
    """Return the IRI in brackets that a term of the text surely stands for; else None."""
    if not (term.startswith("<") and term.endswith(">")):
        prefix, colon, local = term.partition(":")
        if not colon or prefix not in prefixes:
            return None
        term = f"<{prefixes[prefix]}{local}>"
    return term if _ABSOLUTE.match(term) else None
