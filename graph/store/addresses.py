"""Which IRIs the SPARQL engine takes.

Floor 1. The engine is stricter than the grammar of N-Triples: it reads authority, port and path.
What it refuses must not come into the log, where it would stay for good.
"""

from __future__ import annotations

import pyoxigraph as ox


def is_storable(iri: str) -> bool:
    """Tell whether an IRI, without angle brackets, can stand in the SPARQL store.

    Examples
    --------
    >>> is_storable("https://example.org/a"), is_storable("http://[bad")
    (True, False)
    """
    try:
        ox.NamedNode(iri)
    except ValueError:
        return False
    return True
