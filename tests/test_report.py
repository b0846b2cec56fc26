from __future__ import annotations

import re
import string
from dataclasses import FrozenInstanceError, replace
from itertools import product
from typing import Any

import pytest

from graph.analysis.affiliations import Layer
from graph.analysis.findings import Report
from graph.analysis.projection import (
    NAMED_PROJECTIONS,
    Mode,
    ProjectionParameters,
    Succession,
    Weighting,
)
from graph.analysis.report import STATED_PARTIES, build_report
from graph.analysis.wording import LANGUAGES, MEASURE_PARTS, Wording, read_texts
from graph.errors import BadValueError
from graph.terms import ENTITY, XSD, Quad, local_name, write_literal
from tests.networks import (
    OTHER_SOURCE,
    SOURCE,
    Joined,
    change_quads,
    join_quads,
    organisation,
    seed_snapshot,
    snapshot_of,
    typed,
)

TIME = "2026-11-22T13:05:07.123456Z"

#: Two teams that only `broker` joins, one pair apart, one alone.
TEAMS: Joined = {
    (Layer.PROJECT, "one"): ["a", "b", "broker"],
    (Layer.PROJECT, "two"): ["c", "d", "e", "broker"],
    (Layer.MEMORANDUM, "apart"): ["x", "y"],
    (Layer.MEMBERSHIP, "net"): ["z"],
}


def report_on(joined: Joined, *more: Quad, language: str = "en", **changes: Any) -> Report:
    parameters = replace(ProjectionParameters(), **changes)
    return build_report(snapshot_of([*join_quads(joined), *more]), parameters, language, TIME)


def stated_count(key: str, count: int, graph: str = SOURCE) -> Quad:
    subject = f"<{ENTITY}memorandum/{key}>"
    return subject, f"<{STATED_PARTIES}>", write_literal(str(count), f"{XSD}integer"), graph


def sentence(report: Report, part: str) -> str:
    (found,) = [text for text in report.summary if part in text]
    return found


# --- the seeds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_vegepolys_valley_comes_first_on_the_seeds(language: str) -> None:
    report = build_report(seed_snapshot(), ProjectionParameters(), language, TIME)
    place = report.place_of("betweenness")
    first = report.nodes[report.measures[place].order[0]]
    assert first.name == "VEGEPOLYS VALLEY"
    assert first.ranks[place] == 1
    assert [node for node in report.nodes if node.ranks[place] == 1] == [first]
    assert 5 <= len(report.summary) <= 8
    assert any(text.startswith("VEGEPOLYS VALLEY ") for text in report.summary)


def test_the_seeds_lack_two_signatories_by_name() -> None:
    report = build_report(seed_snapshot(), NAMED_PROJECTIONS["agreements"], "en", TIME)
    (row,) = [row for row in report.affiliations if row.missing]
    assert (row.known, row.stated, row.missing) == (10, (10, 12), 2)
    assert "state 10 or 12 parties; 10 are known by name" in sentence(report, "memorandum “")


@pytest.mark.parametrize("name", NAMED_PROJECTIONS)
def test_every_named_projection_has_a_report(name: str) -> None:
    report = build_report(seed_snapshot(), NAMED_PROJECTIONS[name], "en", TIME)
    assert report.network.nodes == len(report.nodes) > 0
    assert report.network.ties >= len(report.ties) > 0
    assert sum(map(len, report.components)) == report.network.nodes
    assert len(report.layers) == len(NAMED_PROJECTIONS[name].layers)


def test_reports_in_both_languages_have_the_same_numbers() -> None:
    english, french = (
        build_report(seed_snapshot(), ProjectionParameters(), language, TIME)
        for language in LANGUAGES
    )
    assert english.network == french.network
    assert len(english.summary) == len(french.summary)
    assert [n.values for n in english.nodes] == [n.values for n in french.nodes]
    assert english.title != french.title


# --- what it finds -----------------------------------------------------------------------------


def test_figures_tables_and_cuts_of_a_small_network() -> None:
    report = report_on(TEAMS)
    network = report.network
    assert (network.nodes, network.organisations, network.ties) == (9, 9, 10)
    assert (network.components, network.largest_component, network.isolates) == (3, 6, 1)
    assert network.largest_share == pytest.approx(6 / 9)
    (cut,) = report.separations
    names = [node.name for node in report.nodes]
    assert names[cut.node] == "Broker"
    assert (cut.sizes, cut.lost) == ((3, 2), 2)
    assert [names[node] for node in cut.cut_off] == ["A", "B"]
    (bridge,) = report.bridges
    assert ([names[node] for node in bridge.nodes], bridge.side) == (["X", "Y"], 1)
    assert [node.component for node in report.nodes if node.name in "XYZ"] == [2, 2, 3]


