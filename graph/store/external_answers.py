"""Answers of a SPARQL server of others: read with care, and written anew in our formats.

Floor 1. Tables come as SPARQL JSON and graphs as N-Triples or Turtle, whatever a client asked
for; what is not well formed is never passed on. A table that is larger than may be answered is
read as far as its rows are whole. Nothing here knows of connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import orjson
import pyoxigraph as ox

from graph.store import nesting, results
from graph.store.query import Query
from graph.store.tables import write_table

#: What we ask for; graphs are read as N-Triples where a server has them.
TABLE_ACCEPT: Final = "application/sparql-results+json"
GRAPH_ACCEPT: Final = "application/n-triples, text/turtle;q=0.8, text/plain;q=0.5"
_N_TRIPLES: Final = ("application/n-triples", "text/plain", "text/ntriples")
_TURTLE: Final = ("text/turtle", "application/x-turtle")
_JSON: Final = (TABLE_ACCEPT, "application/json", "text/json")
#: How Virtuoso says true and false, as a table with this column.
_ASK_COLUMN: Final = "__ask_retval"
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
_BOOLEAN: Final = "http://www.w3.org/2001/XMLSchema#boolean"
_LABEL: Final = re.compile(r"[^A-Za-z0-9_]")
_BINDINGS: Final = re.compile(rb'"bindings"\s*:\s*\[')

_BOOLEANS: Final = {
    value: cast(
        "ox.QueryBoolean",
        ox.parse_query_results(
            b'{"head":{},"boolean":%b}' % text, format=ox.QueryResultsFormat.JSON
        ),
    )
    for value, text in ((True, b"true"), (False, b"false"))
}

#: What a cell of a table may hold.
Term = ox.NamedNode | ox.BlankNode | ox.Literal


class UnreadableError(Exception):
    """The server's answer is not what it says it is; `str` tells how."""


@dataclass(frozen=True, slots=True)
class Received:
    """A body as it came: its media type, and whether there was more than was read.

    `rows_max` is the number of rows at which the server cuts by itself, where it says so.
    """

    media_type: str
    body: bytes
    is_cut: bool = False
    rows_max: int | None = None


class Solutions:
    """The solutions of a SELECT: `names` of the variables, and rows of terms by name."""

    def __init__(self, names: list[str], rows: list[Any]) -> None:
        for name in names:
            ox.Variable(name)
        self.names = names
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def append_unbound(self) -> None:
        """Add a row without values."""
        self._rows.append({})

    def __iter__(self) -> Iterator[dict[str, Term]]:
        for row in self._rows:
            if not isinstance(row, dict):
                raise UnreadableError("a solution is no object")
            yield {name: _read_term(row[name]) for name in self.names if name in row}

    def for_engine(self) -> ox.QuerySolutions:
        """Return them, checked, as the engine's writers take them."""
        rows = [{name: _write_term(term) for name, term in row.items()} for row in self]
        value = {"head": {"vars": self.names}, "results": {"bindings": rows}}
        form = ox.QueryResultsFormat.JSON
        solutions = ox.parse_query_results(orjson.dumps(value), format=form)
        assert isinstance(solutions, ox.QuerySolutions)
        return solutions


def read_table(received: Received) -> tuple[bool | Solutions, bool]:
    """Return the answer to an ASK or SELECT, and whether rows are missing.

    Raises
    ------
    UnreadableError
        It is no SPARQL JSON.
    AnswerTooLargeError
        Not even the first row is whole.
    """
    if received.media_type not in _JSON:
        raise UnreadableError(f"it answered a table as {received.media_type[:60] or 'nothing'}")
    body = _cut_rows(received.body) if received.is_cut else received.body
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableError("its JSON is not well formed") from error
    if isinstance(value, dict) and isinstance(value.get("boolean"), bool):
        return value["boolean"], received.is_cut
    try:
        names, rows = value["head"].get("vars", []), value["results"]["bindings"]
        if not isinstance(rows, list) or not all(isinstance(name, str) for name in names):
            raise UnreadableError("its JSON is no SPARQL result")
        return Solutions(list(names), rows), received.is_cut
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableError("its JSON is no SPARQL result") from error


def read_boolean(received: Received) -> bool:
    """Return the answer to an ASK, also where it comes as a table of one row.

    Raises
    ------
    UnreadableError
        It says neither yes nor no.
    """
    answer, _ = read_table(received)
    if isinstance(answer, bool):
        return answer
    names = [name.lower() for name in answer.names]
    cells = [term for row in answer for term in row.values()]
    if names == [_ASK_COLUMN] and len(cells) <= 1:
        text = cells[0].value if cells and isinstance(cells[0], ox.Literal) else "0"
        if text in ("0", "1", "true", "false"):
            return text in ("1", "true")
    raise UnreadableError("its answer to an ASK is neither true nor false")


