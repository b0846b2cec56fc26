"""Payloads of the log: the change of one graph as RDF Patch lines, gzipped when large.

Floor 1. `A <s> <p> <o> <g> .` adds a quad and `D ...` removes one, so that other tools read the
files; a payload is a run of such lines with a salted digest. Nothing here knows of commits.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import batched as _batched  # type: ignore[attr-defined,unused-ignore]
from typing import Final

from graph.terms import Quad

#: Payloads above this many bytes are gzipped.
PLAIN_BYTES: Final = 64 * 1024
_LINES_AT_ONCE: Final = 8_192
_READ_BYTES: Final = 1024 * 1024
_GZIP: Final = 31  # zlib's name for a gzip member with the largest window
_LEVEL: Final = 3
