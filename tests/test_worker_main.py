"""What a worker process does with each message, run in a thread of the tests.

Here the sandbox is not put on, since it could not be taken off; `test_workers.py` has it on.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest

from graph.store import frames, sandbox, tables, worker_main
from tests.stores import A, B, History, many, quad

Message = dict[str, Any]


class Talk:
    """Our end of a worker that runs in a thread."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def ask(self, message: Message, data: bytes = b"") -> tuple[Message, str]:
        for frame in (*frames.pack_data(data), frames.pack_message(message)):
            self.connection.sendall(frame)
        received = frames.read_message(self.connection)
        assert received is not None
        return received[0], b"".join(received[1]).decode()


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    for name in ("deny_system_calls", "cap_memory", "lift_memory_cap", "set_alarm"):
        monkeypatch.setattr(sandbox, name, lambda *_: None)
    monkeypatch.setattr(os, "nice", lambda _: 0)
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=worker_main.Worker(theirs).run)
    thread.start()
    with ours, theirs:
        yield Talk(ours)
        ours.shutdown(socket.SHUT_WR)
        thread.join()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    history = History(tmp_path_factory.mktemp("worker") / "oxigraph")
    history.apply([*many(50, A), *many(30, B), quad("s0", "only", B)])
    yield history
    history.store.close()


@pytest.fixture
def open_talk(talk: Talk, history: History) -> Talk:
    path = str(history.store.checkpoint().path)
    answer, _ = talk.ask({"do": "start", "memory_mb": 64, "path": path})
    assert answer == {"revision": 1, "pid": os.getpid(), "missing": None}
    return talk


def query(text: str, **changes: Any) -> tuple[Message, bytes]:
    message: Message = {
        "do": "query",
        "seconds": 5,
        "format": "json",
        "rows_max": 1000,
        "bytes_max": 10**6,
        "statements_max": 200_000,
        "prologue": "",
        "from": [],
        "from_named": [],
        "default_graphs": [],
        "named_graphs": [],
        "prefixes": {},
    }
    return {**message, **changes}, text.encode()


def count(talk: Talk, text: str, **changes: Any) -> int:
    answer, body = talk.ask(*query(text, **changes))
    assert answer["rows"] == 1
    return int(json.loads(body)["results"]["bindings"][0]["n"]["value"])


