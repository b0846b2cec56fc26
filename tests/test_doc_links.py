"""Links between the pages of the repository lead somewhere, and the index names each decision."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.require import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = ROOT / "docs" / "decisions"


def slug(heading: str) -> str:
    """Anchor of a heading, as GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower())
    return kept.strip().replace(" ", "-")


def without_code(text: str) -> str:
    """A page without its blocks and spans of code, where nothing is a link or a heading."""
    return re.sub(
        r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )


def anchors(text: str) -> set[str]:
    """Anchors of all headings of a page."""
    blocks = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", blocks, re.MULTILINE)
    return {slug(heading) for heading in headings} | set(re.findall(r'\bid="([^"]+)"', text))


def broken_links(page: Path) -> Iterator[str]:
    """Targets of a page's relative links that are not there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        is_found = file.exists() and (ROOT in file.parents or file == ROOT)
        if is_found and anchor and file.suffix == ".md":
            is_found = anchor in anchors(file.read_text(encoding="utf-8"))
        if not is_found:
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](absent.md)", ["absent.md"]),
        ("# One\n[a](#two)", ["#two"]),
        ("# One two: three\n[a](#one-two-three)", []),
        ("`[a](absent.md)` and [b](https://example.org)", []),
        ("[a](/etc/hostname)", ["/etc/hostname"]),
    ],
)
def test_a_broken_link_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, broken: list[str]
) -> None:
    monkeypatch.setattr("tests.test_doc_links.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    assert list(broken_links(page)) == broken


def test_the_index_names_each_decision_with_its_title_and_status() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    records = sorted(DECISIONS.glob("[0-9]*.md"))[1:]
    for record in records:
        text = record.read_text(encoding="utf-8")
        title = re.match(r"# (\d{4}): (.+)\n", text)
        status = re.search(r"^Status: (accepted|proposed|replaced)", text, re.MULTILINE)
        assert title is not None, record.name
        assert status is not None, record.name
        assert title[1] == record.name[:4]
        assert f"| [{title[1]}]({record.name}) | {title[2]} | {status[1]}" in index
    assert [record.name[:4] for record in records] == [
        f"{n:04}" for n in range(1, len(records) + 1)
    ]


def test_decisions_fit_on_a_page() -> None:
    long = {p.name: len(p.read_text(encoding="utf-8").split()) for p in DECISIONS.glob("[0-9]*.md")}
    assert {name: words for name, words in long.items() if words > 600} == {}
