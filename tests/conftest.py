"""Fixtures and options shared by all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

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
