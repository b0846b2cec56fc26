"""What clients of a released schema would notice of the one of today.

Floor 4. A release keeps its schema as `schema/released/VERSION.graphql`; a test compares today's
with the latest of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from graphql import (
    DangerousChangeType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
)

RELEASED: Final = Path(__file__).parent / "released"
#: Additions that a client which handles what it does not know takes without notice.
_ADDITIONS: Final = frozenset(
    {
        DangerousChangeType.OPTIONAL_ARG_ADDED,
        DangerousChangeType.OPTIONAL_INPUT_FIELD_ADDED,
        DangerousChangeType.IMPLEMENTED_INTERFACE_ADDED,
        DangerousChangeType.VALUE_ADDED_TO_ENUM,
    }
)


def latest_release(folder: Path = RELEASED) -> Path | None:
    """Return the schema of the latest release, or None before the first."""

    def version(path: Path) -> tuple[int, ...]:
        return tuple(map(int, path.stem.split(".")))

    return max(folder.glob("*.graphql"), key=version, default=None)


def broken_by(released: str, today: GraphQLSchema) -> list[str]:
    """Return what of a released schema today's breaks or makes dangerous to rely on, in words."""
    before = build_schema(released, assume_valid=True)
    breaking = find_breaking_changes(before, today)
    dangerous = find_dangerous_changes(before, today)
    found = [change.description for change in breaking]
    return found + [c.description for c in dangerous if c.type not in _ADDITIONS]
