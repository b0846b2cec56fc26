"""Real SPARQL servers on loopback, for tests: the `oxigraph` server and Virtuoso."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_VIRTUOSO = """\
[Database]
DatabaseFile = virtuoso.db
ErrorLogFile = virtuoso.log
LockFile = virtuoso.lck
TransactionFile = virtuoso.trx
xa_persistent_file = virtuoso.pxa
FileExtend = 200
MaxCheckpointRemap = 2000
TempStorage = TempDatabase
[TempDatabase]
DatabaseFile = virtuoso-temp.db
TransactionFile = virtuoso-temp.trx
MaxCheckpointRemap = 2000
[Parameters]
ServerPort = 127.0.0.1:{sql}
DisableUnixSocket = 1
ServerThreadSize = 8000000
MainThreadSize = 8000000
CaseMode = 2
NumberOfBuffers = 10000
MaxDirtyBuffers = 6000
CheckpointInterval = 60
[HTTPServer]
ServerPort = 127.0.0.1:{http}
ServerRoot = .
ServerThreads = 10
HTTPThreadSize = 8000000
[SPARQL]
ResultSetMaxRows = 100000
[Replication]
ServerName = db
ServerEnable = 0
"""


@dataclass
class Server:
    """A server that runs: its settings, and its process."""

    settings: dict[str, str]
    process: subprocess.Popen[bytes]
    ports: list[int] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def oxigraph(folder: Path) -> Iterator[Server]:
    """The `oxigraph` server on an empty store."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    binary = shutil.which("oxigraph", path=path)
    assert binary is not None
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [binary, "serve", "--location", str(folder / "store"), "--bind", address[7:]]
    with _run(command, folder) as process:
        _await(f"{address}/query?query=ASK%7B%7D", process)
        settings = {
            "sparql": f"{address}/query",
            "sparql_update": f"{address}/update",
            "sparql_graphs": f"{address}/store",
        }
        yield Server(settings, process)


@contextmanager
def virtuoso(folder: Path) -> Iterator[Server]:
    """Virtuoso on an empty database, in which anyone may update."""
    sql, http = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    text = _VIRTUOSO.format(sql=sql, http=http)
    (folder / "virtuoso.ini").write_text(text, encoding="utf-8")
    address = f"http://127.0.0.1:{http}/sparql"
    with _run(["virtuoso-t", "+foreground", "+configfile", "virtuoso.ini"], folder) as process:
        _await(f"{address}?query=ASK%7B%7D", process)
        grant = 'EXEC=grant SPARQL_UPDATE to "SPARQL";'
        command = ["isql-vt", f"127.0.0.1:{sql}", "dba", "dba", grant]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        yield Server({"sparql": address, "sparql_merged": "named"}, process)


@contextmanager
def _run(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _await(address: str, process: subprocess.Popen[bytes]) -> None:
    """Return once the server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, "the server ended"
        try:
            with opener.open(address, timeout=10) as answer:
                answer.read()
                return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
