"""Commits a report as data, so that GraphQL and SPARQL see its measures like any other field.

Floor 3. A report of a named projection has a graph of its own, and one node for each organisation
with all its measures; the next report of the same projection takes its place. See decision 0020.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from graph.analysis.findings import Report
from graph.analysis.projection import NAMED_PROJECTIONS
from graph.analysis.render_json import round_number
from graph.analysis.summary import name_projection
from graph.analysis.wording import LANGUAGES, Wording
from graph.curation.computed import GRAPHS, REPORT, data_revision
from graph.curation.gate import Gate, Receipt
from graph.curation.levels import Sight
from graph.curation.naming import digest_of
from graph.curation.normalise import normalise
from graph.errors import BadValueError
from graph.store.commit import Change
from graph.terms import ENTITY, RDF_TYPE, RZ, XSD, Quad, read_literal, write_literal

#: By projection: the property of an organisation that leads to its place in that network.
LINKS: Final = {
    "default": f"{RZ}centrality",
    "memberships": f"{RZ}membershipCentrality",
    "agreements": f"{RZ}agreementCentrality",
    "projects": f"{RZ}projectCentrality",
}
REVISION: Final = f"<{RZ}computedOnRevision>"
IN_REPORT: Final = f"<{RZ}inReport>"
_TITLE: Final = "<http://purl.org/dc/terms/title>"
_GENERATED: Final = "<http://www.w3.org/ns/prov#generatedAtTime>"
_REVISION_TIME: Final = f"<{RZ}revisionTime>"
_HASH: Final = f"<{RZ}datasetHash>"
#: What differs between two reports that say the same of the network.
_PASSING: Final = frozenset({REVISION, _REVISION_TIME, _GENERATED, _HASH})
_OWN: Final = f"{ENTITY}organisation/"
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]+")
#: SPARQL engines keep decimals of this many places; none of our numbers needs more.
_PLACES: Final = Decimal(1).scaleb(-18)

#: Subject, predicate and object as N-Triples text.
_Triple = tuple[str, str, str]


def commit_report(gate: Gate, report: Report, *, agent: str, now: datetime) -> Receipt:
    """Record a report in place of the last one of its projection.

    Parameters
    ----------
    gate : Gate
        The gate of the dataset that was measured.
    report : Report
        Of a named projection as it is named, in either language.
    agent : str
        Who commits.
    now : datetime
        When it was computed, with its time zone.

    Returns
    -------
    Receipt
        Nothing added or removed where the committed report says the same and no data changed
        since: it is as good as this one.

    Raises
    ------
    BadValueError
        The parameters are no named projection's, or there is no data to measure.
    ShapeViolationError
        An organisation that was measured is gone by now.
    StoreFullError, StoreUnavailableError
        The log could not be written.
    """
    wanted = normalise(state_report(report, now), gate.settings).quads
    graph = report_graph(report.parameters.name)

    def decide(sight: Sight) -> tuple[Iterable[Quad], Iterable[Quad]]:
        snapshot, latest = sight.levels.public, sight.levels.views[0].latest
        held = set(snapshot.quads(graph))
        changed = held.symmetric_difference(wanted)
        known = snapshot.value(f"<{report_iri(report.parameters.name)}>", REVISION[1:-1])
        before = -1 if known is None else int(read_literal(known)[0])
        if before >= data_revision(latest) and all(quad[1] in _PASSING for quad in changed):
            return (), ()
        return wanted, held.difference(wanted)

    message = f"report {report.parameters.name} on revision {report.revision}"
    return gate.settle(Change((), (), agent, REPORT, message, graph[1:-1]), decide)


def report_iri(projection: str) -> str:
    """Return the IRI of the committed report of a named projection."""
    return f"{ENTITY}report/{projection}"


def report_graph(projection: str) -> str:
    """Return the graph, as N-Triples text, of the committed report of a named projection."""
    return f"<{GRAPHS}{projection}>"


def state_report(report: Report, now: datetime) -> Iterator[Quad]:
    """Yield a report as quads of its graph, the graph's description as a source included.

    Raises
    ------
    BadValueError
        The parameters are no named projection's, or there is no data to measure.
    """
    name = report.parameters.name
    if NAMED_PROJECTIONS.get(name) != report.parameters or name not in LINKS:
        raise BadValueError("projection", name[:40], f"one of {', '.join(LINKS)}, unchanged")
    if not report.commit_time:
        raise BadValueError("projection", name, "a store that holds data")
    graph = report_graph(name)
    yield graph, RDF_TYPE, f"<{RZ}Source>", graph
    yield graph, _TITLE, write_literal(_title(report, "en")), graph
    yield graph, f"<{RZ}sourceKind>", write_literal("analysis"), graph
    for triple in (*_state_head(report, now), *_state_nodes(report)):
        yield *triple, graph


def _state_head(report: Report, now: datetime) -> Iterator[_Triple]:
    """Yield what a report says of itself and of the network as a whole."""
    parameters, network = report.parameters, report.network
    subject = f"<{report_iri(parameters.name)}>"
    yield subject, RDF_TYPE, f"<{RZ}Report>"
    for language in LANGUAGES:
        yield subject, _TITLE, write_literal(_title(report, language), language=language)
    moment = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    yield subject, _GENERATED, write_literal(moment, f"{XSD}dateTime")
    yield subject, _REVISION_TIME, write_literal(report.commit_time, f"{XSD}dateTime")
    texts = [
        ("projection", parameters.name),
        *(("layer", layer) for layer in parameters.layers),
        ("weighting", parameters.weighting),
        ("mode", parameters.mode),
        ("succession", parameters.succession),
        *(("reportedMeasure", table.key) for table in report.measures),
        ("datasetHash", report.dataset_hash),
        ("ontologyVersion", report.ontology_version),
        *(("software", f"{package} {version}") for package, version in report.software),
    ]
    for name, text in texts:
        yield subject, f"<{RZ}{name}>", write_literal(str(text))
    switches = {
        "includesInferred": parameters.include_inferred,
        "includesDisputed": parameters.include_disputed,
        "clustersOnly": parameters.clusters_only,
    }
    for name, is_on in switches.items():
        yield subject, f"<{RZ}{name}>", write_literal(str(is_on).lower(), f"{XSD}boolean")
    counts = {
        "computedOnRevision": report.revision,
        "nodeCount": network.nodes,
        "tieCount": network.ties,
        "componentCount": network.components,
        "largestComponent": network.largest_component,
        "isolateCount": network.isolates,
        "sampledSources": next((t.sources for t in report.measures if t.sources), None),
    }
    for name, count in counts.items():
        if count is not None:
            yield subject, f"<{RZ}{name}>", _integer(count)
    yield subject, f"<{RZ}density>", _decimal(network.density)


def _state_nodes(report: Report) -> Iterator[_Triple]:
    """Yield what a report says of each organisation."""
    name = report.parameters.name
    head, link = f"<{report_iri(name)}>", f"<{LINKS[name]}>"
    errors = next((t.errors for t in report.measures if t.errors), ())
    for number, node in enumerate(report.nodes):
        subject, organisation = f"<{_centrality_iri(name, node.iri)}>", f"<{node.iri}>"
        yield organisation, link, subject
        yield subject, RDF_TYPE, f"<{RZ}Centrality>"
        yield subject, IN_REPORT, head
        yield subject, f"<{RZ}measured>", organisation
        yield subject, f"<{RZ}component>", _integer(node.component)
        for table, value, rank in zip(report.measures, node.values, node.ranks, strict=True):
            if value is not None and rank is not None:
                write = _decimal if table.digits else _whole
                yield subject, f"<{RZ}{table.key}>", write(value)
                yield subject, f"<{RZ}{table.key}Rank>", _integer(rank)
        if errors:
            yield subject, f"<{RZ}betweennessError>", _decimal(errors[number])


def _title(report: Report, language: str) -> str:
    wording = Wording(language)
    return wording.say("committed.title", projection=name_projection(wording, report.parameters))


def _centrality_iri(projection: str, organisation: str) -> str:
    """Return the IRI of an organisation's place, the same in each report of a projection."""
    slug = organisation.removeprefix(_OWN)
    if slug == organisation or not _PLAIN.fullmatch(slug):
        slug = digest_of(organisation)
    return f"{ENTITY}centrality/{projection}--{slug}"


def _integer(value: int) -> str:
    return write_literal(str(value), f"{XSD}integer")


def _whole(value: float) -> str:
    """Return a measure that counts, as an integer."""
    return _integer(round(value))


def _decimal(value: float) -> str:
    """Return a number as the JSON report has it, in twelve significant digits."""
    exact = Decimal(repr(round_number(value))).quantize(_PLACES)
    return write_literal(f"{exact.normalize():f}", f"{XSD}decimal")
