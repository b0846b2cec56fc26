"""Reports committed on a small store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from graph.analysis.committed import commit_report, report_graph
from graph.analysis.projection import NAMED_PROJECTIONS
from graph.analysis.report import build_report
from graph.curation.gate import Gate, Receipt
from graph.terms import Quad
from tests.gates import open_gate, submit
from tests.samples import base, iri

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
DEFAULT = report_graph("default")


def measure(gate: Gate, name: str = "default") -> Receipt:
    """Commit the report of a projection on the data as they are."""
    snapshot, time = gate.dataset.snapshot, gate.dataset.log.time
    report = build_report(snapshot, NAMED_PROJECTIONS[name], "en", time)
    return commit_report(gate, report, agent="tests", now=NOW)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    opened = open_gate(tmp_path / "store")
    submit(opened, base())
    yield opened
    opened.dataset.close()


def without(name: str) -> list[Quad]:
    """The statements of the base that speak of an organisation or of its relations."""
    gone = {iri(f"organisation/{name}"), iri(f"signature/m--{name}")}
    return [quad for quad in base() if gone & {quad[0], quad[2]}]
