"""The whole application on the seeds: what holds for every route."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from graph.settings import Settings
from graph.shapes import load_model
from tests.seeded import serve
from web.app import create_app, list_routes
from web.frame import CONTENT_SECURITY_POLICY
from web.service import Service

PATHS = sorted({route.path for route in list_routes() if "{" not in route.path})
#: What is answered whatever the query string says.
PLAIN = ("/", "/export", "/report", "/health", "/ready", "/version", "/schema.graphql")


@pytest.mark.parametrize("path", PATHS)
def test_every_route_answers_with_revision_and_security_headers(
    client: TestClient, path: str
) -> None:
    response = client.get(path)
    assert response.status_code < 500, response.text
    assert response.headers["rhizome-revision"] == "1"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["access-control-allow-origin"] == "*"
    assert "server" not in response.headers


@pytest.mark.parametrize("path", PATHS)
def test_every_route_refuses_other_methods_as_a_problem(client: TestClient, path: str) -> None:
    response = client.request("PATCH", path)
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]
    problem = response.json()
    assert (problem["code"], problem["status"]) == ("METHOD_NOT_ALLOWED", 405)
    assert set(problem["allowed"]) == set(response.headers["allow"].split(", "))


@pytest.mark.parametrize("path", PLAIN)
def test_head_answers_like_get_without_a_body(client: TestClient, path: str) -> None:
    got, asked = client.get(path), client.head(path)
    assert asked.status_code == got.status_code == 200
    # The test client keeps what a server would cut; what counts is that it is not made twice.
    for name in ("content-type", "etag", "rhizome-revision", "vary"):
        assert asked.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accept", ["application/json", "text/html", "image/png", "*/*;q=0", "x"])
def test_no_accept_header_breaks_a_route(client: TestClient, path: str, accept: str) -> None:
    response = client.get(path, headers={"Accept": accept})
    assert response.status_code < 500
    if response.status_code >= 400 and "html" not in response.headers["content-type"]:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/static/",
        "/static/../service.py",
        "/ontology/",
        "/ontology/..%2f..%2fserver.py",
        "/export/",
        "/report/x",
        "/%00",
        "/static/%2e%2e/app.py",
    ],
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["code"] == "NOT_FOUND"
    page = client.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("path", [*PLAIN, "/nowhere", "/sparql/", "/graphql/"])
def test_the_host_header_is_never_repeated(client: TestClient, path: str) -> None:
    for accept in ("text/html", "*/*"):
        headers = {
            "Host": "attacker.example",
            "X-Forwarded-Host": "attacker.example",
            "Accept": accept,
        }
        response = client.get(path, headers=headers, follow_redirects=False)
        assert "attacker" not in response.text
        assert "attacker" not in str(response.headers)


def test_pages_ask_nothing_of_other_hosts(client: TestClient) -> None:
    for path in ("/", "/?lang=fr", "/report", "/graphql", "/sparql", "/nowhere"):
        text = client.get(path, headers={"Accept": "text/html"}).text
        for mark in ('src="http', "src='http", 'src="//', "@import", "<script>", "onclick="):
            assert mark not in text, (path, mark)
        for part in text.split("<link ")[1:]:
            assert "http" not in part.split(">")[0]


def test_min_revision_is_obeyed_by_every_data_route(client: TestClient) -> None:
    for path in ("/export", "/report", "/version", "/"):
        headers = {"Rhizome-Min-Revision": "1"}
        assert client.get(path, headers=headers).status_code == 200
    response = client.get("/report", headers={"Rhizome-Min-Revision": "x"})
    assert response.status_code == 400


def test_cross_origin_preflight_is_answered_for_every_path(client: TestClient) -> None:
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    for path in PATHS:
        assert client.options(path, headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/graphs", "GET, HEAD, POST, PUT, DELETE"),
        ("/graphs/source/mine", "GET, HEAD, POST, PUT, DELETE"),
        ("/sparql/queries/q1", "DELETE"),
        ("/sparql", "GET, HEAD, POST"),
        ("/graphql", "GET, HEAD, POST"),
        ("/export", "GET, HEAD"),
    ],
)
def test_a_page_of_elsewhere_may_use_the_methods_of_a_path(
    client: TestClient, path: str, methods: str
) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    headers = client.options(path, headers=asked).headers
    assert headers["access-control-allow-methods"] == methods
    assert {"Authorization", "If-Match"} <= set(headers["access-control-allow-headers"].split(", "))
    assert "Location" in headers["access-control-expose-headers"].split(", ")


def test_an_empty_store_without_seeds_is_served_too(tmp_path: Path) -> None:
    with serve(tmp_path / "store", seeds=False) as client:
        home = client.get("/")
        assert home.status_code == 200
        assert "The graph is empty" in home.text
        assert home.headers["rhizome-revision"] == "0"
        version = client.get("/version").json()
        assert (version["revision"], version["quads"], version["changed"]) == (0, 0, None)
        assert client.get("/export?format=nq").content == b""
        assert client.get("/report").status_code == 200
        assert json.loads(client.get("/report?format=json").content)


def test_a_damaged_log_ends_the_start_with_its_error(seeded_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    headers = folder / "log" / "headers"
    content = bytearray(headers.read_bytes())
    content[100] ^= 1
    headers.write_bytes(content)
    with pytest.raises(Exception, match="headers"), serve(folder):
        pass


def test_while_it_opens_only_operations_and_assets_answer() -> None:
    service = Service(Settings.from_environment({}), load_model())
    with TestClient(create_app(service)) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/version").json()["status"] == "opening the store"
        assert client.get("/ontology/rhizome.ttl").status_code == 200
        for path in ("/", "/ready", "/export", "/report"):
            response = client.get(path)
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) >= 1
            assert "rhizome-revision" not in response.headers


def test_the_policy_of_a_page_is_that_of_the_frame(client: TestClient) -> None:
    assert client.get("/").headers["content-security-policy"] == CONTENT_SECURITY_POLICY
