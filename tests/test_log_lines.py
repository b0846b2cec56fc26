from __future__ import annotations

import io
import json
import logging
import sys
import time
from collections.abc import Iterator

import pytest

from graph.errors import SettingError
from web.log import CUT, JsonFormatter, PlainFormatter, configure_logging, redact

SECRETS = [
    "Authorization: Bearer abc.def-123",
    "authorization: abc.def-123",
    "Authorization: Basic YWJjZGVmOjEyMzQ=",
    "{'Authorization': 'Bearer abc.def-123'}",
    "[(b'authorization', b'Bearer abc.def-123'), (b'host', b'h')]",
    "Proxy-Authorization: abc.def-123",
    "Cookie: abc.def-123",
    "Set-Cookie: abc.def-123",
    "token=abc.def-123",
    '"token": "abc.def-123"',
    "password = abc.def-123",
    "failed with bearer abc.def-123",
    "GET /sparql?query=abc.def-123 HTTP/1.1",
    "http://127.0.0.1:8000/graphql?query=abc.def-123&x=1",
    '"/graphql?query=abc.def-123"',
]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, ours = logging.getLogger(), logging.getLogger("rhizome")
    before = root.handlers[:], root.level, ours.level
    yield io.StringIO()
    root.handlers[:], root.level, ours.level = before
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_and_query_strings_are_cut_out(text: str) -> None:
    clean = redact(text)
    assert "abc" not in clean
    assert "YWJj" not in clean
    assert CUT in clean


@pytest.mark.parametrize(
    "text",
    [
        "a valid token is needed",
        "is this right? yes",
        "loaded 120 statements from seeds/plant.trig",
        "<https://w3id.org/rhizome/id/cluster/x> is not a class",
        "deadline: 5 s",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "text", ["/" * 50_000, "a/" * 50_000, "token=" * 20_000, "bearer " * 20_000]
)
def test_redacting_a_hostile_text_costs_little(text: str) -> None:
    started = time.perf_counter()
    redact(text)
    assert time.perf_counter() - started < 10


def test_a_line_is_json_with_its_fields(stream: io.StringIO) -> None:
    configure_logging("info", stream)
    logger = logging.getLogger("rhizome.web")
    logger.info("request", extra={"fields": {"path": "/x?query=secret", "status": 200, "ms": 1.5}})
    line = json.loads(stream.getvalue())
    assert line["message"] == "request"
    assert line["level"] == "info"
    assert line["logger"] == "rhizome.web"
    assert (line["path"], line["status"], line["ms"]) == (f"/x?{CUT}", 200, 1.5)
    assert line["time"].endswith("Z")


@pytest.mark.parametrize("formatter", [JsonFormatter(), PlainFormatter()])
def test_a_trace_is_kept_and_cleaned(formatter: logging.Formatter) -> None:
    try:
        raise ValueError("Authorization: Bearer abc.def-123")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, "p", 1, "bug %s", ("x",), sys.exc_info())
    text = formatter.format(record)
    assert "Traceback" in text
    assert "bug x" in text
    assert "abc" not in text


def test_a_json_line_stays_one_line(stream: io.StringIO) -> None:
    configure_logging("info", stream)
    logging.getLogger("rhizome").warning("a\nb", extra={"fields": {"x": "c\nd"}})
    assert stream.getvalue().count("\n") == 1


def test_a_terminal_gets_plain_lines(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "isatty", lambda: True)
    configure_logging("info", stream)
    logging.getLogger("rhizome").info("started", extra={"fields": {"revision": 3}})
    assert stream.getvalue().endswith("info    started revision=3\n")


def test_levels_are_kept_and_others_refused(stream: io.StringIO) -> None:
    configure_logging("warning", stream)
    logging.getLogger("rhizome.web").info("unseen")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("other").info("unseen")
    assert stream.getvalue() == ""
    with pytest.raises(SettingError, match="log_level"):
        configure_logging("loud", stream)
