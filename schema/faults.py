"""Errors as GraphQL tells them: message, place, and code under `extensions`.

Floor 4. One face for the errors of our tree, one for those that graphql-core finds in a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError

from graph.errors import RhizomeError


def bug_entry() -> dict[str, Any]:
    """Return the GraphQL face of a bug, of which the log alone holds more."""
    return {"message": "internal error", "extensions": {"code": "INTERNAL"}}


def error_entry(error: RhizomeError) -> dict[str, Any]:
    """Return the GraphQL face of an error: message, place, and code under `extensions`."""
    details = {key: value for key, value in error.details().items() if key not in ("place",)}
    entry: dict[str, Any] = {"message": error.message}
    line, column = details.get("line"), details.get("column")
    if line is not None:
        entry["locations"] = [{"line": line, "column": column}]
    place = error.details().get("place")
    if isinstance(place, str):
        entry["path"] = place.split(".")
    entry["extensions"] = {"code": error.code, **_plain(details)}
    return entry


def _plain(details: Mapping[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in details.items()}


def validation_entry(error: GraphQLError) -> dict[str, Any]:
    """Return the GraphQL face of what graphql-core found in a document."""
    entry: dict[str, Any] = {"message": error.message}
    if error.locations:
        entry["locations"] = [{"line": p.line, "column": p.column} for p in error.locations]
    if error.path:
        entry["path"] = list(error.path)
    entry["extensions"] = {"code": "GRAPHQL_VALIDATION"}
    return entry
