from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from graph.errors import (
    GoneError,
    RateLimitedError,
    RhizomeError,
    ShapeViolationError,
    StoreCorruptError,
    StoreUnavailableError,
    UnauthenticatedError,
    Violation,
)
from graph.settings import Settings
from web.problems import (
    ERROR_BASE,
    answer_bug,
    describe_error,
    encode_problem,
    handlers,
    title_of,
)

STORE = Path("/srv/data/rhizome")
HTML = {"Accept": "text/html,*/*;q=0.8"}


async def _raise(request: Request) -> Response:
    raise request.app.state.error


async def _nothing(request: Request) -> Response:
    return Response()


@pytest.fixture
def app() -> Starlette:
    app = Starlette(
        routes=[
            Route("/raise", _raise, methods=["GET", "POST"]),
            Route("/both", _nothing, methods=["GET"]),
            Route("/both", _nothing, methods=["POST"]),
        ],
        exception_handlers=handlers(),
    )
    settings = Settings.from_environment({}, store=STORE)
    app.state.service = SimpleNamespace(
        settings=settings, public_revision=3, version="0.1.0", has_other_licences=False
    )
    return app


@pytest.fixture
def client(app: Starlette) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def answer(client: TestClient, app: Starlette, error: Exception, **kwargs: Any) -> Any:
    app.state.error = error
    return client.get("/raise", **kwargs)


def test_a_problem_has_the_members_of_rfc_9457_and_the_error_s_fields() -> None:
    error = RateLimitedError("rate_api", 120, retry_after_s=1.5)
    problem = json.loads(encode_problem(describe_error(error)))
    assert problem == {
        "type": f"{ERROR_BASE}RATE_LIMIT",
        "title": title_of(RateLimitedError),
        "status": 429,
        "detail": "over the limit rate_api: at most 120",
        "code": "RATE_LIMIT",
        "limit": "rate_api",
        "allowed": 120,
        "retry_after_s": 1.5,
    }


def test_violations_are_told_as_data(client: TestClient, app: Starlette) -> None:
    violation = Violation(
        "<https://e.org/a>", "<https://e.org/p>", '"x"', "datatype", "Violation", "no"
    )
    response = answer(client, app, ShapeViolationError((violation,)))
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    (told,) = response.json()["violations"]
    assert told["focus_node"] == "<https://e.org/a>"
    assert told["constraint"] == "datatype"


def test_headers_follow_the_error(client: TestClient, app: Starlette) -> None:
    response = answer(client, app, RateLimitedError("x", 1, retry_after_s=3.2))
    assert (response.status_code, response.headers["retry-after"]) == (429, "4")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Accept, Accept-Language"
    response = answer(client, app, StoreUnavailableError("busy", retry_after_s=0.01))
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    response = answer(client, app, UnauthenticatedError())
    assert response.headers["www-authenticate"].startswith("Bearer")
    response = answer(client, app, GoneError("x"))
    assert "retry-after" not in response.headers


def test_an_unknown_path_is_not_found(client: TestClient) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response.json()["code"] == "NOT_FOUND"
    assert response.json()["detail"] == "not found: /nowhere"


def test_a_wrong_method_names_all_that_the_path_takes(client: TestClient) -> None:
    response = client.delete("/both")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, POST"
    assert response.json()["allowed"] == ["GET", "HEAD", "POST"]
    assert response.json()["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (HTML["Accept"], True),
        ("text/html", True),
        ("*/*", False),
        ("application/json, text/html;q=0.9", False),
        ("application/problem+json", False),
        ("text/turtle", False),  # no problem in Turtle: JSON then
        ("image/png;q=0", False),
    ],
)
def test_people_get_a_page_and_programs_get_json(
    client: TestClient, accept: str, is_page: bool
) -> None:
    response = client.get("/nowhere", headers={"Accept": accept})
    assert response.status_code == 404
    expected = "text/html; charset=utf-8" if is_page else "application/problem+json"
    assert response.headers["content-type"] == expected


def test_the_page_is_in_the_reader_s_language_and_escapes_what_was_asked(
    client: TestClient,
) -> None:
    response = client.get("/<script>alert(1)</script>", headers=HTML)
    assert "<script" not in response.text
    assert "&lt;script&gt;" in response.text
    response = client.get("/x?lang=fr", headers=HTML)
    assert '<html lang="fr">' in response.text
    assert response.headers["content-language"] == "fr"
    assert "Cela n’a pas fonctionné" in response.text
    response = client.get("/x?lang=klingon", headers={**HTML, "Accept-Language": "fr"})
    assert '<html lang="fr">' in response.text


def test_a_folder_of_the_server_is_not_told(client: TestClient, app: Starlette) -> None:
    error = StoreCorruptError(str(STORE / "log" / "headers"), "record 3 is damaged")
    response = answer(client, app, error)
    assert response.status_code == 500
    assert "/srv" not in response.text
    assert response.json()["detail"] == "<store>/log/headers: record 3 is damaged"
    assert str(STORE) in str(error)


def test_a_bug_tells_a_reference_and_nothing_else(
    app: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    scope = {"type": "http", "path": "/x", "headers": [], "app": app, "query_string": b""}
    try:
        raise KeyError("secret detail")
    except KeyError as error:
        bug: Exception = error
    response = answer_bug(Request(scope), bug)
    problem = json.loads(bytes(response.body))
    assert response.status_code == 500
    assert problem["code"] == "INTERNAL"
    assert "secret" not in bytes(response.body).decode()
    assert "KeyError" not in bytes(response.body).decode()
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.__dict__["fields"]["reference"] == problem["reference"]


def test_other_exceptions_of_the_framework_are_translated(
    client: TestClient, app: Starlette
) -> None:
    response = answer(client, app, HTTPException(400, "bad form"))
    assert (response.status_code, response.json()["code"]) == (400, "BAD_VALUE")
    assert "bad form" in response.json()["detail"]
    assert answer(client, app, ClientDisconnect()).status_code == 499


def test_an_error_s_title_is_its_docstring() -> None:
    assert title_of(GoneError) == "The thing asked for was there and is not any more."
    assert title_of(RhizomeError).startswith("Root of every error")
