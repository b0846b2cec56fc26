"""Python files as the house rules see them: path, module name, syntax tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.require import ROOT

PRODUCT = ("graph", "schema", "web", "server.py")
BESIDE = ("tests", "bench")


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: str  # from the root, with slashes
    text: str

    @property
    def module(self) -> str:
        """Its dotted name; that of the package for an `__init__.py`."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text, self.path)


def read_sources(*roots: str) -> list[Source]:
    """Sources below these top-level files and folders, in order of path."""
    found: list[Path] = []
    for root in roots:
        path = ROOT / root
        found += [path] if path.suffix else path.rglob("*.py")
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(found)
        if path.exists()
    ]
