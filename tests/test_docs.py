"""The generated pages are current, and everything has its row."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from graph.errors import leaves
from graph.settings import Settings, variable_name
from tests.require import ROOT
from web import changes, report
from web.app import list_routes
from web.arguments import make_parser


def _load() -> ModuleType:
    """`docs/generate.py`, which stands in no package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = _load()
PAGES: dict[str, Callable[[], str]] = dict(generate.PAGES)


@pytest.mark.generated
@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name: str, assert_current: Callable[[Path, str], None]) -> None:
    assert_current(ROOT / "docs" / name, PAGES[name]())


def test_every_setting_has_its_row() -> None:
    page = PAGES["settings.md"]()
    for setting in fields(Settings):
        assert f"| `{variable_name(setting.name)}` |" in page
        assert setting.metadata["help"]
        assert setting.metadata["unit"]


def test_every_error_has_its_heading_and_row() -> None:
    page = PAGES["errors.md"]()
    codes = [leaf.code for leaf in leaves()]
    assert len(codes) == len(set(codes))
    for leaf in leaves():
        assert f"\n## {leaf.code}\n" in page
        assert re.search(rf"\| \[`{leaf.code}`\]\(#{leaf.code.lower()}\) \|", page)


def test_every_command_and_argument_is_described() -> None:
    page = PAGES["commands.md"]()
    commands = generate._commands(make_parser())
    tokens = {"token create", "token list", "token revoke"}
    assert set(commands) == {
        *("serve", "load", "export", "report", "question", "check", "queries"),
        *tokens,
    }
    for name, command in commands.items():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert "examples:" in section
        for action in command._actions:
            if action.dest != "help":
                assert action.help, action.dest
                assert generate._usage(action) in section


def test_every_route_has_its_row_and_a_summary() -> None:
    page = PAGES["routes.md"]()
    routes = list_routes()
    assert {"/", "/graphql", "/sparql", "/export", "/report", "/health", "/ready", "/version"} <= {
        route.path for route in routes
    }
    for route in routes:
        assert f"| `{route.path}` |" in page
        assert len(generate._summary(route.endpoint)) > 20


def test_every_parameter_of_the_report_has_its_row() -> None:
    page = PAGES["routes.md"]()
    for name in [*report.list_choices(), *report.SWITCHES, *report.OTHERS]:
        assert f"| `{name}` |" in page


def test_every_parameter_of_the_changes_has_its_row() -> None:
    page = PAGES["routes.md"]()
    for name in changes.PARAMETERS:
        assert f"| `/changes` | `{name}` |" in page


def test_the_index_of_the_docs_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for name in PAGES:
        assert f"]({name})" in index
