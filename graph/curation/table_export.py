"""Tables for spreadsheets and data frames: one CSV a class, described by a `datapackage.json`.

Floor 2. Frictionless Data Package with Table Schema: columns, types, titles and descriptions come
from the shapes. An entity has its row in the table of its most specific class. A cell holds what
the field answers (rank of the source, then retrieval, revision, IRI); of a field with several
values all of them, as a JSON array; of a text one column a language.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from graph.curation.archive import Archive, Entry
from graph.curation.attribution import read_sources
from graph.curation.licences import read_licences
from graph.model import ClassShape, Field, FieldKind
from graph.store.snapshot import Snapshot
from graph.terms import XSD, is_literal, read_literal

DESCRIPTION_FILE: Final = "datapackage.json"
#: First characters that make a spreadsheet read a cell as a formula; an apostrophe goes before.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_ROWS: Final = 500
#: Table Schema's type and format by datatype; others are strings.
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    f"{XSD}integer": ("integer", "default"),
    f"{XSD}decimal": ("number", "default"),
    f"{XSD}boolean": ("boolean", "default"),
    f"{XSD}date": ("date", "default"),
    f"{XSD}dateTime": ("datetime", "any"),
    f"{XSD}gYear": ("year", "default"),
    f"{XSD}anyURI": ("string", "default"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the predicate that fills it, and how it is described.

    `language` is that of the texts it holds; `is_list` says that a cell holds a JSON array.
    """

    name: str
    predicate: str
    field: Field
    language: str | None
    is_list: bool
    kind: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The table of one class: its columns, and the entities in the order of their IRIs."""

    shape: ClassShape
    columns: tuple[Column, ...]
    entities: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"data/{self.shape.name}.csv"


def write_tables(snapshot: Snapshot, path: Path) -> None:
    """Write the zip file with all tables and their description.

    Cost: about 10 microseconds a cell; memory for one table's identifiers and some rows.
    """
    tables = read_tables(snapshot)
    with Archive(path) as archive:
        entries = [archive.add(table.file, _rows(snapshot, table)) for table in tables]
        description = describe_tables(snapshot, tables, entries)
        text = orjson.dumps(description, option=orjson.OPT_INDENT_2) + b"\n"
        archive.add(DESCRIPTION_FILE, [text])


def read_tables(snapshot: Snapshot) -> list[Table]:
    """Return the tables of the classes that have instances, in the order of the shapes."""
    members: dict[str, list[str]] = {}
    roots = [iri for iri, shape in snapshot.model.classes.items() if not shape.parents]
    for number in sorted({n for iri in roots for n in snapshot.instances(iri)}):
        found = snapshot.class_of(number)
        if found is not None:
            members.setdefault(found, []).append(snapshot.term_of(number))
    return [
        Table(shape, tuple(_columns(snapshot, iri, entities)), tuple(entities))
        for iri, shape in snapshot.model.classes.items()
        if (entities := sorted(members.get(iri, ())))
    ]


def describe_tables(
    snapshot: Snapshot, tables: list[Table], entries: list[Entry]
) -> dict[str, Any]:
    """Return the data package's description: a Frictionless `datapackage.json`."""
    homes = {entity: table for table in tables for entity in table.entities}
    return {
        "profile": "data-package",
        "name": "rhizome",
        "title": "Rhizome: the plant innovation ecosystem, as tables",
        "description": (
            "One table a class. Every value is what the source that ranks first states; who states "
            "an entity is in the column `sources`. A text that a spreadsheet would take for a "
            "formula begins with an apostrophe."
        ),
        "languages": ["en", "fr"],
        "version": f"{snapshot.revision}.0.0",  # SemVer, as Frictionless wants it
        "datasetHash": f"{snapshot.dataset_hash:064x}",
        "licenses": [each.for_data_package() for each in read_licences(snapshot)],
        "sources": [source.for_data_package() for source in read_sources(snapshot)],
        "resources": [
            _describe(snapshot, table, entry, homes)
            for table, entry in zip(tables, entries, strict=True)
        ],
    }


def _describe(
    snapshot: Snapshot, table: Table, entry: Entry, homes: Mapping[str, Table]
) -> dict[str, Any]:
    targets = {column.name: _targets(snapshot, table, column, homes) for column in table.columns}
    keys = [
        {
            "fields": column.name,
            # Table Schema names the table itself by an empty text.
            "reference": {
                "resource": "" if target is table else _resource_name(target),
                "fields": "id",
            },
        }
        for column in table.columns
        if not column.is_list and len(targets[column.name]) == 1
        for target in targets[column.name]
    ]
    schema: dict[str, Any] = {
        "fields": [
            _ID_FIELD,
            *(_describe_column(column, targets[column.name]) for column in table.columns),
            _SOURCES_FIELD,
        ],
        "primaryKey": "id",
        "missingValues": [""],
    }
    if keys:
        schema["foreignKeys"] = keys
    return {
        "profile": "tabular-data-resource",
        "name": _resource_name(table),
        "path": entry.name,
        **_texts(table.shape.labels, table.shape.comments),
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": entry.size,
        "hash": f"sha256:{entry.sha256}",
        "schema": schema,
    }


_ID_FIELD: Final = {
    "name": "id",
    "type": "string",
    "format": "uri",
    "title": "identifier",
    "titles": {"en": "identifier", "fr": "identifiant"},
    "constraints": {"required": True, "unique": True},
}
_SOURCES_FIELD: Final = {
    "name": "sources",
    "type": "array",
    "title": "sources that state it",
    "titles": {"en": "sources that state it", "fr": "sources qui l’affirment"},
}


_LEADS_TO: Final = {"en": "Leads to rows of:", "fr": "Mène à des lignes de :"}


def _resource_name(table: Table) -> str:
    return table.shape.name.lower()


