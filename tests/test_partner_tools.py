"""The steps of docs/partner-tools.md, run as they stand there, against a live server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.require import ROOT
from tests.running import Running

pytestmark = [pytest.mark.broad, pytest.mark.needs("curl"), pytest.mark.needs("venv")]
PAGE = ROOT / "docs" / "partner-tools.md"
CLIENTS = ROOT / "tests" / "clients"
LOCK = CLIENTS / "python" / "requirements.lock"
ADDRESS = "http://127.0.0.1:8000"
INSTALL = "venv/bin/pip install 'ariadne-codegen[subscriptions]'\n"
#: What the page installs as the tests pin it, and mypy.
PINNED = (
    "venv/bin/python -m pip -q --disable-pip-version-check --no-input install --no-deps "
    f"--require-hashes --only-binary :all: -r {LOCK}\n"
)
NPM_INSTALL = "npm install graphql graphql-sse\n"
NPM_PINNED = "npm ci --no-audit --no-fund --ignore-scripts\n"
#: What ariadne-codegen copies into each client is not typed as strictly as what it makes.
MYPY = "[mypy]\nstrict = True\n[mypy-rhizome_client.async_base_client]\nignore_errors = True\n"


class Reader:
    """Someone who does what the page says, in a folder of their own, with a server that runs."""

    def __init__(self, server: Running, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.token = ""

    def write_files(self, text: str) -> None:
        """Write the files of a chapter, each of the name that stands before it."""
        for block in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            language, content = block.groups()
            named = re.findall(r"`([\w.-]+\.\w+)`", text[: block.start()])
            if language != "sh":
                (self.folder / named[-1]).write_text(content, encoding="utf-8")

    def restart_server(self) -> None:
        """Stop the server as its operator would, and start it again on the same address."""
        port = self.server.address.rpartition(":")[2]
        self.server.stop()
        self.server.close()
        self.server = Running(self.server.store, "--port", port).ready()

    def run(self, command: str, timeout_s: float = 300) -> str:
        """Run a command of the page and return what it prints."""
        command = command.replace(ADDRESS, self.server.address)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RHIZOME_")}
        told = {"RHIZOME_URL": self.server.address, "RHIZOME_TOKEN": self.token}
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=self.folder,
            env=environment | told,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def write(self, name: str) -> str:
        """Run write.py for a cluster of another name, and return the identifier it got."""
        text = (self.folder / "write.py").read_text(encoding="utf-8")
        text = text.replace("Pôle Essai", name).replace("pole-essai-1", name.encode().hex())
        script = self.folder / "again.py"
        script.write_text(text, encoding="utf-8")
        told = self.run(f"venv/bin/python {script.name}")
        script.unlink()
        (written,) = re.findall(r"^written\t(.*)$", told, re.MULTILINE)
        return str(written)


def chapters() -> dict[str, str]:
    """The chapters of the page by their number."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))


