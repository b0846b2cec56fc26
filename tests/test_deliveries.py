"""Exports over HTTP: parts, ranges, compression, conditions, and what is refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

from graph.errors import StoreFullError, StoreUnavailableError
from tests.seeded import make_settings, serve
from web.delivery import Parcel, deliver, find_span, in_turns, pack
from web.export_files import FOLDER, ExportFiles, pieces_to_file

PIC = "https://w3id.org/rhizome/id/network/plant-intercluster"
SOURCE = "https://w3id.org/rhizome/id/source/"
#: As it is on the disk: the test client takes compressed answers and unpacks them otherwise.
PLAIN = {"Accept-Encoding": "identity"}


def _get(client: TestClient, path: str, **headers: str) -> Any:
    return client.get(path, headers=PLAIN | {n.replace("_", "-"): v for n, v in headers.items()})


@pytest.fixture(scope="module")
def whole(client: TestClient) -> bytes:
    content: bytes = _get(client, "/export?format=nq").content
    return content


def _problem(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/export", "/export?format=nq", "/export/citation", "/export/crate.zip"),
        *("/export/tables.zip", "/export/sites.geojson", "/export/networks/default.gexf"),
        *("/export/revisions/1.nq", "/data/network/plant-intercluster.ttl", "/ontology.ttl"),
        *("/page/network/plant-intercluster", "/questions/10.csv", "/schema.graphql", "/report"),
        *("/sparql", "/sparql?query=ASK%20%7B%7D", "/.well-known/void", "/graphql", "/version"),
        f"/graphs?graph={SOURCE}plant-intercluster",
    ],
)
def test_head_names_the_length_of_get_or_none(client: TestClient, path: str) -> None:
    """A length of 0 would say that there is nothing (RFC 9110 section 8.6)."""
    headers = PLAIN | {"Accept": "*/*"}
    got = client.get(path, headers=headers, follow_redirects=False)
    for _ in range(2):  # not made yet, and made by the question before
        head = client.head(path, headers=headers, follow_redirects=False)
        assert (head.status_code, head.content) == (got.status_code, b"")
        length = head.headers.get("content-length")
        assert length is None or length == str(len(got.content))
        assert head.headers.get("content-type") == got.headers.get("content-type")


class TestParts:
    def test_a_graph_is_the_lines_of_that_graph(self, client: TestClient, whole: bytes) -> None:
        graph = whole.splitlines()[0].split()[-2].decode()[1:-1]
        part = client.get("/export", params={"format": "nq", "graph": graph})
        assert part.content.splitlines() == [
            line for line in whole.splitlines() if line.endswith(f"<{graph}> .".encode())
        ]
        assert "-part.nq" in part.headers["content-disposition"]

    def test_around_an_entity_every_step_tells_more(self, client: TestClient, whole: bytes) -> None:
        lines: set[bytes] = set()
        for depth in (0, 1, 2):
            query = {"format": "nq", "entity": PIC, "depth": str(depth)}
            more = set(client.get("/export", params=query).content.splitlines())
            assert lines < more < set(whole.splitlines())
            lines = more

    def test_a_framed_answer_begins_at_the_entity(self, client: TestClient) -> None:
        response = client.get("/export", params={"format": "jsonld-framed", "entity": PIC})
        assert response.headers["content-type"] == "application/ld+json"
        assert response.json()["@id"] == PIC

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"graph": f"{SOURCE}nobody"}, (400, "UNKNOWN_TERM")),
            ({"graph": "nobody"}, (400, "BAD_VALUE")),
            ({"graph": ""}, (400, "BAD_VALUE")),
            ({"entity": f"{PIC}-2"}, (404, "NOT_FOUND")),
            ({"entity": "x y"}, (400, "BAD_VALUE")),
            ({"entity": PIC, "depth": "99"}, (400, "BAD_VALUE")),
            ({"entity": PIC, "graph": PIC}, (400, "BAD_VALUE")),
            ({"depth": "1"}, (400, "BAD_VALUE")),
            ({"format": "jsonld-framed"}, (400, "BAD_VALUE")),
        ],
    )
    def test_what_is_not_there_is_refused(
        self, client: TestClient, query: dict[str, str], expected: tuple[int, str]
    ) -> None:
        assert _problem(client.get("/export", params=query)) == expected
        assert client.head("/export", params=query).status_code == expected[0]

    def test_tags_tell_parts_and_formats_apart(self, client: TestClient) -> None:
        queries = ("", "?format=nq", f"?entity={PIC}", f"?entity={PIC}&depth=2")
        tags = {client.head(f"/export{query}").headers["etag"] for query in queries}
        assert len(tags) == len(queries)


class TestRanges:
    PATH = "/export?format=nq"

    @pytest.mark.parametrize("asked", ["bytes=0-0", "bytes=10-99", "bytes=100-", "bytes=-7"])
    def test_a_range_is_those_bytes(self, client: TestClient, whole: bytes, asked: str) -> None:
        response = _get(client, self.PATH, Range=asked)
        span = find_span(asked, len(whole))
        assert span is not None
        assert response.status_code == 206
        assert response.content == whole[slice(*span)]
        told = f"bytes {span[0]}-{span[1] - 1}/{len(whole)}"
        assert response.headers["content-range"] == told
        assert int(response.headers["content-length"]) == span[1] - span[0]

    def test_a_broken_download_goes_on_where_it_was(self, client: TestClient, whole: bytes) -> None:
        first = _get(client, self.PATH, Range="bytes=0-99999")
        tag = first.headers["etag"]
        rest = _get(client, self.PATH, Range="bytes=100000-", If_Range=tag)
        assert first.content + rest.content == whole
        changed = _get(client, self.PATH, Range="bytes=100000-", If_Range='"other"')
        assert (changed.status_code, changed.content) == (200, whole)
        weak = _get(client, self.PATH, Range="bytes=0-1", If_Range=f"W/{tag}")
        assert weak.status_code == 200
        dated = _get(client, self.PATH, Range="bytes=0-1", If_Range="Sat, 28 Nov 2026 10:00:00 GMT")
        assert dated.status_code == 200

    @pytest.mark.parametrize(
        "asked", ["bytes=999999999-", "bytes=-0", "bytes=999999999-1999999999"]
    )
    def test_a_range_outside_cannot_be_satisfied(
        self, client: TestClient, whole: bytes, asked: str
    ) -> None:
        response = _get(client, self.PATH, Range=asked)
        assert _problem(response) == (416, "RANGE_NOT_SATISFIABLE")
        assert response.headers["content-range"] == f"bytes */{len(whole)}"

    @pytest.mark.parametrize(
        "asked", ["bytes=0-1,5-6", "bytes=9-1", "lines=0-1", "bytes=", "bytes=a-b", "bytes=٣-", ""]
    )
    def test_what_is_no_single_range_of_bytes_gets_the_whole(
        self, client: TestClient, whole: bytes, asked: str
    ) -> None:
        raw = [(b"range", asked.encode()), (b"accept-encoding", b"identity")]
        response = client.get(self.PATH, headers=raw)
        assert (response.status_code, response.content) == (200, whole)
        assert response.headers["accept-ranges"] == "bytes"

    def test_a_range_is_never_of_compressed_bytes(self, client: TestClient, whole: bytes) -> None:
        response = client.get(self.PATH, headers={"Range": "bytes=0-9", "Accept-Encoding": "gzip"})
        assert response.content == whole[:10]
        assert "content-encoding" not in response.headers

    def test_what_the_client_holds_is_not_sent_in_part_either(self, client: TestClient) -> None:
        tag = _get(client, self.PATH, Range="bytes=0-1").headers["etag"]
        assert _get(client, self.PATH, Range="bytes=0-1", If_None_Match=tag).status_code == 304


class TestCompression:
    @pytest.mark.parametrize("format", ["nq", "trig", "rdfxml"])
    def test_it_is_compressed_for_who_takes_that(self, client: TestClient, format: str) -> None:
        path = f"/export?format={format}"
        plain = _get(client, path)
        with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as response:
            packed = b"".join(response.iter_raw())
        assert response.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed) == plain.content
        assert len(packed) * 3 < len(plain.content)
        assert response.headers["etag"] != plain.headers["etag"]
        assert "accept-encoding" in response.headers["vary"].lower()

    def test_each_form_is_known_again_by_its_own_tag(self, client: TestClient) -> None:
        tags = {}
        for coding in ("identity", "gzip"):
            head = client.head("/export", headers={"Accept-Encoding": coding})
            tags[coding] = head.headers["etag"]
        for coding, tag in tags.items():
            for other in tags:
                headers = {"Accept-Encoding": other, "If-None-Match": tag}
                expected = 304 if other == coding else 200
                assert client.get("/export", headers=headers).status_code == expected

    def test_the_same_pieces_give_the_same_bytes(self) -> None:
        pieces = [b"a" * 70_000, b"b" * 70_000]
        assert b"".join(pack(iter(pieces))) == b"".join(pack(iter(pieces)))


class TestCost:
    def test_what_is_dear_uses_the_query_time_of_who_asks(
        self, seeded_store: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(seeded_store, tmp_path / "store")
        # So little that the first export takes it all.
        with serve(tmp_path / "store", seeds=False, rate_query_s=0.000_1) as client:
            assert client.get("/export", params={"entity": PIC}).status_code == 200
            for path in ("/export?format=nt", f"/export?entity={PIC}&depth=2"):
                refused = client.get(path)
                assert _problem(refused) == (429, "RATE_LIMIT")
                assert int(refused.headers["retry-after"]) >= 1
            assert client.head("/export?format=nt").status_code == 200  # nothing is made


class TestFiles:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.mark.anyio
    async def test_the_least_used_go_first_and_the_newest_stays(self, tmp_path: Path) -> None:
        files = ExportFiles(make_settings(tmp_path, export_cache_mb=1))
        for key in "abc":
            with await files.get(key, _writer(key, 400_000)) as file:
                assert file.read(1) == key.encode()
            if key == "b":
                _close(files.find("a"))  # used again: `b` is the oldest now
        assert [key for key in "abc" if _close(files.find(key))] == ["a", "c"]
        with await files.get("huge", _writer("h", 3_000_000)):
            pass
        assert [key for key in ("a", "c", "huge") if _close(files.find(key))] == ["huge"]
        assert len(list((tmp_path / FOLDER).iterdir())) == 1

    @pytest.mark.anyio
    async def test_a_file_is_written_once_however_many_ask(self, tmp_path: Path) -> None:
        files, written = ExportFiles(make_settings(tmp_path)), []

        def write(path: Path) -> None:
            written.append(path.name)
            path.write_bytes(b"x")

        for file in await asyncio.gather(*(files.get("one", write) for _ in range(5))):
            file.close()
        assert len(written) == 1

    @pytest.mark.anyio
    async def test_more_than_may_wait_are_told_when_to_come_back(self, tmp_path: Path) -> None:
        files, go = ExportFiles(make_settings(tmp_path, export_queue=1)), threading.Event()

        def write(path: Path) -> None:
            assert go.wait(30)
            path.write_bytes(b"x")

        waiting = [asyncio.create_task(files.get(key, write)) for key in "ab"]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailableError, match="too many exports") as raised:
            await files.get("c", write)
        assert raised.value.retry_after_s >= 1
        go.set()
        for task in waiting:
            (await task).close()

    @pytest.mark.anyio
    async def test_a_failure_leaves_nothing_and_is_not_kept(self, tmp_path: Path) -> None:
        files = ExportFiles(make_settings(tmp_path))

        def fail() -> Iterator[bytes]:
            yield b"half"
            raise OSError("no room")

        with pytest.raises(StoreFullError):
            await files.get("one", pieces_to_file(fail))
        assert list((tmp_path / FOLDER).iterdir()) == []
        with await files.get("one", _writer("a", 1)) as file:
            assert file.read() == b"a"

    @pytest.mark.anyio
    async def test_what_someone_deleted_is_made_again(self, tmp_path: Path) -> None:
        files = ExportFiles(make_settings(tmp_path))
        for _ in range(2):
            with await files.get("one", _writer("a", 3)) as file:
                assert file.read() == b"aaa"
            for path in (tmp_path / FOLDER).iterdir():
                path.unlink()

    def test_files_of_another_process_are_not_served(self, tmp_path: Path) -> None:
        (tmp_path / FOLDER).mkdir()
        (tmp_path / FOLDER / "old").write_bytes(b"x")
        ExportFiles(make_settings(tmp_path))
        assert not (tmp_path / FOLDER).exists()


def _writer(letter: str, count: int) -> Any:
    return pieces_to_file(lambda: iter([letter.encode() * count]))


def _close(file: Any) -> bool:
    if file is not None:
        file.close()
    return file is not None


def test_a_part_in_json_ld_has_our_context_inside(client: TestClient) -> None:
    response = client.get("/export", params={"format": "jsonld", "entity": PIC, "depth": "0"})
    document = json.loads(response.content)
    assert document["@context"]["Cluster"] == "https://w3id.org/rhizome/ontology#Cluster"
    assert {node["@id"] for graph in document["@graph"] for node in graph["@graph"]} == {PIC}


def test_what_is_held_is_noted_by_one_thread_alone(tmp_path: Path) -> None:
    class Watched(dict[str, int]):
        def pop(self, *given: Any) -> Any:
            threads.add(threading.get_ident())
            return super().pop(*given)

    threads: set[int] = set()

    async def main() -> None:
        files = ExportFiles(make_settings(tmp_path, export_cache_mb=1))
        files._sizes = Watched()
        for key in "abc":  # the third drives the first out
            (await files.get(key, _writer(key, 500_000))).close()
        assert files.find("a") is None
        assert len(list((tmp_path / FOLDER).iterdir())) == 2
        assert threads == {threading.get_ident()}

    asyncio.run(main())


@pytest.mark.parametrize(("format", "changes"), [("trig", True), ("jsonld", True), ("nq", False)])
def test_a_tag_changes_with_the_program_where_the_bytes_may(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, format: str, changes: bool
) -> None:
    tag = client.head(f"/export?format={format}").headers["etag"]
    service = client.app.state.service  # type: ignore[attr-defined]
    monkeypatch.setattr(service, "version", "another")
    assert (client.head(f"/export?format={format}").headers["etag"] != tag) is changes


class Making:
    """Pieces that take a moment; `at_once` are the most that were made at one time."""

    running = 0
    at_once = 0

    def pieces(self, name: str, count: int) -> Iterator[bytes]:
        for number in range(count):
            Making.running += 1
            Making.at_once = max(Making.at_once, Making.running)
            time.sleep(0.002)
            Making.running -= 1
            yield f"{name}{number} ".encode()


def test_exports_take_turns_in_one_thread() -> None:
    charged: list[float] = []

    async def read(name: str) -> bytes:
        return b"".join([p async for p in in_turns(Making().pieces(name, 5), charged.append)])

    async def run() -> list[bytes]:
        return await asyncio.gather(*(read(name) for name in "abcdef"))

    read_all = asyncio.run(run())
    assert read_all == [b"".join(f"{c}{n} ".encode() for n in range(5)) for c in "abcdef"]
    assert Making.at_once == 1
    assert len(charged) == 6
    assert all(5 * 0.002 <= seconds < 0.5 for seconds in charged)  # waiting is not charged


def test_the_first_piece_is_made_before_others_wait_for_it(client: TestClient) -> None:
    made: list[str] = []

    def pieces() -> Iterator[bytes]:
        made.append(threading.current_thread().name)
        yield b"first"
        made.append(threading.current_thread().name)
        yield b"second"

    async def run() -> bytes:
        request = Request(
            {"type": "http", "method": "GET", "headers": [], "app": client.app, "client": ("t", 1)}
        )
        parcel = Parcel("x.nq", "application/n-quads", "tag-of-first", 1, pieces, "")
        files: Any = SimpleNamespace(find=lambda tag: None)
        answer = await deliver(request, parcel, files)
        assert isinstance(answer, StreamingResponse)
        assert len(made) == 1
        got: list[Any] = [piece async for piece in answer.body_iterator]
        return b"".join(got)

    assert asyncio.run(run()) == b"firstsecond"
    assert ["exports" in name for name in made] == [False, True]


def test_an_export_that_fails_or_is_left_is_charged_as_well() -> None:
    charged: list[float] = []

    def broken() -> Iterator[bytes]:
        yield b"first"
        raise StoreUnavailableError("gone")

    async def run() -> None:
        failing = in_turns(broken(), charged.append)
        assert await anext(failing) == b"first"
        with pytest.raises(StoreUnavailableError):
            await anext(failing)
        left = in_turns(broken(), charged.append)
        assert await anext(left) == b"first"
        await asyncio.sleep(0.05)  # the next piece failed meanwhile
        await left.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())
    assert len(charged) == 2
