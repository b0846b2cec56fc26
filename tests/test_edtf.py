from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.curation.edtf import Bounds, read_edtf
from graph.shapes import load_model
from graph.terms import read_literal
from tests.require import ROOT


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2019", "2019-01-01", "2019-12-31"),
        ("2019-06", "2019-06-01", "2019-06-30"),
        ("2020-02", "2020-02-01", "2020-02-29"),
        ("2019-06-11", "2019-06-11", "2019-06-11"),
        ("2019?", "2019-01-01", "2019-12-31"),
        ("2019-06~", "2019-06-01", "2019-06-30"),
        ("2019-06-11%", "2019-06-11", "2019-06-11"),
        ("201X", "2010-01-01", "2019-12-31"),
        ("20XX", "2000-01-01", "2099-12-31"),
        ("2019-XX", "2019-01-01", "2019-12-31"),
        ("2019-02-XX", "2019-02-01", "2019-02-28"),
        ("2019-06/2019-08", "2019-06-01", "2019-08-31"),
        ("2019/..", "2019-01-01", None),
        ("../2019", None, "2019-12-31"),
        ("2019/", "2019-01-01", None),
        ("/2019", None, "2019-12-31"),
        ("2018?/2019~", "2018-01-01", "2019-12-31"),
    ],
)
def test_a_date_has_a_first_and_a_last_day(
    text: str, earliest: str | None, latest: str | None
) -> None:
    assert read_edtf(text) == Bounds(earliest, latest)


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "../..", "x", "19", "19999", "2019-13", "2019-00", "2019-6", "2019-02-30"),
        *("2019-21", "2019/2018", "2019-06-11T10:00:00", "２０１９", "0000", "2019 ", "20X9"),
        *("2019-06/2019-08/2019-09", "-2019", "2019?~", "2019\n", "2019-XX-XX-XX"),
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no date"):
        read_edtf(text)


@given(text=st.text(alphabet="0123456789X-/.?~% ", max_size=24))
def test_bounds_are_in_order_or_the_text_is_refused(text: str) -> None:
    try:
        bounds = read_edtf(text)
    except ValueError:
        return
    assert bounds.earliest is not None or bounds.latest is not None
    if bounds.earliest is not None and bounds.latest is not None:
        assert bounds.earliest <= bounds.latest


def test_the_seeds_dates_mean_what_the_seeds_say() -> None:
    from graph.curation.formats import open_file, read_own

    dates = [
        field
        for shape in load_model().classes.values()
        for field in shape.own_fields
        if field.parts
    ]
    stated: dict[tuple[str, str, str], str] = {}
    for path in sorted(Path(ROOT / "seeds").glob("*.trig")):
        for subject, predicate, value, graph in read_own(open_file(path)):
            stated[subject, predicate[1:-1], graph] = value
    looked = 0
    for (subject, predicate, graph), value in stated.items():
        for field in dates:
            if field.parts["text"] != predicate:
                continue
            parts = [stated.get((subject, field.parts[p], graph)) for p in ("earliest", "latest")]
            told = Bounds(*(None if p is None else read_literal(p)[0] for p in parts))
            assert read_edtf(read_literal(value)[0]) == told, (subject, value)
            looked += 1
            break
    assert looked > 400
