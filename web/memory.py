"""What the process keeps of the machine's memory beyond what it holds.

Floor 5. Only glibc can be told; elsewhere nothing happens.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from typing import Final

#: Numbers of the parameters of glibc's `mallopt`, as in malloc.h.
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
#: Arrays from this size on, in bytes, are mapped each for itself and given back when they go.
_MAPPED: Final = 2**20


def keep_little() -> None:
    """Let the process give back what it frees; before it starts threads.

    glibc raises the size from which it maps by itself as arrays go, up to 32 MiB, and gives each
    thread a heap: large arrays then leave holes between small ones in several heaps.
    """
    with contextlib.suppress(OSError, AttributeError):
        malloc = ctypes.CDLL(None)
        malloc.mallopt(_M_MMAP_THRESHOLD, _MAPPED)
        malloc.mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the machine what was needed for a while and is free now.

    A full collection empties Python's lists of spare objects, each of which holds a whole arena.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