def test_ranks_are_shared_and_nodes_without_value_come_last() -> None:
    report = report_on(TEAMS)
    place = report.place_of("betweenness")
    ranks = {node.name: node.ranks[place] for node in report.nodes}
    assert ranks == {"Broker": 1} | dict.fromkeys(["A", "B", "C", "D", "E", "X", "Y", "Z"], 2)
    order = [report.nodes[n].name for n in report.measures[place].order]
    assert order == ["Broker", "A", "B", "C", "D", "E", "X", "Y", "Z"]
    place = report.place_of("eigenvector")
    last = [report.nodes[n] for n in report.measures[place].order[-3:]]
    assert [(n.name, n.values[place], n.ranks[place]) for n in last] == [
        ("X", None, None),
        ("Y", None, None),
        ("Z", None, None),
    ]


def test_ties_name_the_affiliations_that_make_them() -> None:
    joined: Joined = {
        (Layer.PROJECT, "p"): ["a", "b"],
        (Layer.MEMORANDUM, "m"): ["a", "b", "c"],
    }
    first, *others = report_on(joined).ties
    assert first.weight == pytest.approx(1.5)
    assert len(first.affiliations) == 2
    assert [len(tie.affiliations) for tie in others] == [1, 1]
    (tie,) = report_on({(Layer.PROJECT, "p"): ["a"]}, mode=Mode.TWO_MODE).ties
    assert tie.affiliations == (0,)


def test_layers_count_affiliations_participations_and_pairs() -> None:
    membership, memorandum, project = report_on(TEAMS).layers
    assert (project.affiliations, project.linking, project.parties) == (2, 2, 7)
    assert (project.organisations, project.pairs) == (6, 9)
    assert (memorandum.pairs, membership.linking, membership.parties) == (1, 0, 1)


# --- what the summary says ---------------------------------------------------------------------


def test_the_summary_says_who_connects_and_what_falls_apart() -> None:
    report = report_on(TEAMS)
    assert report.summary[0] == (
        "The network holds 9 organisations and 10 ties, made by 1 memorandum and 2 projects "
        "that at least two of them share."
    )
    assert "6 of them (67%) form one connected part; 1 smaller part stands apart" in str(
        report.summary
    )
    assert "1 organisation has no tie at all" in str(report.summary)
    # 2 x 3 pairs of 28 run through the broker.
    assert "Broker connects the network most: 21% of" in sentence(report, "betweenness 0.214")
    assert "Without Broker, 2 organisations (A and B) would be cut off" in str(report.summary)
    assert sentence(report, "most partners") == "Broker has the most partners: 5 of 8 possible."
    assert "1 tie is a bridge: if it were lost" in str(report.summary)
    assert "10 participations stand behind these figures, all stated" in str(report.summary)


def test_the_summary_in_french() -> None:
    summary = " ".join(report_on(TEAMS, language="fr").summary)
    assert "Broker relie le plus le réseau\xa0: 21\u202f% des plus courts chemins" in summary
    assert "Sans Broker, 2 organisations (A et B) seraient coupées" in summary
    assert "1 organisation n’a aucun lien" in summary


def test_shared_first_places_are_said_to_be_shared() -> None:
    joined: Joined = {
        (Layer.PROJECT, "1"): ["a", "b"],
        (Layer.PROJECT, "2"): ["b", "c"],
        (Layer.PROJECT, "3"): ["c", "d"],
    }
    report = report_on(joined)
    assert "B and C share first place as connectors" in str(report.summary)
    assert "B and C have the most partners: 2 of 3 possible." in report.summary


def test_where_nobody_stands_between_nobody_is_named() -> None:
    report = report_on({(Layer.PROJECT, "p"): ["a", "b", "c"]})
    assert "No organisation stands between others" in str(report.summary)
    assert "No single organisation holds the network together" in str(report.summary)
    assert "All have the same number of partners: 2 of 2 possible." in report.summary
    assert "All of them are connected" in str(report.summary)


def test_only_one_connector_is_named_without_a_next() -> None:
    report = report_on({(Layer.PROJECT, "1"): ["a", "b"], (Layer.PROJECT, "2"): ["b", "c"]})
    assert "run through it (betweenness 1.000)." in sentence(report, "connects")
    assert "Without B, 1 organisation (C) would be cut off" in str(report.summary)


