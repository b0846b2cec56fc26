"""What the README shows is what the product answers; `make docs` writes the answers anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.require import ROOT
from tests.showing import write_json
from web.arguments import make_parser

README = ROOT / "README.md"
LINES_MAX = 150

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    found = BLOCK.findall(README.read_text(encoding="utf-8"))
    return [text for name, text in found if name == language]


def ask_graphql(client: TestClient) -> str:
    (document,) = blocks("graphql")
    answer = client.post("/graphql", json={"query": document}).json()
    assert "errors" not in answer
    return write_json(answer) + "\n"


def ask_sparql(client: TestClient) -> str:
    (query,) = blocks("sparql")
    answer = client.get("/sparql", params={"query": query, "format": "csv"})
    assert answer.status_code == 200, answer.text
    return answer.text.replace("\r\n", "\n")


def begin_report(client: TestClient) -> str:
    """The heading and the first three sentences of the summary."""
    lines = client.get("/report?format=md&lang=en").text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("- "))
    return "\n".join([*lines[:first], *lines[first : first + 3]]) + "\n"


@pytest.mark.generated
def test_the_answers_in_the_readme_are_what_the_product_says(
    client: TestClient, assert_current: Callable[[Path, str], None]
) -> None:
    answers = {
        "json": ask_graphql(client),
        "csv": ask_sparql(client),
        "text": begin_report(client),
    }

    def fill(block: re.Match[str]) -> str:
        name, text = block.groups()
        return f"```{name}\n{answers.get(name, text)}```"

    assert_current(README, BLOCK.sub(fill, README.read_text(encoding="utf-8")))


def test_the_commands_in_the_readme_are_understood() -> None:
    parser = make_parser()
    shown = [
        line.partition("#")[0].split("server.py")[1].split()
        for block in blocks("")
        for line in block.splitlines()
        if "server.py" in line
    ]
    assert {arguments[0] for arguments in shown} == {"load", "export", "check"}
    for arguments in shown:
        parser.parse_args(arguments)
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("")), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets == ["serve", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_readme_is_short_and_its_picture_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) < LINES_MAX
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert (ROOT / picture).read_text(encoding="utf-8").startswith("<svg")
