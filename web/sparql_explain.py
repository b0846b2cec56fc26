"""How a SPARQL query is answered, told instead of its answer.

Floor 5. For tokens with the scope `explain`: what the guard found in the text, what the snapshot
counts for each of its patterns, and what the run took. The engine gives no plan away; what it can
tell is the time that it planned and answered, and the memory it took.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.to_thread
import orjson
from starlette.requests import Request
from starlette.responses import Response

from graph.access import Scope, Viewer
from graph.curation.mutations import require_scope
from graph.errors import BadValueError, RhizomeError
from graph.store.guard import Checked, check_query
from graph.store.patterns import Pattern, estimate, find_patterns, read_prefixes
from graph.store.query import ENGINE, Answer
from web.access import PRIVATE
from web.frame import REVISION
from web.problems import describe_error

if TYPE_CHECKING:
    from graph.store.matching import Beside
    from graph.store.snapshot import Snapshot
    from web.service import Service, Sparql

    #: All that a viewer can ask: what the snapshot holds, and what the engine's store does beside.
    Stated = tuple[Snapshot, Beside]

PARAMETER: Final = "explain"


def wants_explanation(request: Request) -> bool:
    """Tell whether a request asks for an explanation.

    Raises
    ------
    BadValueError
        The parameter is neither `true` nor `false`.
    """
    given = request.query_params.get(PARAMETER)
    if given not in (None, "true", "false"):
        raise BadValueError(PARAMETER, given[:40], "true or false")
    return given == "true"


async def explain_query(
    request: Request, viewer: Viewer, text: str, work: Callable[[], Awaitable[Answer]]
) -> Response:
    """Answer how a query is answered; `work` asks it.

    Raises
    ------
    UnauthenticatedError, ForbiddenError
        The token lacks the scope `explain`.
    QuerySyntaxError, QueryTooLargeError
        The guard does not let it pass.
    """
    require_scope(viewer, Scope.EXPLAIN)
    service: Sparql = request.app.state.service
    checked = check_query(text, service.settings)
    patterns = find_patterns(text, service.settings)
    stated = None if service.is_plain else _find_stated(cast("Service", service), viewer)
    began = time.perf_counter()
    answer: Answer | None = None
    error: RhizomeError | None = None
    try:
        answer = await work()
    except RhizomeError as raised:
        error = raised
    seconds = time.perf_counter() - began
    describe = partial(describe_text, text, checked, patterns, stated)
    told = {
        "query": await anyio.to_thread.run_sync(describe),
        "run": _describe_run(answer, error, seconds, viewer.query_deadline_s),
        "engine": _describe_engine(answer),
    }
    headers = {"Cache-Control": PRIVATE, "Vary": "Authorization"}
    if answer is not None:
        headers[REVISION] = str(answer.revision)
    return Response(orjson.dumps(told), headers=headers, media_type="application/json")


def describe_text(
    text: str, checked: Checked, patterns: list[Pattern], stated: Stated | None
) -> dict[str, Any]:
    """Return what is found in a text: its form, graphs and patterns, with their estimates."""
    prefixes = read_prefixes(checked.prologue)

    def describe(pattern: Pattern) -> dict[str, Any]:
        return {
            "pattern": pattern.text,
            "line": pattern.line,
            "column": pattern.column,
            "isPath": pattern.is_path,
            "estimate": None if stated is None else estimate(pattern, prefixes, *stated),
        }

    return {
        "form": checked.form,
        "characters": len(text),
        "from": list(checked.from_graphs),
        "fromNamed": list(checked.from_named_graphs),
        "paths": sum(pattern.is_path for pattern in patterns),
        "patterns": [describe(pattern) for pattern in patterns],
    }


def _find_stated(service: Service, viewer: Viewer) -> Stated:
    return service.dataset.snapshot_for(viewer), service.beside


def _describe_run(
    answer: Answer | None, error: RhizomeError | None, seconds: float, deadline_s: float
) -> dict[str, Any]:
    run: dict[str, Any] = {
        "outcome": "answered" if error is None else error.code,
        "ms": _ms(seconds),
        "deadlineMs": _ms(deadline_s),
    }
    if error is not None:
        return {**run, "error": describe_error(error)}
    assert answer is not None
    run |= {
        "rows": answer.rows,
        "bytes": len(answer.body),
        "isTruncated": answer.is_truncated,
        "revision": answer.revision,
    }
    if answer.taken is not None:  # an external server has no lanes
        taken = answer.taken
        run |= {
            "lane": taken.lane,
            "waitedMs": _ms(taken.waited_s),
            "fastLaneMs": _ms(taken.given_up_s),
            "workerMs": _ms(answer.seconds),
        }
    return run


def _describe_engine(answer: Answer | None) -> dict[str, Any]:
    if answer is not None and answer.taken is None:  # nor does it say what it is
        return {"name": "a SPARQL server of others"}
    engine: dict[str, Any] = dict(zip(("name", "version"), ENGINE, strict=True))
    if answer is not None and answer.taken is not None:
        taken = answer.taken
        engine |= {
            "planMs": _ms(taken.plan_s),
            "answerMs": _ms(taken.answer_s),
            "memoryMb": round(taken.grown_mb, 1),
        }
    return engine


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
