"""The report as CSV: one row per node, every measure with its rank.

Floor 3. RFC 4180, UTF-8, a head of stable keys, numbers with a point in every language. Text cells
that a spreadsheet would take for a formula begin with an apostrophe.
"""

from __future__ import annotations

import csv
from io import StringIO

from graph.analysis.findings import Report
from graph.analysis.render_json import round_number

#: First characters that make a spreadsheet read a cell as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render_csv(report: Report) -> bytes:
    """Return one row per node, ordered as `nodes` (by IRI); an undefined value is an empty cell.

    Columns: `iri`, `name`, `kind`, `country`, `component`, then `<measure>` and `<measure>Rank`
    for each measure, and `betweennessError` where betweenness is estimated.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    estimated = [table for table in report.measures if table.errors]
    head = ["iri", "name", "kind", "country", "component"]
    for table in report.measures:
        head += [table.key, f"{table.key}Rank"]
    writer.writerow([*head, *(f"{table.key}Error" for table in estimated)])
    for number, node in enumerate(report.nodes):
        row = [*map(neutralise, (node.iri, node.name, node.kind, node.country)), node.component]
        for value, rank in zip(node.values, node.ranks, strict=True):
            row += ["" if value is None else round_number(value), "" if rank is None else rank]
        row += [round_number(table.errors[number]) for table in estimated]
        writer.writerow(row)
    return text.getvalue().encode()


def neutralise(cell: str) -> str:
    """Return a text that no spreadsheet evaluates.

    Examples
    --------
    >>> neutralise("=1+1")
    "'=1+1"
    """
    return f"'{cell}" if cell.startswith(FORMULA) else cell
