from __future__ import annotations

import re

import pytest

from bench import report
from graph.analysis.measures.registry import NODE_MEASURES


def test_the_bench_prints_a_table_of_every_measure(capsys: pytest.CaptureFixture[str]) -> None:
    report.main(["120"])
    text = capsys.readouterr().out
    assert "### 120 organisations" in text
    for measure in NODE_MEASURES:
        assert measure.key in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 16
    for row in rows:
        assert re.fullmatch(r"\| [^|]+ \| [\d.e-]+ \|( [\d.e-]+ \| \d+ \|| \| \|)", row), row
