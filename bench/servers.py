"""Starts what is measured as processes of their own, and looks at their time and memory."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil

from bench.stores import ROOT

_ADDRESS: Final = re.compile(r"http://[0-9.]+:(\d+)")
_START_S: Final = 300.0
_REST_S: Final = 2.0
#: Rates off, more connections, and answers are not kept; other limits stay at their defaults.
FREE: Final = {
    "RHIZOME_RATE_API": "0",
    "RHIZOME_RATE_PAGES": "0",
    "RHIZOME_RATE_QUERY_S": "0",
    "RHIZOME_GRAPHQL_CACHE_MB": "0",
    "RHIZOME_CONNECTIONS_PER_ADDRESS": "128",
}


class Server:
    """A server process that printed its address; `ready_s` is how long that and `/ready` took."""

    def __init__(
        self,
        command: Sequence[str],
        ready: str | None = None,
        on_started: Callable[[Server], None] | None = None,
        environment: Mapping[str, str] = FREE,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        # As people run it: with byte code kept, whatever this process was told.
        dropped = ("RHIZOME_", "PYTHONDONTWRITEBYTECODE")
        others = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        began = time.perf_counter()
        self.popen = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**others, **environment, **(settings or {})},
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.process = psutil.Process(self.popen.pid)
        if on_started is not None:
            on_started(self)
        try:
            self.port = self._read_port()
            if ready is not None:
                self._wait_for(ready)
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.perf_counter() - began

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process as a signal would, and wait for it."""
        self.popen.terminate()
        try:
            self.popen.wait(60)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()
        self._errors.close()

    def cpu_s(self) -> float:
        """Return the processor seconds of the process itself, its workers not counted."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def settle(self) -> None:
        """Wait until the process and its workers rest: the check of all data is over."""
        while True:
            before = self._family_cpu_s()
            time.sleep(_REST_S)
            if self._family_cpu_s() - before < 0.02 * _REST_S:
                return

    def _family_cpu_s(self) -> float:
        """Return the processor seconds of the process and of the workers that it has now."""
        total = self.cpu_s()
        for worker in self.process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = worker.cpu_times()
                total += times.user + times.system
        return total

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        """Return the body of an answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            body,
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_START_S) as response:
            content: bytes = response.read()
        return content

    def _read_port(self) -> int:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if match := _ADDRESS.search(line):
                return int(match[1])
        raise self._failure("ended without an address")

    def _wait_for(self, path: str) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            try:
                self.ask(path)
                return
            except OSError:
                if self.popen.poll() is not None:
                    raise self._failure("ended") from None
                time.sleep(0.02)
        raise self._failure(f"was not ready in {_START_S} s")

    def _failure(self, what: str) -> RuntimeError:
        """Return the error of a server that does not serve, with its last words."""
        self._errors.seek(0)
        words = self._errors.read()[-2000:].decode(errors="replace")
        return RuntimeError(f"{self.popen.args!r} {what}: {words}")


def serve_store(
    store: Path,
    *,
    seeds: bool = False,
    on_started: Callable[[Server], None] | None = None,
    keeps: bool = False,
    settings: Mapping[str, str] | None = None,
    program: Sequence[str] = ("server.py",),
) -> Server:
    """Return this service on a store, ready; `on_started` is called with the young process.

    One that `keeps` answers does so within the default bound; `program` is what to run.
    """
    environment = {n: v for n, v in FREE.items() if not (keeps and n.endswith("CACHE_MB"))}
    options = [] if seeds else ["--no-seeds"]
    return Server(
        [*program, "serve", "--port", "0", "--store", str(store), *options],
        ready="/ready",
        on_started=on_started,
        environment=environment,
        settings=settings,
    )


def serve_peer(name: str, data: Path) -> Server:
    """Return a peer with its data loaded."""
    return Server(["-m", "bench.peer_app", name, str(data)])
