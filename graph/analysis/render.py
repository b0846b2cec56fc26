"""One door to the formats of a report.

Floor 3. The caller knows media types and keeps what was made; here a name leads to a renderer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from graph.analysis.findings import Report
from graph.analysis.render_csv import render_csv
from graph.analysis.render_html import render_html
from graph.analysis.render_json import render_json
from graph.analysis.render_markdown import render_markdown
from graph.errors import BadValueError

RENDERERS: Final[Mapping[str, Callable[[Report], bytes]]] = {
    "html": render_html,
    "md": render_markdown,
    "json": render_json,
    "csv": render_csv,
}


def render(report: Report, format: str) -> bytes:
    """Return a report as the bytes of a file: `html`, `md`, `json` or `csv`, all in UTF-8.

    The same report gives the same bytes: nothing else enters, neither clock nor chance.

    Raises
    ------
    BadValueError
        There is no such format.
    """
    if format not in RENDERERS:
        raise BadValueError("format", format, f"one of {', '.join(RENDERERS)}")
    return RENDERERS[format](report)
