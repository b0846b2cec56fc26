"""What no record acknowledges is moved aside, never destroyed."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from graph.errors import StoreFullError
from graph.store.commit import Change, follow
from graph.store.log import Log
from graph.store.patch import payload_name

CHANGE = Change((), (), "tests", "load", "why")


def _record(log: Log, name: str, graph: str) -> None:
    quads = [(f"<a:{name}{n}>", "<a:p>", f'"{n}"', f"<a:{graph}>") for n in range(3)]
    log.append([follow(log, CHANGE, quads, [], "0.1.0")])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of four commits: two write one graph, two another."""
    log = Log.open(tmp_path / "log")
    for name, graph in ("ag", "bh", "cg", "dh"):
        _record(log, name, graph)
    log.close()
    return tmp_path / "log"


def _orphans(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "orphans").iterdir()}


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_payloads_whose_records_are_lost_are_moved(folder: Path, kept: int) -> None:
    headers = folder / "headers"
    records = b"".join(headers.read_bytes().splitlines(keepends=True)[:kept])
    payloads = {path: path.read_bytes() for path in (folder / "graphs").iterdir()}
    for loss in (1, 2):  # a second loss does not overwrite what the first one left
        headers.write_bytes(records)
        for path, content in payloads.items():
            path.write_bytes(content)
        log = Log.open(folder)
        torn = set(log.torn)
        _record(log, "e", "new")
        assert Log.open(folder).revision == kept + 1
        assert Log.open(folder).torn == ()
        found = _orphans(folder)
        assert torn
        for path in torn & payloads.keys():
            left = path.read_bytes() if path.exists() else b""
            orphan = found[f"{path.name}.{len(left)}.orphan-{loss}"]
            assert left + orphan == payloads[path]


def test_what_cannot_be_moved_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "graphs" / payload_name("a:h")
    with path.open("ab") as file:
        file.write(b"A <a:half")
    log = Log.open(folder)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfileobj", full)
        with pytest.raises(StoreFullError):
            _record(log, "e", "g")
    assert path.read_bytes().endswith(b"A <a:half")
    assert _orphans(folder) == {}
    _record(log, "e", "g")
    assert list(_orphans(folder).values()) == [b"A <a:half"]
