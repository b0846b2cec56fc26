"""Answers the root fields beside the data: `viewer`, `changes` and `dataRevision`.

Floor 4. Each is a resolver that graphql-core calls with the request's arguments; what they return
are plain mappings by field name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from graph.access import Scope, Viewer
from graph.curation.changes import Change, read_changes
from graph.curation.computed import data_revision
from graph.curation.mutations import require_scope
from graph.errors import BadValueError, CursorError, UnknownTermError
from graph.model import Model
from graph.settings import Settings
from graph.store.levels import Levels
from graph.store.log import Log
from graph.store.snapshot import Snapshot

_CURSOR: Final = "c"
_DIGITS: Final = 15


class Asides:
    """The resolvers of one service; `log` is None where there is none to read.

    `newest` gives the newest version at all levels; without it all is everyone's.
    """

    def __init__(
        self,
        model: Model,
        settings: Settings,
        log: Log | None,
        newest: Callable[[], Levels] | None = None,
    ) -> None:
        self.newest = newest
        self.model = model
        self.settings = settings
        self.log = log

    def root(self, viewer: Viewer, snapshot: Snapshot) -> dict[str, Any]:
        """Return the resolvers of one request, by field."""
        return {
            "viewer": lambda _: describe_viewer(viewer, self.settings),
            "dataRevision": lambda _: self._data_revision(viewer, snapshot),
            "changes": partial(self._changes, viewer, snapshot, [self.settings.changes_statements]),
        }

    def _data_revision(self, viewer: Viewer, snapshot: Snapshot) -> int:
        """Return the last revision, up to the one answered, that changed more than reports."""
        known = snapshot.revision
        if self.newest is not None:
            known = data_revision(self.newest().at(viewer.level).latest)
        elif self.log is not None:
            known = data_revision(self.log.latest)
        return min(known, snapshot.revision)  # the log may be a commit ahead

    def _changes(
        self,
        viewer: Viewer,
        snapshot: Snapshot,
        budget: list[int],
        _info: Any,
        since: int,
        first: int | None = None,
        after: str | None = None,
        types: Sequence[str] | None = None,
    ) -> Mapping[str, Any]:
        """Return a page of changes.

        Raises
        ------
        UnauthenticatedError, ForbiddenError
            The viewer lacks the scope.
        BadValueError, UnknownTermError
            An argument cannot be used.
        """
        require_scope(viewer, Scope.CHANGES)
        if since < 0:
            raise BadValueError("since", str(since), "a revision, 0 or more")
        size = self.settings.page_size if first is None else first
        if not 0 <= size <= self.settings.page_size_max:
            expected = f"a number from 0 to {self.settings.page_size_max}"
            raise BadValueError("first", str(size), expected)
        start = since if after is None else max(since, _read_cursor(after))
        classes = [find_class(self.model, name, self.settings) for name in types or ()]
        if self.log is None:
            items: tuple[Change, ...] = ()
            last, has_more = start, False
        else:
            page = read_changes(
                self.log,
                snapshot,
                start,
                size,
                classes,
                entities_max=self.settings.changes_entities,
                statements_max=budget[0],
                sees=self._sees(viewer),
            )
            budget[0] -= page.read  # what other fields of the request may still read
            items, last, has_more = page.items, page.last, page.has_more
        nodes = [_change(item) for item in items]
        edges = [{"node": n, "cursor": f"{_CURSOR}{n['revision']}"} for n in nodes]
        page_info = {
            "hasNextPage": has_more,
            "hasPreviousPage": start > since,
            "startCursor": edges[0]["cursor"] if edges else None,
            # What was passed over counts too: who goes on from here misses nothing.
            "endCursor": f"{_CURSOR}{last}",
        }
        return {"edges": edges, "nodes": nodes, "pageInfo": page_info}

    def _sees(self, viewer: Viewer) -> Callable[[str], bool]:
        """Return what tells whether a viewer may read a graph (IRI), by the levels of today."""
        levels = None if self.newest is None else self.newest()
        return lambda graph: levels is None or levels.is_seen(f"<{graph}>", viewer.level)


def find_class(model: Model, name: str, settings: Settings) -> str:
    """Return the IRI of a class by its name.

    Raises
    ------
    UnknownTermError
        There is none; with names that are near, unless that is off.
    """
    shape = model.by_name.get(name)
    if shape is None:
        names = model.by_name if settings.graphql_suggestions else ()
        near = difflib.get_close_matches(name[:80], names, n=3)
        raise UnknownTermError("class", name[:80], tuple(near))
    return shape.iri


def describe_viewer(viewer: Viewer, settings: Settings) -> Mapping[str, Any]:
    """Return who asks, and what that allows."""
    is_token = not viewer.is_anonymous
    limits = {
        "requestsPerMinute": settings.rate_token_api if is_token else settings.rate_api,
        "queryTimePerMinute": settings.rate_token_query_s if is_token else settings.rate_query_s,
        "queryDeadline": viewer.query_deadline_s,
        "nodes": viewer.nodes_max,
        "cost": settings.graphql_cost,
        "depth": settings.graphql_depth,
        "pageSize": settings.page_size_max,
        "writes": settings.graphql_writes,
        "subscriptions": settings.subscriptions_per_connection,
        "subscriptionConnections": settings.subscription_connections_per_address,
    }
    return {
        "name": viewer.name,
        "level": viewer.level.name,
        "scopes": sorted(Scope(scope).name for scope in viewer.scopes),
        "limits": limits,
        "expires": viewer.expires,
        "sources": sorted(viewer.sources),
    }


def _change(change: Change) -> dict[str, Any]:
    entities = [
        {"id": e.id, "types": list(e.types), "change": e.kind.name} for e in change.entities
    ]
    return {
        "revision": change.revision,
        "time": change.time,
        "activity": change.activity,
        "message": change.message,
        "source": change.source,
        "sources": list(change.sources),
        "entities": entities,
        "truncated": change.truncated,
    }


def _read_cursor(cursor: str) -> int:
    digits = cursor.removeprefix(_CURSOR)
    if (
        cursor[:1] != _CURSOR
        or not (digits.isascii() and digits.isdigit())
        or len(digits) > _DIGITS
    ):
        raise CursorError("after", cursor[:40])
    return int(digits)
