"""Under which licences the data stands: that of the compilation, and those that sources state.

Floor 2. One rule for every place that names a licence of the whole (docs/research.md): the
compilation is under CC BY 4.0; where a source states another licence of itself, that one holds for
what the source states, and whoever names one names all of them. What one source says of the licence
of another counts for nothing, as it does for rank and visibility.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from graph.store.columns import EMPTY
from graph.store.snapshot import Snapshot

STATES: Final = "http://purl.org/dc/terms/license"
_CREATIVE_COMMONS: Final = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/licenses/(by(?:-nc)?(?:-nd|-sa)?)/([1-4]\.[05])"
    r"(?:/(?:deed|legalcode)(?:\.[a-z_-]+)?)?/?",
    re.IGNORECASE,
)
_CC0: Final = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/publicdomain/zero/1\.0"
    r"(?:/(?:deed|legalcode)(?:\.[a-z_-]+)?)?/?",
    re.IGNORECASE,
)
_SPDX: Final = re.compile(
    r"https?://(?:www\.)?spdx\.org/licenses/([a-z0-9.+-]+?)(?:\.html)?/?", re.IGNORECASE
)
#: SPDX identifiers of licences of data that have an address of their own, without scheme.
_OTHERS: Final = {
    "opendatacommons.org/licenses/odbl/1-0": "ODbL-1.0",
    "opendatacommons.org/licenses/by/1-0": "ODC-By-1.0",
    "opendatacommons.org/licenses/pddl/1-0": "PDDL-1.0",
}
_PARTS: Final = {
    "en": (
        "for the compilation; what a source states that names a licence of its own is under "
        "that one: "
    ),
    "fr": (
        "pour la compilation ; ce qu’affirme une source qui indique sa propre licence est sous "
        "celle-ci : "
    ),
}


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence: its IRI as stated, and its SPDX identifier, empty where it is not known."""

    iri: str
    spdx: str

    @property
    def title(self) -> str:
        """What people call it: `CC BY 4.0`; the IRI where nothing better is known."""
        if self.spdx.startswith("CC-"):
            family, _, version = self.spdx.removeprefix("CC-").rpartition("-")
            return f"CC {family} {version}"
        return self.spdx or self.iri

    def for_data_package(self) -> dict[str, str]:
        """Return the licence in the terms of Frictionless."""
        name = {"name": self.spdx} if self.spdx else {}
        return {**name, "path": self.iri, "title": self.title}


#: That of the compilation: choice, arrangement, identifiers and texts of ours.
COMPILATION: Final = Licence("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0")


def name_licence(iri: str) -> Licence:
    """Return the licence of an IRI, also of one that leads to its deed or legal code.

    Ports to a jurisdiction (before version 4.0) are licences of their own and keep their IRI.

    Examples
    --------
    >>> name_licence("http://creativecommons.org/licenses/by-nc-sa/4.0/deed.fr").spdx
    'CC-BY-NC-SA-4.0'
    """
    if match := _CREATIVE_COMMONS.fullmatch(iri):
        return Licence(iri, f"CC-{match[1].upper()}-{match[2]}")
    if _CC0.fullmatch(iri):
        return Licence(iri, "CC0-1.0")
    if match := _SPDX.fullmatch(iri):
        return Licence(iri, _write_spdx(match[1]))
    address = iri.partition("://")[2].lower().removeprefix("www.").removesuffix("/")
    return Licence(iri, _OTHERS.get(address, ""))


def _write_spdx(identifier: str) -> str:
    """Return an SPDX identifier in its own case, where it is known: case does not matter there."""
    lower = identifier.lower()
    if lower.startswith(("cc-", "cc0-")):
        return identifier.upper()
    return next((known for known in _OTHERS.values() if known.lower() == lower), identifier)


def read_own_licence(snapshot: Snapshot, source: str) -> str | None:
    """Return the licence that a source (N-Triples text) states of itself, in its own graph.

    Of several, which the gate lets no source state, the first.
    """
    own = (
        licence
        for licence in snapshot.values(source, STATES)
        if source in snapshot.graphs_of(source, STATES, licence)
    )
    return next(own, None)


def read_licences(snapshot: Snapshot) -> tuple[Licence, ...]:
    """Return the licences of a version, each once: the compilation's, then the sources'.

    Those of sources are what each states of itself, in its own graph, in the order of their IRIs.
    Two IRIs of one licence count once.

    Cost: linear in the sources that have one, in bulk.
    """
    graphs = snapshot.graphs_table.terms
    column, stated = snapshot.forward.get(STATES, EMPTY), set[str]()
    for rows in column.rows():
        for value in np.unique(rows[:, 1]).tolist():
            said = rows[rows[:, 1] == value].tolist()
            iri = snapshot.term_of(value)[1:-1]
            if iri not in stated and any(
                snapshot.term_of(subject) == graphs[graph] for subject, _, graph in said
            ):
                stated.add(iri)
    found: dict[str, Licence] = {}
    for licence in (COMPILATION, *map(name_licence, sorted(stated))):
        found.setdefault(licence.spdx.lower() or licence.iri, licence)
    return tuple(found.values())


def write_licences(licences: Sequence[Licence], language: str = "en") -> str:
    """Return on which terms the whole may be used, as a phrase that names every licence."""
    ours, *others = (_write(licence) for licence in licences)
    if not others:
        return ours
    return f"{ours} {_PARTS[language]}{', '.join(others)}"


def _write(licence: Licence) -> str:
    return licence.iri if licence.title == licence.iri else f"{licence.title} ({licence.iri})"
