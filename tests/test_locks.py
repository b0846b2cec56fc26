"""The locks: hashed, without a host, in step with pyproject.toml, and what is installed."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.require import ROOT

RUNTIME = ROOT / "requirements.lock"
DEV = ROOT / "requirements-dev.lock"
CLIENTS = ROOT / "tests" / "clients" / "python" / "requirements.lock"


@dataclass(frozen=True)
class Pin:
    """One entry of a lock."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        """Its canonical name."""
        return canonicalize_name(self.requirement.name)

    @property
    def applies(self) -> bool:
        """Whether it is for this Python and system."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate()


def read_pins(path: Path) -> list[Pin]:
    """Pins of a lock; an AssertionError for a line that is neither pin nor hash."""
    pins = []
    for entry in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        text, *hashes = entry.split("--hash=")
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", each) for each in hashes), entry
        pins.append(Pin(Requirement(text), frozenset(hashes)))
    return pins


@pytest.mark.parametrize("path", [RUNTIME, DEV, CLIENTS], ids=["runtime", "dev", "clients"])
def test_each_entry_is_pinned_and_hashed_and_names_no_host(path: Path) -> None:
    pins = read_pins(path)
    assert len(pins) > 20
    for pin in pins:
        assert re.fullmatch(r"==[^,*]+", str(pin.requirement.specifier)), pin
        assert pin.requirement.url is None
        assert pin.hashes
    assert not re.search(r"://|--(?!hash=)|^#", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_larger_lock_holds_the_smaller() -> None:
    larger = {str(pin.requirement): pin.hashes for pin in read_pins(DEV)}
    for pin in read_pins(RUNTIME):
        assert larger.get(str(pin.requirement)) == pin.hashes, pin


@pytest.mark.parametrize(
    ("path", "keys"),
    [(RUNTIME, ("project", "dependencies")), (DEV, ("dependency-groups", "dev"))],
    ids=["runtime", "dev"],
)
def test_the_lock_holds_what_the_project_asks_for(path: Path, keys: tuple[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = [pin for pin in read_pins(path) if pin.applies]
    for asked in map(Requirement, project[keys[0]][keys[1]]):
        found = [pin for pin in pins if pin.name == canonicalize_name(asked.name)]
        assert len(found) == 1, f"{asked}: run `make lock`"
        pinned = str(found[0].requirement.specifier).removeprefix("==")
        assert asked.specifier.contains(pinned), f"{asked}: run `make lock`"


def test_what_is_installed_is_what_the_lock_says() -> None:
    wrong = {}
    for pin in read_pins(DEV):
        try:
            found = version(pin.name) if pin.applies else None
        except PackageNotFoundError:
            found = "nothing"
        if found is not None and not pin.requirement.specifier.contains(found):
            wrong[str(pin.requirement)] = found
    assert wrong == {}
