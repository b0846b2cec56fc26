"""Answers of questions as text: CSV, TSV and JSON, for the web and for the command line.

Floor 4. Rows go in, bytes come out, and solutions of SPARQL become rows; who asked, and how, is not
known here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from graph.errors import NotFoundError, UnknownTermError
from graph.terms import write_iri, write_literal
from schema.question import Question, Table
from schema.questions import load_questions
from schema.rows import Cell, Row

#: Formats of one table with their media types.
TABLES: Final = {"csv": "text/csv", "tsv": "text/tab-separated-values"}
JSON: Final = "application/json"
_SUGGESTED: Final = 3
#: First characters that make a spreadsheet read a cell as a formula, and numbers, which are none.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def find_question(name: str, questions: Sequence[Question] | None = None) -> Question:
    """Return the question with a name: its number, its slug, or both.

    Raises
    ------
    NotFoundError
        There is none; with those whose names share a word with it.
    """
    known = load_questions() if questions is None else questions
    for question in known:
        if name in (question.name, question.slug, str(question.number), f"{question.number:02}"):
            return question
    words = set(name.lower()[:200].split("-"))
    shared = {each.name: len(words & set(each.slug.split("-"))) for each in known}
    near = [each for each in sorted(shared, key=lambda n: (-shared[n], n)) if shared[each]]
    found = tuple(f"/questions/{each}" for each in near[:_SUGGESTED])
    raise NotFoundError(f"question {name[:80]}", found or ("/questions",))


def find_table(question: Question, text: str) -> int:
    """Return the place of the table that a number, counted from 1, names.

    Raises
    ------
    UnknownTermError
        The question has no such table.
    """
    numbers = [str(at + 1) for at in range(len(question.tables))]
    if text not in numbers:
        raise UnknownTermError("table", text[:40], tuple(numbers))
    return int(text) - 1


def write_table(table: Table, rows: Sequence[Row], format: str) -> bytes:
    """Return one table as CSV (RFC 4180) or TSV, the names of its columns first.

    Texts that a spreadsheet would take for a formula begin with an apostrophe. Tabs and ends of
    lines within a cell of TSV become spaces.
    """
    if format == "tsv":
        lines = [table.columns, *([_flat(cell) for cell in row] for row in rows)]
        return "".join("\t".join(line) + "\n" for line in lines).encode()
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return written.getvalue().encode()


def write_json(
    question: Question,
    values: Mapping[str, Any],
    tables: Mapping[int, Sequence[Row]],
    **more: object,
) -> bytes:
    """Return the answer of a question as JSON: each table with its title, columns and rows.

    `tables` holds the rows by the place of their table; `more` are further members.
    """
    document = {
        "question": question.name,
        "title": question.title[question.language],
        "parameters": dict(values),
        **more,
        "tables": [
            {
                "table": at + 1,
                "title": question.tables[at].title[question.language],
                "columns": list(question.tables[at].columns),
                "rows": [dict(zip(question.tables[at].columns, row, strict=True)) for row in rows],
            }
            for at, rows in tables.items()
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_solutions(body: bytes) -> tuple[list[str], list[list[str | None]]]:
    """Return variables and solutions of SPARQL results in JSON, terms as N-Triples text."""
    result = orjson.loads(body)
    names = result["head"]["vars"]
    rows = [
        [_term(row[name]) if name in row else None for name in names]
        for row in result["results"]["bindings"]
    ]
    return names, rows


def _term(cell: Mapping[str, str]) -> str:
    if cell["type"] == "uri":
        return write_iri(cell["value"])
    return write_literal(cell["value"], cell.get("datatype"), cell.get("xml:lang"))


def _plain(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        is_formula = cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell)
        return f"'{cell}" if is_formula else cell
    return ("true" if cell else "false") if isinstance(cell, bool) else str(cell)


def _flat(cell: Cell) -> str:
    return " ".join(_plain(cell).splitlines()).replace("\t", " ")
