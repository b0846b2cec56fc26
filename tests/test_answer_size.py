"""The size of an answer is limited, and nobody waits while a large one is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.access import anonymous
from graph.errors import QueryTooLargeError
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.terms import RZ
from schema.execute import Engine, Prepared, Request
from schema.loading import load_schema
from schema.writing import _AT_ONCE, _pieces, write_body
from tests.asking import A, organisation, small_dataset
from tests.snapshots import commit_of

LONG = 60_000
Ask = Callable[..., dict[str, Any]]

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=60,
)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def ask(model: Model) -> Ask:
    path = model.fields[f"{RZ}Cluster"]["description"].path
    quads = small_dataset()
    for language in ("en", "fr", "de"):
        quads.append((organisation(0), f"<{path}>", f'"{"é" * (LONG // 2)}"@{language}', A))
    schema = load_schema(model)
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])

    def answer(query: str, **limits: Any) -> dict[str, Any]:
        engine = Engine(model, schema, replace(Settings(), **limits))
        prepared = engine.prepare(Request(query), snapshot, anonymous(engine.settings))
        assert isinstance(prepared, Prepared), prepared
        _, body = engine.write(prepared)
        found: dict[str, Any] = json.loads(body)
        return found

    return answer


@pytest.mark.parametrize(
    "query",
    [
        "{ clusters { nodes { description } } }",
        "{ networks { nodes { members { nodes { member { ...D } } } } } } "
        "fragment D on Cluster { description }",
        '{ clusters { nodes { translations(fields: ["description"]) { text } } } }',
        '{ clusters { nodes { claims(fields: ["description"]) { value } } } }',
        "{ clusters { nodes { altNames label description } } }",
    ],
)
def test_an_answer_over_the_limit_is_refused_and_names_it(ask: Ask, query: str) -> None:
    assert "errors" not in ask(query)
    refused = ask(query, graphql_answer_bytes=LONG - 1)
    (error,) = refused["errors"]
    assert refused["data"] is None
    assert error["extensions"]["code"] == "QUERY_LIMIT"
    assert error["extensions"]["limit"] == "graphql_answer_bytes"


def test_a_text_that_is_read_once_and_told_often_counts_each_time(ask: Ask) -> None:
    tie = "memberships { nodes { memberOf { members { nodes { member { ...D } } } } } }"
    query = f"{{ clusters {{ nodes {{ {tie} }} }} }} fragment D on Cluster {{ description }}"
    assert json.dumps(ask(query), ensure_ascii=False).count("é" * 20_000) == 5
    refused = ask(query, graphql_answer_bytes=3 * LONG)
    assert refused["errors"][0]["extensions"]["limit"] == "graphql_answer_bytes"


def test_conditions_on_long_texts_are_no_answer(ask: Ask) -> None:
    query = '{ clusters(where: {description: {startsWith: "éé"}}) { nodes { id } } }'
    assert len(ask(query, graphql_answer_bytes=1_000)["data"]["clusters"]["nodes"]) == 1


def test_what_one_answer_read_is_not_charged_to_the_next(ask: Ask) -> None:
    for _ in range(3):
        assert "errors" not in ask(
            "{ clusters { nodes { description } } }", graphql_answer_bytes=70_000
        )


@given(_JSON, st.integers(0, 10 * _AT_ONCE))
def test_pieces_are_the_bytes_of_one_call(value: Any, weight: int) -> None:
    assert b"".join(_pieces(value, weight)) == orjson.dumps(value)


def test_large_answers_are_written_in_pieces_of_bounded_size() -> None:
    node = {"id": "https://example.org/" + "x" * 60, "name": "y" * 60}
    body = {"data": {"all": {"nodes": [{"node": node, "below": [node] * 9} for _ in range(5_000)]}}}
    pieces = list(_pieces(body, 50_000))
    assert b"".join(pieces) == orjson.dumps(body)
    assert max(map(len, pieces)) < 1_000_000
    whole = len(orjson.dumps(body))
    assert len(write_body(body, 50_000, 0, whole)) == whole
    for nodes in (1, 50_000):
        with pytest.raises(QueryTooLargeError):
            write_body(body, nodes, 0, whole - 1)
