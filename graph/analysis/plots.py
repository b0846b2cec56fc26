"""Plots as SVG text written here: bars, points, histogram.

Floor 3. No script, no style attribute, no colour: classes are coloured by the page's sheet, so
that dark mode and print work and a strict content policy holds. Coordinates have one decimal, so
that the same values give the same bytes. Each plot carries a title and a description.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 760
BAR: Final = 22
LABEL: Final = 270
#: Characters of a name that fit beside a bar, and their width.
LETTERS: Final = 36
LETTER: Final = 7.0
#: Room around the axes of a plot of points or a histogram: left, right, top, bottom.
MARGINS: Final = (64, 24, 16, 52)
HEIGHT: Final = 380
#: Bars of a histogram at most.
BINS: Final = 24
#: Points that carry their name.
NAMED: Final = 6
#: A highest value below this is drawn as 0.
TINY: Final = 1e-100


@dataclass(frozen=True, slots=True)
class Item:
    """One bar or point: name, value (and value across), and the value as text."""

    name: str
    value: float
    text: str
    across: float = 0.0


@dataclass(frozen=True, slots=True)
class Bin:
    """How many nodes have a value from low to high, both included."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class Caption:
    """What a plot is called: unique id, title, and a description that stands for the picture."""

    key: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Axes:
    """The names of the axes, and how a number beside them is written."""

    across: str
    upward: str
    write: Callable[[float], str]


def plot_bars(caption: Caption, items: Sequence[Item]) -> Markup:
    """Return horizontal bars, in the order given; names on the left, values at the end."""
    height = BAR * len(items) + 8
    most = max((item.value for item in items), default=0.0)
    room = WIDTH - LABEL - 80
    parts = []
    for place, item in enumerate(items):
        y = 4 + place * BAR
        length = room * item.value / most if most > 0 else 0.0
        parts += [
            _text(LABEL - 8, y + 15, "name end", _shorten(item.name)),
            Markup(f'<rect class="bar" x="{LABEL}" y="{y + 3}" width="{length:.1f}" height="16"/>'),
            _text(LABEL + length + 6, y + 15, "value", item.text),
        ]
    return _frame(caption, height, parts)


def plot_points(caption: Caption, items: Sequence[Item], axes: Axes) -> Markup:
    """Return a plot of points, `across` to the right and `value` upward; the highest are named.

    Points in one place are drawn once. A name that would cover another is left out.
    """
    left, right, top, bottom = MARGINS
    wide, high = WIDTH - left - right, HEIGHT - top - bottom
    x_ticks = find_ticks(max((item.across for item in items), default=0.0))
    y_ticks = find_ticks(max((item.value for item in items), default=0.0))

    def place(item: Item) -> tuple[float, float]:
        x, y = item.across / x_ticks[-1], item.value / y_ticks[-1]
        return left + x * wide, top + (1 - y) * high

    parts = _draw_axes(axes, x_ticks, y_ticks)
    spots = dict.fromkeys(f'cx="{x:.1f}" cy="{y:.1f}"' for x, y in map(place, items))
    parts += [Markup(f'<circle class="point" {spot} r="4.5"/>') for spot in spots]
    ranked = sorted(items, key=lambda item: (-item.value, -item.across, item.name))
    named = [(_shorten(item.name), *place(item)) for item in ranked[:NAMED] if item.value]
    return _frame(caption, HEIGHT, [*parts, *_place_names(named)])


def plot_histogram(
    caption: Caption, bins: Sequence[Bin], labels: Sequence[str], axes: Axes
) -> Markup:
    """Return vertical bars, one for each bin, with the bins' labels below."""
    left, right, top, bottom = MARGINS
    wide, high = WIDTH - left - right, HEIGHT - top - bottom
    y_ticks = find_ticks(max((b.count for b in bins), default=0), whole=True)
    parts = _draw_axes(axes, (), y_ticks)
    step = wide / max(len(bins), 1)
    every = max(1, math.ceil(len(bins) * 5.5 * LETTER / wide))
    for number, (b, label) in enumerate(zip(bins, labels, strict=True)):
        x, tall = left + number * step, high * b.count / y_ticks[-1]
        y = top + high - tall
        parts.append(
            Markup(
                f'<rect class="bar" x="{x + step * 0.1:.1f}" y="{y:.1f}" '
                f'width="{step * 0.8:.1f}" height="{tall:.1f}"/>'
            )
        )
        if number % every == 0:
            parts.append(_text(x + step / 2, top + high + 18, "tick middle", label))
    return _frame(caption, HEIGHT, parts)


