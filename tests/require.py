"""What a test needs of the machine, and what a skip is worth.

A pytest plugin, loaded by `conftest.py`. `@pytest.mark.needs("node")` skips a test, with the
reason, where Node is missing. With `RHIZOME_TEST_REQUIRE=all` every skip is a failure, except for
an absent `../shared` (it is no part of the repository): those are counted and printed at the end.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
SHARED_ABSENT = "../shared is absent"

_skipped_for_shared = pytest.StashKey[list[str]]()


def chromium() -> str | None:
    """Path of the system's Chromium or Chrome, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@cache
def _lack_of_node() -> str | None:
    node = shutil.which("node")
    if node is None:
        return "Node is not installed (20 or newer)"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    major = int(version.strip().lstrip("v").split(".")[0])
    return None if major >= 20 else f"Node 20 or newer is needed, this is {version.strip()}"


def _lack_of_npm() -> str | None:
    return None if shutil.which("npm") else "npm is not installed"


def _lack_of_curl() -> str | None:
    return None if shutil.which("curl") else "curl is not installed"


def _lack_of_venv() -> str | None:
    found = importlib.util.find_spec("ensurepip")
    return None if found else "Python's venv module is not installed"


def _lack_of_shared() -> str | None:
    return None if SHARED.is_dir() else SHARED_ABSENT


def _lack_of_chromium() -> str | None:
    return None if chromium() else "Chromium is not installed"


def _lack_of_oxigraph() -> str | None:
    found = shutil.which("oxigraph", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return None if found else "the oxigraph server is not installed"


def _lack_of_virtuoso() -> str | None:
    missing = [name for name in ("virtuoso-t", "isql-vt") if shutil.which(name) is None]
    return f"{' and '.join(missing)} of Virtuoso are not installed" if missing else None


def _lack_of_seccomp() -> str | None:
    return None if sys.platform == "linux" else "seccomp is of Linux alone"


LACKS: dict[str, Callable[[], str | None]] = {
    "shared": _lack_of_shared,
    "node": _lack_of_node,
    "npm": _lack_of_npm,
    "curl": _lack_of_curl,
    "venv": _lack_of_venv,
    "chromium": _lack_of_chromium,
    "oxigraph": _lack_of_oxigraph,
    "virtuoso": _lack_of_virtuoso,
    "seccomp": _lack_of_seccomp,
}


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `../shared`; for tests that are marked `needs("shared")`."""
    assert SHARED.is_dir(), "mark the test with needs('shared')"
    return SHARED


def _requires_all() -> bool:
    value = os.environ.get("RHIZOME_TEST_REQUIRE", "")
    if value not in ("", "all"):
        raise pytest.UsageError(f"RHIZOME_TEST_REQUIRE={value}: the only value is `all`")
    return value == "all"


def pytest_configure(config: pytest.Config) -> None:
    _requires_all()
    config.stash[_skipped_for_shared] = []


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        if not mark.args:
            raise pytest.UsageError(f"{item.nodeid}: needs() must name what is needed")
        for what in mark.args:
            if what not in LACKS:
                known = ", ".join(LACKS)
                raise pytest.UsageError(f"{item.nodeid}: needs({what!r}) is none of {known}")
            if lack := LACKS[what]():
                pytest.skip(lack)


def _judge(report: pytest.TestReport | pytest.CollectReport, config: pytest.Config) -> None:
    """Turn a skip into a failure, unless it is one for want of `../shared`."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if SHARED_ABSENT in reason and not SHARED.is_dir():
        config.stash[_skipped_for_shared].append(report.nodeid)
    elif _requires_all():
        report.outcome = "failed"
        report.longrepr = f"{reason}\nRHIZOME_TEST_REQUIRE=all: this may not be skipped"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report, item.config)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report, collector.config)
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    skipped = config.stash[_skipped_for_shared]
    if skipped:
        terminalreporter.write_line(f"Skipped since {SHARED_ABSENT}: {len(skipped)}")
