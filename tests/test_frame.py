from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from graph.errors import BadValueError, StoreUnavailableError
from graph.settings import Settings
from web import frame
from web.frame import CONTENT_SECURITY_POLICY, Frame, Revisions, read_revision
from web.limits import Limits
from web.problems import handlers
from web.service import Service


class Dataset:
    """As much of a dataset as the frame sees."""

    def __init__(self) -> None:
        self.revision = 3
        self.callbacks: list[Callable[..., None]] = []

    def on_commit(self, callback: Callable[..., None]) -> None:
        self.callbacks.append(callback)

    @property
    def levels(self) -> Any:
        return SimpleNamespace(revision=self.revision)

    def commit(self) -> None:
        self.revision += 1
        names = ("time", "agent", "activity", "message", "source")
        values = {**dict.fromkeys(names, ""), "added": (), "removed": ()}
        commit = SimpleNamespace(**values, revision=self.revision)
        for callback in self.callbacks:
            callback(commit, self.levels)


async def _plain(request: Request) -> Response:
    return Response("x")


async def _own(request: Request) -> Response:
    headers = {
        "Content-Security-Policy": "default-src 'none'",
        "Rhizome-Revision": "2",
    }
    return Response("x", headers=headers)


async def _bug(request: Request) -> Response:
    raise KeyError("secret")


async def _half(request: Request) -> Response:
    async def pieces() -> Any:
        yield b"first"
        raise KeyError("secret")

    return StreamingResponse(pieces())


async def _body(request: Request) -> Response:
    return Response(await request.body())


async def _needs_store(request: Request) -> Response:
    return Response(str(request.app.state.service.dataset.revision))


def make_app(**settings: Any) -> Starlette:
    service = Service(Settings.from_environment({}, **settings), None)  # type: ignore[arg-type]
    app = Starlette(
        routes=[
            Route("/", _plain),
            Route("/own", _own),
            Route("/bug", _bug),
            Route("/half", _half),
            Route("/sparql", _body, methods=["POST"]),
            Route("/data", _needs_store),
            Route("/health", _plain),
        ],
        middleware=[
            Middleware(Frame, service=service),
            Middleware(Limits, limiter=service.limiter),
            Middleware(Revisions, service=service),
        ],
        exception_handlers=handlers(),
    )
    app.state.service = service
    return app


@pytest.fixture
def app() -> Starlette:
    return make_app()


@pytest.fixture
def client(app: Starlette) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def dataset(app: Starlette, client: TestClient) -> Dataset:
    return open_dataset(app, client)


def open_dataset(app: Starlette, client: TestClient) -> Dataset:
    dataset = Dataset()
    parts: Any = SimpleNamespace(tokens=None, dataset=dataset, gate=None, pool=None)

    async def open_parts() -> None:
        app.state.service.open(parts, asyncio.get_running_loop())

    assert client.portal is not None
    client.portal.call(open_parts)
    return dataset


@pytest.mark.parametrize("path", ["/", "/own", "/bug", "/nowhere", "/data"])
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert policy == ("default-src 'none'" if path == "/own" else CONTENT_SECURITY_POLICY)
    assert "unsafe" not in policy


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    assert "default-src 'self'" in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY


def test_every_answer_names_the_revision(client: TestClient, dataset: Dataset) -> None:
    for path in ("/", "/bug", "/nowhere", "/health"):
        assert client.get(path).headers["rhizome-revision"] == "3"
    assert client.get("/own").headers.get_list("rhizome-revision") == ["2"]
    dataset.commit()
    assert client.get("/").headers["rhizome-revision"] == "4"


def test_while_the_store_opens_data_is_unavailable_and_health_is_not(client: TestClient) -> None:
    response = client.get("/data")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "opening the store" in response.json()["detail"]
    assert "rhizome-revision" not in response.headers
    assert client.get("/health").status_code == 200


class TestMinRevision:
    def test_a_revision_that_is_there_is_answered_at_once(
        self, client: TestClient, dataset: Dataset
    ) -> None:
        response = client.get("/data", headers={"Rhizome-Min-Revision": "3"})
        assert response.text == "3"

    def test_a_revision_that_comes_in_time_is_awaited(
        self, client: TestClient, dataset: Dataset
    ) -> None:
        timer = threading.Timer(0.2, dataset.commit)
        timer.start()
        started = time.monotonic()
        response = client.get("/data", headers={"Rhizome-Min-Revision": "4"})
        timer.join()
        assert response.text == "4"
        assert time.monotonic() - started > 0.1

    def test_a_revision_that_does_not_come_is_refused_after_the_wait(self) -> None:
        app = make_app(revision_wait_s=0.2)
        with TestClient(app) as client:
            open_dataset(app, client)
            started = time.monotonic()
            response = client.get("/data", headers={"Rhizome-Min-Revision": "9"})
        assert response.status_code == 503
        assert response.json()["detail"] == "revision 9 is not here yet; this is 3"
        assert response.headers["retry-after"] == "1"
        assert time.monotonic() - started >= 0.2

    def test_it_ends_when_the_service_stops(
        self, app: Starlette, client: TestClient, dataset: Dataset
    ) -> None:
        assert client.portal is not None
        stop = client.portal.start_task_soon
        threading.Timer(0.1, lambda: stop(_async(app.state.service.close))).start()
        response = client.get("/data", headers={"Rhizome-Min-Revision": "9"})
        assert response.status_code == 503

    @pytest.mark.parametrize("value", ["", "-1", "1.5", "latest", "9" * 16, "٣", "1 2"])
    def test_what_is_no_revision_is_refused(self, client: TestClient, value: str) -> None:
        headers = {b"Rhizome-Min-Revision": value.encode()}
        response = client.get("/", headers=headers)
        assert response.status_code == 400
        assert response.json()["name"] == "Rhizome-Min-Revision"
        with pytest.raises(BadValueError):
            read_revision(value)


