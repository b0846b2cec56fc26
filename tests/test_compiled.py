from __future__ import annotations

from pathlib import Path

import pyoxigraph
import pytest
from graphql import GraphQLSchema

from graph.access import anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import Snapshot
from graph.terms import Quad, is_literal, read_literal
from schema import vectors
from schema.execute import Engine, Request
from schema.types import build_schema
from tests.documents import Documents
from tests.naive import Naive
from tests.snapshots import commit_of

SEEDS = Path(__file__).parent.parent / "seeds"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def schema(model: Model) -> GraphQLSchema:
    return build_schema(model)


@pytest.fixture(scope="module")
def quads() -> list[Quad]:
    return [
        (str(q.subject), str(q.predicate), str(q.object), str(q.graph_name))
        for path in sorted(SEEDS.glob("*.trig"))
        for q in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TRIG)
    ]


@pytest.fixture(scope="module")
def snapshot(model: Model, quads: list[Quad]) -> Snapshot:
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    snapshot.search.build(snapshot)
    return snapshot


@pytest.fixture(scope="module")
def engine(model: Model, schema: GraphQLSchema) -> Engine:
    return Engine(model, schema, Settings())


@pytest.fixture(scope="module")
def verbatim(model: Model, schema: GraphQLSchema) -> Engine:
    return Engine(model, schema, Settings(), rewrites=False)


@pytest.fixture(scope="module")
def naive(model: Model, schema: GraphQLSchema, quads: list[Quad]) -> Naive:
    return Naive(model, schema, quads, dict.fromkeys((q[3] for q in quads), 1), 1)


@pytest.mark.parametrize("seed", range(8))
def test_compiled_equals_naive_on_random_documents(
    engine: Engine,
    verbatim: Engine,
    naive: Naive,
    snapshot: Snapshot,
    schema: GraphQLSchema,
    quads: list[Quad],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if seed % 2:  # conditions over arrays, which only long lists are worth
        monkeypatch.setattr(vectors, "LEAST", 0)
    identifiers = sorted({q[0][1:-1] for q in quads})
    texts = sorted(
        {read_literal(q[2])[0] for q in quads if is_literal(q[2]) and '"' not in q[2][1:-6]}
    )
    plain = [text for text in texts if text.isprintable() and "\\" not in text and '"' not in text]
    documents = Documents(schema, seed, identifiers, plain)
    viewer = anonymous(engine.settings)
    answered = 0
    for _ in range(40):
        document = documents.draw()
        request = Request(document, languages=("en", "fr"))
        answer, as_written = (each.answer(request, snapshot, viewer) for each in (engine, verbatim))
        if answer.errors:
            codes = {error["extensions"]["code"] for error in answer.errors}
            # Fields of a fragment may clash with those beside it: the draw is then not valid.
            assert codes <= {"QUERY_LIMIT", "GRAPHQL_VALIDATION"}, (document, answer.errors)
            continue
        answered += 1
        if not as_written.errors:  # rules spare work, so a limit may be met without them only
            assert as_written.data == answer.data, document
        assert answer.data == naive.answer(document), document
    assert answered >= 20