def bin_values(values: Sequence[float]) -> list[Bin]:
    """Return whole values counted in bins of one width, at most `BINS`, from 0 to the highest."""
    if not values:
        return []
    whole = [int(value) for value in values]
    width = math.ceil((max(whole) + 1) / BINS)
    counts = [0] * (max(whole) // width + 1)
    for value in whole:
        counts[value // width] += 1
    return [Bin(n * width, (n + 1) * width - 1, count) for n, count in enumerate(counts)]


def find_ticks(most: float, *, whole: bool = False) -> tuple[float, ...]:
    """Return round numbers from 0 to at least the highest value, three to seven of them.

    Examples
    --------
    >>> find_ticks(0.35)
    (0.0, 0.1, 0.2, 0.3, 0.4)
    """
    if most < TINY:
        return (0.0, 1.0)
    power = 10.0 ** math.floor(math.log10(most))
    step = next(s * power for s in (0.2, 0.5, 1.0, 2.0) if most <= 6 * s * power)
    if whole:
        step = max(1.0, math.ceil(step))
    steps = max(1, math.ceil(most / step - 1e-9))
    return tuple(float(f"{n * step:.10g}") for n in range(steps + 1))


def _place_names(named: Sequence[tuple[str, float, float]]) -> list[Markup]:
    """Return the names beside their points, right or else left, none over another."""
    parts: list[Markup] = []
    taken: list[tuple[float, float, float]] = []
    for label, x, y in named:
        span = LETTER * len(label)
        for start, anchor, classes in ((x + 8, x + 8, "name"), (x - 8 - span, x - 8, "name end")):
            inside = start > MARGINS[0] and start + span < WIDTH
            free = all(
                abs(y - other_y) > 14 or start > end or begin > start + span
                for begin, end, other_y in taken
            )
            if inside and free:
                taken.append((start, start + span, y))
                parts.append(_text(anchor, y + 4, classes, label))
                break
    return parts


def _draw_axes(axes: Axes, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> list[Markup]:
    left, right, top, bottom = MARGINS
    wide, high = WIDTH - left - right, HEIGHT - top - bottom
    parts = []
    for tick in y_ticks:
        y = top + high * (1 - tick / y_ticks[-1])
        parts += [
            Markup(f'<path class="grid" d="M{left} {y:.1f}h{wide}"/>'),
            _text(left - 8, y + 4, "tick end", axes.write(tick)),
        ]
    for tick in x_ticks:
        x = left + wide * tick / x_ticks[-1]
        parts.append(_text(x, top + high + 18, "tick middle", axes.write(tick)))
    parts += [
        Markup(f'<path class="axis" d="M{left} {top}v{high}h{wide}"/>'),
        _text(left + wide / 2, HEIGHT - 8, "axis-name middle", axes.across),
        Markup(
            f'<text class="axis-name middle" transform="translate(16 {top + high / 2:.1f}) '
            f'rotate(-90)">{escape(axes.upward)}</text>'
        ),
    ]
    return parts


def _text(x: float, y: float, classes: str, text: str) -> Markup:
    return Markup(f'<text class="{classes}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>')


def _shorten(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1].rstrip()}…"


def _frame(caption: Caption, height: int, parts: Sequence[Markup]) -> Markup:
    key = escape(caption.key)
    return Markup(
        f'<svg class="plot" role="img" viewBox="0 0 {WIDTH} {height}" '
        f'aria-labelledby="{key}-title {key}-text">'
        f'<title id="{key}-title">{escape(caption.title)}</title>'
        f'<desc id="{key}-text">{escape(caption.description)}</desc>'
        f"{Markup('').join(parts)}</svg>"
    )
