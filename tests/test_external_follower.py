"""A SPARQL server of others is fed, compared and left alone, whatever it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from graph.model import Model
from graph.store.external_marker import MARKER_GRAPH, MERGED_GRAPH
from graph.store.levels import VISIBILITY
from graph.store.stamp import SYSTEM_GRAPH
from graph.terms import ENTITY
from tests.followed import A, B, Followed, Make, followed, make, model, quad, server, when

__all__ = ["followed", "make", "model", "server"]  # fixtures

# --- what it is for --------------------------------------------------------------------------


def test_an_empty_server_is_fed_and_each_commit_follows(followed: Followed) -> None:
    assert followed.is_right()
    followed.commit([quad("t", 'q"\\\n\té\u2028')], [quad("s", "2")])
    updates = followed.server.count("update")
    assert followed.step() is None
    assert followed.is_right()
    assert followed.server.count("update") == updates + 1
    assert followed.follower.revision == 2
    assert followed.follower.feeds == 1


def test_a_triple_leaves_the_merged_ones_with_its_last_source(followed: Followed) -> None:
    followed.commit([], [quad("s", "1")])
    assert followed.step() is None
    assert any('"1"' in triple for triple in followed.server.graphs()[""])
    followed.commit([], [quad("s", "1", B)])
    assert followed.step() is None
    assert not any('"1"' in triple for triple in followed.server.graphs()[""])
    assert followed.is_right()


def test_merged_triples_may_stand_in_a_graph_of_their_own(make: Make) -> None:
    followed = make(sparql_merged="named")
    followed.commit([quad("s", "1"), quad("s", "1", B)])
    assert followed.step() is None
    graphs = followed.server.graphs()
    assert "" not in graphs
    assert sum('"1"' in triple for triple in graphs[MERGED_GRAPH]) == 1
    followed.commit([quad("t", "1")], [quad("s", "1")])
    assert followed.step() is None
    assert followed.is_right()


def test_many_commits_at_once_are_one_update(followed: Followed) -> None:
    for number in range(5):
        followed.commit([quad("t", str(number))])
    followed.commit([], [quad("t", "3"), quad("s", "1", B)])
    updates = followed.server.count("update")
    assert followed.step() is None
    assert followed.server.count("update") == updates + 1
    assert followed.is_right()


def test_a_large_change_goes_by_pieces_and_nobody_asks_meanwhile(make: Make) -> None:
    followed = make(sparql_feed_statements=8)
    followed.commit([quad("s", str(n)) for n in range(30)])
    assert followed.step() is None
    epoch, faults = followed.follower.epoch, []
    followed.follower.on_change(lambda: faults.append(followed.follower.fault))
    followed.commit(
        [quad("t", str(n)) for n in range(30)], [quad("s", str(n)) for n in range(0, 30, 2)]
    )
    assert followed.step() is None
    assert followed.is_right()
    assert faults == ["it is being fed", None]
    assert followed.follower.epoch > epoch


def test_a_restart_asks_for_the_marker_and_writes_nothing(followed: Followed) -> None:
    updates = followed.server.count("update")
    followed.restart()
    assert followed.step() is None
    assert (followed.follower.revision, followed.server.count("update")) == (1, updates)


def test_a_server_that_is_behind_is_caught_up(followed: Followed) -> None:
    followed.commit([quad("t", "1")])
    assert followed.check() is None  # behind is no fault
    followed.restart()
    assert followed.step() is None
    assert followed.is_right()
    assert followed.follower.feeds == 0


def test_what_is_not_public_never_reaches_the_server(followed: Followed) -> None:
    hidden = f"<{ENTITY}source/hidden>"
    level = (hidden, VISIBILITY, '"restricted"', hidden)
    followed.commit([level, quad("secret", "1", hidden)])
    assert followed.step() is None
    assert followed.follower.revision == 2
    assert not any("secret" in text or "hidden" in text for _, text in followed.server.asked)
    assert followed.check() is None


def test_what_is_hidden_is_taken_from_the_server_before_anyone_asks_again(
    followed: Followed,
) -> None:
    epoch = followed.follower.epoch
    followed.commit([(B, VISIBILITY, '"partner"', B)])
    followed.follower.hold("a graph was hidden")  # as the dataset tells with the commit
    assert followed.follower.fault == "a graph was hidden"
    assert followed.follower.epoch > epoch
    assert followed.step() is None
    assert B[1:-1] not in followed.server.graphs()
    assert followed.follower.revision == 2
    assert followed.check() is None
    followed.commit([], [(B, VISIBILITY, '"partner"', B)])
    assert followed.step() is None
    assert B[1:-1] in followed.server.graphs()
    assert followed.check() is None


@pytest.mark.parametrize("is_told", [True, False])
def test_a_hidden_graph_is_taken_away_wherever_it_is_named(
    followed: Followed, is_told: bool
) -> None:
    elsewhere = "<http://elsewhere.example/source>"
    followed.commit([quad("s", "1", elsewhere), quad("s", "2", elsewhere)])
    assert followed.step() is None
    assert elsewhere[1:-1] in followed.server.graphs()
    followed.commit([(elsewhere, VISIBILITY, '"partner"', elsewhere)])
    if is_told:
        followed.follower.hold("a graph was hidden")
    else:
        followed.restart()
    assert followed.step() is None
    assert elsewhere[1:-1] not in followed.server.graphs()
    assert followed.check() is None


def test_a_new_ontology_is_fed(followed: Followed) -> None:
    store = followed.follower.store
    added = ("<http://e/new>", "<http://e/label>", '"new"', SYSTEM_GRAPH)
    other = replace(followed.dataset.model, system_quads=(*store.system, added))
    followed.dataset.model = other
    followed.restart()
    assert followed.step() is None
    assert followed.is_right()


# --- what nobody knows the fate of -----------------------------------------------------------


@pytest.mark.parametrize("fault", ["hang", "die_before", "die_after", "die_midway", "busy", "html"])
def test_an_update_of_unknown_fate_is_looked_up_and_done_once(
    followed: Followed, fault: str
) -> None:
    followed.server.script = when("update", fault)
    followed.commit([quad("t", "1")], [quad("s", "2")])
    assert followed.step() is None
    assert followed.is_right()
    assert followed.follower.feeds == 1


def test_an_update_that_was_done_is_not_sent_again(followed: Followed) -> None:
    followed.server.script = when("update", "die_after")
    followed.commit([quad("t", "1")])
    updates = followed.server.count("update")
    assert followed.step() is None
    assert followed.server.count("update") == updates + 1


def test_an_update_that_comes_late_changes_nothing(followed: Followed) -> None:
    followed.commit([quad("late", "1")])
    assert followed.step() is None
    late = [text for kind, text in followed.server.asked if kind == "update"][-1]
    assert "late" in late
    followed.commit([], [quad("late", "1")])
    assert followed.step() is None
    followed.server.store.update(late)
    assert followed.is_right()


def test_a_server_that_says_done_and_does_nothing_is_found_out(followed: Followed) -> None:
    followed.server.script = when("update", "error_inside", 99)
    followed.commit([quad("t", "1")])
    fault = followed.step()
    assert fault is not None
    assert "says that it took a change, and did not" in fault
    followed.server.script = lambda kind, text: None
    assert followed.step() is None
    assert followed.is_right()


def test_a_feed_that_breaks_off_begins_again(make: Make) -> None:
    followed = make(sparql_feed_statements=8)
    followed.commit([quad("s", str(n)) for n in range(30)])
    followed.server.script = when("update", "hang", 9, '"20"')
    assert followed.step() is not None
    assert followed.follower.fault is not None
    followed.server.script = lambda kind, text: None
    followed.server.hold.set()
    followed.restart()
    assert followed.step() is None
    assert followed.is_right()


# --- what differs ----------------------------------------------------------------------------


def test_a_server_that_lost_its_marker_is_fed_anew(followed: Followed) -> None:
    followed.server.drop_marker()
    assert followed.step() is None
    assert followed.is_right()
    assert followed.follower.feeds == 2


def test_a_server_that_always_loses_its_marker_is_given_up(followed: Followed) -> None:
    followed.server.script = when("update", "drop_marker", 99, MARKER_GRAPH)
    followed.commit([quad("t", "1")])
    fault = followed.step()
    assert fault is not None
    assert "marker" in fault
    assert followed.step() is not None
    feeds = followed.follower.feeds
    assert followed.step() is not None
    assert followed.follower.feeds == feeds <= 2


def test_another_dataset_under_our_marker_is_fed_over(followed: Followed) -> None:
    (marker,) = followed.follower.store.read_markers()
    assert marker is not None
    other = replace(marker, dataset_hash=5)
    followed.server.store.update(f"DROP GRAPH <{MARKER_GRAPH}>")
    triple = f"<{MARKER_GRAPH}> <{MARKER_GRAPH}#holds> <{other.iri}>"
    followed.server.store.update(f"INSERT DATA {{ GRAPH <{MARKER_GRAPH}> {{ {triple} }} }}")
    assert followed.step() is None
    assert followed.is_right()
    assert followed.follower.feeds == 2


def test_statements_that_are_too_few_are_found_and_fed_once(followed: Followed) -> None:
    followed.server.store.update(f"CLEAR GRAPH {A}")
    assert followed.check(is_deep=False) is not None
    followed.restart()
    assert followed.step() is None
    assert followed.is_right()


def test_a_server_that_merges_literals_is_fed_once_then_given_up(followed: Followed) -> None:
    followed.server.rewrite = lambda text: text.replace('"01"', '"1"')
    followed.commit([quad("s", "01")])
    fault = followed.step()
    assert fault is not None
    assert "differs from the log although it was fed anew" in fault
    assert "source/a holds 2 statements, 3 in the log" in fault
    feeds = followed.follower.feeds
    assert followed.step() is not None
    assert followed.follower.feeds == feeds == 2
    followed.server.rewrite = lambda text: text
    assert followed.step() is not None  # it is not fed all the time
    followed.follower._settings = replace(followed.settings, sparql_refeed_s=0.0)
    assert followed.step() is None
    assert followed.is_right()


def test_literals_that_come_back_otherwise_are_what_a_deep_check_finds(make: Make) -> None:
    followed = make()
    followed.server.rewrite = lambda text: text.replace('"01"', '"1"')
    followed.commit([quad("s", "01")])
    assert followed.step() is None  # as many as there should be
    assert followed.check(is_deep=False) is None
    found = followed.check()
    assert found is not None
    assert "1 missing, 1 besides" in found
    assert 'missing <https://w3id.org/rhizome/id/organisation/s> <http://e/p> "01"' in found


def test_a_deep_check_reads_all_and_finds_nothing(followed: Followed) -> None:
    assert followed.check() is None


# --- what is not ours ------------------------------------------------------------------------


def test_data_of_others_in_the_default_graph_is_left_alone(make: Make) -> None:
    followed = make()
    followed.server.store.update("INSERT DATA { <http://o/s> <http://o/p> 1 }")
    followed.commit([quad("s", "1")])
    fault = followed.step()
    assert fault is not None
    assert "holds 1 statements of others in its default graph" in fault
    assert "RHIZOME_SPARQL_MERGED=named" in fault
    assert followed.server.count("update") == 0


def test_graphs_of_others_are_left_alone_and_known(make: Make) -> None:
    followed = make()
    followed.server.store.update(
        "INSERT DATA { GRAPH <http://o/g> { <http://o/s> <http://o/p> 1 } }"
    )
    followed.commit([quad("s", "1")])
    assert followed.step() is None
    assert followed.follower.others == ("http://o/g",)
    assert "http://o/g" in followed.server.graphs()


def test_the_server_of_another_rhizome_is_left_alone(
    followed: Followed, tmp_path: Path, model: Model
) -> None:
    other = Followed(tmp_path / "other", model, followed.server)
    other.commit([quad("other", "1")])
    updates = followed.server.count("update")
    fault = other.step()
    assert fault is not None
    assert "holds the data of another Rhizome" in fault
    assert followed.server.count("update") == updates
    other.follower.store.close()
    other.dataset.close()


def test_a_server_that_is_ahead_of_the_log_is_left_alone(followed: Followed) -> None:
    (marker,) = followed.follower.store.read_markers()
    assert marker is not None
    ahead = replace(marker, revision=7)
    followed.server.store.update(
        f"DELETE DATA {{ GRAPH <{MARKER_GRAPH}> {{ <{MARKER_GRAPH}> <{MARKER_GRAPH}#holds> "
        f"<{marker.iri}> }} }} ; INSERT DATA {{ GRAPH <{MARKER_GRAPH}> {{ <{MARKER_GRAPH}> "
        f"<{MARKER_GRAPH}#holds> <{ahead.iri}> }} }}"
    )
    updates = followed.server.count("update")
    fault = followed.step()
    assert fault is not None
    assert "holds revision 7, and the log ends at 1" in fault
    assert followed.server.count("update") == updates
    assert followed.check() is not None
