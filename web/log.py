"""Logs: one line an event, JSON for machines and plain for a terminal, never a secret.

Floor 5. Records carry their data in `extra={"fields": {...}}`. Query strings and credentials are
cut out of every line, traces included, wherever they came from.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import Final, TextIO

import orjson

from graph.errors import SettingError

LEVELS: Final = ("debug", "info", "warning", "error")
#: What stands in for what was cut out.
CUT: Final = "[cut]"

_SECRETS = (
    # a credential of any spelling: header line, dict entry, pair of bytes
    (
        re.compile(
            r"""(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|token|password|secret)"""
            r"""(["']?\s{0,9}[:=,]\s{0,9}(?:b(?=["']))?["']?)((?:bearer|basic|digest)\s+)?[^\s"',;)\]}]+"""
        ),
        rf"\1\2{CUT}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {CUT}"),
    # a token of ours wherever it stands; its public identifier may stay
    (re.compile(r"(rhz_[0-9A-Za-z]{8})_[0-9A-Za-z]{6,}"), rf"\1{CUT}"),
    # the query string of a URL or a path
    (
        re.compile(r"""((?:[a-z]{2,9}://|(?<![\w<])/)[^\s?"'<>]{0,500})\?[^\s"'<>]+"""),
        rf"\1?{CUT}",
    ),
)


def redact(text: str) -> str:
    """Return a text without credentials and query strings.

    Examples
    --------
    >>> redact("GET /sparql?query=SELECT with Authorization: Bearer abcdef123456")
    'GET /sparql?[cut] with Authorization: [cut]'
    """
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the fields, the trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, object] = {
            "time": _time(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in getattr(record, "fields", {}).items():
            line[name] = value if isinstance(value, int | float) else redact(str(value))
        if record.exc_info:
            line["trace"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str).decode()


class PlainFormatter(logging.Formatter):
    """The same for people: time, level, message, `name=value` pairs, the trace beneath."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        pairs = "".join(f" {name}={value}" for name, value in getattr(record, "fields", {}).items())
        text = f"{record.getMessage()}{pairs}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return f"{_time(record, '%H:%M:%S')} {record.levelname.lower():7} {redact(text)}"


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send the logs of the process to a stream (standard error), plain where it is a terminal.

    Raises
    ------
    SettingError
        The level is not one of `LEVELS`.
    """
    if level not in LEVELS:
        raise SettingError("log_level", level, f"one of {', '.join(LEVELS)}")
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainFormatter() if stream.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("rhizome").setLevel(level.upper())
    # What uvicorn warns of (requests that cannot be read) is the client's fault, not ours.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _time(record: logging.LogRecord, pattern: str) -> str:
    clock = time.strftime(pattern, time.gmtime(record.created))
    return f"{clock}.{int(record.msecs):03d}Z"
