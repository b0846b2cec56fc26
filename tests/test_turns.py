from __future__ import annotations

import random
import threading
import time

import pytest

from schema.turns import sorted_in_turns


@pytest.mark.parametrize("count", [0, 1, 1_024, 1_025, 5_000])
@pytest.mark.parametrize("reverse", [False, True])
def test_it_is_the_order_of_sorted(count: int, reverse: bool) -> None:
    draws = random.Random(count)
    items = [(draws.randrange(50), at) for at in range(count)]
    found = sorted_in_turns(items, lambda item: item[0], reverse=reverse)
    assert found == sorted(items, key=lambda item: item[0], reverse=reverse)


def test_others_have_their_turn_meanwhile() -> None:
    draws = random.Random(5)
    items = [(draws.random(), ("text", str(draws.random()))) for _ in range(60_000)]
    turns, is_over = 0, threading.Event()

    def wait() -> None:
        nonlocal turns
        while not is_over.is_set():
            time.sleep(0.001)
            turns += 1

    other = threading.Thread(target=wait)
    other.start()
    sorted_in_turns(items, lambda item: item)
    is_over.set()
    other.join()
    assert turns >= 3
