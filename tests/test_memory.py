"""What a process gives back to the machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: Keeps each tenth of a hundred arrays of 2 MiB, after a larger one taught glibc to keep them all.
PROGRAM = """
import sys
import psutil
from web import memory
if sys.argv[1] == "keep_little":
    memory.keep_little()
taught = bytearray(30 << 20)
del taught
before = psutil.Process().memory_info().rss
arrays = [bytearray(b"x") * (2 << 20) for _ in range(100)]
arrays = arrays[::10]
if sys.argv[1] == "give_back":
    memory.give_back()
print((psutil.Process().memory_info().rss - before) >> 20)
"""


@pytest.mark.parametrize("step", ["keep_little", "give_back"])
def test_what_large_arrays_held_is_given_back(step: str) -> None:
    command = [sys.executable, "-c", PROGRAM, step]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    assert 20 <= int(done.stdout) <= 40  # MiB, of 200
