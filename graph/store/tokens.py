"""The tokens of a SPARQL text: where strings, IRIs and comments begin and end.

Floor 1. One token at a time, since `<` begins an IRI or compares, as the place decides. Nothing
here knows what tokens mean; text is never changed.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from graph.errors import QuerySyntaxError

#: What a SPARQL text is called in errors.
LANGUAGE: Final = "SPARQL"

_NAME: Final = r"\w\u00B7\u0300-\u036F\u203F\u2040\u200C\u200D"
# No part is tried twice (possessive quantifiers) and a prefix has an end, so that time grows with
# the text and no more.
_TOKEN: Final = re.compile(
    rf"""
    (?: [ \t\r\n]++ | \#[^\r\n]*+ )*+
    (?:
      (?P<iri>     <(?:[^<>"{{}}|^`\\\x00-\x20]|\\u[0-9A-Fa-f]{{4}}|\\U[0-9A-Fa-f]{{8}})*+> )
    | (?P<string>  \"\"\"(?:[^"\\]|\\.|"(?!""))*+\"\"\" | '''(?:[^'\\]|\\.|'(?!''))*+'''
                 | "(?:[^"\\\n\r]|\\.)*+" | '(?:[^'\\\n\r]|\\.)*+' )
    | (?P<variable>[?$][{_NAME}]++ )
    | (?P<blank>   _:[{_NAME}.-]++ )
    | (?P<name>    (?:[^\W\d_][{_NAME}.-]{{0,200}}+)?+:
                   (?:[{_NAME}.:-]|%[0-9A-Fa-f]{{2}}|\\[_~.\-!$&'()*+,;=/?\#@%])*+ )
    | (?P<language>@[A-Za-z]++(?:-++[A-Za-z0-9]++)*+ )
    | (?P<number>  (?:\d++(?:\.\d++)?|\.\d++)(?:[eE][+-]?\d++)? | \d++\.[eE][+-]?\d++ )
    | (?P<word>    [A-Za-z][A-Za-z0-9_]*+ )
    | (?P<sign>    \^\^ | \|\| | && | != | <= | >= | <<\( | \)>> | << | >> | \{{\| | \|\}}
                 | [{{}}()\[\].,;|/^*+?!=<>~-] )
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACE: Final = re.compile(r"(?:[ \t\r\n]++|\#[^\r\n]*+)*+")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_DOTS: Final = re.compile(r"(?<!\\)\.+$")


_ESCAPED: Final = frozenset("tbnrf\"'\\")


class Token(NamedTuple):
    """A token: `kind` is the name of its group, `start` and `end` its place in the text."""

    kind: str
    text: str
    start: int
    end: int


def read_token(text: str, place: int, *, is_after_operand: bool) -> Token | None:
    """Return the next token from a place on, spaces and comments left out; None at the end.

    Parameters
    ----------
    text : str
    place : int
    is_after_operand : bool
        Inside an expression, after a value: there `<` compares.

    Raises
    ------
    QuerySyntaxError
        No token begins there: a string that is not closed, a character out of place, an escape
        that SPARQL does not have.
    """
    match = _TOKEN.match(text, place)
    if match is None:
        place = _SPACE.match(text, place).end()  # type: ignore[union-attr]  # it may be empty
        if place == len(text):
            return None
        raise _no_token(text, place)
    kind: str = match.lastgroup  # type: ignore[assignment]  # each alternative is one
    found = match[kind]
    start, end = match.span(kind)
    if is_after_operand and found[0] == "<":
        found = "<=" if text.startswith("<=", start) else "<"
        return Token("sign", found, start, start + len(found))
    if "\\" in found and kind in ("string", "iri"):
        _check_escapes(found, text, start)
    if found[-1] == "." and kind in ("name", "blank"):
        # A dot at the end belongs to the sentence, unless it is escaped.
        found = _DOTS.sub("", found)
        end = start + len(found)
    return Token(kind, found, start, end)


def locate(text: str, place: int) -> tuple[int, int]:
    """Return line and column of a place, both from 1."""
    line_start = text.rfind("\n", 0, place) + 1
    return text.count("\n", 0, place) + 1, place - line_start + 1


def syntax_error(detail: str, text: str, place: int) -> QuerySyntaxError:
    """Return the error for a place of a text, with what stands there."""
    line, column = locate(text, place)
    whole = text.split("\n", line)[line - 1]
    start = max(0, column - 31)
    return QuerySyntaxError(LANGUAGE, detail, line, column, whole[start : start + 60])


def _check_escapes(found: str, text: str, start: int) -> None:
    """Refuse an escape that SPARQL does not know: an engine may end the token otherwise there."""
    for escape in _ESCAPE.finditer(found):
        code = escape[1] or escape[2]
        is_known = escape[3] in _ESCAPED if code is None else _is_character(int(code, 16))
        if not is_known:
            detail = f"{escape[0]} is no escape of SPARQL; a backslash is written \\\\"
            raise syntax_error(detail, text, start + escape.start())


def _is_character(code: int) -> bool:
    return code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF


def _no_token(text: str, place: int) -> QuerySyntaxError:
    character = text[place]
    if character in "\"'":
        return syntax_error("this string is not closed", text, place)
    if character == "\\":
        detail = "escapes such as \\u0041 stand in strings and IRIs only"
        return syntax_error(detail, text, place)
    return syntax_error(f"unexpected character {character!r}", text, place)
