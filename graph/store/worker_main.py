"""A worker: one process that answers queries or parses uploads, without network, killable.

Floor 1. It imports the engine and small modules of this floor only, so that it starts in a tenth
of a second. The service talks to it over one socket; its end is the end of the service. What goes
wrong in C code, in time or in memory, ends this process and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any, Final, NoReturn

import pyoxigraph as ox

from graph.store import frames, nesting, results, sandbox, tables
from graph.store.graph_formats import UnwritableError
from graph.store.lines import MoreError, PassedError, Send
from graph.store.worker_datasets import choose_dataset, resolve
from graph.store.worker_texts import FORMATS, RefusedError, write_line, write_lines

Message = dict[str, Any]

_STAMP_PREFIX: Final = "https://w3id.org/rhizome/stamp/"
_LINES: Final = 5_000
_DETAIL: Final = 10_000
# What runs long leaves the processors to what is answered soon.
_NICE: Final = 5
# Queries whose memory need not be looked at each time.
_SMALL_S: Final = 0.01
_SMALL_BYTES: Final = 64 * 1024
_LOOK_EVERY: Final = 32
#: A longer answer is sent in parts, where that is asked: the service need not hold it.
WHOLE_BYTES: Final = 256 * 1024


class Worker:
    """The state of this process: the store that it serves, and its limits."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.path = ""
        self.store: ox.Store | None = None
        self.held: ox.Store | None = None
        self.memory_mb = 0
        self.base_mb = 0.0
        self.grown_mb = 0.0
        self.is_nice = False
        self.answered = 0
        self.outgoing: list[bytes] = []

    def run(self) -> None:
        """Answer messages until the service ends."""
        with self.connection.makefile("rb") as reader:
            while (received := frames.read_message(reader)) is not None:
                self._serve(*received)

    def _serve(self, message: Message, data: list[bytes]) -> None:
        """Answer one message."""
        try:
            answer = _OPERATIONS[message["do"]](self, message, b"".join(data))
        except RefusedError as refusal:
            answer = refusal.message
        except results.AnswerTooLargeError:
            answer = {"error": "answer", "detail": ""}
        except (MoreError, PassedError) as error:
            kind = "more" if isinstance(error, MoreError) else "passed"
            answer = {"error": kind, "detail": ""}
        except UnwritableError as error:
            answer = {"error": "unwritable", "detail": str(error)}
        except SyntaxError as error:
            answer = {"error": "syntax", "detail": error.msg}
            answer |= {"line": error.lineno, "column": error.offset}
        except (OSError, RuntimeError) as error:
            answer = {"error": _name_failure(error), "detail": str(error)}
        except ValueError as error:
            answer = {"error": "evaluation", "detail": str(error)}
        except MemoryError:
            answer = {"error": "memory", "detail": ""}
        sandbox.set_alarm(0)
        if "detail" in answer:  # it may quote the whole query
            answer["detail"] = answer["detail"][:_DETAIL]
        # In one piece: each piece wakes the service once.
        self.send(b"".join((*self.outgoing, frames.pack_message(answer))))
        self.outgoing = []

    def send(self, frame: bytes) -> None:
        """Send one frame to the service."""
        self.connection.sendall(frame)

    def start(self, message: Message, _data: bytes) -> Message:
        """Open the checkpoint, if there is one, then give up network and memory."""
        self.memory_mb = message["memory_mb"]
        opened = self.open(message, b"") if message.get("path") else {}
        missing = sandbox.deny_system_calls()
        sandbox.cap_memory(self.memory_mb)
        return {**opened, "pid": os.getpid(), "missing": missing}

    def open(self, message: Message, _data: bytes) -> Message:
        """Open a checkpoint in the place of the last one."""
        sandbox.lift_memory_cap()
        self.path = message["path"]
        self.store = self.held = None
        self.store = ox.Store.read_only(self.path)
        if "revision" in message:  # no copy of the dataset's store: it has no stamp
            self._settle()
            return {"revision": message["revision"]}
        revision = _read_revision(self.store)
        self._settle()
        return {"revision": revision}

    def hold(self, _message: Message, _data: bytes) -> Message:
        """Hold all that the checkpoint has in memory: long queries take a fifth of the time."""
        sandbox.lift_memory_cap()
        store, held = self._on_disk(), ox.Store()
        held.bulk_extend(store)
        for graph in store.named_graphs():  # the stamp is a graph with nothing in it
            held.add_graph(graph)
        self.held = held
        self._settle()
        return {}

    def advance(self, message: Message, data: bytes) -> Message:
        """Bring what is held to a later checkpoint by an update, whose text is the data."""
        from graph.store.effect import drop_empty_graphs

        assert self.held is not None
        sandbox.lift_memory_cap()
        self.held.update(data.decode())
        drop_empty_graphs(self.held, message["graphs"])
        self.path, self.store = message["path"], None
        revision = _read_revision(self.held)
        if revision != message["revision"]:
            raise RefusedError("damage", f"revision {revision} in place of {message['revision']}")
        self._settle()
        return {"revision": revision}

    def _settle(self) -> None:
        """Measure from now on how much memory queries take, and cap it."""
        self.base_mb = sandbox.resident_mb()
        sandbox.cap_memory(self.memory_mb)

    def _on_disk(self) -> ox.Store:
        """Return the checkpoint as it stands on disk: each worker reads it in the same order."""
        if self.store is None:
            sandbox.lift_memory_cap()
            self.store = ox.Store.read_only(self.path)
            self._settle()
        return self.store

    def query(self, message: Message, data: bytes) -> Message:
        """Answer one query; its text is the data."""
        sandbox.set_alarm(message["seconds"])
        if message.get("is_slow") and not self.is_nice:
            os.nice(_NICE)  # for good: the process is replaced afterwards
            self.is_nice = True
        began = time.perf_counter()
        text = data.decode()
        whole = self._on_disk() if self.held is None or message.get("is_cut") else self.held
        store, dataset = choose_dataset(whole, message)
        answer = store.query(text, base_iri=message.get("base"), **dataset)
        planned = time.perf_counter()
        rows_max, bytes_max = message["rows_max"], message["bytes_max"]
        format = message["format"]
        if isinstance(answer, ox.QueryBoolean):
            body = results.write_boolean(answer, format)
        elif isinstance(answer, ox.QuerySolutions):
            body = tables.write_table(
                answer,
                format,
                rows_max,
                bytes_max,
                message.get("streamed_rows", 0),
                message.get("streamed_bytes", 0),
                self._begin if message.get("may_begin") else None,
            )
        else:
            # A graph is held whole as far as it may be, since it is written by subject: up to as
            # many triples as a table that is streamed has rows.
            streamed_rows = message.get("streamed_rows", 0)
            body = results.write_graph(
                answer,
                format,
                max(rows_max, streamed_rows),
                bytes_max,
                message["prefixes"],
                streamed_rows,
                message.get("streamed_bytes", 0),
                self._begin if message.get("may_begin") else None,
            )
        del answer, store, whole
        done = time.perf_counter()
        taken = {"plan_s": planned - began, "answer_s": done - planned}
        in_parts = message.get("in_parts", False)
        return {**self._answer(body, done - began, in_parts=in_parts), **taken}

    def _begin(self, *, is_truncated: bool = False, size: int | None = None) -> Send:
        """Announce an answer in parts, of so many bytes if that is known; return what sends one."""
        announced = {"is_truncated": is_truncated, "size": size}
        self.send(frames.pack_message(announced, frames.BEGIN))
        return self._send_data

    def _send_data(self, data: bytes) -> None:
        for piece in frames.pack_data(data):
            self.send(piece)

    def graph(self, message: Message, data: bytes) -> Message:
        """Answer a whole graph; its IRI is the data, none that of the default graph."""
        from graph.store import worker_graphs

        sandbox.set_alarm(message["seconds"])
        try:  # in the order of the disk: its tag promises the same bytes
            body = worker_graphs.read_graph(self._on_disk(), message, data.decode())
        except worker_graphs.AbsentError:
            raise RefusedError("absent") from None
        return self._answer(body, _SMALL_S * 2, in_parts=message.get("in_parts", False))

    def update(self, message: Message, data: bytes) -> Message:
        """Run an update, whose text is the data, on a copy that only this process has open."""
        from graph.store import worker_graphs

        store, origin = self._open_copy(message)
        worker_graphs.update(store, data.decode(), message)
        if origin is None:
            return {}
        graphs = None
        if message["graphs"] is not None:
            pairs = (({"prologue": prologue}, terms) for prologue, terms in message["graphs"])
            graphs = [graph.value for each, terms in pairs for graph in resolve(each, terms)]
        return self._send_changes(worker_graphs.find_difference(origin, store, graphs), message)

    def data(self, message: Message, data: bytes) -> Message:
        """Say what INSERT DATA and DELETE DATA, whose text is the data, add and remove."""
        from graph.store import worker_graphs

        sandbox.set_alarm(message["seconds"])
        return self._send_changes(worker_graphs.read_data(data.decode(), message), message)

    def _send_changes(self, changes: Iterable[tuple[bool, ox.Quad]], message: Message) -> Message:
        """Send quads as lines, each after a sign for added or removed, and their number."""
        count, lines = 0, []
        for is_added, quad in changes:
            count += 1
            if count > message["statements_max"]:
                raise RefusedError("changes", most=message["statements_max"])
            lines.append(("+" if is_added else "-") + "\t" + write_line(quad))
            if len(lines) == _LINES:
                self._send_lines(lines)
        self._send_lines(lines)
        return {"quads": count}

    def put(self, message: Message, data: bytes) -> Message:
        """Put RDF texts, which are the data, into a graph of a copy."""
        from graph.store import worker_graphs

        store, _ = self._open_copy(message)
        return worker_graphs.put_graph(store, message, data, FORMATS)

    def _open_copy(self, message: Message) -> tuple[ox.Store, ox.Store | None]:
        """Open the copy of a store for writing, and what it was copied from, where that is asked.

        The cap on memory is set anew afterwards: under it the engine could not start its threads.
        """
        sandbox.lift_memory_cap()
        store = ox.Store(message["path"])
        origin = ox.Store.read_only(message["origin"]) if "origin" in message else None
        sandbox.cap_memory(self.memory_mb)
        sandbox.set_alarm(message["seconds"])
        return store, origin

    def _answer(self, body: results.Body, seconds: float, *, in_parts: bool = False) -> Message:
        """Put the body by, to be sent with the message, or send it in parts if it is long.

        `seconds` is how long it took.
        """
        data = b"".join(body.pieces)
        del body.pieces[:]
        if in_parts and len(data) > WHOLE_BYTES:
            # It is made: how long it may take to be taken is the service's to say.
            sandbox.set_alarm(0)
            self._begin(is_truncated=body.is_truncated, size=len(data))(data)
        else:
            self.outgoing = list(frames.pack_data(data))
        # Memory that the engine does not give back is given back by ending. To look costs as much
        # as a small query, which does not make it grow.
        self.answered += 1
        if len(data) > _SMALL_BYTES or seconds > _SMALL_S or self.answered % _LOOK_EVERY == 0:
            self.grown_mb = sandbox.resident_mb() - self.base_mb
        return {
            "rows": body.rows,
            "is_truncated": body.is_truncated,
            "is_worn": self.is_nice or self.grown_mb > self.memory_mb / 4,
            "grown_mb": self.grown_mb,
        }

    def parse(self, message: Message, data: bytes) -> Message:
        """Send the quads of an RDF text back as lines of four terms, tabs between them."""
        sandbox.set_alarm(message["seconds"])
        format = message["format"]
        fault = nesting.find_fault(data, format, message["levels_max"])
        if fault is not None:
            kind = "nesting" if fault.detail is None else "syntax"
            raise RefusedError(kind, fault.detail or "", line=fault.line, column=fault.column)
        count = 0
        lines: list[str] = []
        for line in write_lines(data, format, message.get("base")):
            lines.append(line)
            if len(lines) == _LINES:
                count += self._send_lines(lines)
        return {"quads": count + self._send_lines(lines)}

    def scan(self, message: Message, _data: bytes) -> Message:
        """Read the whole checkpoint and say what differs from its stamp."""
        from graph.store.scan import read_stamp, scan_store

        store = self._on_disk()
        os.nice(10)
        stamp = read_stamp(store)
        assert stamp is not None
        found = scan_store(store, is_deep=message["is_deep"])
        return {"faults": list(found.faults(stamp)), "revision": stamp.revision}

    def _send_lines(self, lines: list[str]) -> int:
        count = len(lines)
        for piece in frames.pack_data("".join(lines).encode()):
            self.send(piece)
        lines.clear()
        return count


