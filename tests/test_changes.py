"""`/changes`: who may read the log, in which formats, how much at once, and how one waits."""

from __future__ import annotations

import gzip
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.access import Level
from graph.store.commit import NO_HASH, Change
from graph.store.dataset import Dataset
from graph.store.levels import Levels
from graph.store.log import Log
from tests.replicas import open_copy, quads, take
from tests.seeded import serve
from web.limits import Caller
from web.service import Service

LOG = "application/vnd.rhizome.log"
PATCH = "application/rdf-patch"


@pytest.fixture(scope="module")
def http(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("changes") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, rate_token_api=0) as client:
        for number in range(3):
            commit(client, f"first-{number}")
        yield client


@pytest.fixture(scope="module")
def bearer(http: TestClient) -> dict[str, str]:
    text, _ = service_of(http).tokens.create(["changes"], name="reader")
    return {"Authorization": f"Bearer {text}"}


def service_of(http: TestClient) -> Service:
    found: Service = http.app.state.service  # type: ignore[attr-defined]
    return found


def dataset_of(http: TestClient) -> Dataset:
    return service_of(http).dataset


def commit(http: TestClient, name: str) -> None:
    dataset_of(http).commit(Change(tuple(quads(name, 2)), (), "tests", "load", name))


def test_only_a_token_with_the_scope_reads_changes(http: TestClient) -> None:
    answer = http.get("/changes")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    text, _ = service_of(http).tokens.create(["write"], name="writer")
    answer = http.get("/changes", headers={"Authorization": f"Bearer {text}"})
    assert (answer.status_code, answer.json()["scope"]) == (403, "changes")
    assert 'scope="changes"' in answer.headers["www-authenticate"]


