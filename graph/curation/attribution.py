"""Who is to be named: licences of the data, and each source with its address and terms.

Floor 2. For the packages that are taken away: what they say of their origin is the same in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.curation.licences import Licence, name_licence, read_own_licence, write_licences
from graph.store.snapshot import Snapshot
from graph.terms import RZ, is_literal, read_literal

#: What the licence leaves out (seeds/LICENSE).
EXCLUDED: Final = (
    "Excluded are the quotes, that is the values of rz:quote: short citations that serve as "
    "evidence and remain the property of the sources named beside them. Coordinates come from "
    "GeoNames (https://www.geonames.org/), CC BY 4.0."
)

_DCT: Final = "http://purl.org/dc/terms/"


@dataclass(frozen=True, slots=True)
class Attribution:
    """A source as it is to be named; what is not known is empty. `statements` is its count."""

    iri: str
    title: str
    url: str
    publisher: str
    published: str
    retrieved: str
    licence: str
    statements: int

    def for_data_package(self) -> dict[str, Any]:
        """Return the source in the terms of Frictionless, with IRI, publisher and licence."""
        described = {
            "title": self.title or self.iri,
            "path": self.url or self.iri,
            "iri": self.iri,
            "publisher": self.publisher,
            "license": name_licence(self.licence).for_data_package() if self.licence else None,
        }
        return {key: value for key, value in described.items() if value}


def read_sources(snapshot: Snapshot, graphs: Iterable[str] | None = None) -> list[Attribution]:
    """Return every source that states something, or some, in the order of the IRIs."""
    wanted = snapshot.graphs() if graphs is None else sorted(set(graphs))
    return [_read(snapshot, graph) for graph in wanted]


def _read(snapshot: Snapshot, graph: str) -> Attribution:
    def text(predicate: str) -> str:
        value = snapshot.value(graph, predicate)
        if value is None:
            return ""
        return read_literal(value)[0] if is_literal(value) else value[1:-1]

    return Attribution(
        iri=graph[1:-1],
        title=text(f"{_DCT}title"),
        url=text("https://schema.org/url"),
        publisher=text(f"{RZ}publisherName"),
        published=text(f"{RZ}publishedText"),
        retrieved=text(f"{_DCT}dateAccepted"),
        licence=(read_own_licence(snapshot, graph) or "")[1:-1],
        statements=snapshot.graph_count(graph),
    )


def write_attribution(
    sources: Sequence[Attribution], licences: Sequence[Licence], revision: int
) -> str:
    """Return who is to be named and on which terms, as a page in Markdown."""
    lines = [
        "# Attribution\n",
        f"Rhizome, revision {revision}. Licence: {write_licences(licences)}.\n",
        f"{EXCLUDED}\n",
        "What a source states stands in the named graph of its IRI. Its own terms, where known,",
        "are given beside it; facts were read from it, its text was not taken over.\n",
    ]
    for source in sources:
        lines.append(f"## {source.title or source.iri}\n")
        for label, value in (
            ("IRI and named graph", source.iri),
            ("address", source.url),
            ("publisher", source.publisher),
            ("published", source.published),
            ("read on", source.retrieved),
            ("licence of the source", source.licence or "not stated"),
            ("statements", str(source.statements)),
        ):
            if value:
                lines.append(f"- {label}: {value}")
        lines.append("")
    return "\n".join(lines) + "\n"
