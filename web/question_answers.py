"""Asks a question of the library as everybody asks: same limits, threads, workers and rates.

Floor 5. What GraphQL gives comes by the way of any GraphQL request, what SPARQL alone gives from
the workers; out come rows. Who looks at them, and how, is for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request

from graph.access import Scope
from graph.errors import (
    BadValueError,
    ForbiddenError,
    QueryTooLargeError,
    UnauthenticatedError,
)
from schema.question import Question
from schema.rows import Row
from schema.tabulated import read_solutions
from web.access import viewer_of
from web.graphql import answer_request
from web.sparql import answer_text

if TYPE_CHECKING:
    from web.service import Service

Values = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows of the tables that were asked for, by the place of the table.

    `is_cut` tells that more pages, or more rows, would have followed.
    """

    tables: Mapping[int, Sequence[Row]]
    is_cut: bool


def require_scopes(request: Request, question: Question) -> None:
    """Refuse who may not ask a question, or a question that would be written with.

    Raises
    ------
    UnauthenticatedError, ForbiddenError
        It needs a token, or one with more scopes.
    BadValueError
        It is a mutation, which no address runs.
    """
    if Scope.WRITE in question.scopes:
        expected = "a question that an address asks: send its document to /graphql by POST"
        raise BadValueError("question", question.name, expected)
    service: Service = request.app.state.service
    viewer = viewer_of(request.scope, service.visitor)
    for scope in question.scopes:
        if viewer.is_anonymous:
            raise UnauthenticatedError(f"this question needs a token with the scope {scope}")
        if scope not in viewer.scopes:
            raise ForbiddenError(f"asking {question.name}", scope)


async def ask(request: Request, question: Question, values: Values, places: Sequence[int]) -> Asked:
    """Return the rows of some tables of a question, texts in its language where there are several.

    Raises
    ------
    RhizomeError
        What stood in the way: a limit, a deadline, a rate, a token that is needed.
    """
    require_scopes(request, question)
    service: Service = request.app.state.service
    question.require_known(values, service.view_for(request.scope).snapshot)
    tables: dict[int, Sequence[Row]] = {}
    is_cut = False
    data: Mapping[str, Any] | None = None
    for place in places:
        table = question.tables[place]
        if table.paths:
            if data is None:
                data, is_cut = await _ask_graphql(request, question, values)
            tables[place] = table.answer_rows(data)
        else:
            text = question.sparql(table, values)
            answer = (await answer_text(request, text, "json")).answer
            is_cut = is_cut or answer.is_truncated
            tables[place] = table.solution_rows(*read_solutions(answer.body))
    return Asked(tables, is_cut)


async def _ask_graphql(
    request: Request, question: Question, values: Values
) -> tuple[Mapping[str, Any], bool]:
    """Return the data of the document, pages followed as far as is allowed, and whether cut."""
    service: Service = request.app.state.service
    data = await _answer(request, question, values)
    left = service.settings.question_pages - 1
    while question.pages is not None and data[question.pages]["pageInfo"]["hasNextPage"]:
        if left <= 0:
            return data, True
        left -= 1
        known = data[question.pages]
        after = {**values, "after": known["pageInfo"]["endCursor"]}
        page = (await _answer(request, question, after))[question.pages]
        data[question.pages] = {**page, "nodes": [*known["nodes"], *page["nodes"]]}
    return data, False


async def _answer(request: Request, question: Question, values: Values) -> dict[str, Any]:
    variables = question.document_variables(values)
    asked: dict[str, object] = {"query": question.graphql, "variables": variables}
    language = question.language.encode()
    headers = {**dict(request.scope["headers"]), b"accept-language": language}
    found = await answer_request(asked, headers, request.scope)
    if found.answer.error is not None:
        raise found.answer.error
    body = orjson.loads(found.body)
    if errors := body.get("errors"):
        error = errors[0]
        if error.get("extensions", {}).get("code") == QueryTooLargeError.code:
            raise QueryTooLargeError("graphql_nodes", _nodes_max(request), place=question.name)
        raise BadValueError("question", question.name, f"answered: {error['message'][:200]}")
    data: dict[str, Any] = body["data"]
    return data


def _nodes_max(request: Request) -> int:
    """Return how many nodes one operation of the caller may produce."""
    service: Service = request.app.state.service
    return viewer_of(request.scope, service.visitor).nodes_max
