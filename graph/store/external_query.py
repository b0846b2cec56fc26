"""A query as another SPARQL server is given it: what is ours alone there stays out of sight.

Floor 1. `GRAPH ?g` would also find the graphs that keep the marker and the merged triples, and
those that a server brings with it. Each is left out by a filter behind the pattern, in the group
that holds it: there the variable is bound. Functions that a server has besides those of SPARQL are
refused: Virtuoso's run SQL and fetch addresses for whoever may ask. It reads tokens, not grammar,
after the guard has let the text through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from graph.store.breadth import Breadth
from graph.store.tokens import Token, read_token, syntax_error
from graph.terms import XSD

_ABSOLUTE: Final = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*:")
_FORMS: Final = frozenset({"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"})
#: Schemes, and names of prefixes, by which servers call into their own languages: Virtuoso, Jena.
_CALLING: Final = ("bif", "sql", "java")
_ESCAPED: Final = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
#: What stands before the name of a function in an expression, besides words.
_BEFORE_CALLS: Final = frozenset(
    ("(", ",", "=", "!=", "<", ">", "<=", ">=", "&&", "||", "!", "+", "-", "*", "/")
)
#: Nothing is counted here: the guard did.
_NO_LIMITS: Final = dict.fromkeys(
    (
        "sparql_nesting",
        "sparql_patterns",
        "sparql_operators",
        "sparql_values",
        "sparql_operations",
    ),
    1 << 60,
)


def hide_graphs(text: str, hidden: Iterable[str]) -> str:
    """Return a query that finds no graph of some by `GRAPH ?variable`.

    Parameters
    ----------
    text : str
        A query that the guard has let through.
    hidden : iterable of IRIs

    Examples
    --------
    >>> hide_graphs("ASK { GRAPH ?g { ?s ?p ?o } }", ["http://e/m"])
    'ASK { GRAPH ?g { ?s ?p ?o } FILTER(?g != <http://e/m>) }'
    """
    names = tuple(hidden)
    if not names:
        return text
    inserted: list[tuple[int, str]] = []
    # Of each open brace: the variable of the GRAPH whose pattern it holds.
    opened: list[str | None] = []
    before: list[Token] = []
    for token in _read_tokens(text):
        if token.text == "{":
            is_graph = (
                len(before) == 2
                and before[1].kind == "variable"
                and before[0].kind == "word"
                and before[0].text.upper() == "GRAPH"
            )
            opened.append(before[1].text if is_graph else None)
        elif token.text == "}" and opened and (variable := opened.pop()) is not None:
            # Not by NOT IN: more than one graph in its list overflows Virtuoso's stack.
            condition = " && ".join(f"{variable} != <{iri}>" for iri in names)
            inserted.append((token.end, f" FILTER({condition})"))
        before = [*before[-1:], token]
    pieces, place = [], 0
    for at, piece in sorted(inserted, key=lambda each: each[0]):
        pieces += [text[place:at], piece]
        place = at
    return "".join([*pieces, text[place:]])


def refuse_relative(text: str) -> None:
    """Refuse a query with an IRI that only the server's own address would complete.

    Raises
    ------
    QuerySyntaxError
        There is one, and no BASE.
    """
    is_based = False
    for token in _read_tokens(text):
        if token.kind == "word" and token.text.upper() == "BASE":
            is_based = True
        elif token.kind == "iri" and not is_based and not _ABSOLUTE.match(token.text):
            detail = "a relative IRI needs a BASE: write it whole"
            raise syntax_error(detail, text, token.start)


def refuse_escapes(text: str) -> None:
    r"""Refuse `\u0022` and the like: some servers read them before they look for strings.

    Raises
    ------
    QuerySyntaxError
        An escape stands for an ASCII character.

    Examples
    --------
    >>> refuse_escapes('ASK { ?s ?p "\\u00e9" }')
    >>> refuse_escapes('ASK { ?s ?p "\\u0022" }')
    Traceback (most recent call last):
    graph.errors.data.QuerySyntaxError: ...
    """
    for escape in _ESCAPED.finditer(text):
        if int(escape[1] or escape[2], 16) < 0x80:
            detail = f"{escape[0]} stands for a character that can be written as it is"
            raise syntax_error(detail, text, escape.start())


def refuse_functions(text: str) -> None:
    """Refuse a query that calls what is no function of SPARQL; casts to XML Schema types pass.

    Also refused is whatever is named by a scheme that servers call by, wherever it stands.

    Raises
    ------
    QuerySyntaxError
        It does.

    Examples
    --------
    >>> refuse_functions("SELECT (<bif:exec>('select 1') AS ?x) {}")
    Traceback (most recent call last):
    graph.errors.data.QuerySyntaxError: ...
    """
    casts: set[str] = set()  # prefixes of the types of XML Schema
    before = named = Token("", "", 0, 0)  # the two tokens before
    for token in _read_tokens(text):
        iri = _unescape(token.text[1:-1]) if token.kind == "iri" else ""
        prefix = token.text.partition(":")[0] if token.kind == "name" else ""
        if prefix.lower() in _CALLING or iri.partition(":")[0].lower() in _CALLING:
            detail = "names of this kind call into the SPARQL server: they are refused"
            raise syntax_error(detail, text, token.start)
        if iri and named.kind == "name" and before.text.upper() == "PREFIX":
            name = named.text.partition(":")[0]
            (casts.add if iri == XSD else casts.discard)(name)
        if token.text == "(" and named.kind in ("iri", "name"):
            is_cast = (
                _unescape(named.text[1:-1]).startswith(XSD)
                if named.kind == "iri"
                else named.text.partition(":")[0] in casts
            )
            is_call = before.kind == "word" or before.text in _BEFORE_CALLS
            if is_call and not is_cast:
                detail = "functions of other vocabularies are refused"
                raise syntax_error(detail, text, named.start)
        before, named = named, token


def _unescape(iri: str) -> str:
    """Return an IRI without the escapes that SPARQL has for any character."""
    return _ESCAPED.sub(lambda found: chr(int(found[1] or found[2], 16) % 0x110000), iri)


def _read_tokens(text: str) -> Iterator[Token]:
    breadth = Breadth(text, _NO_LIMITS)
    place, is_body = 0, False
    while True:
        token = read_token(text, place, is_after_operand=breadth.is_after_operand)
        if token is None:
            return
        place = token.end
        is_body = is_body or (token.kind == "word" and token.text.upper() in _FORMS)
        if is_body:
            breadth.take(token)
        yield token
