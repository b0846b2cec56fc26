"""Writes JSON-LD as a tree: an entity with all that is tied to it inside.

Floor 2. What JSON-LD 1.1 Framing makes of the merged triples with a frame that names the entity:
each node stands once, where the way from the entity first meets it, and by its IRI alone after
that. Ties that lead to a node are written as `@reverse`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import orjson

from graph.curation.context import build_context
from graph.curation.jsonld import NodeWriter
from graph.curation.statements import Block, Statements
from graph.model import Model
from graph.terms import RDF_TYPE


def write_framed(statements: Statements, model: Model, entity: str) -> Iterator[str]:
    """Yield the tree that begins at an entity (an IRI), as one JSON-LD document."""
    blocks = {block.subject: _merge(block) for block in statements.blocks()}
    tree = _Tree(blocks, NodeWriter(model))
    document = {"@context": build_context(model), **tree.grow(f"<{entity}>")}
    yield orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"


class _Tree:
    """Node objects, each placed inside the node that the shortest way comes from."""

    def __init__(self, blocks: dict[str, Block], writer: NodeWriter) -> None:
        self._blocks = blocks
        self._nodes = {subject: writer.node(block) for subject, block in blocks.items()}
        self._names = writer
        self._references: dict[str, list[tuple[str, str]]] = {}
        for subject, block in blocks.items():
            for predicate, value, _ in block.statements:
                if value in blocks and value != subject and predicate != RDF_TYPE:
                    self._references.setdefault(value, []).append((predicate, subject))

    def grow(self, root: str) -> dict[str, Any]:
        """Return the root's node object with all others inside it."""
        placed = {root}
        queue = deque([root])
        inside: dict[str, dict[str, Any]] = {root: dict(self._nodes[root])}
        while queue:
            subject = queue.popleft()
            node = inside[subject]
            for predicate, value, _ in self._blocks[subject].statements:
                if value in self._blocks and value not in placed and predicate != RDF_TYPE:
                    placed.add(value)
                    queue.append(value)
                    inside[value] = dict(self._nodes[value])
                    key = self._names.key(predicate)
                    node[key] = _embed(node[key], value[1:-1], inside[value])
            for predicate, other in sorted(self._references.get(subject, ())):
                if other not in placed:
                    placed.add(other)
                    queue.append(other)
                    inside[other] = dict(self._nodes[other])
                    _point_back(inside[other], self._names.key(predicate), subject[1:-1])
                    back = node.setdefault("@reverse", {})
                    back.setdefault(self._names.key(predicate), []).append(inside[other])
        return inside[root]


def _merge(block: Block) -> Block:
    """Return what a block says, each triple once."""
    triples = dict.fromkeys((p, v) for p, v, _ in block.statements)
    return Block("", block.subject, [(p, v, "") for p, v in triples])


def _embed(values: Any, iri: str, node: dict[str, Any]) -> Any:
    """Return values with a node in place of its IRI."""
    if isinstance(values, list):
        return [_embed(value, iri, node) for value in values]
    return node if values == iri or values == {"@id": iri} else values


def _point_back(node: dict[str, Any], key: str, iri: str) -> None:
    """Take out of a node the tie that `@reverse` says already."""
    values = node[key]
    listed = values if isinstance(values, list) else [values]
    kept = [value for value in listed if value not in (iri, {"@id": iri})]
    if kept:
        node[key] = kept if len(kept) > 1 else kept[0]
    else:
        del node[key]
