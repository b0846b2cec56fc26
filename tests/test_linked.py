"""Every IRI of ours resolves by its path: to a page for people, to data for programs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from graph.curation.formats import TRIG, Upload
from graph.terms import ENTITY, RZ
from tests.rdf import READ, read
from tests.samples import PREFIXES
from tests.seeded import serve
from tests.test_pages import Page, links
from tests.writing import Client, http
from web.entity import data_of, page_of
from web.linked import FORMATS

__all__ = ["http"]  # fixture

VEGEPOLYS = "organisation/vegepolys-valley"
COMMON = "memorandum/plant-intercluster-common"
FRANCE = "http://publications.europa.eu/resource/authority/country/FRA"
TYPES = {known.media_type: known.suffixes[0] for known in FORMATS}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def resolve(client: TestClient, path: str, accept: str | None = None) -> tuple[int, str]:
    headers = {} if accept is None else {"Accept": accept}
    response = client.get(path, headers=headers, follow_redirects=False)
    return response.status_code, response.headers.get("location", "")


class TestResolving:
    @pytest.mark.parametrize(("accept", "suffix"), TYPES.items())
    def test_a_program_is_sent_to_data_in_its_format(
        self, client: TestClient, accept: str, suffix: str
    ) -> None:
        place = f"/data/{VEGEPOLYS}{suffix}"
        assert resolve(client, f"/id/{VEGEPOLYS}", accept) == (303, place)
        response = client.get(place)
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] == accept

    @pytest.mark.parametrize(
        "accept",
        [
            *(None, "*/*", BROWSER, "text/html;q=0.9, text/turtle;q=0.8"),
            *("application/xhtml+xml", "application/xhtml+xml, application/xml;q=0.9"),
            "application/xml, application/xhtml+xml, text/html",
        ],
    )
    def test_people_are_sent_to_the_page(self, client: TestClient, accept: str | None) -> None:
        assert resolve(client, f"/id/{VEGEPOLYS}", accept) == (303, f"/page/{VEGEPOLYS}")

    @pytest.mark.parametrize("suffix", TYPES.values())
    def test_a_suffix_wins_over_accept(self, client: TestClient, suffix: str) -> None:
        asked = resolve(client, f"/id/{VEGEPOLYS}{suffix}", "text/html")
        assert asked == (303, f"/data/{VEGEPOLYS}{suffix}")
        asked = resolve(client, f"/id/{VEGEPOLYS}.html?lang=fr", "text/turtle")
        assert asked == (303, f"/page/{VEGEPOLYS}?lang=fr")

    def test_who_asks_for_json_is_sent_to_json_ld(self, client: TestClient) -> None:
        asked = resolve(client, f"/id/{VEGEPOLYS}", "application/json")
        assert asked == (303, f"/data/{VEGEPOLYS}.jsonld")

    @pytest.mark.parametrize("accept", ["application/xml", "application/xml;q=0.9"])
    def test_who_asks_for_xml_is_sent_to_rdf_xml(self, client: TestClient, accept: str) -> None:
        asked = resolve(client, f"/id/{VEGEPOLYS}", accept)
        assert asked == (303, f"/data/{VEGEPOLYS}.rdf")

    def test_an_accept_that_cannot_be_met_is_refused(self, client: TestClient) -> None:
        response = client.get(f"/id/{VEGEPOLYS}", headers={"Accept": "image/png"})
        assert response.status_code == 406
        assert "text/turtle" in response.json()["offered"]

    def test_sources_and_concepts_resolve_likewise(self, client: TestClient) -> None:
        for path in ("source/vegepolys-valley-networks", "concept/sector--mushrooms"):
            assert client.get(f"/id/{path}").status_code == 200  # redirects followed
            assert resolve(client, f"/id/{path}", "text/turtle") == (303, f"/data/{path}.ttl")

    def test_every_format_is_linked(self, client: TestClient) -> None:
        response = client.get(f"/id/{VEGEPOLYS}", follow_redirects=False)
        header = response.headers["link"]
        for media_type, suffix in TYPES.items():
            link = f'</data/{VEGEPOLYS}{suffix}>; rel="alternate"; type="{media_type}"'
            assert link in header
        assert f'</page/{VEGEPOLYS}>; rel="describedby"; type="text/html"' in header
        for place in (f"/page/{VEGEPOLYS}", f"/data/{VEGEPOLYS}.ttl"):
            header = client.get(place).headers["link"]
            assert f'<{ENTITY}{VEGEPOLYS}>; rel="describes"' in header
            assert f'</page/{VEGEPOLYS}>; rel="canonical"' in header
        assert response.headers["vary"] == "Accept"

    def test_head_answers_as_get_does(self, client: TestClient) -> None:
        for path in (f"/id/{VEGEPOLYS}", f"/page/{VEGEPOLYS}", f"/data/{VEGEPOLYS}.nq"):
            head = client.head(path, follow_redirects=False)
            got = client.get(path, follow_redirects=False)
            assert (head.status_code, head.content) == (got.status_code, b"")
            assert head.headers.get("etag") == got.headers.get("etag")

    @pytest.mark.parametrize(
        "path",
        [
            "/id/",
            "/id/organisation",
            "/id/organisation/",
            "/id/organisation/nobody-at-all-zzz",
            "/id/organisation/vegepolys%20valley",
            "/id/organisation/%3Cscript%3E",
            '/id/organisation/"}',
            "/id/%2e%2e/%2e%2e/etc/passwd",
            "/id/organisation/%00",
            "/id/organisation/%ff",
            "/id/organisation/vegepolys-valley.docx",
            "/id/organisation/vegepolys-valley.ttl.ttl",
            "/page/organisation/vegepolys-valley.ttl",
            "/data/organisation/vegepolys-valley",
            "/id/" + "x" * 3_000,
            "/id/organisation/" + "vegepolys-" * 150,
        ],
    )
    @pytest.mark.parametrize("accept", ["application/json", "text/html"])
    def test_what_is_not_known_is_not_found(
        self, client: TestClient, path: str, accept: str
    ) -> None:
        response = client.get(path, headers={"Accept": accept}, follow_redirects=False)
        assert response.status_code == 404
        assert len(response.text) < 20_000
        if accept == "application/json":
            assert response.json()["code"] == "NOT_FOUND"
        else:
            Page(response.text)
            assert "<script>" not in response.text

    def test_who_slips_is_shown_what_was_meant(self, client: TestClient) -> None:
        service = client.app.state.service  # type: ignore[attr-defined]
        service.public_snapshot.search.build(service.public_snapshot)
        response = client.get("/id/organisation/vegepolys-valey")
        assert response.json()["suggestions"][0] == f"{ENTITY}{VEGEPOLYS}"
        page = client.get("/id/organisation/vegepolys-valey", headers={"Accept": "text/html"})
        assert f"/page/{VEGEPOLYS}?lang=en" in links(Page(page.text))

    def test_other_parameters_are_refused(self, client: TestClient) -> None:
        for path in (
            f"/id/{VEGEPOLYS}?format=ttl",
            f"/page/{VEGEPOLYS}?iri=x",
            f"/page/{VEGEPOLYS}?start=0",
            f"/page/{VEGEPOLYS}?start=1e9",
            f"/page/{VEGEPOLYS}?lang=de",
            f"/page/{VEGEPOLYS}?lang=fr&lang=en",
            f"/data?iri={FRANCE}&iri={FRANCE}",
            f"/data/{VEGEPOLYS}.ttl?lang=fr",
            "/data?iri=not-an-iri",
            f"/data?iri={FRANCE}&format=pdf",
            "/page?iri=https://example.org/a b",
            "/page",
        ):
            response = client.get(path, follow_redirects=False)
            assert (response.status_code, response.json()["code"]) == (400, "BAD_VALUE"), path

    def test_things_of_others_have_a_page_by_their_iri(self, client: TestClient) -> None:
        assert page_of(FRANCE) == f"/page?iri={FRANCE.replace('/', '%2F').replace(':', '%3A')}"
        page = client.get(page_of(FRANCE) + "&lang=en").text
        assert ">France</h1>" in page
        found = read(client.get(data_of(FRANCE, ".nt")).content, "nt")
        assert any(subject == f"<{FRANCE}>" for subject, _, _, _ in found)

    def test_an_iri_that_ends_like_a_suffix_is_that_thing(self, http: TestClient) -> None:
        values = {"name": [{"text": "Acme", "lang": "en"}]}
        written = Client(http, "linked").create(values, id=f"{ENTITY}organisation/acme.ttl")
        assert written["accepted"], written
        asked = resolve(http, "/id/organisation/acme.ttl", "text/turtle")
        assert asked == (303, "/data/organisation/acme.ttl.ttl")
        assert "Acme" in client_text(http, "/data/organisation/acme.ttl.ttl")
        assert http.get("/page/organisation/acme.ttl").status_code == 200


def client_text(client: TestClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.text


class TestData:
    @pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.key)
    def test_each_format_says_the_same(self, client: TestClient, known: object) -> None:
        assert isinstance(known, type(FORMATS[0]))
        found = read(client.get(data_of(ENTITY + COMMON, known.suffixes[0])).content, known.key)
        quads = read(client.get(f"/data/{COMMON}.nq").content, "nq")
        assert len(quads) > 70
        assert found == (quads if known.is_dataset else {(*quad[:3], "") for quad in quads})
        assert known.key in READ

    def test_it_need_not_be_sent_twice(self, client: TestClient) -> None:
        for path in (f"/data/{COMMON}.ttl", f"/page/{COMMON}?lang=en"):
            first = client.get(path)
            again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        assert first.headers["etag"] != client.get(f"/page/{COMMON}?lang=fr").headers["etag"]

    def test_sources_keep_their_statements(self, client: TestClient) -> None:
        quads = read(client.get(f"/data/{COMMON}.trig").content, "trig")
        counts = {(g, o) for s, p, o, g in quads if p == f"<{RZ}statedPartyCount>"}
        assert len(counts) == 4
        assert len({value for _, value in counts}) == 2


class TestPage:
    @pytest.mark.parametrize("path", [VEGEPOLYS, COMMON, "source/vegepolys-valley-networks"])
    @pytest.mark.parametrize("language", ["en", "fr"])
    def test_it_is_sound_and_every_link_of_ours_leads_somewhere(
        self, client: TestClient, path: str, language: str
    ) -> None:
        response = client.get(f"/page/{path}?lang={language}")
        assert response.headers["content-language"] == language
        page = Page(response.text)
        assert len(page.all("h1")) == 1
        identifiers = [str(a["id"]) for _, a in page.tags if "id" in a]
        assert len(identifiers) == len(set(identifiers))
        for href in links(page):
            if href.startswith("#"):
                assert href[1:] in identifiers
        own = {href for href in links(page) if href.startswith(("/page", "/data", "/graphs"))}
        assert own
        for href in sorted(own)[::9]:
            assert client.get(href).status_code == 200, href

    def test_each_value_names_its_sources(self, client: TestClient) -> None:
        text = client_text(client, f"/page/{COMMON}?lang=en")
        differs = re.search(r'id="field-statedPartyCount".*?</dd>', text, re.DOTALL)
        assert differs is not None
        values = re.findall(r"<li[^>]*>\s*(\d+)", differs[0])
        assert values == ["12", "10"]
        assert differs[0].count("#source-") == 4
        assert "Sources differ" in text
        assert "Les sources divergent" in client_text(client, f"/page/{COMMON}?lang=fr")

    def test_a_thing_on_which_sources_agree_says_nothing_of_it(self, client: TestClient) -> None:
        assert "Sources differ" not in client_text(client, f"/page/{VEGEPOLYS}?lang=en")

    def test_what_is_not_known_is_said(self, client: TestClient) -> None:
        text = client_text(client, "/page/organisation/femac?lang=en")
        assert "What is not known" in text
        assert "No source in the graph states" in text or "are stated" in text

    def test_ties_are_shown_with_role_status_and_evidence(self, client: TestClient) -> None:
        text = client_text(client, f"/page/{VEGEPOLYS}?lang=en")
        memberships = re.search(r'id="field-memberships".*?</dd>', text, re.DOTALL)
        assert memberships is not None
        for part in ("/page/network/plant-intercluster", "role", "status", "evidence"):
            assert part in memberships[0]

    def test_a_source_says_how_much_it_states(self, client: TestClient) -> None:
        text = client_text(client, "/page/source/vegepolys-valley-networks?lang=en")
        assert re.search(r"This source makes \d+ statements", text)
        assert "/graphs/source/vegepolys-valley-networks" in text


def test_pages_escape_what_sources_say(http: TestClient) -> None:
    evil = "<script>alert(1)</script>\"'&"
    values = {"name": [{"text": evil, "lang": "en"}], "acronym": "<b>"}
    written = Client(http, "linked-evil").create(values, id=f"{ENTITY}organisation/evil")
    assert written["accepted"], written
    text = client_text(http, "/page/organisation/evil")
    Page(text)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert read(http.get("/data/organisation/evil.rdf").content, "rdfxml")


SOURCE = (
    PREFIXES
    + """source:escapes {
  source:escapes a rz:Source ; dct:title "Escapes" ; rz:sourceKind "user" .
"""
)


@pytest.mark.parametrize("name", ["a%23b", "a%3Fb%2Fc"])
def test_a_name_with_escapes_is_found_by_its_path(http: TestClient, name: str) -> None:
    path = f"organisation/{name}"
    text = SOURCE + f'<{ENTITY}{path}> a rz:Cluster ; skos:prefLabel "Escaped"@en . }}'
    service = http.app.state.service  # type: ignore[attr-defined]
    service.gate.load([Upload("escapes", TRIG, text.encode())])
    assert resolve(http, f"/id/{path}", "text/turtle") == (303, f"/data/{path}.ttl")
    assert ENTITY + path in http.get(f"/data/{path}.nt").text
    page = client_text(http, f"/page/{path}?lang=en")
    assert "Escaped" in page
    assert f'"/page/{path}?lang=fr"' in page  # the same page in another language


@pytest.fixture(scope="module")
def behind(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The service at a public address below a path."""
    folder = tmp_path_factory.mktemp("behind") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, base_url="https://example.org/rhizome/", entity_values=2) as client:
        yield client


