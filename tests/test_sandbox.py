"""What a worker gives up: each promise is tried in a process of its own."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys

import pytest

from graph.store import sandbox
from tests.require import ROOT

_ALLOW, _EACCES, _ENOSYS, _KILL = 0x7FFF0000, 0x0005000D, 0x00050026, 0x80000000
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that has given the system calls up."""
    start = "from graph.store import sandbox\nassert sandbox.deny_system_calls() is None\n"
    return subprocess.run(
        [sys.executable, "-c", start + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.needs("seccomp")
@pytest.mark.parametrize(
    "call",
    [
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
        "import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)",
        "import socket; socket.socketpair()",
        "import os; os.fork()",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.kill(os.getppid(), 0)",
        "import os; os.pidfd_open(os.getppid())",
        "import subprocess; subprocess.run(['true'])",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
    ],
)
def test_denied_calls_answer_permission_denied(call: str) -> None:
    done = run(call)
    assert done.returncode == 1
    assert "PermissionError" in done.stderr, done.stderr


@pytest.mark.needs("seccomp")
def test_files_threads_and_open_sockets_still_work() -> None:
    code = """
import pathlib, threading
assert pathlib.Path("graph/terms.py").read_text()
said = []
thread = threading.Thread(target=lambda: said.append(1))
thread.start(); thread.join()
print(said)
"""
    done = run(code)
    assert done.stdout == "[1]\n", done.stderr


@pytest.mark.needs("seccomp")
def test_open_sockets_stay_usable() -> None:
    code = """
import socket
from graph.store import sandbox
ours, theirs = socket.socketpair()
assert sandbox.deny_system_calls() is None
ours.sendall(b"yes"); print(theirs.recv(3))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "b'yes'\n", done.stderr


@pytest.mark.needs("seccomp")
def test_threads_that_run_already_are_confined_too() -> None:
    code = """
import socket, threading
from graph.store import sandbox
go, said = threading.Event(), []
def work():
    go.wait()
    try:
        socket.socket()
    except OSError as error:
        said.append(error.errno)
thread = threading.Thread(target=work); thread.start()
assert sandbox.deny_system_calls() is None
go.set(); thread.join(); print(said)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[13]\n", done.stderr


def test_memory_is_capped_above_what_is_held_and_the_cap_can_be_lifted() -> None:
    code = """
held = bytearray(300_000_000)
sandbox.cap_memory(100)
small = bytearray(50_000_000)
try:
    bytearray(200_000_000)
except MemoryError:
    print("capped")
sandbox.lift_memory_cap()
bytearray(200_000_000)
print("lifted", sandbox.resident_mb() > 300)
"""
    assert run(code).stdout == "capped\nlifted True\n"


def test_the_kernel_ends_a_process_at_its_alarm_even_in_c_code() -> None:
    done = run("sandbox.settle_in(); sandbox.set_alarm(0.2); sum(range(10**13))")
    assert done.returncode == -signal.SIGALRM


def test_an_alarm_can_be_called_off() -> None:
    code = "sandbox.settle_in(); sandbox.set_alarm(0.1); sandbox.set_alarm(0)\n"
    assert run(f"{code}import time; time.sleep(0.3); print('alive')").stdout == "alive\n"


def test_signals_of_a_stopping_server_do_not_end_a_worker() -> None:
    code = """
import signal, resource
sandbox.settle_in()
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.raise_signal(getattr(signal, name))
print(resource.getrlimit(resource.RLIMIT_CORE))
"""
    assert run(code).stdout == "(0, 0)\n"


@pytest.mark.needs("seccomp")
def test_a_worker_in_the_midst_of_its_work_ends_with_the_service() -> None:
    at_work = "from graph.store import sandbox; sandbox.settle_in(); print('begun', flush=True); "
    at_work += "sum(range(10**13))"
    service = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {at_work!r}]).wait()"
    )
    command = [sys.executable, "-c", service]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.kill()
        # The worker holds the other end of the pipe: its end is the end of the file.
        assert select.select([process.stdout], [], [], 30)[0], "it works on for nobody"
        assert process.stdout.read() == b""


def test_where_there_is_no_filter_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*machine[:4], "riscv64")))
    assert sandbox.deny_system_calls() == f"no system call filter for {sys.platform} on riscv64"


# --- the filter program, run here -------------------------------------------------------------


def evaluate(program: bytes, architecture: int, number: int, argument: int = 0) -> int:
    """What the kernel would answer: the few instructions that the filter uses."""
    data = {0: number, 4: architecture, 16: argument}
    instructions = list(struct.iter_unpack("HBBI", program))
    place, value = 0, 0
    while True:
        code, if_true, if_false, operand = instructions[place]
        place += 1
        match code:
            case 0x20:
                value = data[operand]
            case 0x15:
                place += if_true if value == operand else if_false
            case 0x35:
                place += if_true if value >= operand else if_false
            case 0x45:
                place += if_true if value & operand else if_false
            case 0x06:
                return int(operand)
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


@pytest.mark.parametrize(
    ("machine", "denied", "allowed", "clone"),
    [
        # socket, connect, execve, ptrace, bpf, io_uring_setup / read, openat, futex, exit_group
        ("x86_64", [41, 42, 57, 58, 59, 101, 321, 322, 425], [0, 257, 202, 231, 234], 56),
        ("aarch64", [198, 203, 221, 117, 280, 281, 425], [63, 56, 98, 94, 131], 220),
    ],
)
def test_the_filter_of_each_machine(
    machine: str, denied: list[int], allowed: list[int], clone: int
) -> None:
    program = sandbox.write_filter(machine)
    assert len(program) % 8 == 0
    architecture = _ARCHITECTURES[machine]
    for number in denied:
        assert evaluate(program, architecture, number) == _EACCES, number
    for number in allowed:
        assert evaluate(program, architecture, number) == _ALLOW, number
    assert evaluate(program, architecture, 435) == _ENOSYS
    assert evaluate(program, architecture, clone, 0x10000) == _ALLOW
    assert evaluate(program, architecture, clone, 0x11) == _EACCES
    assert evaluate(program, 0x40000003, 1) == _KILL
    assert evaluate(program, architecture, 0x40000000 + 41) == _EACCES
