"""The report as one HTML file: inline sheet, inline SVG, nothing from elsewhere, no script.

Floor 3. Values and tables come ready; here they are put into the template. The one `<style>`
element has fixed content and no element has a style attribute, so that a strict content security
policy can name the sheet by its digest.
"""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from graph.analysis import grids
from graph.analysis.findings import Report
from graph.analysis.grids import Grid
from graph.analysis.plots import (
    Axes,
    Caption,
    Item,
    bin_values,
    plot_bars,
    plot_histogram,
    plot_points,
)
from graph.analysis.wording import TEMPLATES, Wording

#: Rows of a ranking that are open, and in all.
TOP: Final = 20
RANKED: Final = 500
#: Measures that have a plot of bars.
PLOTTED: Final = frozenset({"betweenness", "degree", "strength", "closeness"})

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render_html(report: Report) -> bytes:
    """Return the report as one HTML file in UTF-8."""
    wording = Wording(report.language)
    template = _ENVIRONMENT.get_template("report.html")
    page = template.render(
        report=report,
        say=wording.say,
        figures=_list_figures(report, wording),
        rankings=[_show_ranking(report, wording, n) for n in range(len(report.measures))],
        shape=_show_shape(report, wording),
        articulation=grids.grid_articulation(report, wording),
        bridges=grids.grid_bridges(report, wording),
        components=grids.grid_components(report, wording),
        layers=grids.grid_layers(report, wording),
        affiliations=grids.grid_affiliations(report, wording),
        folded=grids.grid_folded(report, wording),
        definitions=grids.grid_definitions(report, wording),
        values=grids.grid_values(report, wording, RANKED),
        ties=grids.grid_ties(report, wording, RANKED),
    )
    return page.encode()


def _list_figures(report: Report, wording: Wording) -> list[tuple[str, str]]:
    """Return the key figures with what they count."""
    network = report.network
    two_modes = network.organisations < network.nodes
    figures = (
        (wording.number(network.nodes), "nodes.two" if two_modes else "nodes"),
        (wording.number(network.ties), "ties"),
        (wording.number(network.density, 3), "density"),
        (wording.number(network.components), "components"),
        (wording.percent(network.largest_share), "giant"),
        (wording.number(network.isolates), "isolates"),
        (wording.number(len(report.separations)), "articulation"),
        (wording.number(len(report.bridges)), "bridges"),
    )
    return [(number, wording.say(f"figure.{key}")) for number, key in figures]


def _show_ranking(report: Report, wording: Wording, place: int) -> dict[str, object]:
    """Return what the page shows of one measure."""
    table = report.measures[place]
    count = len(report.nodes)
    plot: Markup | None = None
    if table.key in PLOTTED and any(node.values[place] for node in report.nodes):
        plot = _plot_ranking(report, wording, place)
    rest: Grid | None = None
    note = ""
    if count > TOP:
        rest = grids.grid_measure(report, wording, place, TOP, RANKED)
        shown = min(count, RANKED)
        note = wording.say("note.shown", shown=shown, all=count) if shown < count else ""
    return {
        "table": table,
        "plot": plot,
        "top": grids.grid_measure(report, wording, place, 0, TOP),
        "rest": rest,
        "rest_title": wording.say("note.all", n=len(rest.rows) if rest else 0),
        "note": note,
        "estimate": grids.write_estimate(wording, table),
    }


def _plot_ranking(report: Report, wording: Wording, place: int) -> Markup:
    table = report.measures[place]
    items = []
    for number in table.order[:TOP]:
        node = report.nodes[number]
        value = node.values[place]
        if value:  # a bar of no length says nothing that the table does not
            items.append(Item(node.name, value, wording.number(value, table.digits)))
    described = "; ".join(f"{item.name} {item.text}" for item in items[:5])
    title = wording.say("note.plot", measure=table.label, n=len(items))
    text = wording.say("note.plot.description", items=described)
    return plot_bars(Caption(f"plot-{table.key}", title, text), items)


def _show_shape(report: Report, wording: Wording) -> dict[str, object] | None:
    """Return the plot of degree against betweenness and the histogram of degrees."""
    if not report.nodes:
        return None
    across, upward = report.place_of("degree"), report.place_of("betweenness")
    x, y = report.measures[across], report.measures[upward]
    degrees = [node.values[across] or 0.0 for node in report.nodes]
    items = [
        Item(node.name, node.values[upward] or 0.0, "", degree)
        for node, degree in zip(report.nodes, degrees, strict=True)
    ]
    first = report.nodes[y.order[0]]
    said = {
        "name": first.name,
        "degree": wording.number(first.values[across], x.digits),
        "value": wording.number(first.values[upward], y.digits),
    }
    axes = Axes(f"{x.label} ({x.unit})", f"{y.label} ({y.unit})", wording.tick)
    said |= {"x": axes.across, "y": axes.upward}
    text = wording.say("note.scatter.description", n=len(items), **said)
    points = Caption("plot-points", wording.say("note.scatter"), text)
    bins = bin_values(degrees)
    text = wording.say("note.histogram.description")
    histogram = Caption("plot-histogram", wording.say("note.degree"), text)
    labels = [grids.write_bin(wording, b) for b in bins]
    table = grids.grid_bins(report, wording, bins)
    (partners, _), (nodes, _) = table.columns
    return {
        "points": plot_points(points, items, axes),
        "points_note": wording.say("note.scatter.table", x=x.label, y=y.label),
        "histogram": plot_histogram(histogram, bins, labels, Axes(partners, nodes, wording.tick)),
        "bins": table,
    }
