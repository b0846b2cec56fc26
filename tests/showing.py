"""How answers are shown in the documentation: on few lines, shortened by a stated rule."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 100
ENTRIES_SHOWN, CHARACTERS_SHOWN = 2, 100


def write_json(value: Any, indent: int = 0) -> str:
    """JSON with one line for whatever fits on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH - 10 or not isinstance(value, dict | list):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {write_json(v, indent + 2)}" for k, v in value.items()]
        return "{\n" + ",\n".join(inner + part for part in parts) + "\n" + " " * indent + "}"
    parts = [inner + write_json(item, indent + 2) for item in value]
    return "[\n" + ",\n".join(parts) + "\n" + " " * indent + "]"


def shorten(value: Any) -> Any:
    """Two entries of each list, and how many more; 100 characters of each text."""
    if isinstance(value, dict):
        return {name: shorten(each) for name, each in value.items()}
    if isinstance(value, list):
        more = len(value) - ENTRIES_SHOWN
        shown = [shorten(each) for each in value[:ENTRIES_SHOWN]]
        return [*shown, f"… {more} more"] if more > 0 else shown
    if isinstance(value, str) and len(value) > CHARACTERS_SHOWN:
        return value[:CHARACTERS_SHOWN] + "…"
    return value
