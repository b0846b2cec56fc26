"""Root fields beside the data: who asks, what was changed, and when.

Floor 4. They say nothing of an entity, so that no plan answers them: like `__schema` they are
left to graphql-core, with a resolver each (`schema/asides.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from graph.access import Level, Scope
from graph.curation.changes import ChangeKind

if TYPE_CHECKING:
    from schema.making import Maker

#: Root fields of a query that plans leave out.
ASIDES: Final = frozenset({"__schema", "__type", "viewer", "changes", "dataRevision"})


def make_asides(maker: Maker) -> dict[str, Any]:
    """Make the types and return the root fields by name."""
    maker.enum("VisibilityLevel", {level.name: level.name for level in Level}, "What one sees.")
    maker.enum("TokenScope", {scope.name: scope.name for scope in Scope}, "What a token allows.")
    maker.make(
        "ViewerLimits",
        {
            "requestsPerMinute": "int",
            "queryTimePerMinute": "float",
            "queryDeadline": "float",
            "nodes": "int",
            "cost": "int",
            "depth": "int",
            "pageSize": "int",
            "writes": "int",
            "subscriptions": "int",
            "subscriptionConnections": "int",
        },
        "What one request, and what all of a minute, may cost; times in seconds, 0 is no limit. "
        "`subscriptions` is how many run on one connection, `subscriptionConnections` how many "
        "connections of an address may have some.",
    )
    maker.make(
        "Viewer",
        {
            "name": "str",
            "level": "VisibilityLevel",
            "scopes": "List[TokenScope]",
            "limits": "ViewerLimits",
            "expires": "Optional[DateTime]",
            "sources": "List[ID]",
        },
        "The one who asks: `anonymous`, or the name of a token. `sources` are those that it may "
        "write besides those that its name began.",
    )
    _make_changes(maker)
    return {
        "viewer": maker.field("Viewer", "Who asks, and what that allows."),
        "dataRevision": maker.field(
            "int",
            "The last revision that changed more than committed reports: a report on it, or on a "
            "later one, is up to date.",
        ),
        "changes": maker.field(
            "Optional[ChangeConnection]",
            "What was changed after a revision, the oldest first. Needs the scope CHANGES.",
            {
                "since": ("int", "The revision that is known already; 0 for all."),
                "first": ("Optional[int]", "How many changes at most."),
                "after": ("Optional[str]", "The cursor after which to go on."),
                "types": ("Optional[List[str]]", "Only changes of entities of these classes."),
            },
        ),
    }


def _make_changes(maker: Maker) -> None:
    maker.enum(
        "ChangeEffect",
        {kind.name: kind.name for kind in ChangeKind},
        "STATED: a source begins to state an entity; WITHDRAWN: it takes its class back; CHANGED: "
        "something else.",
    )
    maker.make(
        "ChangedEntity",
        {"id": "ID", "types": "List[str]", "change": "ChangeEffect"},
        "An entity of which a change says something; `types` are the classes it has now or had.",
    )
    maker.make(
        "Change",
        {
            "revision": "int",
            "time": "DateTime",
            "activity": "str",
            "message": "str",
            "source": "Optional[ID]",
            "sources": "List[ID]",
            "entities": "List[ChangedEntity]",
            "truncated": "bool",
        },
        "One commit. `sources` are the graphs that it touched; `truncated` says that it changed "
        "more entities than are listed.",
    )
    maker.make("ChangeEdge", {"node": "Change", "cursor": "str"}, "A change and its place.")
    maker.make(
        "ChangeConnection",
        {"edges": "List[ChangeEdge]", "nodes": "List[Change]", "pageInfo": "PageInfo"},
        "A page of changes, by revision.",
    )
