"""The dump of any revision, made anew from the log, in a process of its own.

Floor 2. The same bytes as an export of that revision gave then: canonical N-Quads or N-Triples
depend on nothing but the statements. The process has little memory and a deadline, reads the log
alone, and compares what it has with the hash and count that the log states of the revision.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from graph.curation.export import gather, write_n_quads, write_n_triples
from graph.curation.formats import N_QUADS, N_TRIPLES, Format
from graph.curation.statements import Statements
from graph.errors import (
    NotFoundError,
    ReplayLimitError,
    StoreCorruptError,
    StoreFullError,
    StoreUnavailableError,
)
from graph.settings import Settings
from graph.store import sandbox
from graph.store.log import Log
from graph.store.record import Header
from graph.store.term_table import TermTable
from graph.terms import HASH_MODULUS

#: The formats of a dump; all others depend on the ontology of the day.
DUMPED: Final = (N_QUADS, N_TRIPLES)

_ROOT: Final = Path(__file__).resolve().parents[2]
#: Exit codes of the process, beside 0.
_CORRUPT, _MEMORY, _DISK = 3, 4, 5
_NICE: Final = 5


#: The processes that make dumps now.
_running: Final[set[subprocess.Popen[bytes]]] = set()


def write_dump(
    settings: Settings,
    revision: int,
    format: Format,
    hidden: frozenset[str],
    path: Path,
) -> None:
    """Write the dump of a revision to a file, by a process that is ended at its deadline.

    `hidden` names the graphs (N-Triples texts) that are left out, since who asks may not read them
    today; what the log states is checked with them.

    Raises
    ------
    StoreCorruptError
        The log is damaged, or what it gives is not what it states.
    ReplayLimitError
        It took longer than `export_replay_s`, or more memory than `export_replay_mb`.
    StoreFullError, StoreUnavailableError
        The file could not be written, or the process ended for no reason that is known.
    """
    arguments = [str(settings.store / "log"), str(revision), format.key, str(path)]
    command = [sys.executable, "-m", __name__, *arguments, str(settings.export_replay_mb)]
    deadline_s = settings.export_replay_s
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    try:
        status, said = _run(command, environment, json.dumps(sorted(hidden)).encode(), deadline_s)
    except subprocess.TimeoutExpired:
        raise ReplayLimitError(revision, "export_replay_s", deadline_s) from None
    except OSError as error:
        raise StoreUnavailableError(f"no process can be started: {error.strerror}") from error
    if status == _MEMORY:
        raise ReplayLimitError(revision, "export_replay_mb", settings.export_replay_mb)
    if status == _DISK:
        raise StoreFullError(str(path.parent))
    if status == _CORRUPT:
        raise StoreCorruptError(*json.loads(said))
    if status:
        raise StoreUnavailableError(f"the replay of revision {revision} ended ({status})")


def _run(
    command: list[str], environment: dict[str, str], given: bytes, deadline_s: float
) -> tuple[int, bytes]:
    """Return how a process ended and what it said; `end_dumps` may end it sooner."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=_ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        _running.add(process)
        try:
            said, _ = process.communicate(given, deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            _running.discard(process)
    return process.returncode, said


def end_dumps() -> None:
    """End the dumps that are being made: the service stops, and would wait for them."""
    for process in tuple(_running):
        process.kill()


def replay(log: Log, revision: int) -> tuple[Statements, Header]:
    """Return what the dataset held at a revision, and the header of its commit.

    Raises
    ------
    NotFoundError
        There is no such revision.
    StoreCorruptError
        A payload is not what was written.

    Cost: about 5 microseconds a quad that was added or removed; 60 bytes of memory for each.
    """
    if not 1 <= revision <= log.revision:
        raise NotFoundError(f"revision {revision} (the newest is {log.revision})")
    terms = TermTable()
    predicates: dict[str, int] = {}
    graphs: dict[str, int] = {}
    columns = (array("I"), array("I"), array("I"), array("I"))
    signs = array("b")
    last = None
    for header in log.headers():
        last = header
        for adds, (subject, predicate, value, graph) in log.quads(header):
            columns[0].append(terms.add(subject))
            columns[1].append(predicates.setdefault(predicate, len(predicates)))
            columns[2].append(terms.add(value))
            columns[3].append(graphs.setdefault(graph, len(graphs)))
            signs.append(1 if adds else -1)
        terms.compact()
        if header.revision == revision:
            break
    assert last is not None
    arrays = [np.frombuffer(column, np.uint32) for column in columns]
    statements = Statements(terms, tuple(predicates), tuple(graphs), *arrays)
    if signs.count(-1):
        statements = statements.where(_held(arrays, np.frombuffer(signs, np.int8)))
    return statements, last


def _held(
    columns: list[npt.NDArray[np.uint32]], signs: npt.NDArray[np.int8]
) -> npt.NDArray[np.bool_]:
    """Return which rows stand at the end: of equal ones the last, if it is an addition."""
    keys: list[npt.NDArray[Any]] = [np.arange(len(signs)), *columns]
    order = np.lexsort(keys)
    is_last = np.ones(len(signs), np.bool_)
    same = np.ones(len(signs) - 1, np.bool_)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    is_last[:-1] = ~same
    held = np.zeros(len(signs), np.bool_)
    held[order[is_last]] = signs[order[is_last]] > 0
    return held


def leave_out(statements: Statements, hidden: set[str]) -> Statements:
    """Return the statements that stand in other graphs than those named."""
    kept = np.array([graph not in hidden for graph in statements.graph_terms], np.bool_)
    return statements if kept.all() else statements.where(kept[statements.graphs])


def check_dump(statements: Statements, header: Header) -> None:
    """Compare statements with the hash and the count that the log states.

    Raises
    ------
    StoreCorruptError
        They differ.
    """
    total = 0
    for text in write_n_quads(statements):
        for line in text.split("\n")[:-1]:  # splitlines would also split at U+2028
            digest = hashlib.sha256(line[:-2].encode()).digest()
            total += int.from_bytes(digest, "big")
    if total % HASH_MODULUS != header.dataset_hash or len(statements) != header.quad_count:
        raise StoreCorruptError(
            f"log, revision {header.revision}",
            f"gives {len(statements)} statements that are not the {header.quad_count} it states",
        )


def lines_of(statements: Statements, format: Format) -> Iterator[bytes]:
    """Yield statements in one of the formats of dumps."""
    write = write_n_quads if format is N_QUADS else write_n_triples
    return gather(write(statements))


def main(folder: str, revision: str, key: str, path: str, memory_mb: str) -> int:
    """Write one dump and return the exit code: what the process does."""
    sandbox.end_with_the_service()
    os.nice(_NICE)
    most = int(memory_mb) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    format = next(known for known in DUMPED if known.key == key)
    try:
        statements, header = replay(Log.open(Path(folder)), int(revision))
        check_dump(statements, header)
        statements = leave_out(statements, set(json.load(sys.stdin)))
        with Path(path).open("wb") as file:
            _write(file, statements, format)
    except StoreCorruptError as error:
        print(json.dumps([error.path, error.detail]))
        return _CORRUPT
    except MemoryError:
        return _MEMORY
    except OSError:
        return _DISK
    return 0


def _write(file: BinaryIO, statements: Statements, format: Format) -> None:
    for piece in lines_of(statements, format):
        file.write(piece)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main(*sys.argv[1:]))
