"""Writes RDF/XML: the merged triples of all graphs, one element a subject.

Floor 2. RDF/XML cannot say everything that RDF can: what it cannot say is refused before the first
byte, so that no export ends in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from graph.curation.statements import Block, Statements
from graph.errors import BadValueError
from graph.terms import LANG_STRING, RDF, XSD, is_literal, read_literal

# What a predicate ends in is an element's name: an NCName (XML Namespaces), here without marks.
_NAME: Final = re.compile(r"[^\W\d][\w.-]*$")
_NOT_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def check_rdf_xml(statements: Statements) -> None:
    """Refuse statements that RDF/XML cannot say.

    Raises
    ------
    BadValueError
        A predicate ends in no XML name, or a literal holds a character that XML has not.
    """
    for predicate in statements.used_predicates():
        if _NAME.search(predicate[1:-1]) is None:
            raise _unsayable(f"{predicate} ends in no XML name")
    for window in statements.windows():
        for value in statements.terms.terms(window.values):
            if "\\" in value and is_literal(value) and _NOT_XML.search(read_literal(value)[0]):
                raise _unsayable(f"{value[:60]} holds a control character")


def write_rdf_xml(statements: Statements, prefixes: Mapping[str, str]) -> Iterator[str]:
    """Yield statements as RDF/XML; `check_rdf_xml` has seen that it can be done."""
    names, declared = _name_elements(statements, prefixes)
    spaces = "".join(f'\n  xmlns:{p}="{escape(n)}"' for p, n in declared.items())
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<rdf:RDF{spaces}>\n'
    for block in statements.blocks():
        yield _write_block(block, names)
    yield "</rdf:RDF>\n"


def _unsayable(reason: str) -> BadValueError:
    expected = f"a format that can say all of this ({reason}): ask for turtle or nt"
    return BadValueError("format", "rdfxml", expected)


def _name_elements(
    statements: Statements, prefixes: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the element name of each predicate, and the namespaces that they need."""
    known = {namespace: prefix for prefix, namespace in prefixes.items()}
    declared = {"rdf": RDF}
    names: dict[str, str] = {}
    for predicate in sorted(statements.used_predicates()):
        match = _NAME.search(predicate[1:-1])
        assert match is not None
        namespace = predicate[1 : 1 + match.start()]
        prefix = known.setdefault(namespace, f"ns{len(known)}")
        declared[prefix] = namespace
        names[predicate] = f"{prefix}:{match[0]}"
    return names, declared


def _write_block(block: Block, names: Mapping[str, str]) -> str:
    lines = [f'  <rdf:Description rdf:about="{escape(block.subject[1:-1])}">\n']
    seen: set[tuple[str, str]] = set()
    for predicate, value, _ in block.statements:
        if (predicate, value) not in seen:  # another source may say the same
            seen.add((predicate, value))
            lines.append(_write_property(names[predicate], value))
    lines.append("  </rdf:Description>\n")
    return "".join(lines)


def _write_property(name: str, value: str) -> str:
    if not is_literal(value):
        return f'    <{name} rdf:resource="{escape(value[1:-1])}"/>\n'
    text, datatype, tag = read_literal(value)
    # A parser would take a bare one for the end of a line (XML 1.0, section 2.11).
    written = escape(text, quote=False).replace("\r", "&#13;")
    if tag is not None and datatype == LANG_STRING:
        return f'    <{name} xml:lang="{tag}">{written}</{name}>\n'
    if datatype == f"{XSD}string":
        return f"    <{name}>{written}</{name}>\n"
    return f'    <{name} rdf:datatype="{escape(datatype)}">{written}</{name}>\n'
