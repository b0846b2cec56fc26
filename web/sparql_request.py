"""What a SPARQL request asks: its query or update and graphs, in the protocol's ways.

Floor 5. Reads and checks the outer form only (SPARQL 1.1 Protocol, sections 2.1 and 2.2); whether
the text may be tried is the guards' to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from graph.errors import (
    BadValueError,
    QueryTooLargeError,
    UnsupportedMediaTypeError,
)
from graph.store.guard import FROM_MAX
from graph.terms import is_iri
from web.negotiation import UTF_8, read_content_type

FORM: Final = "application/x-www-form-urlencoded"
QUERY: Final = "application/sparql-query"
UPDATE: Final = "application/sparql-update"
_DIRECT: Final = {QUERY: "query", UPDATE: "update"}
_FIELDS_MAX: Final = 100
_GRAPHS: Final = {
    "query": ("default-graph-uri", "named-graph-uri"),
    "update": ("using-graph-uri", "using-named-graph-uri"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks: the text, and the graphs that the protocol names.

    Of an update these are the graphs that it reads, instead of USING. `format` is that of the
    answer, where a parameter names it.
    """

    text: str
    default_graphs: tuple[str, ...]
    named_graphs: tuple[str, ...]
    is_update: bool = False
    format: str | None = None


async def read_request(request: Request) -> Asked | None:
    """Return what is asked, in whichever of the protocol's ways; None for nothing.

    Raises
    ------
    BadValueError
        It is no UTF-8, asks twice, names a graph that is no IRI, or updates by GET.
    UnsupportedMediaTypeError
        The body is neither a form nor a query nor an update.
    """
    kind, body = request.headers.get("content-type", ""), b""
    if request.method == "POST":
        _read_type(kind)  # before the body is waited for
        body = await request.body()
    return read_parts(request.method, request.scope["query_string"], kind, body)


def read_parts(method: str, query_string: bytes, content_type: str, body: bytes) -> Asked | None:
    """Return what the parts of a request ask, as `read_request` does."""
    in_url = _read_fields(query_string, "URL")
    if method != "POST":
        if any(name == "update" for name, _ in in_url):
            raise BadValueError("update", "GET", "an update sent by POST")
        return _gather(in_url)
    media_type = _read_type(content_type)
    if media_type == FORM:
        # Graphs that stand in the URL all the same are meant: passed over, all would be asked.
        asked = _gather([*in_url, *_read_fields(body, "form")])
        if asked is None:
            raise BadValueError("query", "", "a SPARQL query; send one as `query`")
        return asked
    if any(name in _GRAPHS for name, _ in in_url):
        raise BadValueError("query", "two", "one query, in the body or in the URL")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadValueError("query", repr(body[error.start :][:8]), "UTF-8") from None
    return _gather([*in_url, (_DIRECT[media_type], text)])


def _read_type(given: str) -> str:
    media_type, charsets = read_content_type(given)
    if media_type not in (FORM, *_DIRECT) or not charsets <= UTF_8:
        raise UnsupportedMediaTypeError(given[:200], (QUERY, UPDATE, FORM))
    return media_type


def _read_fields(data: bytes, place: str) -> list[tuple[str, str]]:
    try:
        text = data.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except UnicodeError:
        raise BadValueError(place, repr(data[:40]), "percent-encoded UTF-8") from None
    except ValueError:
        raise QueryTooLargeError("parameters", _FIELDS_MAX) from None


def _gather(fields: list[tuple[str, str]]) -> Asked | None:
    texts = [(name, text) for name, text in fields if name in _GRAPHS]
    if len(texts) > 1:
        raise BadValueError("query", f"{len(texts)} queries", "one query, or one update")
    kind = texts[0][0] if texts else "query"
    graphs: dict[str, list[str]] = {name: [] for names in _GRAPHS.values() for name in names}
    for name, iri in fields:
        if name in graphs:
            if not is_iri(iri):
                raise BadValueError(name, iri[:200], "an absolute IRI")
            graphs[name].append(iri)
    for name, iris in graphs.items():
        if iris and name not in _GRAPHS[kind]:
            raise BadValueError(name, iris[0][:200], f"left out of a {kind}")
    count = sum(map(len, graphs.values()))
    if count > FROM_MAX:
        raise QueryTooLargeError("graphs in FROM", FROM_MAX, count)
    if not texts:
        return None
    default, named = (tuple(graphs[name]) for name in _GRAPHS[kind])
    formats = [text for name, text in fields if name == "format"]
    if len(formats) > 1:
        raise BadValueError("format", ", ".join(formats)[:80], "one format")
    return Asked(texts[0][1], default, named, kind == "update", next(iter(formats), None))
