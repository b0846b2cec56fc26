"""Clients of others do a real job against the running service."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.require import ROOT
from tests.running import Running

pytestmark = [pytest.mark.needs("node"), pytest.mark.needs("npm")]
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
def server(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = tmp_path_factory.mktemp("clients-store") / "store"
    shutil.copytree(seeded_store, store)
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
    assert {request["revision"] for request in done["requests"]} == {"1"}
    assert done["code"] == "QUERY_LIMIT"
