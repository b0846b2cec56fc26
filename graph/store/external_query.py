"""A query as another SPARQL server is given it: what is ours alone there stays out of sight.

Floor 1. `GRAPH ?g` would also find the graphs that keep the marker and the merged triples, and
those that a server brings with it. Each is left out by a filter behind the pattern, in the group
that holds it: there the variable is bound. It reads tokens, not grammar, after the guard has let
the text through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from graph.store.breadth import Breadth
from graph.store.tokens import Token, read_token, syntax_error

_ABSOLUTE: Final = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*:")
_FORMS: Final = frozenset({"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"})
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
