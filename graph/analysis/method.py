"""What the report says about itself: method, software, limits.

Floor 3. Texts are chosen by parameters alone; nothing here looks at results.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Final

from graph.analysis.affiliations import Status
from graph.analysis.findings import Section
from graph.analysis.projection import ProjectionParameters
from graph.analysis.wording import Wording

#: Packages that the numbers depend on; networkx is what they are checked against.
PACKAGES: Final = ("numpy", "scipy", "networkx")
LIMITS: Final = ("absence", "cooperation", "kinds", "position", "choice")


def write_method(
    wording: Wording,
    parameters: ProjectionParameters,
    revision: int,
    dataset_hash: str,
    ontology_version: str,
    commit_time: str,
) -> tuple[Section, ...]:
    """Return what was computed, on which revision, with which parameters, and how."""
    say = wording.say
    time = say("method.data.time", time=wording.time(commit_time)) if commit_time else ""
    data = say(
        "method.data.text",
        revision=str(revision),
        time=time,
        hash=dataset_hash,
        ontology=ontology_version,
    )
    layers = wording.join([say(f"layer.{layer}") for layer in parameters.layers])
    scope = say("scope.clusters" if parameters.clusters_only else "scope.organisations")
    statuses = [say(f"status.{s}") for s in Status if s in parameters.statuses]
    network = (
        say("method.network.layers", layers=layers),
        say("method.network.nodes", scope=scope, mode=say(f"mode.{parameters.mode}")),
        say("method.network.weights", weighting=say(f"weighting.{parameters.weighting}")),
        say(
            "method.network.status",
            statuses=wording.join(statuses),
            succession=say(f"succession.{parameters.succession}"),
        ),
    )
    measures = (say("method.measures.paths"), say("method.measures.check"))
    software = wording.join([f"{name} {number}" for name, number in list_software()])
    return (
        Section(say("method.data"), (data,)),
        Section(say("method.network"), network),
        Section(say("method.measures"), measures),
        Section(say("method.missing"), (say("method.missing.text"),)),
        Section(say("method.software"), (f"{software}.",)),
    )


def write_limits(wording: Wording) -> tuple[str, ...]:
    """Return what the figures do not say."""
    return tuple(wording.say(f"limit.{key}") for key in LIMITS)


def list_software() -> tuple[tuple[str, str], ...]:
    """Return name and version of what computed the numbers."""
    return (
        ("Python", platform.python_version()),
        *((package, version(package)) for package in PACKAGES),
    )
