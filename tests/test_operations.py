"""Health, readiness, version, export and report, over HTTP."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.access import Level, Viewer
from graph.curation.export import FRAMED
from graph.curation.formats import TURTLE, Format, open_upload, read_rdf
from graph.errors import BadValueError, UnknownTermError
from graph.settings import Settings
from graph.store.dataset import Dataset
from graph.store.levels import LevelView
from graph.store.workers import QueryPool
from tests.seeded import make_settings, serve
from web import export, report
from web.conditional import matches
from web.kept import Kept
from web.report import read_parameters

SETTINGS = Settings.from_environment({})
#: The formats of the whole dataset; the framed one begins at an entity.
WHOLE = [known for known in export.FORMATS if known is not FRAMED]


class TestState:
    def test_a_service_that_serves_is_healthy_and_ready(self, client: TestClient) -> None:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/ready").json() == {"status": "ready", "revision": 1}
        for path in ("/health", "/ready", "/version"):
            assert client.get(path).headers["cache-control"] == "no-store"

    def test_without_a_worker_that_answers_it_is_not_ready(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(QueryPool, "is_ready", False)
        response = client.get("/ready")
        assert response.status_code == 503
        assert "worker" in response.json()["detail"]
        assert client.get("/health").status_code == 200

    def test_version_says_what_is_served(self, client: TestClient) -> None:
        version = client.get("/version").json()
        assert version["name"] == "rhizome"
        assert re.fullmatch(r"\d+\.\d+\.\d+", version["version"])
        assert re.fullmatch(r"[0-9a-f]{64}", version["datasetHash"])
        assert re.fullmatch(r"[0-9a-f]{64}", version["ontology"]["digest"])
        assert version["revision"] == 1
        assert version["quads"] > 1_000
        assert version["sources"] == version["counts"]["Source"]
        assert "Concept" not in version["counts"]
        assert version["fault"] is None


def test_what_is_served_is_what_a_visitor_without_a_token_sees(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(dataset: Dataset, viewer: Viewer) -> LevelView:
        seen.append((viewer.name, viewer.level))
        return dataset.levels.at(viewer.level)

    monkeypatch.setattr(Dataset, "view_for", look)
    for count, path in enumerate(("/", "/version", "/export", "/report?format=csv"), 1):
        assert client.get(path).status_code == 200
        assert len(seen) >= count
        assert set(seen) == {("anonymous", Level.PUBLIC)}


class TestExport:
    @pytest.mark.parametrize("known", WHOLE, ids=lambda known: str(known.key))
    def test_every_format_is_chosen_by_name_suffix_and_media_type(
        self, client: TestClient, known: Format
    ) -> None:
        by_name = client.get(f"/export?format={known.key}")
        by_suffix = client.get(f"/export?format={known.suffixes[0][1:]}")
        by_type = client.get("/export", headers={"Accept": known.media_type})
        for response in (by_name, by_suffix, by_type):
            assert response.status_code == 200
            assert response.headers["content-type"].partition(";")[0] == known.media_type
            assert response.headers["rhizome-revision"] == "1"
            assert response.headers["vary"] == "Accept, Accept-Encoding"
            assert f"rhizome-1{known.suffixes[0]}" in response.headers["content-disposition"]
        assert by_name.content == by_suffix.content == by_type.content
        upload = open_upload("x", known, by_name.content, SETTINGS)
        assert len(set(read_rdf(upload, SETTINGS))) > 1_000

    def test_the_default_keeps_the_sources_apart(self, client: TestClient) -> None:
        assert client.get("/export").headers["content-type"].startswith("application/trig")

    @pytest.mark.parametrize("name", ["rdf+xml", "zip", "", "TRIG "])
    def test_other_formats_are_refused(self, client: TestClient, name: str) -> None:
        response = client.get("/export", params={"format": name})
        assert (response.status_code, response.json()["code"]) == (400, "BAD_VALUE")
        assert "trig" in response.json()["detail"]

    @pytest.mark.parametrize("query", ["graphs=x:y", "format=nq&lang=fr", "Format=nq", "x"])
    def test_unknown_parameters_are_refused(self, client: TestClient, query: str) -> None:
        """Whoever asks for a part would take the whole for it."""
        response = client.get(f"/export?{query}")
        problem = response.json()
        assert (response.status_code, problem["code"]) == (400, "BAD_VALUE")
        assert "one of format" in problem["detail"]

    def test_what_no_format_satisfies_is_not_acceptable(self, client: TestClient) -> None:
        response = client.get("/export", headers={"Accept": "application/vnd.hdt"})
        assert response.status_code == 406
        assert "application/trig" in response.json()["offered"]

    def test_it_need_not_be_sent_twice(self, client: TestClient) -> None:
        tag = client.head("/export?format=nq").headers["etag"]
        assert client.get("/export?format=nq", headers={"If-None-Match": tag}).status_code == 304
        assert client.get("/export?format=nt", headers={"If-None-Match": tag}).status_code == 200

    def test_head_makes_nothing(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "export", _refuse)
        assert client.head("/export").status_code == 200


def _refuse(*_: object) -> bytes:
    raise KeyError("a bug")


class TestReport:
    @pytest.mark.parametrize("name", report.FORMATS)
    def test_every_format_is_chosen_by_name_and_media_type(
        self, client: TestClient, name: str
    ) -> None:
        media_type = report.FORMATS[name]
        by_name = client.get(f"/report?format={name}")
        by_type = client.get("/report", headers={"Accept": media_type})
        for response in (by_name, by_type):
            assert response.status_code == 200
            assert response.headers["content-type"].partition(";")[0] == media_type
            assert response.headers["rhizome-revision"] == "1"
        assert by_name.content == by_type.content

    def test_vegepolys_valley_connects_the_network(self, client: TestClient) -> None:
        rows = list(csv.DictReader(io.StringIO(client.get("/report?format=csv").text)))
        name = next(key for key in rows[0] if key.lower().startswith("name"))
        value = next(key for key in rows[0] if key.lower().startswith("betweenness"))
        best = max(rows, key=lambda row: float(row[value] or 0))
        assert best[name] == "VEGEPOLYS VALLEY"

    def test_it_speaks_both_languages(self, client: TestClient) -> None:
        english = client.get("/report?lang=en&format=md")
        french = client.get("/report?format=md", headers={"Accept-Language": "fr"})
        assert english.headers["content-language"] == "en"
        assert french.headers["content-language"] == "fr"
        assert english.text != french.text
        assert "Qui relie le réseau" in french.text

    def test_the_page_s_own_style_is_let_in_by_its_digest_and_no_other(
        self, client: TestClient
    ) -> None:
        response = client.get("/report", headers={"Accept": "text/html"})
        policy = response.headers["content-security-policy"]
        assert "unsafe" not in policy
        (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'self' 'sha256-{digest}'" in policy
        assert "style=" not in response.text
        assert "<script" not in response.text

    def test_projection_and_weighting_are_parameters(self, client: TestClient) -> None:
        whole = client.get("/report?format=json").json()
        agreements = client.get("/report?format=json&projection=agreements").json()
        unit = client.get("/report?format=json&weighting=unit&inferred=false").json()
        assert json.dumps(whole) != json.dumps(agreements) != json.dumps(unit)

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("projection=everything", "UNKNOWN_TERM"),
            ("weigthing=unit", "BAD_VALUE"),
            ("weighting=heavy", "BAD_VALUE"),
            ("mode=3", "BAD_VALUE"),
            ("succession=", "BAD_VALUE"),
            ("inferred=no", "BAD_VALUE"),
            ("lang=de", "BAD_VALUE"),
            ("format=pdf", "BAD_VALUE"),
        ],
    )
    def test_a_wrong_parameter_is_refused(self, client: TestClient, query: str, code: str) -> None:
        response = client.get(f"/report?{query}")
        assert (response.status_code, response.json()["code"]) == (400, code)

    def test_formats_share_what_was_measured(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        query = "/report?projection=memberships&mode=two-mode&lang=fr"
        measure, measured = report.measure_report, [0]

        def count(*asked: Any) -> Any:
            measured[0] += 1
            return measure(*asked)

        monkeypatch.setattr(report, "measure_report", count)
        for name in report.FORMATS:
            assert client.get(f"{query}&format={name}").status_code == 200
        assert measured == [1]

    def test_what_the_client_holds_is_not_measured_for_it(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        query = "/report?projection=agreements&weighting=unit&lang=fr&format=csv"
        tag = {"If-None-Match": client.get(query).headers["etag"]}
        with monkeypatch.context() as forgetful:
            forgetful.setattr(Kept, "get", _refuse)
            assert client.get(query, headers=tag).status_code == 304
            assert client.get(query).status_code == 500

    def test_reports_are_worked_on_one_at_a_time(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        working, most = [0], [0]
        measure = report.measure_report

        def watch(*asked: Any) -> Any:
            working[0] += 1
            most[0] = max(most[0], working[0])
            time.sleep(0.05)
            try:
                return measure(*asked)
            finally:
                working[0] -= 1

        monkeypatch.setattr(report, "measure_report", watch)
        queries = [
            f"/report?format=csv&inferred={a}&disputed={b}&mode=two-mode"
            for a in ("true", "false")
            for b in ("true", "false")
        ]
        with ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(client.get, queries))
        assert [answer.status_code for answer in answers] == [200] * 4
        assert most == [1]

    def test_it_is_made_once_for_a_revision_and_need_not_be_sent_twice(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = client.get("/report?format=json&lang=en")
        monkeypatch.setattr(report, "measure_report", _refuse)
        again = client.get("/report?lang=en&format=json")
        assert again.content == first.content
        tag = {"If-None-Match": first.headers["etag"]}
        assert client.get("/report?format=json&lang=en", headers=tag).status_code == 304

    def test_a_failure_is_not_kept(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        query = "/report?format=json&succession=keep&lang=fr"
        with monkeypatch.context() as broken:
            broken.setattr(report, "measure_report", _refuse)
            assert client.get(query).status_code == 500
        assert client.get(query).status_code == 200

    def test_parameters_are_read_by_name(self) -> None:
        default = read_parameters({})
        assert read_parameters({"lang": "fr", "format": "md"}) == default
        kept = read_parameters({"succession": "KEEP", "disputed": "False"})
        assert (kept.succession, kept.include_disputed) == ("keep", False)
        assert kept.weighting == default.weighting
        with pytest.raises(UnknownTermError):
            read_parameters({"projection": "x"})
        with pytest.raises(BadValueError, match="one of projection"):
            read_parameters({"x": "1"})


@pytest.mark.parametrize(
    ("header", "tag", "same"),
    [
        ('"a"', '"a"', True),
        ('W/"a"', '"a"', True),
        ('"a"', 'W/"a"', True),
        ('"b", "a"', '"a"', True),
        ("*", '"a"', True),
        ('"b"', '"a"', False),
        ("a", '"a"', False),
        ("", '"a"', False),
        (None, '"a"', False),
    ],
)
def test_if_none_match_compares_weakly(header: str | None, tag: str, same: bool) -> None:
    assert matches(header, tag) is same


def test_a_load_is_seen_by_all_at_its_revision(seeded_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder) as client:
        service = client.app.state.service  # type: ignore[attr-defined]
        before = client.get("/export?format=nq")
        source = "https://w3id.org/rhizome/id/source/mine"
        text = (
            f"<{source}> a <https://w3id.org/rhizome/ontology#Source> ;"
            ' <http://purl.org/dc/terms/title> "Mine" ;'
            ' <https://w3id.org/rhizome/ontology#sourceKind> "user" .'
        )
        upload = open_upload("mine.ttl", TURTLE, text.encode(), make_settings(folder))
        receipt = service.gate.load([upload], graph=source)
        assert receipt.revision == 2
        headers = {"Rhizome-Min-Revision": "2"}
        after = client.get("/export?format=nq", headers=headers)
        assert after.headers["rhizome-revision"] == "2"
        assert after.headers["etag"] != before.headers["etag"]
        assert len(after.content.splitlines()) == len(before.content.splitlines()) + 3
        assert client.get("/version").json()["revision"] == 2
        assert client.get("/report?format=json").headers["rhizome-revision"] == "2"
        assert "Revision 2" in client.get("/?lang=en").text
