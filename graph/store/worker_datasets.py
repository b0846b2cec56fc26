"""Which graphs a query is about: those of the protocol, else those of FROM, else the whole store.

Floor 1. It runs in workers.
"""

from __future__ import annotations

from typing import Any, Final

import pyoxigraph as ox

from graph.store.worker_texts import RefusedError

Message = dict[str, Any]

_DEFAULT_GRAPH: Final = ox.DefaultGraph()


def choose_dataset(store: ox.Store, message: Message) -> tuple[ox.Store, Message]:
    """Return the store to ask and the dataset arguments of the query.

    The protocol's graphs win over FROM (SPARQL 1.1 Protocol, 2.1.4). The engine's union of
    several graphs gives a triple once for each: it is merged here instead (DESIGN 4a, rule 4).
    """
    default = [ox.NamedNode(iri) for iri in dict.fromkeys(message["default_graphs"])]
    named = [ox.NamedNode(iri) for iri in dict.fromkeys(message["named_graphs"])]
    if not default and not named:
        if len(message["from"]) < 2:
            return store, {}
        default = resolve(message, message["from"])
        named = resolve(message, message["from_named"])
    if len(default) < 2:
        return store, {"default_graph": default, "named_graphs": named}
    merged = ox.Store()
    statements_max = message["statements_max"]
    count = 0
    targets: list[tuple[ox.NamedNode, ox.NamedNode | ox.DefaultGraph]] = [
        *((graph, _DEFAULT_GRAPH) for graph in default),
        *((graph, graph) for graph in named),
    ]
    for graph, target in targets:
        quads = []
        for quad in store.quads_for_pattern(None, None, None, graph):
            quads.append(ox.Quad(quad.subject, quad.predicate, quad.object, target))
            count += 1
            if count > statements_max:
                raise RefusedError("statements")
        merged.bulk_extend(quads)
    return merged, {"default_graph": _DEFAULT_GRAPH, "named_graphs": named}


def resolve(message: Message, terms: list[str]) -> list[ox.NamedNode]:
    """Return the graphs that FROM names: Turtle resolves prefixes and bases just as SPARQL."""
    if not terms:
        return []
    text = f"{message['prologue']}\n<urn:x-from> <urn:x-from> {', '.join(terms)} ."
    quads = ox.parse(text, format=ox.RdfFormat.TURTLE, base_iri=message.get("base"))
    graphs = dict.fromkeys(quad.object for quad in quads)
    return [graph for graph in graphs if isinstance(graph, ox.NamedNode)]
