from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from graph.curation.gate import SEEDS, Gate, Receipt
from graph.curation.seeding import digest_files, last_digest, seed
from graph.errors import (
    ParseError,
    ShapeViolationError,
)
from tests.gates import (
    ALIAS,
    LABEL,
    MINE,
    ONE,
    SOURCE,
    TWO,
    open_gate,
    state,
    submit,
    write_seeds,
)
from tests.require import ROOT
from tests.samples import BASE, base, iri, read_trig


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    opened = open_gate(tmp_path / "store")
    yield opened
    opened.dataset.close()


def test_an_empty_store_is_given_the_seeds_as_one_commit(gate: Gate, tmp_path: Path) -> None:
    seeds = write_seeds(tmp_path, BASE, SOURCE)
    receipt = seed(gate, seeds)
    assert receipt is not None
    assert (receipt.revision, receipt.added) == (1, len(base()) + 4)
    (header,) = gate.dataset.log.headers()
    assert header.activity == SEEDS
    assert last_digest(gate.dataset.log) == digest_files(sorted(seeds.glob("*.trig")))
    assert seed(gate, seeds) is None
    assert gate.dataset.log.revision == 1


def test_newer_seeds_replace_only_seed_graphs_as_one_commit(gate: Gate, tmp_path: Path) -> None:
    seed(gate, write_seeds(tmp_path, BASE, SOURCE))
    own = [
        (s.replace("source/mine", "source/own"), p, o, g.replace("source/mine", "source/own"))
        for s, p, o, g in read_trig(SOURCE)
    ]
    mine = [*own, (iri("organisation/a"), ALIAS, '"Ours"@en', iri("source/own"))]
    submit(gate, mine)
    newer = BASE.replace("Pole Alpha", "Pole Omega")
    receipt = seed(gate, write_seeds(tmp_path, newer))
    assert receipt is not None
    assert (receipt.revision, receipt.added, receipt.removed) == (3, 1, 5)
    snapshot = gate.dataset.snapshot
    assert set(snapshot.quads()) == {*read_trig(newer), *mine}
    assert snapshot.graphs() == sorted([ONE, TWO, iri("source/own")])
    assert not gate.is_seed(MINE[1:-1])  # its graph is empty: anyone may take the name
    assert submit(gate, read_trig(SOURCE)).revision == 4
    assert seed(gate, write_seeds(tmp_path, newer, "")) is None
    assert gate.dataset.snapshot.graph_count(MINE) == 4


def test_a_graph_of_a_user_stays_when_seeds_bring_its_name(gate: Gate, tmp_path: Path) -> None:
    seed(gate, write_seeds(tmp_path, BASE))
    submit(gate, read_trig(SOURCE))
    theirs = SOURCE.replace('"Mine"', '"Theirs"')
    seed(gate, write_seeds(tmp_path, BASE.replace("Pole Alpha", "Pole Omega"), theirs))
    snapshot = gate.dataset.snapshot
    assert snapshot.revision == 3
    assert snapshot.value(MINE, "http://purl.org/dc/terms/title") == '"Mine"'
    assert snapshot.contains((iri("organisation/a"), LABEL, '"Pole Omega"@en', TWO))
    assert not gate.is_seed(MINE[1:-1])


def test_newer_seeds_that_break_users_data_are_left_out(
    gate: Gate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seed(gate, write_seeds(tmp_path, BASE))
    role = read_trig(
        SOURCE.replace(
            "}",
            "project-role:p--b a rz:ProjectRole ; eurio:isInvolvedIn project:p ; "
            'eurio:isRoleOf organisation:b ; eurio:roleLabel "partner" ; rz:status "stated" ; '
            "rz:evidence evidence:mine-1 . evidence:mine-1 a rz:Evidence ; "
            'prov:hadPrimarySource source:mine ; rz:locator "p. 1" . }',
        )
    )
    submit(gate, role)
    before = state(gate)
    without = BASE.partition("source:two {")[0]
    assert seed(gate, write_seeds(tmp_path, without)) is None
    assert state(gate) == before
    assert "newer seeds are not loaded" in caplog.text


def test_a_store_begun_without_seeds_is_left_alone(gate: Gate, tmp_path: Path) -> None:
    submit(gate, read_trig(SOURCE))
    assert seed(gate, write_seeds(tmp_path, BASE)) is None
    assert gate.dataset.log.revision == 1


def test_seeds_that_are_wrong_stop_a_first_start(gate: Gate, tmp_path: Path) -> None:
    with pytest.raises(ShapeViolationError):
        seed(gate, write_seeds(tmp_path, BASE.replace('"webPage"', '"rumour"')))
    assert gate.dataset.log.revision == 0
    with pytest.raises(ParseError, match=r"0\.trig"):
        seed(gate, write_seeds(tmp_path, BASE + "}"))


def test_what_is_seed_is_known_after_a_restart(tmp_path: Path) -> None:
    seeds = write_seeds(tmp_path, BASE)
    first = open_gate(tmp_path / "store")
    seed(first, seeds)
    submit(first, read_trig(SOURCE))
    first.dataset.close()
    second = open_gate(tmp_path / "store")
    assert second.is_seed(ONE[1:-1])
    assert not second.is_seed(MINE[1:-1])
    assert seed(second, seeds) is None
    second.dataset.close()


def test_our_seeds_load_in_reasonable_time_without_violation(gate: Gate) -> None:
    receipt = seed(gate, ROOT / "seeds")
    assert receipt is not None
    assert receipt.added > 5_000
    assert {v.severity for v in receipt.warnings} <= {"Warning"}
    assert replace(receipt, warnings=()) == Receipt(1, receipt.added, 0)
