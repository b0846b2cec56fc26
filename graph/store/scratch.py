"""A small SPARQL store in memory, for constraints that are written as queries.

Floor 1. The texts of the queries come from the ontology, never from a caller, and the triples
are a neighbourhood of a few hundred; free-form queries go to the workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyoxigraph as ox


class Scratch:
    """Triples, given as N-Triples texts, that can be asked."""

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        self._store = ox.Store()
        lines = "".join(f"{s} {p} {o} .\n" for s, p, o in triples)
        self._store.load(lines.encode(), format=ox.RdfFormat.N_TRIPLES, lenient=True)

    def select(self, query: str) -> Iterator[dict[str, str]]:
        """Yield the solutions of a SELECT; variables without a value are left out."""
        solutions = self._store.query(query)
        assert isinstance(solutions, ox.QuerySolutions)
        names = [variable.value for variable in solutions.variables]
        for solution in solutions:
            values = zip(names, solution, strict=True)
            yield {name: str(value) for name, value in values if value is not None}
