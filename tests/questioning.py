"""Asks the question library of the seeds, in GraphQL and in SPARQL."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pyoxigraph
import pytest
from starlette.testclient import TestClient

from graph.access import anonymous
from graph.curation.normalise import normalise
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.terms import ENTITY, Quad
from schema.execute import Engine, Request
from schema.library import with_library
from schema.question import Question
from schema.questions import load_questions
from schema.rows import Row
from schema.types import build_schema
from tests.require import ROOT
from tests.snapshots import commit_of
from tests.writing import Client

BY_NUMBER = {question.number: question for question in load_questions()}
ORGANISATION = f"{ENTITY}organisation/"


class Asker:
    """Asks the seeds in both languages: a snapshot for GraphQL, a dataset for SPARQL."""

    def __init__(self, model: Model, quads: tuple[Quad, ...]) -> None:
        settings = Settings()
        self.engine = Engine(model, build_schema(model), settings)
        self.viewer = anonymous(settings)
        self.snapshot = build_snapshot(model, [commit_of(quads, (), None)])
        # As the service's store has it: named graphs, and all statements merged, the system's too.
        self.store = pyoxigraph.Store()
        stated = [*quads, *with_library(model, settings).system_quads]
        self._load(pyoxigraph.RdfFormat.N_QUADS, (" ".join(quad) for quad in stated))
        self._load(pyoxigraph.RdfFormat.N_TRIPLES, {" ".join(quad[:3]) for quad in stated})

    def _load(self, format: pyoxigraph.RdfFormat, statements: Any) -> None:
        text = "".join(f"{statement} .\n" for statement in statements)
        self.store.load(text.encode(), format=format)

    def ask_graphql(
        self, document: str, variables: Mapping[str, Any], languages: tuple[str, ...] = ("en", "fr")
    ) -> Mapping[str, Any]:
        request = Request(document, None, variables, languages)
        answer = self.engine.answer(request, self.snapshot, self.viewer)
        assert answer.errors == ()
        assert answer.data is not None
        return answer.data

    def graphql_rows(self, question: Question) -> list[list[Row]]:
        """The rows of each table that GraphQL can give."""
        data = question.ask(partial(self.ask_graphql, languages=question.languages))
        return [table.answer_rows(data) for table in question.tables if table.paths]

    def sparql_rows(self, question: Question) -> list[list[Row]]:
        """The rows of each table that SPARQL can give."""
        found = []
        for table in filter(lambda table: table.sparql, question.tables):
            solutions = self.store.query(question.sparql(table))
            assert isinstance(solutions, pyoxigraph.QuerySolutions)
            names = [variable.value for variable in solutions.variables]
            terms = [[None if t is None else str(t) for t in row] for row in solutions]
            found.append(table.solution_rows(names, terms))
        return found

    def identifiers(self, class_name: str) -> list[str]:
        """IRIs of all nodes of a class of the ontology, subclasses included."""
        (shape,) = (s for s in self.engine.model.classes.values() if s.name == class_name)
        numbers = self.snapshot.instances(shape.iri)
        return [self.snapshot.terms.text(number) for number in numbers]


def read_seeds() -> tuple[Quad, ...]:
    """The statements of the seeds, as a store keeps them."""
    quads = [
        (str(q.subject), str(q.predicate), str(q.object), str(q.graph_name))
        for path in sorted((ROOT / "seeds").glob("*.trig"))
        for q in pyoxigraph.parse(path=str(path), format=pyoxigraph.RdfFormat.TRIG)
    ]
    kept = normalise(quads, Settings())
    assert kept.violations == ()
    return kept.quads


@pytest.fixture(scope="module")
def asker() -> Asker:
    made = Asker(load_model(), read_seeds())
    made.snapshot.search.build(made.snapshot)
    return made


def ask_service(http: TestClient, *given: Any) -> Mapping[str, Any]:
    """Answer a document with variables by a token of the scopes that stand before them."""
    *scopes, document, variables = given
    client = Client(http, "question-library", *scopes)
    return dict(client.ask(document, **variables))