def _read_revision(store: ox.Store) -> int:
    """Return the revision that a store's stamp names."""
    names = (graph.value for graph in store.named_graphs())
    stamps = [name for name in names if name.startswith(_STAMP_PREFIX)]
    revision = stamps[0][len(_STAMP_PREFIX) :].partition("/")[0] if len(stamps) == 1 else ""
    if not revision.isdecimal():
        raise RefusedError("damage", f"{len(stamps)} stamps in the checkpoint, not a whole one")
    return int(revision)


def _name_failure(error: OSError | RuntimeError) -> str:
    """Return what failed: the files (`damage`), the engine, or what was asked (`evaluation`).

    The words may be those of a query. Damage begins with a word of the engine's, and comes as an
    exception of a kind that no query has.
    """
    words = str(error)
    if isinstance(error, RuntimeError):
        return "damage" if words.startswith("Corruption:") else "evaluation"
    is_lost = isinstance(error, FileNotFoundError) or "Input/output error" in words
    return "damage" if is_lost and words.startswith("IO error:") else "engine"


_OPERATIONS: Final = {
    "start": Worker.start,
    "open": Worker.open,
    "hold": Worker.hold,
    "advance": Worker.advance,
    "query": Worker.query,
    "graph": Worker.graph,
    "update": Worker.update,
    "data": Worker.data,
    "put": Worker.put,
    "parse": Worker.parse,
    "scan": Worker.scan,
}


def main(descriptor: int) -> NoReturn:
    """Serve on a socket that the service has opened, until it is closed."""
    sandbox.settle_in()
    with socket.socket(fileno=descriptor) as connection:
        worker = Worker(connection)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.run()
    # Not by way of the interpreter's end: freeing the store's memory takes longer than all else.
    sys.stderr.flush()
    os._exit(0)
