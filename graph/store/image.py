"""The image: a snapshot saved as one flat, checksummed file, so that a start need not replay.

Floor 1. Layout: a line `rhizome-image 1 <length of JSON> <sha256 hex of all that follows>`, the
JSON that describes the sections, then the sections (arrays as they lie in memory, texts as
UTF-8). Long texts stay in the file and are mapped. An image is only a shortcut: whoever finds it
damaged, or of another model or revision, builds the snapshot from the log.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from graph.errors import StoreCorruptError
from graph.model import Model
from graph.store.columns import Column, Many, ManyColumn, One, OneColumn
from graph.store.search import SearchIndex
from graph.store.snapshot import Graphs, Snapshot
from graph.store.term_table import PAGE, LongTexts, TermTable

_MAGIC: Final = "rhizome-image 1"
_ALIGN: Final = 8


class _Sections:
    """What is written, in order; a section is named by its number."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.table: list[tuple[str, int, int]] = []
        self.offset = 0

    def put(self, kind: str, data: bytes) -> int:
        padding = -len(data) % _ALIGN
        self.table.append((kind, self.offset, len(data)))
        self.parts += (data, b"\0" * padding)
        self.offset += len(data) + padding
        return len(self.table) - 1

    def join(self, arrays: Iterable[array[int]], kind: str) -> int:
        return self.put(
            kind,
            b"".join(
                a.tobytes() if a.typecode == kind else array(kind, a).tobytes() for a in arrays
            ),
        )


