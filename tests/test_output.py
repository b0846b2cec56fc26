"""Where output goes: files appear whole or not at all, and what is no file stays what it is."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.errors import BadValueError, StoreFullError, StoreUnavailableError
from tests.require import ROOT
from web.output import open_output


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def write(out: Path, content: bytes = b"new") -> None:
    with open_output(out) as output:
        output.write(content)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("umask")
def test_a_new_file_gets_what_the_umask_leaves(tmp_path: Path) -> None:
    write(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert mode(tmp_path / "x") == 0o640
    assert names(tmp_path) == ["x"]


@pytest.mark.usefixtures("umask")
def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old and longer")
    (tmp_path / "x").chmod(0o604)
    write(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert mode(tmp_path / "x") == 0o604


def test_a_longest_name_can_be_written(tmp_path: Path) -> None:
    write(tmp_path / ("x" * 255))
    assert names(tmp_path) == ["x" * 255]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, is_there: bool) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "x", tmp_path / "link"
    if is_there:
        target.write_bytes(b"old")
    link.symlink_to(Path("far") / "x")
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "far") == ["x"]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join(10)
    assert read == [b"new"]
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    before = os.stat("/dev/null")  # noqa: PTH116 - the very name is meant
    write(Path("/dev/null"))
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    write(link)
    assert link.is_symlink()
    assert Path("/dev/null").stat().st_ino == before.st_ino
    assert Path("/dev/null").is_char_device()


def test_a_full_device_is_told() -> None:
    with pytest.raises(StoreUnavailableError, match="/dev/full: No space left on device"):
        write(Path("/dev/full"))
    with pytest.raises(StoreUnavailableError, match="incomplete"):
        write(Path("/dev/full"), b"x" * 1_000_000)


def test_what_cannot_be_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"")
    for place in ("", "no/x", "loop", "file/x", "x" * 300, "a\0b"):
        with pytest.raises(BadValueError, match="--out"):
            write(tmp_path / place)
    assert names(tmp_path) == ["file", "loop"]


def test_a_break_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(TypeError), open_output(tmp_path / "x") as output:
        list(map(output.write, (b"x" * 1_000_000, None)))  # type: ignore[arg-type]
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_errors_of_those_who_write_stay_theirs(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not ours"), open_output(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "not ours")


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "x").write_bytes(b"old")
    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fill)
        with pytest.raises(StoreFullError):
            write(tmp_path / "x")
    else:
        code = (
            "import resource, sys; from pathlib import Path"
            "\nfrom graph.errors import StoreFullError"
            "\nfrom web.output import open_output"
            "\nresource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))"
            "\ntry:\n  with open_output(Path(sys.argv[1])) as output: output.write(b'x' * 100_000)"
            "\nexcept StoreFullError: print('full')"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "x")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stdout == "full\n", done.stderr
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_standard_output_that_is_full_is_one_sentence() -> None:
    """The command's own code 5, not the interpreter's 120 at the end."""
    code = (
        "import sys; from web.output import open_output; from graph.errors import StoreError"
        "\ntry:\n  with open_output(None) as output: output.write(b'x')"
        "\nexcept StoreError as error: print(error, file=sys.stderr); sys.exit(error.exit_code)"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 5
    assert done.stderr == (
        "standard output: No space left on device; what was written is incomplete\n"
    )
