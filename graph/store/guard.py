"""The guard before the SPARQL engine: what a text is, and whether it may be tried at all.

Floor 1. It reads tokens, not grammar: enough to know the form and the graphs that are asked, and
that the text is not too long, deep or broad and calls nobody on the network. Behind it stands the
worker's sandbox; the guard saves a worker's life and names the place. It evaluates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from graph.errors import PayloadTooLargeError, QuerySyntaxError, QueryTooLargeError
from graph.settings import Settings
from graph.store.breadth import Breadth
from graph.store.prefixes import declare_prefix
from graph.store.tokens import LANGUAGE, Token, locate, read_token, syntax_error

#: Graphs that FROM and FROM NAMED, or the protocol, may name together.
FROM_MAX: Final = 16


def _read_words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FORMS: Final = frozenset({"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"})
_PROLOGUE: Final = frozenset({"BASE", "PREFIX", "VERSION"})
_UPDATES: Final = frozenset(
    {"INSERT", "DELETE", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH", "LOAD"}
)
_CLAUSES: Final = _read_words(
    "A AS ASC BIND BY DESC DISTINCT EXISTS FALSE FILTER FROM GRAPH GROUP HAVING IN LATERAL LIMIT "
    "MINUS NAMED NOT OFFSET OPTIONAL ORDER REDUCED SEPARATOR TRUE UNDEF UNION VALUES WHERE"
)
_FUNCTIONS: Final = _read_words(
    "ABS ADJUST AVG BNODE BOUND CEIL COALESCE CONCAT CONTAINS COUNT DATATYPE DAY ENCODE_FOR_URI "
    "FLOOR GROUP_CONCAT HASLANG HASLANGDIR HOURS IF IRI ISBLANK ISIRI ISLITERAL ISNUMERIC "
    "ISTRIPLE ISURI LANG LANGDIR LANGMATCHES LCASE MAX MD5 MIN MINUTES MONTH NOW OBJECT "
    "PREDICATE RAND REGEX REPLACE ROUND SAMETERM SAMPLE SECONDS SHA1 SHA256 SHA384 SHA512 STR "
    "STRAFTER STRBEFORE STRDT STRENDS STRLANG STRLANGDIR STRLEN STRSTARTS STRUUID SUBJECT SUBSTR "
    "SUM TIMEZONE TRIPLE TZ UCASE URI UUID YEAR"
)
#: Words of queries; a name that is none of them is refused before the engine sees it.
WORDS: Final = _FORMS | _PROLOGUE | _CLAUSES | _FUNCTIONS
# What they say differs from one evaluation to the next.
_UNSTEADY: Final = frozenset({"BNODE", "NOW", "RAND", "STRUUID", "UUID"})
_CUTS: Final = frozenset({"LIMIT", "OFFSET"})
_OUTSIDE: Final = -1
# In what reads as a name, where an engine might see a comparison or a difference.
_CALL: Final = re.compile(rf"(?:{'|'.join(sorted(_UNSTEADY))})\(|:-", re.IGNORECASE)
#: What gives the engine work, wherever it stands.
OPERATOR_WORDS: Final = frozenset(
    {"BIND", "EXISTS", "FILTER", "GRAPH", "IN", "MINUS", "NOT", "OPTIONAL", "UNION", "VALUES"}
)
OPERATOR_SIGNS: Final = frozenset(
    {"!", "!=", "&&", "*", "+", "-", "/", "<", "<=", "=", ">", ">=", "?", "^", "|", "||"}
)
_FORMS_SAID: Final = "SELECT, ASK, CONSTRUCT or DESCRIBE"
_BEGINNING: Final = f"a query begins with {_FORMS_SAID}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a text that may be tried is.

    `form` is SELECT, ASK, CONSTRUCT or DESCRIBE. `from_graphs` and `from_named_graphs` are the
    terms after FROM as the text has them; `prologue` is the text before the form, which declares
    their prefixes. `is_steady` tells that the same data give the same answer: nothing in it asks
    for the time or for chance. `is_cut` tells that LIMIT or OFFSET cut where nothing is ordered.
    """

    form: str
    prologue: str
    from_graphs: tuple[str, ...]
    from_named_graphs: tuple[str, ...]
    is_steady: bool = True
    is_cut: bool = False


