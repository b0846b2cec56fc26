"""The research object: one zip with all that is needed to read, check and cite a revision.

Floor 3. An RO-Crate (1.2): data, ontology, shapes, questions, centrality report, licences,
attribution of each source, citation and checksums. Its bytes depend on the revision, the ontology
and the software alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from graph.analysis.projection import find_projection
from graph.analysis.render import render
from graph.analysis.report import build_report
from graph.curation.archive import Archive, Entry
from graph.curation.attribution import LICENCE, Attribution, read_sources, write_attribution
from graph.curation.citation import (
    AUTHORS,
    HOME,
    RO_CRATE,
    TITLE,
    Edition,
    cite,
    write_bibtex,
    write_cff,
)
from graph.curation.export import export
from graph.curation.formats import N_QUADS, TRIG
from graph.store.snapshot import Snapshot

METADATA: Final = "ro-crate-metadata.json"
MANIFEST: Final = "manifest-sha256.txt"
_ROOT: Final = Path(__file__).resolve().parents[2]
_PUBLISHER: Final = f"{HOME}#contributors"
_MEDIA_TYPES: Final = {
    ".ttl": "text/turtle",
    ".jsonld": "application/ld+json",
    ".toml": "application/toml",
    ".json": "application/json",
    ".nq": "application/n-quads",
    ".trig": "application/trig",
    ".html": "text/html",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".cff": "application/yaml",
    ".bib": "application/x-bibtex",
    ".txt": "text/plain",
    "": "text/plain",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A file that goes into the crate: its name there, what it is, and its bytes."""

    name: str
    title: str
    pieces: Iterable[bytes]


def write_crate(snapshot: Snapshot, edition: Edition, path: Path) -> None:
    """Write the crate of a version.

    Raises
    ------
    OSError
        The file cannot be written.

    Cost: that of the report and of two exports; memory as theirs.
    """
    sources = read_sources(snapshot)
    with Archive(path) as archive:
        titles: dict[str, str] = {}
        for item in _items(snapshot, edition, sources):
            archive.add(item.name, item.pieces)
            titles[item.name] = item.title
        lines = "".join(f"{entry.sha256}  {entry.name}\n" for entry in archive.entries)
        archive.add(MANIFEST, [lines.encode()])
        titles[MANIFEST] = "SHA-256 of each file (sha256sum -c)"
        metadata = describe_crate(edition, archive.entries, titles, sources)
        text = orjson.dumps(metadata, option=orjson.OPT_INDENT_2) + b"\n"
        archive.add(METADATA, [text])


def _items(snapshot: Snapshot, edition: Edition, sources: list[Attribution]) -> Iterator[Item]:
    """Yield the files of the crate, metadata and checksums apart."""
    yield Item("README.md", "What is here, and how to use it", [_read_me(edition).encode()])
    yield Item(
        "data/rhizome.nq",
        "All statements as canonical N-Quads, sorted; each source is a named graph",
        export(snapshot, N_QUADS),
    )
    yield Item("data/rhizome.trig", "The same as TriG, for reading", export(snapshot, TRIG))
    for file in sorted((_ROOT / "ontology").iterdir()):
        if file.is_file():
            yield _from_disk(file, f"ontology/{file.name}", _ONTOLOGY.get(file.name, file.name))
    for file in sorted((_ROOT / "seeds" / "questions").iterdir()):
        is_answer = file.name.endswith(".expected.json")
        title = "Its answer on the seeds alone" if is_answer else "Question of the library"
        yield _from_disk(file, f"questions/{file.name}", f"{title}: {file.name}")
    yield _from_disk(_ROOT / "seeds" / "LICENSE", "data/LICENSE", "Licence of the data")
    report = build_report(snapshot, find_projection("default"), "en", edition.time)
    for name in ("html", "json", "csv"):
        title = f"Centrality report on the network of all ties, {name.upper()}"
        yield Item(f"report/centrality.{name}", title, [render(report, name)])
    attribution = write_attribution(sources, edition.revision)
    yield Item("ATTRIBUTION.md", "Each source with address and licence", [attribution.encode()])
    yield Item("CITATION.cff", "How this revision is cited", [write_cff(edition).encode()])
    yield Item("CITATION.bib", "The same for BibTeX", [write_bibtex(edition).encode()])


_ONTOLOGY: Final = {
    "rhizome.ttl": "The ontology: classes and properties",
    "shapes.ttl": "The SHACL shapes that say what is accepted",
    "schemes.ttl": "Concept schemes: sectors, roles, countries and others",
    "alignments.ttl": "Alignments to other vocabularies",
    "context.jsonld": "The JSON-LD context",
    "LICENSE": "Licence of the ontology",
}


