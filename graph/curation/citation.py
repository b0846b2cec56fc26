"""How a revision of the data is cited: as a sentence, as CITATION.cff and as BibTeX.

Floor 2. Revision and dataset hash are part of it: with them the very bytes are found again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from graph.store.snapshot import Snapshot

AUTHORS: Final = "Rhizome contributors"
TITLE: Final = "Rhizome: a knowledge graph of the plant innovation ecosystem"
#: The name of the dataset. A name only as yet: see docs/architecture.md.
HOME: Final = "https://w3id.org/rhizome/"
#: The version of RO-Crate that a crate's metadata follow.
RO_CRATE: Final = "https://w3id.org/ro/crate/1.2"
#: What is said of data that nothing has been written to.
_NEVER: Final = "1970-01-01T00:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class Edition:
    """A revision as it is cited: number, dataset hash, when it was recorded (ISO 8601, UTC).

    `dump` is the address of its statements, empty where nobody serves them.
    """

    revision: int
    dataset_hash: str
    time: str
    quad_count: int
    dump: str = ""

    @property
    def day(self) -> str:
        """The day on which it was recorded."""
        return self.time[:10]


def read_edition(snapshot: Snapshot, time: str) -> Edition:
    """Return how a version is cited; `time` is that of its commit, empty before the first."""
    state = f"{snapshot.dataset_hash:064x}"
    return Edition(snapshot.revision, state, time or _NEVER, snapshot.quad_count)


def cite(edition: Edition) -> str:
    """Return the citation as a sentence."""
    return (
        f"{AUTHORS} ({edition.day[:4]}). {TITLE}, revision {edition.revision} "
        f"({edition.day}) [Data set]. {HOME} Dataset hash {edition.dataset_hash}."
        + (f" {edition.dump}" if edition.dump else "")
    )


def write_cff(edition: Edition) -> str:
    """Return the citation as a CITATION.cff (Citation File Format 1.2.0)."""
    dump = f"repository-artifact: {edition.dump}\n" if edition.dump else ""
    return f"""\
cff-version: 1.2.0
message: If you use this data, please cite the revision that you used.
type: dataset
title: "{TITLE}"
authors:
  - name: {AUTHORS}
version: "{edition.revision}"
date-released: "{edition.day}"
license: CC-BY-4.0
url: {HOME}
{dump}identifiers:
  - type: other
    value: "dataset-hash:{edition.dataset_hash}"
    description: Dataset hash, the sum of the SHA-256 digests of all statements modulo 2^256.
"""


def write_bibtex(edition: Edition) -> str:
    """Return the citation as an entry of BibTeX."""
    dump = f",\n  howpublished = {{\\url{{{edition.dump}}}}}" if edition.dump else ""
    return f"""\
@misc{{rhizome{edition.revision},
  author = {{{{{AUTHORS}}}}},
  title = {{{TITLE}}},
  year = {{{edition.day[:4]}}},
  version = {{revision {edition.revision}}},
  url = {{{HOME}}},
  note = {{Data set of {edition.day}, dataset hash {edition.dataset_hash}}}{dump}
}}
"""


#: Ways to write a citation by name, the default first: media type, suffix, and who writes it.
CITATIONS: Final[Mapping[str, tuple[str, str, Callable[[Edition], str]]]] = {
    "text": ("text/plain", ".txt", lambda edition: cite(edition) + "\n"),
    "cff": ("application/yaml", ".cff", write_cff),
    "bibtex": ("application/x-bibtex", ".bib", write_bibtex),
}
