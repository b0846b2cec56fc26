"""Writes JSON-LD, compacted with our context inline: one graph object for each named graph.

Floor 2. A value that does not have the form which its term announces is written out in full,
under the predicate's IRI, so that every dataset reads back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

import orjson

from graph.curation.context import IDS, LANGUAGES, Term, build_classes, build_context, build_terms
from graph.curation.statements import Block, Statements
from graph.model import Model
from graph.terms import RDF_TYPE, XSD, Quad, is_literal, read_literal

#: Whole numbers beyond this are not safe as JSON numbers.
_SAFE: Final = 2**53


def write_json_ld(statements: Statements, model: Model) -> Iterator[str]:
    """Yield statements as one JSON-LD document, node by node."""
    writer = NodeWriter(model)
    yield f'{{"@context":{_dump(build_context(model))},\n"@graph":['
    first = True
    blocks_of_all = statements.blocks(by_graph=True)
    for graph, blocks in groupby(blocks_of_all, key=lambda block: block.graph):
        yield f'{"" if first else ","}\n{{"@id":{_dump(graph[1:-1])},"@graph":['
        first = False
        for number, block in enumerate(blocks):
            yield f"{',' if number else ''}\n{_dump(writer.node(block))}"
        yield "\n]}"
    yield "\n]}\n"


def write_description(model: Model, quads: Iterable[Quad]) -> bytes:
    """Return a few quads as one JSON-LD document: a graph object for each of their graphs."""
    writer = NodeWriter(model)
    by_node: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for subject, predicate, value, graph in sorted(quads):
        by_node.setdefault((graph, subject), []).append((predicate, value, graph))
    graphs: dict[str, list[Mapping[str, Any]]] = {}
    for (graph, subject), statements in sorted(by_node.items()):
        node = writer.node(Block(graph, subject, statements))
        graphs.setdefault(graph[1:-1], []).append(node)
    found = [{"@id": graph, "@graph": nodes} for graph, nodes in graphs.items()]
    return orjson.dumps({"@context": build_context(model), "@graph": found}) + b"\n"


class NodeWriter:
    """Writes node objects with the terms of one model."""

    def __init__(self, model: Model) -> None:
        self._terms = {f"<{iri}>": term for iri, term in build_terms(model).items()}
        self._classes = {f"<{iri}>": name for iri, name in build_classes(model).items()}

    def node(self, block: Block) -> Mapping[str, Any]:
        """Return the node object of what one graph says of a subject."""
        node: dict[str, Any] = {"@id": block.subject[1:-1]}
        types = [value for predicate, value, _ in block.statements if predicate == RDF_TYPE]
        if types:
            node["@type"] = [self._classes.get(value, value[1:-1]) for value in types]
        for predicate, value, _ in block.statements:
            if predicate != RDF_TYPE:
                self._add(node, predicate, value)
        return {key: _alone(value) for key, value in node.items()}

    def key(self, predicate: str) -> str:
        """Return the key under which a node object has the IRIs of a predicate."""
        term = self._terms.get(predicate)
        return predicate[1:-1] if term is None or term.values != IDS else term.name

    def _add(self, node: dict[str, Any], predicate: str, value: str) -> None:
        term = self._terms.get(predicate)
        written = None if term is None else _compact(term, value)
        if term is None or written is None:
            node.setdefault(predicate[1:-1], []).append(_in_full(value))
        elif term.values == LANGUAGES:
            text, tag = written
            node.setdefault(term.name, {}).setdefault(tag, []).append(text)
        else:
            node.setdefault(term.name, []).append(written)


def _compact(term: Term, value: str) -> Any:
    """Return a value in the form that its term announces, or None if it has another."""
    if not is_literal(value):
        return value[1:-1] if term.values == IDS else None
    text, datatype, tag = read_literal(value)
    if term.values == LANGUAGES:
        return None if tag is None else (text, tag)
    if term.values == "" and tag is None:
        return _plain(text, datatype)
    return text if datatype == term.values else None


def _plain(text: str, datatype: str) -> Any:
    """Return a literal as plain JSON, if JSON has its like."""
    if datatype == f"{XSD}string":
        return text
    if datatype == f"{XSD}boolean":
        return text == "true"
    if datatype == f"{XSD}integer" and abs(int(text)) < _SAFE:
        return int(text)
    return None


def _in_full(value: str) -> Mapping[str, str]:
    if not is_literal(value):
        return {"@id": value[1:-1]}
    text, datatype, tag = read_literal(value)
    if tag is not None:
        return {"@value": text, "@language": tag}
    return {"@value": text} if datatype == f"{XSD}string" else {"@value": text, "@type": datatype}


def _alone(value: Any) -> Any:
    """Return a list of one as its member, also inside a map by language."""
    if isinstance(value, dict):
        return {key: _alone(each) for key, each in value.items()}
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()
