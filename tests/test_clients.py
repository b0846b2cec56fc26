"""Clients of others do a real job against the running service."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.settings import Settings
from graph.store.access_tokens import Tokens
from tests.require import ROOT
from tests.running import Running

pytestmark = [pytest.mark.broad, pytest.mark.needs("node"), pytest.mark.needs("npm")]
CLIENTS = ROOT / "tests" / "clients"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients, installed from their lock."""
    place = tmp_path_factory.mktemp("clients") / "clients"
    shutil.copytree(CLIENTS, place, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def store(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients-store") / "store"
    shutil.copytree(seeded_store, folder)
    return folder


@pytest.fixture(scope="module")
def token(store: Path) -> str:
    """A token that may write and see who wrote; made before the server starts."""
    tokens = Tokens.open(Settings(store=store))
    return tokens.create(["write", "changes"], name="partner")[0]


@pytest.fixture(scope="module")
def server(store: Path, token: str) -> Iterator[Running]:
    assert token
    free = {"RHIZOME_RATE_API": "0", "RHIZOME_CONNECTIONS_PER_ADDRESS": "200"}
    running = Running(store, **free)  # the audit asks everything at once
    try:
        yield running.ready()
    finally:
        running.close()


def run(folder: Path, script: str, *arguments: str) -> list[dict[str, Any]]:
    """What a script prints, one JSON object a line."""
    command = ["node", script, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_audit_of_graphql_over_http_finds_nothing(folder: Path, server: Running) -> None:
    found = run(folder, "audit.mjs", f"{server.address}/graphql")
    assert [audit for audit in found if audit["status"] != "ok"] == []
    assert len(found) == 61


def test_urql_reads_pages_and_errors(folder: Path, server: Running) -> None:
    (done,) = run(folder, "urql.mjs", f"{server.address}/graphql")
    assert "VEGEPOLYS VALLEY" in done["names"]
    assert len(set(done["names"])) == len(done["names"]) > 4
    assert done["again"] == 4
    assert len({request["revision"] for request in done["requests"]}) == 1
    assert done["code"] == "QUERY_LIMIT"


def test_graphql_ws_keeps_a_list_up_to_date(folder: Path, server: Running, token: str) -> None:
    (done,) = run(folder, "graphql-ws.mjs", f"{server.address}/graphql", token)
    first = done["first"]
    assert (first["kind"], first["id"]) == ("CREATED", done["made"])
    assert first["node"] == {"name": "Grappe WS", "acronym": "WS1"}
    assert [n["kind"] for n in done["missed"]] in (["UPDATED", "LEFT"], ["LEFT"])
    assert done["missed"][-1]["node"]["acronym"] == "OTHER"
    assert done["refused"] == "BAD_VALUE"


def test_graphql_sse_sees_changes_as_they_are_made(
    folder: Path, server: Running, token: str
) -> None:
    (done,) = run(folder, "graphql-sse.mjs", f"{server.address}/graphql", token)
    for name, label in (("first", "Seen at once"), ("second", "Seen later")):
        assert done[name]["kind"] == "CREATED"
        assert done[name]["node"] == {"__typename": "Cluster", "label": label}
        assert [commit["agent"] for commit in done[name]["commits"]] == ["partner"]
    assert done["second"]["revision"] == done["first"]["resume"] + 1 == done["revision"]
    assert done["refused"] == "GRAPHQL_VALIDATION"
