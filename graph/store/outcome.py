"""What a worker's refusal or death means to the one who asked: errors of our tree.

Floor 1. The engine's messages are long and speak of its grammar; here they become one sentence
with a place. Nothing here talks to a worker.
"""

from __future__ import annotations

import logging
import re
import signal
from typing import Any, Final

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
    StoreError,
    StoreUnavailableError,
    UnknownTermError,
)
from graph.settings import Settings
from graph.store.process import TooMuchSentError, WorkerDiedError
from graph.store.query import ANSWER_BYTES
from graph.store.tokens import LANGUAGE
from graph.store.updates import refused_load

_logger = logging.getLogger(__name__)

#: Statements that the graphs of several FROM may hold together: they are merged for the query.
MERGED_STATEMENTS: Final = 200_000

_PLACE: Final = re.compile(r"error at (\d+):(\d+): expected (?:one of )?", re.ASCII)
# Among what the engine expected stand its sentences: some words with spaces between them.
_SENTENCE: Final = re.compile(r"[A-Z][a-zA-Z]*(?: [a-zA-Z]+){2,}")
_NO_GRAPH: Final = re.compile(r"The graph <([^>]*)> does not exist")
_NO_FUNCTION: Final = re.compile(r"The custom function <([^>]*)> is not supported")
_EXCERPT: Final = 60
_ENDED_BY_FAULT: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)


def explain_query_death(died: WorkerDiedError, deadline_s: float, memory_mb: int) -> RhizomeError:
    """Return the error for a query whose worker ended."""
    if isinstance(died, TooMuchSentError):
        return _answer_too_large()
    if died.status == -signal.SIGALRM:
        return QueryTimeoutError(deadline_s)
    if "stack" in died.words or -died.status in _ENDED_BY_FAULT:
        detail = "the engine cannot evaluate this query: it is nested too deeply"
        return QuerySyntaxError(LANGUAGE, detail)
    # A failed allocation aborts; the system's own guard against want of memory kills.
    if died.status in (-signal.SIGABRT, -signal.SIGKILL):
        return QueryMemoryError(memory_mb)
    _logger.error("%s", died)
    return StoreUnavailableError("a query worker ended unexpectedly; try again")


def explain_query_refusal(answer: dict[str, Any], text: str, memory_mb: int) -> RhizomeError:
    """Return the error for a query that a worker refused."""
    detail = str(answer["detail"])
    match answer["error"]:
        case "syntax":
            return _explain_syntax(detail, text)
        case "memory":
            return QueryMemoryError(memory_mb)
        case "answer":
            return _answer_too_large()
        case "passed":
            return QueryTooLargeError("sparql_token_rows, sparql_token_bytes", 0)
        case "statements":
            return QueryTooLargeError("statements of FROM graphs", MERGED_STATEMENTS)
        case "evaluation":
            return _explain_evaluation(detail)
        case "changes":
            return QueryTooLargeError("sparql_changes", int(answer.get("most", 0)))
        case "absent":
            return NotFoundError(text[:200] or "the default graph")
        case "unwritable":
            return NotAcceptableError(f"this format ({detail[:200]})", ("text/turtle",))
        case "engine" if refused_load(detail):
            return ForbiddenError("to LOAD: nothing is fetched from elsewhere")
        case "engine" if "Permission denied" in detail:
            return ForbiddenError("to reach the network from a query")
    return explain_opening(answer)


def explain_opening(answer: dict[str, Any], path: str = "the SPARQL store") -> StoreError:
    """Return the error for a checkpoint that a worker could not open or read."""
    detail = str(answer["detail"])[:300]
    if answer["error"] == "damage":  # the worker goes by the kind of the engine's exception
        return StoreCorruptError(path, detail)
    return StoreUnavailableError(f"the SPARQL engine failed: {detail}")


def explain_parse_death(died: WorkerDiedError, source: str, settings: Settings) -> RhizomeError:
    """Return the error for an upload whose worker ended."""
    if died.status == -signal.SIGALRM:
        limit = settings.parse_deadline_s
        return PayloadTooLargeError("parse_deadline_s", limit, place=source)
    if -died.status in (signal.SIGABRT, signal.SIGKILL, *_ENDED_BY_FAULT):
        return PayloadTooLargeError("parse_memory_mb", settings.parse_memory_mb, place=source)
    _logger.error("%s", died)
    return StoreUnavailableError("the worker that reads files ended unexpectedly; try again")


def explain_parse_refusal(
    answer: dict[str, Any], source: str, format: str, settings: Settings
) -> RhizomeError:
    """Return the error for an upload that cannot be read."""
    line, column = answer.get("line"), answer.get("column")
    match answer["error"]:
        case "nesting":
            place = f"{source}, line {line}, column {column}"
            return PayloadTooLargeError("nested_nodes", settings.nested_nodes, place=place)
        case "memory":
            return PayloadTooLargeError("parse_memory_mb", settings.parse_memory_mb, place=source)
        case "syntax" | "evaluation":
            return ParseError(source, format, _shorten(str(answer["detail"])), line, column)
    return StoreUnavailableError(f"the file cannot be read now: {answer['detail']}")


def _explain_evaluation(detail: str) -> RhizomeError:
    """Return what is wrong with a text that is well formed and cannot be evaluated."""
    graph = _NO_GRAPH.search(detail)
    if graph is not None:
        return NotFoundError(graph[1][:200])
    function = _NO_FUNCTION.search(detail)
    if function is not None:
        return UnknownTermError("function", function[1][:200], ())
    return QuerySyntaxError(LANGUAGE, detail[:300])


def _answer_too_large() -> QueryTooLargeError:
    return QueryTooLargeError("bytes of one row of the answer", ANSWER_BYTES)


def _explain_syntax(detail: str, text: str) -> QuerySyntaxError:
    """Return what is wrong where, from the engine's list of all that it had expected."""
    found = _PLACE.match(detail)
    if found is None:
        return QuerySyntaxError(LANGUAGE, detail[:300])
    line, column = int(found[1]), int(found[2])
    lines = text.split("\n")
    excerpt = lines[line - 1] if line <= len(lines) else ""
    rest = excerpt[column - 1 :].split()
    said = _SENTENCE.search(detail, found.end())
    if said is not None:
        words = said[0]
    elif rest:
        words = f"unexpected {rest[0][:20]!r}"
    else:  # the engine names the end of the text for much that is wrong before it
        return QuerySyntaxError(LANGUAGE, "something is missing or out of place")
    start = max(0, column - 1 - _EXCERPT // 2)
    return QuerySyntaxError(LANGUAGE, words, line, column, excerpt[start : start + _EXCERPT])


def _shorten(detail: str) -> str:
    """The parser's sentence without the place, which has fields of its own."""
    if "LoadDocumentCallback" in detail:
        return "remote JSON-LD contexts are not fetched: write the context into the document"
    return re.sub(r"^Parser error at line \d+[^:]*: ", "", detail).partition(" (line ")[0][:300]
