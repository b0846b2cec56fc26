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


#: Fields that shape a page and hold no node of their own: free of depth.
FREE: Final = frozenset(
    {"edges", "node", "nodes", "pageInfo", "aggregates", "groups", "keys"}
    | {"distinctCount", "sum", "average", "min", "max"}
)
_DESCRIBING: Final = frozenset({"__schema", "__type"})


class Counts(NamedTuple):
    """What a text holds: tokens, aliases, directives.

    `repeats` is how often one key stands in one selection set at the most, `nesting` how many sets
    are open at once. Of the operation that has most, with its fragments opened: `roots` root
    fields, of which `described` describe the schema, and `depth` entities below each other.
    """

    tokens: int
    aliases: int = 0
    directives: int = 0
    repeats: int = 0
    nesting: int = 0
    roots: int = 0
    described: int = 0
    depth: int = 0


def count_text(text: str, tokens_max: int) -> Counts:
    """Return the counts of a text; one token beyond `tokens_max` it is not read on.

    Examples
    --------
    >>> count_text("{ a: b(c: {d: 1}) @skip(if: true) ...on X { b b { c { d } } } }", 100)
    Counts(tokens=34, aliases=1, directives=1, repeats=2, nesting=4, roots=3, described=0, depth=2)
    """
    found = (match[0] for match in _TOKEN.finditer(text))
    tokens = list(islice((token for token in found if token[0] != "#"), tokens_max + 1))
    return _Scan(tokens).counts()


class _Definition:
    """What is seen of an operation or a fragment before its fragments are opened.

    `spreads` holds fragments with the depth of their places, `root_spreads` those that stand where
    root fields do.
    """

    def __init__(self, fragment: str | None = None) -> None:
        self.fragment = fragment
        self.roots = self.described = self.depth = 0
        self.root_spreads: list[str] = []
        self.spreads: list[tuple[str, int]] = []


class _Set(NamedTuple):
    """An open selection set: its keys, whether root fields stand in it, how deep it lies.

    What describes the schema has no depth.
    """

    keys: Counter[str]
    is_root: bool
    depth: int | None


class _Scan:
    """One reading of the tokens of a document."""

    def __init__(self, tokens: list[str]) -> None:
        self.size = len(tokens)
        self.tokens = [*tokens, ""]
        self.at = 0
        self.aliases = self.directives = self.repeats = self.nesting = 0
        self.sets: list[_Set] = []
        self.definition: _Definition | None = None
        self.operations: list[_Definition] = []
        self.fragments: dict[str, _Definition] = {}
        #: The field to which the next set belongs; of a fragment or an operation it is none.
        self.field: str | None = None

    def counts(self) -> Counts:
        """Read all tokens, and return what they hold."""
        brackets = 0
        while self.at < self.size:
            token = self.tokens[self.at]
            self.at += 1
            if token == "@":
                self.directives += 1
                self.at += 1  # its name
            elif token in "()":
                brackets += 1 if token == "(" else -1
            elif brackets > 0:
                continue  # arguments
            elif token == "{":
                self._open()
            elif token == "}":
                self._close()
            elif token == "...":
                self._spread()
            elif token.isidentifier():
                if self.sets:
                    self._name(token)
                else:
                    self._head(token)
        self._end()  # what stands open at the end counts, too
        opened = _Opened(self.fragments)
        of_roots = [opened.roots(operation) for operation in self.operations]
        return Counts(
            self.size,
            self.aliases,
            self.directives,
            self.repeats,
            self.nesting,
            max((roots for roots, _ in of_roots), default=0),
            max((described for _, described in of_roots), default=0),
            max(map(opened.depth, self.operations), default=0),
        )

    def _head(self, token: str) -> None:
        """Read the beginning of a definition, up to its name."""
        if self.definition is not None:
            return  # the type of a fragment
        name = self.tokens[self.at]
        self.definition = _Definition(name if token == "fragment" else None)
        self.at += name.isidentifier()

    def _open(self) -> None:
        field, self.field = self.field, None
        if not self.sets:
            self.definition = self.definition or _Definition()
            self.sets.append(_Set(Counter(), is_root=True, depth=0))
        elif field is None:
            around = self.sets[-1]
            self.sets.append(_Set(Counter(), around.is_root, around.depth))
        else:
            depth = None if field.startswith("__") else self.sets[-1].depth
            if depth is not None and field not in FREE:
                depth += 1
            self.sets.append(_Set(Counter(), is_root=False, depth=depth))
            if depth is not None and self.definition is not None:
                self.definition.depth = max(self.definition.depth, depth)
        self.nesting = max(self.nesting, len(self.sets))

    def _close(self) -> None:
        self.field = None
        if self.sets:
            self.sets.pop()
        if not self.sets:
            self._end()

    def _end(self) -> None:
        """Note the definition that was read."""
        if self.definition is not None:
            if self.definition.fragment is None:
                self.operations.append(self.definition)
            else:
                self.fragments[self.definition.fragment] = self.definition
        self.definition = None

    def _spread(self) -> None:
        self.field, name = None, self.tokens[self.at]
        if name == "on":
            self.at += 2
        elif name.isidentifier():
            self.at += 1
            if self.sets and self.definition is not None:
                if self.sets[-1].is_root:
                    self.definition.root_spreads.append(name)
                if self.sets[-1].depth is not None:
                    self.definition.spreads.append((name, self.sets[-1].depth))

    def _name(self, key: str) -> None:
        """Read a field: its key is its alias, if it has one."""
        self.field = key
        if self.tokens[self.at] == ":":
            self.aliases += 1
            self.field = self.tokens[self.at + 1] if self.at < self.size else ""
            self.at += 2  # the field that is called so
        around = self.sets[-1]
        around.keys[key] += 1
        self.repeats = max(self.repeats, around.keys[key])
        if around.is_root and self.definition is not None:
            self.definition.roots += 1
            self.definition.described += self.field in _DESCRIBING


class _Opened:
    """Counts of definitions, their fragments opened."""

    def __init__(self, fragments: dict[str, _Definition]) -> None:
        self.fragments = fragments
        self._depths: dict[str, int] = {}

    def roots(self, operation: _Definition) -> tuple[int, int]:
        """Return the root fields, each fragment's once, and those that describe the schema."""
        seen, left = set[str](), [operation]
        roots = described = 0
        while left:
            definition = left.pop()
            roots += definition.roots
            described += definition.described
            for name in definition.root_spreads:
                if name not in seen and name in self.fragments:
                    seen.add(name)
                    left.append(self.fragments[name])
        return roots, described

    def depth(self, definition: _Definition) -> int:
        """Return how many entities lie below each other; of a circle of fragments, one round."""
        spreads = (at + self._depth_of(name) for name, at in definition.spreads)
        return max([definition.depth, *spreads])

    def _depth_of(self, name: str) -> int:
        if name not in self._depths:
            self._depths[name] = 0  # what is met within itself
            fragment = self.fragments.get(name)
            self._depths[name] = 0 if fragment is None else self.depth(fragment)
        return self._depths[name]
