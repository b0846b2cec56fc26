"""A gate on a store of its own, what it is given, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.curation.formats import (
    TRIG,
    Format,
    Upload,
)
from graph.curation.gate import Gate, Receipt
from graph.errors import (
    RhizomeError,
    ShapeViolationError,
    Violation,
)
from graph.settings import Settings
from graph.store.dataset import Dataset
from tests.samples import PREFIXES, iri, model

ONE, TWO, MINE = iri("source/one"), iri("source/two"), iri("source/mine")
LABEL = "<http://www.w3.org/2004/02/skos/core#prefLabel>"
ALIAS = "<http://www.w3.org/2004/02/skos/core#altLabel>"
SOURCE = (
    'source:mine { source:mine a rz:Source ; dct:title "Mine" ; rz:sourceKind "webPage" ; '
    'dct:dateAccepted "2026-03-01"^^xsd:date . }'
)


def open_gate(folder: Path) -> Gate:
    own = Settings(store=folder)
    return Gate(Dataset.open(own, model(), with_store=False), model(), own)


def submit(gate: Gate, added: object = (), removed: object = (), **options: object) -> Receipt:
    given: dict[str, object] = {"agent": "tests", "activity": "edit", "message": "why"}
    return gate.submit(added, removed, **{**given, **options})  # type: ignore[arg-type]


def upload(text: str, format: Format = TRIG) -> Upload:
    return Upload("sent", format, text.encode())


def refusal(
    gate: Gate, error: type[RhizomeError], *arguments: object, **options: object
) -> RhizomeError:
    """What a change is refused with; it must leave nothing behind."""
    before = state(gate)
    with pytest.raises(error) as caught:
        submit(gate, *arguments, **options)
    assert state(gate) == before
    return caught.value


def load_refusal(
    gate: Gate, error: type[RhizomeError], sent: Upload, **options: str
) -> RhizomeError:
    before = state(gate)
    with pytest.raises(error) as caught:
        gate.load([sent], **options)  # type: ignore[arg-type]
    assert state(gate) == before
    return caught.value


def state(gate: Gate) -> tuple[object, ...]:
    log, snapshot = gate.dataset.log, gate.dataset.snapshot
    sizes = {p.name: p.stat().st_size for p in log.folder.rglob("*") if p.is_file()}
    return (log.head, snapshot.revision, snapshot.dataset_hash, frozenset(snapshot.quads()), sizes)


def violations(error: RhizomeError) -> tuple[Violation, ...]:
    assert isinstance(error, ShapeViolationError)
    return error.violations


def write_seeds(folder: Path, *texts: str) -> Path:
    seeds = folder / "seeds"
    seeds.mkdir(exist_ok=True)
    for old in seeds.iterdir():
        old.unlink()
    for number, text in enumerate(texts):
        (seeds / f"{number}.trig").write_text(PREFIXES + text)
    return seeds
