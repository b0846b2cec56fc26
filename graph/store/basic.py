"""Reads the SPARQL queries that are one basic graph pattern, whole or not at all.

Floor 1. Most queries of programs look up what stands beside a node that they know, or count it.
What is surely such a query is read here, so that it can be matched with the snapshot
(`graph/store/matching.py`); of anything else, and of all that is not surely right, nothing is
said: the engine reads that, and says what is wrong. The text has passed the guard. Terms are kept
as the text means them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import pyoxigraph as ox

from graph.errors import RhizomeError
from graph.store.tokens import Token, read_token
from graph.terms import RDF_TYPE, write_literal

#: Longer texts, or more tokens in the prologue or after it, are no short queries: reading them
#: would take longer than the way to a worker.
_CHARACTERS: Final = 4_000
_TOKENS: Final = 250
_VARIABLE: Final = re.compile(r"[?$][A-Za-z_][A-Za-z0-9_]*")
_NAME: Final = re.compile(
    r"(?:[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)?:[A-Za-z0-9_][A-Za-z0-9_-]*"
)
_PREFIX: Final = re.compile(r"(?:[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)?:")
_STRING: Final = re.compile(r"""("[^"\\\n\r]*"(?!")|'[^'\\\n\r]*'(?!'))""")
_LANGUAGE: Final = re.compile(r"@[a-z]{2,3}")

#: Subject, predicate and object; variables as `?name`, others as N-Triples text.
Triple = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Count:
    """A count that SELECT asks for under a name: of solutions, or of what a variable stands for.

    `of` has its `?`; None counts solutions.
    """

    name: str
    of: str | None
    is_distinct: bool


@dataclass(frozen=True, slots=True)
class Basic:
    """A query that is one basic graph pattern, or counts the solutions of one.

    `variables` are the names that SELECT asks for, in order, without `?`; None for ASK. Those of
    `counts` are among them. `groups` are the variables of GROUP BY with their `?`; None where
    nothing is grouped, empty where all solutions are one group.
    """

    variables: tuple[str, ...] | None
    is_distinct: bool
    patterns: tuple[Triple, ...]
    counts: tuple[Count, ...] = ()
    groups: tuple[str, ...] | None = None


class _NotBasicError(Exception):
    """The text is not surely one basic graph pattern."""


def read_basic(text: str, prologue: str) -> Basic | None:
    """Return the query that a text surely is, or None; those of the last texts are kept.

    Parameters
    ----------
    text : str
        A query that passed the guard.
    prologue : str
        How it begins: what stands before its form.

    Cost: about 2 microseconds a token, where the text is new.
    """
    return None if len(text) > _CHARACTERS else _read(text, prologue)


@lru_cache(maxsize=256)
def _read(text: str, prologue: str) -> Basic | None:
    prefixes = _read_prefixes(prologue)
    if prefixes is None:
        return None
    try:
        return _Reader(_tokens(text, len(prologue)), prefixes).read()
    except (_NotBasicError, RhizomeError):
        return None


@lru_cache(maxsize=64)
def _read_prefixes(prologue: str) -> Mapping[str, str] | None:
    """Return namespace by prefix with its colon; None, kept as well, where one is not sure."""
    found: dict[str, str] = {}
    try:
        tokens = _tokens(prologue, 0)
    except (_NotBasicError, RhizomeError):
        return None
    for at in range(0, len(tokens), 3):
        part = tokens[at : at + 3]
        if [token.kind for token in part] != ["word", "name", "iri"]:
            return None
        word, name, iri = (token.text for token in part)
        if word.upper() != "PREFIX" or not _PREFIX.fullmatch(name) or not _is_absolute(iri):
            return None
        found[name] = iri[1:-1]
    return found


def _is_absolute(iri: str) -> bool:
    """Tell whether the engine takes what a prefix stands for: it reads those of no use, too."""
    if "\\" in iri:
        return False
    try:
        ox.NamedNode(iri[1:-1])
    except ValueError:
        return False
    return True


def _tokens(text: str, place: int) -> list[Token]:
    found: list[Token] = []
    while (token := read_token(text, place, is_after_operand=False)) is not None:
        if len(found) == _TOKENS:
            raise _NotBasicError
        found.append(token)
        place = token.end
    return found


class _Reader:
    """Reads the tokens of one query after its prologue."""

    def __init__(self, tokens: list[Token], prefixes: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._prefixes = prefixes
        self._at = 0
        self._patterns: list[Triple] = []
        self._met: dict[str, None] = {}
        self._counts: list[Count] = []

    def read(self) -> Basic:
        """Return the query."""
        variables: tuple[str, ...] | None = None
        is_all = is_distinct = False
        if not self._takes("ASK"):
            self._expect("SELECT")
            is_distinct = self._takes("DISTINCT")
            is_all = self._takes("*")
            variables = () if is_all else self._read_variables()
        self._takes("WHERE")
        self._expect("{")
        self._read_triples()
        groups = self._read_groups()
        if self._at != len(self._tokens) or not self._patterns:
            raise _NotBasicError
        if groups is not None:
            self._check_groups(variables, groups)
        elif is_all:
            variables = tuple(self._met)
        counts = tuple(self._counts)
        return Basic(variables, is_distinct, tuple(self._patterns), counts, groups)

    # --- triples ------------------------------------------------------------------------------

    def _read_triples(self) -> None:
        """Read triples up to the closing bracket."""
        while not self._takes("}"):
            subject = self._term(self._next())
            if subject.startswith('"'):
                raise _NotBasicError
            self._read_properties(subject)
            if not self._takes("."):
                self._expect("}")
                return

    def _read_properties(self, subject: str) -> None:
        while True:
            predicate = self._verb(self._next())
            while True:
                self._patterns.append((subject, predicate, self._term(self._next())))
                if not self._takes(","):
                    break
            if not self._takes(";"):
                return
            while self._takes(";"):
                pass
            if self._peek() in (".", "}"):
                return

    def _verb(self, token: Token) -> str:
        if token.kind == "word" and token.text == "a":
            return RDF_TYPE
        found = self._term(token)
        if found.startswith('"'):
            raise _NotBasicError
        return found

    def _term(self, token: Token) -> str:
        """Return a variable, or a term as N-Triples text."""
        text = token.text
        match token.kind:
            case "variable":
                return self._variable(text)
            case "iri" if "\\" not in text:
                return text
            case "name" if _NAME.fullmatch(text):
                prefix, _, local = text.partition(":")
                namespace = self._prefixes.get(f"{prefix}:")
                if namespace is not None:
                    return f"<{namespace}{local}>"
            case "string" if _STRING.fullmatch(text):
                return self._literal(text[1:-1])
        raise _NotBasicError

    def _literal(self, value: str) -> str:
        following = self._peek_token()
        if following is None or following.kind != "language":
            return write_literal(value)
        if not _LANGUAGE.fullmatch(following.text):
            raise _NotBasicError
        self._at += 1
        return write_literal(value, language=following.text[1:])

    def _variable(self, text: str) -> str:
        if not _VARIABLE.fullmatch(text):
            raise _NotBasicError
        self._met[text[1:]] = None
        return f"?{text[1:]}"

    def _read_variables(self) -> tuple[str, ...]:
        """Return the names that SELECT asks for, each once."""
        found: list[str] = []
        while True:
            if self._takes("("):
                self._counts.append(self._read_count())
                found.append(self._counts[-1].name)
            elif (token := self._peek_token()) is not None and token.kind == "variable":
                self._at += 1
                found.append(self._variable(token.text)[1:])
            else:
                break
        self._met.clear()
        if not found or len(set(found)) != len(found):
            raise _NotBasicError
        return tuple(found)

    # --- counts -------------------------------------------------------------------------------

    def _read_count(self) -> Count:
        """Read a count and its name, up to the closing bracket."""
        self._expect("COUNT")
        self._expect("(")
        is_distinct = self._takes("DISTINCT")
        of = None if self._takes("*") else self._variable(self._next().text)
        self._expect(")")
        self._expect("AS")
        name = self._variable(self._next().text)[1:]
        self._expect(")")
        return Count(name, of, is_distinct)

    def _read_groups(self) -> tuple[str, ...] | None:
        """Return the variables of GROUP BY; without one there may be a single group of all."""
        if not self._takes("GROUP"):
            return () if self._counts else None
        self._expect("BY")
        met, found = dict(self._met), list[str]()
        while (token := self._peek_token()) is not None and token.kind == "variable":
            self._at += 1
            found.append(self._variable(token.text))
        self._met = met
        if not found or len(set(found)) != len(found):
            raise _NotBasicError
        return tuple(found)

    def _check_groups(self, variables: tuple[str, ...] | None, groups: tuple[str, ...]) -> None:
        """Refuse what asks for more than groups and counts, or for what no pattern binds."""
        names = {each.name for each in self._counts}
        used = {group[1:] for group in groups} | {each.of[1:] for each in self._counts if each.of}
        plain = {f"?{name}" for name in variables or () if name not in names}
        if not variables or not plain <= set(groups) or not used <= set(self._met):
            raise _NotBasicError
        if not names.isdisjoint(self._met):
            raise _NotBasicError

    # --- tokens -------------------------------------------------------------------------------

    def _peek_token(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _peek(self) -> str | None:
        token = self._peek_token()
        return None if token is None or token.kind not in ("word", "sign") else token.text.upper()

    def _next(self) -> Token:
        token = self._peek_token()
        if token is None:
            raise _NotBasicError
        self._at += 1
        return token

    def _takes(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._at += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise _NotBasicError