def test_an_empty_network_says_so_and_nothing_else() -> None:
    report = build_report(snapshot_of([]), ProjectionParameters(), "en", "")
    assert report.summary == (
        "No organisation has an affiliation of the chosen kinds: there is nothing to measure.",
    )
    assert (len(report.nodes), len(report.ties), len(report.components)) == (0, 0, 0)
    assert "committed" not in str(report.method)


def test_isolates_alone_are_a_network_without_ties() -> None:
    report = report_on({(Layer.PROJECT, "p"): ["a"]})
    assert "1 organisation and no tie" in report.summary[0]
    assert not any("partners" in text or "single" in text for text in report.summary)


UNSURE: Joined = {
    (Layer.PROJECT, "one"): ["a", "b", ("broker", "inferred")],
    (Layer.PROJECT, "two"): ["c", "d", ("broker", "disputed")],
    (Layer.PROJECT, "three"): ["b", "f"],
}


def test_the_summary_says_when_the_first_place_hangs_on_inference() -> None:
    report = report_on(UNSURE)
    assert report.uncertainty.first == (organisation("broker"),)
    assert report.uncertainty.first_stated == (organisation("b"),)
    assert sentence(report, "participations") == (
        "Of the 8 participations behind these figures, 6 (75%) are stated by a source, 1 inferred "
        "and 1 disputed; with the stated ones alone, B would come first."
    )


def test_the_summary_says_when_the_first_place_does_not_hang_on_it() -> None:
    joined: Joined = {**TEAMS, (Layer.PROJECT, "three"): [("a", "inferred"), ("b", "inferred")]}
    assert "with the stated ones alone, Broker still comes first" in str(report_on(joined).summary)


def test_without_stated_ties_no_other_first_is_named() -> None:
    joined: Joined = {
        (Layer.PROJECT, "1"): [("a", "inferred"), ("b", "inferred")],
        (Layer.PROJECT, "2"): [("b", "inferred"), ("c", "inferred")],
    }
    report = report_on(joined)
    assert report.uncertainty.first_stated == ()
    assert sentence(report, "participations").endswith("4 inferred and 0 disputed.")


def test_missing_parties_are_said_by_memorandum() -> None:
    joined: Joined = {(Layer.MEMORANDUM, "m"): ["a", "b"], (Layer.MEMORANDUM, "n"): ["c", "d"]}
    counts = [stated_count("m", 5), stated_count("m", 3, OTHER_SOURCE), stated_count("n", 3)]
    report = report_on(joined, *counts)
    assert sentence(report, "“M”") == (
        "Of the memorandum “M”, sources state 3 or 5 parties; 2 are known by name, so that ties "
        "of the others are missing from these figures. The same holds for 1 other memorandum."
    )
    assert [row.missing for row in report.affiliations] == [3, 1]
    assert "sources state" not in str(report_on(joined, stated_count("m", 2)).summary)


# --- method and limits -------------------------------------------------------------------------


def test_the_method_names_revision_time_hash_and_parameters() -> None:
    report = report_on(
        TEAMS,
        weighting=Weighting.UNIT,
        mode=Mode.TWO_MODE,
        succession=Succession.KEEP,
        include_inferred=False,
        clusters_only=True,
        layers=(Layer.PROJECT,),
    )
    method = str(report.method)
    for part in (
        "revision 1 ",
        "22 November 2026, 13:05 UTC",
        report.dataset_hash,
        "unit (every tie weighs 1)",
        "two-mode",
        "kept (predecessors",
        "stated and disputed",
        "clusters only",
        "project (carried out together)",
        "scipy ",
    ):
        assert part in method, part
    assert len(report.dataset_hash) == 64
    assert len(report.limits) == 5


def test_a_projection_of_ones_own_keeps_its_name() -> None:
    assert "on the “mine” network" in report_on(TEAMS, name="mine").subtitle


def test_predecessors_are_listed_with_names() -> None:
    changes = [*change_quads("1", ["old"], ["a"]), typed(organisation("old"), "Cluster")]
    joined: Joined = {(Layer.PROJECT, "p"): ["a", "b"], (Layer.PROJECT, "q"): ["old", "c"]}
    report = report_on(joined, *changes)
    assert report.folded == ((organisation("old"), organisation("a")),)
    assert report.folded_names == (("Old", "A"),)


