"""Kept answers: bounded, of one revision, the same bytes; compressed only where asked."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from web.answers import AnswerCache, Reply, accepts_gzip

JSON = "application/json"


def reply(size: int = 10) -> Reply:
    return Reply(b"x" * size, JSON)


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_packed_bytes_are_the_body(size: int) -> None:
    one = reply(size)
    assert gzip.decompress(asyncio.run(one.packed())) == one.body


def test_the_tag_is_the_content_s_and_weak() -> None:
    assert reply(3).tag == reply(3).tag != reply(4).tag
    assert reply().tag.startswith('W/"')


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.2", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("gzip;q=0.000", False),
        ("identity", False),
        ("gzip;q=nonsense", False),
    ],
)
def test_gzip_is_used_where_it_is_taken(header: str | None, takes: bool) -> None:
    assert accepts_gzip(header) is takes


class TestCache:
    def test_a_reply_is_kept_for_its_request_and_revision(self) -> None:
        cache, kept = AnswerCache(1_000_000), reply()
        assert cache.get(1, "a") is None
        cache.put(1, "a", 1, kept)
        assert cache.get(1, "a") is kept
        assert cache.get(1, "b") is None
        assert cache.get(2, "a") is None
        assert (len(cache), cache.bytes_held) == (0, 0)

    def test_what_was_made_from_older_data_is_not_kept(self) -> None:
        cache = AnswerCache(1_000_000)
        cache.get(2, "a")
        cache.put(1, "a", 1, reply())
        cache.put(3, "a", 1, reply())
        assert cache.get(2, "a") is None

    def test_it_is_bounded_and_the_least_used_goes_first(self) -> None:
        cache = AnswerCache(32_000)
        cache.get(1, "")
        for key in "abcdefghijklmnopqrs":
            cache.put(1, key, 1, reply(800))
            cache.get(1, "a")
            assert cache.bytes_held <= 32_000
        assert cache.get(1, "a") is not None
        assert cache.get(1, "b") is None
        assert cache.get(1, "s") is not None

    def test_what_is_large_is_not_kept_and_nothing_is_kept_twice(self) -> None:
        cache = AnswerCache(32_000)
        cache.get(1, "")
        cache.put(1, "large", 1, reply(2_000))
        cache.put(1, "long key", 2_000, reply())
        assert len(cache) == 0
        first = reply()
        cache.put(1, "a", 1, first)
        held = cache.bytes_held
        cache.put(1, "a", 1, reply())
        assert cache.get(1, "a") is first
        assert cache.bytes_held == held

    def test_without_room_nothing_is_kept(self) -> None:
        cache = AnswerCache(0)
        cache.get(1, "a")
        cache.put(1, "a", 1, reply())
        assert len(cache) == 0
