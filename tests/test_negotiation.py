from __future__ import annotations

import time

import pytest
from starlette.requests import Request

from graph.errors import BadValueError, NotAcceptableError
from web.negotiation import (
    choose_language,
    choose_media_type,
    read_qualities,
    refuse_unknown,
    request_format,
    request_language,
)

RDF = ("application/trig", "text/turtle", "application/n-quads")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def request(query: str = "", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "query_string": query.encode(), "headers": raw})


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/trig"),
        ("", "application/trig"),
        ("  ", "application/trig"),
        ("*/*", "application/trig"),
        ("text/turtle", "text/turtle"),
        ("TEXT/Turtle", "text/turtle"),
        ("text/*", "text/turtle"),
        ("application/*;q=0.2, text/*", "text/turtle"),
        ("text/turtle;q=0.4, application/n-quads;q=0.6", "application/n-quads"),
        # what is named is meant more than what is only let through
        ("text/turtle, */*", "text/turtle"),
        # the most specific range counts, not the best one
        ("application/trig;q=0.1, application/*;q=0.9", "application/n-quads"),
        ("application/trig;q=0, */*", "text/turtle"),
        ('text/turtle;profile="a,b;q=0";q=0.9, application/trig;q=0.1', "text/turtle"),
        (r'x/y;p="\",text/turtle", application/n-quads', "application/n-quads"),
        ("text/turtle ; q = 0.5 , application/trig;q=0.6", "application/trig"),
        ("nonsense, text/turtle", "text/turtle"),
        (BROWSER, "application/trig"),
    ],
)
def test_media_type_is_chosen_by_quality_then_specificity_then_order(
    accept: str | None, chosen: str
) -> None:
    assert choose_media_type(accept, RDF) == chosen


def test_a_browser_gets_html() -> None:
    assert choose_media_type(BROWSER, ("application/json", "text/html")) == "text/html"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("application/xhtml+xml", "text/html"),
        ("application/xhtml+xml;q=0.5, application/json;q=0.4", "text/html"),
        ("application/xhtml+xml, text/html;q=0.3, application/json;q=0.4", "application/json"),
        ("application/xhtml+xml, text/html;q=0, application/json;q=0.4", "application/json"),
        ("application/xhtml+xml;q=0, text/*", "text/html"),
    ],
)
def test_html_will_do_for_who_asks_for_xhtml(accept: str, chosen: str) -> None:
    assert choose_media_type(accept, ("application/json", "text/html")) == chosen


@pytest.mark.parametrize(
    "accept",
    [
        "image/png",
        "*/*;q=0",
        "text/turtle;q=0",
        "text/turtle;q=2",  # no quality at all: the item does not count
        "text/turtle;q=high",
        ",,;",
        "text",
        "/",
        '"',
    ],
)
def test_what_cannot_be_had_is_refused_with_the_offer(accept: str) -> None:
    with pytest.raises(NotAcceptableError) as caught:
        choose_media_type(accept, ("text/turtle",))
    assert caught.value.offered == ("text/turtle",)
    assert "text/turtle" in str(caught.value)


def test_offered_parameters_do_not_hinder_a_match() -> None:
    offered = ("text/html; charset=utf-8",)
    assert choose_media_type("text/html", offered) == offered[0]


@pytest.mark.parametrize(
    "header", ['"\\' * 16_000, "," * 32_000, 'a;"' * 10_000, "a/b;q=1," * 4_000]
)
def test_a_hostile_header_costs_linear_time(header: str) -> None:
    started = time.perf_counter()
    read_qualities(header)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "en"),
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA, en;q=0.9", "fr"),
        ("FR-ca", "fr"),
        ("de, fr;q=0.5", "fr"),
        ("de", "en"),
        ("*", "en"),
        ("en;q=0, *", "fr"),
        ("en;q=0.3, fr;q=0.7", "fr"),
        ("fr;q=0", "en"),
        ("zh-Hant-TW, *;q=0.1", "en"),
        ("fr;q=x, en;q=0.1", "en"),
        ("é, fr", "fr"),
    ],
)
def test_language_is_found_by_lookup(accept: str | None, chosen: str) -> None:
    assert choose_language(accept, ("en", "fr")) == chosen


def test_parameter_wins_over_header() -> None:
    formats = {"trig": "application/trig", "turtle": "text/turtle"}
    assert request_format(request("format=turtle", accept="application/trig"), formats) == "turtle"
    assert request_format(request("format=TRIG", accept="image/png"), formats) == "trig"
    assert request_format(request(accept="text/turtle"), formats) == "turtle"
    assert request_language(request("lang=fr", accept_language="en"), ("en", "fr")) == "fr"
    assert request_language(request(accept_language="fr"), ("en", "fr")) == "fr"


def test_a_parameter_that_nothing_reads_or_that_is_repeated_is_refused() -> None:
    known = ("entity", "depth")
    refuse_unknown(request("").query_params, known)
    refuse_unknown(request("depth=2&entity=a").query_params, known)
    with pytest.raises(BadValueError, match=r"entities.*one of entity, depth"):
        refuse_unknown(request("entity=a&entities=b").query_params, known)
    # the last one would win, and the answer be about another thing than the first
    with pytest.raises(BadValueError, match="query parameter entity: 'b' is not its only value"):
        refuse_unknown(request("entity=a&depth=1&entity=b").query_params, known)
    with pytest.raises(BadValueError, match="depth"):
        refuse_unknown(request("depth=1&depth=1").query_params, known)
    with pytest.raises(BadValueError, match="one of entity, depth"):
        refuse_unknown(request("&".join(["x=1"] * 20_000)).query_params, known)
    with pytest.raises(BadValueError, match="depth"):
        refuse_unknown(request("&".join(["depth=1"] * 20_000)).query_params, known)


@pytest.mark.parametrize("value", ["", "rdf", "trig ", "<b>", "x" * 10_000])
def test_a_wrong_parameter_is_refused_and_the_choices_named(value: str) -> None:
    with pytest.raises(BadValueError, match="one of trig, turtle") as caught:
        request_format(
            request(f"format={value}"), {"trig": "application/trig", "turtle": "text/turtle"}
        )
    assert len(caught.value.given) <= 40
    with pytest.raises(BadValueError, match="one of en, fr"):
        request_language(request(f"lang={value}"), ("en", "fr"))
