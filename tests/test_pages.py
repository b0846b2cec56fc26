from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.testclient import TestClient

from graph.terms import Quad
from tests.rdf import read
from tests.require import ROOT
from web.ontology_page import anchor_of
from web.static import assets, static_link
from web.texts import LANGUAGES, NAMES, TEXTS, read_text, write_date, write_number

VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and keeps what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, tag

    def all(self, name: str) -> list[dict[str, Any]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def no_blanks(quads: set[Quad]) -> set[Quad]:
    return {quad for quad in quads if not any(term.startswith("_:") for term in quad)}


def links(page: Page) -> list[str]:
    return [str(a["href"]) for a in page.all("a")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_home_says_what_it_is_in_both_languages(client: TestClient, language: str) -> None:
    response = client.get(f"/?lang={language}")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-language"] == language
    assert "Accept-Language" in response.headers["vary"]
    page = Page(response.text)
    assert page.all("html")[0]["lang"] == language
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert read_text("home.title", language) in response.text


def test_home_follows_the_browser_s_language_and_the_parameter_wins(client: TestClient) -> None:
    french = {"Accept-Language": "fr-CA, en;q=0.5"}
    assert client.get("/", headers=french).headers["content-language"] == "fr"
    assert client.get("/?lang=en", headers=french).headers["content-language"] == "en"
    assert client.get("/", headers={"Accept-Language": "de"}).headers["content-language"] == "en"
    assert client.get("/?lang=de").status_code == 400


def test_home_shows_counts_revision_and_how_to_cite(client: TestClient) -> None:
    text = client.get("/?lang=en").text
    version = client.get("/version").json()
    for name in ("Cluster", "Memorandum", "Signature", "Source"):
        assert version["counts"][name] > 0
    assert re.search(rf'Cluster</th><td class="number">{version["counts"]["Cluster"]}<', text)
    assert f"Revision 1: {version['quads']:,} statements" in text
    assert version["datasetHash"] in text
    assert "CC BY 4.0" in text
    assert "Apache" in text


def test_every_link_of_home_leads_somewhere(client: TestClient) -> None:
    seen = set()
    for language in LANGUAGES:
        for target in links(Page(client.get(f"/?lang={language}").text)):
            assert target.startswith(("/", "#")), target
            seen.add(target.partition("#")[0])
    assert {"/report?lang=fr", "/export?format=trig", "/schema.graphql"} <= seen
    for target in filter(None, seen):
        response = client.get(target, headers={"Accept": "text/html, */*;q=0.1"})
        assert response.status_code == 200, target


def test_home_need_not_be_sent_twice(client: TestClient) -> None:
    first = client.get("/?lang=en")
    again = client.get("/?lang=en", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/?lang=fr", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_pages_can_be_used_without_a_mouse_or_eyes(client: TestClient) -> None:
    for path in ("/?lang=en", "/nowhere?lang=fr"):
        page = Page(client.get(path, headers={"Accept": "text/html"}).text)
        assert links(page)[0] == "#main"
        assert page.all("main")[0]["id"] == "main"
        assert all("alt" in image for image in page.all("img"))
        assert all(header.get("scope") for header in page.all("th"))
        assert all(nav.get("aria-label") for nav in page.all("nav"))
        identifiers = [a["id"] for _, a in page.tags if "id" in a]
        assert len(identifiers) == len(set(identifiers))
        assert not [a for _, a in page.tags if "style" in a]


def test_language_links_keep_the_other_parameters(client: TestClient) -> None:
    page = Page(client.get("/nowhere?a=1&lang=en&a=2", headers={"Accept": "text/html"}).text)
    assert "/nowhere?a=1&a=2&lang=fr" in links(page)


def test_every_text_is_there_in_every_language_with_the_same_fields() -> None:
    assert set(NAMES) == set(LANGUAGES)
    for key, texts in TEXTS.items():
        assert len(texts) == len(LANGUAGES), key
        assert all(text.strip() for text in texts), key
        fields = [set(re.findall(r"{(\w+)}", text)) for text in texts]
        assert all(found == fields[0] for found in fields), key


def test_every_text_is_used() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for path in (ROOT / "web").rglob("*")
        if path.suffix in (".py", ".html") and not path.name.startswith("texts")
    ]
    written = "\n".join(sources)
    assert [key for key in TEXTS if f"'{key}'" not in written and f'"{key}"' not in written] == []


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [(0, "0", "0"), (999, "999", "999"), (1234567, "1,234,567", "1\u202f234\u202f567")],
)
def test_numbers_are_grouped_as_the_language_does(value: int, english: str, french: str) -> None:
    assert (write_number(value, "en"), write_number(value, "fr")) == (english, french)


def test_dates_are_written_in_words() -> None:
    assert write_date("2026-12-01T00:00:00Z", "en") == "1 December 2026"
    assert write_date("2026-12-01T00:00:00Z", "fr") == "1er décembre 2026"
    assert write_date("2026-08-22", "fr") == "22 août 2026"


class TestStatic:
    def test_files_are_cached_for_good_under_their_digest(self, client: TestClient) -> None:
        response = client.get(static_link("rhizome.css"))
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/css; charset=utf-8"
        assert "immutable" in response.headers["cache-control"]
        assert response.content == assets()["rhizome.css"].content

    def test_without_the_digest_or_with_an_old_one_they_are_asked_for_again(
        self, client: TestClient
    ) -> None:
        for link in ("/static/rhizome.css", "/static/rhizome.css?v=old"):
            response = client.get(link)
            assert response.headers["cache-control"] == "no-cache"
            headers = {"If-None-Match": response.headers["etag"]}
            assert client.get(link, headers=headers).status_code == 304

    def test_only_what_stands_in_the_folder_is_served(self, client: TestClient) -> None:
        assert client.get("/static/app.py").status_code == 404
        assert set(assets()) == {path.name for path in (ROOT / "web" / "static").iterdir()}

    def test_the_sheet_takes_nothing_from_elsewhere(self) -> None:
        sheet = assets()["rhizome.css"].content.decode()
        assert "url(" not in sheet
        assert "@import" not in sheet
        for feature in ("prefers-color-scheme: dark", "@media print", ":focus-visible"):
            assert feature in sheet


class TestOntology:
    def test_its_files_are_served_as_they_are(self, client: TestClient) -> None:
        path = ROOT / "ontology" / "shapes.ttl"
        response = client.get("/ontology/shapes.ttl")
        assert response.content == path.read_bytes()
        assert response.headers["content-type"] == "text/turtle; charset=utf-8"
        headers = {"If-None-Match": response.headers["etag"]}
        assert client.get("/ontology/shapes.ttl", headers=headers).status_code == 304

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_its_page_has_every_class_and_property(self, client: TestClient, language: str) -> None:
        response = client.get(f"/ontology?lang={language}", headers={"Accept": "text/html"})
        assert response.headers["content-language"] == language
        page = Page(response.text)
        identifiers = [str(a["id"]) for _, a in page.tags if "id" in a]
        assert len(identifiers) == len(set(identifiers))
        model = client.app.state.service.model  # type: ignore[attr-defined]
        assert {anchor_of(iri) for iri in model.classes} <= set(identifiers)
        assert {anchor_of(iri) for iri in model.predicates} <= set(identifiers)
        for target in links(page):
            if target.startswith("#"):
                assert target[1:] in identifiers, target
            else:
                accept = {"Accept": "text/html, */*;q=0.1"}
                assert client.get(target, headers=accept).status_code == 200, target

    @pytest.mark.parametrize(
        ("accept", "suffix", "format"),
        [
            ("text/turtle", ".ttl", "turtle"),
            ("application/ld+json", ".jsonld", "jsonld"),
            ("application/rdf+xml", ".rdf", "rdfxml"),
            ("application/n-triples", ".nt", "nt"),
        ],
    )
    def test_its_vocabulary_is_had_in_every_format(
        self, client: TestClient, accept: str, suffix: str, format: str
    ) -> None:
        response = client.get("/ontology", headers={"Accept": accept})
        assert response.headers["content-type"].partition(";")[0] == accept
        assert response.headers["content-location"] == f"/ontology{suffix}"
        assert client.get(f"/ontology{suffix}").content == response.content
        own = (ROOT / "ontology" / "rhizome.ttl").read_bytes()
        # Blank nodes (unions) have other names each time.
        assert no_blanks(read(response.content, format)) == no_blanks(read(own, "turtle"))
        assert f'</ontology{suffix}>; rel="alternate"; type="{accept}"' in response.headers["link"]

    def test_what_it_does_not_have_is_told(self, client: TestClient) -> None:
        assert client.get("/ontology.pdf").status_code == 400
        assert client.get("/ontology?format=ttl").status_code == 400
        assert client.get("/ontology", headers={"Accept": "image/png"}).status_code == 406
        assert client.head("/ontology.html").status_code == 200
        found = client.get("/ontology/shapes").json()
        assert (found["status"], found["code"]) == (404, "NOT_FOUND")
        assert "/ontology/shapes.ttl" in found["suggestions"]

    def test_the_context_is_json_ld(self, client: TestClient) -> None:
        response = client.get("/ontology/context.jsonld")
        assert response.headers["content-type"] == "application/ld+json"
        assert "@context" in response.json()
