"""Results that are kept: made once, forgotten when they failed or when there are too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from web.kept import Kept

Make = Callable[[], Coroutine[Any, Any, str]]


class Maker:
    """Makes a result when it is let, and counts."""

    def __init__(self, result: str | Exception = "made") -> None:
        self.go = asyncio.Event()
        self.result = result
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        await self.go.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def at_once(result: str) -> Make:
    async def make() -> str:
        return result

    return make


def test_all_who_ask_at_the_same_time_get_what_is_made_once() -> None:
    async def run() -> None:
        kept, maker = Kept[str](2), Maker()
        asking = [asyncio.create_task(kept.get("a", maker)) for _ in range(9)]
        await asyncio.sleep(0)
        maker.go.set()
        assert await asyncio.gather(*asking) == ["made"] * 9
        assert await kept.get("a", at_once("again")) == "made"
        assert maker.calls == 1

    asyncio.run(run())


def test_one_who_leaves_does_not_end_it_for_the_others() -> None:
    async def run() -> None:
        kept, maker = Kept[str](2), Maker()
        first, second = (asyncio.create_task(kept.get("a", maker)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        maker.go.set()
        assert await second == "made"
        assert (first.cancelled(), maker.calls) == (True, 1)

    asyncio.run(run())


def test_a_failure_is_told_to_all_and_then_forgotten() -> None:
    async def run() -> None:
        kept, maker = Kept[str](2), Maker(ValueError("no"))
        asking = [asyncio.create_task(kept.get("a", maker)) for _ in range(3)]
        maker.go.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(error) for error in found] == ["no"] * 3
        assert (maker.calls, len(kept)) == (1, 0)
        assert await kept.get("a", at_once("now")) == "now"

    asyncio.run(run())


def test_the_last_asked_for_stay() -> None:
    async def run() -> None:
        kept = Kept[str](2)
        for key in ("a", "b", "a", "c"):
            await kept.get(key, at_once(key))
        assert await kept.get("a", at_once("new")) == "a"
        assert await kept.get("b", at_once("new")) == "new"
        assert len(kept) == 2

    asyncio.run(run())


@pytest.mark.parametrize("size", [0, 1])
def test_what_is_being_made_is_never_dropped(size: int) -> None:
    async def run() -> None:
        kept, maker = Kept[str](size), Maker()
        asking = asyncio.create_task(kept.get("slow", maker))
        await asyncio.sleep(0)
        for key in "abc":
            await kept.get(key, at_once(key))
        again = asyncio.create_task(kept.get("slow", maker))
        maker.go.set()
        assert await asking == await again == "made"
        assert maker.calls == 1
        await asyncio.sleep(0)
        assert len(kept) == size

    asyncio.run(run())
