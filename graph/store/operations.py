"""The operations of an update, read from its tokens: what each writes, and what is refused.

Floor 1. One pass, for `graph/store/updates.py`, which makes of them what may be tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from graph.errors import QueryTooLargeError
from graph.store.breadth import Breadth
from graph.store.guard import OPERATOR_SIGNS, OPERATOR_WORDS, WORDS
from graph.store.parts import Span
from graph.store.prefixes import declare_prefix
from graph.store.tokens import Token, locate, read_token, syntax_error

#: What LOAD is given instead of an address: nothing can be fetched from it, on any system.
NOWHERE: Final = "<about:invalid>"

_MANAGEMENT: Final = frozenset({"LOAD", "CLEAR", "DROP", "CREATE", "COPY", "MOVE", "ADD"})
_BEGINNINGS: Final = _MANAGEMENT | {"INSERT", "DELETE", "WITH"}
_OWN_WORDS: Final = _BEGINNINGS | {"ALL", "DATA", "DEFAULT", "INTO", "SILENT", "TO", "USING"}
_PROLOGUE: Final = frozenset({"BASE", "PREFIX", "VERSION"})
_TEMPLATES: Final = frozenset({"INSERT", "DELETE", "DATA"})
_SAID: Final = "INSERT, DELETE, WITH, LOAD, CLEAR, DROP, CREATE, COPY, MOVE or ADD"
_GRAPH_TERMS: Final = frozenset({"iri", "name", "variable"})

#: Where a text is altered, and what stands there then.
Edit = tuple[int, int, str]


@dataclass(slots=True)
class Operation:
    """One operation of an update.

    `words` are those outside brackets, in order and in capitals; `prologue` is what was declared
    before it. `graphs` are the terms of graphs that it writes, as the text has them, `is_open`
    tells that a variable names one; `loose` are the places where it writes the default graph,
    `defaults` those of the word DEFAULT. `where` is the place of WHERE, `block` that of the last
    outermost braces. `is_short` tells the form DELETE WHERE, whose pattern is its template.
    """

    start: int
    prologue: str
    words: list[str] = field(default_factory=list)
    graphs: list[str] = field(default_factory=list)
    is_open: bool = False
    loose: list[tuple[int, int]] = field(default_factory=list)
    defaults: list[tuple[int, int]] = field(default_factory=list)
    where: int | None = None
    block: tuple[int, int] | None = None
    is_short: bool = False
    end: int = 0

    @property
    def is_data(self) -> bool:
        """Whether it states quads and asks nothing."""
        return self.words[1:2] == ["DATA"]

    @property
    def has_dataset(self) -> bool:
        """Whether its text says which graphs are read or written: WITH or USING."""
        return "WITH" in self.words or "USING" in self.words

    @property
    def writes_default(self) -> bool:
        """Whether it writes the default graph, or reads it by the word DEFAULT."""
        return bool(self.defaults) or (bool(self.loose) and "WITH" not in self.words)

    @property
    def is_sweeping(self) -> bool:
        """Whether it clears graphs that it does not name."""
        return self.words[0] in ("CLEAR", "DROP") and bool({"ALL", "NAMED"} & set(self.words))


@dataclass(slots=True)
class OperationReader:
    """One pass over the tokens of an update.

    `begins` and `late` are as `cut_parts` takes them; `labels` are the blank nodes of each label
    by the INSERT DATA that has them.
    """

    text: str
    limits: Mapping[str, int]
    edits: list[Edit] = field(default_factory=list)
    begins: list[Span] = field(default_factory=list)
    late: set[int] = field(default_factory=set)
    labels: dict[str, int] = field(default_factory=dict)
    _prefixes: set[str] = field(default_factory=set)
    _operations: list[Operation] = field(default_factory=list)
    _current: Operation | None = None
    _prologue: str = ""
    _prologue_start: int = 0
    _operators: int = 0
    _before: Token | None = None
    # Of the block at hand: whether it is a template, and where in it the pass stands.
    _is_template: bool = False
    _in_graph: bool = False
    _after_graph: bool = False
    _loose: tuple[int, int] | None = None
    _block_start: int = 0

    def read(self) -> list[Operation]:
        """Read the whole text."""
        breadth = Breadth(self.text, self.limits)
        place = 0
        while True:
            token = read_token(self.text, place, is_after_operand=breadth.is_after_operand)
            if token is None:
                break
            place = token.end
            depth = len(breadth.brackets)
            if self._current is None:
                self._read_prologue(token)
            else:
                self._check(token)
                if depth == 0:
                    self._read_outside(token, self._current)
                else:
                    self._read_inside(token, self._current, depth)
            if self._current is not None:
                self._current.end = token.end
                breadth.take(token)
            self._before = token
        breadth.end()
        self._end_operation()
        if len(self._operations) in self.late:  # a prologue may be all that follows
            self.begins.append((self._prologue_start, len(self.text)))
        return self._operations

    # --- outside brackets -------------------------------------------------------------------

    def _read_prologue(self, token: Token) -> None:
        word = token.text.upper()
        before = "" if self._before is None else self._before.text.upper()
        if token.kind == "name" and before == "PREFIX":
            self._prefixes.add(token.text.partition(":")[0])
        elif token.kind == "word" and word in _BEGINNINGS:
            self._count_operation(token)
            self._prologue += self.text[self._prologue_start : token.start] + "\n"
            self._current = Operation(token.start, self._prologue, [word])
            self.begins.append((self._prologue_start, token.start))
            return
        elif token.kind not in ("iri", "string") and word not in _PROLOGUE:
            raise syntax_error(f"an update begins with {_SAID}", self.text, token.start)
        if self._operations:
            self.late.add(len(self._operations))

    def _read_outside(self, token: Token, operation: Operation) -> None:
        word = token.text.upper()
        before = "" if self._before is None else self._before.text.upper()
        if token.text == ";":
            self._end_operation()
            self._prologue_start = token.end
        elif token.kind == "word":
            operation.words.append(word)
            if word == "WHERE":
                operation.where = token.start
            elif word == "DEFAULT":
                operation.defaults.append((token.start, token.end))
            elif word == "ALL" and operation.words[0] == "CLEAR":
                # The engine would drop the named graphs, which are to stay without triples.
                silent = "SILENT " * ("SILENT" in operation.words)
                self.edits.append((token.start, token.end, f"DEFAULT ; CLEAR {silent}NAMED"))
        elif token.text == "{":
            # Braces before these were a template: then WHERE begins a pattern of its own.
            is_first = operation.block is None
            operation.is_short |= is_first and operation.words == ["DELETE", "WHERE"]
            self._is_template = before in _TEMPLATES or (is_first and operation.is_short)
            self._in_graph = self._after_graph = False
            self._loose, self._block_start = None, token.start
        elif token.kind in ("iri", "name"):
            if operation.words[0] == "LOAD" and "INTO" not in operation.words:
                self.edits.append((token.start, token.end, NOWHERE))
            elif "USING" not in operation.words:
                operation.graphs.append(token.text)

    def _end_operation(self) -> None:
        operation, self._current = self._current, None
        if operation is not None:
            self._operations.append(operation)

    # --- inside -----------------------------------------------------------------------------

    def _read_inside(self, token: Token, operation: Operation, depth: int) -> None:
        is_last = depth == 1 and token.text == "}"
        if self._is_template:
            if depth == 1 and (is_last or (token.kind == "word" and token.text.upper() == "GRAPH")):
                self._end_loose(operation)
                self._in_graph, self._after_graph = not is_last, False
            elif self._in_graph:
                self._read_graph(token, operation, depth)
            elif not (self._after_graph and token.text == "."):
                start = token.start if self._loose is None else self._loose[0]
                self._loose = start, token.end
            else:
                self._after_graph = False
        if token.kind == "blank" and operation.words == ["INSERT", "DATA"]:
            self._note_label(token)
        if is_last:
            operation.block = self._block_start, token.end
            self._is_template = False

    def _read_graph(self, token: Token, operation: Operation, depth: int) -> None:
        if depth == 1 and token.kind in _GRAPH_TERMS:
            if token.kind == "variable":
                operation.is_open = True
            else:
                operation.graphs.append(token.text)
        elif depth == 2 and token.text == "}":
            self._in_graph, self._after_graph = False, True

    def _end_loose(self, operation: Operation) -> None:
        if self._loose is not None:
            operation.loose.append(self._loose)
            self._loose = None

    def _note_label(self, token: Token) -> None:
        """Refuse a blank node of an earlier INSERT DATA, which the engine may get apart."""
        number = len(self._operations)
        if self.labels.setdefault(token.text, number) != number:
            detail = f"`{token.text[:40]}` stands in an INSERT DATA before: take another label"
            raise syntax_error(detail, self.text, token.start)

    # --- what may stand there ---------------------------------------------------------------

    def _check(self, token: Token) -> None:
        word = token.text.upper()
        if token.kind == "word":
            if word not in WORDS and word not in _OWN_WORDS:
                self._refuse_word(token)
            if word in OPERATOR_WORDS:
                self._count_operator(token)
        elif token.kind == "sign" and token.text in OPERATOR_SIGNS:
            self._count_operator(token)
        elif token.kind == "name":
            self._check_prefix(token)

    def _check_prefix(self, token: Token) -> None:
        prefix = token.text.partition(":")[0]
        if prefix not in self._prefixes:
            line = declare_prefix(prefix)
            hint = "" if line is None else f"; begin with {line}"
            detail = f"the prefix `{prefix}:` is not declared{hint}"
            raise syntax_error(detail, self.text, token.start)

    def _refuse_word(self, token: Token) -> None:
        detail = f"unknown word `{token.text[:40]}`"
        if "SERVICE" in token.text.upper():
            detail = "SERVICE is refused: an update reaches no other server"
        raise syntax_error(detail, self.text, token.start)

    def _count_operation(self, token: Token) -> None:
        # Each operation is given all that was declared before it: their product is bounded here.
        allowed = self.limits["sparql_operations"]
        if len(self._operations) == allowed:
            raise self._too_many("sparql_operations", allowed, token)

    def _count_operator(self, token: Token) -> None:
        self._operators += 1
        allowed = self.limits["sparql_operators"]
        if self._operators > allowed:
            raise self._too_many("sparql_operators", allowed, token)

    def _too_many(self, limit: str, allowed: int, token: Token) -> QueryTooLargeError:
        line, column = locate(self.text, token.start)
        return QueryTooLargeError(limit, allowed, place=f"line {line}, column {column}")
