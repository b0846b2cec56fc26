"""Who asks: level, scopes and limits of a viewer.

Floor 0. A level is physical: each has its own snapshot and store that hold nothing above it.
While no partner or restricted graph exists there is one level, public. A viewer without a token may
read; a token adds scopes and wider limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from graph.settings import Settings


class Level(IntEnum):
    """Visibility of a named graph, and what a viewer sees: this level and those below."""

    PUBLIC = 0
    PARTNER = 1
    RESTRICTED = 2


#: The names of the levels, as they are given and shown.
LEVELS: Final = tuple(level.name.lower() for level in Level)


class Scope(StrEnum):
    """What a token allows beyond reading."""

    WRITE = "write"  # mutations, into sources of its own
    EXPLAIN = "explain"  # how a query is answered
    CHANGES = "changes"  # what was changed, from the log
    ADMIN = "admin"  # the queries that run: to see and to stop them


@dataclass(frozen=True, slots=True)
class Viewer:
    """The one who asks.

    `name` is `anonymous` or the token's name; `nodes_max` is how many nodes one GraphQL
    operation may produce; `query_deadline_s` is the wall time of one SPARQL query in seconds.
    `token` is the token's public identifier, empty without one, `expires` when it ends (UTC, ISO
    8601), `sources` the IRIs of the sources that it may write besides those it began.
    """

    name: str
    level: Level
    scopes: frozenset[str]
    nodes_max: int
    query_deadline_s: float
    token: str = ""
    expires: str | None = None
    sources: frozenset[str] = frozenset()

    @property
    def is_anonymous(self) -> bool:
        """Whether no token was presented."""
        return not self.token


def anonymous(settings: Settings) -> Viewer:
    """Return the viewer without a token: public level, no scope, the public limits."""
    return Viewer(
        name="anonymous",
        level=Level.PUBLIC,
        scopes=frozenset(),
        nodes_max=settings.graphql_nodes,
        query_deadline_s=settings.sparql_deadline_s,
    )
