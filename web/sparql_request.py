"""What a SPARQL request asks: its query and graphs, in the protocol's three ways.

Floor 5. Reads and checks the outer form only (SPARQL 1.1 Protocol, section 2.1); whether the query
may be tried is the guard's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from graph.errors import (
    BadValueError,
    QuerySyntaxError,
    QueryTooLargeError,
    UnsupportedMediaTypeError,
)
from graph.store.guard import FROM_MAX
from graph.terms import is_iri

FORM: Final = "application/x-www-form-urlencoded"
QUERY: Final = "application/sparql-query"
_FIELDS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks: the query's text, and the graphs that the protocol names."""

    text: str
    default_graphs: tuple[str, ...]
    named_graphs: tuple[str, ...]


async def read_request(request: Request) -> Asked | None:
    """Return what is asked, in whichever of the protocol's three ways; None for nothing.

    Raises
    ------
    BadValueError
        It is no UTF-8, asks twice, or names a graph that is no IRI.
    UnsupportedMediaTypeError
        The body is neither a form nor a query.
    """
    in_url = _read_fields(request.scope["query_string"], "URL")
    if request.method != "POST":
        return _gather(in_url)
    given = request.headers.get("content-type", "")
    media_type, _, parameters = given.partition(";")
    charset = parameters.lower().replace(" ", "").replace('"', "").removeprefix("charset=")
    if media_type.strip().lower() not in (FORM, QUERY) or charset not in ("", "utf-8", "utf8"):
        raise UnsupportedMediaTypeError(given[:200], (QUERY, FORM))
    body = await request.body()
    if media_type.strip().lower() == FORM:
        asked = _gather(_read_fields(body, "form"))
        if asked is None:
            raise BadValueError("query", "", "a SPARQL query; send one as `query`")
        return asked
    if any(name == "query" for name, _ in in_url):
        raise BadValueError("query", "two", "one query, in the body or in the URL")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadValueError("query", repr(body[error.start :][:8]), "UTF-8") from None
    return _gather([*in_url, ("query", text)])


def _read_fields(data: bytes, place: str) -> list[tuple[str, str]]:
    try:
        text = data.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except UnicodeError:
        raise BadValueError(place, repr(data[:40]), "percent-encoded UTF-8") from None
    except ValueError:
        raise QueryTooLargeError("parameters", _FIELDS_MAX) from None


def _gather(fields: list[tuple[str, str]]) -> Asked | None:
    if any(name == "update" for name, _ in fields):
        detail = "updates are not taken here; send a query: SELECT, ASK, CONSTRUCT or DESCRIBE"
        raise QuerySyntaxError("SPARQL", detail)
    texts = [text for name, text in fields if name == "query"]
    if len(texts) > 1:
        raise BadValueError("query", f"{len(texts)} queries", "one query")
    graphs: dict[str, list[str]] = {"default-graph-uri": [], "named-graph-uri": []}
    for name, iri in fields:
        if name in graphs:
            if not is_iri(iri):
                raise BadValueError(name, iri[:200], "an absolute IRI")
            graphs[name].append(iri)
    count = sum(map(len, graphs.values()))
    if count > FROM_MAX:
        raise QueryTooLargeError("graphs in FROM", FROM_MAX, count)
    if not texts:
        return None
    return Asked(texts[0], tuple(graphs["default-graph-uri"]), tuple(graphs["named-graph-uri"]))
