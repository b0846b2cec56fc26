"""However many names sources give a thing, and in whatever languages, each row comes once.

The seeds with further sources: GraphQL and SPARQL show the same text of each thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from graph.model import Model
from graph.shapes import load_model
from graph.terms import ENTITY, RDF_TYPE, RZ, SKOS, XSD, Quad, is_literal, read_literal
from graph.terms import write_literal as literal
from schema.question import LANGUAGES, Question
from schema.rows import Row
from tests.questioning import BY_NUMBER, Asker, asker, read_seeds

__all__ = ["asker"]  # fixture

DCT = "http://purl.org/dc/terms/"
LABELS = {
    f"<{iri}>" for iri in (f"{SKOS}prefLabel", f"{DCT}title", f"{DCT}description", f"{RZ}statement")
}
#: Questions that show texts in the language of the reader, and the places of the tables that do.
SHOWING = [
    (question, [at for at, table in enumerate(question.tables) if "?byLanguage" in table.sparql])
    for question in BY_NUMBER.values()
    if any("?byLanguage" in table.sparql for table in question.tables)
]
each_question = pytest.mark.parametrize(
    ("question", "places"), SHOWING, ids=[question.name for question, _ in SHOWING]
)
#: Further sources: what they add to a text, and how they rank, four above all seeds.
SOURCES = {
    "low": (" (low)", 1, ""),
    "b-undated": (" (undated)", 50, ""),
    "c-old": (" (old)", 50, "2001-02-03"),
    "e-new": (" (new)", 50, "2026-01-02"),
    "d-new": (" (answers)", 50, "2026-01-02"),  # before the other by its IRI
}


def _language(quad: Quad) -> str:
    is_label = quad[1] in LABELS and is_literal(quad[2])
    return (read_literal(quad[2])[2] or "") if is_label else ""


def _source(name: str, rank: int, day: str) -> Iterator[Quad]:
    source = f"<{ENTITY}source/{name}>"
    yield source, RDF_TYPE, f"<{RZ}Source>", source
    yield source, f"<{DCT}title>", literal(name), source
    yield source, f"<{RZ}sourceRank>", literal(str(rank), f"{XSD}integer"), source
    if day:
        yield source, f"<{DCT}dateAccepted>", literal(day, f"{XSD}date"), source


def _with_more_names(model: Model, seeds: tuple[Quad, ...]) -> Asker:
    """Name all that has a name five times more, in English and in French."""
    more = [quad for name, (_, rank, day) in SOURCES.items() for quad in _source(name, rank, day)]
    for subject, predicate, text, _ in filter(_language, (*seeds, *model.system_quads)):
        for name, (end, *_) in SOURCES.items():
            for language in ("en", "fr"):
                said = literal(read_literal(text)[0] + end, language=language)
                more.append((subject, predicate, said, f"<{ENTITY}source/{name}>"))
    return Asker(model, (*seeds, *dict.fromkeys(more)))


def _in_other_languages(quad: Quad) -> Quad:
    """Say in German what is said in English, and in Danish what is said in French."""
    if language := {"en": "de", "fr": "da"}.get(_language(quad)):
        text = read_literal(quad[2])[0]
        return quad[0], quad[1], literal(text, language=language), quad[3]
    return quad


@pytest.fixture(scope="module")
def named() -> Asker:
    return _with_more_names(load_model(), read_seeds())


@pytest.fixture(scope="module")
def foreign() -> Asker:
    model = load_model()
    concepts = tuple(map(_in_other_languages, model.system_quads))
    seeds = tuple(map(_in_other_languages, read_seeds()))
    return Asker(replace(model, system_quads=concepts), seeds)


def _shown(asker: Asker, question: Question, places: list[int]) -> list[list[Row]]:
    """Rows of the tables that show texts, the same in both query languages."""
    by_graphql, by_sparql = iter(asker.graphql_rows(question)), iter(asker.sparql_rows(question))
    shown = []
    for at, table in enumerate(question.tables):
        rows = [next(by_graphql)] if table.paths else []
        rows += [next(by_sparql)] if table.sparql else []
        if at in places:
            assert len(rows) == 2
            assert rows[0] == rows[1], table.title
            shown.append(rows[0])
    return shown


@pytest.mark.parametrize("language", LANGUAGES)
@each_question
def test_one_of_several_names_answers(
    asker: Asker, named: Asker, question: Question, places: list[int], language: str
) -> None:
    asked, found = question.read_in(language), 0
    tables = zip(_shown(asker, asked, places), _shown(named, asked, places), strict=True)
    for before, after in tables:
        assert len(after) == len(before) == len(set(after))
        cells = [str(cell) for row in after for cell in row]
        assert not [cell for cell in cells if cell.endswith((" (low)", " (old)", " (undated)"))]
        assert not [cell for cell in cells if cell.endswith(" (new)")]
        found += sum(cell.endswith(" (answers)") for cell in cells)
    assert found


@pytest.mark.parametrize("language", LANGUAGES)
@each_question
def test_any_language_is_better_than_none(
    asker: Asker, foreign: Asker, question: Question, places: list[int], language: str
) -> None:
    asked = question.read_in(language)
    tables = zip(_shown(asker, asked, places), _shown(foreign, asked, places), strict=True)
    for before, after in tables:
        assert len(after) == len(before)
        empty = [sum(cell is None for row in rows for cell in row) for rows in (before, after)]
        assert empty[0] == empty[1]
