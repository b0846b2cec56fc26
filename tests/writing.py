"""A GraphQL client that writes over HTTP, and what it is given."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.terms import ENTITY
from tests.seeded import serve

ROLE = f"{ENTITY}concept/role--member"
NETWORK = f"{ENTITY}network/plant-intercluster"
REPORT = (
    "accepted revision repeated violations { inputPath message severity constraint field focusNode "
    "property value source } warnings { inputPath message severity }"
)
CREATE = (
    "mutation ($source: SourceChoice!, $input: ClusterInput!, $id: ID, $dry: Boolean, $if: Int, "
    "$key: String, $why: String) { createCluster(source: $source, input: $input, id: $id, "
    "dryRun: $dry, ifRevision: $if, idempotencyKey: $key, message: $why) { "
    f"{REPORT} id entity {{ id name acronym statedBy {{ id title }} }} }} }}"
)
#: What breaks out of strings, terms, queries and pages where someone forgot.
HOSTILE = [
    '"', "'", "\\", "a\\", "\n", "\r\n", "\t", "> <b", '" . <x:y> <x:y> "', "} UNION { ?s ?p ?o",
    "'; DROP TABLE x; --", "${7*7}", "{{7*7}}", "__import__('os')", "%00", "../../etc/passwd",
    "<script>alert(1)</script>", "\u202e", "\ufeff", "\u0301" * 50, "𝔘" * 20, "null", "true", "0",
    "A" * 5000, '"""', "#", "<http://x/>", "_:b0", "@en", "^^xsd:string",
]  # fmt: skip


class Client:
    """GraphQL with a token, and a source of its own."""

    def __init__(self, http: TestClient, name: str, *scopes: str) -> None:
        tokens = http.app.state.service.tokens  # type: ignore[attr-defined]
        self.text, self.token = tokens.create(scopes or ("write", "changes"), name=name)
        self.http = http
        self.source: dict[str, Any] = {"id": f"{ENTITY}source/{name}", "create": {"title": name}}

    def post(self, query: str, **variables: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.text}"}
        body = {"query": query, "variables": variables}
        return self.http.post("/graphql", json=body, headers=headers)

    def ask(self, query: str, **variables: Any) -> Any:
        answer = self.post(query, **variables).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def create(self, values: Any, **variables: Any) -> Any:
        given = {"source": self.source, "input": values, **variables}
        return self.ask(CREATE, **given)["createCluster"]


@pytest.fixture(scope="module")
def http(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("writing") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, rate_token_api=0) as client:
        yield client


@pytest.fixture
def client(http: TestClient, request: pytest.FixtureRequest) -> Client:
    words = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[5:55]
    return Client(http, words.strip("-"))


def revision(http: TestClient) -> int:
    found: int = http.get("/version").json()["revision"]
    return found


def name(text: str) -> dict[str, Any]:
    return {"name": [{"text": text, "lang": "en"}]}
