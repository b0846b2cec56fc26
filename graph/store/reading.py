"""Files read by a worker for that alone: uploads, and checkpoints that are scanned.

Floor 1. What a parser or the engine makes of bytes that anyone may have written, in C code, in
time or in memory, ends a process without network and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graph.errors import StoreUnavailableError
from graph.settings import Settings
from graph.store.mending import SCAN_MEMORY_MB, SCAN_S
from graph.store.outcome import explain_opening, explain_parse_death, explain_parse_refusal
from graph.store.process import BlockingWorker, WorkerDiedError
from graph.store.scan import canonical_text
from graph.terms import Quad


def parse_rdf(
    data: bytes, format: str, base: str | None, settings: Settings, source: str = "the data"
) -> Iterator[Quad]:
    """Yield the quads of untrusted RDF text, parsed by a process without network.

    Parameters
    ----------
    data : bytes
        UTF-8, whole and unpacked.
    format : str
        `turtle`, `trig`, `nt`, `nq`, `jsonld` or `rdfxml`.
    base : str or None
        What relative IRIs are relative to; None refuses them.
    settings : Settings
        Deadline, memory and nesting.
    source : str
        What messages call the data, a file name for example.

    Yields
    ------
    Quad
        Canonical N-Triples texts, but for blank nodes (`_:label`) and for literals not yet
        normalised; the default graph is the empty text. An error may come after some quads.

    Raises
    ------
    ParseError
        The text is not well formed; with line and column where the parser knows them.
    PayloadTooLargeError
        It is nested too deeply, or takes too long or too much memory to read.
    StoreUnavailableError
        The process could not be started.

    Cost: 0.1 s for the process, then about 6 microseconds a quad.
    """
    message = {
        "do": "parse",
        "format": format,
        "base": base,
        "seconds": settings.parse_deadline_s,
        "levels_max": settings.nested_nodes,
    }
    rest = b""
    try:
        with BlockingWorker(settings.parse_memory_mb) as worker:
            for piece in worker.stream(message, settings.parse_deadline_s, data):
                if isinstance(piece, dict):
                    if "error" in piece:
                        raise explain_parse_refusal(piece, source, format, settings)
                    return
                whole, newline, rest = (rest + piece).rpartition(b"\n")
                yield from map(read_line, (whole + newline).decode().split("\n")[:-1])
    except WorkerDiedError as died:
        raise explain_parse_death(died, source, settings) from died


def scan_checkpoint(path: Path, *, is_deep: bool = False) -> tuple[str, ...]:
    """Return what is wrong with a checkpoint, by a full scan in a process of its own.

    Raises
    ------
    StoreCorruptError
        Part of it cannot be read.
    StoreUnavailableError
        The process failed.
    """
    message = {"do": "scan", "is_deep": is_deep}
    try:
        with BlockingWorker(SCAN_MEMORY_MB, path) as worker:
            answer = worker.started
            if "error" not in answer:
                answer = worker.ask(message, SCAN_S)
            if "error" in answer:
                raise explain_opening(answer, str(path))
            return tuple(answer["faults"])
    except WorkerDiedError as died:
        raise StoreUnavailableError("the scan of the SPARQL store did not end") from died


def read_line(line: str) -> Quad:
    """Return the quad of a worker's line: four terms, tabs between them."""
    subject, predicate, value, graph = line.split("\t")
    return subject, predicate, canonical_text(value), graph