def list_limits(text: str, settings: Settings) -> tuple[tuple[str, int], ...]:
    """Return the limits of a SPARQL text by name, if it is not too long.

    Raises
    ------
    PayloadTooLargeError
        It is too long: `sparql_body_bytes`.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > settings.sparql_body_bytes:
        raise PayloadTooLargeError("sparql_body_bytes", settings.sparql_body_bytes, size)
    return (
        ("sparql_nesting", settings.sparql_nesting),
        ("sparql_patterns", settings.sparql_patterns),
        ("sparql_operators", settings.sparql_operators),
        ("sparql_values", settings.sparql_values),
        ("sparql_operations", settings.sparql_operations),
    )


def check_query(text: str, settings: Settings) -> Checked:
    """Return what a query text is, if it may be tried.

    Raises
    ------
    QuerySyntaxError
        It is empty, an update, not closed, uses SERVICE, or a word or prefix that nobody knows.
    QueryTooLargeError
        It is too deep or too broad: `sparql_nesting`, `sparql_patterns`, `sparql_operators`,
        `sparql_values`, more than 16 graphs.
    PayloadTooLargeError
        It is too long: `sparql_body_bytes`.

    Cost: about 4 microseconds a token; the last 256 texts are remembered.
    """
    return _check(text, list_limits(text, settings))


# What was read of prologues: clients send the same one before all that they ask.
_PROLOGUES_KEPT: Final = 64
_PROLOGUE_CHARACTERS: Final = 4_000
_prologues: dict[str, frozenset[str]] = {}
_FORM_WORD: Final = re.compile(rf"\b(?:{'|'.join(_FORMS)})\s", re.IGNORECASE)


@lru_cache(maxsize=256)
def _check(text: str, limits: tuple[tuple[str, int], ...]) -> Checked:
    return _Guard(text, dict(limits)).check()


@dataclass(slots=True)
class _Guard:
    """One pass over the tokens of a text."""

    text: str
    limits: Mapping[str, int]
    form: str | None = None
    prologue: str = ""
    prefixes: set[str] = field(default_factory=set)
    graphs: list[str] = field(default_factory=list)
    named_graphs: list[str] = field(default_factory=list)
    operators: int = 0
    is_steady: bool = True
    is_cut: bool = False
    #: Where the brackets begin in which ORDER BY stands.
    ordered: set[int] = field(default_factory=set)
    last: tuple[str, str] = ("", "")

    def check(self) -> Checked:
        """Read the whole text."""
        breadth = Breadth(self.text, self.limits)
        place = self._skip_prologue()
        while True:
            is_after_operand = breadth.is_after_operand
            token = read_token(self.text, place, is_after_operand=is_after_operand)
            if token is None:
                break
            place = token.end
            if self.form is None:
                self._read_prologue(token)
            else:
                brackets = breadth.brackets
                self._read(token, brackets[-1].token.start if brackets else _OUTSIDE)
            if self.form is not None:
                breadth.take(token)
            self.last = (self.last[1], token.text.upper())
        breadth.end()
        if not self.last[1]:
            raise QuerySyntaxError(LANGUAGE, "the query is empty")
        if self.form is None:
            raise syntax_error(_BEGINNING, self.text, len(self.text))
        graphs = tuple(self.graphs), tuple(self.named_graphs)
        return Checked(self.form, self.prologue, *graphs, self.is_steady, self.is_cut)

    def _skip_prologue(self) -> int:
        """Return where the form begins if what stands before it was read before, else 0.

        The tokens are the same then: after the last of them stood a letter, too.
        """
        word = _FORM_WORD.search(self.text)
        if word is None or (known := _prologues.get(self.text[: word.start()])) is None:
            return 0
        self.prefixes = set(known)
        return word.start()

    def _keep_prologue(self) -> None:
        if len(_prologues) >= _PROLOGUES_KEPT:
            _prologues.clear()
        is_short = len(self.prologue) <= _PROLOGUE_CHARACTERS
        # Where a string ends may depend on what follows.
        if is_short and '"' not in self.prologue and "'" not in self.prologue:
            _prologues[self.prologue] = frozenset(self.prefixes)

    def _read_prologue(self, token: Token) -> None:
        word = token.text.upper()
        if token.kind == "name" and self.last[1] == "PREFIX":
            self.prefixes.add(token.text.partition(":")[0])
        elif token.kind == "word" and word in _FORMS:
            self.form, self.prologue = word, self.text[: token.start]
            self._keep_prologue()
        elif token.kind == "word" and word not in _PROLOGUE:
            self._refuse_word(token)
        elif token.kind not in ("iri", "string", "word"):
            raise syntax_error(_BEGINNING, self.text, token.start)

    def _read(self, token: Token, inside: int) -> None:
        """Check one token after the form; `inside` is where the bracket around it begins."""
        word = token.text.upper()
        if token.kind == "word":
            if word not in WORDS:
                self._refuse_word(token)
            if word in _UNSTEADY:
                self.is_steady = False
            if word in OPERATOR_WORDS:
                self._count_operator(token)
            if word == "ORDER":
                self.ordered.add(inside)
            elif word in _CUTS and inside not in self.ordered:
                self.is_cut = True
        elif token.kind == "sign" and token.text in OPERATOR_SIGNS:
            self._count_operator(token)
        elif token.kind == "name":
            self._check_prefix(token)
        if token.kind in ("iri", "name") and _CALL.search(token.text):
            self.is_steady = False
        if inside == _OUTSIDE and token.kind in ("iri", "name"):
            self._note_graph(token)

    def _check_prefix(self, token: Token) -> None:
        prefix = token.text.partition(":")[0]
        if prefix not in self.prefixes:
            detail = f"the prefix `{prefix}:` is not declared"
            line = declare_prefix(prefix)
            if line is not None:
                detail = f"{detail}; begin with {line}"
            raise syntax_error(detail, self.text, token.start)

    def _note_graph(self, token: Token) -> None:
        if self.last[1] == "FROM":
            self.graphs.append(token.text)
        elif self.last == ("FROM", "NAMED"):
            self.named_graphs.append(token.text)
        count = len(self.graphs) + len(self.named_graphs)
        if count > FROM_MAX:
            raise QueryTooLargeError("graphs in FROM", FROM_MAX, place=self._place(token))

    def _count_operator(self, token: Token) -> None:
        self.operators += 1
        allowed = self.limits["sparql_operators"]
        if self.operators > allowed:
            raise QueryTooLargeError("sparql_operators", allowed, place=self._place(token))

    def _refuse_word(self, token: Token) -> None:
        word = token.text.upper()
        if "SERVICE" in word:
            detail = "SERVICE is refused: a query reaches no other server"
        elif word == "LOAD":
            detail = "LOAD is refused: nothing is fetched from elsewhere"
        elif word in _UPDATES:
            detail = (
                f"{word} belongs to updates, sent by POST as `update`; a query is {_FORMS_SAID}"
            )
        elif self.form is None:
            detail = _BEGINNING
        else:
            detail = f"unknown word `{token.text[:40]}`"
        raise syntax_error(detail, self.text, token.start)

    def _place(self, token: Token) -> str:
        line, column = locate(self.text, token.start)
        return f"line {line}, column {column}"
