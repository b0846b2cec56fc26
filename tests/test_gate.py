from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.curation.formats import (
    TURTLE,
    Upload,
)
from graph.curation.gate import SEEDS, Gate, Receipt
from graph.curation.seeding import seed
from graph.errors import (
    BadValueError,
    ParseError,
    ProvenanceMissingError,
    RevisionConflictError,
    ShapeViolationError,
    StoreFullError,
)
from graph.store.log import Log
from graph.store.stamp import SYSTEM_GRAPH, Stamp
from graph.terms import RDF_TYPE, Quad, hash_dataset
from tests.gates import (
    ALIAS,
    LABEL,
    MINE,
    ONE,
    SOURCE,
    TWO,
    load_refusal,
    open_gate,
    refusal,
    state,
    submit,
    upload,
    violations,
    write_seeds,
)
from tests.samples import BASE, PREFIXES, base, iri, model, read_trig, rz


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    opened = open_gate(tmp_path / "store")
    yield opened
    opened.dataset.close()


@pytest.fixture
def filled(gate: Gate) -> Gate:
    submit(gate, base())
    return gate


# --- what is accepted ---------------------------------------------------------------------------


def test_a_valid_change_is_recorded_with_its_warnings(gate: Gate) -> None:
    receipt = submit(gate, base(), source="https://w3id.org/rhizome/id/source/one")
    assert (receipt.revision, receipt.added, receipt.removed) == (1, len(base()), 0)
    assert len(receipt.warnings) == 5
    (commit,) = gate.dataset.log.commits()
    assert set(commit.added) == set(base())
    assert commit.warnings == receipt.warnings
    assert (commit.agent, commit.activity, commit.message) == ("tests", "edit", "why")
    assert commit.ontology == model().version
    assert gate.dataset.snapshot.dataset_hash == hash_dataset(base())


def test_what_is_there_already_makes_no_revision(filled: Gate) -> None:
    receipt = submit(filled, base(), [(iri("organisation/x"), LABEL, '"X"@en', ONE)])
    assert receipt == Receipt(1, 0, 0, ())
    assert filled.dataset.log.revision == 1


def test_only_the_effective_change_is_recorded(filled: Gate) -> None:
    extra = (iri("organisation/a"), ALIAS, '"Alias"@en', ONE)
    receipt = submit(filled, [*base(), extra], [extra, base()[0], (*extra[:3], TWO)])
    assert (receipt.added, receipt.removed) == (1, 0)
    assert next(filled.dataset.log.commits(1)).added == (extra,)


def test_terms_are_normalised_on_both_sides(filled: Gate) -> None:
    added = (iri("organisation/a"), ALIAS, '"e\u0301"@EN', ONE)
    submit(filled, [added])
    kept = (*added[:2], '"é"@en', ONE)
    assert filled.dataset.snapshot.contains(kept)
    assert submit(filled, [], [added]).removed == 1


def test_a_dry_run_answers_and_changes_nothing(filled: Gate) -> None:
    before = state(filled)
    extra = (iri("organisation/a"), ALIAS, '"Alias"@en', ONE)
    receipt = submit(filled, [extra], dry_run=True)
    assert (receipt.revision, receipt.added) == (1, 1)
    assert state(filled) == before
    with pytest.raises(ShapeViolationError):
        submit(filled, [(*extra[:2], '"no language"', ONE)], dry_run=True)
    assert state(filled) == before


def test_a_change_may_demand_the_revision_that_was_seen(filled: Gate) -> None:
    extra = (iri("organisation/a"), ALIAS, '"Alias"@en', ONE)
    with pytest.raises(RevisionConflictError, match="revision 1, not 0"):
        submit(filled, [extra], expect=0)
    assert submit(filled, [extra], expect=1).revision == 2


def test_many_warnings_are_counted_in_the_record_and_told_whole(gate: Gate) -> None:
    many = [
        (iri(f"organisation/o{n}"), p, o, ONE)
        for n in range(1_200)
        for p, o in ((RDF_TYPE, rz("Company")), (LABEL, f'"O {n}"@en'))
    ]
    receipt = submit(gate, [*base(), *many])
    assert len(receipt.warnings) == 1_205
    (commit,) = gate.dataset.log.commits()
    assert len(commit.warnings) == 1_001
    assert commit.warnings[-1].message == "and 205 warnings more"


# --- rules of the data (DESIGN 4a) --------------------------------------------------------------


def test_rule_1_cardinality_holds_per_named_graph(filled: Gate) -> None:
    three = f'"{3}"^^<http://www.w3.org/2001/XMLSchema#integer>'
    ten = three.replace('"3"', '"10"')
    stated = (iri("memorandum/m"), rz("statedPartyCount"), ten)
    (found,) = violations(refusal(filled, ShapeViolationError, [(*stated, ONE)]))
    assert (found.constraint, found.graph) == ("maxCount", ONE[1:-1])
    assert submit(filled, [(*stated, TWO)]).added == 1
    assert filled.dataset.snapshot.values(stated[0], stated[1][1:-1]) == sorted([three, ten])


