from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given

from graph.store.commit import Change, Commit, follow, read_time, sort_quads, write_time
from graph.terms import HASH_MODULUS, Quad, hash_dataset
from tests.strategies import datasets

START = Commit(0, "", "", "", "", "", None, "", (), (), (), 0, 0)
CHANGE = Change((), (), "tests", "load", "why", "https://example.org/source")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _quad(s: str, g: str) -> Quad:
    return (f"<a:{s}>", "<a:p>", '"o"', f"<a:{g}>")


def test_quads_are_sorted_by_graph_first_without_duplicates() -> None:
    quads = [_quad("b", "g"), _quad("a", "h"), _quad("a", "g"), _quad("b", "g")]
    assert sort_quads(quads) == (_quad("a", "g"), _quad("b", "g"), _quad("a", "h"))


def test_a_commit_takes_who_why_and_whence_from_the_change() -> None:
    commit = follow(START, CHANGE, [_quad("a", "g")], [], "0.1.0", NOON)
    assert (commit.agent, commit.activity, commit.message) == ("tests", "load", "why")
    assert commit.source == "https://example.org/source"
    assert (commit.revision, commit.quad_count, commit.ontology) == (1, 1, "0.1.0")
    assert commit.time == "2026-03-01T12:00:00.000000Z"


@given(datasets, datasets)
def test_hash_and_count_of_commits_are_those_of_the_dataset(
    before: frozenset[Quad], after: frozenset[Quad]
) -> None:
    first = follow(START, CHANGE, before, [], "0.1.0")
    second = follow(first, CHANGE, after - before, before - after, "0.1.0")
    assert second.dataset_hash == hash_dataset(after) < HASH_MODULUS
    assert second.quad_count == len(after)


def test_the_clock_never_goes_back() -> None:
    first = follow(START, CHANGE, [], [], "0.1.0", NOON)
    same = follow(first, CHANGE, [], [], "0.1.0", NOON)
    back = follow(same, CHANGE, [], [], "0.1.0", NOON - timedelta(days=400))
    on = follow(back, CHANGE, [], [], "0.1.0", NOON + timedelta(hours=1))
    assert first.time < same.time < back.time < on.time
    assert read_time(back.time) == NOON + timedelta(microseconds=2)
    assert on.time == write_time(NOON + timedelta(hours=1))


def test_times_of_any_zone_are_written_in_utc() -> None:
    zone = datetime.fromisoformat("2026-03-01T13:00:00.5+01:00")
    assert write_time(zone) == "2026-03-01T12:00:00.500000Z"