def test_large_networks_say_that_they_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.analysis.measures.shortest_paths.EXACT_VISITS", 1)
    joined: Joined = {
        (Layer.PROJECT, f"p{n}"): [f"o{n:02}", f"o{(n + 1) % 90:02}", f"o{n * 7 % 90:02}"]
        for n in range(90)
    }
    unsure: Joined = {(Layer.PROJECT, "u"): [("o00", "inferred"), "o50"]}
    report = report_on({**joined, **unsure})
    for table in report.measures:
        estimated = table.key in ("betweenness", "closeness", "harmonic")
        assert (table.sources, table.sources_wanted) == ((64, 90) if estimated else (None, None))
        assert len(table.errors) == (90 if table.key == "betweenness" else 0)
    assert report.uncertainty.first_stated is None


def test_a_report_is_frozen_and_made_alike_each_time() -> None:
    first, second = report_on(TEAMS), report_on(TEAMS)
    assert first == second
    with pytest.raises(FrozenInstanceError):
        first.title = "other"  # type: ignore[misc]


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(BadValueError, match="one of en, fr"):
        report_on(TEAMS, language="de")


# --- wording -----------------------------------------------------------------------------------


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_every_text_with_the_same_fields() -> None:
    for key, texts in read_texts("texts").items():
        assert list(texts) == list(LANGUAGES), key
        english, french = (fields_of(texts[language]) for language in LANGUAGES)
        assert english == french, key
        for text in texts.values():
            for words in re.findall(r"{\w+:([^}]*)}", text):
                assert words.count("|") == 1, key
    for key, texts in read_texts("measures").items():
        assert list(texts) == list(LANGUAGES), key
        assert all(list(texts[language]) == list(MEASURE_PARTS) for language in LANGUAGES), key


@pytest.mark.parametrize(
    ("language", "number", "text"),
    [
        ("en", 0, "0 ties"),
        ("en", 1, "1 tie"),
        ("en", 1234, "1,234 ties"),
        ("fr", 0, "0 lien"),
        ("fr", 1, "1 lien"),
        ("fr", 2, "2 liens"),
        ("fr", 1234, "1\u202f234 liens"),
    ],
)
def test_numbers_choose_their_word(language: str, number: int, text: str) -> None:
    assert text in Wording(language).say("note.ties", n=number)


@pytest.mark.parametrize(
    ("language", "value", "digits", "text"),
    [
        ("en", 1234.567, 2, "1,234.57"),
        ("fr", 1234.567, 2, "1\u202f234,57"),
        ("en", None, 3, "–"),
        ("en", 0.0001, 3, "<0.001"),
        ("fr", 0.0001, 3, "<0,001"),
        ("en", 0.0, 3, "0.000"),
    ],
)
def test_numbers_are_written_as_the_language_does(
    language: str, value: float | None, digits: int, text: str
) -> None:
    assert Wording(language).number(value, digits) == text


def test_shares_lists_and_times() -> None:
    english, french = Wording("en"), Wording("fr")
    assert [english.percent(x) for x in (0, 0.004, 0.346, 1)] == ["0%", "0.4%", "35%", "100%"]
    assert french.percent(0.028) == "2,8\u202f%"
    assert [english.join(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert french.join(["10", "12"], "word.or") == "10 ou 12"
    assert english.shorten(list("abcd"), 2) == "a, b and 2 more"
    assert french.time("2026-02-01T23:59:00+01:00") == "1er février 2026, 22:59 UTC"


def test_french_marks_keep_their_space() -> None:
    text = Wording("fr").say("subtitle", projection="a : b", revision="1")
    assert "«\xa0a : b\xa0»" in text  # what is filled in stays as it is
    assert "?" in Wording("fr").say("title")
    for key in read_texts("texts"):
        assert not re.search(r" [:;!?»]|« ", Wording("fr")._write(read_texts("texts")[key]["fr"]))


@pytest.mark.parametrize("name", list(NAMED_PROJECTIONS))
@pytest.mark.parametrize(("mode", "weighting"), list(product(Mode, Weighting)))
def test_no_text_is_left_unfilled(name: str, mode: Mode, weighting: Weighting) -> None:
    parameters = replace(NAMED_PROJECTIONS[name], mode=mode, weighting=weighting)
    for language in LANGUAGES:
        report = build_report(seed_snapshot(), parameters, language, TIME)
        texts = [*report.summary, *report.limits, *(p for s in report.method for p in s.paragraphs)]
        assert not any("{" in text or "None" in text for text in texts)
        assert local_name(report.nodes[0].iri)
