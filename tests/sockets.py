"""A client of `graphql-transport-ws` for tests, on the application in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession

from tests.writing import Client, name

PROTOCOL = "graphql-transport-ws"
UPDATE = (
    "mutation ($source: SourceChoice!, $id: ID!, $input: ClusterInput!) "
    "{ updateCluster(source: $source, id: $id, input: $input) { accepted revision } }"
)


class Socket:
    """One connection, with the messages of the protocol as methods."""

    def __init__(self, session: WebSocketTestSession) -> None:
        self.session = session

    def send(self, **message: Any) -> None:
        self.session.send_json(message)

    def receive(self) -> Any:
        return self.session.receive_json()

    def begin(self, **payload: Any) -> None:
        self.send(type="connection_init", payload=payload)
        assert self.receive() == {"type": "connection_ack"}

    def subscribe(self, number: str, query: str, **variables: Any) -> None:
        payload = {"query": query, "variables": variables}
        self.send(type="subscribe", id=number, payload=payload)

    def settle(self) -> None:
        """Return once all that was sent before has been taken up."""
        self.subscribe("settle", "{ revision }")
        assert self.receive()["id"] == "settle"
        assert self.receive() == {"type": "complete", "id": "settle"}

    def next(self, number: str) -> Any:
        message = self.receive()
        assert (message["type"], message["id"]) == ("next", number), message
        return message["payload"]

    def error(self, number: str) -> str:
        message = self.receive()
        assert (message["type"], message["id"]) == ("error", number), message
        code: str = message["payload"][0]["extensions"]["code"]
        return code

    def closed(self) -> tuple[int, str]:
        """Return code and reason with which the server closes, whatever it says before."""
        while True:
            message = self.session.receive()
            if message["type"] == "websocket.close":
                return message["code"], message.get("reason") or ""


@contextmanager
def connect(http: TestClient, *protocols: str, **headers: str) -> Iterator[Socket]:
    """Open a connection to `/graphql`; of none the protocol is the right one."""
    offered = list(protocols or (PROTOCOL,))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with http.websocket_connect("/graphql", subprotocols=offered, headers=named) as session:
        yield Socket(session)


@contextmanager
def begun(http: TestClient, token: str | None = None) -> Iterator[Socket]:
    """Open a connection and begin, with a token if given."""
    with connect(http) as socket:
        payload = {} if token is None else {"Authorization": f"Bearer {token}"}
        socket.begin(**payload)
        yield socket


def update(client: Client, id: str, **values: Any) -> int:
    given = {"source": client.source, "id": id, "input": values}
    done = client.ask(UPDATE, **given)["updateCluster"]
    assert done["accepted"]
    found: int = done["revision"]
    return found


@pytest.fixture
def store(seeded_store: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    return folder


@pytest.fixture
def made(client: Client) -> str:
    found: str = client.create(name(f"Of {client.token.name}"))["id"]
    return found
