"""No installed distribution brings a top-level name of ours, and ours are the ones imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import packages_distributions
from importlib.util import find_spec

import pytest

from tests.require import ROOT

DISTRIBUTION = "rhizome-graph"
NAMES = ("graph", "schema", "web", "server", "ontology", "seeds", "tests", "bench")
IMPORTED = ("graph", "schema", "web", "server")


def intruders(distributions: Mapping[str, list[str]]) -> dict[str, set[str]]:
    """Names of ours that other distributions bring, with those distributions."""
    brought = {name: set(distributions.get(name, ())) - {DISTRIBUTION} for name in NAMES}
    return {name: others for name, others in brought.items() if others}


def test_no_distribution_brings_a_name_of_ours() -> None:
    assert intruders(packages_distributions()) == {}


def test_an_intruder_is_found() -> None:
    installed = {"schema": ["schema"], "graph": [DISTRIBUTION], "yaml": ["PyYAML"]}
    assert intruders(installed) == {"schema": {"schema"}}


@pytest.mark.parametrize("name", IMPORTED)
def test_the_name_leads_into_the_checkout(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert ROOT in (ROOT / spec.origin).resolve().parents
