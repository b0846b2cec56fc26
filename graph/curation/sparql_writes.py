"""SPARQL Update and graphs of the Graph Store Protocol, written through the gate.

Floor 2. What a text does is found out on a copy in a worker; what came of it is a change of quads
like any other, which the gate validates and records. Nothing here knows of HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence

from graph.access import Scope, Viewer
from graph.curation.mutations import require_scope
from graph.errors import ForbiddenError
from graph.store.query import RdfText
from graph.store.writes import Update, Written


class SparqlWrites:
    """Takes updates and graphs for one gate."""

    def update(self, update: Update, viewer: Viewer) -> Written:
        """Run an update."""
        require_scope(viewer, Scope.WRITE)
        raise ForbiddenError("to update over SPARQL: write with GraphQL mutations")

    def put(
        self,
        graph: str | None,
        texts: Sequence[RdfText],
        base: str | None,
        viewer: Viewer,
        *,
        is_replaced: bool,
    ) -> Written:
        """Put RDF into a graph."""
        require_scope(viewer, Scope.WRITE)
        raise ForbiddenError("to write graphs over SPARQL: write with GraphQL mutations")

    def drop(self, graph: str | None, viewer: Viewer) -> Written:
        """Take a graph away."""
        require_scope(viewer, Scope.WRITE)
        raise ForbiddenError("to take a graph away over SPARQL: write with GraphQL mutations")
