"""What the client would rather have, and what it sends: media types, formats and languages.

Floor 5. Pure functions over header texts (RFC 9110 sections 8.3 and 12, RFC 4647 section 3.4), so
that every endpoint negotiates alike; nothing here knows what the endpoints answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request

from graph.errors import BadValueError, NotAcceptableError

#: What a charset is called that is UTF-8.
UTF_8: Final = frozenset({"utf-8", "utf8"})

# RFC 9110 section 12.4.2: three digits at most, never above 1.
_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_MEDIA_RANGE = re.compile(r"\*/\*|[\w!#$&^.+-]+/(?:\*|[\w!#$&^.+-]+)", re.ASCII)
_HTML, _XHTML = "text/html", "application/xhtml+xml"
_LANGUAGE_RANGE = re.compile(r"\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*", re.ASCII)


def read_qualities(header: str) -> list[tuple[str, float]]:
    """Return the items of an Accept-like header in lower case with their q-values.

    Parameters of an item other than `q` are dropped; an item with a q-value that is not one
    is left out, as if it had not been sent.

    Examples
    --------
    >>> read_qualities("text/turtle;q=0.5, */*;q=0.1")
    [('text/turtle', 0.5), ('*/*', 0.1)]
    """
    return [item for part in _split(header, ",") if (item := _read_item(part)) is not None]


@lru_cache(maxsize=64)
def read_content_type(header: str) -> tuple[str, frozenset[str]]:
    """Return the media type and the charsets of a Content-Type header, in lower case.

    Parameters that nobody here knows are passed over (RFC 9110 section 8.3, RFC 2045 section 1).

    Examples
    --------
    >>> read_content_type('Application/JSON; version=1; charset="UTF-8"')
    ('application/json', frozenset({'utf-8'}))
    """
    media_type, *parameters = _split(header, ";")
    pairs = [parameter.partition("=") for parameter in parameters]
    charsets = {
        v.strip(' \t"').lower() for name, _, v in pairs if name.strip().lower() == "charset"
    }
    return media_type.strip().lower(), frozenset(charsets - {""})


def choose_media_type(accept: str | None, offered: Sequence[str]) -> str:
    """Return the offered media type that the Accept header likes best.

    Who asks for XHTML, and says nothing of HTML, is a browser or thinks of one: HTML will do. The
    most specific range that matches a type gives its quality; of equal qualities the type
    named more specifically wins, then the one offered first. No header means: anything.

    Raises
    ------
    NotAcceptableError
        No offered type has a quality above 0.

    Examples
    --------
    >>> choose_media_type("text/*;q=0.8, application/json", ["text/turtle", "application/json"])
    'application/json'
    """
    return _choose_media_type(accept, tuple(offered))


@lru_cache(maxsize=256)
def _choose_media_type(accept: str | None, offered: tuple[str, ...]) -> str:
    if accept is None or not accept.strip():
        return offered[0]
    qualities: dict[str, float] = {}
    for name, quality in read_qualities(accept):
        if _MEDIA_RANGE.fullmatch(name):
            qualities[name] = max(quality, qualities.get(name, 0.0))
    if liked := qualities.get(_XHTML, 0.0):
        qualities.setdefault(_HTML, liked)
    best, best_rank = None, (0.0, 0)
    for media_type in offered:
        rank = _rank(media_type.partition(";")[0].strip().lower(), qualities)
        if rank[0] > 0 and rank > best_rank:
            best, best_rank = media_type, rank
    if best is None:
        raise NotAcceptableError(asked=accept[:200], offered=offered)
    return best


def choose_language(accept: str | None, offered: Sequence[str]) -> str:
    """Return the offered language that the Accept-Language header likes best.

    A range matches by lookup: `fr-CA` finds `fr`. Where nothing matches the first one offered
    answers, since a page in another language is better than none.

    Examples
    --------
    >>> choose_language("de, fr-CA;q=0.8, en;q=0.5", ["en", "fr"])
    'fr'
    """
    best, best_quality = offered[0], 0.0
    ranges = read_qualities(accept or "")
    refused = {name for name, quality in ranges if quality == 0}
    for name, quality in ranges:
        if quality > best_quality and _LANGUAGE_RANGE.fullmatch(name):
            found = _look_up(name, [tag for tag in offered if tag not in refused])
            if found is not None:
                best, best_quality = found, quality
    return best


def request_language(request: Request, offered: Sequence[str]) -> str:
    """Return the language of the answer: `?lang=` if given, else by Accept-Language.

    Raises
    ------
    BadValueError
        `?lang=` names a language that is not offered.
    """
    asked = request.query_params.get("lang")
    if asked is None:
        return choose_language(request.headers.get("accept-language"), offered)
    if asked.lower() not in offered:
        raise BadValueError("lang", asked[:40], f"one of {', '.join(offered)}")
    return asked.lower()


def request_format(request: Request, formats: Mapping[str, str]) -> str:
    """Return the name of the answer's format: `?format=` if given, else by Accept.

    Parameters
    ----------
    request : Request
    formats : Mapping[str, str]
        Media type by format name, the default first.

    Raises
    ------
    BadValueError
        `?format=` names no format.
    NotAcceptableError
        The Accept header takes none of them.
    """
    asked = request.query_params.get("format")
    if asked is not None:
        if asked.lower() not in formats:
            raise BadValueError("format", asked[:40], f"one of {', '.join(formats)}")
        return asked.lower()
    chosen = choose_media_type(request.headers.get("accept"), tuple(formats.values()))
    return next(name for name, media_type in formats.items() if media_type == chosen)


def refuse_unknown(
    query: Mapping[str, str], known: Iterable[str], elsewhere: Mapping[str, str] | None = None
) -> None:
    """Refuse parameters that nothing reads: an answer without them would be wrong unseen.

    `elsewhere` tells of parameters that are known at other addresses, by name: where.

    Raises
    ------
    BadValueError
        A name of the query string is not known here, or is given more than once.
    """
    names = tuple(known)
    given = query.multi_items() if isinstance(query, QueryParams) else list(query.items())
    for at, (name, value) in enumerate(given):
        if name not in names:
            offered = f"one of {', '.join(names)}" if names else "taken here: there are none"
            hint = f"; {elsewhere[name]}" if elsewhere and name in elsewhere else ""
            raise BadValueError("query parameter", name[:40], offered + hint)
        if any(name == earlier for earlier, _ in given[:at]):  # the names are few
            place = f"query parameter {name}"
            raise BadValueError(place, value[:40], "its only value: give it once")


def _rank(media_type: str, qualities: Mapping[str, float]) -> tuple[float, int]:
    """Quality of a type by the most specific range that matches it, and how specific that is."""
    family = media_type.partition("/")[0]
    for specificity, name in ((3, media_type), (2, f"{family}/*"), (1, "*/*")):
        if name in qualities:
            return qualities[name], specificity
    return 0.0, 0


def _look_up(language_range: str, offered: Sequence[str]) -> str | None:
    """The offered tag that a range finds when its last subtags are dropped one by one."""
    if language_range == "*":
        return offered[0] if offered else None
    while language_range and language_range not in offered:
        language_range = language_range.rpartition("-")[0]
    return language_range or None


def _read_item(part: str) -> tuple[str, float] | None:
    name, *parameters = (piece.strip() for piece in _split(part, ";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            if not _QUALITY.fullmatch(value.strip()):
                return None
            quality = float(value)
    return (name.lower(), quality) if name else None


def _split(text: str, separator: str) -> Iterator[str]:
    """Split at separators outside quoted strings, in one pass."""
    if '"' not in text:
        yield from text.split(separator)
        return
    start, is_quoted, is_escaped = 0, False, False
    for place, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif is_quoted and character == "\\":
            is_escaped = True
        elif character == '"':
            is_quoted = not is_quoted
        elif character == separator and not is_quoted:
            yield text[start:place]
            start = place + 1
    yield text[start:]
