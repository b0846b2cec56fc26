"""A SPARQL query as workers take it, and their answer.

Floor 1. Plain records between the endpoint, which checks and negotiates, and the pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import pyoxigraph as ox

from graph.access import Level

if TYPE_CHECKING:
    from graph.store.spool import Stream

#: The engine behind the workers, as `explain` names it.
ENGINE: Final = ("Oxigraph", ox.__version__)
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

    `in_parts` tells that the answer may come in parts where it is long. A table of more than
    `rows_max` rows is then streamed, and not cut, if `streamed_rows` is more; `streamed_bytes`
    bounds it as well. `is_cut` tells that it may be cut where it has no order: its pages fit
    together only if each worker reads in the same order. `caller` says who asks, in words that are
    no secret; `origin` is what one asker's queries have in common, and is never told. `level` is
    what they may see: only who may see as much is told the text.
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
    in_parts: bool = False
    streamed_rows: int = 0
    streamed_bytes: int = 0
    is_cut: bool = False
    caller: str = "anonymous"
    origin: str = ""
    level: Level = Level.PUBLIC

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two queries the same work."""
        return self.text, self.default_graphs, self.named_graphs, self.base, self.is_graph


@dataclass(frozen=True, slots=True)
class Taken:
    """What a query took: its lane, seconds, and what the engine can tell.

    `waited_s` was spent in the queue, `given_up_s` in the fast lane before the query was moved to
    the slow one, `plan_s` on parsing and planning, `answer_s` on evaluating and writing;
    `grown_mb` is what the worker holds more than when it opened the store.
    """

    lane: str
    waited_s: float
    given_up_s: float
    plan_s: float
    answer_s: float
    grown_mb: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: bytes, revision, rows or triples, whether cut, and seconds it ran.

    Where it comes in parts, `rest` has them, `body` is empty, `size` is how many bytes they have
    if that is known, and `rows` and `seconds` are those of the rest, which has them at its end.
    """

    body: bytes
    revision: int
    rows: int
    is_truncated: bool
    seconds: float
    rest: Stream | None = None
    size: int | None = None
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class RdfText:
    """RDF to be written: the name of its format, as workers know it, and its bytes."""

    format: str
    data: bytes
