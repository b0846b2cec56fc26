"""The root of the tree of errors, and how its leaves are listed.

Floor 0. A leaf holds typed fields and writes its message from them; it reads no setting and
knows nothing of HTTP, GraphQL or the command line, which each compute their face in one place.
A bug is not in this tree: it ends as 500 without details and a trace in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar


@dataclass(eq=False)
class RhizomeError(Exception):
    """Root of every error that a caller may meet; never raised itself."""

    code: ClassVar[str] = ""
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retry: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Give `str(error)` the message written from the fields."""
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the message."""
        return self.message

    @property
    def message(self) -> str:
        """One or two sentences: what is wrong, where, and what to do."""
        return self._say()

    def _say(self) -> str:
        """Write the message from the fields."""
        raise NotImplementedError

    def details(self) -> dict[str, object]:
        """Return the typed fields by name, without those that are unset."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


def leaves(root: type[RhizomeError] = RhizomeError) -> Iterator[type[RhizomeError]]:
    """Yield every class of the tree that has a code of its own, in order of definition."""
    for child in root.__subclasses__():
        if child.code:
            yield child
        yield from leaves(child)


def write_place(line: int | None, column: int | None) -> str:
    """Return where in a text something stands, as the end of a sentence."""
    if line is None:
        return ""
    return f" (line {line}{'' if column is None else f', column {column}'})"