TRIPLES = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o FILTER(?p != <http://e/label>) }"
IN_GRAPHS = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o FILTER(?p != <http://e/label>) } }"
a, b = A[1:-1], B[1:-1]


def test_without_a_dataset_merged_triples_answer(open_talk: Talk) -> None:
    assert count(open_talk, TRIPLES) == 51
    assert count(open_talk, IN_GRAPHS) == 81


def test_graphs_of_the_protocol(open_talk: Talk) -> None:
    assert count(open_talk, TRIPLES, default_graphs=[a]) == 50
    assert count(open_talk, TRIPLES, default_graphs=[b, b]) == 31
    assert count(open_talk, TRIPLES, default_graphs=[a, b]) == 51
    assert count(open_talk, IN_GRAPHS, default_graphs=[a, b]) == 0
    assert count(open_talk, IN_GRAPHS, default_graphs=[a, b], named_graphs=[b]) == 31
    assert count(open_talk, TRIPLES, named_graphs=[b]) == 0
    assert count(open_talk, IN_GRAPHS, named_graphs=[b]) == 31
    assert count(open_talk, TRIPLES, default_graphs=["http://e/nobody"]) == 0


def with_from(*graphs: str, named: tuple[str, ...] = ()) -> str:
    clauses = [f"FROM {g}" for g in graphs] + [f"FROM NAMED {g}" for g in named]
    return " ".join(clauses)


@pytest.mark.parametrize(
    ("default", "named", "triples", "in_graphs"),
    [
        (("<http://e/source/a>",), (), 50, 0),
        (("<http://e/source/a>", "g:b"), (), 51, 0),
        (("g:a", "g:a"), (), 50, 0),
        (("<a>", "<b>"), ("g:a",), 51, 50),
        ((), ("<a>", "<b>"), 0, 81),
    ],
)
def test_from_merges_graphs_in_every_spelling(
    open_talk: Talk,
    default: tuple[str, ...],
    named: tuple[str, ...],
    triples: int,
    in_graphs: int,
) -> None:
    prologue = "BASE <http://e/source/> PREFIX g: <http://e/source/> # <x>\n"
    for text, expected in ((TRIPLES, triples), (IN_GRAPHS, in_graphs)):
        asked = prologue + text.replace("{", with_from(*default, named=named) + " {", 1)
        found = count(open_talk, asked, prologue=prologue, **{"from": default, "from_named": named})
        assert found == expected


def test_graphs_of_the_protocol_win_over_from(open_talk: Talk) -> None:
    text = TRIPLES.replace("{", "FROM <http://e/source/a> {", 1)
    assert count(open_talk, text, default_graphs=[b], **{"from": ["<http://e/source/a>"]}) == 31
    graphs = ["<http://e/source/a>", "<http://e/source/b>"]
    text = TRIPLES.replace("{", with_from(*graphs) + " {", 1)
    assert count(open_talk, text, default_graphs=[b], **{"from": graphs}) == 31


def test_too_many_statements_are_not_merged(open_talk: Talk) -> None:
    message, text = query(TRIPLES, default_graphs=[a, b], statements_max=80)
    assert open_talk.ask(message, text)[0]["error"] == "statements"
    assert count(open_talk, TRIPLES, default_graphs=[a, b], statements_max=81) == 51


@pytest.mark.parametrize(
    ("text", "format", "start"),
    [
        ("ASK { ?s ?p ?o }", "json", '{"head":{},"boolean":true}'),
        ("SELECT ?s { ?s ?p 'only' }", "csv", "s\r\nhttp://e/s0\r\n"),
        ("DESCRIBE <http://e/s4>", "nt", "<http://e/s4> "),
        ("CONSTRUCT { ?s ?p ?o } { ?s ?p ?o }", "turtle", "@prefix e: <http://e/> ."),
    ],
)
def test_each_form_is_answered(open_talk: Talk, text: str, format: str, start: str) -> None:
    answer, body = open_talk.ask(*query(text, format=format, prefixes={"e": "http://e/"}))
    assert body.startswith(start)
    assert not answer["is_truncated"]


def test_rows_are_cut(open_talk: Talk) -> None:
    answer, body = open_talk.ask(*query("SELECT ?s { ?s ?p ?o }", rows_max=7))
    assert (answer["rows"], answer["is_truncated"]) == (7, True)
    assert len(json.loads(body)["results"]["bindings"]) == 7


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SELECT", "syntax"),
        ("SELECT (<http://e/f>(1) AS ?x) {}", "evaluation"),
        ("SELECT (<http://e/Corruption:>(1) AS ?x) {}", "evaluation"),
        ("SELECT (<Corruption:>(1) AS ?x) {}", "evaluation"),
        ("SELECT (<IO:no%20such%20file>(1) AS ?x) {}", "evaluation"),
        ("ASK { SERVICE <http://127.0.0.1:9/> {} }", "engine"),
    ],
)
def test_what_the_engine_refuses_is_told_and_the_worker_goes_on(
    open_talk: Talk, text: str, error: str
) -> None:
    answer, body = open_talk.ask(*query(text))
    assert (answer["error"], body) == (error, "")
    assert answer["detail"]
    assert count(open_talk, TRIPLES) == 51


