"""The tokens of a SPARQL text: where strings, IRIs and comments begin and end.

Floor 1. One token at a time, since `<` begins an IRI or compares, as the place decides. Nothing
here knows what tokens mean; text is never changed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import Final, NamedTuple

from graph.errors import QuerySyntaxError

#: What a SPARQL text is called in errors.
LANGUAGE: Final = "SPARQL"

# The ranges of the grammar: PN_CHARS_BASE, what VARNAME has beside them and the digits, and
# PN_CHARS. The engine's are the same up to U+FFFF; it reads no name with what is beyond.
_BASE: Final = (
    r"A-Za-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C\u200D"
    r"\u2070-\u218F\u2C00-\u2FEF\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\U00010000-\U000EFFFF"
)
_FIRST: Final = rf"{_BASE}_0-9"
_VARIABLE: Final = rf"{_FIRST}\u00B7\u0300-\u036F\u203F\u2040"
_NAME: Final = rf"{_VARIABLE}\-"
#: Prefixes up to so many characters are found at once; what is longer is looked up.
_SHORT: Final = 200
_LOCAL: Final = rf"""
    (?: (?: [{_FIRST}:] | %[0-9A-Fa-f]{{2}} | \\[_~.\-!$&'()*+,;=/?\#@%] )
        (?: [{_NAME}.:] | %[0-9A-Fa-f]{{2}} | \\[_~.\-!$&'()*+,;=/?\#@%] )*+ )?+
"""
# No part is tried twice (possessive quantifiers) and a prefix has an end, so that time grows with
# the text and no more.
_TOKEN: Final = re.compile(
    rf"""
    (?: [ \t\r\n]++ | \#[^\r\n]*+ )*+
    (?:
      (?P<iri>     <(?:[^<>"{{}}|^`\\\x00-\x20]|\\u[0-9A-Fa-f]{{4}}|\\U[0-9A-Fa-f]{{8}})*+> )
    | (?P<string>  \"\"\"(?:[^"\\]|\\.|"(?!""))*+\"\"\" | '''(?:[^'\\]|\\.|'(?!''))*+'''
                 | "(?:[^"\\\n\r]|\\.)*+" | '(?:[^'\\\n\r]|\\.)*+' )
    | (?P<variable>[?$][{_FIRST}][{_VARIABLE}]*+ )
    | (?P<blank>   _:[{_FIRST}][{_NAME}.]*+ )
    | (?P<name>    (?:[{_BASE}][{_NAME}.]{{0,{_SHORT}}}+(?<!\.))?+:{_LOCAL} )
    | (?P<long>    [{_BASE}][{_NAME}.]{{{_SHORT}}}+(?=[{_NAME}.]) )
    | (?P<language>@[A-Za-z]++(?:-++[A-Za-z0-9]++)*+ )
    | (?P<number>  [0-9]++(?:\.[0-9]*+[eE][+-]?+[0-9]++|[eE][+-]?+[0-9]++|\.[0-9]++)?+
                 | \.[0-9]++(?:[eE][+-]?+[0-9]++)?+ )
    | (?P<word>    [A-Za-z][A-Za-z0-9_]*+ )
    | (?P<sign>    \^\^ | \|\| | && | != | <= | >= | <<\( | \)>> | << | >> | \{{\| | \|\}}
                 | [{{}}()\[\].,;|/^*+?!=<>~-] )
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_RUN: Final = re.compile(rf"[{_NAME}.]++")
_REST: Final = re.compile(rf"(?<!\.):{_LOCAL}", re.VERBOSE)
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*+")
_SPACE: Final = re.compile(r"(?:[ \t\r\n]++|\#[^\r\n]*+)*+")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)

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
    start = match.start(kind)
    if is_after_operand and found[0] == "<":
        found = "<=" if text.startswith("<=", start) else "<"
        return Token("sign", found, start, start + len(found))
    if kind == "long":
        return _read_long(text, start)
    if "\\" in found and kind in ("string", "iri"):
        _check_escapes(found, text, start)
    return _trim(kind, found, start)


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


def _trim(kind: str, found: str, start: int) -> Token:
    """Return a token without the dots at its end: they are the sentence's, unless escaped."""
    if found[-1] == "." and kind in ("name", "blank"):
        trimmed = found.rstrip(".")
        found = f"{trimmed}." if trimmed[-1] == "\\" else trimmed
    return Token(kind, found, start, start + len(found))


def _read_long(text: str, start: int) -> Token:
    """Return the name with the long prefix that begins at a place, or the word there."""
    ends = _find_long_runs(text)
    rest = _REST.match(text, ends[bisect_right(ends, start)])
    if rest is not None:
        return _trim("name", text[start : rest.end()], start)
    word = _WORD.match(text, start)
    if word is None:
        raise _no_token(text, start)
    return Token("word", word[0], start, word.end())


@lru_cache(maxsize=16)
def _find_long_runs(text: str) -> tuple[int, ...]:
    """Return where what could be a long prefix ends: once for a text, whoever asks within one."""
    return tuple(run.end() for run in _RUN.finditer(text) if run.end() - run.start() > _SHORT)


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
