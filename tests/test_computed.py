"""What becomes of computed things when what they measure goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.curation.computed import computed_graphs, data_revision, find_orphans
from graph.curation.gate import Gate
from graph.curation.mutations import Mutations
from graph.curation.seeding import seed
from graph.errors import ShapeViolationError
from graph.terms import ENTITY, RDF_TYPE
from tests.gates import MINE, ONE, SOURCE, TWO, open_gate, submit, write_seeds
from tests.measuring import DEFAULT, gate, measure, without
from tests.mutating import delete, run, viewer
from tests.samples import BASE, iri, read_trig, rz

__all__ = ["gate"]  # a fixture


def test_an_organisation_that_goes_takes_its_measures_along(gate: Gate) -> None:
    measure(gate)
    assert any(q[0] == iri("organisation/b") for q in gate.dataset.snapshot.quads(DEFAULT))
    lost = without("b")
    submit(gate, (), lost)
    left = set(gate.dataset.snapshot.quads(DEFAULT))
    assert not any(iri("organisation/b") in quad or "--b>" in quad[0] for quad in left)
    assert any(quad[0] == iri("organisation/a") for quad in left)
    assert data_revision(gate.dataset.log.latest) == 3


def test_an_organisation_that_another_source_still_states_keeps_them(gate: Gate) -> None:
    measure(gate)
    before = set(gate.dataset.snapshot.quads(DEFAULT))
    submit(gate, (), [(iri("organisation/a"), RDF_TYPE, rz("Cluster"), ONE)])
    assert set(gate.dataset.snapshot.quads(DEFAULT)) == before


def test_what_is_no_organisation_any_more_is_not_measured(gate: Gate) -> None:
    submit(gate, read_trig(
        "source:one { organisation:d a rz:Company ; rz:acronym \"D\" . signature:m--d a "
        "rz:Signature ; rz:agreement memorandum:m ; rz:signatory organisation:d ; rz:status "
        '"stated" ; rz:evidence evidence:one-1 . }'
    ))  # fmt: skip
    measure(gate)
    signature = [q for q in gate.dataset.snapshot.quads() if q[0] == iri("signature/m--d")]
    company = (iri("organisation/d"), RDF_TYPE, rz("Company"), ONE)
    submit(gate, [(iri("organisation/d"), RDF_TYPE, rz("Network"), ONE),
                  (iri("organisation/d"), "<http://www.w3.org/2004/02/skos/core#prefLabel>",
                   '"D"@en', ONE)], [company, *signature])  # fmt: skip
    assert not any(iri("organisation/d") in q for q in gate.dataset.snapshot.quads(DEFAULT))


def test_a_mutation_deletes_what_only_a_report_refers_to(gate: Gate) -> None:
    mutations = Mutations(gate)
    measure(gate)
    who = viewer(sources=(ONE[1:-1], TWO[1:-1]))
    acts = [delete(f"{ENTITY}signature/m--b"), delete(f"{ENTITY}organisation/b")]
    outcome = run(mutations, *acts, who=who, source=ONE[1:-1], begin=None)
    assert outcome.accepted, outcome.violations
    assert not any(iri("organisation/b") in q for q in gate.dataset.snapshot.quads())


def test_newer_seeds_that_leave_out_what_was_measured_are_loaded(tmp_path: Path) -> None:
    gate = open_gate(tmp_path / "store")
    seed(gate, write_seeds(tmp_path, BASE, SOURCE))
    measure(gate)
    assert computed_graphs(gate.dataset.snapshot) == {DEFAULT}
    newer = "\n".join(
        line for line in BASE.splitlines() if "organisation:b" not in line and "m--b" not in line
    ).replace('    rz:status "inferred" ; rz:evidence evidence:one-1 .\n', "")
    receipt = seed(gate, write_seeds(tmp_path, newer))
    assert receipt is not None
    snapshot = gate.dataset.snapshot
    assert snapshot.graph_count(MINE) == 0
    assert snapshot.graph_count(DEFAULT) > 0
    assert not any(iri("organisation/b") in quad for quad in snapshot.quads())
    assert not gate.is_seed(DEFAULT[1:-1])
    assert measure(gate).revision == 4
    assert seed(gate, write_seeds(tmp_path, newer, "")) is None  # the report stays
    assert gate.dataset.snapshot.graph_count(DEFAULT) > 0
    gate.dataset.close()


def state(gate: Gate, text: str, activity: str = "sparql update") -> None:
    added = read_trig(text)
    gate.submit(added, agent="mallory", activity=activity, message="a try")


def test_nobody_else_writes_the_graph_of_a_report(gate: Gate) -> None:
    for _ in range(2):  # before the first report, and after it
        for activity in ("mutation", "sparql update", "graph store"):
            with pytest.raises(ShapeViolationError, match="written by reports alone"):
                state(gate, f'<{DEFAULT[1:-1]}> {{ organisation:a rz:acronym "X" }}', activity)
        measure(gate)


def test_what_is_computed_is_stated_nowhere_else(gate: Gate) -> None:
    measure(gate)
    text = "source:one { signature:m--b a rz:Centrality ; rz:measured organisation:a }"
    for activity in ("sparql update", "load"):
        with pytest.raises(ShapeViolationError, match="nobody states it"):
            state(gate, text, activity)


def test_statements_of_others_stay_when_what_they_measure_goes(gate: Gate) -> None:
    measure(gate)
    snapshot = gate.dataset.snapshot
    measured = next(q for q in snapshot.quads(DEFAULT) if q[2] == iri("organisation/b"))
    stray = (measured[0], rz("acronym"), '"theirs"', ONE)
    orphans = find_orphans(snapshot, [stray], without("b"))
    assert orphans
    assert {quad[3] for quad in orphans} == {DEFAULT}
