"""What clients of a released schema would notice of the one of today.

Floor 4. A release keeps its schema as `schema/released/VERSION.graphql`; a test compares today's
with the latest of them. `make sdl VERSION=...` keeps today's.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from graphql import (
    DangerousChangeType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
)

from graph.errors import BadValueError, RequestError
from graph.shapes import load_model
from schema.loading import load_schema
from schema.sdl import SDL, is_current

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
_VERSION: Final = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}")


def latest_release(folder: Path = RELEASED) -> Path | None:
    """Return the schema of the latest release, or None before the first."""
    return max(folder.glob("*.graphql"), key=lambda path: _numbers(path.stem), default=None)


def broken_since_release(today: GraphQLSchema, folder: Path = RELEASED) -> list[str]:
    """Return what of the latest release's schema today's breaks, in words; nothing before one."""
    release = latest_release(folder)
    return [] if release is None else broken_by(release.read_text(encoding="utf-8"), today)


def keep_release(version: str, text: str, folder: Path = RELEASED) -> Path:
    """Keep a schema as that of a release, and return its file.

    Raises
    ------
    BadValueError
        The version is not three numbers, or not later than the latest release.
    """
    if _VERSION.fullmatch(version) is None:
        raise BadValueError("VERSION", version[:40], "three numbers such as 0.3.0")
    latest = latest_release(folder)
    if latest is not None and _numbers(version) <= _numbers(latest.stem):
        raise BadValueError("VERSION", version, f"one later than {latest.stem}, which is kept")
    folder.mkdir(exist_ok=True)
    path = folder / f"{version}.graphql"
    path.write_text(text, encoding="utf-8")
    return path


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def broken_by(released: str, today: GraphQLSchema) -> list[str]:
    """Return what of a released schema today's breaks or makes dangerous to rely on, in words."""
    before = build_schema(released, assume_valid=True)
    breaking = find_breaking_changes(before, today)
    dangerous = find_dangerous_changes(before, today)
    found = [change.description for change in breaking]
    return found + [c.description for c in dangerous if c.type not in _ADDITIONS]


def main(arguments: list[str]) -> int:
    """Keep the committed schema as that of a release; tell what it breaks of the one before."""
    parser = argparse.ArgumentParser(prog="python -m schema.evolution", description=main.__doc__)
    parser.add_argument("version", help="the version that is released, such as 0.3.0")
    version = parser.parse_args(arguments).version
    model = load_model()
    if not is_current(model):
        print(f"{SDL.name} is not of these shapes: run `make docs` first", file=sys.stderr)
        return 4
    broken = broken_since_release(load_schema(model))
    try:
        path = keep_release(version, SDL.read_text(encoding="utf-8"))
    except RequestError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    for each in broken:
        print(f"breaks clients of the release before: {each}")
    print(f"schema/released/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
