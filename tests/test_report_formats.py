from __future__ import annotations

import csv
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest

from graph.analysis import grids
from graph.analysis.affiliations import Layer
from graph.analysis.findings import Report
from graph.analysis.measures.registry import NODE_MEASURES
from graph.analysis.projection import Mode, ProjectionParameters
from graph.analysis.render import RENDERERS, render
from graph.analysis.render_csv import neutralise
from graph.analysis.render_json import round_number
from graph.analysis.render_markdown import escape_markdown
from graph.analysis.report import build_report
from graph.analysis.wording import LANGUAGES, Wording
from graph.errors import BadValueError
from tests.networks import (
    Joined,
    join_quads,
    named,
    organisation,
    seed_snapshot,
    snapshot_of,
)
from tests.require import ROOT

TIME = "2026-11-22T13:05:07.123456Z"
NASTY = '=cmd|"/c calc"!A1 <script>alert(1)</script> | *bold* [x](y) & `code`\n# head'
VOID = {"meta", "rect", "path", "circle"}


def seed_report(language: str = "en", **changes: Any) -> Report:
    parameters = replace(ProjectionParameters(), **changes)
    return build_report(seed_snapshot(), parameters, language, TIME)


def nasty_report(language: str = "en") -> Report:
    joined: Joined = {
        (Layer.PROJECT, "p"): ["a", "b", "c"],
        (Layer.PROJECT, "q"): ["c", "d"],
        (Layer.MEMBERSHIP, "n"): ["e"],
    }
    quads = [q for q in join_quads(joined) if q[0] != f"<{organisation('c')}>" or "type" in q[1]]
    quads.append(named(organisation("c"), NASTY))
    return build_report(snapshot_of(quads), ProjectionParameters(), language, TIME)