def test_what_is_above_the_tokens_level_is_not_sent(
    http: TestClient, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Levels, "highest", Level.RESTRICTED)
    answer = http.get("/changes", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("query", "accept", "found"),
    [
        ("", None, PATCH),
        ("", "*/*", PATCH),
        ("", LOG, LOG),
        ("&format=log", PATCH, LOG),
        ("&format=patch", LOG, PATCH),
    ],
)
def test_both_formats_are_private_and_tagged(
    http: TestClient, bearer: dict[str, str], query: str, accept: str | None, found: str
) -> None:
    headers = bearer if accept is None else {**bearer, "Accept": accept}
    for method in ("GET", "HEAD"):
        answer = http.request(method, f"/changes?since=1{query}", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == found
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["rhizome-revision"] == str(dataset_of(http).log.revision)
        assert bool(answer.content) == (method == "GET")
    etag = answer.headers["etag"]
    again = http.get(f"/changes?since=1{query}", headers={**headers, "If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "private, no-store"


def test_nothing_else_can_be_had(http: TestClient, bearer: dict[str, str]) -> None:
    answer = http.get("/changes", headers={**bearer, "Accept": "text/turtle"})
    assert answer.status_code == 406


def test_pages_lead_through_the_whole_log(
    http: TestClient, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service, log = service_of(http), dataset_of(http).log
    monkeypatch.setattr(service, "settings", replace(service.settings, changes_commits=2))
    copy, address, pages = open_copy(tmp_path / "copy"), "/changes?format=log", 0
    while (answer := http.get(address, headers=bearer)).content:
        take(copy, answer.content, record_bytes=10**8)
        found = re.fullmatch(
            r'<(\?since=\d+&hash=[0-9a-f]{64}&format=log)>; rel="next"', answer.headers["link"]
        )
        assert found is not None
        address, pages = f"/changes{found[1]}", pages + 1
        assert f"since={copy.log.revision}&hash={copy.log.head}&" in address
    assert pages == (log.revision + 1) // 2
    assert copy.log.head == log.head
    assert copy.snapshot.dataset_hash == dataset_of(http).snapshot.dataset_hash
    copy.close()


def test_rdf_patch_may_be_packed_as_one_member(http: TestClient, bearer: dict[str, str]) -> None:
    plain = http.get("/changes", headers={**bearer, "Accept-Encoding": "identity"})
    packed = http.get("/changes", headers={**bearer, "Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert plain.text.startswith('H id "')
    assert plain.text.count("\nTC .\n") == plain.text.count("\nTX .\n")
    assert int(packed.headers.get("content-length", 0)) < len(plain.content)
    with http.stream("GET", "/changes", headers={**bearer, "Accept-Encoding": "gzip"}) as raw:
        assert gzip.decompress(b"".join(raw.iter_raw())) == plain.content


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("since=-1", "since"),
        ("since=x", "since"),
        ("since=", "since"),
        ("since=9999999999999999", "since"),
        ("hash=abc", "hash"),
        (f"hash={'G' * 64}", "hash"),
        ("wait=-1", "wait"),
        ("wait=nan", "wait"),
        ("wait=31", "wait"),
        ("wait=1e1", "wait"),
        ("format=turtle", "format"),
        ("sinceRevision=1", "query parameter"),
    ],
)
def test_a_wrong_parameter_is_named(
    http: TestClient, bearer: dict[str, str], query: str, name: str
) -> None:
    answer = http.get(f"/changes?{query}", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_VALUE")
    assert answer.json()["name"] == name


def test_another_history_is_told_at_once_also_to_who_would_wait(
    http: TestClient, bearer: dict[str, str]
) -> None:
    last = dataset_of(http).log.revision
    for query in (f"since={last + 1}", f"since={last}&hash={NO_HASH}"):
        answer = http.get(f"/changes?wait=30&{query}", headers=bearer)
        assert (answer.status_code, answer.json()["code"]) == (409, "HISTORY_DIVERGED")
        assert answer.json()["last"] == last


class Waiting(threading.Thread):
    """A request that waits, in a thread."""

    def __init__(self, http: TestClient, headers: dict[str, str], seconds: int = 25) -> None:
        super().__init__(daemon=True)
        self.http, self.headers = http, headers
        self.address = f"/changes?since={dataset_of(http).log.revision}&wait={seconds}"
        self.answer: Any = None
        self.start()

    def run(self) -> None:
        self.answer = self.http.get(self.address, headers=self.headers)

    def result(self) -> Any:
        self.join(60)
        assert self.answer is not None
        return self.answer


def test_who_waits_is_answered_with_the_next_commit(
    http: TestClient, bearer: dict[str, str]
) -> None:
    waiting = [Waiting(http, bearer) for _ in range(2)]
    commit(http, "awaited")
    for each in waiting:
        answer = each.result()
        assert answer.status_code == 200
        assert 'H message "awaited" .' in answer.text
        assert answer.headers["rhizome-revision"] == str(dataset_of(http).log.revision)


def test_who_waits_in_vain_gets_an_empty_answer(http: TestClient, bearer: dict[str, str]) -> None:
    log = dataset_of(http).log
    answer = http.get(f"/changes?since={log.revision}&wait=0.05", headers=bearer)
    assert (answer.status_code, answer.content) == (200, b"")
    assert f"since={log.revision}&hash={log.head}" in answer.headers["link"]


def test_a_token_that_is_revoked_meanwhile_is_told_nothing(http: TestClient) -> None:
    tokens = service_of(http).tokens
    text, token = tokens.create(["changes"], name="short-lived")
    waiting = Waiting(http, {"Authorization": f"Bearer {text}"}, 2)
    tokens.revoke(token.id)
    commit(http, "secret")
    answer = waiting.result()
    assert answer.status_code == 401
    assert "secret" not in answer.text


def test_readers_are_bounded_and_none_is_counted_twice(
    http: TestClient, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = service_of(http)
    monkeypatch.setattr(service, "settings", replace(service.settings, changes_readers=1))
    statuses = [http.get("/changes", headers=bearer).status_code for _ in range(3)]
    statuses.append(http.get("/changes?since=99", headers=bearer).status_code)
    statuses.append(http.head("/changes", headers=bearer).status_code)
    assert statuses == [200, 200, 200, 409, 200]
    monkeypatch.setattr(service, "settings", replace(service.settings, changes_readers=0))
    answer = http.get("/changes", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"


def test_reading_uses_the_tokens_query_time(http: TestClient) -> None:
    service = service_of(http)
    text, token = service.tokens.create(["changes"], name="greedy")
    headers = {"Authorization": f"Bearer {text}"}
    assert http.get("/changes", headers=headers).status_code == 200
    service.limiter.charge(Caller(f"token:{token.id}", has_token=True), 10_000)
    answer = http.get("/changes", headers=headers)
    assert (answer.status_code, answer.json()["limit"]) == (429, "rate_token_query_s")


def test_a_writer_says_nothing_of_replicas(http: TestClient) -> None:
    assert "replica" not in http.get("/ready").json()


def test_what_stops_lets_nobody_wait(seeded_store: Path, tmp_path: Path) -> None:
    shutil.copytree(seeded_store, tmp_path / "store")
    with serve(tmp_path / "store") as http:
        service = service_of(http)
        text, _ = service.tokens.create(["changes"], name="reader")
        waiting = Waiting(http, {"Authorization": f"Bearer {text}"})
        loop = service._loop
        assert loop is not None
        loop.call_soon_threadsafe(service.end_streams)
        assert waiting.result().status_code == 200
    assert Log.open(tmp_path / "store" / "log").torn == ()
