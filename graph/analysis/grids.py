"""The tables of a report as rows of text in its language, for every format that shows tables.

Floor 3. A grid has no mark-up: HTML and Markdown escape and lay out the same cells.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from graph.analysis.findings import AffiliationRow, MeasureTable, Report
from graph.analysis.plots import Bin
from graph.analysis.wording import Wording

#: Names written into one cell.
NAMES: Final = 12
#: Rows of a table of cuts, components or affiliations.
ROWS: Final = 100

#: A column: its head, and whether it holds numbers.
Column = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: caption, columns, rows of as many cells, and a note where rows are left out."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def grid_measure(
    report: Report, wording: Wording, place: int, first: int, last: int | None = None
) -> Grid:
    """Return the ranking by one measure, from a position (0 is the first) up to another."""
    table = report.measures[place]
    shared = Counter(node.ranks[place] for node in report.nodes)
    columns: list[Column] = [
        (wording.say("col.rank"), True),
        (_node_head(report, wording), False),
        (wording.say("col.country"), False),
        (f"{table.label} ({table.unit})", True),
    ]
    if table.errors:
        columns.append((wording.say("col.error"), True))
    rows = []
    for number in table.order[first:last]:
        node = report.nodes[number]
        row = [
            write_rank(wording, node.ranks[place], shared),
            node.name,
            node.country,
            wording.number(node.values[place], table.digits),
        ]
        if table.errors:
            row.append(wording.number(table.errors[number], table.digits + 1))
        rows.append(tuple(row))
    return Grid(table.label, tuple(columns), tuple(rows))


def write_rank(wording: Wording, rank: int | None, shared: Counter[int | None]) -> str:
    """Return a rank as a reader sees it: `2=` where several nodes share it."""
    if rank is None:
        return "–"
    return wording.number(rank) + ("=" if shared[rank] > 1 else "")


def grid_articulation(report: Report, wording: Wording) -> Grid:
    """Return the articulation points with whom each cuts off."""
    names = [node.name for node in report.nodes]
    rows = [
        (
            names[s.node],
            wording.number(s.lost),
            " + ".join(wording.number(size) for size in s.sizes[:8])
            + (" + …" * (len(s.sizes) > 8)),
            wording.shorten([names[number] for number in s.cut_off], NAMES),
        )
        for s in report.separations
    ]
    columns = (
        (_node_head(report, wording), False),
        (wording.say("col.cutoff"), True),
        (wording.say("col.parts.left"), False),
        (wording.say("col.who"), False),
    )
    return _cut(wording, Grid(wording.say("head.articulation"), columns, tuple(rows)), ROWS)


def grid_bridges(report: Report, wording: Wording) -> Grid:
    """Return the bridges with the size of the smaller side."""
    names = [node.name for node in report.nodes]
    rows = tuple(
        (names[bridge.nodes[0]], names[bridge.nodes[1]], wording.number(bridge.side))
        for bridge in report.bridges
    )
    columns = (
        (wording.say("col.from"), False),
        (wording.say("col.to"), False),
        (wording.say("col.side"), True),
    )
    return _cut(wording, Grid(wording.say("head.bridges"), columns, rows), ROWS)


def grid_components(report: Report, wording: Wording) -> Grid:
    """Return the components, those without any tie in one last row."""
    names = [node.name for node in report.nodes]
    rows = [
        (
            wording.number(number),
            wording.number(len(part)),
            wording.shorten([names[node] for node in part], NAMES),
        )
        for number, part in enumerate(report.components, start=1)
        if len(part) > 1
    ]
    alone = [names[part[0]] for part in report.components if len(part) == 1]
    if alone:
        size = f"{wording.number(len(alone))} × 1"
        rows.append((wording.say("head.alone"), size, wording.shorten(alone, NAMES)))
    columns = (
        (wording.say("col.number"), False),
        (wording.say("col.size"), True),
        (wording.say("col.members"), False),
    )
    return _cut(wording, Grid(wording.say("head.components"), columns, tuple(rows)), ROWS)


def grid_layers(report: Report, wording: Wording) -> Grid:
    """Return what each kind of affiliation adds."""
    rows = tuple(
        (
            layer.label,
            *map(
                wording.number,
                (
                    layer.affiliations,
                    layer.linking,
                    layer.parties,
                    layer.organisations,
                    layer.pairs,
                ),
            ),
        )
        for layer in report.layers
    )
    keys = ("affiliations", "linking", "parties", "nodes", "pairs")
    columns = (
        (wording.say("col.layer"), False),
        *((wording.say(f"col.{key}"), True) for key in keys),
    )
    return Grid(wording.say("head.layers"), columns, rows)


def grid_affiliations(report: Report, wording: Wording) -> Grid:
    """Return the affiliations, largest first, with known, stated and missing parties."""

    def key(row: AffiliationRow) -> tuple[int, str, str]:
        return -row.known, row.name.casefold(), row.iri

    rows = tuple(
        (
            row.name,
            wording.say(f"layer.{row.layer}.short"),
            wording.number(row.known),
            wording.join([wording.number(count) for count in row.stated], "word.or"),
            wording.number(row.missing) if row.missing else "",
        )
        for row in sorted(report.affiliations, key=key)
    )
    columns = (
        (wording.say("col.affiliation"), False),
        (wording.say("col.layer"), False),
        (wording.say("col.known"), True),
        (wording.say("col.stated"), True),
        (wording.say("col.unknown"), True),
    )
    return _cut(wording, Grid(wording.say("head.affiliations"), columns, rows), ROWS)


def grid_folded(report: Report, wording: Wording) -> Grid:
    """Return the predecessors that count as their successors."""
    columns = ((wording.say("col.predecessor"), False), (wording.say("col.successor"), False))
    return Grid(wording.say("head.folded"), columns, report.folded_names)


def grid_definitions(report: Report, wording: Wording) -> Grid:
    """Return formula, normalisation and edge cases of each measure."""
    rows = tuple(
        (table.label, table.formula, table.normalisation, table.edges, table.reference)
        for table in report.measures
    )
    keys = ("measure", "formula", "normalisation", "edges", "reference")
    columns = tuple((wording.say(f"col.{key}"), False) for key in keys)
    return Grid(wording.say("head.measures"), columns, rows)


def grid_values(report: Report, wording: Wording, most: int) -> Grid:
    """Return every value of the nodes, in the order of the first measure."""
    rows = []
    for number in report.measures[0].order[:most] if report.measures else ():
        node = report.nodes[number]
        values = (
            wording.number(value, table.digits)
            for value, table in zip(node.values, report.measures, strict=True)
        )
        rows.append((node.name, node.kind, node.country, *values))
    columns = (
        (_node_head(report, wording), False),
        (wording.say("col.kind"), False),
        (wording.say("col.country"), False),
        *((table.label, True) for table in report.measures),
    )
    note = _shown(wording, len(rows), len(report.nodes))
    return Grid(wording.say("head.annex"), columns, tuple(rows), note)


def grid_ties(report: Report, wording: Wording, most: int) -> Grid:
    """Return the heaviest ties with the affiliations that make them."""
    names = [node.name for node in report.nodes]
    rows = tuple(
        (
            names[tie.nodes[0]],
            names[tie.nodes[1]],
            wording.number(tie.weight, 3),
            wording.shorten([report.affiliations[n].name for n in tie.affiliations], NAMES),
        )
        for tie in report.ties[:most]
    )
    columns = (
        (wording.say("col.from"), False),
        (wording.say("col.to"), False),
        (wording.say("col.weight"), True),
        (wording.say("col.shared"), False),
    )
    total, note = report.network.ties, ""
    if len(rows) < total:
        note = wording.say("note.shown.ties", shown=len(rows), all=total)
    return Grid(wording.say("head.ties"), columns, rows, note)


def grid_bins(report: Report, wording: Wording, bins: list[Bin]) -> Grid:
    """Return how many nodes have how many partners."""
    rows = tuple((write_bin(wording, b), wording.number(b.count)) for b in bins)
    two_modes = report.network.organisations < report.network.nodes
    nodes = wording.say("col.nodes.two" if two_modes else "col.nodes")
    columns = ((wording.say("col.partners"), True), (nodes, True))
    return Grid(wording.say("note.degree"), columns, rows)


def write_bin(wording: Wording, b: Bin) -> str:
    """Return the range of a bin."""
    low, high = wording.number(b.low), wording.number(b.high)
    return low if b.low == b.high else f"{low}–{high}"


def write_estimate(wording: Wording, table: MeasureTable) -> str:
    """Return the note of a measure that was estimated, empty for an exact one."""
    if table.sources is None or table.sources_wanted is None:
        return ""
    said = {"sources": table.sources, "wanted": table.sources_wanted}
    if not table.errors:
        return wording.say("note.estimated", **said)
    worst = max((table.errors[number] for number in table.order[:20]), default=0.0)
    error = wording.number(worst, table.digits + 1)
    return wording.say("note.estimated.error", error=error, **said)


def _node_head(report: Report, wording: Wording) -> str:
    two_modes = report.network.organisations < report.network.nodes
    return wording.say("col.node" if two_modes else "col.organisation")


def _cut(wording: Wording, grid: Grid, most: int) -> Grid:
    """Return the grid with its first rows and a note of how many there are."""
    note = _shown(wording, most, len(grid.rows))
    return Grid(grid.caption, grid.columns, grid.rows[:most], note)


def _shown(wording: Wording, shown: int, total: int) -> str:
    return wording.say("note.shown", shown=shown, all=total) if shown < total else ""
