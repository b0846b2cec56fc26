"""What a GraphQL request asks: read from the query of a GET or the body of a POST.

Floor 5. Pure functions over bytes and header texts; what the document means is `schema/`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from graph.errors import BadValueError, UnsupportedMediaTypeError
from schema import execute
from web.documents import Documents, named_document
from web.negotiation import UTF_8, read_content_type, read_qualities

JSON: Final = "application/json"
UTF8: Final = "; charset=utf-8"
#: Parameters of a GET that hold JSON.
_ENCODED: Final = ("variables", "extensions")

_LANGUAGES: Final = 20
_ACCEPTED_CHARACTERS: Final = 500

#: A request's headers by name in lower case; of repeated ones, the last.
Headers = Mapping[bytes, bytes]


def header(headers: Headers, name: bytes) -> str | None:
    """Return a header's text."""
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def read_query(query_string: bytes) -> dict[str, Any]:
    """Return the members of a request that comes by GET.

    Raises
    ------
    BadValueError
        `variables` or `extensions` are no JSON.
    """
    asked: dict[str, Any] = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    for name in _ENCODED:
        text = asked.pop(name, "")
        if text:
            try:
                asked[name] = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise BadValueError(name, text[:80], "JSON") from None
    if not asked.get("operationName"):
        asked.pop("operationName", None)
    return asked


def read_body(headers: Headers, body: bytes) -> dict[str, Any]:
    """Return the members of a request that comes by POST.

    Raises
    ------
    UnsupportedMediaTypeError
        It is not called JSON in UTF-8, or is compressed.
    BadValueError
        It is no JSON object.
    """
    _check_content_type(header(headers, b"content-type") or "")
    encoding = header(headers, b"content-encoding")
    if encoding is not None and encoding.strip().lower() != "identity":
        raise UnsupportedMediaTypeError(f"Content-Encoding: {encoding[:80]}", ("identity",))
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadValueError("body", body[:40].decode(errors="replace"), f"JSON: {error}") from None
    if not isinstance(asked, dict):
        raise BadValueError("body", type(asked).__name__, "one JSON object; batches are not taken")
    return asked


def make_request(
    asked: Mapping[str, Any],
    languages: tuple[str, ...],
    documents: Documents,
    *,
    may_write: bool = False,
) -> tuple[execute.Request, bool]:
    """Return the request, and whether it names its document by a hash.

    Raises
    ------
    BadValueError
        A member is of the wrong kind, or there is no document.
    UnknownDocumentError
        The hash is not known and no text comes with it.
    """
    query, variables = asked.get("query"), asked.get("variables")
    operation, extensions = asked.get("operationName"), asked.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise BadValueError("extensions", str(extensions)[:40], "a JSON object")
    digest = named_document(asked)
    if digest is not None and not query:
        query = documents.text(digest)
    if not isinstance(query, str) or not query.strip():
        raise BadValueError("query", str(query)[:40], "a GraphQL document")
    if variables is not None and not isinstance(variables, dict):
        raise BadValueError("variables", str(variables)[:40], "a JSON object")
    if operation is not None and not isinstance(operation, str):
        raise BadValueError("operationName", str(operation)[:40], "text")
    explain = extensions is not None and extensions.get("explain") is True
    request = execute.Request(query, operation, variables, languages, may_write, explain)
    return request, digest is not None


@lru_cache(maxsize=64)
def preferred_languages(accepted: str, chain: tuple[str, ...]) -> tuple[str, ...]:
    """Return the languages of an Accept-Language header, the preferred first, then the chain.

    Of a long header the first ones count: nobody reads more, and what is made of them is kept.
    """
    qualities = read_qualities(accepted[:_ACCEPTED_CHARACTERS])[:_LANGUAGES]
    wanted = sorted(qualities, key=lambda item: -item[1])
    return (*(tag for tag, quality in wanted if quality > 0 and tag != "*"), *chain)


def _check_content_type(content_type: str) -> None:
    media_type, charsets = read_content_type(content_type)
    if media_type != JSON:
        raise UnsupportedMediaTypeError(content_type[:80], (JSON,))
    if not charsets <= UTF_8:
        raise UnsupportedMediaTypeError(content_type[:80], (JSON + UTF8,))
