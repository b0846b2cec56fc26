from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from graph.errors import StoreFullError, StoreUnavailableError
from graph.store.lock import Holder, StoreLock, read_holder

HOLD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from graph.store.lock import StoreLock
    lock = StoreLock(Path(sys.argv[1]), "serve", "http://127.0.0.1:8000")
    print("held", flush=True)
    sys.stdin.read()
    """
)


def _hold(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_store_and_what_to_do(tmp_path: Path) -> None:
    with _hold(tmp_path) as process:
        with pytest.raises(StoreUnavailableError) as refusal:
            StoreLock(tmp_path, "load")
        message = str(refusal.value)
        assert f"process {process.pid} (serve at http://127.0.0.1:8000)" in message
        assert "--store" in message
        assert read_holder(tmp_path) == Holder(process.pid, "serve", "http://127.0.0.1:8000")
        process.kill()


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    with _hold(tmp_path) as process:
        process.kill()
        process.wait()
    assert read_holder(tmp_path) is None
    with StoreLock(tmp_path, "load"):
        assert read_holder(tmp_path) == Holder(os.getpid(), "load")


def test_the_same_process_cannot_take_it_twice(tmp_path: Path) -> None:
    with StoreLock(tmp_path, "serve"), pytest.raises(StoreUnavailableError, match="in use"):
        StoreLock(tmp_path, "load")


def test_the_address_can_be_told_later(tmp_path: Path) -> None:
    with StoreLock(tmp_path, "serve", "a rather long address to begin with") as lock:
        lock.describe("http://[::1]:80")
        assert read_holder(tmp_path) == Holder(os.getpid(), "serve", "http://[::1]:80")
    lock.close()
    assert read_holder(tmp_path) is None


def test_an_unreadable_lock_file_still_holds(tmp_path: Path) -> None:
    with StoreLock(tmp_path, "serve"):
        (tmp_path / "lock").write_text("not JSON")
        assert read_holder(tmp_path) == Holder(0, "another process")
        with pytest.raises(StoreUnavailableError, match="in use by another process"):
            StoreLock(tmp_path, "load")


def test_nobody_holds_a_store_that_is_not_there(tmp_path: Path) -> None:
    assert read_holder(tmp_path / "absent") is None


def test_a_store_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="cannot be used"):
        StoreLock(tmp_path / "file" / "store", "serve")


def test_a_file_in_the_place_of_the_store_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("# Not a store")
    with pytest.raises(StoreUnavailableError, match=r"README\.md cannot be used"):
        read_holder(file)
    with pytest.raises(StoreUnavailableError, match=r"README\.md cannot be used"):
        StoreLock(file, "serve")
    assert file.read_text() == "# Not a store"


def fail(number: int) -> Callable[..., None]:
    def raise_error(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return raise_error


def test_a_full_disk_is_a_clear_error_and_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail(errno.ENOSPC))
        with pytest.raises(StoreFullError):
            StoreLock(tmp_path, "serve")
    with StoreLock(tmp_path, "serve") as lock:
        with monkeypatch.context() as patch:
            patch.setattr(os, "ftruncate", fail(errno.EDQUOT))
            with pytest.raises(StoreFullError):
                lock.describe("http://127.0.0.1:8000")
            lock.close()
        assert read_holder(tmp_path) is None


def test_a_file_system_without_locks_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lock").touch()
    monkeypatch.setattr(fcntl, "flock", fail(errno.ENOLCK))
    with pytest.raises(StoreUnavailableError, match="No locks available"):
        StoreLock(tmp_path, "serve")
    with pytest.raises(StoreUnavailableError, match="No locks available"):
        read_holder(tmp_path)
