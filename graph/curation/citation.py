"""How a revision of the data is cited: as a sentence, as CITATION.cff and as BibTeX.

Floor 2. Revision and dataset hash are part of it: with them the very bytes are found again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from graph.curation.licences import Licence, read_licences, write_licences
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

    `exports` is the public address of the exports, empty where nobody serves them.
    """

    revision: int
    dataset_hash: str
    time: str
    quad_count: int
    licences: tuple[Licence, ...]
    exports: str = ""

    @property
    def day(self) -> str:
        """The day on which it was recorded."""
        return self.time[:10]

    @property
    def dump(self) -> str:
        """The permanent address of its statements, empty where nobody serves them."""
        return f"{self.exports}/revisions/{self.revision}.nq" if self.exports else ""

    @property
    def terms(self) -> str:
        """The address of the list of sources with their licences, empty where nobody serves it."""
        return f"{self.exports}/attribution" if self.exports else ""


def read_edition(snapshot: Snapshot, time: str, exports: str = "") -> Edition:
    """Return how a version is cited; `time` is that of its commit, empty before the first."""
    return Edition(
        revision=snapshot.revision,
        dataset_hash=f"{snapshot.dataset_hash:064x}",
        time=time or _NEVER,
        quad_count=snapshot.quad_count,
        licences=read_licences(snapshot),
        exports=exports,
    )


def cite(edition: Edition) -> str:
    """Return the citation as a sentence."""
    return (
        f"{AUTHORS} ({edition.day[:4]}). {TITLE}, revision {edition.revision} "
        f"({edition.day}) [Data set]. {HOME} Dataset hash {edition.dataset_hash}."
        + (f" {edition.dump}" if edition.dump else "")
    )


def write_text(edition: Edition) -> str:
    """Return the citation as a sentence, and the licence on a line of its own."""
    more = f" See {edition.terms}" if edition.terms else ""
    return f"{cite(edition)}\nLicence: {write_licences(edition.licences)}.{more}\n"


def write_cff(edition: Edition) -> str:
    """Return the citation as a CITATION.cff (Citation File Format 1.2.0).

    Several licences are told in the message: in `license` a list would let the reader choose one.
    """
    message, licence = "If you use this data, please cite the revision that you used.", ""
    if len(edition.licences) == 1:
        licence = f"license: {edition.licences[0].spdx}\n"
    else:
        message += f" Licence: {write_licences(edition.licences)}."
        licence = f"license-url: {edition.terms}\n" if edition.terms else ""
    dump = f"repository-artifact: {edition.dump}\n" if edition.dump else ""
    return f"""\
cff-version: 1.2.0
message: "{message}"
type: dataset
title: "{TITLE}"
authors:
  - name: {AUTHORS}
version: "{edition.revision}"
date-released: "{edition.day}"
{licence}url: {HOME}
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
    "text": ("text/plain", ".txt", write_text),
    "cff": ("application/yaml", ".cff", write_cff),
    "bibtex": ("application/x-bibtex", ".bib", write_bibtex),
}
