"""What it costs to refuse a GraphQL document by its text alone: processor time of one thread."""

from __future__ import annotations

import time
from typing import Final

from bench.tables import Cell, Table, judge
from graph.errors import RhizomeError
from graph.settings import Settings
from schema.document import read_document

_BOUND_MS: Final = 5.0
_ROUNDS: Final = 20
#: The attacks on a parser of the list that the tests go through, each just as large as it may come.
DOCUMENTS: Final = {
    "one field 1,900 times": "{clusters{nodes{" + "id " * 1_900 + "}}}",
    "1,000 aliases": "{" + " ".join(f"a{n}: revision" for n in range(1_000)) + "}",
    "600 aliases": "{" + " ".join(f"a{n}: revision" for n in range(600)) + "}",
    "300 directives": "{ revision " + "@skip(if: false) " * 300 + "}",
    "2,500 tokens": "{" + "revision " * 2_500 + "}",
    "a document of 256 KB": "{" + "revision " * 28_000 + "}",
    "900 levels": "{" + "a{" * 900,
    "25 root fields, with arguments": "{"
    + " ".join(f'n{n}: node(id: "urn:x:{n}") {{ id types label __typename }}' for n in range(25))
    + "}",
    "100 fragments in each other": "{ clusters { nodes { ...f0 } } } "
    + " ".join(
        f"fragment f{n} on Cluster {{ memberships {{ nodes {{ ...f{n + 1} }} }} }}"
        for n in range(150)
    ),
    "130 fragments, twice in each other": "{ ...f0 } "
    + " ".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(130))
    + " fragment f130 on Query { "
    + "revision " * 21
    + "}",
    "the schema twice": "{ a: __schema { types { name } } b: __schema { types { name } } }",
    "a string of 256 KB": '{ a(b: "' + "\\\\" * 128_000 + '")' + " revision" * 2_500 + "}",
}


def table_refusals() -> Table:
    """Return the table, one row a document: the least time of some rounds, each with its code."""
    rows: list[tuple[Cell, ...]] = []
    for name, document in DOCUMENTS.items():
        times, code = [], "answered"
        for _ in range(_ROUNDS):
            began = time.thread_time()
            try:
                read_document(document, Settings())
            except RhizomeError as error:
                code = f"{error.code} {error.details().get('limit', '')}"
            times.append((time.thread_time() - began) * 1000)
        rows.append((name, len(document), code, min(times), judge(min(times), _BOUND_MS)))
    heads = ("document", "characters", "refused as", "CPU ms", "target")
    return Table("Documents refused before validation", tuple(heads), rows)
