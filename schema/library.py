"""The question library and the prefixes as RDF, for SPARQL editors that read them.

Floor 4. Editors ask an endpoint for `sh:SPARQLExecutable` and for `sh:prefix`, and show what they
find (the convention of the Swiss Institute of Bioinformatics). It goes into the system graph of the
SPARQL store, beside the ontology: outside log, hash, counts and exports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from graph.model import ONTOLOGY_GRAPH, Model
from graph.settings import Settings
from graph.store.prefixes import PREFIXES
from graph.terms import RDF_TYPE, RDFS, XSD, Quad, write_iri, write_literal
from schema.question import LANGUAGES, Question
from schema.questions import load_questions

SH: Final = "http://www.w3.org/ns/shacl#"
QUESTIONS: Final = "https://w3id.org/rhizome/questions/"
PREFIX_SET: Final = "https://w3id.org/rhizome/prefixes"
_DESCRIPTION: Final = "http://purl.org/dc/terms/description"
_TARGET: Final = "https://schema.org/target"
_GRAPH: Final = write_iri(ONTOLOGY_GRAPH)


def with_library(model: Model, settings: Settings) -> Model:
    """Return the model whose system quads hold the question library and the prefixes, too.

    Each question names the endpoint where the service has a public address.
    """
    base = settings.base_url.rstrip("/")
    endpoint = f"{base}/sparql" if base else ""
    added = (*describe_prefixes(PREFIXES), *describe_questions(endpoint))
    return replace(model, system_quads=(*model.system_quads, *added))


def describe_prefixes(prefixes: Mapping[str, str]) -> Iterator[Quad]:
    """Yield a declaration of each prefix (SHACL, section 5.2.1)."""
    for prefix, namespace in prefixes.items():
        node = f"{PREFIX_SET}#{prefix}"
        yield _quad(PREFIX_SET, f"{SH}declare", write_iri(node))
        yield _quad(node, f"{SH}prefix", write_literal(prefix))
        yield _quad(node, f"{SH}namespace", write_literal(namespace, f"{XSD}anyURI"))


def describe_questions(endpoint: str) -> Iterator[Quad]:
    """Yield each SPARQL text of the library with what it asks, in both languages.

    Editors take each `rdfs:comment`, or `rdfs:label`, for an example of its own, in whatever
    language: so there is one, in English, and `dct:description` has both languages. The first
    table of a question has the question's IRI, the others theirs below it. Parameters have
    their defaults.
    """
    for question in load_questions():
        name = QUESTIONS + question.name
        for at, table in enumerate(question.tables):
            if table.sparql:
                node = name if at == 0 else f"{name}#table-{at + 1}"
                titles = {tag: f"{question.title[tag]} {table.title[tag]}." for tag in LANGUAGES}
                yield from _executable(node, "select", question.sparql(table), titles, endpoint)
        if question.construct:
            node, text = f"{name}#graph", question.graph()
            yield from _executable(node, "construct", text, _titles(question), endpoint)


def _executable(
    node: str, form: str, text: str, titles: Mapping[str, str], endpoint: str
) -> Iterator[Quad]:
    kinds = ("SPARQLExecutable", f"SPARQL{form.capitalize()}Executable")
    for kind in kinds:
        yield _quad(node, RDF_TYPE[1:-1], write_iri(SH + kind))
    comment = write_literal(titles[LANGUAGES[0]], language=LANGUAGES[0])
    yield _quad(node, f"{RDFS}comment", comment)
    for language, title in titles.items():
        yield _quad(node, _DESCRIPTION, write_literal(title, language=language))
    yield _quad(node, SH + form, write_literal(text))
    yield _quad(node, f"{SH}prefixes", write_iri(PREFIX_SET))
    if endpoint:
        yield _quad(node, _TARGET, write_iri(endpoint))


def _titles(question: Question) -> Mapping[str, str]:
    return {tag: question.title[tag] for tag in LANGUAGES}


def _quad(subject: str, predicate: str, value: str) -> Quad:
    return write_iri(subject), write_iri(predicate), value, _GRAPH
