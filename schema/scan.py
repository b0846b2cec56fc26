"""Counts what the text of a GraphQL document holds, before it is parsed.

Floor 4. Parsing takes some microseconds a token, looking at the tokens a tenth of that: what is
refused here has cost next to nothing. Of a document that can be parsed the counts are exact; of
another they say as much as is needed to refuse it.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from typing import Final, NamedTuple

#: Ignored tokens do not match, comments and strings do so whole. What stands open goes on to its
#: end, so that no character is looked at again: a search that fails begins anew at the next one.
_TOKEN: Final = re.compile(
    r'"""(?:\\"""|(?!""").)*+(?:""")?'
    r'|"(?:[^"\\\n\r]|\\.)*+"?'
    r"|\#[^\n\r]*+"
    r"|[A-Za-z_][0-9A-Za-z_]*+"
    r"|-?[0-9][0-9A-Za-z_.]*+(?:(?<=[eE])[+-][0-9]*+)?"
    r"|\.\.\."
    r"|[!$&()*:=?@\[\]{|}]",
    re.DOTALL,
)


class Counts(NamedTuple):
    """What a text holds: tokens, aliases, directives.

    `repeats` is how often one key stands in one selection set at the most, `nesting` how many sets
    are open at once.
    """

    tokens: int
    aliases: int
    directives: int
    repeats: int
    nesting: int


def count_text(text: str, tokens_max: int) -> Counts:
    """Return the counts of a text; one token beyond `tokens_max` it is not read on.

    Examples
    --------
    >>> count_text("{ a: b(c: {d: 1}) @skip(if: true) ...on X { b b } }", 100)
    Counts(tokens=28, aliases=1, directives=1, repeats=2, nesting=2)
    """
    found = (match[0] for match in _TOKEN.finditer(text))
    tokens = list(islice((token for token in found if token[0] != "#"), tokens_max + 1))
    aliases = directives = repeats = nesting = brackets = at = 0
    sets: list[Counter[str]] = []
    count = len(tokens)
    tokens.append("")
    while at < count:
        token = tokens[at]
        at += 1
        if token == "@":
            directives += 1
            at += 1  # its name
        elif token in "()":
            brackets += 1 if token == "(" else -1
        elif brackets > 0:
            continue  # arguments
        elif token == "{":
            sets.append(Counter())
            nesting = max(nesting, len(sets))
        elif token == "}":
            if sets:
                sets.pop()
        elif token == "...":
            at += 2 if tokens[at] == "on" else tokens[at].isidentifier()
        elif sets and token.isidentifier():
            if tokens[at] == ":":
                aliases += 1
                at += 2  # the field that is called so
            keys = sets[-1]
            keys[token] += 1
            repeats = max(repeats, keys[token])
    return Counts(count, aliases, directives, repeats, nesting)
