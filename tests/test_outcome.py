"""What the refusals and deaths of workers are told as."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from graph.errors import (
    ForbiddenError,
    NotAcceptableError,
    NotFoundError,
    ParseError,
    PayloadTooLargeError,
    QueryMemoryError,
    QuerySyntaxError,
    QueryTimeoutError,
    QueryTooLargeError,
    RhizomeError,
    StoreCorruptError,
    StoreUnavailableError,
    UnknownTermError,
)
from graph.settings import Settings
from graph.store.outcome import (
    explain_opening,
    explain_parse_death,
    explain_parse_refusal,
    explain_query_death,
    explain_query_refusal,
)
from graph.store.process import WorkerDiedError

SETTINGS = Settings()
Outcome = type[RhizomeError]


@pytest.mark.parametrize(
    ("status", "words", "query", "upload"),
    [
        (-signal.SIGALRM, "", QueryTimeoutError, PayloadTooLargeError),
        (-signal.SIGABRT, "memory allocation of 9 bytes", QueryMemoryError, PayloadTooLargeError),
        (-signal.SIGKILL, "", QueryMemoryError, PayloadTooLargeError),
        (
            -signal.SIGABRT,
            "thread has overflowed its stack",
            QuerySyntaxError,
            PayloadTooLargeError,
        ),
        (-signal.SIGSEGV, "", QuerySyntaxError, PayloadTooLargeError),
        (-signal.SIGBUS, "", QuerySyntaxError, PayloadTooLargeError),
        (1, "Traceback", StoreUnavailableError, StoreUnavailableError),
        (0, "", StoreUnavailableError, StoreUnavailableError),
    ],
)
def test_deaths(status: int, words: str, query: Outcome, upload: Outcome) -> None:
    died = WorkerDiedError(status, words)
    assert type(explain_query_death(died, 5.0, 512)) is query
    assert type(explain_parse_death(died, "a file", SETTINGS)) is upload


def test_deaths_name_the_limit() -> None:
    timer, memory = WorkerDiedError(-signal.SIGALRM), WorkerDiedError(-signal.SIGABRT)
    assert "after 5 s" in explain_query_death(timer, 5.0, 512).message
    assert "512 MB" in explain_query_death(memory, 5.0, 512).message
    assert "parse_deadline_s" in explain_parse_death(timer, "a file", SETTINGS).message
    assert "parse_memory_mb" in explain_parse_death(memory, "a file", SETTINGS).message


@pytest.mark.parametrize(
    ("error", "detail", "kind"),
    [
        ("memory", "", QueryMemoryError),
        ("statements", "", QueryTooLargeError),
        ("syntax", "error at 1:1: expected SELECT", QuerySyntaxError),
        ("syntax", "something else", QuerySyntaxError),
        ("evaluation", "The custom function <http://e/f> is not supported", UnknownTermError),
        ("evaluation", "The graph <http://e/g> does not exist", NotFoundError),
        ("absent", "", NotFoundError),
        ("unwritable", "a literal holds a control character", NotAcceptableError),
        ("engine", "A URI scheme must be set, found about:invalid", ForbiddenError),
        ("evaluation", "The function <http://e/corruption> is not supported", QuerySyntaxError),
        ("evaluation", "Corruption: no such file, checksum mismatch", QuerySyntaxError),
        ("damage", "Corruption: block checksum mismatch", StoreCorruptError),
        ("damage", "IO error: No such file or directory: 000012.sst", StoreCorruptError),
        ("engine", "Corruption: no such file", StoreUnavailableError),
        ("answer", "", QueryTooLargeError),
        ("engine", "Permission denied (os error 13)", ForbiddenError),
        ("engine", "anything", StoreUnavailableError),
    ],
)
def test_refused_queries(error: str, detail: str, kind: Outcome) -> None:
    answer: dict[str, Any] = {"error": error, "detail": detail}
    assert type(explain_query_refusal(answer, "ASK {}", 512)) is kind


@pytest.mark.parametrize(
    ("error", "detail", "kind"),
    [
        ("nesting", "", PayloadTooLargeError),
        ("memory", "", PayloadTooLargeError),
        ("syntax", "Parser error at line 2 column 5: x is wrong (line 2)", ParseError),
        ("evaluation", "not an IRI", ParseError),
        ("engine", "Input/output error", StoreUnavailableError),
    ],
)
def test_refused_uploads(error: str, detail: str, kind: Outcome) -> None:
    answer: dict[str, Any] = {"error": error, "detail": detail, "line": 2, "column": 5}
    assert type(explain_parse_refusal(answer, "a file", "Turtle", SETTINGS)) is kind


def test_the_parsers_sentence_is_told_without_its_place() -> None:
    detail = "Parser error at line 2 between columns 5 and 9: x is wrong (line 2)"
    answer: dict[str, Any] = {"error": "syntax", "detail": detail, "line": 2, "column": 5}
    error = explain_parse_refusal(answer, "a file", "Turtle", SETTINGS)
    assert error.message == "a file (Turtle): x is wrong (line 2, column 5)"


@pytest.mark.parametrize(
    ("text", "detail", "told"),
    [
        ("ASK {}\nLIMIT x", 'error at 2:7: expected one of OFFSET, ["0"..="9"]', "unexpected 'x'"),
        ("ASK { ?a ?b ?c }", "error at 1:17: expected [_]", "something is missing"),
        ("ASK {}", "error at 1:4: expected one of The SELECT overrides a variable", "overrides"),
        ("ASK {}", "error at 9:4: expected [_]", "something is missing"),
    ],
)
def test_the_engines_sentences_are_shortened(text: str, detail: str, told: str) -> None:
    error = explain_query_refusal({"error": "syntax", "detail": detail}, text, 512)
    assert isinstance(error, QuerySyntaxError)
    assert told in error.detail
    assert len(error.message) < 100


def test_a_damaged_place_is_named() -> None:
    error = explain_opening({"error": "damage", "detail": "Corruption: x"}, "a checkpoint")
    assert isinstance(error, StoreCorruptError)
    assert error.path == "a checkpoint"
