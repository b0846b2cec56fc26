"""The command `export`: what it writes, and what it refuses."""

from __future__ import annotations

import gzip
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.errors import RequestError
from tests.seeded import make_settings
from web.commands import Opened, open_store, run_command
from web.control import Command, Kind

PIC = "https://w3id.org/rhizome/id/network/plant-intercluster"


@pytest.fixture(scope="module")
def opened(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("export-command") / "store"
    shutil.copytree(seeded_store, folder)
    with open_store(make_settings(folder), "export") as found:
        yield found


def _run(opened: Opened, **arguments: Any) -> tuple[bytes, str]:
    """Return what the command writes and what it says."""
    pieces = list(run_command(Command("export", arguments), opened))
    written = b"".join(piece.content for piece in pieces if piece.kind is Kind.OUT)
    return written, " ".join(piece.content.decode() for piece in pieces if piece.kind is Kind.SAY)


def test_a_revision_is_the_export_that_it_was(opened: Opened) -> None:
    whole, said = _run(opened, format="nq")
    assert said.startswith("revision 1: ")
    packed = [_run(opened, format="nq", revision="1", gzip=True) for _ in range(2)]
    assert packed[0] == packed[1]
    assert gzip.decompress(packed[0][0]) == whole
    assert packed[0][1] == "revision 1, made anew from the log"


def test_a_part_is_written(opened: Opened) -> None:
    whole = set(_run(opened, format="nq")[0].splitlines())
    part = set(_run(opened, format="nq", entity=PIC, depth="0")[0].splitlines())
    assert part
    assert all(line.startswith(f"<{PIC}> ".encode()) for line in part)
    assert part < whole


def test_a_part_of_a_network_is_written(opened: Opened) -> None:
    whole = _run(opened, format="graphml")[0]
    part = _run(opened, format="graphml", entity=PIC, depth="1")[0]
    assert 1 < part.count(b"<node") < whole.count(b"<node")


@pytest.mark.parametrize(
    ("name", "begin"), [("gexf", b"<?xml"), ("graphml", b"<?xml"), ("geojson", b'{"type":"Feat')]
)
def test_files_of_other_tools_are_written(opened: Opened, name: str, begin: bytes) -> None:
    assert _run(opened, format=name)[0].startswith(begin)


@pytest.mark.parametrize("name", ["tables", "rocrate"])
def test_archives_are_written_whole(opened: Opened, name: str) -> None:
    written, said = _run(opened, format=name)
    assert zipfile.ZipFile(io.BytesIO(written)).testzip() is None
    assert said == "revision 1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"revision": "2"}, "not found: revision 2 (the newest is 1)"),
        ({"revision": "0"}, "a whole number from 1 to 1"),
        ({"revision": "-1"}, "a whole number from 1 to 1"),
        ({"revision": "x"}, "a whole number from 1 to 1"),
        ({"revision": "9" * 5000}, "a whole number from 1 to 1"),
        ({"revision": "1", "format": "trig"}, "one of nq, nt"),
        ({"revision": "1", "graph": "x:y"}, "with --revision"),
        ({"format": "rocrate", "entity": "x:y"}, "with the format rocrate"),
        ({"format": "rocrate", "graph": "x:y"}, "rocrate: it belongs to trig, nq, jsonld"),
        ({"format": "rocrate", "depth": "1"}, "jsonld-framed, tables, geojson, gexf, graphml"),
        ({"format": "gexf", "graph": "x:y"}, "with the format gexf"),
        ({"format": "tables", "entity": "x:y"}, "not found"),
        ({"format": "geojson", "graph": "x:y"}, "unknown graph"),
        ({"format": "geojson", "depth": "1"}, "without `entity`"),
        ({"format": "tables", "projection": "agreements"}, "with the format tables"),
        ({"projection": "agreements"}, "with the format nq"),
        ({"format": "gexf", "projection": "nobody"}, "unknown projection"),
        ({"format": "hdt"}, "one of trig, nq"),
        ({"graph": "x:y"}, "unknown graph"),
        ({"entity": "x:y"}, "not found"),
        ({"depth": "1"}, "without `entity`"),
        ({"format": "jsonld-framed"}, "name one by `entity`"),
    ],
)
def test_what_cannot_be_exported_is_said(
    opened: Opened, arguments: dict[str, str], said: str
) -> None:
    with pytest.raises(RequestError) as raised:
        _run(opened, **{"format": "nq", **arguments})
    assert said in raised.value.message
