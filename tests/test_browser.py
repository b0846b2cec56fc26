"""The pages in Chromium: nothing from elsewhere, no error, readable, usable by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.require import chromium
from tests.running import Running

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATHS = [
    *("/?lang=en", "/?lang=fr", "/nowhere?lang=fr", "/report?lang=en", "/graphql", "/sparql"),
    "/page/organisation/vegepolys-valley?lang=en",
    "/page/memorandum/plant-intercluster-common?lang=fr",
    "/ontology?lang=fr",
    "/questions?lang=en",
    "/questions/2?lang=fr",
    "/questions/12?lang=en",
]
SIZES = {"desktop": (1280, 900), "phone": (360, 740)}

pytestmark = pytest.mark.needs("chromium")
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def server(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = tmp_path_factory.mktemp("browser") / "store"
    shutil.copytree(seeded_store, store)
    running = Running(store, RHIZOME_RATE_PAGES="0", RHIZOME_RATE_API="0")
    try:
        yield running.ready()
    finally:
        running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, server: Running) -> Iterator[Open]:
    """Open a path; at the end, nothing was asked of another host and nothing went wrong."""
    pages: list[Page] = []
    asked: list[str] = []
    errors: list[str] = []

    def open_(path: str, size: str = "desktop", scheme: str = "light") -> Page:
        width, height = SIZES[size]
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        pages.append(page)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(f"{path}: {message.text}"))
        page.on("pageerror", lambda error: errors.append(f"{path}: {error}"))
        response = page.goto(server.address + path, wait_until="networkidle")
        assert response is not None
        return page

    yield open_
    for page in pages:
        page.close()
    assert [url for url in asked if not url.startswith(server.address)] == []
    # A page that is not there is told to the console, too.
    assert [error for error in errors if "404" not in error] == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PATHS)
def test_no_page_scrolls_sideways(open_page: Open, path: str, size: str) -> None:
    page = open_page(path, size)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= SIZES[size][0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(open_page: Open, path: str, scheme: str) -> None:
    page = open_page(path, scheme=scheme)
    expect(page.locator("h1").first).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_keyboard_reaches_the_content_first(open_page: Open) -> None:
    page = open_page("/?lang=en")
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("href", "#main")
    expect(focused).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_style_sheet_applies_in_every_scheme(open_page: Open) -> None:
    colours = {
        scheme: open_page("/", scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert colours["light"] != colours["dark"]
    assert "rgba(0, 0, 0, 0)" not in colours.values()


def test_a_reader_changes_the_language_and_stays_on_the_page(open_page: Open) -> None:
    page = open_page("/?lang=en")
    page.get_by_role("link", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("h1")).to_contain_text("végétale")


def test_it_prints_on_paper_without_the_menu(open_page: Open) -> None:
    page = open_page("/?lang=en")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Main menu")).to_be_hidden()
    assert page.pdf()[:4] == b"%PDF"
