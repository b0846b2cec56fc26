"""The report as JSON with stable keys (`docs/report-format.md`).

Floor 3. Numbers have twelve significant digits, so that the last bit of a sum does not change the
bytes; what is not defined is null.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from graph.analysis.findings import Report

FORMAT: Final = "rhizome-centrality-report"
#: Raised when a key is renamed, removed or changes its meaning; new keys do not raise it.
FORMAT_VERSION: Final = 1


def render_json(report: Report) -> bytes:
    """Return the report as indented JSON in UTF-8."""
    return orjson.dumps(describe(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def round_number(value: float) -> float | int:
    """Return the number with twelve significant digits, whole where it is whole."""
    rounded = float(f"{value:.12g}")
    return int(rounded) if rounded.is_integer() else rounded


def describe(report: Report) -> dict[str, Any]:
    """Return the report as plain values, keys in the order of the format's page."""
    keys = [table.key for table in report.measures]
    iris = [node.iri for node in report.nodes]
    return {
        "format": FORMAT,
        "formatVersion": FORMAT_VERSION,
        "title": report.title,
        "subtitle": report.subtitle,
        "language": report.language,
        "revision": report.revision,
        "datasetHash": report.dataset_hash,
        "committedAt": report.commit_time or None,
        "ontologyVersion": report.ontology_version,
        "parameters": _describe_parameters(report),
        "software": dict(report.software),
        "network": _describe_network(report),
        "layers": _describe_layers(report),
        "uncertainty": _describe_uncertainty(report),
        "succession": [{"from": old, "to": new} for old, new in report.folded],
        "summary": report.summary,
        "measures": [_describe_measure(report, place) for place in range(len(keys))],
        "nodes": [
            {
                "iri": node.iri,
                "name": node.name,
                "kind": node.kind or None,
                "country": node.country or None,
                "component": node.component,
                "values": dict(zip(keys, map(_round, node.values), strict=True)),
                "ranks": dict(zip(keys, node.ranks, strict=True)),
            }
            for node in report.nodes
        ],
        "affiliations": [
            {
                "iri": row.iri,
                "name": row.name,
                "layer": row.layer,
                "knownParties": row.known,
                "statedParties": row.stated,
            }
            for row in report.affiliations
        ],
        "ties": [
            {
                "source": iris[tie.nodes[0]],
                "target": iris[tie.nodes[1]],
                "weight": round_number(tie.weight),
                "affiliations": [report.affiliations[number].iri for number in tie.affiliations],
            }
            for tie in report.ties
        ],
        "tiesTruncated": len(report.ties) < report.network.ties,
        "articulationPoints": [
            {
                "iri": iris[separation.node],
                "partSizes": separation.sizes,
                "cutOff": [iris[number] for number in separation.cut_off],
            }
            for separation in report.separations
        ],
        "bridges": [
            {
                "source": iris[bridge.nodes[0]],
                "target": iris[bridge.nodes[1]],
                "smallerSide": bridge.side,
            }
            for bridge in report.bridges
        ],
        "components": [len(part) for part in report.components],
        "method": [
            {"heading": section.heading, "paragraphs": section.paragraphs}
            for section in report.method
        ],
        "limits": report.limits,
    }


def _describe_parameters(report: Report) -> dict[str, Any]:
    parameters = report.parameters
    return {
        "projection": parameters.name,
        "layers": parameters.layers,
        "weighting": parameters.weighting,
        "mode": parameters.mode,
        "includeInferred": parameters.include_inferred,
        "includeDisputed": parameters.include_disputed,
        "succession": parameters.succession,
        "clustersOnly": parameters.clusters_only,
    }


def _describe_network(report: Report) -> dict[str, Any]:
    network = report.network
    return {
        "nodes": network.nodes,
        "organisations": network.organisations,
        "ties": network.ties,
        "density": round_number(network.density),
        "components": network.components,
        "largestComponent": network.largest_component,
        "largestShare": round_number(network.largest_share),
        "isolates": network.isolates,
    }


def _describe_layers(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "layer": layer.key,
            "label": layer.label,
            "affiliations": layer.affiliations,
            "linkingAffiliations": layer.linking,
            "parties": layer.parties,
            "organisations": layer.organisations,
            "pairs": layer.pairs,
        }
        for layer in report.layers
    ]


def _describe_uncertainty(report: Report) -> dict[str, Any]:
    known = report.uncertainty
    return {
        "stated": known.stated,
        "disputed": known.disputed,
        "inferred": known.inferred,
        "firstInBetweenness": known.first,
        "firstInBetweennessStatedOnly": known.first_stated,
    }


def _describe_measure(report: Report, place: int) -> dict[str, Any]:
    table = report.measures[place]
    estimate: dict[str, Any] | None = None
    if table.sources is not None:
        estimate = {"sources": table.sources, "sourcesWanted": table.sources_wanted}
        if table.errors:
            estimate["standardErrors"] = [round_number(error) for error in table.errors]
    return {
        "key": table.key,
        "label": table.label,
        "unit": table.unit,
        "definition": table.definition,
        "formula": table.formula,
        "normalisation": table.normalisation,
        "edgeCases": table.edges,
        "reference": table.reference,
        "estimate": estimate,
    }


def _round(value: float | None) -> float | int | None:
    return None if value is None else round_number(value)
