"""The list of measures: key, function, networkx reference, literature.

Floor 3. Reports, generated docs, tests and benches read this list; a measure that is not here does
not exist. Texts in both languages stand in `templates/measures.toml` under the same keys.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import networkx as nx

from graph.analysis.measures import cohesion, paths, spectral, ties
from graph.analysis.measures.arrays import Floats
from graph.analysis.projection import Projection
from graph.analysis.wording import LANGUAGES, MEASURE_PARTS, Wording

#: networkx: iterative measures stop when the change is below this.
TOLERANCE: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Measure:
    """One number per node.

    `compute` is ours, `reference` the same by networkx on `Projection.to_networkx(exact=True)`,
    named by `reference_name`; a node that the reference leaves out is undefined (NaN).
    `on_paths` tells that large networks are sampled; `digits` are shown in texts.
    """

    key: str
    compute: Callable[[Projection], Floats]
    reference: Callable[[Any], Mapping[str, float]]
    reference_name: str
    digits: int
    on_paths: bool = False


@dataclass(frozen=True, slots=True)
class NetworkMeasure:
    """An answer about the whole network: a number, or what holds it together."""

    key: str
    compute: Callable[[Projection], object]
    reference_name: str


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure as the generated docs show it, texts by part and language."""

    key: str
    function: str
    reference: str
    literature: str
    texts: Mapping[str, Mapping[str, str]]


def _eigenvector_reference(graph: Any) -> Mapping[str, float]:
    """Return networkx's values on the largest component, of several the one with the first node."""
    if graph.number_of_edges() == 0:
        return {}
    largest = min(nx.connected_components(graph), key=lambda part: (-len(part), min(part)))
    part = graph.subgraph(largest)
    return dict(nx.eigenvector_centrality(part, weight="weight", tol=TOLERANCE, max_iter=100_000))


NODE_MEASURES: Final = (
    Measure(
        "betweenness",
        paths.betweenness,
        lambda g: nx.betweenness_centrality(g, weight="distance"),
        'networkx.betweenness_centrality(G, weight="distance")',
        digits=3,
        on_paths=True,
    ),
    Measure("degree", ties.degree, lambda g: dict(g.degree()), "networkx.Graph.degree", digits=0),
    Measure(
        "strength",
        ties.strength,
        lambda g: dict(g.degree(weight="weight")),
        'networkx.Graph.degree(weight="weight")',
        digits=2,
    ),
    Measure(
        "closeness",
        paths.closeness,
        lambda g: nx.closeness_centrality(g, distance="distance"),
        'networkx.closeness_centrality(G, distance="distance", wf_improved=True)',
        digits=3,
        on_paths=True,
    ),
    Measure(
        "harmonic",
        paths.harmonic,
        lambda g: nx.harmonic_centrality(g, distance="distance"),
        'networkx.harmonic_centrality(G, distance="distance")',
        digits=2,
        on_paths=True,
    ),
    Measure(
        "eigenvector",
        spectral.eigenvector,
        _eigenvector_reference,
        'networkx.eigenvector_centrality(largest component, weight="weight", tol=1e-12)',
        digits=3,
    ),
    Measure(
        "pageRank",
        spectral.page_rank,
        lambda g: nx.pagerank(g, weight="weight", tol=TOLERANCE, max_iter=10_000),
        'networkx.pagerank(G, weight="weight", tol=1e-12)',
        digits=4,
    ),
    Measure("coreNumber", cohesion.core_number, nx.core_number, "networkx.core_number", digits=0),
)

NETWORK_MEASURES: Final = (
    NetworkMeasure("components", cohesion.components, "networkx.connected_components"),
    NetworkMeasure("articulationPoints", cohesion.find_cuts, "networkx.articulation_points"),
    NetworkMeasure("bridges", cohesion.find_cuts, "networkx.bridges"),
    NetworkMeasure("density", cohesion.density, "networkx.density"),
)


def measure_table() -> list[MeasureRow]:
    """Return every measure as a row for the generated docs, in the order of the report."""
    return [
        MeasureRow(
            key=measure.key,
            function=f"{measure.compute.__module__}.{measure.compute.__name__}",
            reference=measure.reference_name,
            literature=_read_source(measure.compute),
            texts={
                language: {
                    part: Wording(language).measure(measure.key, part) for part in MEASURE_PARTS
                }
                for language in LANGUAGES
            },
        )
        for measure in (*NODE_MEASURES, *NETWORK_MEASURES)
    ]


def write_measures_page() -> str:
    """Return the reference page of all measures, in Markdown (`docs/measures.md`)."""
    lines = [
        "# Measures",
        "",
        "Generated from `graph/analysis/measures/registry.py`; do not edit. Each measure is a",
        "plain function on a `Projection`; tests compare it with its reference, to 1e-9.",
    ]
    heads = ("Definition", "Formula", "Normalisation", "Edge cases")
    for row in measure_table():
        english, french = row.texts["en"], row.texts["fr"]
        lines += ["", f"## {english['label']}", ""]
        lines += [f"`{row.key}` · {english['unit']} · in French *{french['label']}*", ""]
        parts = zip(heads, MEASURE_PARTS[2:], strict=True)
        lines += [f"- **{head}.** {english[part]}" for head, part in parts]
        lines += [f"- **Function.** `{row.function}`", f"- **Reference.** `{row.reference}`"]
        if row.literature:
            lines.append(f"- **Source.** {row.literature}")
    return "\n".join(lines) + "\n"


def _read_source(function: Callable[..., object]) -> str:
    """Return the literature that a function's docstring names under `Source`."""
    text = inspect.getdoc(function) or ""
    _, _, section = text.partition("Source\n------\n")
    literature, _, _ = section.partition("Reference:")
    return " ".join(literature.split())