def _async(function: Callable[[], Any]) -> Callable[[], Any]:
    async def call() -> None:
        function()

    return call


class TestCors:
    def test_anyone_may_read_answers_to_get_without_credentials(self, client: TestClient) -> None:
        headers = client.get("/", headers={"Origin": "https://elsewhere.example"}).headers
        assert headers["access-control-allow-origin"] == "*"
        assert "Rhizome-Revision" in headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in headers
        headers = client.post("/data", headers={"Origin": "https://elsewhere.example"}).headers
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-origin" not in client.post("/data").headers

    def test_preflight_allows_what_partner_tools_send(self, client: TestClient) -> None:
        asked = {
            "Origin": "https://elsewhere.example",
            "Access-Control-Request-Method": "POST",
        }
        response = client.options("/sparql", headers=asked)
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-allow-methods"] == "POST"
        allowed = response.headers["access-control-allow-headers"]
        assert {"Authorization", "Content-Type", "Rhizome-Min-Revision"} <= set(allowed.split(", "))
        assert client.options("/sparql").status_code == 405

    def test_preflight_allows_the_methods_of_the_path(self, client: TestClient) -> None:
        asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "PUT"}
        for path, methods in (("/data", "GET, HEAD"), ("/nowhere", "GET, HEAD, POST")):
            headers = client.options(path, headers=asked).headers
            assert headers["access-control-allow-methods"] == methods

    @pytest.mark.parametrize(
        ("origins", "origin", "allowed"),
        [
            ("https://a.example, https://B.example/", "https://a.example", "https://a.example"),
            ("https://a.example, https://B.example/", "https://b.example", "https://b.example"),
            ("https://a.example", "https://a.example.evil", None),
            ("https://a.example", "null", None),
            ("https://a.example", None, None),
            ("", "https://a.example", None),
        ],
    )
    def test_only_named_pages_may_ask_where_some_are_named(
        self, origins: str, origin: str | None, allowed: str | None
    ) -> None:
        app = make_app(cors_origins=origins)
        with TestClient(app) as client:
            headers = {} if origin is None else {"Origin": origin}
            for method in ("GET", "POST"):
                answer = client.request(method, "/", headers=headers).headers
                assert answer.get("access-control-allow-origin") == allowed
                assert ("Origin" in answer.get("vary", "")) == bool(origins)


class TestFailures:
    def test_a_bug_is_500_without_details_and_with_a_trace_in_the_log(
        self, client: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        response = client.get("/bug")
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert "secret" not in response.text
        assert [r.levelname for r in caplog.records if r.exc_info] == ["ERROR"]

    def test_a_bug_in_the_middle_of_an_answer_breaks_it_off(self, app: Starlette) -> None:
        with TestClient(app) as client, pytest.raises(KeyError):
            client.get("/half")

    def test_limits_are_answered_as_problems(self) -> None:
        app = make_app(sparql_body_bytes=10, rate_api=2)
        with TestClient(app) as client:
            response = client.post("/sparql", content=b"x" * 11)
            assert (response.status_code, response.json()["code"]) == (413, "PAYLOAD_LIMIT")
            assert response.headers["connection"] == "close"
            assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert client.post("/sparql", content=b"x" * 10).text == "x" * 10
            response = client.post("/sparql", content=b"x")
            assert (response.status_code, response.json()["code"]) == (429, "RATE_LIMIT")
            assert int(response.headers["retry-after"]) == 30
            assert client.get("/").status_code == 200

    def test_a_body_without_a_length_is_measured_as_it_comes(self) -> None:
        with TestClient(make_app(sparql_body_bytes=10)) as client:
            response = client.post("/sparql", content=iter([b"123456", b"789012"]))
            assert response.status_code == 413


class TestLog:
    def test_slow_and_failed_requests_are_logged_without_query_or_headers(
        self, client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caplog.set_level(logging.INFO, "rhizome.web")
        secret = {"Authorization": "Bearer hidden-token"}
        client.get("/?query=hidden-query", headers=secret)
        assert not caplog.records
        monkeypatch.setattr(frame, "SLOW_S", 0.0)
        client.get("/?query=hidden-query", headers=secret)
        (record,) = caplog.records
        fields = record.__dict__["fields"]
        assert (fields["method"], fields["path"], fields["status"]) == ("GET", "/", 200)
        assert "hidden" not in str(record.__dict__)

    def test_at_debug_every_request_is_logged(
        self, client: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "rhizome.web")
        client.get("/")
        assert [r.getMessage() for r in caplog.records] == ["request"]


def test_a_service_that_is_not_open_says_so() -> None:
    service = Service(Settings.from_environment({}), None)  # type: ignore[arg-type]
    assert not service.is_ready
    assert service.revision is None
    for part in ("dataset", "gate", "pool"):
        with pytest.raises(StoreUnavailableError):
            getattr(service, part)
