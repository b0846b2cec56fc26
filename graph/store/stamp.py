"""The stamp of a derived store: which revision it holds, kept where a commit writes it too.

Floor 1. The stamp is the name of one empty named graph: creating and dropping that name is part
of the same transaction as the data, and no count of triples ever sees it. See decision 0012.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graph.terms import Quad

#: Graph of what the ontology itself states; in the store, but no part of the dataset.
SYSTEM_GRAPH: Final = "<https://w3id.org/rhizome/ontology>"
_PREFIX: Final = "https://w3id.org/rhizome/stamp/"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a derived store says of itself.

    `quad_count` counts the dataset's quads; `total` all statements, with the system's quads and
    the merged triples; `system_digest` names the ontology's quads; `is_partial` says that a
    large change was begun and did not end.
    """

    revision: int
    dataset_hash: int
    quad_count: int
    total: int
    system_digest: str
    is_partial: bool = False

    @property
    def graph(self) -> str:
        """IRI of the empty graph that is the stamp."""
        state = "partial" if self.is_partial else "whole"
        numbers = f"{self.revision}/{self.dataset_hash:064x}/{self.quad_count}/{self.total}"
        return f"{_PREFIX}{numbers}/{self.system_digest}/{state}"


def is_reserved(graph: str) -> bool:
    """Tell whether a graph, as N-Triples text, is the system's and not the data's."""
    return graph == SYSTEM_GRAPH or graph.startswith(f"<{_PREFIX}")


def read_stamps(graphs: Iterable[str]) -> list[Stamp]:
    """Return the stamps among IRIs of graphs: one in a sound store."""
    return [_read(iri) for iri in graphs if iri.startswith(_PREFIX)]


def digest_quads(quads: Iterable[Quad]) -> str:
    """Return the SHA-256 (hex) of a set of quads, whatever their order."""
    digest = hashlib.sha256()
    for quad in sorted(set(quads)):
        digest.update(" ".join(quad).encode() + b"\n")
    return digest.hexdigest()


def _read(iri: str) -> Stamp:
    revision, dataset_hash, quad_count, total, digest, state = iri[len(_PREFIX) :].split("/")
    return Stamp(
        revision=int(revision),
        dataset_hash=int(dataset_hash, 16),
        quad_count=int(quad_count),
        total=int(total),
        system_digest=digest,
        is_partial=state != "whole",
    )
