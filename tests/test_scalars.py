"""Scalars that are text: what is sent of another kind is refused before anything is asked."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.sockets import begun
from tests.writing import Client, client, http

__all__ = ["client", "http"]  # fixtures

#: Places of a `Date`, a `DateTime` and a `URI`; `%s` is what is given.
PLACES = (
    "{ clusters(asOf: %s) { totalCount } }",
    "{ clusters { nodes { memberships(asOf: %s) { totalCount } } } }",
    '{ cluster(id: "urn:x") { certainty(asOf: %s) } }',
    "{ clusters(where: {founded: {earliest: {gt: %s}}}) { totalCount } }",
    "{ sources(where: {retrievedOn: {in: [%s]}}) { totalCount } }",
    "{ reports(where: {generated: {lte: %s}}) { totalCount } }",
    "{ clusters(where: {homepage: {eq: %s}}) { totalCount } }",
    "{ clusters(where: {homepage: {in: [%s]}}) { totalCount } }",
    "{ memberships { groups(by: {status: VALUE}, having: {max: {started: {gt: %s}}}) { count } } }",
)


def codes(answer: Any) -> set[str]:
    return {error["extensions"]["code"] for error in answer.json().get("errors", ())}


@pytest.mark.parametrize("given", ["20200101", "1.5", "true", "{a: 1}", "[[1]]"])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_text_is_no_value(http: TestClient, place: str, given: str) -> None:
    answer = http.post("/graphql", json={"query": place % given})
    assert (answer.status_code, codes(answer)) == (200, {"GRAPHQL_VALIDATION"})


@pytest.mark.parametrize("given", [5, 1.5, True, {"a": 1}, [1], ["2020-01-01"]])
@pytest.mark.parametrize("kind", ["Date", "URI"])
def test_nor_is_it_in_variables(http: TestClient, kind: str, given: Any) -> None:
    where = {"Date": "founded: {latest: {lt: $v}}", "URI": "homepage: {ne: $v}"}[kind]
    query = f"query ($v: {kind}) {{ clusters(where: {{{where}}}) {{ totalCount }} }}"
    asked = {"query": query, "variables": {"v": given}}
    answer = http.post("/graphql", json=asked)
    assert (answer.status_code, codes(answer)) == (200, {"GRAPHQL_VALIDATION"})
    assert f"{kind} is text in quotes" in answer.text


@pytest.mark.parametrize(
    "day", ["2020-02-30", "2020-13-01", "0000-01-01", "2020-1-1", "２０２０-01-01"]
)
def test_a_day_is_one_of_the_calendar(http: TestClient, day: str) -> None:
    for place in PLACES[:4]:
        answer = http.post("/graphql", json={"query": place % f'"{day}"'})
        expected = set() if "urn:x" in place else {"BAD_VALUE"}
        assert codes(answer) | expected == {"BAD_VALUE"}


def test_a_subscription_of_another_kind_is_refused(client: Client) -> None:
    with begun(client.http) as socket:
        socket.subscribe("a", "{ clusters(asOf: 5) { totalCount } }")
        assert socket.error("a") == "GRAPHQL_VALIDATION"
        where = "where: {founded: {earliest: {gt: 5}}}"
        socket.subscribe("b", f"subscription {{ clusterChanged({where}) {{ id }} }}")
        assert socket.error("b") == "GRAPHQL_VALIDATION"


# --- bugs ---------------------------------------------------------------------------------------


@pytest.fixture
def broken(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The application with a bug where requests are prepared."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    engine = http.app.state.service.engine  # type: ignore[attr-defined]
    monkeypatch.setattr(engine, "_prepare", fail)
    monkeypatch.setattr(engine, "prepare_known", fail)
    return http


def test_a_bug_is_a_problem_with_a_reference_by_any_method(broken: TestClient) -> None:
    query = "{ networks { totalCount } }"
    headers = {"Accept": "application/json"}
    for answer in (
        broken.post("/graphql", json={"query": query}, headers=headers),
        broken.get("/graphql", params={"query": query}, headers=headers),
    ):
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "INTERNAL"
        assert answer.json()["reference"]
        assert "secret" not in answer.text


def test_a_bug_is_told_to_its_operation_alone(broken: TestClient) -> None:
    with begun(broken) as socket:
        socket.subscribe("a", "{ networks { totalCount } }")
        assert socket.error("a") == "INTERNAL"
        socket.send(type="ping")
        assert socket.receive() == {"type": "pong"}
