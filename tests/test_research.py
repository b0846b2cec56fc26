"""What docs/research.md tells and its notebook does, run as it stands against a live server."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.require import ROOT
from tests.running import Running

pytestmark = pytest.mark.broad
PAGE = ROOT / "docs" / "research.md"
NOTEBOOK = ROOT / "docs" / "notebooks" / "rhizome.ipynb"
CLIENTS = ROOT / "tests" / "clients" / "research"
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def server(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = tmp_path_factory.mktemp("research-store") / "store"
    shutil.copytree(seeded_store, store)
    running = Running(store)
    try:
        yield running.ready()
    finally:
        running.close()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pandas, matplotlib and the public tools for crates, from their lock."""
    folder = tmp_path_factory.mktemp("research-python") / "venv"
    lock = str(CLIENTS / "requirements.lock")
    _run([sys.executable, "-m", "venv", str(folder)])
    options = ["-q", "--disable-pip-version-check", "--no-input", "install", "--no-deps"]
    exact = ["--no-compile", "--require-hashes", "--only-binary", ":all:", "-r", lock]
    _run([str(folder / "bin" / "python"), "-m", "pip", *options, *exact])
    return folder / "bin" / "python"


def _run(command: list[str], folder: Path | None = None, **variables: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RHIZOME_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.needs("curl")
def test_the_commands_of_the_page_do_what_it_says(server: Running, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert sum(block.count("curl") for block in blocks) > 10
    printed = ""
    for block in blocks:
        printed += _run(["sh", "-ec", block.replace(ADDRESS, server.address)], tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(files["members.csv"].splitlines()) > 8
    assert b"<rdf:RDF" in files["network.rdf"]
    whole = files["rhizome.nq"]
    assert whole == files["rhizome-1.nq"] == files["part.nq"]
    assert hashlib.sha256(whole).hexdigest() in printed
    assert b"source:eccp-plant-intercluster" in files["source.trig"]
    assert json.loads(files["network.json"])["@id"].endswith("network/plant-intercluster")
    assert zipfile.ZipFile(tmp_path / "tables.zip").testzip() is None
    assert json.loads(files["sites.geojson"])["features"]
    assert b"<gexf" in files["network.gexf"]
    assert b"<graphml" in files["agreements.graphml"]
    assert b"organisation/femac" in files["around.graphml"]
    assert zipfile.ZipFile(tmp_path / "rhizome.crate.zip").testzip() is None
    assert "Rhizome contributors" in printed
    assert files["rhizome.bib"].startswith(b"@misc")


def test_the_dataset_hash_is_the_sum_that_the_page_describes(server: Running) -> None:
    told = server.get("/version").json()["datasetHash"]
    lines = server.get("/export?format=nq").body.decode().split("\n")[:-1]
    digests = (hashlib.sha256(line[:-2].encode()).digest() for line in lines)
    assert f"{sum(int.from_bytes(digest) for digest in digests) % 2**256:064x}" == told


@pytest.mark.needs("venv")
def test_the_notebook_runs_as_it_stands(python: Path, server: Running, tmp_path: Path) -> None:
    figure = tmp_path / "figure.png"
    command = [str(python), str(CLIENTS / "run_notebook.py"), str(NOTEBOOK), str(figure)]
    printed = _run(command, tmp_path, RHIZOME_URL=server.address, MPLCONFIGDIR=str(tmp_path))
    *told, counted, named = printed.splitlines()
    assert json.loads(counted) == {"rows": 8, "revision": 1}
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert figure.stat().st_size > 5_000
    assert told[0].startswith("Rhizome contributors (20")
    dump = server.get("/export/revisions/1.nq").body
    assert json.loads(named)["digest"] == hashlib.sha256(dump).hexdigest()


def test_the_notebook_carries_no_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["name"]) == (4, "python3")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.needs("venv")
def test_a_public_validator_accepts_the_crate_and_refuses_a_wrong_one(
    python: Path, server: Running, tmp_path: Path
) -> None:
    """Of the sources, five: they are described alike, and two hundred take minutes."""
    whole = zipfile.ZipFile(_save(server.get("/export/crate.zip").body, tmp_path / "whole.zip"))
    right, wrong = tmp_path / "right.zip", tmp_path / "wrong.zip"
    sources = _sources(whole)
    _shorten(whole, right, without=set(sources[5:]))
    _shorten(whole, wrong, without=set(sources), spoil=("name", "datePublished"))
    found = _validate(python, tmp_path, right, wrong)
    assert found["right.zip"]["issues"] == []
    assert found["right.zip"]["passed"]
    assert found["right.zip"]["files"] == len(whole.namelist()) - 1
    assert found["wrong.zip"]["issues"]


@pytest.mark.slow
@pytest.mark.needs("venv")
def test_a_public_validator_accepts_the_crate_with_all_sources(
    python: Path, server: Running, tmp_path: Path
) -> None:
    crate = _save(server.get("/export/crate.zip").body, tmp_path / "whole.zip")
    found = _validate(python, tmp_path, crate)["whole.zip"]
    assert (found["issues"], found["passed"]) == ([], True)


def _validate(python: Path, folder: Path, *crates: Path) -> dict[str, Any]:
    command = [str(python), str(CLIENTS / "validate_crate.py"), *map(str, crates)]
    return {found["crate"]: found for found in map(json.loads, _run(command, folder).splitlines())}


def _sources(crate: zipfile.ZipFile) -> list[str]:
    entities = json.loads(crate.read("ro-crate-metadata.json"))["@graph"]
    root = next(entity for entity in entities if entity["@id"] == "./")
    return [each["@id"] for each in root["isBasedOn"]]


def _shorten(
    whole: zipfile.ZipFile, path: Path, without: set[str], spoil: tuple[str, ...] = ()
) -> None:
    """Write a crate without some entities, its root without some properties."""
    document = json.loads(whole.read("ro-crate-metadata.json"))
    document["@graph"] = [e for e in document["@graph"] if e["@id"] not in without]
    root = next(entity for entity in document["@graph"] if entity["@id"] == "./")
    root["isBasedOn"] = [each for each in root["isBasedOn"] if each["@id"] not in without]
    for name in spoil:
        del root[name]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ro-crate-metadata.json", json.dumps(document))
        for name in set(whole.namelist()) - {"ro-crate-metadata.json"}:
            archive.writestr(name, whole.read(name))


def _save(content: bytes, path: Path) -> Path:
    path.write_bytes(content)
    return path


def test_citation_cff_says_what_the_project_is() -> None:
    lines = (ROOT / "CITATION.cff").read_text("utf-8").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if re.match(r"[a-z-]+: ", line))
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert fields["cff-version"] == "1.2.0"
    assert f'version = "{fields["version"]}"' in project
    assert fields["license"] == "Apache-2.0"
    assert {"message", "title", "type", "url"} <= fields.keys()
    assert "authors:" in lines
