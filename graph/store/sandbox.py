"""What a worker process gives up: the network, other programs, memory, time.

Floor 1. Standard library only, since it runs in workers, whose start must be quick. The system
call filter (seccomp) is Linux's, on x86-64 and aarch64; elsewhere `deny_system_calls` says what
is missing and the text guard stands alone.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_SET_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1
_EACCES: Final = 13
_ENOSYS: Final = 38
_CLONE_THREAD: Final = 0x10000
_X32_ABI: Final = 0x40000000

# Instructions of the classic Berkeley Packet Filter, and what it may return.
_LOAD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_AT_LEAST: Final = 0x35
_JUMP_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_FAIL: Final = 0x00050000
_KILL: Final = 0x80000000
# Places in the `seccomp_data` that the filter reads.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_FIRST_ARGUMENT: Final = 16

# Numbers are the kernel's, from asm/unistd_64.h and asm-generic/unistd.h.
_SAME_EVERYWHERE: Final = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
}
_X86_64: Final = {
    "socket": 41,
    "connect": 42,
    "accept": 43,
    "bind": 49,
    "listen": 50,
    "socketpair": 53,
    "fork": 57,
    "vfork": 58,
    "execve": 59,
    "kill": 62,
    "ptrace": 101,
    "mount": 165,
    "tkill": 200,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "unshare": 272,
    "accept4": 288,
    "perf_event_open": 298,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "bpf": 321,
    "execveat": 322,
    "userfaultfd": 323,
}
_AARCH64: Final = {
    "mount": 40,
    "unshare": 97,
    "ptrace": 117,
    "kill": 129,
    "tkill": 130,
    "socket": 198,
    "socketpair": 199,
    "bind": 200,
    "listen": 201,
    "accept": 202,
    "connect": 203,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "execve": 221,
    "perf_event_open": 241,
    "accept4": 242,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "bpf": 280,
    "execveat": 281,
    "userfaultfd": 282,
}
_CLONE3: Final = 435
# Machine: (audit name of the architecture, number of seccomp, of clone, denied calls).
_MACHINES: Final = {
    "x86_64": (0xC000003E, 317, 56, _X86_64),
    "aarch64": (0xC00000B7, 277, 220, _AARCH64),
}


def deny_system_calls() -> str | None:
    """Deny sockets, other programs, new processes and kernel doors to this process for good.

    The answer to a denied call is "Permission denied". Threads can still be made; sockets and
    files that are open stay usable.

    Returns
    -------
    str or None
        What is missing where nothing could be denied; None when it is done.
    """
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in _MACHINES:
        return f"no system call filter for {sys.platform} on {machine}"
    _, seccomp, _, _ = _MACHINES[machine]
    program = write_filter(machine)
    text = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return f"no_new_privs: {os.strerror(ctypes.get_errno())}"
    # All threads: the engine has started some by now.
    if libc.syscall(seccomp, _SET_MODE_FILTER, _ALL_THREADS, header) != 0:
        return f"seccomp: {os.strerror(ctypes.get_errno())}"
    return None


def write_filter(machine: str) -> bytes:
    """Return the filter program of a machine, eight bytes an instruction."""
    architecture, _, clone, numbers = _MACHINES[machine]
    denied = sorted({**numbers, **_SAME_EVERYWHERE}.values())
    refuse = _instruction(_RETURN, _FAIL | _EACCES)
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_JUMP_EQUAL, architecture, if_true=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
        _instruction(_JUMP_AT_LEAST, _X32_ABI, if_false=1),
        refuse,
    ]
    for number in denied:
        program += [_instruction(_JUMP_EQUAL, number, if_false=1), refuse]
    # The arguments of clone3 cannot be read here; without it the C library falls back to clone.
    program += [
        _instruction(_JUMP_EQUAL, _CLONE3, if_false=1),
        _instruction(_RETURN, _FAIL | _ENOSYS),
        _instruction(_JUMP_EQUAL, clone, if_false=3),
        _instruction(_LOAD, _FIRST_ARGUMENT),
        _instruction(_JUMP_ANY_BIT, _CLONE_THREAD, if_true=1),
        refuse,
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(program)


def cap_memory(megabytes: int) -> None:
    """Let this process grow by so many megabytes from now on; a failed allocation aborts it.

    To be called after the store is open: under a cap the engine could not start its threads.
    """
    size = _virtual_size()
    if size is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size + megabytes * 1024 * 1024, hard))


def lift_memory_cap() -> None:
    """Take the cap away, to open another store."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def set_alarm(seconds: float) -> None:
    """Have the kernel kill this process in so many seconds; 0 calls it off."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def resident_mb() -> float:
    """Return the memory that this process holds, in megabytes; 0 where it cannot be read."""
    numbers = _memory_numbers()
    return numbers[1] * resource.getpagesize() / 1024 / 1024 if numbers else 0.0


def settle_in() -> None:
    """Leave no core file, and outlive the signals that stop the server: the end is its word."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    end_with_the_service()


def end_with_the_service() -> None:
    """Have the kernel end this process when the thread that started it ends.

    Idle workers see the end of their socket; one at work would go on for as long as it takes. So
    the thread that starts a worker has to live as long as the worker: that of the event loop, one
    that waits for the answer, or one of an executor that is closed with the service.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _instruction(code: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _virtual_size() -> int | None:
    numbers = _memory_numbers()
    return numbers[0] * resource.getpagesize() if numbers else None


def _memory_numbers() -> list[int]:
    """Pages of the process: all that are mapped, then those in memory."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib costs 10 ms of start
            return [int(number) for number in file.read().split()]
    except OSError:
        return []
