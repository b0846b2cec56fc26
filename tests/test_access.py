"""Bearer tokens over HTTP: who is let in, what is said to others, and what it counts for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.store.access_tokens import Tokens
from tests.seeded import serve
from web.graphql import GRAPHQL

QUERY = {"query": "{ revision }"}
#: Well formed, and nobody's.
STRANGER = "rhz_AAAAAAAA_" + "0" * 50


def tokens_of(client: TestClient) -> Tokens:
    found: Tokens = client.app.state.service.tokens  # type: ignore[attr-defined]
    return found


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture(scope="module")
def served(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("access") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, rate_api=0) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/sparql?query=ASK{}", "/export", "/version", "/", "/rhizome.css"]
)
@pytest.mark.parametrize("text", [STRANGER, "x", "", "rhz_", "é", "a b", "x" * 5000])
def test_a_wrong_token_is_401_everywhere(served: TestClient, path: str, text: str) -> None:
    problem = "application/problem+json"
    headers = {b"Authorization": f"bearer {text}".encode(), b"Accept": problem.encode()}
    answer = served.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == problem
    assert answer.headers["www-authenticate"] == 'Bearer realm="rhizome", error="invalid_token"'
    assert answer.json()["code"] == "UNAUTHENTICATED"
    assert answer.headers["cache-control"] == "no-store"
    assert not text or len(text) < 4 or text not in answer.text


@pytest.mark.parametrize("accept", ["application/json", GRAPHQL])
def test_graphql_tells_it_as_its_protocol_asks(served: TestClient, accept: str) -> None:
    answer = served.post("/graphql", json=QUERY, headers={**bearer(STRANGER), "Accept": accept})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert "invalid_token" in answer.headers["www-authenticate"]
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert "data" not in answer.json()


def test_expired_and_revoked_are_told_apart(served: TestClient) -> None:
    tokens = tokens_of(served)
    text, token = tokens.create(["write"])
    assert served.get("/version", headers=bearer(text)).status_code == 200
    tokens.revoke(token.id)
    assert "revoked" in served.get("/version", headers=bearer(text)).json()["detail"]
    text, _ = tokens.create(["write"], expires="1d")
    clock = tokens._clock
    try:
        tokens._clock = lambda: clock() + 86_401
        answer = served.post("/graphql", json=QUERY, headers=bearer(text))
    finally:
        tokens._clock = clock
    assert (answer.status_code, "expired" in answer.text) == (401, True)


def test_two_headers_are_no_token(served: TestClient) -> None:
    text, _ = tokens_of(served).create(["write"])
    twice = [("Authorization", f"Bearer {text}")] * 2
    assert served.get("/version", headers=twice).status_code == 401


@pytest.mark.parametrize("other", ["Basic dXNlcjpwYXNz", "Digest a=b", "rhz_x", ""])
def test_another_scheme_is_nobodys(served: TestClient, other: str) -> None:
    assert served.get("/version", headers={"Authorization": other}).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_those_who_watch_the_service_need_no_valid_token(served: TestClient, path: str) -> None:
    assert served.get(path, headers=bearer(STRANGER)).status_code == 200


def test_an_answer_to_a_token_is_kept_by_nobody_else(served: TestClient) -> None:
    text, _ = tokens_of(served).create(["write"])
    for path in ("/graphql?query={revision}", "/sparql?query=ASK{}"):
        assert (
            served.get(path, headers=bearer(text)).headers["cache-control"] == "private, no-store"
        )
        assert served.get(path).headers["cache-control"] == "no-cache"


def count(client: TestClient, most: int, **options: Any) -> int:
    """How many requests are answered before one is refused."""
    for number in range(most):
        if client.get("/graphql?query={revision}", **options).status_code == 429:
            return number
    return most


def test_each_token_has_a_rate_of_its_own(seeded_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, rate_api=3, rate_pages=0, rate_token_api=5) as client:
        one, _ = tokens_of(client).create(["write"])
        two, _ = tokens_of(client).create(["write"])
        assert count(client, 9, headers=bearer(one)) == 5
        assert count(client, 9) == 3
        assert count(client, 9, headers=bearer(two)) == 5
        refused = client.get("/graphql?query={revision}", headers=bearer(one))
        assert refused.json()["limit"] == "rate_token_api"


def test_guessing_counts_for_the_address(seeded_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, rate_api=3) as client:
        answers = [
            client.post("/graphql", json=QUERY, headers=bearer(STRANGER)).status_code
            for _ in range(5)
        ]
    assert answers == [401, 401, 401, 429, 429]


def test_a_token_has_wider_limits(served: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    service = served.app.state.service  # type: ignore[attr-defined]
    text, _ = tokens_of(served).create(["write"])
    seen: list[tuple[int, str]] = []
    prepare = service.engine.prepare

    def watched(asked: Any, snapshot: Any, viewer: Any) -> Any:
        seen.append((viewer.nodes_max, viewer.name))
        return prepare(asked, snapshot, viewer)

    monkeypatch.setattr(service.engine, "prepare", watched)
    served.post("/graphql", json=QUERY)
    served.post("/graphql", json=QUERY, headers=bearer(text))
    settings = service.settings
    assert seen[0] == (settings.graphql_nodes, "anonymous")
    assert seen[1][0] == settings.graphql_token_nodes
