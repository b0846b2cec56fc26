"""Reads RDF of any format into quads, for tests."""

from __future__ import annotations

import pyoxigraph as ox

from graph.terms import Quad

READ = {
    "turtle": ox.RdfFormat.TURTLE,
    "nt": ox.RdfFormat.N_TRIPLES,
    "rdfxml": ox.RdfFormat.RDF_XML,
    "jsonld": ox.RdfFormat.JSON_LD,
    "trig": ox.RdfFormat.TRIG,
    "nq": ox.RdfFormat.N_QUADS,
}


def read(data: bytes, format: str) -> set[Quad]:
    found = ox.parse(data, format=READ[format])
    return {
        (str(q.subject), str(q.predicate), str(q.object), str(q.graph_name).replace("DEFAULT", ""))
        for q in found
    }
