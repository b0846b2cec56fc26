"""Hostile input through every text, identifier and address that a query takes.

Which arguments there are is read from the schema, so that a new one is not forgotten. Each text is
refused with a code, or is looked for and not found: it never becomes a part of anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    get_named_type,
    is_list_type,
)

from graph.access import anonymous
from graph.errors import RhizomeError
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import Snapshot
from schema.execute import Engine, Request
from schema.loading import load_schema
from schema.plans import InvalidDocumentError
from schema.subscribing import Subscriber
from tests.asking import listed_dataset, organisation
from tests.snapshots import commit_of
from tests.writing import HOSTILE, http

__all__ = ["http"]  # a fixture

NUMBERS = frozenset({"Int", "Float", "Boolean"})
#: How a hostile text may be refused.
REFUSED = frozenset(
    {"BAD_VALUE", "BAD_CURSOR", "GRAPHQL_VALIDATION", "UNKNOWN_TERM", "QUERY_LIMIT"}
)
#: Conditions that no hostile text fulfils; the others it may.
EQUALITIES = frozenset({"eq", "in"})


def _texts(kind: Any, text: str) -> Any:
    """A value of a type that takes text: `text`, in a list where it is one."""
    bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    return [text] if is_list_type(bare) else text


def _takes_text(kind: Any) -> bool:
    named = get_named_type(kind)
    return isinstance(named, GraphQLScalarType) and named.name not in NUMBERS


def _conditions(schema: GraphQLSchema, text: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield operator, root field and condition: each operator of each filter, where it first is."""
    seen = set[str]()
    query = schema.query_type
    assert query is not None
    for root, field in sorted(query.fields.items()):
        where = field.args.get("where")
        if where is None:
            continue
        asked = get_named_type(where.type)
        assert isinstance(asked, GraphQLInputObjectType)
        for name, each in sorted(asked.fields.items()):
            kind = get_named_type(each.type)
            if _takes_text(each.type) and name not in seen:
                seen.add(name)
                yield name, root, {name: _texts(each.type, text)}
            if not isinstance(kind, GraphQLInputObjectType) or kind.name in seen:
                continue
            inner = kind.fields.get("some")
            operators = get_named_type(inner.type) if inner is not None else kind
            if not isinstance(operators, GraphQLInputObjectType) or "and" in operators.fields:
                continue
            seen.add(kind.name)
            for operator, value in operators.fields.items():
                if _takes_text(value.type):
                    below: dict[str, Any] = {operator: _texts(value.type, text)}
                    yield operator, root, {name: below if inner is None else {"some": below}}


def _arguments(schema: GraphQLSchema, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield documents with variables: each argument of a root field, and of the fields of one."""
    query, cluster = schema.query_type, schema.type_map["Cluster"]
    assert query is not None
    assert isinstance(cluster, GraphQLObjectType)
    roots = ("cluster", "clusters", "memberships", "search", "node", "nodes", "changes")
    needed: Mapping[str, Mapping[str, Any]] = {"search": {"text": "a"}, "changes": {"since": 0}}
    for root in roots:
        for name, argument in query.fields[root].args.items():
            if _takes_text(argument.type):
                others = {**needed.get(root, {}), name: _texts(argument.type, text)}
                types = {key: query.fields[root].args[key].type for key in others}
                heads = ", ".join(f"${key}: {kind}" for key, kind in types.items())
                given = ", ".join(f"{key}: ${key}" for key in others)
                yield f"query ({heads}) {{ {root}({given}) {{ __typename }} }}", others
    for field, shape in cluster.fields.items():
        for name, argument in shape.args.items():
            if _takes_text(argument.type):
                is_leaf = isinstance(get_named_type(shape.type), GraphQLScalarType)
                asked = f"{field}({name}: $a) {'' if is_leaf else '{ __typename }'}"
                document = f"query ($a: {argument.type}) {{ clusters {{ nodes {{ {asked} }} }} }}"
                yield document, {"a": _texts(argument.type, text)}


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def snapshot(model: Model) -> Snapshot:
    made = build_snapshot(model, [commit_of(listed_dataset(), (), None)])
    made.search.build(made)
    return made


@pytest.fixture(scope="module")
def engine(model: Model) -> Engine:
    return Engine(model, load_schema(model), Settings())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_looked_for_or_refused(
    engine: Engine, snapshot: Snapshot, text: str
) -> None:
    viewer, probes = anonymous(engine.settings), 0
    for operator, root, where in _conditions(engine.schema, text):
        kind = engine.schema.query_type.fields[root].args["where"].type  # type: ignore[union-attr]
        document = f"query ($w: {kind}) {{ found: {root}(where: $w) {{ totalCount }} }}"
        answer = engine.answer(Request(document, variables={"w": where}), snapshot, viewer)
        codes = {error["extensions"]["code"] for error in answer.errors}
        assert codes <= REFUSED, (where, answer.errors)
        if not codes and operator in EQUALITIES:
            assert answer.data == {"found": {"totalCount": 0}}, where
        probes += 1
    for document, variables in _arguments(engine.schema, text):
        answer = engine.answer(Request(document, variables=variables), snapshot, viewer)
        codes = {error["extensions"]["code"] for error in answer.errors}
        assert codes <= REFUSED | {"UNAUTHENTICATED"}, (document, answer.errors)
        probes += 1
    assert probes > 60  # that many arguments there are at least


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_no_part_of_a_subscription(
    engine: Engine, snapshot: Snapshot, text: str
) -> None:
    subscriber = Subscriber(engine)
    for root in ("changed", "clusterChanged", "membershipChanged"):
        field = engine.schema.subscription_type.fields[root]  # type: ignore[union-attr]
        for name, argument in field.args.items():
            if _takes_text(argument.type):
                document = f"subscription ($a: {argument.type}) {{ {root}({name}: $a) {{ id }} }}"
                request = Request(document, variables={"a": _texts(argument.type, text)})
                told = _refusal(subscriber, request, snapshot)
                assert told is None or told in REFUSED


def _refusal(subscriber: Subscriber, request: Request, snapshot: Snapshot) -> str | None:
    try:
        subscriber.prepare(request, snapshot, anonymous(subscriber.engine.settings))
    except RhizomeError as error:
        return error.code
    except InvalidDocumentError:
        return "GRAPHQL_VALIDATION"
    return None


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_operations_and_documents_are_names(http: Any, text: str) -> None:
    query = "query A { revision } query B { dataRevision }"
    extension = {"persistedQuery": {"version": 1, "sha256Hash": text}}
    for body in (
        {"query": query, "operationName": text},
        {"documentId": text},
        {"id": text},
        {"extensions": extension},
    ):
        answer = http.post("/graphql", json=body)
        assert answer.status_code in (200, 400, 404), answer.text
        told = answer.json()
        error = told["errors"][0]["extensions"] if "errors" in told else told
        assert error["code"] in REFUSED | {"UNKNOWN_DOCUMENT"}, answer.text


def test_an_identifier_is_found_beside_hostile_ones(engine: Engine, snapshot: Snapshot) -> None:
    """That nothing is found above is not because nothing is ever found."""
    wanted = organisation(1)[1:-1]
    where = {"id": {"in": [*HOSTILE, wanted]}}
    document = "query ($w: ClusterWhere) { clusters(where: $w) { nodes { id } } }"
    answer = engine.answer(
        Request(document, variables={"w": where}), snapshot, anonymous(engine.settings)
    )
    assert answer.data == {"clusters": {"nodes": [{"id": wanted}]}}
