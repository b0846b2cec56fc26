"""Fixtures and options shared by all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.generated import Tally

pytest_plugins = ["pytester", "tests.require", "tests.seeded"]

# No deadline a case: the machines that run this are shared. The nightly run tries many more.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.register_profile("nightly", deadline=None, print_blob=True, max_examples=2000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update",
        action="store_true",
        help="rewrite expected files (generated pages, plans) instead of comparing with them",
    )


@pytest.fixture
def assert_current(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Check that a committed file holds a text; with `--update`, write it.

    For tests marked `generated` (`make docs` rewrites their files) and for expected plans.
    """

    def check(path: Path, text: str) -> None:
        if request.config.getoption("--update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path.name} is missing: `make docs` writes it"
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: run `make docs`"

    return check


# --- generated documents: how many, and what came of them ----------------------------------------

_TALLY = pytest.StashKey["Tally"]()


@pytest.fixture(scope="session")
def nightly(request: pytest.FixtureRequest) -> bool:
    """Whether this is the run with many more generated examples."""
    return bool(request.config.getoption("--hypothesis-profile") == "nightly")


@pytest.fixture(scope="session")
def wanted(nightly: bool) -> int:
    """How many generated documents are asked."""
    from tests.generated import IN_NIGHTLY, IN_TEST

    return IN_NIGHTLY if nightly else IN_TEST


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """What came of the generated documents; printed at the end of the run."""
    from tests.generated import Tally

    return request.config.stash.setdefault(_TALLY, Tally())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    found = config.stash.get(_TALLY, None)
    for line in found.lines() if found is not None else ():
        terminalreporter.write_line(line)