def test_rule_1_presence_holds_on_the_union(filled: Gate) -> None:
    gone = [q for q in base() if q[0] == iri("signature/m--b") and q[1] == rz("status")]
    (found,) = violations(refusal(filled, ShapeViolationError, [], gone))
    assert (found.focus_node, found.constraint) == (iri("signature/m--b"), "minCount")
    assert submit(filled, [(*gone[0][:3], TWO)], gone).revision == 2


def test_rule_3_sources_share_a_relation_with_a_status_and_evidence_each(filled: Gate) -> None:
    relation = iri("membership/a--n--member")
    theirs = read_trig(
        "source:two { membership:a--n--member a rz:Membership ; org:member organisation:a ; "
        'org:organization network:n ; org:role role:member ; rz:status "disputed" ; '
        "rz:evidence evidence:two-1 . }"
    )
    assert submit(filled, theirs).added == len(theirs)
    snapshot = filled.dataset.snapshot
    assert snapshot.subjects("http://www.w3.org/ns/org#member", iri("organisation/a")) == [relation]
    assert len(snapshot.values(relation, rz("status")[1:-1])) == 2
    first = [q for q in base() if q[0] == relation]
    assert submit(filled, [], first).removed == len(first)
    assert filled.dataset.snapshot.values(relation, rz("status")[1:-1]) == ['"disputed"']


def test_rule_5_seed_graphs_are_read_only(gate: Gate, tmp_path: Path) -> None:
    seed(gate, write_seeds(tmp_path, BASE))
    extra = (iri("organisation/a"), ALIAS, '"Alias"@en', ONE)
    (found,) = violations(refusal(gate, ShapeViolationError, [extra]))
    assert (found.constraint, found.graph) == ("graph", ONE[1:-1])
    assert "source of your own" in found.message
    refusal(gate, ShapeViolationError, [], [base()[0]])
    assert submit(gate, [*read_trig(SOURCE), (*extra[:3], MINE)]).revision == 2
    with pytest.raises(ValueError, match="seeding"):
        submit(gate, [extra], activity=SEEDS)


def test_rule_5_a_node_that_others_refer_to_keeps_a_type(filled: Gate) -> None:
    gone = [q for q in base() if q[0] == iri("network/n")]
    found = violations(refusal(filled, ShapeViolationError, [], gone))
    assert {v.constraint for v in found} == {"class"}
    elsewhere = [(*q[:3], TWO) for q in gone]
    assert submit(filled, elsewhere, gone).removed == len(gone)


def test_rule_8_blank_nodes_become_iris_of_graph_and_content(filled: Gate) -> None:
    text = PREFIXES + SOURCE.replace(
        "}",
        "membership:b--n a rz:Membership ; org:member organisation:b ; "
        'org:organization network:n ; org:role role:member ; rz:status "stated" ; '
        "rz:evidence [ a rz:Evidence ; prov:hadPrimarySource source:mine ; "
        'rz:quote "B too." ] . }',
    )
    first = filled.load([upload(text)])
    snapshot = filled.dataset.snapshot
    (node,) = snapshot.values(iri("membership/b--n"), rz("evidence")[1:-1])
    assert node.startswith("<https://w3id.org/rhizome/id/genid/")
    assert filled.load([upload(text)]) == Receipt(2, 0, 0, ())
    again = filled.load([upload(text.replace("B too.", "B also."))])
    assert (first.revision, again.revision, again.added) == (2, 3, 4)


# --- whose statements they are ------------------------------------------------------------------


def test_a_graph_must_be_described_as_a_source(filled: Gate) -> None:
    extra = (iri("organisation/a"), ALIAS, '"Alias"@en', MINE)
    error = refusal(filled, ProvenanceMissingError, [extra])
    assert isinstance(error, ProvenanceMissingError)
    assert error.source == MINE[1:-1]
    assert "--graph" in error.message
    elsewhere = [(*q[:3], ONE) for q in read_trig(SOURCE)]
    refusal(filled, ProvenanceMissingError, [extra, *elsewhere])
    assert submit(filled, [extra, *read_trig(SOURCE)]).revision == 2


def test_a_source_is_described_as_long_as_it_says_something(filled: Gate) -> None:
    described = [q for q in base() if q[0] == q[3] == TWO]
    refusal(filled, ProvenanceMissingError, [], described)
    assert submit(filled, [], [q for q in base() if q[3] == TWO]).revision == 2