def test_links_begin_with_the_public_path(behind: TestClient) -> None:
    response = behind.get(f"/id/{VEGEPOLYS}", follow_redirects=False)
    assert response.headers["location"] == f"/rhizome/page/{VEGEPOLYS}"
    assert f"</rhizome/data/{VEGEPOLYS}.ttl>" in response.headers["link"]
    for href in links(Page(behind.get(f"/page/{VEGEPOLYS}").text)):
        assert href.startswith(("/rhizome/", "#", "https://", "http://")), href


def test_long_lists_are_paged_by_a_setting(behind: TestClient) -> None:
    address = f"/rhizome/page/{VEGEPOLYS}"
    text = behind.get(f"/page/{VEGEPOLYS}?lang=en").text
    found = re.search(r'id="field-figures".*?</dd>', text, re.DOTALL)
    assert found is not None
    total = re.search(r"1 to 2 of (\d+)", found[0])
    assert total is not None
    next_ = f"{address}?field=figures&start=3&lang=en"
    seen: list[str] = []
    while next_:
        page = Page(behind.get(next_.removeprefix("/rhizome")).text)
        seen += [h for h in links(page) if h.startswith("/rhizome/page/figure/")]
        (next_,) = [a["href"] for a in page.all("a") if a.get("rel") == "next"] or [""]
    assert len(seen) == len(set(seen)) == int(total[1]) - 2
    for wrong in ("field=figures&start=999999", "field=nothing"):
        assert behind.get(f"/page/{VEGEPOLYS}?{wrong}").status_code == 404


def test_names_in_the_store_hold_the_endpoint(behind: TestClient) -> None:
    query = "SELECT DISTINCT ?t WHERE { ?q <https://schema.org/target> ?t }"
    rows = behind.get("/sparql", params={"query": query}).json()["results"]["bindings"]
    assert [row["t"]["value"] for row in rows] == ["https://example.org/rhizome/sparql"]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"/id/../../etc/passwd", 404),
        (b"/id/organisation/..", 404),
        (b"/id//organisation/cta", 404),
        (b"/id/organisation/%63ta.ttl", 303),
    ],
)
def test_paths_that_clients_would_tidy_up(client: TestClient, raw: bytes, status: int) -> None:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": unquote(raw.decode()),
        "raw_path": raw,
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "scheme": "http",
        "root_path": "",
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    assert sent[0]["status"] == status
