"""Writes Turtle and TriG for people: prefixes, one block a subject, the class first.

Floor 2. Only what is certain to read back is shortened: names without odd characters, whole
numbers and truth values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

from graph.curation.statements import Block, Statements
from graph.terms import ENTITY, RDF_TYPE, XSD

_LOCAL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_KIND: Final = re.compile(re.escape(ENTITY) + r"([a-z][a-z0-9-]*)/")
_INTEGER: Final = re.compile(rf'"(-?[0-9]+)"\^\^<{re.escape(XSD)}integer>')
_BOOLEAN: Final = re.compile(rf'"(true|false)"\^\^<{re.escape(XSD)}boolean>')


def write_trig(statements: Statements, prefixes: Mapping[str, str]) -> Iterator[str]:
    """Yield statements as TriG, one block a graph."""
    names = _Names(statements, prefixes)
    yield names.header()
    blocks_of_all = statements.blocks(by_graph=True)
    for graph, blocks in groupby(blocks_of_all, key=lambda block: block.graph):
        yield f"\n{names.term(graph)} {{\n"
        for block in blocks:
            yield "\n" + _write_block(block, names, "  ")
        yield "}\n"


def write_turtle(statements: Statements, prefixes: Mapping[str, str]) -> Iterator[str]:
    """Yield the merged triples of all graphs as Turtle."""
    names = _Names(statements, prefixes)
    yield names.header()
    for block in statements.blocks():
        yield "\n" + _write_block(block, names, "")


class _Names:
    """The prefixes of one export: those of the ontology, and one for each kind of entity."""

    def __init__(self, statements: Statements, prefixes: Mapping[str, str]) -> None:
        known = dict(prefixes)
        texts = statements.subject_texts()
        kinds = {match[1] for s in texts if (match := _KIND.match(s[1:]))}
        for kind in sorted(kinds - known.keys()):
            known[kind] = f"{ENTITY}{kind}/"
        self._prefixes: Mapping[str, str] = known
        self._by_namespace = {namespace: prefix for prefix, namespace in known.items()}
        self._short: dict[str, str] = {}

    def header(self) -> str:
        """Return the prefix declarations."""
        return "".join(f"@prefix {p}: <{n}> .\n" for p, n in self._prefixes.items())

    def term(self, term: str) -> str:
        """Return a term as it is written in Turtle."""
        if term.startswith("<"):
            return self._iri(term)
        if term.endswith(">"):
            for pattern in (_INTEGER, _BOOLEAN):
                if match := pattern.fullmatch(term):
                    return match[1]
            value, mark, datatype = term.rpartition("^^")
            return value + mark + self._iri(datatype)
        return term

    def _iri(self, term: str) -> str:
        split = max(term.rfind("#"), term.rfind("/")) + 1
        local = term[split:-1]
        prefix = self._by_namespace.get(term[1:split])
        if prefix is None or not _LOCAL.fullmatch(local):
            return term
        return f"{prefix}:{local}"


def _write_block(block: Block, names: _Names, indent: str) -> str:
    """Return the statements of one subject, ended with a full stop."""
    lines = []
    ordered = sorted(block.statements, key=lambda statement: statement[0] != RDF_TYPE)
    for predicate, statements in groupby(ordered, key=lambda statement: statement[0]):
        verb = "a" if predicate == RDF_TYPE else names.term(predicate)
        values = _join(names.term(value) for value in dict.fromkeys(s[1] for s in statements))
        lines.append(f"{verb} {values}")
    body = f" ;\n{indent}  ".join(lines)
    return f"{indent}{names.term(block.subject)} {body} .\n"


def _join(values: Iterable[str]) -> str:
    return " , ".join(values)