def commands(number: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", chapters()[number], re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def server(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = tmp_path_factory.mktemp("partner-store") / "store"
    shutil.copytree(seeded_store, store)
    running = Running(store)
    try:
        yield running.ready()
    finally:
        running.close()


@pytest.fixture(scope="module")
def reader(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Someone who has done the steps up to the generated client."""
    reader = Reader(server, tmp_path_factory.mktemp("partner") / "partner-tool")
    reader.folder.mkdir()
    for number in chapters():
        reader.write_files(chapters()[number])
    install, generate = commands("3")
    assert INSTALL in install
    begin = "mkdir partner-tool && cd partner-tool\n"
    assert install.startswith(begin)
    install = install.removeprefix(begin).replace(INSTALL, PINNED)
    reader.run(install.replace("python3 -m venv", f"{sys.executable} -m venv"))
    reader.run(generate)
    (create, *_) = commands("5")
    create, _, export = create.partition("\n")
    assert export == "export RHIZOME_TOKEN=rhz_...\n"
    arguments = create.removeprefix("python ").split()
    made = subprocess.run(
        [sys.executable, *arguments, "--store", str(server.store)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.returncode == 0, made.stderr
    reader.token = made.stdout.strip().splitlines()[-1]
    try:
        yield reader
    finally:
        reader.server.close()


def test_the_page_serves_on_the_address_that_it_names() -> None:
    (serve,) = commands("1")
    assert serve == "make serve\n"
    assert f"`{ADDRESS}`" in chapters()["1"]


def test_one_asks_without_a_client(reader: Reader) -> None:
    (curl,) = commands("2")
    (found,) = json.loads(reader.run(curl))["data"]["search"]["nodes"]
    assert found["label"] == "VEGEPOLYS"


def test_the_client_that_is_made_is_typed(reader: Reader) -> None:
    """Strictly, so that a field that is none is found before the tool runs."""
    (reader.folder / "mypy.ini").write_text(MYPY, encoding="utf-8")
    files = sorted(path.name for path in reader.folder.glob("*.py"))
    assert {"read.py", "write.py", "live.py"} <= set(files)
    for name in files:
        assert "no issues found" in reader.run(f"venv/bin/python -m mypy {name}")
    text = (reader.folder / "read.py").read_text(encoding="utf-8")
    wrong = reader.folder / "misspelt.py"
    wrong.write_text(text.replace("cluster.label", "cluster.lable"), encoding="utf-8")
    told = reader.run(f"venv/bin/python -m mypy {wrong.name} || true")
    wrong.unlink()
    assert 'has no attribute "lable"' in told


def test_it_reads_a_list_page_by_page(reader: Reader) -> None:
    (command,) = commands("4")
    rows = [line.split("\t") for line in reader.run(command).splitlines()]
    assert len(rows) > 10
    assert "VEGEPOLYS VALLEY" in dict(rows)
    assert [name for name, _ in rows] == sorted((name for name, _ in rows), key=str.casefold)


def test_it_writes_and_is_told_what_is_wrong(reader: Reader) -> None:
    command = commands("5")[-1]
    rows = [line.split("\t") for line in reader.run(command).splitlines()]
    assert [row[0] for row in rows] == [
        *("refused", "written", "repeated", "read", "error", "error")
    ]
    assert rows[0][1] == "input.founded"
    assert rows[1][1].startswith("https://w3id.org/rhizome/id/organisation/")
    assert rows[2][1:] == ["True", "True"]
    assert rows[3][1:] == ["Pôle Essai"]
    assert rows[4][1:] == ["BAD_CURSOR"]
    assert rows[5][1:] in (["UNAUTHENTICATED"], ["401"])


def known_to(kept: Path, follower: Future[str]) -> int:
    """The revision that a script keeps, once it does; it must not have ended."""
    deadline = time.monotonic() + 60
    while not kept.exists() or not (text := kept.read_text(encoding="utf-8")):
        assert not follower.done(), follower.result()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(text)


def follow(reader: Reader, command: str) -> None:
    """Have a script tell of a write at once, of one after a restart, and of one it missed."""
    kept = reader.folder / "revision.txt"
    kept.unlink(missing_ok=True)
    assert command.endswith(" 1\n")
    command = f"exec {command}"  # so that a time limit ends the script, not its shell alone
    names = [f"Pôle {word} {command.split()[-2]}" for word in ("vu", "repris", "manqué")]
    with ThreadPoolExecutor() as pool:
        follower = pool.submit(reader.run, command.replace(" 1\n", " 2\n"), 120)
        begun = known_to(kept, follower)
        made = [reader.write(names[0])]
        deadline = time.monotonic() + 60
        while known_to(kept, follower) == begun:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        reader.restart_server()
        made.append(reader.write(names[1]))
        told = follower.result()
    made.append(reader.write(names[2]))
    told += reader.run(command, 120)
    rows = [line.split("\t") for line in told.splitlines()]
    assert rows == [["CREATED", *each] for each in zip(made, names, strict=True)]
    kept.write_text("1000000", encoding="utf-8")
    refused = reader.run(f"! ({command.strip()}) 2>&1", 60)
    assert "sinceRevision" in refused


def test_it_is_told_of_changes_in_python(reader: Reader) -> None:
    (command,) = commands("6")
    follow(reader, command)


@pytest.mark.needs("node")
@pytest.mark.needs("npm")
def test_it_is_told_of_changes_in_javascript(reader: Reader) -> None:
    """With the packages that the page names, as the lock of the other clients pins them."""
    install, command = commands("7")
    assert install == NPM_INSTALL
    pinned = json.loads((CLIENTS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert set(NPM_INSTALL.split()[2:]) <= set(pinned)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CLIENTS / name, reader.folder)
    reader.run(NPM_PINNED)
    follow(reader, command)


def test_it_asks_now_and_then(reader: Reader) -> None:
    (command,) = commands("8")
    assert "since: 1," in command
    known = json.loads(reader.server.get("/version").body)["revision"]
    made = reader.write("Pôle Suite")
    asked = reader.run(command.replace("since: 1,", f"since: {known},"))
    data = json.loads(asked)["data"]
    assert data["revision"] == known + 1
    (node,) = data["changes"]["nodes"]
    assert node == {"revision": known + 1, "entities": [{"id": made, "change": "STATED"}]}


def test_a_document_is_sent_once(reader: Reader) -> None:
    (command,) = commands("9")
    first, second = reader.run(command.replace("\nask\n", "\necho\nask\n")).splitlines()
    assert first == second
    assert json.loads(first)["data"]["cluster"]["label"] == "VEGEPOLYS VALLEY"
    (reader.folder / "cluster.graphql").write_text("query Never { revision }", encoding="utf-8")
    unknown = command.replace("ask --data-urlencode query@cluster.graphql\n", "")
    assert "PERSISTED_QUERY_NOT_FOUND" in reader.run(unknown)
    reader.write_files(chapters()["9"])
