"""Tables of solutions as the engine writes them: counted, cut at rows and bytes, or streamed.

Floor 1. It runs in the workers; of ours it imports its neighbours alone. The engine's writers are
four times as fast as any loop here, but know no limit of rows: what they write is read as it
comes, and cut where a row ends (decisions 0013 and 0030).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Final, cast

import pyoxigraph as ox

from graph.store.lines import FullError, Limits, MoreError, PassedError, Send
from graph.store.results import TRUNCATED_LINK, AnswerTooLargeError, Body

#: What is gathered before it is looked at, or sent.
_PIECE: Final = 64 * 1024
_LINK_JSON: Final = f',"link":["{TRUNCATED_LINK}"]'.encode()
_LINK_XML: Final = f'<link href="{TRUNCATED_LINK}"/>'.encode()
# XML 1.0 has no way to write these; a carriage return would be read as a line feed.
_NOT_XML: Final = re.compile(rb"[\x00-\x08\x0b-\x0d\x0e-\x1f\x7f]|\xef\xbf[\xbe\xbf]")
_BY_REFERENCE: Final = {b"\r": b"&#13;", b"\x7f": b"&#127;"}
# In a JSON string each quotation mark has a backslash before it: this is none inside a string,
# but the beginning of a row that binds something.
_JSON_ROW: Final = re.compile(rb',\{"(?=[^},])')
# The last string may be cut short: the engine was stopped in the middle. No way back is kept
# (`+` after a quantifier): it would take a hundred bytes for each of a string.
_JSON_PART: Final = re.compile(rb'"(?:[^"\\]++|\\(?:.|\Z))*+(?:"|\Z)|(,)\{', re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Table:
    """One format of tables: what a row is known by, and what stands around the rows.

    `mark` occurs at least once for each row but the first; `ends` yields where rows end, exactly.
    `link` says in the head that the table is cut, `before` it stands what closes the head.
    """

    format: ox.QueryResultsFormat
    mark: bytes
    ends: Callable[[bytes], Iterator[int]]
    foot: bytes
    link: bytes = b""
    before: bytes = b""


def write_table(
    solutions: ox.QuerySolutions,
    format: str,
    rows_max: int,
    bytes_max: int,
    streamed_rows: int = 0,
    streamed_bytes: int = 0,
    begin: Callable[[], Send] | None = None,
) -> Body:
    """Return the solutions of a SELECT, at most so many rows and bytes.

    Parameters
    ----------
    solutions : QuerySolutions
    format : str
        `json`, `xml`, `csv` or `tsv`.
    rows_max, bytes_max : int
        Where to cut; what stands around the rows counts, too.
    streamed_rows, streamed_bytes : int
        Where more may be had than is held: limits of an answer that is sent as it comes.
    begin : function or None
        Called once there is more than is held; returns what takes the pieces. The body then has
        no pieces.

    Raises
    ------
    AnswerTooLargeError
        The first row alone is larger.
    MoreError
        There is more than is held, and it may be streamed, but not here.
    PassedError
        What is streamed passes its limits.
    """
    limits = Limits(rows_max, bytes_max, streamed_rows, streamed_bytes)
    sink = _Sink(_TABLES[format], limits, begin)
    try:
        solutions.serialize(cast("IO[bytes]", sink), format=_TABLES[format].format)
    except FullError:
        return sink.cut()
    return sink.end()


class _Sink:
    """The file that the engine writes to: holds what comes, counts rows, and stops it."""

    def __init__(self, table: _Table, limits: Limits, begin: Callable[[], Send] | None) -> None:
        self._table = table
        self._limits = limits
        self._begin = begin
        self._send: Send | None = None
        self._held = bytearray()
        self._seen = 0  # bytes of the held ones that were looked at
        self._marks = 0  # in those
        self._look_at = _PIECE
        self._streamed = 0
        self._streamed_rows = 0

    def write(self, piece: bytes) -> int:
        """Take a piece."""
        self._held += piece
        if len(self._held) >= self._look_at:
            self._look()
        return len(piece)

    def flush(self) -> None:
        """Do nothing: what is held is looked at when there is enough of it."""

    def _look(self) -> None:
        """Stop the engine, or begin to send, where there is more than may be held."""
        if self._send is not None:
            self._pass_on()
            return
        held, limits = self._held, self._limits
        start = max(0, self._seen - len(self._table.mark) + 1)
        self._marks += held.count(self._table.mark, start)
        self._seen, self._look_at = len(held), len(held) + _PIECE
        is_long = self._marks >= limits.rows and self._count() > limits.rows
        if not is_long and len(held) <= limits.size:
            return
        if limits.streamed_rows <= limits.rows:
            raise FullError
        if self._begin is None:
            raise MoreError
        self._send = self._begin()
        self._streamed_rows = self._count()
        self._pass_on()

    def _count(self) -> int:
        """Return how many whole rows are held, exactly; what looks like one may be in a text."""
        count = sum(1 for _ in self._table.ends(bytes(self._held)))
        # Not again until there is a quarter more: else texts full of marks took long.
        self._look_at = max(self._look_at, len(self._held) * 5 // 4)
        return count

    def _pass_on(self) -> None:
        """Send what is held, but for the last bytes, which may be part of a character."""
        assert self._send is not None
        kept = 3
        piece = bytes(self._held[:-kept])
        del self._held[:-kept]
        self._look_at = _PIECE
        self._streamed += len(piece)
        self._streamed_rows += piece.count(self._table.mark)
        limits = self._limits
        if self._streamed > limits.streamed_size or self._streamed_rows > limits.streamed_rows:
            raise PassedError
        self._send(self._clean(piece))

    def _clean(self, piece: bytes) -> bytes:
        return _clean_xml(piece) if self._table.before == b"</head>" else piece

    def end(self) -> Body:
        """Return the body of a table that the engine wrote to its end."""
        if self._send is not None:
            rest = bytes(self._held)
            self._send(self._clean(rest))
            return Body([], self._streamed_rows + rest.count(self._table.mark), False)
        whole = self._clean(bytes(self._held))
        rows = sum(1 for _ in self._table.ends(whole))
        is_long = rows > self._limits.rows or len(whole) > self._limits.size
        if is_long and self._limits.streamed_rows <= self._limits.rows:
            return self.cut()
        return Body([whole], rows, False)

    def cut(self) -> Body:
        """Return as many rows as there may be, and say that there were more."""
        whole = self._clean(bytes(self._held))
        table, size = self._table, self._limits.size - len(self._table.link) - len(self._table.foot)
        rows, end = 0, -1
        for at in table.ends(whole):
            if rows == self._limits.rows or at > size:
                break
            rows, end = rows + 1, at
        if not rows:
            raise AnswerTooLargeError
        head = whole.find(table.before) if table.before else 0
        return Body([whole[:head], table.link, whole[head:end], table.foot], rows, True)


def _json_ends(text: bytes) -> Iterator[int]:
    """Yield where the rows of a table in JSON end."""
    start = text.find(b'"bindings":[') + len(b'"bindings":[')
    if start < len(b'"bindings":['):
        return
    last = text.endswith(b"]}}")
    if text.startswith(b"]}}", start):
        return
    if b"{}" in text:  # a row that binds nothing, or a text that looks like one
        found = (m.start() for m in _JSON_PART.finditer(text, start) if m[1])
    else:
        found = (m.start() for m in _JSON_ROW.finditer(text, start))
    yield from found
    if last:
        yield len(text) - len(b"]}}")


def _xml_ends(text: bytes) -> Iterator[int]:
    at = text.find(b"</result>")
    while at >= 0:
        at += len(b"</result>")
        yield at
        at = text.find(b"</result>", at)


def _tsv_ends(text: bytes) -> Iterator[int]:
    at = text.find(b"\n")  # the head's
    while at >= 0:
        at = text.find(b"\n", at + 1)
        if at >= 0:
            yield at + 1


def _csv_ends(text: bytes) -> Iterator[int]:
    """Yield where rows of CSV end: at line ends with an even number of quotes before them."""
    at = text.find(b"\r\n") + 2  # the head's: names of variables are never quoted
    start, quotes = at, 0
    while start > 1:
        at = text.find(b"\r\n", at)
        if at < 0:
            return
        quotes += text.count(b'"', start, at)
        at += 2
        start = at
        if quotes % 2 == 0:
            yield at


def _clean_xml(text: bytes) -> bytes:
    """Replace what XML cannot hold, and what it would read as something else."""
    return _NOT_XML.sub(lambda found: _BY_REFERENCE.get(found[0], b"\xef\xbf\xbd"), text)


_TABLES: Final = {
    "json": _Table(
        ox.QueryResultsFormat.JSON, b",{", _json_ends, b"]}}", _LINK_JSON, b'},"results"'
    ),
    "xml": _Table(
        ox.QueryResultsFormat.XML,
        b"</result>",
        _xml_ends,
        b"</results></sparql>",
        _LINK_XML,
        b"</head>",
    ),
    "csv": _Table(ox.QueryResultsFormat.CSV, b"\r\n", _csv_ends, b""),
    "tsv": _Table(ox.QueryResultsFormat.TSV, b"\n", _tsv_ends, b""),
}
