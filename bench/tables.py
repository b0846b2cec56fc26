"""Tables as they are printed and as they stand in `docs/performance.md`, and the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil

Cell = str | float | int


class Table(NamedTuple):
    """A title, column heads, rows, and sentences below."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return the table in Markdown."""
        lines = [f"### {self.title}", "", _line(self.heads), _line(("---",) * len(self.heads))]
        lines += [_line([write_cell(cell) for cell in row]) for row in self.rows]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"


def write_cell(cell: Cell) -> str:
    """Return a cell's text, numbers with three digits that count."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return f"{cell:,}"
    if cell != cell:
        return "–"
    if abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.2f}" if abs(cell) < 10 else f"{cell:.1f}"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile of values, the nearest one at or above it."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def judge(value: float, target: float, *, at_least: bool = False) -> str:
    """Return a target with the word whether it was met."""
    met = value >= target if at_least else value <= target
    sign = "≥" if at_least else "≤"
    return f"{sign} {target:g}: {'met' if met else '**missed**'}"


def describe_machine() -> str:
    """Return one sentence on machine, load and date."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return (
        f"{os.cpu_count()} processors ({model}), {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; load average {load}; "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