def save_image(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot to a file, which replaces the one before as a whole."""
    write_image(pack_image(snapshot), path)


def pack_image(snapshot: Snapshot, note: Mapping[str, Any] | None = None) -> list[bytes]:
    """Return the pieces of a snapshot's image; no term may be added meanwhile.

    `note` is kept with it, for whoever reads it again.
    """
    sections = _Sections()
    description = {
        "note": dict(note or {}),
        "model": snapshot.model.digest,
        "revision": snapshot.revision,
        "hash": f"{snapshot.dataset_hash:064x}",
        "count": snapshot.quad_count,
        "byteorder": sys.byteorder,
        "terms": _write_terms(snapshot.terms, sections),
        "graphs": {
            "terms": list(snapshot.graphs_table.terms),
            "born": list(snapshot.graphs_table.born),
            "counts": list(snapshot.graphs_table.counts),
            "ranks": list(snapshot.graphs_table.ranks),
        },
        "forward": {p: _write_column(c, sections) for p, c in snapshot.forward.items()},
        "inverse": {p: _write_column(c, sections) for p, c in snapshot.inverse.items()},
        "classes": {iri: sections.put("I", a.tobytes()) for iri, a in snapshot.classes.items()},
        "sections": sections.table,
    }
    text = json.dumps(description, separators=(",", ":")).encode()
    return [text + b" " * (-len(text) % _ALIGN), *sections.parts]


def write_image(parts: list[bytes], path: Path) -> None:
    """Write the pieces of an image with their digest."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    head = f"{_MAGIC} {len(parts[0])} {digest.hexdigest()}\n".encode()
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(head[:-1] + b" " * (-len(head) % _ALIGN) + b"\n")
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def load_image(path: Path, model: Model) -> Snapshot | None:
    """Return the saved snapshot, as `load_noted` does."""
    return load_noted(path, model)[0]


def load_noted(path: Path, model: Model) -> tuple[Snapshot | None, Mapping[str, Any]]:
    """Return the saved snapshot with its note; None when there is none or it is of another model.

    Raises
    ------
    StoreCorruptError
        The file is not what was written.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None, {}
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    description, body = _read_head(path, memoryview(mapped))
    if description["model"] != model.digest or description["byteorder"] != sys.byteorder:
        return None, {}
    reader = _Reader(body, description["sections"])
    snapshot = Snapshot(
        model=model,
        revision=description["revision"],
        dataset_hash=int(description["hash"], 16),
        quad_count=description["count"],
        terms=_read_terms(description["terms"], reader),
        graphs_table=Graphs(**{k: tuple(v) for k, v in description["graphs"].items()}),
        graph_numbers={term: n for n, term in enumerate(description["graphs"]["terms"])},
        forward={p: _read_column(c, reader) for p, c in description["forward"].items()},
        inverse={p: _read_many(c, reader) for p, c in description["inverse"].items()},
        classes={iri: reader.array(n) for iri, n in description["classes"].items()},
        search=SearchIndex(model),
    )
    # Only long texts are read from the mapping later: the rest need not stay in memory.
    mapped.madvise(mmap.MADV_DONTNEED)
    return snapshot, description.get("note", {})


def _read_head(path: Path, data: memoryview) -> tuple[dict[str, Any], memoryview]:
    line = bytes(data[:200]).split(b"\n", 1)[0]
    try:
        magic, version, length, digest = line.decode().split()
        size = int(length)
    except ValueError:
        raise StoreCorruptError(str(path), "the first line is damaged") from None
    start = len(line) + 1
    if f"{magic} {version}" != _MAGIC or hashlib.sha256(data[start:]).hexdigest() != digest:
        raise StoreCorruptError(str(path), "the content does not match its digest")
    return json.loads(bytes(data[start : start + size])), data[start + size :]


class _Reader:
    """Gives out sections by number."""

    def __init__(self, body: memoryview, table: Sequence[tuple[str, int, int]]) -> None:
        self.body = body
        self.table = table

    def view(self, number: int) -> memoryview:
        _, offset, length = self.table[number]
        return self.body[offset : offset + length]

    def array(self, number: int) -> array[int]:
        result = array(self.table[number][0])
        result.frombytes(self.view(number))
        return result


# --- terms -------------------------------------------------------------------------------


def _write_terms(terms: TermTable, sections: _Sections) -> dict[str, Any]:
    hashes, numbers = terms.index()
    lengths, long_ends, short, blob = array("I"), array("I"), [], bytearray()
    for page in terms.texts:
        if isinstance(page, LongTexts):
            start = len(blob)
            for slot in range(len(page)):
                blob += page.raw(slot)
                long_ends.append(len(blob) - start)
        else:
            short.append("".join(page))
            lengths.extend(map(len, page))
    return {
        "kinds": terms.kinds,
        "sizes": list(map(len, terms.texts)),
        "hashes": sections.put("Q", hashes.tobytes()),
        "numbers": sections.put("I", numbers.tobytes()),
        "lengths": sections.put("I", lengths.tobytes()),
        "short": sections.put("B", "".join(short).encode()),
        "long_ends": sections.put("I", long_ends.tobytes()),
        "long": sections.put("B", bytes(blob)),
    }


def _read_terms(described: dict[str, Any], reader: _Reader) -> TermTable:
    terms = TermTable()
    text = bytes(reader.view(described["short"])).decode()
    lengths, ends = reader.array(described["lengths"]), reader.array(described["long_ends"])
    blob = reader.view(described["long"])
    at = number = long_at = offset = 0
    for place, (kind, size) in enumerate(zip(described["kinds"], described["sizes"], strict=True)):
        if kind[3]:
            own = ends[long_at : long_at + size]
            long_at += size
            stop = offset + (own[-1] if size else 0)
            terms.add_page(tuple(kind), LongTexts(blob[offset:stop], own))
            offset = stop
            continue
        page = []
        for length in lengths[number : number + size]:
            page.append(text[at : at + length])
            at += length
        number += size
        if place:  # page 0 is in every table
            terms.add_page(tuple(kind), page)
    terms.take_index(reader.array(described["hashes"]), reader.array(described["numbers"]))
    return terms


# --- columns -----------------------------------------------------------------------------


def _write_column(column: Column, sections: _Sections) -> dict[str, Any]:
    numbers = sorted(column.pages)
    result: dict[str, Any] = {"pages": numbers}
    pages = [column.pages[number] for number in numbers]
    graph_kind = "I" if any(page.graphs.typecode == "I" for page in pages) else "H"
    result["graphs"] = sections.join((page.graphs for page in pages), graph_kind)
    result["values"] = sections.join((page.values for page in pages), "I")
    if isinstance(column, OneColumn):
        result["contested"] = sorted(column.contested.items())
        return result
    many = [column.pages[number] for number in numbers]
    result["offsets"] = sections.join((page.offsets for page in many), "I")
    result["wide"] = [int(page.offsets.typecode == "I") for page in many]
    result["repeats"] = [int(page.repeats) for page in many]
    result["fanout"] = column.fanout
    return result


def _read_column(described: dict[str, Any], reader: _Reader) -> Column:
    if "contested" not in described:
        return _read_many(described, reader)
    values, graphs = reader.array(described["values"]), reader.array(described["graphs"])
    pages = {
        number: One(values[at * PAGE : (at + 1) * PAGE], graphs[at * PAGE : (at + 1) * PAGE])
        for at, number in enumerate(described["pages"])
    }
    contested = {
        subject: tuple((value, graph) for value, graph in pairs)
        for subject, pairs in described["contested"]
    }
    return OneColumn(pages, contested)


def _read_many(described: dict[str, Any], reader: _Reader) -> ManyColumn:
    values, graphs = reader.array(described["values"]), reader.array(described["graphs"])
    offsets = reader.array(described["offsets"])
    pages: dict[int, Many] = {}
    at = 0
    for place, number in enumerate(described["pages"]):
        own = offsets[place * (PAGE + 1) : (place + 1) * (PAGE + 1)]
        stop = at + own[-1]
        pages[number] = Many(
            own if described["wide"][place] else array("H", own),
            values[at:stop],
            graphs[at:stop] if len(graphs) else array("H"),
            bool(described["repeats"][place]),
        )
        at = stop
    return ManyColumn(pages, described["fanout"])
