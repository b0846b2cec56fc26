"""What the SPARQL service says of itself: SPARQL 1.1 Service Description, with our limits.

Floor 5. It is a query that asks no data, so that it is answered in every format that queries are.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Final

from graph.settings import Settings
from graph.store.guard import FROM_MAX
from graph.store.outcome import MERGED_STATEMENTS
from graph.store.query import ANSWER_BYTES
from graph.terms import RDF, RDFS, write_iri, write_literal

_SD: Final = "http://www.w3.org/ns/sparql-service-description#"
_FORMATS: Final = "http://www.w3.org/ns/formats/"
#: What has no term in a vocabulary of others.
LIMITS: Final = "https://w3id.org/rhizome/sparql#"
_RESULTS: Final = (
    "SPARQL_Results_JSON",
    "SPARQL_Results_XML",
    "SPARQL_Results_CSV",
    "SPARQL_Results_TSV",
    "Turtle",
    "N-Triples",
    "RDF_XML",
    "JSON-LD",
    "TriG",
    "N-Quads",
)
_INPUTS: Final = ("Turtle", "N-Triples", "RDF_XML", "JSON-LD", "TriG", "N-Quads")
#: Prefixes of a description.
NAMESPACES: Final = {"sd": _SD, "formats": _FORMATS, "limit": LIMITS, "rdf": RDF, "rdfs": RDFS}
_COMMENT: Final = (
    "The default graph holds the merged triples of all sources, each source is a named graph. "
    "Updates need a token and pass the gate."
)
_VOID: Final = "/.well-known/void"
#: Limits that are told, by the name of their setting.
_TOLD: Final = {
    "sparql_deadline_s": "deadlineSeconds",
    "sparql_token_deadline_s": "deadlineSecondsWithToken",
    "sparql_admin_deadline_s": "deadlineSecondsWithAdmin",
    "sparql_memory_mb": "memoryMegabytes",
    "sparql_rows": "rows",
    "sparql_token_rows": "rowsWithToken",
    "sparql_token_bytes": "answerBytesWithToken",
    "sparql_queue": "queue",
    "rate_query_s": "querySecondsAMinute",
    "rate_token_query_s": "querySecondsAMinuteWithToken",
    "sparql_body_bytes": "bodyBytes",
    "sparql_nesting": "nesting",
    "sparql_patterns": "patternsOfAGroup",
    "sparql_operators": "operators",
    "sparql_values": "values",
    "sparql_operations": "operations",
    "sparql_changes": "changes",
    "upload_bytes": "graphBodyBytes",
}
#: The same of what is no setting: value, and what it bounds.
_FIXED: Final = {
    "answerBytes": (ANSWER_BYTES, "an answer that is not streamed, and any graph, in bytes"),
    "fromGraphs": (FROM_MAX, "graphs that FROM, FROM NAMED or the protocol name together"),
    "fromStatements": (MERGED_STATEMENTS, "statements of several FROM graphs together"),
}
#: What a bare dataset does not bound.
_GATED: Final = frozenset({"sparql_changes"})


def describe_service(address: str, settings: Settings, *, is_plain: bool) -> str:
    """Return the query whose answer describes the service at an address (URL).

    `is_plain` tells whether a bare dataset is behind it, with blank nodes and a default graph of
    its own, else the dataset, whose default graph merges all sources.
    """
    # Named, and not blank: what is asked twice is then the same bytes, and can be pointed at.
    service, dataset, graph = (
        write_iri(f"{address}#{part}") for part in ("service", "dataset", "graph")
    )
    about = [
        "a sd:Service",
        f"sd:endpoint {write_iri(address)}",
        "sd:supportedLanguage sd:SPARQL11Query , sd:SPARQL11Update",
        f"sd:resultFormat {_list(_RESULTS)}",
        f"sd:inputFormat {_list(_INPUTS)}",
        "sd:defaultEntailmentRegime <http://www.w3.org/ns/entailment/Simple>",
        f"sd:defaultDataset {dataset}",
    ]
    if is_plain:
        about.append("sd:feature sd:EmptyGraphs")
    else:
        about.append("sd:feature sd:UnionDefaultGraph")
        about.append("rdfs:comment " + write_literal(_COMMENT, language="en"))
        about.append(f"rdfs:seeAlso {write_iri(address.removesuffix('/sparql') + _VOID)}")
    for setting, name in _TOLD.items():
        if not (is_plain and setting in _GATED):
            about.append(f"limit:{name} {getattr(settings, setting)}")
    about += [f"limit:{name} {value}" for name, (value, _) in _FIXED.items()]
    triples = f"{service} {' ; '.join(about)} . {dataset} a sd:Dataset ; "
    triples += f"sd:defaultGraph {graph} . {graph} a sd:Graph . {_define_limits()}"
    prologue = " ".join(f"PREFIX {name}: <{iri}>" for name, iri in NAMESPACES.items())
    return f"{prologue} CONSTRUCT {{ {triples} }} WHERE {{}}"


@cache
def _define_limits() -> str:
    """Return what the terms of the limits mean: who follows one of them comes to this endpoint."""
    settings = {field.name: field for field in fields(Settings)}
    meanings = {name: meaning for name, (_, meaning) in _FIXED.items()}
    for setting, name in _TOLD.items():
        told = settings[setting].metadata
        meanings[name] = f"{told['help']}, in {told['unit']} (RHIZOME_{setting.upper()})"
    found = [f'{write_iri(LIMITS)} rdfs:label "Limits of a SPARQL endpoint"@en .']
    for name, comment in meanings.items():
        found.append(
            f"limit:{name} a rdf:Property ; rdfs:label {write_literal(name)} ; "
            f"rdfs:comment {write_literal(comment, language='en')} ; "
            f"rdfs:isDefinedBy {write_iri(LIMITS)} ."
        )
    return " ".join(found)


def _list(names: tuple[str, ...]) -> str:
    return " , ".join(f"formats:{name}" for name in names)
