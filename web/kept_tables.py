"""Answers to SPARQL queries that are kept until the data changes.

Floor 5. Kept is what a visitor without a token got whole: the same text in the same format gets
the same bytes, until a commit comes or the store is doubted. A query that asks for the time or
for chance is evaluated each time, and so is one whose client wants nothing that was kept
(`Cache-Control: no-cache`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from graph.store.guard import Checked
from graph.store.pool import Pool
from graph.store.prefixes import PREFIXES
from graph.store.query import Answer, Query
from web.access import REFUSED, VIEWER
from web.answers import COMPRESSED_BYTES, AnswerCache, Reply, accepts_gzip
from web.conditional import matches, wants_fresh

#: Longer texts are not kept with their answers.
_KEPT_CHARACTERS: Final = 16 * 1024
#: Longer answers are neither kept nor tagged nor compressed: that would hold the loop up.
_KEPT_BYTES: Final = 256 * 1024
# Of a text, and of each character of one that is not Latin.
_TEXT_BYTES: Final = 100
_CHARACTER_BYTES: Final = 4
Key = tuple[object, ...]


class Table(Reply):
    """An answer of the workers with its bytes, tag and compressed form."""

    __slots__ = ("answer",)

    def __init__(self, answer: Answer, media_type: str) -> None:
        super().__init__(answer.body, media_type)
        self.answer = answer

    @property
    def is_kept(self) -> bool:
        """Whether it is one that may be kept: whole, and not long."""
        return self.answer.rest is None and len(self.body) <= _KEPT_BYTES


class Kept:
    """Where the answer to one query is looked for, and put.

    Parameters
    ----------
    cache : AnswerCache
    pool : Pool
        Who will answer the query if nothing is kept.
    request : Request
    media_type : str
        What the answer is asked as: two that call one format differently share nothing.
    checked : Checked
        What the guard found in the text.
    query : Query
    """

    def __init__(
        self,
        cache: AnswerCache,
        pool: Pool,
        request: Request,
        media_type: str,
        checked: Checked,
        query: Query,
    ) -> None:
        self._cache = cache
        self._standing = pool.standing
        self._key = _key_of(request, media_type, checked, query)
        texts = query.text, *query.default_graphs, *query.named_graphs
        self._key_bytes = sum(_TEXT_BYTES + _CHARACTER_BYTES * len(text) for text in texts)
        self._is_fresh = wants_fresh(request.headers.get("cache-control"))

    def find(self, least: int) -> Table | None:
        """Return the answer that is kept, if it is of at least a revision."""
        standing = self._standing
        if self._key is None or standing is None or standing.revision < least or self._is_fresh:
            return None
        found = self._cache.get(standing.revision, (standing.epoch, *self._key))
        return found if isinstance(found, Table) else None

    def keep(self, table: Table) -> None:
        """Keep an answer, if it is a whole one of the data that the query began with."""
        standing, answer = self._standing, table.answer
        if self._key is None or standing is None or not table.is_kept:
            return
        if answer.revision == standing.revision:
            key = (standing.epoch, *self._key)
            self._cache.put(standing.revision, key, self._key_bytes, table)


def _key_of(request: Request, media_type: str, checked: Checked, query: Query) -> Key | None:
    """Return all that the answer depends on but for the data; None: it is not kept."""
    is_visitor = VIEWER not in request.scope and REFUSED not in request.scope
    if not is_visitor or not checked.is_steady or query.prefixes is not PREFIXES:
        return None
    graphs = query.default_graphs, query.named_graphs
    if len(query.text) + sum(len(iri) for named in graphs for iri in named) > _KEPT_CHARACTERS:
        return None
    return (query.text, media_type, *graphs, query.base, query.rows_max, query.in_parts)


async def send_table(request: Request, table: Table, headers: Mapping[str, str]) -> Response:
    """Return a whole answer, compressed if that is asked for; 304 where a visitor holds it.

    A long one goes as it is: no tag is made of it.
    """
    if _is_packed(request, table):
        await table.packed()  # a long one in a thread
    return make_response(request, table, headers)


def make_response(request: Request, table: Table, headers: Mapping[str, str]) -> Response:
    """Return what `send_table` does, compressing here and now."""
    sent, body = dict(headers), table.body
    if not table.is_kept:
        return Response(body, headers=sent, media_type=table.media_type)
    if request.method in ("GET", "HEAD") and VIEWER not in request.scope:
        sent["ETag"] = table.tag
        if matches(request.headers.get("if-none-match"), table.tag):
            return Response(status_code=304, headers=sent)
    if _is_packed(request, table):
        body = table.pack()
        sent["Content-Encoding"] = "gzip"
    return Response(body, headers=sent, media_type=table.media_type)


def _is_packed(request: Request, table: Table) -> bool:
    is_long = table.is_kept and len(table.body) >= COMPRESSED_BYTES
    return is_long and accepts_gzip(request.headers.get("accept-encoding"))
