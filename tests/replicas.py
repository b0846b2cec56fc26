"""A writer's log and a copy of it, in this process, and what a bad writer could send."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from graph.settings import Settings
from graph.store.commit import Change, follow
from graph.store.dataset import Dataset
from graph.store.log import Log
from graph.store.log_pages import write_stored
from graph.store.patch import Part, write_payload
from graph.store.record import head_of, write_record
from graph.store.replica import Receiver
from graph.store.role import mark_replica
from graph.terms import Quad
from tests.samples import base, model

WRITER = "http://writer.example"
CHANGE = Change((), (), "tests", "load", "why")
GRAPH = "https://w3id.org/rhizome/id/source/one"


def quads(name: str, count: int, graph: str = GRAPH) -> list[Quad]:
    """Quads of one more organisation."""
    subject = f"<https://w3id.org/rhizome/id/organisation/{name}>"
    predicate = "<http://www.w3.org/2004/02/skos/core#altLabel>"
    return [(subject, predicate, f'"{name} {n}"@en', f"<{graph}>") for n in range(count)]


def open_dataset(folder: Path) -> Dataset:
    """A dataset without the SPARQL store."""
    return Dataset.open(Settings(store=folder), model(), with_store=False)


def write_history(folder: Path) -> Dataset:
    """A writer of four commits on two graphs, one of them large and gzipped."""
    writer = open_dataset(folder)
    for added, removed in (
        (base(), ()),
        (quads("x", 3), ()),
        (quads("y", 2_000), quads("x", 1)),
        (quads("z", 2) + quads("z", 2, GRAPH.replace("one", "two")), quads("y", 5)),
    ):
        writer.commit(replace(CHANGE, added=tuple(added), removed=tuple(removed)))
    return writer


def open_copy(folder: Path) -> Dataset:
    """A replica that holds nothing yet, or what it held."""
    folder.mkdir(parents=True, exist_ok=True)
    mark_replica(folder, WRITER)
    return open_dataset(folder)


def sent(log: Log, since: int = 0) -> bytes:
    """What a writer sends of its log."""
    return b"".join(write_stored(log, log.records(since)))


def take(copy: Dataset, content: bytes, record_bytes: int = 1_000_000) -> int:
    """Let a replica take what was sent."""
    receiver = Receiver(copy.log, WRITER, record_bytes, copy.adopt)
    return receiver.take(io.BytesIO(content))


def files(folder: Path) -> dict[str, bytes]:
    """The bytes of a log's files."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def forge(after: Log, added: Sequence[Quad], removed: Sequence[Quad] = (), **changes: Any) -> bytes:
    """The next commit as a writer sends it; `changes` are fields of its record that are false."""
    commit = follow(after, CHANGE, added, removed, "0.1.0")
    payloads, parts = b"", []
    for term in sorted({quad[3] for quad in (*added, *removed)}):
        graph = term[1:-1]
        with tempfile.TemporaryFile() as file:
            adds, removes = ([q for q in given if q[3] == term] for given in (added, removed))
            part = write_payload(file.fileno(), 0, graph, adds, removes)
            payloads += file.read()
        parts.append(replace(part, offset=after.place_of(graph)))
    header = replace(head_of(commit, after.head, tuple(parts)), **changes)
    return write_record(header)[0] + payloads


def forge_text(after: Log, text: str, added: int, removed: int, **changes: Any) -> bytes:
    """A commit whose one payload is a text; its digests are right, whatever it says."""
    salt, body = "0" * 32, text.encode()
    digest = hashlib.sha256(bytes.fromhex(salt) + body).hexdigest()
    place = after.place_of(GRAPH)
    part = Part(GRAPH, place, len(body), salt, digest, "plain", added, removed)
    header = head_of(follow(after, CHANGE, (), (), "0.1.0"), after.head, (part,))
    return write_record(replace(header, **changes))[0] + body


def forge_json(after: Log, **changes: Any) -> bytes:
    """A record without payloads, some fields of which are of a wrong kind."""
    header = head_of(follow(after, CHANGE, (), (), "0.1.0"), after.head, ())
    fields = orjson.loads(write_record(header)[0].split(b" ", 2)[2]) | changes
    body = orjson.dumps(fields)
    return b"%d %s %s\n" % (len(body), hashlib.sha256(body).hexdigest().encode(), body)