def _texts(labels: Mapping[str, str], comments: Mapping[str, str]) -> dict[str, Any]:
    """Return title and description, in English for programs and in all languages beside it."""
    return {
        "title": labels.get("en", ""),
        "titles": dict(sorted(labels.items())),
        "description": comments.get("en", ""),
        "descriptions": dict(sorted(comments.items())),
    }


def _describe_column(column: Column, targets: Sequence[Table]) -> dict[str, Any]:
    """Return the description of a column; `targets` are the tables that its values lead to.

    Table Schema knows no foreign key of a list, nor one into several tables: these are told.
    """
    kind, form = column.kind
    described: dict[str, Any] = {"name": column.name, "type": kind}
    if column.is_list:
        described["type"] = "array"
    elif form != "default":
        described["format"] = form
    described |= _texts(column.field.labels, column.field.comments)
    if column.language is not None:
        described["language"] = column.language
    described["rdfType"] = column.predicate
    if len(targets) > 1 or (targets and column.is_list):
        names = [_resource_name(target) for target in targets]
        told = {tag: f"{opening} {', '.join(names)}." for tag, opening in _LEADS_TO.items()}
        said = described["descriptions"]
        described["descriptions"] = {t: f"{said.get(t, '')} {told[t]}".strip() for t in told}
        described["description"] = described["descriptions"]["en"]
        described["leadsTo"] = names
    if column.field.enum_values and not column.is_list:
        described["constraints"] = {"enum": list(column.field.enum_values)}
    return described


def _targets(
    snapshot: Snapshot, table: Table, column: Column, homes: Mapping[str, Table]
) -> list[Table]:
    """Return the tables in which the values of a column have their rows, in the order of names.

    None where a value has no row.
    """
    if column.field.kind is not FieldKind.ENTITY:
        return []
    found: dict[str, Table] = {}
    for entity in table.entities:
        for value in _values(snapshot, entity, column):
            if value not in homes:
                return []
            found.setdefault(_resource_name(homes[value]), homes[value])
    return [found[name] for name in sorted(found)]


def _values(snapshot: Snapshot, entity: str, column: Column) -> list[str]:
    if column.is_list:
        return snapshot.values(entity, column.predicate)
    value = snapshot.value(entity, column.predicate)
    return [] if value is None else [value]


def _columns(snapshot: Snapshot, iri: str, entities: list[str]) -> Iterator[Column]:
    """Yield the columns of a class: its own fields, in the order of the shapes."""
    fields = snapshot.model.fields[iri].values()
    for field in sorted((f for f in fields if not f.inverse), key=lambda f: (f.order, f.name)):
        if field.kind is FieldKind.TEXT:
            yield from _text_columns(snapshot, field, entities)
        elif field.kind is FieldKind.DATE:
            for part, predicate in field.parts.items():
                name = field.name if part == "text" else f"{field.name}_{part}"
                kind = ("string", "default") if part == "text" else ("date", "default")
                yield Column(name, predicate, field, None, False, kind)
        else:
            kind = _TYPES.get(field.datatype or "", ("string", "default"))
            if field.kind in (FieldKind.ENTITY, FieldKind.IRI):
                kind = ("string", "uri")
            yield Column(field.name, field.path, field, None, field.many, kind)


def _text_columns(snapshot: Snapshot, field: Field, entities: list[str]) -> Iterator[Column]:
    """Yield a column for each language that the texts of a field have."""
    tags: set[str] = set()
    for entity in entities:
        for value in snapshot.values(entity, field.path):
            if is_literal(value):
                tags.add(read_literal(value)[2] or "")
    is_list = field.many and not field.unique_language
    for tag in sorted(tags, key=lambda tag: (tag not in ("en", "fr"), tag)):
        name = f"{field.name}_{tag or 'plain'}"
        yield Column(name, field.path, field, tag, is_list, ("string", "default"))


def _rows(snapshot: Snapshot, table: Table) -> Iterator[bytes]:
    """Yield a table as CSV (RFC 4180), some rows at a time."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["id", *(column.name for column in table.columns), "sources"])
    for count, entity in enumerate(table.entities, 1):
        cells = [_cell(snapshot, entity, column) for column in table.columns]
        sources = sorted({quad[3][1:-1] for quad in snapshot.quads_of(entity)})
        writer.writerow([entity[1:-1], *cells, orjson.dumps(sources).decode()])
        if count % _ROWS == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(snapshot: Snapshot, entity: str, column: Column) -> str:
    if column.language is None and not column.is_list:
        value = snapshot.value(entity, column.predicate)
        return "" if value is None else _plain(value, column)
    found = snapshot.values(entity, column.predicate)
    if column.language is not None:
        found = [value for value in found if _tag(value) == column.language]
    if column.is_list:
        return orjson.dumps([_bare(value) for value in found]).decode() if found else ""
    if not found:
        return ""
    first = min(found, key=lambda value: (_place(snapshot, entity, column.predicate, value), value))
    return _plain(first, column)


def _tag(value: str) -> str | None:
    return (read_literal(value)[2] or "") if is_literal(value) else None


def _place(snapshot: Snapshot, entity: str, predicate: str, value: str) -> int:
    """Return the place of the first source that states a value."""
    graphs = snapshot.graphs_of(entity, predicate, value)
    return min(map(snapshot.source_order, graphs), default=1 << 30)


def _bare(value: str) -> str:
    return read_literal(value)[0] if is_literal(value) else value[1:-1]


def _plain(value: str, column: Column) -> str:
    """Return a cell; a text that a spreadsheet would evaluate is kept from that."""
    bare = _bare(value)
    is_text = column.kind == ("string", "default")
    return f"'{bare}" if is_text and bare.startswith(_FORMULA) else bare
