"""Pages: Jinja2 templates with escaping always on, in the reader's language.

Floor 5. A page module gives a template its own values; what every page needs (language, links,
texts, revision) is added here. Templates work without JavaScript and load nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from graph.errors import BadValueError
from web.access import kept_by
from web.entity import page_of
from web.negotiation import choose_language, request_language
from web.static import static_link
from web.texts import LANGUAGES, NAMES, read_text

TEMPLATES: Final = Path(__file__).parent / "templates"


def render_page(
    request: Request,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page in the language that the request asks for.

    Templates see `context` and: `lang`, `t(key)` for a text of `web/texts.py`, `link(path)`,
    `static(name)`, `page_of(iri)`, `languages` (tag, name, link to this page in it), `revision`,
    `has_other_licences`, `path`.
    """
    language = _language(request)
    service = request.app.state.service
    prefix = urlsplit(service.settings.base_url).path.rstrip("/")
    values: dict[str, Any] = {
        "lang": language,
        "t": lambda key, **fields: read_text(key, language, **fields),
        "link": lambda path: prefix + path,
        "static": lambda name: prefix + static_link(name),
        "page_of": page_of,
        "languages": [(tag, NAMES[tag], _link_in(request, prefix, tag)) for tag in LANGUAGES],
        "revision": service.public_revision,
        "has_other_licences": service.has_other_licences,
        "version": service.version,
        "path": request.url.path,
        **(context or {}),
    }
    text = _environment().get_template(template).render(values)
    all_headers = {
        "Content-Language": language,
        "Vary": "Accept, Accept-Language",
        "Cache-Control": kept_by(request.scope),
        **(headers or {}),
    }
    return Response(text, status, all_headers, "text/html")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _language(request: Request) -> str:
    """The page's language; on an error page a wrong `?lang=` must not be a second error."""
    try:
        return request_language(request, LANGUAGES)
    except BadValueError:
        return choose_language(request.headers.get("accept-language"), LANGUAGES)


def _link_in(request: Request, prefix: str, language: str) -> str:
    """Link to the same page in another language, other parameters kept."""
    others = [(k, v) for k, v in request.query_params.multi_items() if k != "lang"]
    # As it was sent: escapes that are part of a name would be read as what they stand for.
    path = request.scope.get("raw_path", b"").decode("ascii", "ignore") or request.url.path
    return f"{prefix}{path}?{urlencode([*others, ('lang', language)])}"