def read_triples(received: Received, levels_max: int) -> Iterator[ox.Triple]:
    """Yield the triples of a CONSTRUCT or DESCRIBE.

    Raises
    ------
    UnreadableError
        It is no N-Triples or Turtle, or nested too deeply.
    """
    format, name = _graph_format(received.media_type)
    body = received.body
    if received.is_cut:
        if name != "nt":
            raise results.AnswerTooLargeError
        body = body[: body.rfind(b"\n") + 1]
        if not body:
            raise results.AnswerTooLargeError
    if nesting.find_fault(body, name, levels_max) is not None:
        raise UnreadableError("its RDF is nested too deeply, or not well formed")
    try:
        for quad in ox.parse(body, format=format):
            yield quad.triple
    except (SyntaxError, ValueError) as error:
        raise UnreadableError("its RDF is not well formed") from error


def write_answer(
    query: Query, form: str, received: Received, levels_max: int, bytes_max: int
) -> results.Body:
    """Return a server's answer in the format that the query wants.

    Parameters
    ----------
    query : Query
    form : str
        SELECT, ASK, CONSTRUCT or DESCRIBE.
    received : Received
    levels_max, bytes_max : int
        How deep RDF may be nested, and where an answer is cut.

    Raises
    ------
    UnreadableError
        It is not well formed.
    AnswerTooLargeError, UnwritableError
        Not even a part fits, or the format cannot say it.
    """
    if form == "ASK":
        return results.write_boolean(_BOOLEANS[read_boolean(received)], query.format)
    # What may be streamed may have more rows; it is held whole here, so no more bytes.
    rows_max = max(query.rows_max, query.streamed_rows if query.in_parts else 0)
    if form == "SELECT":
        answer, is_cut = read_table(received)
        if isinstance(answer, bool):
            raise UnreadableError("it answered a SELECT with true or false")
        if received.rows_max is not None and len(answer) >= received.rows_max:
            is_cut = True
        if is_cut and len(answer) == 0:
            raise results.AnswerTooLargeError
        if is_cut:  # what is missing is missing, even where the rows that came are few enough
            rows_max = min(rows_max, len(answer))
            answer.append_unbound()
        return write_table(answer.for_engine(), query.format, rows_max, bytes_max)
    triples = read_triples(received, levels_max)
    body = results.write_graph(triples, query.format, rows_max, bytes_max, query.prefixes)
    return replace(body, is_truncated=body.is_truncated or received.is_cut)


def _graph_format(media_type: str) -> tuple[ox.RdfFormat, str]:
    if media_type in _N_TRIPLES:
        return ox.RdfFormat.N_TRIPLES, "nt"
    if media_type in _TURTLE:
        return ox.RdfFormat.TURTLE, "turtle"
    raise UnreadableError(f"it answered a graph as {media_type[:60] or 'nothing'}")


def _cut_rows(body: bytes) -> bytes:
    """Return a table that breaks off, closed after its last whole row.

    Raises
    ------
    AnswerTooLargeError
        It breaks off before.
    """
    found = _BINDINGS.search(body)
    if found is None:
        raise results.AnswerTooLargeError
    depth, end = 0, -1
    for token in _TOKENS.finditer(body, found.end()):
        sign = token.group()
        if sign == b"{":
            depth += 1
        elif sign == b"}":
            depth -= 1
            if depth == 0:
                end = token.end()
    if end < 0:
        raise results.AnswerTooLargeError
    return body[:end] + b"]}}"


def _read_term(cell: Any) -> Term:
    """Return the term of a cell.

    Raises
    ------
    UnreadableError
        It is none.
    """
    try:
        value = cell["value"]
        if not isinstance(value, str):
            raise TypeError
        match cell["type"]:
            case "uri":
                return ox.NamedNode(value)
            case "bnode":
                return ox.BlankNode(_LABEL.sub(_spell, value) or "b")
            case "literal" | "typed-literal":
                language = cell.get("xml:lang")
                if language is not None:
                    return ox.Literal(value, language=language)
                datatype = cell.get("datatype")
                if datatype == _BOOLEAN:  # Virtuoso writes 1 and 0
                    value = {"1": "true", "0": "false"}.get(value, value)
                return ox.Literal(
                    value, datatype=None if datatype is None else ox.NamedNode(datatype)
                )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableError("one of its terms is not well formed") from error
    raise UnreadableError("one of its terms is of no kind that is known")


def _write_term(term: Term) -> dict[str, str]:
    """Return a term as a cell of SPARQL JSON."""
    match term:
        case ox.NamedNode():
            return {"type": "uri", "value": term.value}
        case ox.BlankNode():
            return {"type": "bnode", "value": term.value}
    found = {"type": "literal", "value": term.value}
    if term.language is not None:
        return {**found, "xml:lang": term.language}
    if term.datatype.value == _STRING:
        return found
    return {**found, "datatype": term.datatype.value}


def _spell(found: re.Match[str]) -> str:
    """Spell a character that no label may hold, so that different labels stay different."""
    return f"_{ord(found.group()):x}_"
