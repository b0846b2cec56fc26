"""Generated documents: what is compiled answers as the naive evaluator does, and none is a 5xx.

2,000 documents, and 20,000 in `make nightly`: four tenths drawn over the seeds, four tenths over a
dataset of the generator, two tenths by hypothesis-graphql, half of those with values of its own.
"""

from __future__ import annotations

import random
from pathlib import Path

import pyoxigraph
import pytest
from graphql import GraphQLSchema
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient

from bench.generator import Shape, generate
from graph.curation.normalise import normalise
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.terms import Quad
from schema import vectors
from schema.loading import load_schema
from tests.documents import Documents
from tests.generated import Tally, World, seed_of, strategy

pytestmark = pytest.mark.broad

SEEDS = Path(__file__).parent.parent / "seeds"
PARTS = 8


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def schema(model: Model) -> GraphQLSchema:
    return load_schema(model)


@pytest.fixture(scope="module")
def seeds(model: Model, schema: GraphQLSchema) -> World:
    read: list[Quad] = [
        (str(q.subject), str(q.predicate), str(q.object), str(q.graph_name))
        for path in sorted(SEEDS.glob("*.trig"))
        for q in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TRIG)
    ]
    return World(model, schema, list(normalise(read, Settings()).quads))


@pytest.fixture(scope="module")
def generated(model: Model, schema: GraphQLSchema) -> World:
    """Two sources of the generator that overlap, so that values are contested."""
    return World(model, schema, list(generate(Shape(3_000))))


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", ["seeds", "generated"])
def test_compiled_equals_naive_on_documents_drawn_from_the_model(
    name: str,
    part: int,
    request: pytest.FixtureRequest,
    schema: GraphQLSchema,
    wanted: int,
    nightly: bool,
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if part % 2:  # conditions over arrays, which only long lists are worth
        monkeypatch.setattr(vectors, "LEAST", 0)
    world: World = request.getfixturevalue(name)
    seed = random.randrange(2**32) if nightly else seed_of(name, part)
    documents = Documents(schema, seed, world.identifiers, world.texts)
    before = tally.equal[f"own strategies, {name}"]
    count = wanted * 4 // 10 // PARTS
    for _ in range(count):
        world.check(f"own strategies, {name}", documents.draw(), tally)
    assert tally.equal[f"own strategies, {name}"] - before >= count // 2


@pytest.mark.parametrize("name", ["seeds", "generated"])
def test_compiled_equals_naive_on_documents_of_hypothesis_graphql(
    name: str, request: pytest.FixtureRequest, wanted: int, nightly: bool, tally: Tally
) -> None:
    world: World = request.getfixturevalue(name)

    @settings(
        max_examples=wanted // 20,
        derandomize=not nightly,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(strategy(world, tame=True, step=1 if nightly else 5))
    def ask(document: str) -> None:
        world.check(f"hypothesis-graphql, {name}", document, tally)

    ask()


def test_no_document_of_hypothesis_graphql_is_a_fault_of_the_server(
    seeds: World, client: TestClient, wanted: int, nightly: bool, tally: Tally
) -> None:
    """Any texts, numbers, cursors and nulls, over HTTP."""

    @settings(
        max_examples=wanted // 10,
        derandomize=not nightly,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(strategy(seeds, tame=False, step=1 if nightly else 5))
    def ask(document: str) -> None:
        response = client.post("/graphql", json={"query": document})
        assert response.status_code < 500, (document, response.text)
        answer = response.json()
        name = "hypothesis-graphql over HTTP"
        if "errors" in answer:
            tally.refuse(name, answer["errors"][0]["extensions"]["code"])
        elif "code" in answer:
            tally.refuse(name, answer["code"])
        else:
            assert answer["data"] == seeds.naive.answer(document), document
            tally.equal[name] += 1

    ask()
