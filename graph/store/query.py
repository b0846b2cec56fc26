"""A SPARQL query as workers take it, and their answer.

Floor 1. Plain records between the endpoint, which checks and negotiates, and the pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

#: Bytes of an answer; above this it is cut, and says so, as it does above the rows.
ANSWER_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Query:
    """One SPARQL query, checked by the guard, and how it is to be answered.

    `format` is `json`, `xml`, `csv` or `tsv` for SELECT and ASK, `turtle`, `nt`, `rdfxml` or
    `jsonld` for CONSTRUCT and DESCRIBE. `default_graphs` and `named_graphs` are IRIs that the
    protocol names; they win over `from_graphs` and `from_named_graphs`, the terms after FROM as
    the text has them, which `prologue` declares the prefixes of. `prefixes` shorten IRIs in
    Turtle. `base` is what relative IRIs are relative to; without one they are refused. With
    `is_graph` the text is no query but the IRI of a graph that is asked whole, empty for the
    default graph.
    """

    text: str
    format: str
    deadline_s: float
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    prologue: str = ""
    from_graphs: tuple[str, ...] = ()
    from_named_graphs: tuple[str, ...] = ()
    rows_max: int = 10_000
    base: str | None = None
    is_graph: bool = False
    prefixes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two queries the same work."""
        return self.text, self.default_graphs, self.named_graphs, self.base, self.is_graph


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer: bytes, revision, rows or triples, whether cut, and seconds it ran."""

    body: bytes
    revision: int
    rows: int
    is_truncated: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class RdfText:
    """RDF to be written: the name of its format, as workers know it, and its bytes."""

    format: str
    data: bytes
