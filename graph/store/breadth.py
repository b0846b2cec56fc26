"""How deep and how broad a SPARQL text is, counted while its tokens pass.

Floor 1. Brackets are kept with what they hold, so that triple patterns can be counted by group:
the engine's planner takes 45 ms for a group of 40 and 3 s for one of 100 (decision 0014). It
reads tokens, not grammar: what is not well formed is left to the engine to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from graph.errors import QueryTooLargeError
from graph.store.tokens import Token, locate, syntax_error

#: Kinds of tokens that are values, as far as triples go.
TERMS: Final = frozenset({"iri", "name", "variable", "blank", "string", "number"})
_VALUE_WORDS: Final = frozenset({"a", "true", "false", "undef"})
_CLOSING: Final = {"{": "}", "(": ")", "[": "]", "<<(": ")>>", "<<": ">>", "{|": "|}"}
# `}` is that of EXISTS.
_ENDS_OPERAND: Final = frozenset({")", "}", ")>>", ">>"})
_CLOSED: Final = frozenset(_CLOSING.values())
_WITH_TRIPLES: Final = frozenset({"group", "template", "properties"})
# Their patterns are planned apart from those around them.
_APART: Final = frozenset({"MINUS", "EXISTS"})

# What is written, not asked: its triples cost the planner nothing.
_BEFORE_TEMPLATE: Final = frozenset({"CONSTRUCT", "DATA", "DELETE", "INSERT"})

# Where in a triple the next term stands.
_SUBJECT, _VERB, _OBJECT, _END = range(4)
_ENDING: Final = frozenset({".", ";", ",", "}", "]"})
_AFTER_SIGN: Final = {".": _SUBJECT, ";": _VERB, ",": _OBJECT}


@dataclass(slots=True)
class _Bracket:
    """An open bracket.

    `kind` is group, template, properties, collection, path, expression, values, row or triple.
    For groups: `patterns` counts the triple patterns planned together; `pending` are those of
    the group that closed last, which count unless UNION follows; `before` is the word that
    stands before it, `is_chain` tells whether a UNION is at hand, `is_select` a sub-query.
    """

    kind: str
    token: Token
    state: int = _SUBJECT
    patterns: int = 0
    pending: int = 0
    before: str = ""
    is_chain: bool = False
    is_select: bool = False


@dataclass(slots=True)
class Breadth:
    """The counts of one text, over its tokens but for those of the prologue."""

    text: str
    limits: Mapping[str, int]
    brackets: list[_Bracket] = field(default_factory=list)
    values: int = 0
    _before: Token | None = None
    _before_that: Token | None = None
    _awaits_values: bool = False

    @property
    def is_after_operand(self) -> bool:
        """Whether the next token follows a value in an expression: there `<` compares."""
        if not self.brackets or self.brackets[-1].kind != "expression" or self._before is None:
            return False
        before = self._before
        return (
            before.kind in TERMS
            or before.kind == "language"
            or before.text in _ENDS_OPERAND
            or before.text.lower() in _VALUE_WORDS
        )

    def take(self, token: Token) -> None:
        """Count one token.

        Raises
        ------
        QueryTooLargeError
            A limit is passed with it.
        QuerySyntaxError
            It closes what is not open, or opens a group where only SERVICE could.
        """
        top = self.brackets[-1] if self.brackets else None
        if top is not None:
            self._settle(top, token)
            self._check_triple(top, token)
        if token.text in _CLOSING:
            self._open(top, token)
        elif token.text in _CLOSED:
            self._close(top, token)
        elif token.kind == "word" and token.text.lower() not in _VALUE_WORDS:
            self._take_word(top, token.text.upper())
        elif top is not None and token.kind == "sign":
            self._take_sign(top, token)
        elif top is not None and not self._is_of_literal(token):
            self._put_term(top, token)
        self._before_that, self._before = self._before, token

    def end(self) -> None:
        """Check that everything was closed."""
        if self.brackets:
            opened = self.brackets[-1].token
            raise syntax_error(f"`{opened.text}` is not closed", self.text, opened.start)

    def _check_triple(self, top: _Bracket, token: Token) -> None:
        """Refuse a triple that ends too early: the engine would name the end of the text."""
        is_word = token.kind == "word" and token.text.lower() not in _VALUE_WORDS
        if not self._holds_triples(top) or not (is_word or token.text in _ENDING):
            return
        if top.state == _OBJECT:
            raise syntax_error("a value is missing before this", self.text, token.start)
        if top.state == _VERB and self._follows_term():
            detail = "a predicate and a value are missing before this"
            raise syntax_error(detail, self.text, token.start)

    def _take_word(self, top: _Bracket | None, word: str) -> None:
        self._awaits_values = word == "VALUES"
        if top is None or top.kind not in ("group", "template"):
            return
        top.state = _SUBJECT
        top.is_select = top.is_select or word == "SELECT"

    def _take_sign(self, top: _Bracket, token: Token) -> None:
        if self._holds_triples(top):
            if token.text in _AFTER_SIGN:
                top.state = _AFTER_SIGN[token.text]
            elif token.text in ("/", "|") and top.state == _OBJECT:
                top.state = _VERB  # the path goes on
        if token.text == "/" and top.kind != "expression":
            self._count_patterns(1, token)

    def _open(self, top: _Bracket | None, token: Token) -> None:
        allowed = self.limits["sparql_nesting"]
        if len(self.brackets) >= allowed:
            raise QueryTooLargeError("sparql_nesting", allowed, place=self._place(token))
        match token.text:
            case "{":
                kind = self._kind_of_braces(top, token)
            case "(":
                kind = self._kind_of_parentheses(top)
            case "<<(" | "<<":
                kind = "triple"
            case _:
                kind = "properties"
        bracket = _Bracket(kind, token, state=_VERB if kind == "properties" else _SUBJECT)
        if kind == "group":
            bracket.before = self._word_before()
        self.brackets.append(bracket)

    def _kind_of_braces(self, top: _Bracket | None, token: Token) -> str:
        if self._awaits_values:
            self._awaits_values = False
            return "values"
        if top is None:
            return "template" if self._word_before() in _BEFORE_TEMPLATE else "group"
        if top.kind == "template":
            return "template"  # GRAPH in an update
        # Inside a triple the engine, which needs no space between words, could read SERVICE.
        is_inside = top.kind == "group" and top.state in (_VERB, _OBJECT)
        if is_inside and self._follows_term() and self._word_before_that() != "GRAPH":
            detail = "`{` cannot stand here (a group after a term needs GRAPH; no SERVICE)"
            raise syntax_error(detail, self.text, token.start)
        return "group"

    def _kind_of_parentheses(self, top: _Bracket | None) -> str:
        if self._awaits_values or (top is not None and top.kind == "values"):
            return "row"
        if top is None or top.kind == "expression" or top.is_select:
            return "expression"
        if top.kind in ("path", "collection", "row"):
            return top.kind
        before = self._before
        if before is not None and before.kind == "word" and before.text.lower() not in _VALUE_WORDS:
            return "expression"
        if self._word_before_that() == "FILTER":
            return "expression"  # a function named by an IRI
        return "path" if top.state == _VERB else "collection"

    def _close(self, top: _Bracket | None, token: Token) -> None:
        if top is None or _CLOSING[top.token.text] != token.text:
            raise syntax_error(f"`{token.text}` closes nothing", self.text, token.start)
        self.brackets.pop()
        if not self.brackets:
            return
        around = self.brackets[-1]
        if top.kind == around.kind == "template":
            around.state = _SUBJECT
        elif top.kind == "group" and around.kind == "group":
            around.state = _SUBJECT
            if top.before == "UNION":
                around.is_chain = True
            elif top.before not in _APART:
                around.pending = 1 if top.is_select else top.patterns
        elif top.kind in ("expression", "values") and around.kind == "group":
            around.state = _SUBJECT
        elif top.kind == "path" and around.kind in _WITH_TRIPLES:
            around.state = _OBJECT
        elif top.kind in ("collection", "triple") or token.text == "]":
            self._put_term(around, token)

    def _settle(self, group: _Bracket, token: Token) -> None:
        """Count the group that closed last, now that the next token tells what it was part of."""
        is_union = token.kind == "word" and token.text.upper() == "UNION"
        if is_union and not group.is_chain:
            group.pending, group.is_chain = 1, True
        elif is_union:
            return
        elif token.text != "{" or self._word_before() != "UNION":
            group.is_chain = False
        if group.pending:
            patterns, group.pending = group.pending, 0
            self._add_patterns(group, patterns, token)

    def _put_term(self, top: _Bracket, token: Token) -> None:
        """Take a term, or a bracket that stands for one, into what is at hand."""
        if self._awaits_values:
            return  # a variable of VALUES
        if self._holds_triples(top):
            if top.state == _OBJECT:
                self._count_patterns(1, token)
            top.state = _VERB if top.state == _END else top.state + 1
        elif top.kind == "collection":
            self._count_patterns(2, token)
        elif top.kind in ("values", "row"):
            self.values += 1
            self._check("sparql_values", self.values, token)

    def _holds_triples(self, top: _Bracket) -> bool:
        """Tell whether terms here make triples; between SELECT and its group they do not."""
        return top.kind in _WITH_TRIPLES and not top.is_select

    def _follows_term(self) -> bool:
        return self._before is not None and self._before.kind in TERMS

    def _count_patterns(self, count: int, token: Token) -> None:
        group = next((b for b in reversed(self.brackets) if b.kind in ("group", "template")), None)
        if group is not None and group.kind == "group":
            self._add_patterns(group, count, token)

    def _add_patterns(self, group: _Bracket, count: int, token: Token) -> None:
        group.patterns += count
        self._check("sparql_patterns", group.patterns, token)

    def _is_of_literal(self, token: Token) -> bool:
        """Tell whether a token is language or datatype of the literal before it."""
        is_datatype = self._before is not None and self._before.text == "^^"
        return token.kind == "language" or is_datatype

    def _word_before(self) -> str:
        return "" if self._before is None else self._before.text.upper()

    def _word_before_that(self) -> str:
        return "" if self._before_that is None else self._before_that.text.upper()

    def _check(self, limit: str, count: int, token: Token) -> None:
        if count > self.limits[limit]:
            raise QueryTooLargeError(limit, self.limits[limit], place=self._place(token))

    def _place(self, token: Token) -> str:
        line, column = locate(self.text, token.start)
        return f"line {line}, column {column}"
