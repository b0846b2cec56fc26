"""The report as Markdown (CommonMark with tables).

Floor 3. The same cells as in HTML; what could read as mark-up is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graph.analysis import grids
from graph.analysis.findings import Report
from graph.analysis.grids import Grid
from graph.analysis.wording import Wording

TOP: Final = 20
RANKED: Final = 500
TIES: Final = 100

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~&])")


def render_markdown(report: Report) -> bytes:
    """Return the report as Markdown in UTF-8."""
    return ("\n".join(_write(report, Wording(report.language))).rstrip() + "\n").encode()


def escape_markdown(text: str) -> str:
    """Return the text so that no character of it is read as mark-up, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split(" ")).replace("\r", " ").replace("\n", " "))


def _write(report: Report, wording: Wording) -> Iterator[str]:
    say = wording.say
    yield from (f"# {escape_markdown(report.title)}", "", escape_markdown(report.subtitle), "")
    yield from (f"## {say('head.summary')}", "")
    yield from (f"- {escape_markdown(sentence)}" for sentence in report.summary)
    yield from ("", f"## {say('head.measures')}", "", escape_markdown(say("note.shared")), "")
    for place, table in enumerate(report.measures):
        yield from (f"### {table.label}", "", escape_markdown(table.definition), "")
        estimate = grids.write_estimate(wording, table)
        if estimate:
            yield from (escape_markdown(estimate), "")
        yield from _write_grid(grids.grid_measure(report, wording, place, 0, TOP))
    yield from (f"## {say('head.cuts')}", "")
    for grid, none in (
        (grids.grid_articulation(report, wording), "note.none.articulation"),
        (grids.grid_bridges(report, wording), "note.none.bridges"),
    ):
        yield from (f"### {escape_markdown(grid.caption)}", "")
        yield from _write_grid(grid) if grid.rows else (say(none), "")
    for grid in (
        grids.grid_components(report, wording),
        grids.grid_layers(report, wording),
        grids.grid_affiliations(report, wording),
        grids.grid_folded(report, wording),
    ):
        if grid.rows:
            yield from (f"### {escape_markdown(grid.caption)}", "")
            yield from _write_grid(grid)
    yield from (f"## {say('head.method')}", "")
    for section in report.method:
        yield from (f"### {section.heading}", "")
        for paragraph in section.paragraphs:
            yield from (escape_markdown(paragraph), "")
    yield from _write_grid(grids.grid_definitions(report, wording))
    yield from (f"## {say('head.limits')}", "")
    yield from (f"- {escape_markdown(limit)}" for limit in report.limits)
    yield ""
    for grid in (
        grids.grid_values(report, wording, RANKED),
        grids.grid_ties(report, wording, TIES),
    ):
        yield from (f"## {escape_markdown(grid.caption)}", "")
        yield from _write_grid(grid)
    revision, dataset = str(report.revision), report.dataset_hash
    yield from ("---", "", say("foot.same"), "")
    yield say("foot.revision", revision=revision, hash=dataset)


def _write_grid(grid: Grid) -> Iterator[str]:
    yield "| " + " | ".join(escape_markdown(name) for name, _ in grid.columns) + " |"
    yield "|" + "|".join("---:" if number else "---" for _, number in grid.columns) + "|"
    for row in grid.rows:
        yield "| " + " | ".join(map(escape_markdown, row)) + " |"
    yield ""
    if grid.note:
        yield from (escape_markdown(grid.note), "")