def _from_disk(file: Path, name: str, title: str) -> Item:
    return Item(name, title, [file.read_bytes()])


def describe_crate(
    edition: Edition,
    entries: Iterable[Entry],
    titles: dict[str, str],
    sources: list[Attribution],
) -> dict[str, Any]:
    """Return the metadata of a crate as RO-Crate's JSON-LD."""
    files = [_describe_file(entry, titles[entry.name]) for entry in entries]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{TITLE}, revision {edition.revision}",
        "description": (
            "Statements of public sources on clusters, networks, agreements, labels and projects "
            "of the plant sector, each in the named graph of the source that states it, with "
            "ontology, SHACL shapes, questions with their answers on the seeds, and a centrality "
            "report."
        ),
        "datePublished": edition.time,
        "license": {"@id": LICENCE},
        "publisher": {"@id": _PUBLISHER},
        "author": {"@id": _PUBLISHER},
        "version": str(edition.revision),
        "identifier": {"@id": "#dataset-hash"},
        "url": HOME,
        "creditText": cite(edition),
        "isBasedOn": [{"@id": source.iri} for source in sources],
        "hasPart": [{"@id": file["@id"]} for file in files],
    }
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": RO_CRATE},
        "about": {"@id": "./"},
    }
    identifier = {
        "@id": "#dataset-hash",
        "@type": "PropertyValue",
        "name": "dataset hash",
        "description": "Sum of the SHA-256 digests of all statements modulo 2^256, hexadecimal.",
        "value": edition.dataset_hash,
    }
    graph = [descriptor, root, identifier, _publisher(), *_licences(sources), *files]
    graph += [_describe_source(source) for source in sources]
    return {"@context": f"{RO_CRATE}/context", "@graph": graph}


def _describe_file(entry: Entry, title: str) -> dict[str, Any]:
    return {
        "@id": entry.name,
        "@type": "File",
        "name": Path(entry.name).name,
        "description": title,
        "encodingFormat": _MEDIA_TYPES[Path(entry.name).suffix],
        "contentSize": str(entry.size),
        "sha256": entry.sha256,
    }


def _publisher() -> dict[str, Any]:
    return {"@id": _PUBLISHER, "@type": "Organization", "name": AUTHORS, "url": HOME}


def _licences(sources: list[Attribution]) -> list[dict[str, Any]]:
    """Return the licences that are referred to, each once."""
    known = {
        LICENCE: (
            "Creative Commons Attribution 4.0 International (CC BY 4.0)",
            "Share and adapt, naming the source; quotes remain their authors'.",
        )
    }
    for source in sources:
        if source.licence:
            known.setdefault(source.licence, (source.licence, "Licence of a source, as it says."))
    return [
        {"@id": iri, "@type": "CreativeWork", "name": name, "description": text}
        for iri, (name, text) in sorted(known.items())
    ]


def _describe_source(source: Attribution) -> dict[str, Any]:
    described: dict[str, Any] = {
        "@id": source.iri,
        "@type": "CreativeWork",
        "name": source.title or source.iri,
        "url": source.url,
        "creditText": source.publisher,
        "datePublished": source.published,
        "license": {"@id": source.licence} if source.licence else "",
        "description": f"Named graph with {source.statements} statements of this source.",
    }
    return {key: value for key, value in described.items() if value}


def _read_me(edition: Edition) -> str:
    return f"""\
# {TITLE}

Revision {edition.revision} of {edition.day}: {edition.quad_count} statements, dataset hash
`{edition.dataset_hash}`.

- `data/`: the statements; `ontology/`: vocabulary and shapes; `questions/`: questions, and what
  they answer on the seeds alone (`*.expected.json`); `report/`: who connects the network.
- Check: `sha256sum -c {MANIFEST}`. The same data, byte for byte, is at any time
  `/export/revisions/{edition.revision}.nq` of a server with this log.
- Cite: {cite(edition)}
- Licence: CC BY 4.0, quotes excluded; name the sources as `ATTRIBUTION.md` does.

## En français

- `data/` : les énoncés ; `ontology/` : vocabulaire et formes ; `questions/` : questions, et leurs
  réponses sur les seules données livrées (`*.expected.json`) ; `report/` : qui relie le réseau.
- Vérifier : `sha256sum -c {MANIFEST}`. Les mêmes données, octet pour octet, restent à l’adresse
  `/export/revisions/{edition.revision}.nq` d’un serveur qui tient ce journal.
- Citer : {cite(edition)}
- Licence : CC BY 4.0, citations exclues ; nommez les sources comme le fait `ATTRIBUTION.md`.
"""
