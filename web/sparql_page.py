"""What the form for SPARQL shows: questions to begin with, and an answer as columns and cells.

Floor 5, below `web/sparql.py`, which asks and answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from graph.store.prefixes import PREFIXES
from schema.questions import load_questions

#: Questions of the library that the form offers.
WORKED: Final = (2, 10, 14)


def worked_questions(language: str) -> list[dict[str, str]]:
    """Return title, text and SPARQL of the questions that the form offers."""
    return [
        {
            "title": question.title[language],
            "text": question.text[language],
            "sparql": question.read_in(language).sparql(question.tables[0]),
        }
        for question in load_questions()
        if question.number in WORKED
    ]


def read_table(body: bytes) -> dict[str, Any]:
    """Return columns and rows of cells for the page; of ASK the one answer."""
    result = orjson.loads(body)
    if "boolean" in result:
        return {"boolean": result["boolean"]}
    names = result["head"]["vars"]
    rows = [
        [_read_cell(row[name]) if name in row else None for name in names]
        for row in result["results"]["bindings"]
    ]
    return {"columns": names, "rows": rows}


def _read_cell(term: Mapping[str, Any]) -> dict[str, str | None]:
    """Return text, link and language of a term; only web addresses become links."""
    value = term["value"]
    if term["type"] != "uri":
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return {"text": text, "link": None, "language": term.get("xml:lang")}
    link = value if value.startswith(("https://", "http://")) else None
    return {"text": _shorten(value), "link": link, "language": None}


def _shorten(iri: str) -> str:
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace):
            return f"{prefix}:{iri.removeprefix(namespace)}"
    return iri