class Page(HTMLParser):
    """Elements, their attributes, and whether all are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


# --- all formats -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RENDERERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_input_gives_the_same_bytes(name: str, language: str) -> None:
    first, second = (render(seed_report(language), name) for _ in range(2))
    assert first == second
    assert first.decode()


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(BadValueError, match="one of html, md, json, csv"):
        render(seed_report(), "pdf")


@pytest.mark.parametrize("name", RENDERERS)
def test_an_empty_network_renders(name: str) -> None:
    report = build_report(snapshot_of([]), ProjectionParameters(), "en", "")
    text = render(report, name).decode()
    assert "nothing to measure" in text or name == "csv"
    assert "nan" not in text.lower().replace("nano", "")


@pytest.mark.parametrize("name", RENDERERS)
def test_two_modes_render_with_affiliations_as_nodes(name: str) -> None:
    text = render(seed_report(mode=Mode.TWO_MODE), name).decode()
    assert "NATUREEF" in text
    assert name not in ("html", "md") or "Organisation or affiliation" in text


# --- HTML --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", [seed_report, nasty_report])
def test_html_is_whole_and_keeps_a_strict_policy(make: Any, language: str) -> None:
    text = render(make(language), "html").decode()
    page = Page(text)
    assert page.open == []
    assert page.all("html") == [{"lang": language}]
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert len(page.all("style")) == 1
    assert text.count("<style>") == 1  # by which the server finds the sheet for its policy
    for tag, attributes in page.elements:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
        assert not {"src", "srcset", "action"} & set(attributes), tag
    assert all((link["href"] or "").startswith("#") for link in page.all("a"))
    assert "url(" not in text
    assert "@import" not in text
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(link["href"] or "")[1:] for link in page.all("a")} <= set(ids)


def test_the_sheet_is_the_same_in_every_report() -> None:
    pages = [render(seed_report("en"), "html"), render(nasty_report("fr"), "html")]
    sheets = [re.findall(rb"<style>(.*?)</style>", page, re.DOTALL) for page in pages]
    assert len({hashlib.sha256(sheet).hexdigest() for (sheet,) in sheets}) == 1


def test_every_plot_has_a_title_a_description_and_a_table_below() -> None:
    text = render(seed_report(), "html").decode()
    page = Page(text)
    plots = page.all("svg")
    assert len(plots) == 6
    ids = {attributes.get("id") for _, attributes in page.elements}
    for plot in plots:
        assert plot["role"] == "img"
        assert set((plot["aria-labelledby"] or "").split()) <= ids
    for after in re.split(r"</svg>", text)[1:]:
        before_next_plot = after.split("<svg", 1)[0]
        assert "<table>" in before_next_plot or "in the annex" in before_next_plot


def test_names_are_text_in_html() -> None:
    text = render(nasty_report(), "html").decode()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert any("=cmd|" in part for part in Page(text).text)


def test_tables_have_heads_and_as_many_cells_as_columns() -> None:
    text = render(seed_report("fr"), "html").decode()
    tables = re.findall(r"<table>(.*?)</table>", text, re.DOTALL)
    assert len(tables) > 15
    for table in tables:
        heads = table.count('<th scope="col"')
        rows = re.findall(r"<tr>(<td.*?)</tr>", table)
        assert heads > 0
        assert {row.count("<td") for row in rows} <= {heads}


def test_long_rankings_are_cut_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.analysis.render_html.RANKED", 25)
    monkeypatch.setattr("graph.analysis.render_html.TOP", 10)
    text = render(seed_report(), "html").decode()
    nodes = len(seed_report().nodes)
    assert f"The first 25 of {nodes} are shown" in text
    assert "Rest of the ranking (15 rows)" in text
    assert "strongest of" in text


def test_estimates_show_their_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.analysis.measures.shortest_paths.EXACT_VISITS", 1)
    monkeypatch.setattr("graph.analysis.measures.shortest_paths.FEWEST_SOURCES", 40)
    report = seed_report()
    html, markdown, table, data = (render(report, name).decode() for name in RENDERERS)
    table, data = data, table
    assert "Standard error" in html
    assert "Estimated from 4" in html
    assert "Estimated from 4" in markdown
    assert table.splitlines()[0].endswith(",betweennessError")
    estimate = json.loads(data)["measures"][0]["estimate"]
    assert len(estimate["standardErrors"]) == len(report.nodes)
    assert schema_errors(json.loads(data), SCHEMA) == []


# --- Markdown ----------------------------------------------------------------------------------


def test_markdown_escapes_what_reads_as_markup() -> None:
    escaped = escape_markdown(NASTY)
    assert "\n" not in escaped
    assert re.sub(r"\\([\\`*_{}\[\]<>|#~&])", r"\1", escaped) == NASTY.replace("\n", " ")
    assert not re.search(r"(?<!\\)[|<>*`\[]", escaped)


@pytest.mark.parametrize("make", [seed_report, nasty_report])
def test_markdown_tables_have_as_many_cells_as_columns(make: Any) -> None:
    lines = render(make(), "md").decode().splitlines()
    columns = 0
    for line in lines:
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line)) - 1
            columns = columns or cells
            assert cells == columns, line
        else:
            columns = 0
    assert sum(line.startswith("|---") for line in lines) > 10


# --- CSV ---------------------------------------------------------------------------------------


def test_csv_has_one_row_a_node_and_every_measure() -> None:
    report = seed_report()
    rows = list(csv.DictReader(StringIO(render(report, "csv").decode(), newline="")))
    assert [row["iri"] for row in rows] == [node.iri for node in report.nodes]
    for row, node in zip(rows, report.nodes, strict=True):
        for measure, value, rank in zip(NODE_MEASURES, node.values, node.ranks, strict=True):
            if value is None:
                assert row[measure.key] == row[f"{measure.key}Rank"] == ""
            else:
                assert float(row[measure.key]) == pytest.approx(value, rel=1e-11)
                assert row[f"{measure.key}Rank"] == str(rank)


def test_csv_keeps_points_in_french() -> None:
    english, french = (render(seed_report(language), "csv").decode() for language in LANGUAGES)
    pick = [[row["betweenness"] for row in csv.DictReader(StringIO(t))] for t in (english, french)]
    assert pick[0] == pick[1]
    assert any("." in value for value in pick[0])


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_formulas_are_neutralised(cell: str) -> None:
    assert neutralise(cell) == f"'{cell}"


def test_a_formula_as_a_name_is_neutralised_and_read_back() -> None:
    rows = list(csv.DictReader(StringIO(render(nasty_report(), "csv").decode(), newline="")))
    assert [row["name"] for row in rows if "cmd" in row["name"]] == [f"'{NASTY}"]
    assert neutralise("plain") == "plain"


# --- JSON --------------------------------------------------------------------------------------

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def schema_errors(value: Any, schema: dict[str, Any], path: str = "$") -> list[str]:
    """Return where a value breaks a schema: the keywords that ours uses, no others."""
    known = {"$schema", "title", "description", "type", "required", "properties", "const", "enum"}
    assert set(schema) <= known | {"additionalProperties", "items"}, path
    if "const" in schema:
        return [] if value == schema["const"] else [f"{path} is not {schema['const']}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{path} is {value!r}"]
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    fits = [k for k in kinds if isinstance(value, TYPES[k])]
    if not fits or (isinstance(value, bool) and "boolean" not in kinds):
        return [f"{path} is no {' or '.join(kinds)}"]
    errors: list[str] = []
    if isinstance(value, list):
        for place, item in enumerate(value):
            errors += schema_errors(item, schema["items"], f"{path}[{place}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        errors += [
            f"{path}.{key} is missing" for key in schema.get("required", ()) if key not in value
        ]
        for key, item in value.items():
            inner = properties.get(key, schema.get("additionalProperties"))
            if not inner:
                errors.append(f"{path}.{key} is not in the schema")
            else:
                errors += schema_errors(item, inner, f"{path}.{key}")
    return errors


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", [seed_report, nasty_report])
def test_json_keeps_to_its_schema(make: Any, language: str) -> None:
    data = json.loads(render(make(language), "json"))
    assert schema_errors(data, SCHEMA) == []
    assert list(data) == SCHEMA["required"]


def test_the_schema_check_finds_what_is_wrong() -> None:
    data = json.loads(render(nasty_report(), "json"))
    assert schema_errors({**data, "more": 1}, SCHEMA) == ["$.more is not in the schema"]
    assert schema_errors({**data, "revision": "1"}, SCHEMA) == ["$.revision is no integer"]
    assert schema_errors({**data, "formatVersion": 2}, SCHEMA) == ["$.formatVersion is not 1"]
    del data["nodes"][0]["values"]
    assert schema_errors(data, SCHEMA) == ["$.nodes[0].values is missing"]


def test_json_holds_the_numbers_with_twelve_digits_and_null_for_undefined() -> None:
    report = nasty_report()
    data = json.loads(render(report, "json"))
    assert data["nodes"][4]["values"]["eigenvector"] is None
    assert data["nodes"][4]["ranks"]["eigenvector"] is None
    for node, found in zip(report.nodes, data["nodes"], strict=True):
        for value, measure in zip(node.values, NODE_MEASURES, strict=True):
            expected = None if value is None else pytest.approx(value, rel=1e-11)
            assert found["values"][measure.key] == expected
    assert data["committedAt"] == TIME
    assert round_number(2 / 3) == 0.666666666667
    assert repr(round_number(3.0)) == "3"


# --- grids -------------------------------------------------------------------------------------


def test_grids_say_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.analysis.grids.ROWS", 2)
    report, wording = seed_report(), Wording("en")
    affiliations = grids.grid_affiliations(report, wording)
    assert len(affiliations.rows) == 2
    assert f"The first 2 of {len(report.affiliations)} are shown" in affiliations.note
    assert grids.grid_layers(report, wording).note == ""


def test_affiliations_show_the_parties_without_a_name() -> None:
    rows = grids.grid_affiliations(seed_report("fr"), Wording("fr")).rows
    (row,) = [row for row in rows if row[4]]
    assert row[1:] == ("mémorandum", "10", "10 ou 12", "2")


def test_shared_ranks_carry_a_sign() -> None:
    report = nasty_report()
    grid = grids.grid_measure(report, Wording("en"), report.place_of("degree"), 0)
    assert [row[0] for row in grid.rows] == ["1", "2=", "2=", "4", "5"]
    grid = grids.grid_measure(report, Wording("en"), report.place_of("eigenvector"), 0)
    assert [grid.rows[-1][0], grid.rows[-1][-1]] == ["–", "–"]
