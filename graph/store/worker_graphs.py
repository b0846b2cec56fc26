"""What a worker does with whole graphs: reads one, replaces one, updates a copy of a store.

Floor 1. It runs in workers, loaded when first needed. Writes go to a copy that nobody else has
open: what fails leaves a folder behind that is thrown away. What may be written is decided above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pyoxigraph as ox

from graph.store import nesting, results
from graph.store.parts import show_parts

Message = dict[str, Any]
GraphName = ox.NamedNode | ox.DefaultGraph

_DEFAULT: Final = ox.DefaultGraph()


class AbsentError(Exception):
    """There is no such graph."""


def read_graph(store: ox.Store, message: Message, name: str) -> results.Body:
    """Return a graph by its IRI, the default graph by the empty text.

    Raises
    ------
    AbsentError
        There is no such graph.
    """
    graph = _name(name)
    if isinstance(graph, ox.NamedNode) and not store.contains_named_graph(graph):
        raise AbsentError
    quads = store.quads_for_pattern(None, None, None, graph)
    triples = (quad.triple for quad in quads)
    return results.write_graph(
        triples,
        message["format"],
        message["rows_max"],
        message["bytes_max"],
        message["prefixes"],
    )


def update(store: ox.Store, text: str, message: Message) -> None:
    """Run an update in its parts on a copy, which is of no use if one fails, and flush it."""
    for part in show_parts(text, message.get("parts", ())):
        store.update(part, base_iri=message.get("base"))
    store.flush()


def put_graph(
    store: ox.Store, message: Message, data: bytes, formats: Mapping[str, ox.RdfFormat]
) -> Message:
    """Put the triples of RDF texts into a graph, in the place of what is there or beside it.

    Parameters
    ----------
    store : Store
    message : dict
        `graph` is an IRI or empty, `texts` has format and number of bytes of each text.
    data : bytes
        All texts, one after the other.
    formats : Mapping
        The engine's formats by name.

    Returns
    -------
    dict
        `existed`: whether the graph was there; or the error of a text nested too deeply.
    """
    graph = _name(message["graph"])
    existed = isinstance(graph, ox.DefaultGraph) or store.contains_named_graph(graph)
    written: list[ox.Quad] = []
    start = 0
    for format, size in message["texts"]:
        text, start = data[start : start + size], start + size
        fault = nesting.find_fault(text, format, message["levels_max"])
        if fault is not None:
            kind = "nesting" if fault.detail is None else "syntax"
            place = {"line": fault.line, "column": fault.column}
            return {"error": kind, "detail": fault.detail or "", **place}
        # Blank nodes of two texts never meet, whatever they are called.
        base = message["base"]
        quads = ox.parse(text, format=formats[format], base_iri=base, rename_blank_nodes=True)
        written += _into(quads, graph)
    if message["is_replaced"] and existed:
        store.clear_graph(graph)
    if isinstance(graph, ox.NamedNode):
        store.add_graph(graph)
    store.extend(written)
    store.flush()
    return {"existed": existed, "count": len(written)}


def read_data(text: str, message: Message) -> Iterator[tuple[bool, ox.Quad]]:
    """Yield whether it is added, and the quad, for each that operations on data state, in order.

    Parameters
    ----------
    text : str
        The whole update, which the engine reads so that its errors have their places.
    message : dict
        `pieces` are, of each operation, what it would be as INSERT DATA, and whether it is one;
        `parts` are as `cut_parts` tells them.
    """
    for part in show_parts(text, message.get("parts", ())):
        ox.Store().update(part)
    for piece, is_added in message["pieces"]:
        store = ox.Store()
        store.update(piece)
        for quad in store:
            yield is_added, quad


def find_difference(
    before: ox.Store, after: ox.Store, graphs: Iterable[str] | None
) -> Iterator[tuple[bool, ox.Quad]]:
    """Yield whether it was added, and the quad, for all that differs in some named graphs.

    Parameters
    ----------
    before, after : Store
    graphs : iterable of IRIs or None
        Where to look; None looks at every named graph of both.

    Cost: about 8 microseconds for each quad of the graphs on either side.
    """
    if graphs is None:
        both = (graph for store in (before, after) for graph in store.named_graphs())
        graphs = [graph.value for graph in both]
    for name in sorted(set(graphs)):
        graph = ox.NamedNode(name)
        for is_added, one, other in ((False, before, after), (True, after, before)):
            for quad in one.quads_for_pattern(None, None, None, graph):
                if quad not in other:
                    yield is_added, quad


def _into(quads: Iterable[ox.Quad], graph: GraphName) -> Iterator[ox.Quad]:
    for quad in quads:
        if isinstance(quad.graph_name, ox.DefaultGraph):
            yield ox.Quad(quad.subject, quad.predicate, quad.object, graph)
        else:
            raise SyntaxError("one graph is written: the text holds named graphs of its own")


def _name(iri: str) -> GraphName:
    return ox.NamedNode(iri) if iri else _DEFAULT
