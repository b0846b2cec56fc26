"""The addresses of tables, sites, networks, the research object and the citation."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.seeded import serve

PATHS = (
    "/export/tables.zip",
    "/export/sites.geojson",
    "/export/crate.zip",
    "/export/networks/default.gexf",
    "/export/networks/agreements.graphml?lang=fr",
    "/export/citation",
    "/export/attribution",
)


@pytest.mark.parametrize("path", PATHS)
def test_each_has_an_address_that_can_be_asked_in_parts(client: TestClient, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    whole = client.get(path, headers=plain)
    assert whole.status_code == 200
    assert whole.headers["rhizome-revision"] == "1"
    assert "rhizome-1" in whole.headers["content-disposition"]
    assert client.get(path, headers=plain).content == whole.content
    part = client.get(path, headers=plain | {"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, whole.content[3:10])
    tag = whole.headers["etag"]
    assert client.get(path, headers=plain | {"If-None-Match": tag}).status_code == 304
    assert client.head(path, headers=plain).headers["etag"] == tag


def test_a_citation_comes_in_three_forms(client: TestClient) -> None:
    assert client.get("/export/citation").headers["content-type"].startswith("text/plain")
    dump = "http://testserver/export/revisions/1.nq"
    for name in ("text", "cff", "bibtex"):
        assert dump in client.get(f"/export/citation?format={name}").text
    elsewhere = client.get("/export/citation", headers={"Host": "graph.example"}).text
    assert "http://graph.example/export/revisions/1.nq" in elsewhere
    assert client.get(dump).status_code == 200
    for name, begin in (
        ("text", "Rhizome contributors"),
        ("cff", "cff-version"),
        ("bibtex", "@misc"),
    ):
        assert client.get(f"/export/citation?format={name}").text.startswith(begin)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/export/networks/default.pajek", (404, "NOT_FOUND")),
        ("/export/networks/default", (404, "NOT_FOUND")),
        ("/export/networks/nobody.gexf", (400, "UNKNOWN_TERM")),
        ("/export/networks/default.gexf?lang=de", (400, "BAD_VALUE")),
        ("/export/networks/default.gexf?mode=one-mode", (400, "BAD_VALUE")),
        ("/export/networks/default.gexf?depth=1", (400, "BAD_VALUE")),
        ("/export/networks/default.gexf?entity=femac", (400, "BAD_VALUE")),
        ("/export/networks/default.gexf?entity=urn:none", (404, "NOT_FOUND")),
        ("/export/tables.zip?graph=x:y", (400, "UNKNOWN_TERM")),
        ("/export/sites.geojson?entity=x:y", (404, "NOT_FOUND")),
        ("/export/tables.zip?depth=1", (400, "BAD_VALUE")),
        ("/export/sites.geojson?graph=x:y&entity=x:z", (400, "BAD_VALUE")),
        ("/export/sites.geojson?x=y", (400, "BAD_VALUE")),
        ("/export/crate.zip?x", (400, "BAD_VALUE")),
        ("/export/citation?format=ris", (400, "BAD_VALUE")),
        ("/export/nothing.zip", (404, "NOT_FOUND")),
    ],
)
def test_what_is_not_offered_is_refused(
    client: TestClient, path: str, expected: tuple[int, str]
) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == expected


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/export/crate.zip?entity=x:y", "not taken here: there are none; it belongs to /export"),
        ("/export/crate.zip?graph=x:y", "jsonld-framed, to /export/tables.zip and /export/sites"),
        ("/export/crate.zip?depth=1", "and to /export/networks/NAME.gexf"),
        ("/export/tables.zip?x=y", "'x' is not one of graph, entity, depth"),
        ("/export/revisions/1.nq?graph=x:y", "it belongs to /export, with the formats"),
        ("/export/networks/default.gexf?graph=x:y", "one of lang, entity, depth; it belongs to"),
        ("/export/citation?entity=x:y", "one of format; it belongs to /export"),
    ],
)
def test_a_parameter_at_the_wrong_address_is_told_where_it_belongs(
    client: TestClient, path: str, said: str
) -> None:
    response = client.get(path)
    assert response.status_code == 400
    assert said in response.json()["detail"]


def test_a_crate_has_the_public_address_that_is_set(seeded_store: Path, tmp_path: Path) -> None:
    shutil.copytree(seeded_store, tmp_path / "store")
    with serve(tmp_path / "store", base_url="https://data.example/r") as client:
        first, second = (client.get("/export/crate.zip").content for _ in range(2))
    assert first == second
    crate = zipfile.ZipFile(io.BytesIO(first))
    for name in ("CITATION.cff", "README.md", "ro-crate-metadata.json"):
        assert "https://data.example/r/export/revisions/1.nq" in crate.read(name).decode()
    cff = crate.read("CITATION.cff").decode()
    assert "repository-artifact: https://data.example/r/export/revisions/1.nq\n" in cff
