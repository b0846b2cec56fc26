"""Attacks among normal traffic: a short form here, half an hour in the nightly run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from bench.attacks import P99_MS, RIGHT, learn_answers, run_mixed, table_mixed
from bench.tables import percentile
from tests.running import Running

#: Requests that are neither attacks nor mistakes; the seeds have these.
IDS = [
    f"https://w3id.org/rhizome/id/organisation/{name}"
    for name in ("vegepolys-valley", "agri-sud-ouest-innovation", "agrocluster-ribatejo")
]


@pytest.fixture
def running(seeded_store: Path, tmp_path: Path) -> Iterator[Running]:
    """A server with all limits at their defaults, rates too."""
    shutil.copytree(seeded_store, tmp_path / "store")
    running = Running(tmp_path / "store")
    try:
        yield running.ready()
    finally:
        running.close()


def attack(running: Running, seconds: float, *, first_s: float = 0.0) -> float:
    """Check that normal requests are answered rightly; return their 99th percentile in ms.

    In some minutes the server comes to hold some 50 MiB more: threads that were never needed, what
    it keeps of documents and answers. After `first_s` seconds of traffic it may grow by 20 more.
    """
    port = urlsplit(running.address).port
    assert port is not None
    process = psutil.Process(running.process.pid)
    mix = learn_answers(port, IDS)
    if first_s:
        run_mixed(port, mix, first_s)
    before = process.memory_info().rss
    traffic = run_mixed(port, mix, seconds)
    told = table_mixed(traffic, seconds, "the seeds").markdown()
    print(told)
    assert traffic.count > seconds * 5, told
    assert traffic.share_right >= RIGHT, told
    assert set(traffic.attacks) & {"504", "503", "429", "400"}, told
    assert not set(traffic.attacks) & {"0", "500"}, told
    assert running.process.poll() is None
    grown_mb = (process.memory_info().rss - before) / 2**20
    assert grown_mb < (20 if first_s else 64), told
    assert "Traceback" not in running.errors(), running.errors()
    return percentile(traffic.all, 99)


@pytest.mark.broad
def test_normal_requests_are_right_among_attacks(running: Running) -> None:
    # How fast they are is the bench's to say: here other tests use the processors, too.
    assert attack(running, 120.0) < 10_000


@pytest.mark.slow
def test_normal_requests_are_right_and_quick_in_half_an_hour_of_attacks(running: Running) -> None:
    assert attack(running, 1_800.0, first_s=300.0) <= P99_MS
