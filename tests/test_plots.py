from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from graph.analysis.plots import (
    BINS,
    WIDTH,
    Axes,
    Bin,
    Caption,
    Item,
    bin_values,
    find_ticks,
    plot_bars,
    plot_histogram,
    plot_points,
)

CAPTION = Caption("key", "A <title>", "A & description")
AXES = Axes("across & along", "<upward>", "{:g}".format)
SVG = "{http://www.w3.org/2000/svg}"

values = st.floats(0, 1e6, allow_nan=False)
items = st.lists(
    st.builds(Item, st.text(max_size=60), values, st.text(max_size=8), values), max_size=30
)


def parse(plot: Markup) -> ElementTree.Element:
    """Read the plot as a stand-alone SVG; an XML parser refuses what is not escaped."""
    text = "".join(c for c in str(plot) if c in "\t\n\r" or " " <= c < "\ud800" or c > "\ue000")
    clean = text.replace("\ufffe", "").replace("\uffff", "")
    return ElementTree.fromstring(clean.replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))


def numbers(element: ElementTree.Element, name: str) -> list[float]:
    return [float(found.get(name, "nan")) for found in element]


def check_frame(plot: Markup) -> ElementTree.Element:
    svg = parse(plot)
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby") == "key-title key-text"
    assert svg[0].tag == f"{SVG}title"
    assert (svg[0].get("id"), svg[0].text) == ("key-title", "A <title>")
    assert (svg[1].get("id"), svg[1].text) == ("key-text", "A & description")
    names = {name for each in svg.iter() for name in (each.tag.removeprefix(SVG), *each.attrib)}
    assert not names & {"style", "script"}  # a text may say so
    return svg


@given(items)
@example([Item("style", 1.0, "", 1.0)])
def test_bars_are_as_long_as_their_values(bars: list[Item]) -> None:
    svg = check_frame(plot_bars(CAPTION, bars))
    found = svg.findall(f"{SVG}rect")
    lengths = [float(rect.get("width", "nan")) for rect in found]
    most = max((bar.value for bar in bars), default=0)
    longest = max(lengths, default=0)
    assert len(lengths) == len(bars)
    for length, bar in zip(lengths, bars, strict=True):
        expected = longest * bar.value / most if most else 0
        assert length == pytest.approx(expected, abs=0.11)
    assert longest < WIDTH


@given(items)
def test_points_stand_inside_the_axes(points: list[Item]) -> None:
    svg = check_frame(plot_points(CAPTION, points, AXES))
    circles = svg.findall(f"{SVG}circle")
    assert len(circles) <= len(points)
    for circle in circles:
        assert 64 <= float(circle.get("cx", "nan")) <= WIDTH - 24
        assert 16 <= float(circle.get("cy", "nan")) <= 380 - 52


def test_points_in_one_place_are_drawn_once_and_the_highest_named() -> None:
    points = [Item("low", 0, "", 1), Item("also low", 0, "", 1), Item("high", 5, "", 2)]
    svg = check_frame(plot_points(CAPTION, points, AXES))
    assert len(svg.findall(f"{SVG}circle")) == 2
    texts = [text.text for text in svg.findall(f"{SVG}text")]
    assert "high" in texts
    assert "low" not in texts
    assert {"across & along", "<upward>"} <= set(texts)


def names_of(points: Sequence[Item]) -> list[tuple[str | None, str | None]]:
    svg = parse(plot_points(CAPTION, points, AXES))
    texts = [text for text in svg.findall(f"{SVG}text") if "name" in text.get("class", "").split()]
    return [(text.text, text.get("class")) for text in texts]


def test_names_do_not_cover_each_other_nor_leave_the_plot() -> None:
    near = [Item("n" * 30, 1.0, "", 50), Item("m" * 30, 1.0, "", 51), Item("far", 0.5, "", 100)]
    found = dict(names_of(near))
    assert found["m" * 30] == "name"
    assert found["n" * 30] == "name end"
    right = Item("at the right edge", 1.0, "", 100)
    crowd = [Item(f"{n}" * 30, 1.0, "", 10 + n / 10) for n in range(6)]
    assert names_of([*crowd, right]) == [("at the right edge", "name end"), ("5" * 30, "name")]


def test_long_names_are_cut() -> None:
    svg = parse(plot_bars(CAPTION, [Item("x" * 80, 1, "1")]))
    names = [text.text or "" for text in svg.findall(f"{SVG}text")]
    assert names[0] == "x" * 35 + "…"


def test_a_histogram_has_a_bar_a_bin_and_labels_that_fit() -> None:
    bins = [Bin(n, n, n + 1) for n in range(24)]
    labels = [f"{n:,}" for n in range(24)]
    svg = check_frame(plot_histogram(CAPTION, bins, labels, AXES))
    heights = [float(rect.get("height", "nan")) for rect in svg.findall(f"{SVG}rect")]
    assert len(heights) == 24
    assert heights == sorted(heights)
    check_frame(plot_histogram(CAPTION, [], [], AXES))


@given(st.lists(st.integers(0, 500).map(float), max_size=80))
def test_every_value_is_in_one_bin(counted: list[float]) -> None:
    bins = bin_values(counted)
    assert sum(b.count for b in bins) == len(counted)
    assert len(bins) <= BINS
    for before, after in pairwise(bins):
        assert after.low == before.high + 1
    for value in counted:
        assert sum(b.low <= value <= b.high for b in bins) == 1


@given(st.floats(1e-9, 1e9), st.booleans())
def test_ticks_are_few_round_and_reach_the_highest(most: float, whole: bool) -> None:
    ticks = find_ticks(most, whole=whole)
    assert ticks[0] == 0
    assert ticks[-1] >= most * (1 - 1e-9)
    assert 2 <= len(ticks) <= 8
    steps = [b - a for a, b in pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-6)
    assert not whole or all(float(tick).is_integer() for tick in ticks)


def test_nothing_to_show_has_an_axis_of_one() -> None:
    assert find_ticks(0) == (0.0, 1.0)
    assert not math.isnan(find_ticks(0.35)[-1])
