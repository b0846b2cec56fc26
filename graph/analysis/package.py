"""The research object: one zip with all that is needed to read, check and cite a revision.

Floor 3. An RO-Crate (1.2): data, ontology, shapes, questions, centrality report, licences,
attribution of each source, citation and checksums. Its bytes depend on the revision, the ontology,
the software and the public address alone.
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
from graph.curation.attribution import EXCLUDED, Attribution, read_sources, write_attribution
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
from graph.curation.licences import COMPILATION, Licence, name_licence, write_licences
from graph.store.snapshot import Snapshot

METADATA: Final = "ro-crate-metadata.json"
MANIFEST: Final = "manifest-sha256.txt"
ATTRIBUTION: Final = "ATTRIBUTION.md"
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
        metadata = describe_crate(edition, archive.entries, titles, sources)
        text = orjson.dumps(metadata, option=orjson.OPT_INDENT_2) + b"\n"
        archive.add(METADATA, [text])
        lines = "".join(f"{entry.sha256}  {entry.name}\n" for entry in archive.entries)
        archive.add(MANIFEST, [lines.encode()])


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
    yield Item("data/LICENSE", "Licence of the data", [_licence_text(edition).encode()])
    report = build_report(snapshot, find_projection("default"), "en", edition.time)
    for name in ("html", "json", "csv"):
        title = f"Centrality report on the network of all ties, {name.upper()}"
        yield Item(f"report/centrality.{name}", title, [render(report, name)])
    attribution = write_attribution(sources, edition.licences, edition.revision)
    yield Item(ATTRIBUTION, "Each source with address and licence", [attribution.encode()])
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
    """Return the metadata of a crate as RO-Crate's JSON-LD.

    The manifest is described without size and checksum: it holds the checksum of this file.
    """
    files = [_describe_file(entry, titles[entry.name]) for entry in entries]
    files.append(
        {
            "@id": MANIFEST,
            "@type": "File",
            "name": MANIFEST,
            "description": "SHA-256 of each other file (sha256sum -c)",
            "encodingFormat": _MEDIA_TYPES[".txt"],
        }
    )
    licences = [{"@id": licence.iri} for licence in edition.licences]
    root: dict[str, Any] = {
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
        "license": licences if len(licences) > 1 else licences[0],
        "usageInfo": {"@id": ATTRIBUTION},
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
    if edition.dump:
        root["distribution"] = {"@id": edition.dump}
    graph = [descriptor, root, identifier, _publisher(), *_licences(edition, sources), *files]
    graph += _describe_dump(edition)
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


def _describe_dump(edition: Edition) -> list[dict[str, Any]]:
    """Return the description of the statements at their permanent address, if they have one."""
    described = {
        "@id": edition.dump,
        "@type": "DataDownload",
        "name": f"Statements of revision {edition.revision}, for good",
        "contentUrl": edition.dump,
        "encodingFormat": _MEDIA_TYPES[".nq"],
    }
    return [described] if edition.dump else []


def _licences(edition: Edition, sources: list[Attribution]) -> list[dict[str, Any]]:
    """Return the licences that are referred to, each IRI once."""
    stated = [name_licence(source.licence) for source in sources if source.licence]
    known = {licence.iri: licence for licence in (*stated, *edition.licences)}
    return [
        {
            "@id": iri,
            "@type": "CreativeWork",
            "name": licence.title,
            "description": _describe_licence(licence),
        }
        for iri, licence in sorted(known.items())
    ]


def _describe_licence(licence: Licence) -> str:
    if licence == COMPILATION:
        return "Licence of the compilation: share and adapt, naming it; quotes are excluded."
    return "Licence of what a source states, as the source says."


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


def _licence_text(edition: Edition) -> str:
    return f"""\
Licence of the data in this folder (rhizome.nq, rhizome.trig) and of what is made of it or asked of
it (../questions, ../report): {write_licences(edition.licences)}.

{EXCLUDED}

Each source, with its address and the licence that it states: ../{ATTRIBUTION}
"""


def _read_me(edition: Edition) -> str:
    here = f"/export/revisions/{edition.revision}.nq"
    places = {
        "en": edition.dump or f"`{here}` of a server with this log",
        "fr": edition.dump or f"`{here}` d’un serveur qui tient ce journal",
    }
    return f"""\
# {TITLE}

Revision {edition.revision} of {edition.day}: {edition.quad_count} statements, dataset hash
`{edition.dataset_hash}`.

- `data/`: the statements; `ontology/`: vocabulary and shapes; `questions/`: questions, and what
  they answer on the seeds alone (`*.expected.json`); `report/`: who connects the network.
- Check: `sha256sum -c {MANIFEST}`. The same data, byte for byte, stays at
  {places["en"]}
- Cite: {cite(edition)}
- Licence: {write_licences(edition.licences)}. Quotes are excluded; name the sources as
  `{ATTRIBUTION}` does.

## En français

- `data/` : les énoncés ; `ontology/` : vocabulaire et formes ; `questions/` : questions, et leurs
  réponses sur les seules données livrées (`*.expected.json`) ; `report/` : qui relie le réseau.
- Vérifier : `sha256sum -c {MANIFEST}`. Les mêmes données, octet pour octet, restent à l’adresse
  {places["fr"]}
- Citer : {cite(edition)}
- Licence : {write_licences(edition.licences, "fr")}. Citations exclues ; nommez les sources comme
  le fait `{ATTRIBUTION}`.
"""