def test_want_of_memory_is_told(open_talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(tables, "write_table", fail)
    assert open_talk.ask(*query("SELECT ?s { ?s ?p ?o }"))[0]["error"] == "memory"


def test_a_worker_that_grew_says_that_it_is_worn(
    open_talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_main, "_LOOK_EVERY", 1)
    assert open_talk.ask(*query("ASK {}"))[0]["is_worn"] is False
    monkeypatch.setattr(sandbox, "resident_mb", lambda: 10_000.0)
    assert open_talk.ask(*query("ASK {}"))[0]["is_worn"] is True


def test_another_checkpoint_is_opened(open_talk: Talk, tmp_path: Path) -> None:
    other = History(tmp_path / "other")
    other.apply(many(3))
    other.apply(many(5))
    path = str(other.store.checkpoint().path)
    assert open_talk.ask({"do": "open", "path": path})[0] == {"revision": 2}
    assert count(open_talk, TRIPLES) == 5
    other.store.close()


def test_a_checkpoint_without_a_stamp_is_refused(open_talk: Talk, tmp_path: Path) -> None:
    ox.Store(str(tmp_path / "plain")).flush()
    answer, _ = open_talk.ask({"do": "open", "path": str(tmp_path / "plain")})
    assert (answer["error"], answer["detail"]) == (
        "damage",
        "0 stamps in the checkpoint, not a whole one",
    )


def test_a_scan_tells_what_is_wrong(open_talk: Talk) -> None:
    answer, _ = open_talk.ask({"do": "scan", "is_deep": True})
    assert answer == {"faults": [], "revision": 1}


# --- reading files ----------------------------------------------------------------------------


def parse(talk: Talk, data: bytes, format: str, **changes: Any) -> tuple[Message, str]:
    message = {"do": "parse", "format": format, "base": None, "seconds": 5, "levels_max": 100}
    return talk.ask({**message, **changes}, data)


def test_files_come_back_as_lines(talk: Talk) -> None:
    assert talk.ask({"do": "start", "memory_mb": 64, "path": None})[0]["missing"] is None
    data = b'@prefix e: <http://e/> . e:a e:b "x\ty" , <c> . e:g { e:a e:b [] }'
    answer, lines = parse(talk, data, "trig", base="http://e/d")
    assert answer == {"quads": 3}
    rows = [line.split("\t") for line in lines.splitlines()]
    assert rows[0] == ["<http://e/a>", "<http://e/b>", '"x\\ty"', ""]
    assert rows[1] == ["<http://e/a>", "<http://e/b>", "<http://e/c>", ""]
    assert rows[2][2].startswith("_:")
    assert rows[2][3] == "<http://e/g>"


def test_many_lines_come_in_pieces(talk: Talk) -> None:
    data = "".join(f"<http://e/{n}> <http://e/p> {n} .\n" for n in range(12_345)).encode()
    answer, lines = parse(talk, data, "turtle")
    assert answer == {"quads": 12_345}
    assert len(lines.splitlines()) == 12_345


@pytest.mark.parametrize(
    ("data", "format", "error", "line"),
    [
        (b"<http://e/a> <http://e/b> .\n", "turtle", "syntax", 1),
        (b"\n<http://e/a> <http://e/b> x .", "turtle", "syntax", 2),
        (b"<a> <http://e/b> 1 .", "turtle", "syntax", 1),
        (b"<http://e/a> <http://e/b> " + b"[" * 101, "turtle", "nesting", 1),
        (b'<http://e/a> <http://e/b> "a"@en--ltr .', "turtle", "syntax", None),
        (b"<http://e/a> <http://e/b> <<( <http://e/a> <http://e/b> 1 )>> .", "nt", "syntax", 1),
        (b"<a>", "rdfxml", "syntax", 1),
        (b'{"@context": "http://e/"}', "jsonld", "syntax", None),
    ],
)
def test_files_that_cannot_be_read_are_refused(
    talk: Talk, data: bytes, format: str, error: str, line: int | None
) -> None:
    answer, _ = parse(talk, data, format)
    assert (answer["error"], answer.get("line")) == (error, line)


def test_the_process_ends_with_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(sandbox, "settle_in", lambda: None)
    ours, theirs = socket.socketpair()
    ours.close()
    serve: Callable[[int], object] = worker_main.main
    serve(theirs.detach())
    assert ended == [0]


def test_frames_that_are_cut_short_end_the_talk() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(frames.pack_message({"do": "x"})[:-2])
        ours.shutdown(socket.SHUT_WR)
        assert frames.read_message(theirs) is None
