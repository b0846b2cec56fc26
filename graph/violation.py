"""One result of validation, as SHACL names its parts.

Floor 0. A record that data is refused with, kept as a warning, and told to whoever asked; what is
wrong is decided by the validator, and how it is told by each face.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One result of validation, with the names of SHACL's validation report.

    `focus_node`, `path` and `value` are written as in N-Triples; `severity` is `Violation` or
    `Warning`; `graph` is the named graph for what must hold per graph, else None.
    """

    focus_node: str
    path: str | None
    value: str | None
    constraint: str
    severity: str
    message: str
    graph: str | None = None
