"""A server as a process of its own, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.require import ROOT


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """A server process on a store, with its output."""

    def __init__(self, store: Path, *arguments: str, **variables: str) -> None:
        command = [sys.executable, str(ROOT / "server.py"), "serve", "--store", str(store)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RHIZOME_")}
        self.log = store.parent / f"log-{time.monotonic_ns()}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", "0", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**environment, **variables},
                cwd=ROOT,
                text=True,
            )
        self.store = store
        self.address = ""

    def listens(self) -> Running:
        """Wait for the line that names the address."""
        if self.address:
            return self
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Rhizome listens on http://127.0.0.1:"), self.errors()
        self.address = line.split()[3]
        return self

    def ready(self) -> Running:
        """Wait until data can be asked for."""
        self.listens()
        deadline = time.monotonic() + 60
        while self.get("/ready").status != 200:
            assert self.process.poll() is None, self.errors()
            assert time.monotonic() < deadline, self.errors()
            time.sleep(0.05)
        return self

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask the server."""
        request = urllib.request.Request(self.address + path, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return Answer(response.status, _lower(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), error.read())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def close(self) -> None:
        """End the process whatever it does."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def errors(self) -> str:
        """Return what it wrote to standard error."""
        return self.log.read_text(encoding="utf-8")


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