def test_statements_outside_any_graph_need_a_source(filled: Gate) -> None:
    text = PREFIXES + 'organisation:a skos:altLabel "Alias"@en .'
    (found,) = violations(load_refusal(filled, ShapeViolationError, upload(text, TURTLE)))
    assert (found.constraint, found.graph) == ("graph", None)
    assert "--graph IRI" in found.message
    receipt = filled.load([upload(text, TURTLE)], ONE[1:-1])
    assert (receipt.revision, receipt.added) == (2, 1)
    assert next(filled.dataset.log.commits(1)).source == ONE[1:-1]


def test_the_source_must_be_an_iri(filled: Gate) -> None:
    for wrong in ("my-survey", "", "https://e.org/a b"):
        with pytest.raises(BadValueError, match="--graph"):
            filled.load([upload("", TURTLE)], wrong)


def test_the_ontology_cannot_be_written(filled: Gate) -> None:
    graph = "<https://w3id.org/rhizome/ontology>"
    quad = (iri("concept/sector--seeds"), ALIAS, '"x"@en', graph)
    (found,) = violations(refusal(filled, ShapeViolationError, [quad]))
    assert "belongs to the ontology" in found.message


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "graph",
    [SYSTEM_GRAPH[1:-1], "https://w3id.org/rhizome/stamp/mine", Stamp(1, 2, 3, 4, "5").graph],
)
def test_what_the_store_would_refuse_is_refused_before_it_is_recorded(
    gate: Gate, tmp_path: Path, graph: str
) -> None:
    text = SOURCE.replace("source:mine", f"<{graph}>")
    error = load_refusal(gate, ShapeViolationError, upload(PREFIXES + text))
    (violation,) = violations(error)
    assert (violation.constraint, violation.graph) == ("graph", graph)
    with pytest.raises(ShapeViolationError):
        seed(gate, write_seeds(tmp_path, text))
    assert gate.dataset.log.revision == 0


def test_several_files_are_one_commit(gate: Gate, tmp_path: Path) -> None:
    head, _, tail = BASE.partition("source:two {")
    (tmp_path / "one.trig").write_text(PREFIXES + head)
    (tmp_path / "two.trig").write_text(PREFIXES + "source:two {" + tail)
    receipt = gate.load([tmp_path / "one.trig", tmp_path / "two.trig"])
    assert (receipt.revision, receipt.added) == (1, len(base()))
    assert next(gate.dataset.log.commits()).message == "load one.trig, two.trig"


def test_a_bad_file_among_good_ones_stops_all(gate: Gate) -> None:
    before = state(gate)
    with pytest.raises(ParseError) as error:
        gate.load([upload(PREFIXES + BASE), Upload("bad.ttl", TURTLE, b"<a:s> <a:p>\n <a:o>")])
    assert (error.value.source, error.value.format) == ("bad.ttl", "Turtle")
    assert error.value.line == 2
    assert state(gate) == before


def test_blank_nodes_of_two_files_never_meet(filled: Gate) -> None:
    text = SOURCE.replace(
        "}", '_:b a rz:Evidence ; prov:hadPrimarySource source:mine ; rz:quote "%s" . }'
    )
    filled.load([upload(PREFIXES + text % "x"), upload(PREFIXES + text % "y")])
    nodes = filled.dataset.snapshot.subjects("http://www.w3.org/ns/prov#hadPrimarySource", MINE)
    assert len(nodes) == 2


# --- a failing disk, many writers ---------------------------------------------------------------


def test_a_full_disk_leaves_nothing_behind(filled: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = (iri("organisation/a"), ALIAS, '"Alias"@en', ONE)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    before = state(filled)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(StoreFullError, match="nothing was written"):
            submit(filled, [extra])
    assert state(filled) == before
    assert submit(filled, [extra]).revision == 2


def test_writers_side_by_side_lose_nothing(filled: Gate, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(name: int) -> None:
        try:
            for n in range(8):
                submit(filled, [(iri("organisation/a"), ALIAS, f'"{name}-{n}"@en', ONE)])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    log = Log.open(tmp_path / "store" / "log")
    assert log.revision == 49
    added = [quad for commit in log.commits(1) for quad in commit.added]
    assert len(added) == len(set(added)) == 48
    assert log.dataset_hash == hash_dataset(filled.dataset.snapshot.quads())


def test_two_writers_cannot_break_together_what_each_may(filled: Gate) -> None:
    """Each removes one of the two names of a node; one of them must be refused."""
    names = [
        (iri("organisation/b"), rz("acronym"), '"B"', ONE),
        (iri("organisation/b"), LABEL, '"Company B"@en', ONE),
    ]
    submit(filled, [names[1]])
    outcomes: list[object] = []

    def remove(quad: Quad) -> None:
        try:
            outcomes.append(submit(filled, [], [quad]).removed)
        except ShapeViolationError as error:
            outcomes.append(error.violations[0].constraint)

    threads = [threading.Thread(target=remove, args=(quad,)) for quad in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["1", "sparql"]
